"""Growing seasons: where a smoothed index of greenness crosses a share of its amplitude.

Receives series with time first, NaN where there is no observation; hands on the first and last day per pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from landweave.features.smoothing import check_dates, smooth_whittaker

__all__ = ["find_season"]


@njit(nogil=True, cache=True, error_model="numpy")
def _cross(z: Any, times: Any, share: Any, least: Any, start: Any, end: Any) -> None:  # pragma: no cover (compiled)
    n, n_pixels = z.shape
    for p in range(n_pixels):
        top = 0
        for t in range(n):
            if z[t, p] > z[top, p]:
                top = t
        low_before, low_after = z[top, p], z[top, p]
        for t in range(top + 1):
            low_before = min(low_before, z[t, p])
        for t in range(top, n):
            low_after = min(low_after, z[t, p])
        start[p], end[p] = times[0], times[n - 1]
        if not (z[top, p] - min(low_before, low_after) >= least):  # NaN, too
            start[p], end[p] = np.nan, np.nan
            continue
        level = low_before + share * (z[top, p] - low_before)
        for t in range(top, 0, -1):
            if z[t - 1, p] <= level <= z[t, p] and z[t, p] > z[t - 1, p]:
                start[p] = times[t - 1] + (level - z[t - 1, p]) / (z[t, p] - z[t - 1, p]) * (times[t] - times[t - 1])
                break
        level = low_after + share * (z[top, p] - low_after)
        for t in range(top, n - 1):
            if z[t + 1, p] <= level <= z[t, p] and z[t, p] > z[t + 1, p]:
                end[p] = times[t] + (z[t, p] - level) / (z[t, p] - z[t + 1, p]) * (times[t + 1] - times[t])
                break


def find_season(
    values: ArrayLike, times_days: ArrayLike, *, amplitude_share: float = 0.5, min_amplitude: float = 0.1,
    smoothness: float = 10.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
    """Find start and end of the season: where the index, smoothed by Whittaker, crosses a share of its amplitude.

    The amplitude before the highest value is measured from the lowest value before it, the amplitude after it from the lowest
    after it; 0.5 is the midpoint rule of White et al. 1997 (doi:10.1029/97GB00330). A flank that the series does not show
    ends with the series.

    Args:
        values: (time, ...), NaN where there is no observation.
        times_days: (time,) days, strictly increasing.
        amplitude_share: Share of the amplitude, above 0 and below 1.
        min_amplitude: Below this a pixel has no season.
        smoothness: Of `smooth_whittaker`.

    Returns:
        First and last day (...), on the origin of the dates; NaN where there is no season.

    Raises:
        CubeError: If dates do not increase.
    """
    lanes, times = check_dates(values, times_days)
    smooth, _ = smooth_whittaker(lanes, times, smoothness=smoothness)
    start, end = np.empty(lanes.shape[1], np.float32), np.empty(lanes.shape[1], np.float32)
    _cross(smooth, times, amplitude_share, min_amplitude, start, end)
    rest = np.shape(values)[1:]
    return start.reshape(rest), end.reshape(rest)
