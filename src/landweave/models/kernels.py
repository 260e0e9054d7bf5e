"""Numba kernels of the forests: packed nodes, one thread, no GIL. Compiled on first use and cached beside this file.

A stored node is 12 bytes: threshold float32, child int32, feature int16, missing int16. Siblings stand side by side, so that
the right child is `child + 1`. A leaf has feature -1 and child = class when pure, or -(row + 1) into the table of leaf values.

To predict, the nodes are turned into a `Walk`, whose leaves lead to themselves: a batch of pixels can then go down a tree
level by level without a branch. The steps of one level do not depend on each other, so that the processor works on many pixels
while it waits for the memory of one. Pixels that have reached a leaf are set aside every few levels. The steps compare whole
numbers that are ordered like the float32 they stand for, which makes a step a comparison and an addition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE", "Walk", "sum_leaves", "to_keys", "to_walk", "vote_early"]

NODE = np.dtype([("threshold", "f4"), ("child", "i4"), ("feature", "i2"), ("missing", "i2")])
"""As stored; `missing` is 1 where NaN goes to the left child, 0 where it goes right."""

BATCH = 512
"""Pixels that pass through a tree together: their features and the tree stay in the first- or second-level cache."""
LEVELS = 3
"""Levels between two looks at which pixels have reached a leaf."""
_APART = 80
"""Entries between arrays that are walked side by side: 4096 bytes apart, a load of one would wait for a store to the other."""
_NAN = np.uint32(0xFFFFFFFF)
"""Key of NaN, above that of infinity."""
STRIDE = 2
"""Trees between two looks at which pixels are decided."""


class Walk(NamedTuple):
    """Trees to walk down; an entry per node unless it says otherwise.

    Attributes:
        thresholds: As `to_keys` gives them; the largest number in a leaf. A larger key goes right.
        limits: The largest key that may go right: below that of NaN where NaN goes left.
        children: Left child, counted from the root of its tree; a leaf has itself. uint16 where no tree is larger, else uint32.
        features: Which feature is compared.
        codes: What a leaf stands for: class, or -(row + 1) of the table of leaf values.
        roots: First node of each tree.
        levels: Levels of each tree to go before the first look at which pixels have reached a leaf: as many as a balanced tree
            of as many leaves would have.
        values: Values (leaf, class) of the leaves that are not pure.
    """

    thresholds: NDArray[np.uint32]
    limits: NDArray[np.uint32]
    children: NDArray[Any]
    features: NDArray[np.uint16]
    codes: NDArray[np.int32]
    roots: NDArray[np.int64]
    levels: NDArray[np.int64]
    values: NDArray[np.float64]


def to_walk(nodes: NDArray[Any], roots: NDArray[np.int64], values: NDArray[np.float64]) -> Walk:
    """Turn stored nodes into walking ones."""
    sizes = np.diff(np.append(roots, len(nodes)))
    first = np.repeat(roots, sizes)
    leaf = nodes["feature"] < 0
    thresholds = np.where(leaf, _NAN, to_keys(nodes["threshold"]))
    limits = np.where(nodes["missing"] == 1, _NAN - np.uint32(1), _NAN)
    children = np.where(leaf, np.arange(len(nodes)), nodes["child"]) - first
    children = children.astype(np.uint16 if sizes.max() <= 65536 else np.uint32)
    features = np.where(leaf, 0, nodes["feature"]).astype(np.uint16)
    codes = np.where(leaf, nodes["child"], 0).astype(np.int32)
    levels = np.ceil(np.log2((sizes + 1) / 2)).astype(np.int64)
    return Walk(thresholds, limits, children, features, codes, roots, levels, values)


@numba.njit(nogil=True, cache=True)
def _write_keys(bits, keys):  # type: ignore[no-untyped-def]  # numba gives the types
    """Turn the bits of float32 values into whole numbers of the same order; 0 and -0 are the same. Tells whether any is NaN."""
    sign, infinity, n_nan = np.uint32(0x80000000), np.uint32(0x7F800000), 0
    for i in range(bits.size):
        b = bits[i] if bits[i] != sign else np.uint32(0)
        is_nan = (b & ~sign) > infinity
        n_nan += int(is_nan)
        keys[i] = _NAN if is_nan else ~b if b >= sign else b | sign
    return n_nan > 0


def to_keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Give whole numbers that are ordered like float32 values, NaN last."""
    keys = np.empty(values.size, dtype=np.uint32)
    _write_keys(_bits(values), keys)
    return keys


@numba.njit(nogil=True, cache=True, inline="always")
def _go_down(thresholds, limits, children, features, keys, has_nan, rows, at, n, n_levels):  # type: ignore[no-untyped-def]
    """Take `n` pixels down some levels: `at` is the node of each, `rows` where its keys begin in the flat array."""
    for _ in range(n_levels):
        if has_nan:
            for i in range(n):
                a = at[i]
                key = keys[rows[i] + np.uint32(features[a])]
                at[i] = np.uint32(children[a]) + np.uint32((thresholds[a] < key) & (key <= limits[a]))
        else:
            for i in range(n):
                a = at[i]
                is_right = np.uint32(thresholds[a] < keys[rows[i] + np.uint32(features[a])])
                at[i] = np.uint32(children[a]) + is_right


