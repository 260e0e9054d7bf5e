"""Bootstraps by design: their spread is the design's standard error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics import (
    UnitSample,
    bootstrap_matrices,
    estimate_units,
    make_shares,
    percentile_interval,
    score_matrix,
)


@pytest.fixture
def sample(rng) -> UnitSample:
    mapped = np.repeat(np.arange(3), 40)
    truth = np.where(rng.random(120) < 0.7, mapped, rng.integers(0, 3, 120))
    return UnitSample(mapped, make_shares(truth, 3), np.array([10.0, 3.0, 1.0])[mapped], mapped)


def check_spread(sample, rng, rel=0.12):
    drawn, made = bootstrap_matrices(sample, draws=1500, rng=rng), estimate_units(sample)
    # 1500 draws leave 1.8 % of noise in a standard deviation; linearisation differs from it by some per cent
    assert score_matrix(drawn, "overall_accuracy").std() == pytest.approx(float(made.overall.se), rel=rel)
    np.testing.assert_allclose(drawn.sum(axis=1).std(axis=0), made.area.se, rtol=rel)
    np.testing.assert_allclose(drawn.sum(axis=(1, 2)), 1)


def test_the_spread_of_strata_is_their_standard_error(sample, rng):
    check_spread(sample, rng)


def test_the_spread_of_shared_labels_is_their_standard_error(sample, rng):
    check_spread(replace(sample, reference=0.8 * sample.reference + 0.2 / 3), rng)


def test_the_spread_of_clusters_is_their_standard_error(sample, rng):
    psu = rng.integers(0, 30, 120)
    check_spread(replace(sample, psu=psu, stratum=np.zeros(120, dtype=int), weight=np.ones(120)), rng)


def test_places_outside_the_map_are_drawn_but_in_no_cell(sample, rng):
    half = replace(sample, map_index=np.where(np.arange(120) % 2, sample.map_index, -1))
    check_spread(half, rng, rel=0.2)


def test_post_strata_are_drawn_apart(sample, rng):
    post = replace(sample, stratum=np.zeros(120, dtype=int), post=sample.stratum)
    rows = bootstrap_matrices(post, draws=50, rng=rng).sum(axis=2)
    assert np.ptp(rows, axis=0).max() < 1e-12  # the map's shares are known


def test_a_stratum_of_one_unit_stays_as_it_is(sample, rng):
    lone = replace(sample, stratum=np.where(np.arange(120) == 0, 3, sample.stratum))
    assert np.isfinite(bootstrap_matrices(lone, draws=20, rng=rng)).all()


def test_the_same_seed_draws_the_same(sample):
    a, b = (bootstrap_matrices(sample, draws=20, rng=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_percentiles_leave_out_what_is_undefined_in_most_draws():
    drawn = np.column_stack([np.arange(101.0), np.where(np.arange(101) < 60, np.nan, 1.0)])
    lower, upper = percentile_interval(drawn)
    assert (lower[0], upper[0]) == pytest.approx((2.5, 97.5))
    assert np.isnan(lower[1])


def test_a_bootstrap_of_nothing_is_refused(sample, rng):
    with pytest.raises(AssessmentError, match="a bootstrap of 1 draws from 120 first-stage units has no spread"):
        bootstrap_matrices(sample, draws=1, rng=rng)
