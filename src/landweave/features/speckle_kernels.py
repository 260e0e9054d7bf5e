"""Compiled speckle filters of `speckle`: every pixel from its own window, in one order, so that blocks cannot matter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["filter_gamma_map", "filter_lee", "filter_refined_lee", "local_mean", "local_moments", "quegan"]

F32 = NDArray[np.float32]


@njit(nogil=True, cache=True)
def _moments(data: F32, y: int, x: int, r: int) -> tuple[float, float, int]:  # pragma: no cover (compiled)
    """Mean, variance (of the population) and number of the valid pixels of a square window, cut at the array's edge."""
    n = 0
    total = 0.0
    square = 0.0
    origin = np.float64(data[y, x])  # sums of differences: no cancellation where the mean is large
    for i in range(max(y - r, 0), min(y + r + 1, data.shape[0])):
        for j in range(max(x - r, 0), min(x + r + 1, data.shape[1])):
            v = data[i, j]
            if v == v:
                d = np.float64(v) - origin
                n += 1
                total += d
                square += d * d
    mean = total / n
    return origin + mean, max(square / n - mean * mean, 0.0), n


@njit(nogil=True, cache=True)
def _shrink(z: float, mean: float, variance: float, cu2: float) -> float:  # pragma: no cover (compiled)
    if variance <= 0.0:
        return mean
    texture = (variance - mean * mean * cu2) / (1.0 + cu2)
    k = max(texture, 0.0) / variance
    return mean + k * (z - mean)


@njit(nogil=True, cache=True)
def filter_lee(data: F32, r: int, enl: float) -> F32:  # pragma: no cover (compiled)
    """Lee's filter of (y, x) power; NaN stays NaN."""
    out = np.full(data.shape, np.nan, dtype=np.float32)
    cu2 = 1.0 / enl
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            z = data[y, x]
            if z == z:
                mean, variance, _ = _moments(data, y, x, r)
                out[y, x] = _shrink(z, mean, variance, cu2)
    return out


@njit(nogil=True, cache=True)
def filter_gamma_map(data: F32, r: int, enl: float) -> F32:  # pragma: no cover (compiled)
    """Lopes' Gamma maximum a posteriori filter of (y, x) power; NaN stays NaN."""
    out = np.full(data.shape, np.nan, dtype=np.float32)
    cu2 = 1.0 / enl
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            z = np.float64(data[y, x])
            if z != z:
                continue
            mean, variance, _ = _moments(data, y, x, r)
            ci2 = variance / (mean * mean) if mean > 0 else 0.0
            if ci2 <= cu2:
                out[y, x] = mean
            elif ci2 >= 2.0 * cu2:
                out[y, x] = z
            else:
                alpha = (1.0 + cu2) / (ci2 - cu2)
                b = (alpha - enl - 1.0) * mean
                out[y, x] = (b + np.sqrt(b * b + 4.0 * alpha * enl * mean * z)) / (2.0 * alpha)
    return out


@njit(nogil=True, cache=True)
def _mean3(data: F32, y: int, x: int) -> float:  # pragma: no cover (compiled)
    total = 0.0
    n = 0
    for i in range(max(y - 1, 0), min(y + 2, data.shape[0])):
        for j in range(max(x - 1, 0), min(x + 2, data.shape[1])):
            v = data[i, j]
            if v == v:
                total += v
                n += 1
    return total / n if n else np.nan


@njit(nogil=True, cache=True)
def _direction(m: NDArray[np.float64], means: F32, y: int, x: int) -> int:  # pragma: no cover (compiled)
    """Which of the eight half windows lies on the centre's side of the strongest edge; -1 where means are missing.

    0 right, 1 left (vertical edge); 2 top, 3 bottom (horizontal); 4 top-left, 5 bottom-right (rising diagonal edge, along
    which the corners top-right and bottom-left lie); 6 top-right, 7 bottom-left (falling diagonal edge).
    """
    for i in range(3):
        for j in range(3):
            yy = y + 2 * (i - 1)
            xx = x + 2 * (j - 1)
            if yy < 0 or xx < 0 or yy >= means.shape[0] or xx >= means.shape[1]:
                return -1
            m[i, j] = means[yy, xx]
            if m[i, j] != m[i, j]:
                return -1
    g0 = abs(m[0, 2] + m[1, 2] + m[2, 2] - m[0, 0] - m[1, 0] - m[2, 0])
    g1 = abs(m[0, 0] + m[0, 1] + m[0, 2] - m[2, 0] - m[2, 1] - m[2, 2])
    g2 = abs(m[0, 0] + m[0, 1] + m[1, 0] - m[1, 2] - m[2, 1] - m[2, 2])
    g3 = abs(m[0, 1] + m[0, 2] + m[1, 2] - m[1, 0] - m[2, 0] - m[2, 1])
    best = max(max(g0, g1), max(g2, g3))
    c = m[1, 1]
    if best == g0:
        return 0 if abs(m[1, 2] - c) < abs(m[1, 0] - c) else 1
    if best == g1:
        return 2 if abs(m[0, 1] - c) < abs(m[2, 1] - c) else 3
    if best == g2:
        return 4 if abs(m[0, 0] - c) < abs(m[2, 2] - c) else 5
    return 6 if abs(m[0, 2] - c) < abs(m[2, 0] - c) else 7


