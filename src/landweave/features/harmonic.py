"""Harmonic series: per pixel a mean, a trend and waves of the year, fitted robustly.

Receives arrays with time first, NaN where there is no observation; hands on coefficients and the fitted series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from landweave.errors import CubeError
from landweave.features.networks import network, sort_lanes
from landweave.features.smoothing import check_dates

__all__ = ["HarmonicFit", "fit_harmonic", "harmonic_design"]

_LANES = 16
_YEAR_DAYS = 365.25
_HUBER = 1.345
"""Huber's constant: 95 % efficiency at the normal distribution."""


@dataclass(frozen=True)
class HarmonicFit:
    """A fit.

    Attributes:
        coefficients: float32 (term, ...): mean, trend per year where asked for, then cosine and sine of each wave.
        scale: float32 (...): robust standard deviation of the residuals.
        fitted: float32 (time, ...) at the dates of the series.
    """

    coefficients: NDArray[np.float32]
    scale: NDArray[np.float32]
    fitted: NDArray[np.float32]


def harmonic_design(times_days: ArrayLike, *, harmonics: int, has_trend: bool) -> NDArray[np.float64]:
    """Give the design matrix (time, term): 1, years since the middle of the dates, cos and sin of 2 pi k t / 365.25 days."""
    times = np.asarray(times_days, dtype=np.float64)
    angle = 2 * np.pi * times / _YEAR_DAYS
    columns = [np.ones_like(times)]
    if has_trend:
        columns.append((times - (times[0] + times[-1]) / 2) / _YEAR_DAYS)
    for k in range(1, harmonics + 1):
        columns += [np.cos(k * angle), np.sin(k * angle)]
    return np.ascontiguousarray(np.stack(columns, axis=1))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _regress(design: Any, y: Any, w: Any, normal: Any, beta: Any, sound: Any) -> None:  # pragma: no cover (compiled)
    """Weighted least squares per lane through the normal equations and Cholesky; `sound` becomes 0 where they are singular."""
    n, p = design.shape
    normal[:] = 0.0
    beta[:] = 0.0
    for t in range(n):
        for i in range(p):
            xi = design[t, i]
            for j in range(i + 1):
                product = xi * design[t, j]
                row = normal[i, j]
                for lane in range(_LANES):
                    row[lane] += w[t, lane] * product
            row = beta[i]
            for lane in range(_LANES):
                row[lane] += w[t, lane] * y[t, lane] * xi
    for i in range(p):
        for j in range(i + 1):
            row = normal[i, j]
            for lane in range(_LANES):
                whole = row[lane]
                for k in range(j):
                    row[lane] -= normal[i, k, lane] * normal[j, k, lane]
                if i == j:
                    sound[lane] = sound[lane] if row[lane] > 1e-9 * whole else 0.0
                    row[lane] = np.sqrt(max(row[lane], 1e-300))
                else:
                    row[lane] /= normal[j, j, lane]
    for i in range(p):
        for k in range(i):
            for lane in range(_LANES):
                beta[i, lane] -= normal[i, k, lane] * beta[k, lane]
        for lane in range(_LANES):
            beta[i, lane] /= normal[i, i, lane]
    for i in range(p - 1, -1, -1):
        for k in range(i + 1, p):
            for lane in range(_LANES):
                beta[i, lane] -= normal[k, i, lane] * beta[k, lane]
        for lane in range(_LANES):
            beta[i, lane] /= normal[i, i, lane]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _residuals(design: Any, y: Any, known: Any, beta: Any, size: Any) -> None:  # pragma: no cover (compiled)
    """|y - X beta| per lane, -inf where there is no observation."""
    n, p = design.shape
    for t in range(n):
        row = size[t]
        for lane in range(_LANES):
            row[lane] = y[t, lane]
        for i in range(p):
            x = design[t, i]
            for lane in range(_LANES):
                row[lane] -= x * beta[i, lane]
        for lane in range(_LANES):
            row[lane] = abs(row[lane]) if known[t, lane] > 0 else -np.inf


