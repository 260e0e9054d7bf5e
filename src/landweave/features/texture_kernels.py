"""Compiled co-occurrence texture of `texture`: counts that slide along a row, and measures of counts.

Everything that slides is a whole number (logarithms in fixed point), so that a pixel's measures do not depend on where the row
began: blocks give the bytes of the whole raster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FIXED", "MEASURES", "slide_row_texture"]

FIXED = 2.0**32
"""Steps of a nat in the table of c ln c."""
MEASURES = (
    "contrast", "dissimilarity", "homogeneity", "asm", "energy", "entropy", "mean", "variance", "std", "correlation",
    "max_probability", "sum_average", "sum_variance", "sum_entropy", "difference_variance", "difference_entropy",
    "cluster_shade", "cluster_prominence", "imc1", "imc2",
)  # fmt: skip
"""Measures; their place here is their code in the kernel."""

# places of the running sums
_N, _SI, _SJ, _SII, _SJJ, _SIJ, _SD, _SQ, _SLOG, _MAX = range(10)


@njit(nogil=True, cache=True, inline="always")
def _track_largest(often: NDArray[np.int32], s: NDArray[np.int64], old: int, new: int) -> None:  # pragma: no cover (compiled)
    often[old] -= 1
    often[new] += 1
    if new > s[_MAX]:
        s[_MAX] = new
    else:
        while s[_MAX] > 0 and often[s[_MAX]] == 0:
            s[_MAX] -= 1


@njit(nogil=True, cache=True)
def _entropy_of(h: NDArray[np.int32], n: float, logs: NDArray[np.float64]) -> Any:  # pragma: no cover (compiled)
    total = 0.0
    for k in range(h.size):
        if h[k] > 0:
            total += h[k] * logs[h[k]]
    return np.log(n) - total / n


@njit(nogil=True, cache=True)
def _moment(h: NDArray[np.int32], n: float, centre: float, power: int) -> Any:  # pragma: no cover (compiled)
    total = 0.0
    for k in range(h.size):
        if h[k] > 0:
            total += h[k] * (k - centre) ** power
    return total / n


@njit(nogil=True, cache=True)
def _measure(
    code: int, s: NDArray[np.int64], hist: NDArray[np.int32], logs: NDArray[np.float64], inverse: NDArray[np.float64]
) -> Any:  # pragma: no cover (compiled)
    """Give one measure of the counts; codes as in `MEASURES`."""
    n = np.float64(s[_N])
    mean = s[_SI] / n
    other = s[_SJ] / n
    if code == 0:
        return (s[_SII] + s[_SJJ] - 2 * s[_SIJ]) / n
    if code == 1:
        return s[_SD] / n
    if code == 2:
        value = 0.0
        for k in range(inverse.size):
            value += hist[1, k] * inverse[k]
        return value / n
    if code == 3:
        return s[_SQ] / (n * n)
    if code == 4:
        return np.sqrt(s[_SQ] / (n * n))
    if code == 5:
        return max(logs[s[_N]] - s[_SLOG] / FIXED / n, 0.0)
    if code == 6:
        return mean
    if code == 7:
        return max(s[_SII] / n - mean * mean, 0.0)
    if code == 8:
        return np.sqrt(max(s[_SII] / n - mean * mean, 0.0))
    if code == 9:
        # whole numbers until the last step: a window of one level has a variance of exactly 0
        vi = s[_N] * s[_SII] - s[_SI] * s[_SI]
        vj = s[_N] * s[_SJJ] - s[_SJ] * s[_SJ]
        if vi == 0 or vj == 0:
            return 1.0
        return (s[_N] * s[_SIJ] - s[_SI] * s[_SJ]) / np.sqrt(np.float64(vi) * np.float64(vj))
    if code == 10:
        return s[_MAX] / n
    if code == 11:
        return mean + other
    if code == 12:
        return _moment(hist[0], n, mean + other, 2)
    if code == 13:
        return _entropy_of(hist[0], n, logs)
    if code == 14:
        return _moment(hist[1], n, _moment(hist[1], n, 0.0, 1), 2)
    if code == 15:
        return _entropy_of(hist[1], n, logs)
    if code == 16:
        return _moment(hist[0], n, mean + other, 3)
    if code == 17:
        return _moment(hist[0], n, mean + other, 4)
    hx = _entropy_of(hist[2], n, logs)
    hy = _entropy_of(hist[3], n, logs)
    hxy = np.log(n) - s[_SLOG] / FIXED / n
    if code == 18:
        top = max(hx, hy)
        return (hxy - hx - hy) / top if top > 1e-12 else 0.0
    return np.sqrt(max(1.0 - np.exp(-2.0 * (hx + hy - hxy)), 0.0))


@njit(nogil=True, cache=True)
def _count_column(
    q: NDArray[np.int16], place: tuple[int, int, int], offset: tuple[int, int], edge: int, sign: int,
    shape: tuple[bool, int], needs: NDArray[np.bool_], c: NDArray[np.int32], often: NDArray[np.int32],
    hist: NDArray[np.int32], s: NDArray[np.int64], clogc: NDArray[np.int64],
) -> None:  # pragma: no cover (compiled)
    """Count in (sign 1) or out (-1) the pairs of a window whose left pixel stands in column `edge`, the right one dx on.

    `place` is row, column and radius of the window, `shape` symmetric and levels. `hist` holds i + j, |i - j|, rows, columns.
    """
    y, x, r = place
    dy, dx = offset
    symmetric, levels = shape
    x1 = edge + dx
    if edge < 0 or x1 >= q.shape[1] or edge < x - r or x1 > x + r:
        return
    n = si = sj = sii = sjj = sij = sd = sq = slog = np.int64(0)  # locals: the running sums are written once per column
    both = 2 if symmetric else 1
    for i in range(max(y - r, y - r - dy, 0, -dy), min(y + r, y + r - dy, q.shape[0] - 1, q.shape[0] - 1 - dy) + 1):
        a = np.int64(q[i, edge])
        b = np.int64(q[i + dy, x1])
        if a < 0 or b < 0:
            continue
        n += 1
        si += a
        sj += b
        sii += a * a
        sjj += b * b
        sij += a * b
        sd += abs(a - b)
        hist[1, abs(a - b)] += both * sign
        if needs[2]:
            hist[0, a + b] += both * sign
        if needs[3]:
            hist[2, a] += sign
            hist[3, b] += sign
            if symmetric:
                hist[2, b] += sign
                hist[3, a] += sign
        if needs[0]:
            # a symmetric matrix keeps one half: a cell off the diagonal stands for two equal ones
            twin = symmetric and a != b
            by = sign if twin or not symmetric else 2 * sign
            cell = min(a, b) * levels + max(a, b) if symmetric else a * levels + b
            old = int(c[cell])
            new = old + by
            c[cell] = new
            times = 2 if twin else 1
            sq += times * by * (old + new)
            slog += times * (clogc[new] - clogc[old])
            if needs[1]:
                _track_largest(often, s, old, new)
    s[_N] += both * sign * n
    s[_SI] += sign * (si + sj if symmetric else si)
    s[_SJ] += sign * (si + sj if symmetric else sj)
    s[_SII] += sign * (sii + sjj if symmetric else sii)
    s[_SJJ] += sign * (sii + sjj if symmetric else sjj)
    s[_SIJ] += both * sign * sij
    s[_SD] += both * sign * sd
    s[_SQ] += sq
    s[_SLOG] += slog


@njit(nogil=True, cache=True)
def slide_row_texture(
    q: NDArray[np.int16], r: int, offsets: NDArray[np.int64], levels: int, symmetric: bool, codes: NDArray[np.int64],
    out: NDArray[np.float32], clogc: NDArray[np.int64], logs: NDArray[np.float64], needs: NDArray[np.bool_],
) -> None:  # pragma: no cover (compiled)
    """Fill `out` (measure, direction, y, x); `q` (y, x) holds levels, -1 where there is no observation.

    `offsets` (direction, 2) are (down, right) steps with right >= 0; the window is cut at the array's edge. `needs` says which
    sums the measures are made of: of the matrix's cells, their largest, of i + j, of the rows and columns.
    """
    width = 2 * levels - 1
    inverse = 1.0 / (1.0 + np.arange(levels).astype(np.float64) ** 2)
    c = np.zeros(levels * levels, dtype=np.int32)
    often = np.zeros(clogc.size, dtype=np.int32)
    hist = np.zeros((4, width), dtype=np.int32)
    s = np.zeros(10, dtype=np.int64)
    shape = (symmetric, levels)
    for d in range(offsets.shape[0]):
        offset = (int(offsets[d, 0]), int(offsets[d, 1]))
        for y in range(q.shape[0]):
            c[:] = 0
            often[:] = 0
            often[0] = c.size
            hist[:] = 0
            s[:] = 0
            for edge in range(r + 1 - offset[1]):  # all but the last column of the first window
                _count_column(q, (y, 0, r), offset, edge, 1, shape, needs, c, often, hist, s, clogc)
            for x in range(q.shape[1]):
                if x > 0:
                    _count_column(q, (y, x - 1, r), offset, x - 1 - r, -1, shape, needs, c, often, hist, s, clogc)
                    _count_column(q, (y, x, r), offset, x + r - offset[1], 1, shape, needs, c, often, hist, s, clogc)
                known = q[y, x] >= 0 and s[_N] > 0
                for m in range(codes.size):
                    out[m, d, y, x] = _measure(codes[m], s, hist, logs, inverse) if known else np.nan
