"""Numba kernels of the rotated trees: a split on a rotated feature is a short sum over the original ones.

Rotations are stored as sparse rows, so that training (which rotates all rows) and predicting (which computes at each node only
the one rotated feature that the node asks for) add up the same numbers in the same order.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["rotate_rows", "sum_rotated_leaves"]

BATCH = 256


@numba.njit(nogil=True, cache=True)
def _project(row, mean, scale, starts, columns, weights, feature):  # type: ignore[no-untyped-def]  # numba gives the types
    total = 0.0
    for m in range(starts[feature], starts[feature + 1]):
        at = columns[m]
        total += weights[m] * ((row[at] - mean[at]) / scale[at])
    return np.float32(total)


@numba.njit(nogil=True, cache=True)
def rotate_rows(rows, mean, scale, starts, columns, weights):  # type: ignore[no-untyped-def]
    """Give all rotated features (row, rotated feature) as float32, which is what a tree splits on."""
    n_out = starts.size - 1
    out = np.empty((rows.shape[0], n_out), np.float32)
    for i in range(rows.shape[0]):
        for j in range(n_out):
            out[i, j] = _project(rows[i], mean, scale, starts, columns, weights, j)
    return out


@numba.njit(nogil=True, cache=True)
def sum_rotated_leaves(  # type: ignore[no-untyped-def]
    rows, mean, scale, starts, columns, weights, n_rotated, nodes, roots, values, out
):
    """Add up the leaf values (row, class) of every tree; tree t owns the rotated features from t * n_rotated on."""
    n, n_classes = out.shape
    for start in range(0, n, BATCH):
        stop = min(start + BATCH, n)
        for tree in range(roots.size):
            base = tree * n_rotated
            for i in range(start, stop):
                at = roots[tree]
                feature = nodes[at].feature
                while feature >= 0:
                    x = _project(rows[i], mean, scale, starts, columns, weights, base + feature)
                    at = nodes[at].child + (0 if x <= nodes[at].threshold else 1)
                    feature = nodes[at].feature
                leaf = nodes[at].child
                if leaf >= 0:
                    out[i, leaf] += 1.0
                else:
                    for k in range(n_classes):
                        out[i, k] += values[-leaf - 1, k]
