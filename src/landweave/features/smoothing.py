"""Smooth series: the Whittaker smoother with its V-curve, and Savitzky-Golay on any dates.

Receives arrays with time first, NaN where there is no observation; hands on the fitted series, gaps filled. What is irregular
in the dates enters the equations: differences are divided by the days between, polynomials are fitted in days.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from landweave.errors import CubeError
from landweave.features.series import fill_linear

__all__ = ["check_dates", "fill_gaps", "savgol_matrix", "smooth_savgol", "smooth_whittaker"]

Array = NDArray[np.float32]
Float = NDArray[np.float64]

_LANES = 16
_GRID = np.arange(-1.0, 4.01, 0.25)
"""log10 of the smoothness values that the V-curve looks at."""


def check_dates(values: ArrayLike, times_days: ArrayLike) -> tuple[Array, Float]:
    """Check a series and its dates; gives (time, pixel) float32 and the dates.

    Raises:
        CubeError: If the lengths differ, or the dates do not increase strictly; names the first that does not.
    """
    data, times = np.asarray(values, dtype=np.float32), np.asarray(times_days, dtype=np.float64)
    if data.ndim < 1 or times.shape != data.shape[:1]:
        raise CubeError(f"the series has shape {data.shape}, times_days {times.shape}; give one date per step")
    back = np.flatnonzero(np.diff(times) <= 0)
    if back.size:
        i = int(back[0])
        raise CubeError(f"dates must increase strictly, but date {i + 1} is day {times[i + 1]:g} after day {times[i]:g}; sort "
                        "the dates and merge those of one day first")  # fmt: skip
    return np.ascontiguousarray(data).reshape(len(data), -1), times


def fill_gaps(values: ArrayLike, fitted: ArrayLike, *, is_clipped: bool = True) -> Array:
    """Put fitted values into the gaps; observations are kept as they are.

    Args:
        values: (time, ...), NaN in the gaps.
        fitted: The same shape.
        is_clipped: Hold what is filled within the lowest and highest observation of its series, against overshoot in long gaps.
    """
    data, fit = np.asarray(values, dtype=np.float32), np.asarray(fitted, dtype=np.float32)
    gap = np.isnan(data)
    if is_clipped:
        low = np.where(gap, np.float32(np.inf), data).min(axis=0)
        high = np.where(gap, np.float32(-np.inf), data).max(axis=0)
        fit = np.where(np.isnan(fit), fit, np.minimum(np.maximum(fit, low), high))
    return np.where(gap, fit, data)


def _penalty(times: Float) -> tuple[Float, Float]:
    """Second divided differences on the dates: their coefficients (row, 3), and the bands (3, time) of D'D.

    Scaled by the mean spacing, so that on regular dates they are 1, -2, 1 (Eilers 2003, doi:10.1021/ac034173t, for unequal
    spacing).
    """
    n = len(times)
    rows = np.zeros((max(n - 2, 0), 3))
    if n > 2:
        mean = (times[-1] - times[0]) / (n - 1)
        first, second, both = times[1:-1] - times[:-2], times[2:] - times[1:-1], times[2:] - times[:-2]
        rows[:, 0], rows[:, 1], rows[:, 2] = 2 / (first * both), -2 / (first * second), 2 / (second * both)
        rows *= mean**2
    bands = np.zeros((3, n))
    for i, row in enumerate(rows):
        for k in range(3):
            for j in range(k, 3):
                bands[j - k, i + k] += row[k] * row[j]
    return rows, bands


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _solve(weights: Any, right: Any, smooth: Any, bands: Any, d: Any, c: Any, e: Any, z: Any) -> None:  # pragma: no cover
    """Solve (W + smooth D'D) z = right for every lane: a pentadiagonal L D L' without pivots."""
    n = weights.shape[0]
    for i in range(n):
        row, first, second, answer = d[i], c[i], e[i], z[i]
        for lane in range(_LANES):
            row[lane] = weights[i, lane] + smooth[lane] * bands[0, i]
            first[lane] = smooth[lane] * bands[1, i]
            second[lane] = smooth[lane] * bands[2, i]
            answer[lane] = right[i, lane]
        if i > 0:
            for lane in range(_LANES):
                pull = c[i - 1, lane]
                row[lane] -= d[i - 1, lane] * pull * pull
                first[lane] -= d[i - 1, lane] * pull * e[i - 1, lane]
                answer[lane] -= pull * z[i - 1, lane]
        if i > 1:
            for lane in range(_LANES):
                pull = e[i - 2, lane]
                row[lane] -= d[i - 2, lane] * pull * pull
                answer[lane] -= pull * z[i - 2, lane]
        for lane in range(_LANES):
            inverse = 1.0 / row[lane]
            first[lane] *= inverse
            second[lane] *= inverse
    for i in range(n):
        for lane in range(_LANES):
            z[i, lane] /= d[i, lane]
    for i in range(n - 2, -1, -1):
        for lane in range(_LANES):
            z[i, lane] -= c[i, lane] * z[i + 1, lane]
        if i < n - 2:
            for lane in range(_LANES):
                z[i, lane] -= e[i, lane] * z[i + 2, lane]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _misfit(y: Any, w: Any, z: Any, rows: Any, fit: Any, rough: Any) -> None:  # pragma: no cover (compiled)
    """Weighted squares of the residuals, and squares of the second differences, per lane."""
    fit[:] = 0.0
    rough[:] = 0.0
    for i in range(y.shape[0]):
        for lane in range(_LANES):
            gap = y[i, lane] - z[i, lane]
            fit[lane] += w[i, lane] * gap * gap
    for i in range(rows.shape[0]):
        for lane in range(_LANES):
            bend = rows[i, 0] * z[i, lane] + rows[i, 1] * z[i + 1, lane] + rows[i, 2] * z[i + 2, lane]
            rough[lane] += bend * bend


@njit(nogil=True, cache=True, error_model="numpy")
def _whittaker(values: Any, weights: Any, grid: Any, rows: Any, bands: Any, out: Any, chosen: Any) -> None:  # pragma: no cover
    """Fill `out` (time, pixel) and `chosen` (pixel,); one entry in `grid` is taken, of several the V-curve picks."""
    n, n_pixels = values.shape
    shape = (n, _LANES)
    y, w, right = np.empty(shape), np.empty(shape), np.empty(shape)
    d, c, e, z = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    count, smooth, best = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    fit, rough, fit0, rough0 = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    has_weights = weights.shape[0] == n
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        count[:] = 0.0
        y[:] = 0.0
        w[:] = 0.0
        for i in range(n):
            for lane in range(lanes):
                value = values[i, x0 + lane]
                known = value == value
                w[i, lane] = (weights[i, x0 + lane] if has_weights else 1.0) if known else 0.0
                y[i, lane] = value if known else 0.0
        for i in range(n):
            for lane in range(_LANES):
                right[i, lane] = w[i, lane] * y[i, lane]
                count[lane] += 1.0 if w[i, lane] > 0 else 0.0
        smooth[:] = 10.0 ** grid[0]
        if grid.shape[0] > 1:
            best[:] = np.inf
            for k in range(grid.shape[0]):
                fit0[:] = fit
                rough0[:] = rough
                smooth[:] = 10.0 ** grid[k]
                _solve(w, right, smooth, bands, d, c, e, z)
                _misfit(y, w, z, rows, fit, rough)
                for lane in range(_LANES):
                    fit[lane] = np.log(max(fit[lane], 1e-30))
                    rough[lane] = np.log(max(rough[lane], 1e-30))
                if k > 0:
                    for lane in range(lanes):
                        v = np.sqrt((fit[lane] - fit0[lane]) ** 2 + (rough[lane] - rough0[lane]) ** 2) / (grid[k] - grid[k - 1])
                        if v < best[lane]:
                            best[lane] = v
                            chosen[x0 + lane] = 10.0 ** (0.5 * (grid[k] + grid[k - 1]))
            for lane in range(_LANES):
                smooth[lane] = chosen[x0 + lane] if lane < lanes else 1.0
        else:
            for lane in range(lanes):
                chosen[x0 + lane] = smooth[lane]
        _solve(w, right, smooth, bands, d, c, e, z)
        for lane in range(lanes):
            if count[lane] < 2:  # two observations at least: the penalty leaves a straight line free
                only = np.nan
                for i in range(n):
                    if w[i, lane] > 0:
                        only = y[i, lane]
                for i in range(n):
                    z[i, lane] = only
        for i in range(n):
            for lane in range(lanes):
                out[i, x0 + lane] = z[i, lane]


def smooth_whittaker(
    values: ArrayLike, times_days: ArrayLike, *, smoothness: float | Literal["v-curve"] = "v-curve",
    weights: ArrayLike | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Smooth series by the Whittaker smoother: minimise sum w (y - z)^2 + smoothness * sum (second differences of z)^2.

    Eilers 2003 (doi:10.1021/ac034173t, equations 1-5; with weights, section "Missing values"). Differences are divided by the
    days between the dates and scaled by their mean spacing, so that a smoothness means the same on regular and irregular
    dates. The V-curve (Frasso and Eilers 2015, doi:10.1177/1471082X14549288; Eilers, Pesendorfer and Bonifacio 2017,
    doi:10.1109/Multi-Temp.2017.8076705) takes, per series, the smoothness between 0.1 and 10000 at which log misfit and log
    roughness change least.

    Args:
        values: (time, ...), NaN where there is no observation.
        times_days: (time,) days, strictly increasing.
        smoothness: Weight of the roughness, above 0, or "v-curve".
        weights: Like `values`, 0 or more; by default 1 for every observation.

    Returns:
        The fitted series, float32 like `values` (one observation: its value; none: NaN), and the smoothness used (...).

    Raises:
        CubeError: If dates do not increase, shapes differ, or the smoothness is not above 0.
    """
    lanes, times = check_dates(values, times_days)
    if smoothness != "v-curve" and not smoothness > 0:
        raise CubeError(f"smoothness is {smoothness!r}; give a number above 0, or v-curve")
    given: Array = np.empty((0, 0), dtype=np.float32)
    if weights is not None:
        if np.shape(weights) != np.shape(values):
            raise CubeError(f"weights have shape {np.shape(weights)}, values {np.shape(values)}; give one weight per value")
        given = np.ascontiguousarray(np.asarray(weights, dtype=np.float32).reshape(lanes.shape))
    rows, bands = _penalty(times)
    grid = _GRID if smoothness == "v-curve" else np.array([np.log10(smoothness)])
    out, chosen = np.empty_like(lanes), np.empty(lanes.shape[1])
    _whittaker(lanes, given, grid, rows, bands, out, chosen)
    return out.reshape(np.shape(values)), chosen.astype(np.float32).reshape(np.shape(values)[1:])


def savgol_matrix(times_days: ArrayLike, *, window: int, degree: int) -> tuple[Float, NDArray[np.int64]]:
    """Give the weights of a Savitzky-Golay filter on any dates: weights (time, window), and the first date of each window.

    At each date a polynomial of `degree` in days is fitted by least squares to the `window` dates around it (at the ends: the
    first or last `window` dates) and evaluated there. On regular dates these are Savitzky and Golay's coefficients
    (doi:10.1021/ac60214a047), with scipy's mode "interp" at the ends.

    Raises:
        CubeError: If the window is even, not larger than the degree, or longer than the series.
    """
    times = np.asarray(times_days, dtype=np.float64)
    n = len(times)
    if window % 2 == 0 or not degree < window <= n:
        raise CubeError(f"window is {window}, degree {degree}, and the series has {n} dates; give an odd window above the "
                        "degree, of no more dates than the series has")  # fmt: skip
    first = np.clip(np.arange(n) - window // 2, 0, n - window)
    matrix = np.empty((n, window))
    for i, start in enumerate(first):
        days = times[start : start + window] - times[i]
        powers = np.vander(days / max(np.abs(days).max(), 1e-9), degree + 1, increasing=True)
        matrix[i] = np.linalg.pinv(powers)[0]
    return matrix, first


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _filter(source: Any, matrix: Any, first: Any, out: Any) -> None:  # pragma: no cover (compiled)
    for i in range(source.shape[0]):
        row = out[i]
        row[:] = 0.0
        for k in range(matrix.shape[1]):
            weight = matrix[i, k]
            given = source[first[i] + k]
            for lane in range(_LANES):
                row[lane] += weight * given[lane]


@njit(nogil=True, cache=True, error_model="numpy")
def _savgol(values: Any, matrix: Any, first: Any, most: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Filter (time, pixel); `most` rounds of the upper envelope, which stop per pixel where the fit gets worse."""
    n, n_pixels = values.shape
    base, series, fitted = np.empty((n, _LANES)), np.empty((n, _LANES)), np.empty((n, _LANES))
    weight, kept = np.empty((n, _LANES)), np.empty((n, _LANES))
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        base[:] = 0.0
        for i in range(n):
            for lane in range(lanes):
                base[i, lane] = values[i, x0 + lane]
        _filter(base, matrix, first, fitted)
        kept[:] = fitted
        if most > 0:
            last = np.full(_LANES, np.inf)
            is_done = np.zeros(_LANES)
            for lane in range(_LANES):
                widest = 0.0
                for i in range(n):
                    widest = max(widest, abs(base[i, lane] - fitted[i, lane]))
                for i in range(n):
                    gap = fitted[i, lane] - base[i, lane]
                    weight[i, lane] = 1.0 - gap / widest if gap > 0 and widest > 0 else 1.0
            for _ in range(most):
                for i in range(n):
                    for lane in range(_LANES):
                        series[i, lane] = max(base[i, lane], fitted[i, lane])
                _filter(series, matrix, first, fitted)
                for lane in range(_LANES):
                    index = 0.0
                    for i in range(n):
                        index += abs(fitted[i, lane] - base[i, lane]) * weight[i, lane]
                    if index >= last[lane]:
                        is_done[lane] = 1.0
                    last[lane] = index
                    if is_done[lane] == 0.0:
                        for i in range(n):
                            kept[i, lane] = fitted[i, lane]
        for i in range(n):
            for lane in range(lanes):
                out[i, x0 + lane] = kept[i, lane]


def smooth_savgol(
    values: ArrayLike, times_days: ArrayLike, *, window: int = 7, degree: int = 2, envelope: int = 0
) -> Array:  # fmt: skip
    """Smooth series by Savitzky-Golay; gaps are filled linearly first, dates may be irregular.

    With `envelope` the series is fitted again, observations below the fit replaced by it, as in Chen et al. 2004
    (doi:10.1016/j.rse.2004.03.014, steps 3-6): at most so many rounds, ended where their fitting-effect index (equation 6)
    grows; for vegetation indices, whose noise points down. The filter is one and the same in all rounds.

    Args:
        values: (time, ...), NaN where there is no observation.
        times_days: (time,) days, strictly increasing.
        window: Dates per window, odd.
        degree: Of the polynomial, below the window.
        envelope: Rounds towards the upper envelope; 0 for the plain filter.

    Returns:
        float32 like `values`; NaN where a series has no observation.

    Raises:
        CubeError: If dates do not increase, or the window does not fit (see `savgol_matrix`).
    """
    lanes, times = check_dates(values, times_days)
    matrix, first = savgol_matrix(times, window=window, degree=degree)
    out = np.empty_like(lanes)
    _savgol(fill_linear(lanes, times), matrix, first, envelope, out)
    return out.reshape(np.shape(values))