@njit(nogil=True, cache=True)
def _inside(direction: int, i: int, j: int) -> bool:  # pragma: no cover (compiled)
    """Whether the offset (i down, j right) from the centre lies in a half window; the line through the centre does."""
    if direction < 2:
        return j >= 0 if direction == 0 else j <= 0
    if direction < 4:
        return i <= 0 if direction == 2 else i >= 0
    if direction < 6:
        return i + j <= 0 if direction == 4 else i + j >= 0
    return i - j <= 0 if direction == 6 else i - j >= 0


@njit(nogil=True, cache=True)
def _half_moments(data: F32, y: int, x: int, direction: int) -> tuple[float, float]:  # pragma: no cover (compiled)
    n = 0
    total = 0.0
    square = 0.0
    origin = np.float64(data[y, x])
    for i in range(max(-3, -y), min(4, data.shape[0] - y)):
        for j in range(max(-3, -x), min(4, data.shape[1] - x)):
            if direction < 0 or _inside(direction, i, j):
                v = data[y + i, x + j]
                if v == v:
                    d = np.float64(v) - origin
                    n += 1
                    total += d
                    square += d * d
    mean = total / n
    return origin + mean, max(square / n - mean * mean, 0.0)


@njit(nogil=True, cache=True)
def filter_refined_lee(data: F32, enl: float) -> F32:  # pragma: no cover (compiled)
    """Lee's refined filter of (y, x) power in 7 x 7 windows; NaN stays NaN."""
    out = np.full(data.shape, np.nan, dtype=np.float32)
    means = np.empty(data.shape, dtype=np.float32)
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            means[y, x] = _mean3(data, y, x)
    m = np.empty((3, 3))
    cu2 = 1.0 / enl
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            z = data[y, x]
            if z == z:
                mean, variance = _half_moments(data, y, x, _direction(m, means, y, x))
                out[y, x] = _shrink(z, mean, variance, cu2)
    return out


@njit(nogil=True, cache=True)
def local_moments(data: F32, r: int, least: int) -> tuple[F32, F32]:  # pragma: no cover (compiled)
    """Mean and variance (y, x) of windows with at least `least` valid pixels around a valid one; NaN elsewhere."""
    mean = np.full(data.shape, np.nan, dtype=np.float32)
    variance = np.full(data.shape, np.nan, dtype=np.float32)
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            if data[y, x] == data[y, x]:
                m, v, n = _moments(data, y, x, r)
                if n >= least:
                    mean[y, x] = m
                    variance[y, x] = v * n / max(n - 1, 1)
    return mean, variance


@njit(nogil=True, cache=True)
def local_mean(data: F32, r: int) -> F32:  # pragma: no cover (compiled)
    """Mean of the valid pixels of a window around every valid pixel (y, x)."""
    out = np.full(data.shape, np.nan, dtype=np.float32)
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            if data[y, x] == data[y, x]:
                out[y, x] = _moments(data, y, x, r)[0]
    return out


@njit(nogil=True, cache=True)
def quegan(images: F32, means: F32) -> F32:  # pragma: no cover (compiled)
    """Multi-temporal filter of (image, y, x) with the local means of the same shape."""
    out = np.full(images.shape, np.nan, dtype=np.float32)
    for y in range(images.shape[1]):
        for x in range(images.shape[2]):
            total = 0.0
            n = 0
            for k in range(images.shape[0]):
                v = images[k, y, x]
                if v == v and means[k, y, x] > 0:
                    total += v / means[k, y, x]
                    n += 1
            for k in range(images.shape[0]):
                if images[k, y, x] == images[k, y, x]:
                    usable = n > 0 and means[k, y, x] > 0
                    out[k, y, x] = means[k, y, x] * total / n if usable else images[k, y, x]
    return out
