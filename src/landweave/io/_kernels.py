"""Kernels on raster values, compiled on first use: stored values to physical ones, and resampling.

A resampling kernel takes values at source positions from layers held in memory. Arguments of all: `src` and `valid`
(layer, row, col) of a source window whose first pixel is `origin` (row, col) of the file; `cols`, `rows` (y, x) source
positions; `sizes` (2, y, x) width and height of the output pixels in source pixels; `out` and `ok` (layer, y, x) are written
where there is a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["KERNELS", "marked_to_physical", "to_physical", "to_stored"]


@njit(nogil=True, cache=True)
def to_physical(stored: Any, valid: Any, scale: float, offset: float, low: float, high: float, out: Any) -> tuple[int, int]:
    """Write stored * scale + offset, rounded once to float32, into `out`; NaN where not valid or outside low..high.

    Returns:
        Number of valid values, and how many of these lie outside.
    """
    seen, outside = 0, 0
    for y in range(stored.shape[0]):
        for x in range(stored.shape[1]):
            value = np.nan
            if valid[y, x]:
                seen += 1
                value = np.float64(stored[y, x]) * scale + offset
                if not (low <= value <= high) or np.isinf(value):
                    outside += 1
                    value = np.nan
            out[y, x] = value
    return seen, outside


@njit(nogil=True, cache=True, error_model="numpy")
def marked_to_physical(
    stored: Any, marker: Any, has_marker: bool, clear: Any, scale: float, offset: float, low: float, high: float, out: Any
) -> tuple[int, int]:  # fmt: skip
    """Do as `to_physical` on whole numbers, valid where they are not `marker` and `clear` (y, x; empty: everywhere) is true.

    `low` and `high` are finite. Without branches, so that several pixels are converted at once.
    """
    seen, good = 0, 0
    gap = np.float32(np.nan)
    for y in range(stored.shape[0]):
        row, to = stored[y], out[y]
        n_seen, n_good = np.int32(0), np.int32(0)
        if clear.shape[0] > 0:
            free = clear[y]
            for x in range(row.shape[0]):
                value = np.float64(row[x]) * scale + offset
                is_seen = ((row[x] != marker) | (not has_marker)) & free[x]
                is_good = is_seen & (low <= value) & (value <= high)
                n_seen += np.int32(is_seen)
                n_good += np.int32(is_good)
                to[x] = np.float32(value) if is_good else gap
        else:
            for x in range(row.shape[0]):
                value = np.float64(row[x]) * scale + offset
                is_seen = (row[x] != marker) | (not has_marker)
                is_good = is_seen & (low <= value) & (value <= high)
                n_seen += np.int32(is_seen)
                n_good += np.int32(is_good)
                to[x] = np.float32(value) if is_good else gap
        seen += int(n_seen)
        good += int(n_good)
    return seen, seen - good


@njit(nogil=True, cache=True)
def to_stored(values: Any, scale: float, low: float, high: float, fill: float, out: Any) -> int:
    """Write value / scale, rounded to the nearest whole number, into `out` (all 1-d); `fill` for NaN.

    Returns:
        Position of the first value outside low..high, or -1.
    """
    for i in range(values.shape[0]):
        value = np.float64(values[i])
        if np.isnan(value):
            out[i] = fill
        elif low <= value <= high:
            out[i] = np.rint(value / scale)
        else:
            return i
    return -1


@njit(nogil=True, cache=True)
def _bilinear(src: Any, valid: Any, cols: Any, rows: Any, sizes: Any, origin: Any, out: Any, ok: Any) -> None:
    """Weighted mean of the valid ones of the four nearest pixels, where the pixel under the point is valid."""
    n, height, width = src.shape
    for b in range(n):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                c, r = cols[y, x], rows[y, x]
                if not (np.isfinite(c) and np.isfinite(r)):
                    continue
                ci, ri = int(np.floor(c)) - origin[1], int(np.floor(r)) - origin[0]
                if ci < 0 or ri < 0 or ci >= width or ri >= height or not valid[b, ri, ci]:
                    continue
                left, top = int(np.floor(c - 0.5)), int(np.floor(r - 0.5))
                fc, fr = c - 0.5 - left, r - 0.5 - top
                total, weights = 0.0, 0.0
                for dy in range(2):
                    for dx in range(2):
                        i, j = top + dy - origin[0], left + dx - origin[1]
                        if 0 <= i < height and 0 <= j < width and valid[b, i, j]:
                            w = (fr if dy else 1 - fr) * (fc if dx else 1 - fc)
                            total += w * src[b, i, j]
                            weights += w
                out[b, y, x] = total / weights
                ok[b, y, x] = True


@njit(nogil=True, cache=True)
def _keys(t: float, k: Any) -> None:
    """Weights of the four neighbours in cubic convolution with a = -1/2 (Keys 1981, doi:10.1109/TASSP.1981.1163711, eq. 15)."""
    k[0] = ((-0.5 * t + 1.0) * t - 0.5) * t
    k[1] = (1.5 * t - 2.5) * t * t + 1.0
    k[2] = ((-1.5 * t + 2.0) * t + 0.5) * t
    k[3] = (0.5 * t - 0.5) * t * t


@njit(nogil=True, cache=True)
def _cubic(src: Any, valid: Any, cols: Any, rows: Any, sizes: Any, origin: Any, out: Any, ok: Any) -> None:
    """Cubic convolution where all sixteen neighbours are valid, bilinear elsewhere."""
    _bilinear(src, valid, cols, rows, sizes, origin, out, ok)
    n, height, width = src.shape
    wr, wc = np.empty(4), np.empty(4)
    for b in range(n):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                if not ok[b, y, x]:
                    continue
                c, r = cols[y, x] - 0.5, rows[y, x] - 0.5
                left, top = int(np.floor(c)), int(np.floor(r))
                i0, j0 = top - 1 - origin[0], left - 1 - origin[1]
                if i0 < 0 or j0 < 0 or i0 + 3 >= height or j0 + 3 >= width:
                    continue
                if not valid[b, i0 : i0 + 4, j0 : j0 + 4].all():
                    continue
                _keys(c - left, wc)
                _keys(r - top, wr)
                total = 0.0
                for dy in range(4):
                    for dx in range(4):
                        total += wr[dy] * wc[dx] * src[b, i0 + dy, j0 + dx]
                out[b, y, x] = total


@njit(nogil=True, cache=True)
def _average(src: Any, valid: Any, cols: Any, rows: Any, sizes: Any, origin: Any, out: Any, ok: Any) -> None:
    """Mean of the valid source pixels under the output pixel, weighted by shared area, where they cover at least half of it."""
    n, height, width = src.shape
    for b in range(n):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                c, r = cols[y, x], rows[y, x]
                if not (np.isfinite(c) and np.isfinite(r)):
                    continue
                half_c, half_r = 0.5 * sizes[0, y, x], 0.5 * sizes[1, y, x]
                total, weights = 0.0, 0.0
                for row in range(int(np.floor(r - half_r)), int(np.ceil(r + half_r))):
                    high = min(r + half_r, row + 1.0) - max(r - half_r, float(row))
                    i = row - origin[0]
                    if high < 1e-9 or i < 0 or i >= height:
                        continue
                    for col in range(int(np.floor(c - half_c)), int(np.ceil(c + half_c))):
                        wide = min(c + half_c, col + 1.0) - max(c - half_c, float(col))
                        j = col - origin[1]
                        if wide >= 1e-9 and 0 <= j < width and valid[b, i, j]:
                            total += high * wide * src[b, i, j]
                            weights += high * wide
                if weights >= (0.5 - 1e-6) * (4 * half_c * half_r):
                    out[b, y, x] = total / weights
                    ok[b, y, x] = True


@njit(nogil=True, cache=True)
def _mode(src: Any, valid: Any, cols: Any, rows: Any, sizes: Any, origin: Any, out: Any, ok: Any) -> None:
    """The value that covers most of the output pixel (the smallest on a tie), where valid pixels cover at least half."""
    n, height, width = src.shape
    for b in range(n):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                c, r = cols[y, x], rows[y, x]
                if not (np.isfinite(c) and np.isfinite(r)):
                    continue
                half_c, half_r = 0.5 * sizes[0, y, x], 0.5 * sizes[1, y, x]
                top, low = int(np.floor(r - half_r)), int(np.ceil(r + half_r))
                left, right = int(np.floor(c - half_c)), int(np.ceil(c + half_c))
                values, shares = np.empty((low - top) * (right - left)), np.zeros((low - top) * (right - left))
                known, weights = 0, 0.0
                for row in range(max(top, origin[0]), min(low, origin[0] + height)):
                    high = min(r + half_r, row + 1.0) - max(r - half_r, float(row))
                    for col in range(max(left, origin[1]), min(right, origin[1] + width)):
                        share = high * (min(c + half_c, col + 1.0) - max(c - half_c, float(col)))
                        if share < 1e-9 or not valid[b, row - origin[0], col - origin[1]]:
                            continue
                        value = src[b, row - origin[0], col - origin[1]]
                        k = 0
                        while k < known and values[k] != value:
                            k += 1
                        values[k] = value
                        known = max(known, k + 1)
                        shares[k] += share
                        weights += share
                if weights < (0.5 - 1e-6) * (4 * half_c * half_r) or known == 0:
                    continue
                best = 0
                for k in range(1, known):
                    gain = shares[k] - shares[best]
                    if gain > 1e-9 or (gain > -1e-9 and values[k] < values[best]):
                        best = k
                out[b, y, x] = values[best]
                ok[b, y, x] = True


KERNELS = {"bilinear": _bilinear, "cubic": _cubic, "average": _average, "mode": _mode}
"""Resampling methods other than nearest."""
