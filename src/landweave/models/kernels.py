"""Numba kernels of the forests: packed nodes, one thread, no GIL. Compiled on first use and cached beside this file.

A stored node is 12 bytes: threshold float32, child int32, feature int16, missing int16. Siblings stand side by side, so that
the right child is `child + 1`. A leaf has feature -1 and child = class when pure, or -(row + 1) into the table of leaf values.

For features without NaN the nodes are turned into `Walk` nodes, whose leaves lead to themselves: eight pixels can then go
down a tree side by side without a branch, and the processor works on one while it waits for the memory of another. They
compare whole numbers that are ordered like the float32 they stand for, which makes a step a comparison and an addition with
carry.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE", "Walk", "sum_leaves", "sum_leaves_missing", "to_keys", "to_walk", "vote_early"]

NODE = np.dtype([("threshold", "f4"), ("child", "i4"), ("feature", "i2"), ("missing", "i2")])
"""As stored; `missing` is 1 where NaN goes to the left child, 0 where it goes right."""
SMALL = np.dtype([("threshold", "u4"), ("child", "u2"), ("feature", "u2")])
"""As walked, where no tree has more than 65536 nodes: 8 bytes, child counted from the root of its tree."""
LARGE = np.dtype([("threshold", "u4"), ("child", "u4"), ("feature", "u4")])
"""As walked otherwise. All unsigned: numba need not look for negative indices."""

BATCH = 128
"""Pixels that pass through a tree together: their features and the tree stay in the first-level cache."""
LANES = 8
STRIDE = 2
"""Trees between two looks at which pixels are decided."""
_U = np.uint64


class Walk(NamedTuple):
    """Trees for features without NaN.

    Attributes:
        nodes: SMALL or LARGE; a leaf has the largest threshold and itself as child.
        codes: What each leaf stands for: class, or -(row + 1) of the table of leaf values.
        roots: First node of each tree.
        values: Values (leaf, class) of the leaves that are not pure.
    """

    nodes: NDArray[Any]
    codes: NDArray[np.int32]
    roots: NDArray[np.int64]
    values: NDArray[np.float64]


def to_walk(nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64]) -> Walk:
    """Turn stored nodes into walking ones."""
    sizes = np.diff(np.append(roots, len(nodes)))
    first = np.repeat(roots, sizes)
    leaf = nodes["feature"] < 0
    walk = np.empty(len(nodes), dtype=SMALL if sizes.max() <= 65536 else LARGE)
    walk["threshold"] = np.where(leaf, np.uint32(0xFFFFFFFF), to_keys(nodes["threshold"]))
    walk["child"] = np.where(leaf, np.arange(len(nodes)), nodes["child"]) - first
    walk["feature"] = np.where(leaf, 0, nodes["feature"])
    return Walk(walk, np.where(leaf, nodes["child"], 0).astype(np.int32), roots, values)


@numba.njit(nogil=True, cache=True)
def _write_keys(bits, keys):  # type: ignore[no-untyped-def]  # numba gives the types
    """Turn the bits of float32 values (no NaN) into whole numbers of the same order; 0 and -0 are the same."""
    sign = np.uint32(0x80000000)
    for i in range(bits.size):
        b = bits[i] if bits[i] != sign else np.uint32(0)
        keys[i] = ~b if b >= sign else b | sign


def to_keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Give whole numbers that are ordered like float32 values (no NaN)."""
    keys = np.empty(values.size, dtype=np.uint32)
    _write_keys(_bits(values), keys)
    return keys


@numba.njit(nogil=True, cache=True, inline="always")
def _step(nodes, at, keys, row):  # type: ignore[no-untyped-def]
    node = nodes[at]
    return _U(node.child) + _U(node.threshold < keys[row + _U(node.feature)])


