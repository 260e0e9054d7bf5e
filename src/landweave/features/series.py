"""Gaps in time series: linear filling, the missing-value policies of models, and counting of valid steps.

Receives plain arrays with time first; hands on arrays of the same shape. Training and predicting call the same functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landweave.types import MissingPolicy

__all__ = ["apply_missing", "count_valid_steps", "fill_linear"]


@njit(nogil=True, cache=True)
def _fill_lanes(values: Any, times: Any, last: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Fill (time, pixel) rows: walk the dates once; `last` remembers per pixel the row of its latest observation."""
    n_times, n_pixels = values.shape
    for p in range(n_pixels):
        last[p] = -1
    for t in range(n_times):
        for p in range(n_pixels):
            value = values[t, p]
            out[t, p] = value
            if np.isnan(value):
                continue
            before = last[p]
            if before < t - 1:
                if before < 0:
                    for gap in range(t):
                        out[gap, p] = value
                else:
                    first = values[before, p]
                    slope = (value - first) / (times[t] - times[before])
                    for gap in range(before + 1, t):
                        out[gap, p] = first + slope * (times[gap] - times[before])
            last[p] = t
    for p in range(n_pixels):
        if 0 <= last[p] < n_times - 1:
            for gap in range(last[p] + 1, n_times):
                out[gap, p] = values[last[p], p]


def fill_linear(values: NDArray[np.floating[Any]], times_days: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Fill gaps linearly over time; before the first and after the last observation the nearest one is repeated.

    Args:
        values: (time, ...), NaN where there is no observation.
        times_days: (time,) days on any origin, strictly increasing.

    Returns:
        float32 of the same shape; observations are kept as they are, a series without any stays NaN.

    Raises:
        ValueError: If the two lengths differ, or times do not increase strictly.
    """
    times = np.ascontiguousarray(times_days, dtype=np.float64)
    if values.shape[0] != times.shape[0]:
        raise ValueError(f"values have {values.shape[0]} dates on their first axis, times_days has {times.shape[0]}")
    if times.size > 1 and not (np.diff(times) > 0).all():
        raise ValueError(f"times_days must increase strictly, got {times[:5].tolist()} ...; sort and merge the dates first")
    lanes = np.ascontiguousarray(values, dtype=np.float32).reshape(values.shape[0], -1)
    out = np.empty_like(lanes)
    _fill_lanes(lanes, times, np.empty(lanes.shape[1], dtype=np.int64), out)
    return out.reshape(values.shape)


def apply_missing(
    features: NDArray[np.floating[Any]], times_days: NDArray[np.floating[Any]], policy: MissingPolicy
) -> NDArray[np.float32]:
    """Bring the gaps of series into the form that a model was trained on.

    Args:
        features: (sample, time, band), NaN where there is no observation.
        times_days: (time,) days on any origin, strictly increasing.
        policy: `fill`: linear per band, edges take the nearest, series without an observation stay NaN; `native`: NaN
            passed on; `mask`: gaps become 0 and the mask follows as further bands.

    Returns:
        float32 (sample, time, band); with `mask` (sample, time, 2 * band), whose second half is 1 where valid, else 0.

    Raises:
        ValueError: If the shape is not that, or the policy is unknown.
    """
    if features.ndim != 3:
        raise ValueError(f"features have shape {features.shape}; expected (sample, time, band)")
    values = np.asarray(features, dtype=np.float32)
    if policy == "native":
        return values
    if policy == "fill":
        lanes = np.moveaxis(values, 1, 0)
        return np.ascontiguousarray(np.moveaxis(fill_linear(lanes, times_days), 0, 1))
    if policy == "mask":
        valid = ~np.isnan(values)
        return np.concatenate([np.where(valid, values, np.float32(0)), valid.astype(np.float32)], axis=2)
    raise ValueError(f"no missing-value policy named {policy!r}; known: fill, native, mask")


def count_valid_steps(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Count the time steps at which every band is observed.

    Args:
        values: (time, band, ...), NaN where there is no observation.

    Returns:
        Counts of shape (...).
    """
    return np.asarray((~np.isnan(values).any(axis=1)).sum(axis=0))
