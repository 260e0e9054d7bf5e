"""Intervals recovered from the strata."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics import estimate_stratified, jeffreys_interval, recover_intervals, recover_sums

COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_jeffreys_ends_are_quantiles_of_beta_and_whole_at_the_edges():
    from scipy.stats import beta

    low, high = jeffreys_interval([0, 3, 20], [20, 20, 20])
    np.testing.assert_allclose([low[1], high[1]], beta.ppf([0.025, 0.975], 3.5, 17.5))
    assert (low[0], high[2]) == (0, 1)
    assert high[0] > 0.1
    assert np.isnan(jeffreys_interval(0, 0)[0])


def test_intervals_hold_the_estimates_and_are_near_the_normal_ones_for_common_classes():
    made, plain = recover_intervals(COUNTS, PIXELS), estimate_stratified(COUNTS, PIXELS)
    for name, (low, high) in made.items():
        value = getattr(plain, name).value
        assert ((low <= value) & (value <= high)).all()
    low, high = made["area"]
    np.testing.assert_allclose((high - low)[2:], (2 * 1.96 * plain.area.se)[2:], rtol=0.05)


def test_sums_over_strata_are_the_areas():
    low, high = recover_sums(COUNTS, PIXELS, COUNTS.sum(axis=1))
    np.testing.assert_allclose([low, high], recover_intervals(COUNTS, PIXELS)["area"])


def test_a_class_that_is_not_on_the_map_can_still_have_an_area():
    low, high = recover_intervals([[40, 2], [0, 0]], [100, 0])["area"]
    assert 0 < low[1] < 2 / 42 < high[1]


def test_counts_that_are_no_square_are_refused():
    with pytest.raises(AssessmentError, match=r"counts have shape \(2, 3\), areas \(2,\); expected \(K map, K reference\)"):
        recover_intervals(np.ones((2, 3)), np.ones(2))
