"""Numba kernels of the models that are sums of products: layers, distances, support vectors.

They work on tiles of `LANES` pixels side by side, so that the compiler fills its vector registers with pixels and every
pixel's sum is added up in one fixed order: the result depends neither on the batch nor on a BLAS library and its threads.
All sums are float64, as scikit-learn's are. One thread, no GIL; compiled on first use and cached beside this file.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["ACTIVATIONS", "centroid_proba", "find_first_best", "hidden_rows", "softmax_proba", "svm_decisions"]

LANES = 32
"""Pixels of a tile: 32 float64 of 100 features or units fit the first-level cache."""
ACTIVATIONS = ("identity", "relu", "tanh", "logistic")

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2 in two parts (Cody and Waite 1980)
_SHIFT = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the rounded integer in the lowest bits
_TAYLOR = tuple(1.0 / float(f) for f in (
    6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1,
))  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _exp(x, work):  # type: ignore[no-untyped-def]  # numba gives the types
    """Replace x (LANES,) by exp(x), clipped to exp(+-700); vectorises, unlike the C library's."""
    bits = work.view(np.int64)
    for i in range(x.size):
        v = min(max(x[i], -700.0), 700.0)
        shifted = v * _LOG2E + _SHIFT
        work[i] = shifted
        k = shifted - _SHIFT
        r = (v - k * _LN2_HIGH) - k * _LN2_LOW
        p = _TAYLOR[0]
        p = p * r + _TAYLOR[1]
        p = p * r + _TAYLOR[2]
        p = p * r + _TAYLOR[3]
        p = p * r + _TAYLOR[4]
        p = p * r + _TAYLOR[5]
        p = p * r + _TAYLOR[6]
        p = p * r + _TAYLOR[7]
        p = p * r + _TAYLOR[8]
        p = p * r + _TAYLOR[9]
        p = p * r + _TAYLOR[10]
        p = p * r + _TAYLOR[11]
        p = p * r + _TAYLOR[12]
        p = p * r + _TAYLOR[13]
        x[i] = p
    for i in range(x.size):
        bits[i] = (bits[i] + 1023) << 52
    for i in range(x.size):
        x[i] *= work[i]


@numba.njit(nogil=True, cache=True)
def _affine(x, n_in, weights, biases, w0, b0, n_out, out):  # type: ignore[no-untyped-def]
    """out[j] = biases[b0 + j] + sum_i weights[w0 + j * n_in + i] * x[i], for every lane; i in order."""
    lanes = x.shape[1]
    for j in range(n_out):
        target = out[j]
        for lane in range(lanes):
            target[lane] = biases[b0 + j]
        at = w0 + j * n_in
        whole = n_in - n_in % 4
        for i in range(0, whole, 4):
            wa, wb, wc, wd = weights[at + i], weights[at + i + 1], weights[at + i + 2], weights[at + i + 3]
            xa, xb, xc, xd = x[i], x[i + 1], x[i + 2], x[i + 3]
            for lane in range(lanes):
                target[lane] = (((target[lane] + wa * xa[lane]) + wb * xb[lane]) + wc * xc[lane]) + wd * xd[lane]
        for i in range(whole, n_in):
            w, xi = weights[at + i], x[i]
            for lane in range(lanes):
                target[lane] += w * xi[lane]


@numba.njit(nogil=True, cache=True)
def _activate(x, n, activation, work):  # type: ignore[no-untyped-def]
    lanes = x.shape[1]
    for j in range(n):
        row = x[j]
        if activation == 1:
            for lane in range(lanes):
                row[lane] = max(row[lane], 0.0)
        elif activation >= 2:
            factor = -2.0 if activation == 2 else -1.0
            for lane in range(lanes):
                row[lane] *= factor
            _exp(row, work)
            for lane in range(lanes):
                row[lane] = (1.0 - row[lane]) / (1.0 + row[lane]) if activation == 2 else 1.0 / (1.0 + row[lane])


@numba.njit(nogil=True, cache=True)
def _front(rows, start, mean, scale, sizes, weights, biases, activation, a, b, work):  # type: ignore[no-untyped-def]
    """Standardise a tile and pass it through the hidden layers; gives the tile (unit, lane) of the last one."""
    n_features, lanes = rows.shape[1], a.shape[1]
    size = min(lanes, rows.shape[0] - start)
    for lane in range(lanes):
        for i in range(n_features):
            a[i, lane] = (rows[start + lane, i] - mean[i]) / scale[i] if lane < size else 0.0
    w0, b0 = 0, 0
    for layer in range(1, sizes.size):
        _affine(a, sizes[layer - 1], weights, biases, w0, b0, sizes[layer], b)
        _activate(b, sizes[layer], activation, work)
        w0 += sizes[layer - 1] * sizes[layer]
        b0 += sizes[layer]
        a, b = b, a
    return a


@numba.njit(nogil=True, cache=True)
def _softmax(logits, n, work):  # type: ignore[no-untyped-def]
    lanes = logits.shape[1]
    top, total = np.empty(lanes), np.zeros(lanes)
    for lane in range(lanes):
        top[lane] = logits[0, lane]
    for k in range(1, n):
        for lane in range(lanes):
            top[lane] = max(top[lane], logits[k, lane])
    for k in range(n):
        row = logits[k]
        for lane in range(lanes):
            row[lane] -= top[lane]
        _exp(row, work)
        for lane in range(lanes):
            total[lane] += row[lane]
    for k in range(n):
        for lane in range(lanes):
            logits[k, lane] /= total[lane]


