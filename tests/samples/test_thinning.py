from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SplitError
from landweave.samples import SplitOptions, split_random, thin_folds


@pytest.fixture
def samples(make_samples, rng):
    group = np.repeat(np.arange(40), 3).astype(str)
    return make_samples(rng.uniform(10, 11, (120, 2)), list(np.repeat(list("aaab"), 30)), group=group)


def test_tests_stay_and_smaller_training_is_part_of_larger(samples):
    folds = split_random(samples, SplitOptions())
    small, large = (thin_folds(samples, folds, size=n)[0] for n in (10, 40))
    for whole, few, more in zip(folds[0], small, large, strict=True):
        assert (few.test == whole.test).all()
        assert len(few.train) == 10
        assert set(few.train) <= set(more.train) <= set(whole.train)


def test_classes_keep_their_share(samples):
    fold = thin_folds(samples, split_random(samples, SplitOptions()), size=40)[0][0]
    assert np.mean(samples.to_class_index()[fold.train] == 0) == pytest.approx(0.75, abs=0.05)


def test_places_are_kept_as_wholes(samples):
    fold = thin_folds(samples, split_random(samples, SplitOptions()), size=8, by="place")[0][0]
    group = samples.frame["group"].to_numpy()[fold.train]
    assert len(np.unique(group)) == 8
    assert len(fold.train) == 24


def test_sizes_out_of_reach_are_refused(samples):
    folds = split_random(samples, SplitOptions())
    with pytest.raises(SplitError, match="cannot keep 500 training rows: a fold has 96 of them and 2 classes"):
        thin_folds(samples, folds, size=500)
    with pytest.raises(SplitError, match="cannot keep 1 training places"):
        thin_folds(samples, folds, size=1, by="place")
