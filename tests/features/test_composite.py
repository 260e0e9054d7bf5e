"""Composites: agreement with numpy, nodata, ties, and independence of a pixel from its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from landweave.errors import CubeError
from landweave.features.composite import (
    compose_geomedian,
    compose_median,
    compose_percentiles,
    compose_weighted_mean,
    find_best,
    find_medoid,
    pick_days,
    score_cloud_distance,
    score_date,
    score_opacity,
)


def make_stack(rng: np.random.Generator, days: int = 9, bands: int = 4, pixels: int = 70, gaps: float = 0.3) -> np.ndarray:
    values = rng.uniform(0.02, 0.5, (days, bands, pixels)).astype(np.float32)
    values[:, :, 3] = np.nan
    return np.where(rng.random((days, 1, pixels)) < gaps, np.float32(np.nan), values)


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@settings(max_examples=15, deadline=None)
@given(days=st.integers(1, 40), seed=st.integers(0, 99))
def test_median_and_percentiles_are_numpys(days: int, seed: int) -> None:
    stack = make_stack(np.random.default_rng(seed), days=days)
    np.testing.assert_allclose(compose_median(stack), np.nanmedian(stack, axis=0), rtol=1e-6)
    expected = np.nanpercentile(stack, (0, 10, 50, 90, 100), axis=0)
    np.testing.assert_allclose(compose_percentiles(stack, (0, 10, 50, 90, 100)), expected, rtol=1e-5)


def test_geomedian_is_where_the_sum_of_distances_is_least(rng: np.random.Generator) -> None:
    stack = make_stack(rng, gaps=0)[:, :, 5]
    found = compose_geomedian(stack[:, :, None])[:, 0]

    def cost(point: np.ndarray) -> float:
        return float(np.sqrt(((stack - point) ** 2).sum(axis=1)).sum())

    assert all(cost(found) <= cost(found + rng.normal(0, 1e-3, 4)) for _ in range(50))


def test_geomedian_stays_near_the_clear_days_under_clouds(rng: np.random.Generator) -> None:
    stack = (0.2 + rng.normal(0, 0.005, (11, 4, 1))).astype(np.float32)
    stack[:4] += 0.6
    np.testing.assert_allclose(compose_geomedian(stack), 0.2, atol=0.01)


def test_geomedian_does_not_stick_to_an_observation_at_the_mean() -> None:
    points = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 0.3], [-0.3, 0.0], [0.0, -0.3], [1.0, 1.0]], dtype=np.float32)
    points = np.vstack([points, points.mean(axis=0)])
    found = compose_geomedian(points[:, :, None])[:, 0]
    best = minimize(lambda m: np.sqrt(((points - m) ** 2).sum(axis=1)).sum(), [0.05, 0.05], method="Nelder-Mead",
                    options={"xatol": 1e-8, "fatol": 1e-12})  # fmt: skip
    np.testing.assert_allclose(found, best.x, atol=1e-4)


def test_days_without_all_bands_do_not_count_and_none_is_nodata(rng: np.random.Generator) -> None:
    stack = make_stack(rng, gaps=0)
    stack[2, 1, :] = np.nan
    kept = np.delete(stack, 2, axis=0)
    np.testing.assert_allclose(compose_geomedian(stack), compose_geomedian(kept), atol=1e-6)
    assert np.isnan(compose_geomedian(stack)[:, 3]).all()
    assert find_medoid(stack)[3] == -1


def test_medoid_is_a_day_with_the_least_distances(rng: np.random.Generator) -> None:
    stack = make_stack(rng, gaps=0)
    gaps = stack[:, None, :, 7] - stack[None, :, :, 7]
    assert find_medoid(stack)[7] == int(np.sqrt((gaps**2).sum(axis=2)).sum(axis=1).argmin())


def test_a_pixel_does_not_depend_on_its_neighbours(rng: np.random.Generator) -> None:
    stack = make_stack(rng, pixels=150)
    for compose in (compose_median, compose_geomedian, find_medoid):
        whole = compose(stack)
        np.testing.assert_array_equal(whole[..., 41:60], compose(stack[:, :, 41:60]))


def test_days_are_picked_with_all_their_bands(rng: np.random.Generator) -> None:
    stack = rng.random((4, 2, 3, 3)).astype(np.float32)
    days = find_best(np.where(np.arange(4)[:, None, None] == 2, 5.0, 1.0) * np.ones((4, 3, 3)))
    days[0, 0] = -1
    picked = pick_days(stack, days)
    np.testing.assert_array_equal(picked[:, 1, 2], stack[2, :, 1, 2])
    assert np.isnan(picked[:, 0, 0]).all()


def test_weighted_mean_leaves_out_gaps() -> None:
    values = np.array([[[0.1]], [[0.4]], [[np.nan]]], dtype=np.float32)
    assert compose_weighted_mean(values, np.array([[1.0], [2.0], [9.0]]))[0, 0] == pytest.approx(0.3)


def test_scores_are_one_where_best_and_fall_towards_zero() -> None:
    np.testing.assert_allclose(score_date([170, 180, 190], target=180, sigma_days=10), [np.exp(-0.5), 1, np.exp(-0.5)])
    near = score_cloud_distance([0, 25, 50, 400], required_px=50)
    np.testing.assert_allclose(near, [1 / (1 + np.exp(5)), 0.5, 1 / (1 + np.exp(-5)), 1 / (1 + np.exp(-5))])
    haze = score_opacity([0.1, 0.25, 0.3], clear=0.2, hazy=0.3)
    np.testing.assert_allclose(haze, [1, 0.5, 0])


def test_an_empty_stack_is_refused() -> None:
    with pytest.raises(CubeError, match=r"shape \(0, 3\) holds no day"):
        compose_median(np.empty((0, 3)))
    with pytest.raises(CubeError, match=r"percentiles are \[120\]"):
        compose_percentiles(np.ones((2, 3)), (120,))
