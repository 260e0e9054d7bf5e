"""Numba kernels of the forests: packed nodes, one thread, no GIL. Compiled on first use and cached beside this file.

A stored node is 12 bytes: threshold float32, child int32, feature int16, missing int16. Siblings stand side by side, so that
the right child is `child + 1`. A leaf has feature -1 and child = class when pure, or -(row + 1) into the table of leaf values.

For features without NaN the nodes are turned into `WALK` nodes, whose leaves lead to themselves: twelve pixels can then go
down a tree side by side without a branch, and the processor works on one while it waits for the memory of another.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE", "WALK", "sum_leaves", "sum_leaves_missing", "to_walk", "vote_early"]

NODE = np.dtype([("threshold", "f4"), ("child", "i4"), ("feature", "i2"), ("missing", "i2")])
"""As stored; `missing` is 1 where NaN goes to the left child, 0 where it goes right."""
WALK = np.dtype([("threshold", "f4"), ("child", "u4"), ("feature", "u4")])
"""As walked; a leaf has threshold +inf and itself as child. Unsigned: numba need not look for negative indices."""

BATCH = 512
"""Pixels that pass through a tree together: their features and the tree stay in the first-level cache."""
LANES = 12
STRIDE = 2
"""Trees between two looks at which pixels are decided."""
_U = np.uint64


def to_walk(nodes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Turn stored nodes into walking ones, and give what each leaf stands for (class, or -(row + 1))."""
    leaf = nodes["feature"] < 0
    walk = np.empty(len(nodes), dtype=WALK)
    walk["threshold"] = np.where(leaf, np.float32(np.inf), nodes["threshold"])
    walk["child"] = np.where(leaf, np.arange(len(nodes)), nodes["child"])
    walk["feature"] = np.where(leaf, 0, nodes["feature"])
    return walk, np.where(leaf, nodes["child"], 0).astype(np.int32)


@numba.njit(nogil=True, cache=True, inline="always")
def _step(nodes, at, features, row):  # type: ignore[no-untyped-def]  # numba gives the types
    node = nodes[at]
    return _U(node.child) + _U(features[row + _U(node.feature)] > node.threshold)


@numba.njit(nogil=True, cache=True)
def _find_leaves(nodes, root, features, rows, n_rows, leaves):  # type: ignore[no-untyped-def]
    """Find the leaf of `n_rows` pixels, whose features begin at `rows` of the flat array; room for LANES more is needed."""
    for j in range(n_rows, n_rows + LANES):
        rows[j] = rows[n_rows - 1]
    for j in range(0, n_rows, LANES):
        r0 = rows[j + 0]
        r1 = rows[j + 1]
        r2 = rows[j + 2]
        r3 = rows[j + 3]
        r4 = rows[j + 4]
        r5 = rows[j + 5]
        r6 = rows[j + 6]
        r7 = rows[j + 7]
        r8 = rows[j + 8]
        r9 = rows[j + 9]
        r10 = rows[j + 10]
        r11 = rows[j + 11]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = a10 = a11 = root
        while True:  # two steps down, then a look whether the second one led anywhere
            b0 = _step(nodes, a0, features, r0)
            b1 = _step(nodes, a1, features, r1)
            b2 = _step(nodes, a2, features, r2)
            b3 = _step(nodes, a3, features, r3)
            b4 = _step(nodes, a4, features, r4)
            b5 = _step(nodes, a5, features, r5)
            b6 = _step(nodes, a6, features, r6)
            b7 = _step(nodes, a7, features, r7)
            b8 = _step(nodes, a8, features, r8)
            b9 = _step(nodes, a9, features, r9)
            b10 = _step(nodes, a10, features, r10)
            b11 = _step(nodes, a11, features, r11)
            a0 = _step(nodes, b0, features, r0)
            a1 = _step(nodes, b1, features, r1)
            a2 = _step(nodes, b2, features, r2)
            a3 = _step(nodes, b3, features, r3)
            a4 = _step(nodes, b4, features, r4)
            a5 = _step(nodes, b5, features, r5)
            a6 = _step(nodes, b6, features, r6)
            a7 = _step(nodes, b7, features, r7)
            a8 = _step(nodes, b8, features, r8)
            a9 = _step(nodes, b9, features, r9)
            a10 = _step(nodes, b10, features, r10)
            a11 = _step(nodes, b11, features, r11)
            moved = ((a0 ^ b0) | (a1 ^ b1) | (a2 ^ b2) | (a3 ^ b3) | (a4 ^ b4) | (a5 ^ b5)
                     | (a6 ^ b6) | (a7 ^ b7) | (a8 ^ b8) | (a9 ^ b9) | (a10 ^ b10) | (a11 ^ b11))  # fmt: skip
            if moved == _U(0):
                break
        leaves[j + 0] = a0
        leaves[j + 1] = a1
        leaves[j + 2] = a2
        leaves[j + 3] = a3
        leaves[j + 4] = a4
        leaves[j + 5] = a5
        leaves[j + 6] = a6
        leaves[j + 7] = a7
        leaves[j + 8] = a8
        leaves[j + 9] = a9
        leaves[j + 10] = a10
        leaves[j + 11] = a11


