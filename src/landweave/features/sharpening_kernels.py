"""Compiled steps of `sharpening`: between fine and coarse pixels, and local regression. A pixel depends on its window alone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["apply_regression", "degrade", "fit_regression", "upsample"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@njit(nogil=True, cache=True)
def degrade(fine: F32, ratio: int, weights: F64) -> F32:  # pragma: no cover (compiled)
    """Give coarse pixels (y, x) as weighted means of the valid fine ones around their centres; NaN where fewer than half are.

    `weights` is one axis of a separable kernel with the parity of the ratio, centred on the coarse pixel.
    """
    h, w = fine.shape[0] // ratio, fine.shape[1] // ratio
    out = np.full((h, w), np.nan, dtype=np.float32)
    first = (ratio - weights.size) // 2
    whole = weights.sum() ** 2
    for y in range(h):
        for x in range(w):
            total = 0.0
            norm = 0.0
            for i in range(weights.size):
                yy = y * ratio + first + i
                if yy < 0 or yy >= fine.shape[0]:
                    continue
                for j in range(weights.size):
                    xx = x * ratio + first + j
                    if 0 <= xx < fine.shape[1]:
                        v = fine[yy, xx]
                        if v == v:
                            k = weights[i] * weights[j]
                            total += k * v
                            norm += k
            if norm >= 0.5 * whole or (norm > 0.2 * whole and _at_edge(y, x, h, w, weights.size, ratio)):
                out[y, x] = total / norm
    return out


@njit(nogil=True, cache=True)
def _at_edge(y: int, x: int, h: int, w: int, size: int, ratio: int) -> bool:  # pragma: no cover (compiled)
    reach = size // ratio + 1
    return y < reach or x < reach or y >= h - reach or x >= w - reach


@njit(nogil=True, cache=True)
def _taps(t: float, cubic: bool, out: F64) -> None:  # pragma: no cover (compiled)
    """Weights of four neighbours for a place t past the second one: Keys' cubic convolution with a = -1/2, or linear."""
    if cubic:
        out[0] = ((-0.5 * t + 1.0) * t - 0.5) * t
        out[1] = (1.5 * t - 2.5) * t * t + 1.0
        out[2] = ((-1.5 * t + 2.0) * t + 0.5) * t
        out[3] = (0.5 * t - 0.5) * t * t
    else:
        out[0] = 0.0
        out[1] = 1.0 - t
        out[2] = t
        out[3] = 0.0