@njit(nogil=True, cache=True, error_model="numpy")
def _harmonics(
    values: Any, design: Any, pairs: Any, most: Any, tolerance: Any, coefficients: Any, scale: Any
) -> None:  # pragma: no cover (compiled)
    n, p = design.shape
    n_pixels = values.shape[1]
    y, w, known = np.empty((n, _LANES)), np.empty((n, _LANES)), np.empty((n, _LANES))
    size, order = np.empty((n, _LANES)), np.empty((n, _LANES))
    normal, beta, new = np.empty((p, p, _LANES)), np.empty((p, _LANES)), np.empty((p, _LANES))
    count, sound, active, sigma = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        y[:] = 0.0
        known[:] = 0.0
        count[:] = 0.0
        for t in range(n):
            for lane in range(lanes):
                value = values[t, x0 + lane]
                if value == value:
                    y[t, lane] = value
                    known[t, lane] = 1.0
                    count[lane] += 1.0
        w[:] = known
        for lane in range(_LANES):
            sound[lane] = 1.0 if count[lane] >= p + 2 else 0.0
        _regress(design, y, w, normal, beta, sound)
        active[:] = sound
        sigma[:] = 0.0
        for turn in range(most + 1):
            _residuals(design, y, known, beta, size)
            order[:] = size
            sort_lanes(order, pairs)
            for lane in range(_LANES):
                m = int(count[lane])
                if m > 0:
                    sigma[lane] = (order[(m - 1) // 2, lane] + order[m // 2, lane]) * 0.5 / 0.6744897501960817
            busy = 0.0
            for lane in range(_LANES):
                busy = max(busy, active[lane])
            if busy == 0.0 or turn == most:
                break
            for t in range(n):
                for lane in range(_LANES):
                    bound = _HUBER * sigma[lane]
                    w[t, lane] = known[t, lane] if size[t, lane] <= bound else bound / max(size[t, lane], 1e-300)
            _regress(design, y, w, normal, new, sound)
            for lane in range(_LANES):
                moved = 0.0
                for i in range(p):
                    gap = new[i, lane] - beta[i, lane]
                    moved = max(moved, abs(gap))
                    beta[i, lane] += active[lane] * sound[lane] * gap
                active[lane] = active[lane] * sound[lane] if moved > tolerance else 0.0
        for lane in range(lanes):
            for i in range(p):
                coefficients[i, x0 + lane] = beta[i, lane] if sound[lane] > 0 else np.nan
            scale[x0 + lane] = sigma[lane] if sound[lane] > 0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _evaluate(design: Any, coefficients: Any, out: Any) -> None:  # pragma: no cover (compiled)
    n, p = design.shape
    n_pixels = coefficients.shape[1]
    total = np.empty(n_pixels)
    for t in range(n):
        total[:] = 0.0
        for i in range(p):
            x = design[t, i]
            for k in range(n_pixels):
                total[k] += x * coefficients[i, k]
        for k in range(n_pixels):
            out[t, k] = total[k]


def fit_harmonic(
    values: ArrayLike, times_days: ArrayLike, *, harmonics: int = 2, has_trend: bool = False, max_iterations: int = 30,
    tolerance: float = 1e-6,
) -> HarmonicFit:  # fmt: skip
    """Fit a mean, an optional trend and `harmonics` waves of the year per pixel, by Huber's M-estimate.

    Iteratively reweighted least squares (Huber 1964, doi:10.1214/aoms/1177703732, constant 1.345) with the scale taken anew in
    each round from the median of the absolute residuals / 0.6745; so do R's rlm and statsmodels' RLM. A series with fewer
    observations than terms + 2, or whose dates cannot tell the terms apart, has no fit.

    Args:
        values: (time, ...), NaN where there is no observation.
        times_days: (time,) days since 1970-01-01, strictly increasing.
        harmonics: Waves: 1 is the year, 2 adds the half year, and so on.
        has_trend: Add a straight trend.
        max_iterations: Rounds of reweighting at most; 0 for ordinary least squares.
        tolerance: Ends where no coefficient moves by more.

    Returns:
        The fit; NaN where there is none.

    Raises:
        CubeError: If dates do not increase, or harmonics is below 1.
    """
    lanes, times = check_dates(values, times_days)
    if harmonics < 1:
        raise CubeError(f"harmonics is {harmonics}; give 1 (the year) or more")
    design = harmonic_design(times, harmonics=harmonics, has_trend=has_trend)
    found = np.empty((design.shape[1], lanes.shape[1]))
    scale = np.empty(lanes.shape[1])
    _harmonics(lanes, design, network(len(times)), max_iterations, tolerance, found, scale)
    fitted = np.empty_like(lanes)
    _evaluate(design, found, fitted)
    rest = np.shape(values)[1:]
    return HarmonicFit(found.astype(np.float32).reshape(-1, *rest), scale.astype(np.float32).reshape(rest),
                       fitted.reshape(np.shape(values)))  # fmt: skip
