from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import CurveOptions, play_labelling
from landweave.models import ModelOptions
from landweave.samples import SplitOptions, split_spatial

MODEL = ModelOptions(name="nearest-centroid")


@pytest.fixture
def folds(clean):
    return split_spatial(clean, SplitOptions(n_folds=2, block_size_deg=0.5))


@pytest.mark.parametrize("strategy", ["random", "margin", "committee"])
def test_curves_start_alike_and_end_well(clean, folds, strategy):
    options = CurveOptions(strategy=strategy, start=6, batch=6, n_rounds=3, n_members=2, diversity="cluster")
    curve = play_labelling(clean, folds, model=MODEL, options=options)
    first = play_labelling(clean, folds, model=MODEL, options=CurveOptions(strategy="random", start=6, batch=1, n_rounds=1))
    assert curve.n_labels.tolist() == [6, 12, 18, 24]
    assert curve.overall_accuracy.shape == curve.macro_f1.shape == (1, 4)
    assert curve.overall_accuracy[0, 0] == first.overall_accuracy[0, 0]
    assert curve.overall_accuracy[0, -1] > 0.95


def test_batches_are_full_even_where_distance_forbids_it(clean, folds):
    options = CurveOptions(strategy="margin", start=10, batch=10, n_rounds=2, min_distance_m=80_000)
    assert np.isfinite(play_labelling(clean, folds, model=MODEL, options=options).macro_f1).all()


def test_more_labels_than_rows_are_refused(clean, folds):
    with pytest.raises(SampleError, match=r"1020 labels are asked of a training side of \d+ rows"):
        play_labelling(clean, folds, model=MODEL, options=CurveOptions(batch=1000, n_rounds=1))