@numba.njit(nogil=True, cache=True, inline="always")
def _add(sums, values, i, leaf):  # type: ignore[no-untyped-def]
    if leaf >= 0:
        sums[i, leaf] += 1.0
    else:
        for k in range(sums.shape[1]):
            sums[i, k] += values[-leaf - 1, k]


@numba.njit(nogil=True, cache=True)
def _sum_leaves(features, n_features, nodes, codes, roots, values, out):  # type: ignore[no-untyped-def]
    n = out.shape[0]
    rows, leaves = np.empty(BATCH + LANES, np.uint64), np.empty(BATCH + LANES, np.uint64)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        for i in range(size):
            rows[i] = _U((start + i) * n_features)
        for tree in range(roots.size):
            _find_leaves(nodes, _U(roots[tree]), features, rows, size, leaves)
            for i in range(size):
                _add(out, values, start + i, codes[leaves[i]])


@numba.njit(nogil=True, cache=True)
def _first_best(sums, n_trees):  # type: ignore[no-untyped-def]
    best, top = 0, sums[0] / n_trees
    for k in range(1, sums.size):
        share = sums[k] / n_trees
        if share > top:
            best, top = k, share
    return best


@numba.njit(nogil=True, cache=True)
def _keep_open(sums, which, rows, n_open, rest):  # type: ignore[no-untyped-def]
    """Keep the pixels whose class the `rest` of the trees may still change; gives their number."""
    kept = 0
    for j in range(n_open):
        first, second = 0.0, 0.0
        for k in range(sums.shape[1]):
            s = sums[which[j], k]
            if s > first:
                first, second = s, first
            elif s > second:
                second = s
        which[kept], rows[kept] = which[j], rows[j]
        # each tree changes a difference by at most one; the margin is far above the rounding of the sums
        if first - second <= rest + 1e-6:
            kept += 1
    return kept


@numba.njit(nogil=True, cache=True)
def _vote_early(features, n_features, nodes, codes, roots, values, out):  # type: ignore[no-untyped-def]
    n, n_trees = out.size, roots.size
    sums, which = np.empty((BATCH, values.shape[1])), np.empty(BATCH, np.int64)
    rows, leaves = np.empty(BATCH + LANES, np.uint64), np.empty(BATCH + LANES, np.uint64)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        sums[:] = 0.0
        n_open = size
        for i in range(size):
            which[i] = i
            rows[i] = _U((start + i) * n_features)
        for tree in range(n_trees):
            _find_leaves(nodes, _U(roots[tree]), features, rows, n_open, leaves)
            for j in range(n_open):
                _add(sums, values, which[j], codes[leaves[j]])
            rest = n_trees - tree - 1
            if 0 < rest <= n_trees // 2 and rest % STRIDE == 0:
                n_open = _keep_open(sums, which, rows, n_open, rest)
                if n_open == 0:
                    break
        for i in range(size):
            out[start + i] = _first_best(sums[i], n_trees)


@numba.njit(nogil=True, cache=True)
def _sum_leaves_missing(features, nodes, roots, values, out):  # type: ignore[no-untyped-def]
    n = out.shape[0]
    for start in range(0, n, BATCH):
        for tree in range(roots.size):
            for i in range(start, min(start + BATCH, n)):
                at = roots[tree]
                feature = nodes[at].feature
                while feature >= 0:
                    x = features[i, feature]
                    left = nodes[at].missing == 1 if np.isnan(x) else x <= nodes[at].threshold
                    at = nodes[at].child + (0 if left else 1)
                    feature = nodes[at].feature
                _add(out, values, i, nodes[at].child)


def sum_leaves(
    features: NDArray[np.float32], walk: NDArray[Any], codes: NDArray[np.int32], roots: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Add up the leaf values of every tree, in the order of the trees; features must hold no NaN.

    Args:
        features: (pixel, feature), C order.
        walk: Walking nodes of all trees.
        codes: What each leaf stands for.
        roots: First node of each tree.
        values: Values (leaf, class) of the leaves that are not pure.

    Returns:
        Sums (pixel, class).
    """
    out = np.zeros((features.shape[0], values.shape[1]))
    _sum_leaves(features.ravel(), features.shape[1], walk, codes, roots, values, out)
    return out


def sum_leaves_missing(
    features: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up the leaf values where features may hold NaN, which goes the way that each node states; on stored nodes."""
    out = np.zeros((features.shape[0], values.shape[1]))
    _sum_leaves_missing(features, nodes, roots, values, out)
    return out


def vote_early(
    features: NDArray[np.float32], walk: NDArray[Any], codes: NDArray[np.int32], roots: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.int64]:  # fmt: skip
    """Give the column with the largest sum of leaf values; a pixel leaves as soon as the rest of the trees cannot change it.

    The result equals the first maximum of `sum_leaves(...) / n_trees` for every pixel, ties included.
    """
    out = np.empty(features.shape[0], dtype=np.int64)
    _vote_early(features.ravel(), features.shape[1], walk, codes, roots, values, out)
    return out
