from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SplitError
from landweave.samples import SplitOptions, check_leaks, find_leaks, split_random, split_spatial
from landweave.types import Fold


def _row(make_samples, **columns):
    lonlat = np.column_stack([10 + 0.001 * np.arange(8), np.full(8, 0.0)])  # 111.3 m apart
    return make_samples(lonlat, list("abababab"), **columns)


def _folds(train, test):
    return [[Fold(np.array(train), np.array(test))]]


def test_clean_folds_pass(make_samples):
    check_leaks(_row(make_samples), _folds([0, 1], [4, 5]), buffer_m=200)


def test_the_same_row_is_refused(make_samples):
    with pytest.raises(SplitError, match="1 rows on both sides"):
        check_leaks(_row(make_samples), _folds([0, 1], [1, 5]))


def test_a_shared_group_is_refused(make_samples):
    samples = _row(make_samples, group=list("aabbccdd"))
    with pytest.raises(SplitError, match=r"1 test rows whose group trains.*give these rows one group"):
        check_leaks(samples, _folds([0], [1]))


def test_the_same_place_under_two_groups_is_refused(make_samples):
    samples = make_samples(np.array([[10.0, 0], [10.0000001, 0], [11, 0]]), list("aab"))
    with pytest.raises(SplitError, match=r"on a place that trains \(samples 0 and 1, 0.0 m apart\)"):
        check_leaks(samples, _folds([1, 2], [0]))


def test_a_neighbour_within_the_buffer_is_refused(make_samples):
    with pytest.raises(SplitError, match=r"1 test rows within 150 m of the training \(samples 2 and 1, 111.3 m apart\)"):
        check_leaks(_row(make_samples), _folds([0, 1], [2, 5]), buffer_m=150)


def test_the_same_places_in_other_years_may_be_allowed(make_samples):
    samples = make_samples(np.array([[10.0, 0], [10, 0]]), list("ab"), group=["p", "p"])
    assert len(find_leaks(samples, _folds([0], [1]))) == 1
    assert find_leaks(samples, _folds([0], [1]), same_places=True) == []


def test_random_folds_leak_where_spatial_ones_do_not(make_samples, rng):
    lonlat = rng.uniform(10, 11, (20, 2))[rng.integers(0, 20, 200)] + rng.normal(0, 1e-4, (200, 2))
    samples = make_samples(lonlat, list(rng.choice(list("ab"), 200)))
    options = SplitOptions(buffer_m=500)
    assert find_leaks(samples, split_random(samples, options), buffer_m=500)
    assert not find_leaks(samples, split_spatial(samples, options), buffer_m=500)