@njit(nogil=True, cache=True)
def upsample(coarse: F32, ratio: int, cubic: bool) -> F32:  # pragma: no cover (compiled)
    """Give fine pixels (y, x) interpolated between coarse centres; edges repeat, and neighbours that are NaN are left out."""
    h, w = coarse.shape
    out = np.full((h * ratio, w * ratio), np.nan, dtype=np.float32)
    ky = np.empty(4)
    kx = np.empty(4)
    for y in range(h * ratio):
        py = (y + 0.5) / ratio - 0.5
        iy = int(np.floor(py))
        _taps(py - iy, cubic, ky)
        for x in range(w * ratio):
            own = coarse[y // ratio, x // ratio]
            if own != own:
                continue
            px = (x + 0.5) / ratio - 0.5
            ix = int(np.floor(px))
            _taps(px - ix, cubic, kx)
            total = 0.0
            norm = 0.0
            for i in range(4):
                yy = min(max(iy - 1 + i, 0), h - 1)
                for j in range(4):
                    v = coarse[yy, min(max(ix - 1 + j, 0), w - 1)]
                    k = ky[i] * kx[j]
                    if v == v and k != 0.0:
                        total += k * v
                        norm += k
            out[y, x] = total / norm if norm > 0.25 else own
    return out


@njit(nogil=True, cache=True)
def _solve(a: F64, b: F64, n: int) -> None:  # pragma: no cover (compiled)
    """Solve a x = b in place for a symmetric positive definite a, by elimination without pivots; the answer is in b."""
    for k in range(n):
        for i in range(k + 1, n):
            f = a[i, k] / a[k, k]
            for j in range(k, n):
                a[i, j] -= f * a[k, j]
            b[i] -= f * b[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            b[k] -= a[k, j] * b[j]
        b[k] /= a[k, k]


@njit(nogil=True, cache=True)
def _trust(slopes: F64, shared: F64, total: float, n: int) -> float:  # pragma: no cover (compiled)
    """Give a window's adjusted R squared: guides that tell nothing of the band must not lend it their detail."""
    explained = 0.0
    for k in range(slopes.size):
        explained += slopes[k] * shared[k]
    r2 = min(explained / total, 1.0) if total > 0.0 else 0.0
    return max(1.0 - (1.0 - r2) * (n - 1) / max(n - slopes.size - 1, 1), 0.0)


@njit(nogil=True, cache=True)
def fit_regression(target: F32, guides: F32, r: int, ridge: float) -> F32:  # pragma: no cover (compiled)
    """Regress `target` (y, x) on `guides` (guide, y, x) in square windows.

    `ridge` is added to the guides' variances, as a share of their mean one; slopes are multiplied by the window's adjusted R
    squared.

    Returns:
        Coefficients (guide + 1, y, x), the last one the intercept; NaN where the target is.
    """
    g = guides.shape[0]
    h, w = target.shape
    out = np.full((g + 1, h, w), np.nan, dtype=np.float32)
    a = np.empty((g, g))
    b = np.empty(g)
    mean = np.empty(g)
    shared = np.empty(g)
    for y in range(h):
        for x in range(w):
            if target[y, x] != target[y, x]:
                continue
            n = 0
            mean[:] = 0.0
            mt = 0.0
            for i in range(max(y - r, 0), min(y + r + 1, h)):
                for j in range(max(x - r, 0), min(x + r + 1, w)):
                    if _is_known(target, guides, i, j):
                        n += 1
                        mt += target[i, j]
                        for k in range(g):
                            mean[k] += guides[k, i, j]
            if n == 0:
                out[:g, y, x] = 0.0
                out[g, y, x] = target[y, x]
                continue
            mt /= n
            mean /= n
            a[:] = 0.0
            b[:] = 0.0
            total = 0.0
            for i in range(max(y - r, 0), min(y + r + 1, h)):
                for j in range(max(x - r, 0), min(x + r + 1, w)):
                    if _is_known(target, guides, i, j):
                        total += (target[i, j] - mt) ** 2
                        for k in range(g):
                            d = guides[k, i, j] - mean[k]
                            b[k] += d * (target[i, j] - mt)
                            for m in range(k + 1):
                                a[k, m] += d * (guides[m, i, j] - mean[m])
            spread = 0.0
            for k in range(g):
                spread += a[k, k] / g
            for k in range(g):
                a[k, k] += ridge * spread + 1e-12
                for m in range(k):
                    a[m, k] = a[k, m]
                shared[k] = b[k]
            _solve(a, b, g)
            trust = _trust(b, shared, total, n)
            intercept = mt
            for k in range(g):
                b[k] *= trust
                out[k, y, x] = b[k]
                intercept -= b[k] * mean[k]
            out[g, y, x] = intercept
    return out


@njit(nogil=True, cache=True)
def _is_known(target: F32, guides: F32, i: int, j: int) -> bool:  # pragma: no cover (compiled)
    if target[i, j] != target[i, j]:
        return False
    for k in range(guides.shape[0]):  # noqa: SIM110 (compiled)
        if guides[k, i, j] != guides[k, i, j]:
            return False
    return True


@njit(nogil=True, cache=True)
def apply_regression(coefficients: F32, guides: F32) -> F32:  # pragma: no cover (compiled)
    """Give sum of coefficients times guides plus intercept, all on the fine pixels."""
    g, h, w = guides.shape
    out = np.empty((h, w), dtype=np.float32)
    for y in range(h):
        for x in range(w):
            total = np.float64(coefficients[g, y, x])
            for k in range(g):
                total += np.float64(coefficients[k, y, x]) * guides[k, y, x]
            out[y, x] = total
    return out
