"""Intervals and bootstraps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import AssessmentError
from landweave.metrics.confusion import count_parts
from landweave.metrics.intervals import bootstrap_scores, effective_n, make_interval, wilson_interval, z_value

SHARES = st.floats(0, 1)


def test_the_95_percent_quantile_is_the_papers():
    assert z_value(0.95) == 1.96
    assert z_value(0.9) == pytest.approx(1.644854, abs=1e-6)


def test_a_level_in_percent_is_refused():
    with pytest.raises(AssessmentError, match="confidence level is 95; give a share between 0 and 1"):
        z_value(95)


def test_wilson_matches_the_published_example():
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I: 81 of 263 and 0 of 20
    lower, upper = wilson_interval(np.array([81 / 263, 0.0]), np.array([263, 20]))
    np.testing.assert_allclose(lower.round(4), [0.2553, 0.0])
    np.testing.assert_allclose(upper.round(4), [0.3662, 0.1611])


def test_effective_n_of_a_simple_sample_is_its_size():
    p, n = np.array([0.2, 0.5]), np.array([50, 400])
    np.testing.assert_allclose(effective_n(p, np.sqrt(p * (1 - p) / n)), n)
    assert np.isnan(effective_n(np.array(1.0), np.array(0.01)))


@given(SHARES, st.floats(1e-4, 0.5), st.sampled_from(["normal", "wilson", "logit"]))
@settings(max_examples=80, deadline=None)
def test_an_interval_holds_its_estimate_and_stays_within_0_and_1(p, se, method):
    lower, upper = make_interval(np.array(p), np.array(se), method=method)
    assert 0 <= lower <= p + 1e-12
    assert p - 1e-12 <= upper <= 1
    assert upper > lower


def test_methods_agree_in_the_middle_of_a_large_sample():
    p, se = np.array(0.5), np.array(0.005)
    ends = [np.array(make_interval(p, se, method=m)) for m in ("normal", "wilson", "logit")]
    np.testing.assert_allclose(ends[1], ends[0], atol=2e-5)
    np.testing.assert_allclose(ends[2], ends[0], atol=2e-5)


def test_undefined_estimates_have_undefined_intervals():
    for method in ("normal", "wilson", "logit"):
        lower, upper = make_interval(np.array([np.nan, 0.5]), np.array([0.1, np.nan]), method=method)
        assert np.isnan([lower, upper]).all()


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(AssessmentError, match="no interval method named 'exact'; known: normal, wilson, logit"):
        make_interval(np.array(0.5), np.array(0.1), method="exact")


def test_bootstrap_of_single_samples_gives_the_binomial_error(rng):
    truth = rng.integers(0, 4, 2000)
    predicted = np.where(rng.random(2000) < 0.8, truth, (truth + 1) % 4)
    parts = count_parts(np.arange(2000), predicted, truth, n_groups=2000, n_classes=4)
    drawn = bootstrap_scores(parts, ["overall_accuracy"], draws=800, rng=rng)["overall_accuracy"]
    p = (predicted == truth).mean()
    # 800 draws leave 2.5 % of noise in a standard deviation; four times that
    assert drawn.std(ddof=1) == pytest.approx(np.sqrt(p * (1 - p) / 2000), rel=0.1)


def test_bootstrap_of_blocks_is_wider_where_blocks_fail_together(rng):
    block = np.repeat(np.arange(40), 50)
    truth = rng.integers(0, 3, 2000)
    predicted = np.where(rng.random(40)[block] < 0.8, truth, (truth + 1) % 3)
    whole = count_parts(block, predicted, truth, n_groups=40, n_classes=3)
    single = count_parts(np.arange(2000), predicted, truth, n_groups=2000, n_classes=3)
    wide, narrow = (bootstrap_scores(p, ["macro_f1"], draws=300, rng=rng)["macro_f1"].std() for p in (whole, single))
    assert wide > 4 * narrow


def test_repeats_are_averaged_within_a_draw(rng):
    truth, block = rng.integers(0, 3, 300), rng.integers(0, 30, 300)
    predicted = np.where(rng.random((2, 300)) < 0.7, truth, (truth + 1) % 3)
    parts = np.stack([count_parts(block, p, truth, n_groups=30, n_classes=3) for p in predicted], axis=1)
    drawn = bootstrap_scores(parts, ["overall_accuracy", "f1"], draws=50, rng=rng)
    assert drawn["overall_accuracy"].shape == (50,)
    assert drawn["f1"].shape == (50, 3)
    assert drawn["overall_accuracy"].mean() == pytest.approx((predicted == truth).mean(), abs=0.03)


def test_a_seed_fixes_the_bootstrap():
    parts = np.ones((5, 3, 2))
    a, b = (bootstrap_scores(parts, ["f1"], draws=10, rng=np.random.default_rng(3))["f1"] for _ in range(2))
    assert (a == b).all()


def test_one_block_has_no_spread(rng):
    with pytest.raises(AssessmentError, match="from 1 groups has no spread; it needs at least 2"):
        bootstrap_scores(np.ones((1, 3, 2)), ["f1"], rng=rng)
