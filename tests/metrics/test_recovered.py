"""Intervals recovered from the strata."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics import (
    estimate_strata,
    estimate_stratified,
    jeffreys_interval,
    midp_interval,
    recover_intervals,
    recover_ratios,
    recover_sums,
)

COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_jeffreys_ends_are_quantiles_of_beta_and_whole_at_the_edges():
    from scipy.stats import beta

    low, high = jeffreys_interval([0, 3, 20], [20, 20, 20])
    np.testing.assert_allclose([low[1], high[1]], beta.ppf([0.025, 0.975], 3.5, 17.5))
    assert (low[0], high[2]) == (0, 1)
    assert high[0] > 0.1
    assert np.isnan(jeffreys_interval(0, 0)[0])


def test_midp_ends_are_those_of_the_r_package_stests():
    # its documentation of ci_p_mid_p prints these for 5 of 20, 10 of 30, 15 of 40
    low, high = midp_interval([5, 10, 15], [20, 30, 40])
    np.testing.assert_allclose(low, [0.09786008, 0.1833232, 0.2361295], rtol=1e-6)
    np.testing.assert_allclose(high, [0.47022380, 0.5141852, 0.5313959], rtol=1e-6)


def test_midp_ends_at_the_edges_halve_the_probability_of_what_was_seen():
    low, high = midp_interval([0, 20], [20, 20])
    assert (low[0], high[1]) == (0, 1)
    assert (1 - high[0]) ** 20 / 2 == pytest.approx(0.025)
    assert low[1] == pytest.approx(1 - high[0])
    assert np.isnan(midp_interval(0, 0)[0])


def test_ratios_over_other_strata_hold_the_estimates_and_match_where_strata_are_the_map():
    cells = np.zeros((4, 4, 4))
    cells[np.arange(4), np.arange(4)] = COUNTS
    made, plain = recover_ratios(cells, PIXELS), estimate_stratified(COUNTS, PIXELS)
    for name, (low, high) in made.items():
        value = getattr(plain, name).value
        assert ((low <= value) & (value <= high)).all()
    for end, own in zip(made["producers"], recover_intervals(COUNTS, PIXELS)["producers"], strict=True):
        # the general rule does not know that a stratum of one map class cannot omit that class
        np.testing.assert_allclose(end, own, atol=0.03)


def test_ratios_over_other_strata_are_near_the_normal_ones_for_common_classes(rng):
    cells = rng.multinomial(400, [0.4, 0.1, 0.1, 0.4], size=3).reshape(3, 2, 2).astype(float)
    made, plain = recover_ratios(cells, [5, 3, 2]), estimate_strata(cells, np.array([5.0, 3.0, 2.0]))
    for name in ("users", "producers", "f1", "iou"):
        low, high = made[name]
        np.testing.assert_allclose(high - low, 2 * 1.96 * getattr(plain, name).se, rtol=0.1)


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
