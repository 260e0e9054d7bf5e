"""Robust harmonic regression against scipy, outliers, and series that carry no fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from landweave.errors import CubeError
from landweave.features.harmonic import fit_harmonic, harmonic_design
from landweave.features.phenology import find_season


def make_series(rng: np.random.Generator, pixels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    times = 17_000 + np.sort(rng.choice(700, 48, replace=False)).astype(float)
    angle = 2 * np.pi * times / 365.25
    clean = 0.4 + 0.2 * np.cos(angle) + 0.05 * np.sin(2 * angle)
    values = (clean[:, None] + rng.normal(0, 0.02, (48, pixels))).astype(np.float32)
    values[rng.random(values.shape) < 0.1] -= 0.4
    values[rng.random(values.shape) < 0.2] = np.nan
    return values, times


def test_the_fit_is_hubers_minimum_at_its_own_scale(rng: np.random.Generator) -> None:
    values, times = make_series(rng)
    fit = fit_harmonic(values, times, tolerance=1e-10, max_iterations=200)
    design = harmonic_design(times, harmonics=2, has_trend=False)
    for p in range(4):
        known = ~np.isnan(values[:, p])
        x, y = design[known], values[known, p].astype(float)
        best = least_squares(lambda b, x=x, y=y: x @ b - y, np.zeros(5), loss="huber", f_scale=1.345 * float(fit.scale[p]),
                             xtol=1e-13, ftol=1e-13, gtol=1e-13)  # fmt: skip
        np.testing.assert_allclose(fit.coefficients[:, p], best.x, atol=1e-5)


def test_clouds_hardly_move_the_fit(rng: np.random.Generator) -> None:
    values, times = make_series(rng, pixels=60)
    found = fit_harmonic(values, times).coefficients
    np.testing.assert_allclose(np.median(found, axis=1), [0.4, 0.2, 0, 0, 0.05], atol=0.02)
    plain = fit_harmonic(values, times, max_iterations=0).coefficients
    assert np.abs(plain[0] - 0.4).mean() > 2 * np.abs(found[0] - 0.4).mean()


def test_a_trend_is_told_per_year() -> None:
    times = np.arange(0, 1400, 20.0)
    values = (0.3 + 0.04 * (times - 690) / 365.25 + 0.1 * np.cos(2 * np.pi * times / 365.25))[:, None]
    fit = fit_harmonic(values, times, harmonics=1, has_trend=True)
    np.testing.assert_allclose(fit.coefficients[:, 0], [0.3, 0.04, 0.1, 0], atol=1e-5)
    np.testing.assert_allclose(fit.fitted, values, atol=1e-5)


def test_too_few_observations_have_no_fit(rng: np.random.Generator) -> None:
    values, times = make_series(rng)
    values[6:, 0] = np.nan
    fit = fit_harmonic(values, times)
    assert np.isnan(fit.fitted[:, 0]).all()
    assert np.isfinite(fit.fitted[:, 1]).all()


def test_a_pixel_does_not_depend_on_its_neighbours(rng: np.random.Generator) -> None:
    values, times = make_series(rng, pixels=60)
    whole = fit_harmonic(values, times).fitted
    np.testing.assert_array_equal(whole[:, 21:40], fit_harmonic(values[:, 21:40], times).fitted)


def test_no_wave_is_refused() -> None:
    with pytest.raises(CubeError, match="harmonics is 0; give 1"):
        fit_harmonic(np.ones(9), np.arange(9.0), harmonics=0)


def test_a_season_starts_and_ends_at_half_its_amplitude() -> None:
    times = np.arange(0, 365, 5.0)
    index = 0.2 + 0.6 * np.exp(-0.5 * ((times - 180) / 40) ** 2)
    start, end = find_season(np.stack([index, np.full_like(index, 0.5)], axis=1), times, smoothness=0.1)
    half = 40 * np.sqrt(2 * np.log(2))
    np.testing.assert_allclose([start[0], end[0]], [180 - half, 180 + half], atol=2)
    assert np.isnan([start[1], end[1]]).all()
