from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SplitError
from landweave.models import ModelOptions, learning_curve

OPTIONS = ModelOptions(name="nearest-centroid")


def test_more_samples_score_better_on_noisy_classes(make_samples, deal_folds):
    samples = make_samples((80, 80, 80), noise=0.15)
    samples.frame["group"] = np.arange(240).astype(str)
    curve = learning_curve(samples, deal_folds(240, repeats=2), options=OPTIONS, sizes=[100, 4])
    assert curve.table["size"].tolist() == [4, 100]
    assert curve.table["macro_f1"].is_monotonic_increasing
    assert (curve.table["macro_f1_low"] <= curve.table["macro_f1"]).all()


def test_places_are_counted_as_wholes(make_samples, deal_folds):
    samples = make_samples()
    samples.frame["group"] = np.repeat(np.arange(40), 3).astype(str)
    curve = learning_curve(samples, deal_folds(120), options=OPTIONS, sizes=[5, 20], by="place")
    assert curve.by == "place"
    with pytest.raises(SplitError, match="cannot keep 400 training places"):
        learning_curve(samples, deal_folds(120), options=OPTIONS, sizes=[400], by="place")
