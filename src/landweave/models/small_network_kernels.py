"""Kernel of small perceptrons in single precision: rectified units, pixels side by side.

Like `dense_kernels`, it works on tiles of `LANES` pixels, each of whose sums is added up in one fixed order, so that the result
does not depend on the batch; but in float32, in which such networks are trained, and with products and sums fused where the
processor can. One thread, no GIL; compiled on first use and cached beside this file.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["find_logits"]

LANES = 64
"""Pixels of a tile: 64 float32 of 100 units fit the first-level cache."""


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _affine(x, n_in, weights, biases, w0, b0, n_out, out, is_rectified):  # type: ignore[no-untyped-def]
    """out[j] = biases[b0 + j] + sum_i weights[w0 + j * n_in + i] * x[i] for every lane, i in order; at least 0 if rectified."""
    lanes = x.shape[1]
    whole = n_in - n_in % 4
    for j in range(0, n_out, 2):  # two units at a time share what is loaded of the inputs; an odd last one is computed twice
        k = min(j + 1, n_out - 1)
        one, two = out[j], out[n_out if k == j else k]
        for lane in range(lanes):
            one[lane], two[lane] = biases[b0 + j], biases[b0 + k]
        at, to = w0 + j * n_in, w0 + k * n_in
        for i in range(0, whole, 4):
            wa, wb, wc, wd = weights[at + i], weights[at + i + 1], weights[at + i + 2], weights[at + i + 3]
            va, vb, vc, vd = weights[to + i], weights[to + i + 1], weights[to + i + 2], weights[to + i + 3]
            xa, xb, xc, xd = x[i], x[i + 1], x[i + 2], x[i + 3]
            for lane in range(lanes):
                a, b, c, d = xa[lane], xb[lane], xc[lane], xd[lane]
                one[lane] = (((one[lane] + wa * a) + wb * b) + wc * c) + wd * d
                two[lane] = (((two[lane] + va * a) + vb * b) + vc * c) + vd * d
        for i in range(whole, n_in):
            w, v, xi = weights[at + i], weights[to + i], x[i]
            for lane in range(lanes):
                one[lane] += w * xi[lane]
                two[lane] += v * xi[lane]
        if is_rectified:
            for lane in range(lanes):
                one[lane], two[lane] = max(one[lane], np.float32(0)), max(two[lane], np.float32(0))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def find_logits(rows, mean, scale, sizes, weights, biases, out):  # type: ignore[no-untyped-def]
    """Fill the logits (pixel, column).

    Args:
        rows: float32 (pixel, feature).
        mean: float32, subtracted from each feature.
        scale: float32, each feature is divided by it.
        sizes: Number of features, of the units of each hidden layer, and of columns.
        weights: float32, those of each layer (unit, input) in C order, one after the other.
        biases: Likewise.
        out: float32, written.
    """
    n, n_features = rows.shape
    wide = sizes.max() + 1  # and room for the double of an odd last unit
    a, b = np.empty((wide, LANES), np.float32), np.empty((wide, LANES), np.float32)
    for start in range(0, n, LANES):
        size = min(LANES, n - start)
        x, y = a, b
        for lane in range(LANES):
            for i in range(n_features):
                x[i, lane] = (rows[start + lane, i] - mean[i]) / scale[i] if lane < size else np.float32(0)
        w0, b0 = 0, 0
        for layer in range(1, sizes.size):
            _affine(x, sizes[layer - 1], weights, biases, w0, b0, sizes[layer], y, layer + 1 < sizes.size)
            w0 += sizes[layer - 1] * sizes[layer]
            b0 += sizes[layer]
            x, y = y, x
        for lane in range(size):
            for k in range(out.shape[1]):
                out[start + lane, k] = x[k, lane]