@numba.njit(nogil=True, cache=True)
def _find_leaves(tree, keys, rows, n_rows, leaves):  # type: ignore[no-untyped-def]
    """Find the leaf of `n_rows` pixels, whose keys begin at `rows` of the flat array; room for LANES more is needed."""
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
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = _U(0)
        while True:  # two steps down, then a look whether the second one led anywhere
            b0 = _step(tree, a0, keys, r0)
            b1 = _step(tree, a1, keys, r1)
            b2 = _step(tree, a2, keys, r2)
            b3 = _step(tree, a3, keys, r3)
            b4 = _step(tree, a4, keys, r4)
            b5 = _step(tree, a5, keys, r5)
            b6 = _step(tree, a6, keys, r6)
            b7 = _step(tree, a7, keys, r7)
            a0 = _step(tree, b0, keys, r0)
            a1 = _step(tree, b1, keys, r1)
            a2 = _step(tree, b2, keys, r2)
            a3 = _step(tree, b3, keys, r3)
            a4 = _step(tree, b4, keys, r4)
            a5 = _step(tree, b5, keys, r5)
            a6 = _step(tree, b6, keys, r6)
            a7 = _step(tree, b7, keys, r7)
            moved = (a0 ^ b0) | (a1 ^ b1) | (a2 ^ b2) | (a3 ^ b3) | (a4 ^ b4) | (a5 ^ b5) | (a6 ^ b6) | (a7 ^ b7)
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


@numba.njit(nogil=True, cache=True, inline="always")
def _add(sums, values, i, leaf):  # type: ignore[no-untyped-def]
    if leaf >= 0:
        sums[i, leaf] += 1.0
    else:
        for k in range(sums.shape[1]):
            sums[i, k] += values[-leaf - 1, k]


@numba.njit(nogil=True, cache=True)
def _sum_leaves(bits, n_features, nodes, codes, roots, values, out):  # type: ignore[no-untyped-def]
    n, keys = out.shape[0], np.empty(BATCH * n_features, np.uint32)
    rows, leaves = np.empty(BATCH + LANES, np.uint64), np.empty(BATCH + LANES, np.uint64)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        _write_keys(bits[start * n_features : (start + size) * n_features], keys)
        for i in range(size):
            rows[i] = _U(i * n_features)
        for tree in range(roots.size):
            _find_leaves(nodes[roots[tree] :], keys, rows, size, leaves)
            own = codes[roots[tree] :]
            for i in range(size):
                _add(out, values, start + i, own[leaves[i]])


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
def _vote_early(bits, n_features, nodes, codes, roots, values, out):  # type: ignore[no-untyped-def]
    n, n_trees, keys = out.size, roots.size, np.empty(BATCH * n_features, np.uint32)
    sums, which = np.empty((BATCH, values.shape[1])), np.empty(BATCH, np.int64)
    rows, leaves = np.empty(BATCH + LANES, np.uint64), np.empty(BATCH + LANES, np.uint64)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        sums[:] = 0.0
        n_open = size
        _write_keys(bits[start * n_features : (start + size) * n_features], keys)
        for i in range(size):
            which[i] = i
            rows[i] = _U(i * n_features)
        for tree in range(n_trees):
            _find_leaves(nodes[roots[tree] :], keys, rows, n_open, leaves)
            own = codes[roots[tree] :]
            for j in range(n_open):
                _add(sums, values, which[j], own[leaves[j]])
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


def _bits(features: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(features, dtype=np.float32).ravel().view(np.uint32)


def sum_leaves(features: NDArray[np.float32], walk: Walk) -> NDArray[np.float64]:
    """Add up the leaf values of every tree, in the order of the trees.

    Args:
        features: (pixel, feature), C order, no NaN.
        walk: The trees.

    Returns:
        Sums (pixel, class).
    """
    out = np.zeros((features.shape[0], walk.values.shape[1]))
    _sum_leaves(_bits(features), features.shape[1], walk.nodes, walk.codes, walk.roots, walk.values, out)
    return out


def sum_leaves_missing(
    features: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up the leaf values where features may hold NaN, which goes the way that each stored node states."""
    out = np.zeros((features.shape[0], values.shape[1]))
    _sum_leaves_missing(features, nodes, roots, values, out)
    return out


def vote_early(features: NDArray[np.float32], walk: Walk) -> NDArray[np.int64]:
    """Give the column with the largest sum of leaf values; a pixel leaves as soon as the rest of the trees cannot change it.

    The result equals the first maximum of `sum_leaves(features, walk) / n_trees` for every pixel, ties included.
    """
    out = np.empty(features.shape[0], dtype=np.int64)
    _vote_early(_bits(features), features.shape[1], walk.nodes, walk.codes, walk.roots, walk.values, out)
    return out
