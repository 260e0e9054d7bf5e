"""Sorting networks over lanes of pixels: the order statistics of many windows at once, without branches.

Receives arrays that carry a margin; hands on sums of the highest values, or medians. A network's comparisons do not depend on
the data, so that the compiler turns each into two vector instructions for a run of neighbouring pixels; and the result depends
on the values of a window alone, not on where the window lies in a block.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["LANES", "NO_VALUE", "count_valid", "median_windows", "network", "sum_highest"]

LANES = 128
"""Neighbouring pixels sorted together; arrays for the kernels carry this many spare columns."""
NO_VALUE = -32768
"""Marker of nodata in 16-bit values; sorts behind all of them."""


@lru_cache(maxsize=32)
def network(n: int, n_highest: int | None = None) -> NDArray[np.int64]:
    """Give the comparisons (pair, 2) that sort `n` values, highest first: Batcher's odd-even merge sort.

    Args:
        n: Number of values.
        n_highest: Where only the set of so many highest values matters, comparisons inside either set are left out.

    Returns:
        Pairs of positions in order; after each the higher value stands at the first.
    """
    pairs = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                pairs += [(i + j, i + j + k) for i in range(min(k, n - j - k)) if (i + j) // (2 * p) == (i + j + k) // (2 * p)]
            k //= 2
        p *= 2
    if n_highest is not None:
        pairs = _prune(pairs, n, n_highest)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _prune(pairs: list[tuple[int, int]], n: int, n_highest: int) -> list[tuple[int, int]]:
    """Drop, from the end, the comparisons between two positions of which only the membership in a set matters."""
    exact = 2
    need = [1 if i < n_highest else 0 for i in range(n)]
    kept = []
    for a, b in reversed(pairs):
        if need[a] == need[b] != exact:
            continue
        need[a] = need[b] = exact
        kept.append((a, b))
    return kept[::-1]


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


@numba.njit(nogil=True, cache=True, inline="always")
def _sort(buffer, pairs):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    for i in range(pairs.shape[0]):
        a = buffer[pairs[i, 0]]
        b = buffer[pairs[i, 1]]
        for lane in range(LANES):
            u = a[lane]
            v = b[lane]
            a[lane] = max(u, v)
            b[lane] = min(u, v)


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
                        _sort(buffer, pairs)
                    for i in range(table[n]):
                        row = buffer[i]
                        for lane in range(LANES):
                            v = np.int32(row[lane])
                            total[lane] += v
                            square[lane] += v * v
                else:
                    _sort(buffer, all_pairs)
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
            _sort(buffer, all_pairs)
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
