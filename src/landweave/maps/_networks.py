"""Sorting networks over windows: the order statistics of the surroundings of many pixels at once, without branches.

Receives arrays that carry a margin; hands on sums of the highest values, or medians. The networks are those of
`features.networks`; the result depends on the values of a window alone, not on where the window lies in a block.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.features.networks import LANES, network, sort_lanes

__all__ = ["LANES", "NO_VALUE", "count_valid", "median_windows", "network", "sum_highest"]

NO_VALUE = -32768
"""Marker of nodata in 16-bit values; sorts behind all of them."""


def count_valid(valid: NDArray[np.bool_], window_px: int) -> NDArray[np.int32]:
    """Count the valid pixels in the window around each pixel; pixels outside the array count as invalid."""
    r = window_px // 2
    height, width = valid.shape
    sums = np.zeros((height + 2 * r + 1, width + 2 * r + 1), dtype=np.int32)
    sums[r + 1 : r + 1 + height, r + 1 : r + 1 + width] = valid
    sums.cumsum(axis=0, out=sums)
    sums.cumsum(axis=1, out=sums)
    w = window_px
    counts: NDArray[np.int32] = sums[w:, w:] - sums[:-w, w:] - sums[w:, :-w] + sums[:-w, :-w]
    return counts


@numba.njit(nogil=True, cache=True, inline="always")
def _gather(values, y, x0, window_px, buffer):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    for dy in range(window_px):
        for dx in range(window_px):
            source = values[y + dy, x0 + dx : x0 + dx + LANES]
            target = buffer[dy * window_px + dx]
            for lane in range(LANES):
                target[lane] = source[lane]


@numba.njit(nogil=True, cache=True)
def sum_highest(  # type: ignore[no-untyped-def]
    values, counts, window_px, pairs, all_pairs, table, sums, squares
):  # pragma: no cover (compiled)
    """Sum the highest values of every window, and their squares: whole numbers, hence exact in any order.

    Args:
        values: int16 (y + window - 1, x + window - 1 + LANES), NO_VALUE where there is none; at most 2000 from 0, so that
            the squares of 21 x 21 of them add up in 32 bits.
        counts: int32 (y, x), valid values of each window.
        window_px: Side of the window.
        pairs: Network for the highest of a full window.
        all_pairs: Network that sorts a window.
        table: int64 (count + 1,), how many of so many valid values to take.
        sums: int32 (y, x), written.
        squares: int32 (y, x), written.
    """
    height, width = counts.shape
    n = window_px * window_px
    buffer = np.empty((n, LANES), np.int16)
    take = np.empty(LANES, np.int32)
    total = np.empty(LANES, np.int32)
    square = np.empty(LANES, np.int32)
    for y in range(height):
        for x0 in range(0, width, LANES):
            lanes = min(LANES, width - x0)
            fewest, most = n, 0
            for lane in range(lanes):
                count = counts[y, x0 + lane]
                take[lane] = table[count]
                fewest = min(fewest, count)
                most = max(most, count)
            total[:] = 0
            square[:] = 0
            if most > 0:
                _gather(values, y, x0, window_px, buffer)
                if fewest == n:
                    if pairs.shape[0] > 0:
                        sort_lanes(buffer, pairs)
                    for i in range(table[n]):
                        row = buffer[i]
                        for lane in range(LANES):
                            v = np.int32(row[lane])
                            total[lane] += v
                            square[lane] += v * v
                else:
                    sort_lanes(buffer, all_pairs)
                    for lane in range(lanes, LANES):
                        take[lane] = 0
                    for i in range(n):
                        row = buffer[i]
                        for lane in range(LANES):
                            v = np.int32(row[lane]) if i < take[lane] else np.int32(0)
                            total[lane] += v
                            square[lane] += v * v
            for lane in range(lanes):
                sums[y, x0 + lane] = total[lane]
                squares[y, x0 + lane] = square[lane]


@numba.njit(nogil=True, cache=True)
def median_windows(values, counts, window_px, all_pairs, medians):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Find the median of the valid values of every window; the mean of the middle two where their number is even.

    Args:
        values: float32 (y + window - 1, x + window - 1 + LANES), -inf where there is none.
        counts: int32 (y, x), valid values of each window.
        window_px: Side of the window.
        all_pairs: Network that sorts a window.
        medians: float32 (y, x), written; NaN for a window without values.
    """
    height, width = counts.shape
    buffer = np.empty((window_px * window_px, LANES), np.float32)
    for y in range(height):
        for x0 in range(0, width, LANES):
            _gather(values, y, x0, window_px, buffer)
            sort_lanes(buffer, all_pairs)
            for lane in range(min(LANES, width - x0)):
                n = counts[y, x0 + lane]
                if n == 0:
                    medians[y, x0 + lane] = np.nan
                else:
                    medians[y, x0 + lane] = (buffer[(n - 1) // 2, lane] + buffer[n // 2, lane]) * np.float32(0.5)


def pad_for_windows(values: NDArray[Any], window_px: int, fill: float) -> NDArray[Any]:
    """Give values (y, x) the margin and the spare columns that the kernels read."""
    r = window_px // 2
    height, width = values.shape
    out = np.full((height + 2 * r, width + 2 * r + LANES), fill, dtype=values.dtype)
    out[r : r + height, r : r + width] = values
    return out
