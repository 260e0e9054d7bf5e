"""Temporal metrics: what a series of observations amounts to, gaps left aside.

Arrays (time, ...) in, float32 (...) out; NaN where a pixel has no observation (two for the slope).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from landweave.errors import CubeError

__all__ = ["TEMPORAL_METRICS", "compute_temporal"]

Array = NDArray[np.float32]

_PERCENTS = (10, 25, 50, 75, 90)
TEMPORAL_METRICS = (
    "count", "mean", "std", "slope", "min", "max", "range", *(f"p{p}" for p in _PERCENTS), "amplitude",
)  # fmt: skip
"""`count` is the number of observations, `std` of the population (n), `slope` the least-squares trend per year, `range` is
max - min, `amplitude` is p90 - p10 (one odd date does not make it)."""


@njit(nogil=True, cache=True)
def _measure(lanes: Any, years: Any, shares: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Fill `out` (metric, pixel) from `lanes` (time, pixel); the rows follow `TEMPORAL_METRICS`."""
    n_times, n_pixels = lanes.shape
    held = np.empty(n_times, dtype=np.float32)
    for p in range(n_pixels):
        n = 0
        total = t_total = 0.0
        for t in range(n_times):
            value = lanes[t, p]
            if np.isnan(value):
                continue
            total += value
            t_total += years[t]
            k = n  # insertion sort: series are short
            while k > 0 and held[k - 1] > value:
                held[k] = held[k - 1]
                k -= 1
            held[k] = value
            n += 1
        out[0, p] = n
        if n == 0:
            out[1:, p] = np.nan
            continue
        mean, t_mean = total / n, t_total / n
        square = t_square = product = 0.0
        for t in range(n_times):
            value = lanes[t, p]
            if np.isnan(value):
                continue
            square += (value - mean) ** 2
            t_square += (years[t] - t_mean) ** 2
            product += (value - mean) * (years[t] - t_mean)
        out[1, p] = mean
        out[2, p] = np.sqrt(square / n)
        out[3, p] = product / t_square if t_square > 0 else np.nan
        out[4, p] = held[0]
        out[5, p] = held[n - 1]
        out[6, p] = held[n - 1] - held[0]
        for i in range(shares.shape[0]):
            position = shares[i] * (n - 1)
            below = int(position)
            above = min(below + 1, n - 1)
            out[7 + i, p] = held[below] + (held[above] - held[below]) * (position - below)
        out[12, p] = out[11, p] - out[7, p]


def compute_temporal(
    values: ArrayLike, metrics: Sequence[str] = TEMPORAL_METRICS, *, times_days: ArrayLike | None = None
) -> dict[str, Array]:
    """Compute metrics over the first axis, ignoring NaN.

    Percentiles interpolate linearly between order statistics (Hyndman & Fan 1996, type 7, numpy's default).

    Args:
        values: (time, ...), NaN where there is no observation.
        metrics: Names out of `TEMPORAL_METRICS`.
        times_days: (time,) in days; needed for `slope`.

    Returns:
        Metric -> float32 (...), in the order asked for.

    Raises:
        CubeError: If a metric is unknown, the slope is asked for without times, or the times do not fit.
    """
    data = np.asarray(values, dtype=np.float32)
    unknown = [m for m in metrics if m not in TEMPORAL_METRICS]
    if unknown:
        raise CubeError(f"no temporal metric named {unknown[0]!r}; there are {', '.join(TEMPORAL_METRICS)}")
    if "slope" in metrics or times_days is not None:
        years = _check_times(times_days, len(data)) / 365.25
    else:
        years = np.arange(len(data), dtype=np.float64)
    lanes = np.ascontiguousarray(data).reshape(len(data), -1)
    out = np.empty((len(TEMPORAL_METRICS), lanes.shape[1]), dtype=np.float32)
    _measure(lanes, years, np.array(_PERCENTS) / 100, out)
    return {m: out[TEMPORAL_METRICS.index(m)].reshape(data.shape[1:]) for m in metrics}


def _check_times(times_days: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if times_days is None:
        raise CubeError("the metric slope needs times_days: the date of each step in days")
    times = np.asarray(times_days, dtype=np.float64)
    if times.shape != (n,):
        raise CubeError(f"times_days has shape {times.shape}, the series has {n} steps; give one date per step")
    return times
