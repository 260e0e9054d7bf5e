"""Sample sizes and their shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import SampleError
from landweave.samples.design_size import (
    expect_areas_se,
    expect_overall_se,
    expect_shares,
    share_out,
    size_for_areas,
    size_for_overall,
    size_for_share,
)

SIZES = np.array([700.0, 250.0, 50.0])
ACCURACY = np.array([0.9, 0.8, 0.6])


def test_the_worst_share_to_five_points_takes_385_places():
    assert size_for_share(0.5, 0.05) == 385  # 384.16
    assert size_for_share(0.5, 0.05, design_effect=2) == 769


def test_a_stratified_size_gives_its_half_width_under_neymans_allocation():
    n = size_for_overall(SIZES, ACCURACY, 0.02)
    parts = share_out(n, SIZES * np.sqrt(ACCURACY * (1 - ACCURACY)))
    assert 1.96 * expect_overall_se(SIZES, ACCURACY, parts) == pytest.approx(0.02, rel=0.002)


def test_targets_of_several_classes_are_all_met_and_one_of_them_just():
    shares = expect_shares(SIZES, ACCURACY)
    targets = {0: 0.015, 2: 0.006}
    se = expect_areas_se(SIZES, shares, size_for_areas(SIZES, shares, targets))
    assert all(se[k] <= t for k, t in targets.items())
    assert max(se[k] / t for k, t in targets.items()) > 0.98


def test_several_targets_cost_no_more_than_each_alone_together():
    shares = expect_shares(SIZES, ACCURACY)
    both = size_for_areas(SIZES, shares, {0: 0.015, 2: 0.006}).sum()
    alone = [size_for_areas(SIZES, shares, {k: t}) for k, t in ((0, 0.015), (2, 0.006))]
    assert max(a.sum() for a in alone) <= both <= np.maximum(*alone).sum() + 3


def test_expected_shares_are_those_of_classes_and_add_up():
    made = expect_shares(SIZES, ACCURACY)
    np.testing.assert_allclose(made.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(made), ACCURACY)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5000), st.lists(st.floats(0.001, 1e6), min_size=1, max_size=12))
def test_whole_numbers_add_up_and_stay_within_one_of_their_share(n, shares):
    made = share_out(n, np.array(shares))
    assert made.sum() == n
    assert np.abs(made - n * np.array(shares) / sum(shares)).max() < 1 + 1e-6


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: size_for_share(1.0, 0.05), "expected share is 1; give a share between 0 and 1"),
        (lambda: size_for_overall(SIZES, ACCURACY, 3), "half-width is 3; give a share between 0 and 1, such as 0.05 for 5 %"),
        (lambda: size_for_overall(SIZES, ACCURACY + 0.5, 0.1), "an expected accuracy is 1.4; give shares"),
        (lambda: size_for_areas(SIZES, np.eye(3), {}), "no target standard error is given"),
        (lambda: share_out(5, np.zeros(2)), "shares of the sample add up to 0; at least one must be above 0"),
        (lambda: expect_shares(np.zeros(2), np.ones(2)), r"strata have the sizes \[0.0, 0.0\]"),
    ],
)
def test_questions_without_an_answer_are_refused(call, match):
    with pytest.raises(SampleError, match=match):
        call()
