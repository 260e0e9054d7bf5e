"""Numba kernels of the forests: packed nodes, one thread, no GIL. Compiled on first use and cached beside this file.

A node is 12 bytes: threshold float32, child int32, feature int16, missing int16. Siblings stand side by side, so that the
right child is `child + 1`. A leaf has feature -1 and child = class when pure, or -(row + 1) into the table of leaf values.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE", "sum_leaves", "vote_early"]

NODE = np.dtype([("threshold", "f4"), ("child", "i4"), ("feature", "i2"), ("missing", "i2")])
"""`missing` is 1 where NaN goes to the left child, 0 where it goes right."""

BATCH = 256
"""Pixels that pass through a tree together: their features and the tree stay in the first-level cache."""


@numba.njit(nogil=True, cache=True, inline="always")
def _leaf(nodes, root, row, has_missing):  # type: ignore[no-untyped-def]  # numba gives the types
    at = root
    feature = nodes[at].feature
    while feature >= 0:
        x = row[feature]
        if has_missing and x != x:
            at = nodes[at].child + 1 - nodes[at].missing
        else:
            at = nodes[at].child + (0 if x <= nodes[at].threshold else 1)
        feature = nodes[at].feature
    return nodes[at].child


@numba.njit(nogil=True, cache=True)
def _sum_leaves(features, nodes, roots, values, has_missing, out):  # type: ignore[no-untyped-def]
    n, n_classes = out.shape
    for start in range(0, n, BATCH):
        stop = min(start + BATCH, n)
        for tree in range(roots.size):
            for i in range(start, stop):
                leaf = _leaf(nodes, roots[tree], features[i], has_missing)
                if leaf >= 0:
                    out[i, leaf] += 1.0
                else:
                    for k in range(n_classes):
                        out[i, k] += values[-leaf - 1, k]


@numba.njit(nogil=True, cache=True)
def _first_best(sums, n_trees):  # type: ignore[no-untyped-def]
    best, top = 0, sums[0] / n_trees
    for k in range(1, sums.size):
        share = sums[k] / n_trees
        if share > top:
            best, top = k, share
    return best


@numba.njit(nogil=True, cache=True)
def _vote_early(features, nodes, roots, values, has_missing, stride, out):  # type: ignore[no-untyped-def]
    n, n_classes, n_trees = features.shape[0], values.shape[1], roots.size
    sums = np.empty((BATCH, n_classes))
    open_ = np.empty(BATCH, np.int64)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        sums[:] = 0.0
        n_open = size
        for i in range(size):
            open_[i] = i
        for tree in range(n_trees):
            for j in range(n_open):
                i = open_[j]
                leaf = _leaf(nodes, roots[tree], features[start + i], has_missing)
                if leaf >= 0:
                    sums[i, leaf] += 1.0
                else:
                    for k in range(n_classes):
                        sums[i, k] += values[-leaf - 1, k]
            rest = n_trees - tree - 1
            if rest % stride == 0 and rest * 2 <= n_trees:
                kept = 0
                for j in range(n_open):
                    i = open_[j]
                    first, second = 0.0, 0.0
                    for k in range(n_classes):
                        s = sums[i, k]
                        if s > first:
                            first, second = s, first
                        elif s > second:
                            second = s
                    # the rest can change the difference by at most one a tree; the margin is above any rounding
                    if first - second <= rest + 1e-6 and rest > 0:
                        open_[kept] = i
                        kept += 1
                n_open = kept
                if n_open == 0:
                    break
        for i in range(size):
            out[start + i] = _first_best(sums[i], n_trees)


def sum_leaves(
    features: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64],
    *, has_missing: bool,
) -> NDArray[np.float64]:  # fmt: skip
    """Add up the leaf values of every tree, in the order of the trees.

    Args:
        features: (pixel, feature), C order.
        nodes: Packed nodes of all trees.
        roots: First node of each tree.
        values: Values (leaf, class) of the leaves that are not pure.
        has_missing: Whether a node sends NaN to the left; without it NaN goes right, as any comparison with it fails.

    Returns:
        Sums (pixel, class).
    """
    out = np.zeros((features.shape[0], values.shape[1]))
    _sum_leaves(features, nodes, roots, values, has_missing, out)
    return out


def vote_early(
    features: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64],
    *, has_missing: bool,
) -> NDArray[np.int64]:  # fmt: skip
    """Give the column with the largest sum of leaf values; a pixel leaves as soon as the rest of the trees cannot change it.

    The result equals the first maximum of `sum_leaves(...) / n_trees` for every pixel, ties included.
    """
    out = np.empty(features.shape[0], dtype=np.int64)
    _vote_early(features, nodes, roots, values, has_missing, 5, out)
    return out
