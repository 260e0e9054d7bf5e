"""Totals of drawn rows: the same distribution whether kinds of rows or single rows are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.metrics.draws import _draw_singly, _kinds_of, draw_totals


@pytest.fixture
def rows(rng):
    """400 rows of five kinds, each a 1 in one of five cells."""
    return np.eye(5)[rng.choice(5, 400, p=[0.5, 0.25, 0.15, 0.07, 0.03])]


@pytest.mark.parametrize("draw", [draw_totals, _draw_singly])
def test_drawn_cells_have_the_mean_and_covariance_of_a_multinomial(rows, rng, draw):
    size, draws = 399, 6000
    p = rows.mean(axis=0)
    made = draw(rows, size=size, draws=draws, rng=rng)
    covariance = size * (np.diag(p) - np.outer(p, p))
    # five standard errors of a mean; those of a covariance of 6000 draws are below sqrt(2 / 6000) of the larger variance
    assert (np.abs(made.mean(axis=0) - size * p) <= 5 * np.sqrt(np.diag(covariance) / draws)).all()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs((np.cov(made.T) - covariance) / scale).max() < 5 * np.sqrt(2 / draws)
    np.testing.assert_array_equal(made.sum(axis=1), size * np.ones(draws))


def test_both_ways_give_the_same_quantiles(rows, rng):
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    kinds, singly = (np.quantile(f(rows, size=399, draws=6000, rng=rng), levels, axis=0) for f in (draw_totals, _draw_singly))
    np.testing.assert_allclose(kinds, singly, atol=1.01)


@pytest.mark.parametrize("width", [3, 40])  # full and sparse
def test_rows_that_all_differ_have_their_mean_and_variance(rng, width):
    rows = np.where(np.arange(width) == rng.integers(0, width, (50, 1)), rng.random((50, 1)), 0.0)
    made = draw_totals(rows, size=50, draws=4000, rng=rng)
    se = np.sqrt(50 * rows.var(axis=0))
    assert (np.abs(made.mean(axis=0) - rows.sum(axis=0)) <= 5 * se / np.sqrt(4000) + 1e-12).all()
    np.testing.assert_allclose(made.std(axis=0), se, rtol=0.1)


def test_kinds_are_the_distinct_rows_and_their_numbers(rows):
    kinds, times = _kinds_of(rows)
    found, expected = np.unique(rows, axis=0, return_counts=True)
    assert dict(zip(map(bytes, kinds), times, strict=True)) == dict(zip(map(bytes, found), expected, strict=True))


def test_the_same_seed_draws_the_same(rows):
    a, b = (draw_totals(rows, size=10, draws=5, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
