"""Whittaker and Savitzky-Golay against scipy, irregular dates, and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from landweave.errors import CubeError
from landweave.features.smoothing import fill_gaps, smooth_savgol, smooth_whittaker


def make_series(rng: np.random.Generator, n: int = 30, pixels: int = 20) -> tuple[np.ndarray, np.ndarray]:
    times = np.sort(rng.choice(400, n, replace=False)).astype(float)
    clean = 0.4 + 0.25 * np.sin(2 * np.pi * times / 365)[:, None] * rng.uniform(0.5, 1, pixels)
    values = (clean + rng.normal(0, 0.02, clean.shape)).astype(np.float32)
    return np.where(rng.random(values.shape) < 0.25, np.float32(np.nan), values), times


def solve_dense(y: np.ndarray, times: np.ndarray, smoothness: float, weights: np.ndarray) -> np.ndarray:
    """Solve (W + smoothness D'D) z = W y with divided differences, the long way."""
    mean = (times[-1] - times[0]) / (len(times) - 1)
    d = np.zeros((len(times) - 2, len(times)))
    for i in range(len(d)):
        a, b, c = times[i : i + 3]
        d[i, i : i + 3] = mean**2 * 2 / np.array([(b - a) * (c - a), -(b - a) * (c - b), (c - b) * (c - a)])
    w = np.where(np.isnan(y), 0, weights)
    return np.linalg.solve(np.diag(w) + smoothness * d.T @ d, w * np.nan_to_num(y))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), exponent=st.floats(-1, 4))
def test_whittaker_solves_its_equation_on_irregular_dates(seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    values, times = make_series(rng)
    weights = rng.uniform(0.5, 2, values.shape)
    fitted, _ = smooth_whittaker(values, times, smoothness=10**exponent, weights=weights)
    for p in range(3):
        expected = solve_dense(values[:, p], times, 10**exponent, weights[:, p].astype(np.float32))
        np.testing.assert_allclose(fitted[:, p], expected, atol=1e-5)


def test_the_v_curve_smooths_noise_more_than_signal(rng: np.random.Generator) -> None:
    times = np.arange(60) * 10.0
    clean = 0.4 + 0.3 * np.sin(2 * np.pi * times / 365)
    noisy = clean + rng.normal(0, 0.05, (40, 60))
    fitted, chosen = smooth_whittaker(noisy.T, times)
    assert np.abs(fitted.T - clean).mean() < 0.6 * np.abs(noisy - clean).mean()
    assert ((chosen > 0.1) & (chosen < 1e4)).all()


def test_a_single_observation_is_repeated_and_none_stays_nodata() -> None:
    values = np.full((6, 2), np.nan)
    values[3, 0] = 0.7
    fitted, _ = smooth_whittaker(values, np.arange(6.0), smoothness=5.0)
    np.testing.assert_allclose(fitted[:, 0], 0.7, rtol=1e-6)
    assert np.isnan(fitted[:, 1]).all()


def test_savgol_on_regular_dates_is_scipys(rng: np.random.Generator) -> None:
    values = rng.random((25, 40)).astype(np.float32)
    expected = savgol_filter(values.astype(float), 7, 3, axis=0, mode="interp")
    np.testing.assert_allclose(smooth_savgol(values, np.arange(25) * 8.0, window=7, degree=3), expected, atol=1e-6)


def test_savgol_keeps_a_parabola_on_irregular_dates(rng: np.random.Generator) -> None:
    _, times = make_series(rng)
    parabola = (0.1 + 0.002 * times - 4e-6 * times**2)[:, None]
    np.testing.assert_allclose(smooth_savgol(parabola, times, window=5, degree=2), parabola, atol=1e-6)


def test_the_envelope_lies_above_the_plain_filter_where_clouds_pull_down(rng: np.random.Generator) -> None:
    times = np.arange(46) * 8.0
    values = (0.5 + 0.3 * np.sin(2 * np.pi * times / 365))[:, None].repeat(10, axis=1)
    values[rng.random(values.shape) < 0.15] -= 0.3
    plain, upper = (smooth_savgol(values, times, window=9, degree=2, envelope=k) for k in (0, 10))
    assert (upper - plain).mean() > 0.01


def test_filling_keeps_observations_and_stays_within_their_range(rng: np.random.Generator) -> None:
    values, _ = make_series(rng)
    filled = fill_gaps(values, np.full(values.shape, 9.0))
    known = ~np.isnan(values)
    np.testing.assert_array_equal(filled[known], values[known])
    np.testing.assert_allclose(filled.max(axis=0), np.nanmax(values, axis=0))


def test_a_pixel_does_not_depend_on_its_neighbours(rng: np.random.Generator) -> None:
    values, times = make_series(rng, pixels=90)
    whole, _ = smooth_whittaker(values, times)
    np.testing.assert_array_equal(whole[:, 33:50], smooth_whittaker(values[:, 33:50], times)[0])


def test_dates_that_go_back_are_named() -> None:
    with pytest.raises(CubeError, match=r"date 2 is day 5 after day 9; sort the dates"):
        smooth_whittaker(np.ones(4), [0, 9, 5, 12])
    with pytest.raises(CubeError, match="smoothness is 0"):
        smooth_whittaker(np.ones(4), np.arange(4.0), smoothness=0)
    with pytest.raises(CubeError, match=r"window is 9, degree 2, and the series has 4 dates"):
        smooth_savgol(np.ones(4), np.arange(4.0), window=9)