@numba.njit(nogil=True, cache=True)
def find_first_best(scores, best):  # type: ignore[no-untyped-def]
    """Write the column of each row's highest score, the first where several are; tells whether all scores are finite."""
    is_finite = True
    for i in range(scores.shape[0]):
        top, at = scores[i, 0], 0
        for k in range(scores.shape[1]):
            is_finite &= np.isfinite(scores[i, k])
            if scores[i, k] > top:
                top, at = scores[i, k], k
        best[i] = at
    return is_finite


@numba.njit(nogil=True, cache=True)
def hidden_rows(rows, mean, scale, sizes, weights, biases, activation):  # type: ignore[no-untyped-def]
    """Give the activations (pixel, unit) of the last hidden layer."""
    n, width, wide = rows.shape[0], sizes[-1], sizes.max()
    out = np.empty((n, width))
    a, b, work = np.empty((wide, LANES)), np.empty((wide, LANES)), np.empty(LANES)
    for start in range(0, n, LANES):
        h = _front(rows, start, mean, scale, sizes, weights, biases, activation, a, b, work)
        for lane in range(min(LANES, n - start)):
            for j in range(width):
                out[start + lane, j] = h[j, lane]
    return out


@numba.njit(nogil=True, cache=True)
def softmax_proba(rows, mean, scale, sizes, weights, biases, activation, head, head_bias):  # type: ignore[no-untyped-def]
    """Give softmax probabilities (pixel, class) of an affine head (class, unit) on the hidden layers."""
    n, n_classes, width = rows.shape[0], head.shape[0], head.shape[1]
    out = np.empty((n, n_classes))
    wide = max(sizes.max(), n_classes)
    a, b, work = np.empty((wide, LANES)), np.empty((wide, LANES)), np.empty(LANES)
    logits, flat = np.empty((n_classes, LANES)), head.ravel()
    for start in range(0, n, LANES):
        h = _front(rows, start, mean, scale, sizes, weights, biases, activation, a, b, work)
        _affine(h, width, flat, head_bias, 0, 0, n_classes, logits)
        _softmax(logits, n_classes, work)
        for lane in range(min(LANES, n - start)):
            for k in range(n_classes):
                out[start + lane, k] = logits[k, lane]
    return out


@numba.njit(nogil=True, cache=True)
def _distance2(x, point, out):  # type: ignore[no-untyped-def]
    """Squared Euclidean distance of every lane to one point, features in order."""
    lanes, n = x.shape[1], point.size
    for lane in range(lanes):
        out[lane] = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        pa, pb, pc, pd = point[i], point[i + 1], point[i + 2], point[i + 3]
        xa, xb, xc, xd = x[i], x[i + 1], x[i + 2], x[i + 3]
        for lane in range(lanes):
            da, db, dc, dd = xa[lane] - pa, xb[lane] - pb, xc[lane] - pc, xd[lane] - pd
            out[lane] = (((out[lane] + da * da) + db * db) + dc * dc) + dd * dd
    for i in range(whole, n):
        for lane in range(lanes):
            d = x[i, lane] - point[i]
            out[lane] += d * d


@numba.njit(nogil=True, cache=True)
def centroid_proba(rows, mean, scale, centroids):  # type: ignore[no-untyped-def]
    """Give softmax probabilities (pixel, class) of negative Euclidean distances to centroids (class, feature)."""
    n, n_classes = rows.shape[0], centroids.shape[0]
    out = np.empty((n, n_classes))
    sizes, none = np.array([rows.shape[1]]), np.empty(0)
    a, work, logits = np.empty((rows.shape[1], LANES)), np.empty(LANES), np.empty((n_classes, LANES))
    for start in range(0, n, LANES):
        h = _front(rows, start, mean, scale, sizes, none, none, 0, a, a, work)
        for k in range(n_classes):
            _distance2(h, centroids[k], logits[k])
            for lane in range(LANES):
                logits[k, lane] = -np.sqrt(logits[k, lane])
        _softmax(logits, n_classes, work)
        for lane in range(min(LANES, n - start)):
            for k in range(n_classes):
                out[start + lane, k] = logits[k, lane]
    return out


@numba.njit(nogil=True, cache=True)
def svm_decisions(  # type: ignore[no-untyped-def]
    rows, mean, scale, sizes, weights, biases, activation, unit_mean, unit_scale, gamma, vectors, pairs, coefs, intercepts
):
    """Give the decisions (pixel, pair) of a one-against-one RBF machine: positive for the first class of the pair.

    Each support vector enters the sums of the pairs of its class alone: pairs and coefs are (vector, class - 1).
    """
    n, width = rows.shape[0], vectors.shape[1]
    out = np.empty((n, intercepts.size))
    wide = sizes.max()
    a, b, work = np.empty((wide, LANES)), np.empty((wide, LANES)), np.empty(LANES)
    near, sums = np.empty(LANES), np.empty((intercepts.size, LANES))
    for start in range(0, n, LANES):
        h = _front(rows, start, mean, scale, sizes, weights, biases, activation, a, b, work)
        for j in range(width):
            for lane in range(LANES):
                h[j, lane] = (h[j, lane] - unit_mean[j]) / unit_scale[j]
        for p in range(intercepts.size):
            sums[p] = intercepts[p]
        for s in range(vectors.shape[0]):
            _distance2(h, vectors[s], near)
            for lane in range(LANES):
                near[lane] *= -gamma
            _exp(near, work)
            for m in range(pairs.shape[1]):
                target, coef = sums[pairs[s, m]], coefs[s, m]
                if coef != 0.0:
                    for lane in range(LANES):
                        target[lane] += coef * near[lane]
        for lane in range(min(LANES, n - start)):
            for p in range(intercepts.size):
                out[start + lane, p] = sums[p, lane]
    return out