@numba.njit(nogil=True, cache=True)
def _find_leaves(  # type: ignore[no-untyped-def]
    thresholds, limits, children, features, n_levels, keys, has_nan, rows, n_rows, leaves, at, which, begin
):
    """Find the leaf of `n_rows` pixels in one tree; `at`, `which` and `begin` are memory for as many pixels."""
    at[:n_rows] = np.uint32(0)
    _go_down(thresholds, limits, children, features, keys, has_nan, rows, at, n_rows, n_levels)
    n_open = 0
    for i in range(n_rows):
        a = at[i]
        leaves[i] = a
        which[n_open], begin[n_open], at[n_open] = np.uint32(i), rows[i], a
        n_open += int(np.uint32(children[a]) != a)
    while n_open > 0:
        _go_down(thresholds, limits, children, features, keys, has_nan, begin, at, n_open, LEVELS)
        kept = 0
        for j in range(n_open):
            a, i = at[j], which[j]
            leaves[i] = a
            which[kept], begin[kept], at[kept] = i, begin[j], a
            kept += int(np.uint32(children[a]) != a)
        n_open = kept


@numba.njit(nogil=True, cache=True, inline="always")
def _add(sums, values, i, leaf):  # type: ignore[no-untyped-def]
    if leaf >= 0:
        sums[i, leaf] += 1.0
    else:
        for k in range(sums.shape[1]):
            sums[i, k] += values[-leaf - 1, k]


@numba.njit(nogil=True, cache=True)
def _sum_leaves(bits, n_features, walk, out):  # type: ignore[no-untyped-def]
    n, keys = out.shape[0], np.empty(BATCH * n_features, np.uint32)
    space = np.empty((5, BATCH + _APART), np.uint32)
    rows, leaves, at, which, begin = space[0], space[1], space[2], space[3], space[4]
    for i in range(BATCH):
        rows[i] = np.uint32(i * n_features)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        has_nan = _write_keys(bits[start * n_features : (start + size) * n_features], keys)
        for tree in range(walk.roots.size):
            root = walk.roots[tree]
            _find_leaves(walk.thresholds[root:], walk.limits[root:], walk.children[root:], walk.features[root:],
                         walk.levels[tree], keys, has_nan, rows, size, leaves, at, which, begin)  # fmt: skip
            own = walk.codes[root:]
            for i in range(size):
                _add(out, walk.values, start + i, own[leaves[i]])


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
def _vote_early(bits, n_features, walk, out):  # type: ignore[no-untyped-def]
    n, n_trees, keys = out.size, walk.roots.size, np.empty(BATCH * n_features, np.uint32)
    sums, open_px = np.empty((BATCH, walk.values.shape[1])), np.empty(BATCH, np.int64)
    space = np.empty((5, BATCH + _APART), np.uint32)
    rows, leaves, at, which, begin = space[0], space[1], space[2], space[3], space[4]
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        sums[:] = 0.0
        n_open = size
        has_nan = _write_keys(bits[start * n_features : (start + size) * n_features], keys)
        for i in range(size):
            open_px[i] = i
            rows[i] = np.uint32(i * n_features)
        for tree in range(n_trees):
            root = walk.roots[tree]
            _find_leaves(walk.thresholds[root:], walk.limits[root:], walk.children[root:], walk.features[root:],
                         walk.levels[tree], keys, has_nan, rows, n_open, leaves, at, which, begin)  # fmt: skip
            own = walk.codes[root:]
            for j in range(n_open):
                _add(sums, walk.values, open_px[j], own[leaves[j]])
            rest = n_trees - tree - 1
            if 0 < rest <= n_trees // 2 and rest % STRIDE == 0:
                n_open = _keep_open(sums, open_px, rows, n_open, rest)
                if n_open == 0:
                    break
        for i in range(size):
            out[start + i] = _first_best(sums[i], n_trees)


def _bits(features: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(features, dtype=np.float32).ravel().view(np.uint32)


def sum_leaves(features: NDArray[np.float32], walk: Walk) -> NDArray[np.float64]:
    """Add up the leaf values of every tree, in the order of the trees.

    Args:
        features: (pixel, feature), C order; NaN goes the way that each node states.
        walk: The trees.

    Returns:
        Sums (pixel, class).
    """
    out = np.zeros((features.shape[0], walk.values.shape[1]))
    _sum_leaves(_bits(features), features.shape[1], walk, out)
    return out


def vote_early(features: NDArray[np.float32], walk: Walk) -> NDArray[np.int64]:
    """Give the column with the largest sum of leaf values; a pixel leaves as soon as the rest of the trees cannot change it.

    The result equals the first maximum of `sum_leaves(features, walk) / n_trees` for every pixel, ties included.
    """
    out = np.empty(features.shape[0], dtype=np.int64)
    _vote_early(_bits(features), features.shape[1], walk, out)
    return out
