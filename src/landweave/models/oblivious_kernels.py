"""Compiled loops over oblivious trees: every node of one depth asks the same question, so that a leaf is a number of bits.

Pixels go through in batches whose values are first replaced by the number of borders below them (one byte). A question is
then a comparison of bytes, which the processor does for dozens of pixels at once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["TreeGroups", "softmax", "sum_oblivious"]

BATCH = 512
"""Pixels that pass through the trees together: their bytes, sums and a tree's leaves stay in the first two caches."""
_U = np.uint64
"""Unsigned places: numba need not look for negative ones."""


@numba.njit(nogil=True, cache=True)
def _count_borders(column, borders, counts, bins):  # type: ignore[no-untyped-def]  # numba gives the types
    """Count the borders below each value; NaN is above none. Counted as wide as the values, to go side by side."""
    counts[:] = 0
    for border in borders:
        for i in range(column.size):
            counts[i] += np.int32(1) if column[i] > border else np.int32(0)
    for i in range(column.size):
        bins[i] = np.uint8(counts[i])


@numba.njit(nogil=True, cache=True)
def _answer(row, level, bit, leaves):  # type: ignore[no-untyped-def]
    for i in range(leaves.size):
        leaves[i] |= bit if row[i] > level else bit - bit


@numba.njit(nogil=True, cache=True)
def _find_leaves(bins, features, levels, bits, leaves):  # type: ignore[no-untyped-def]
    leaves[:] = 0
    for d in range(features.size):
        _answer(bins[features[d]], levels[d], bits[d], leaves)


@numba.njit(nogil=True, cache=True)
def _add_leaves(sums, leaves, values, first):  # type: ignore[no-untyped-def]
    """Add four trees' leaf values to each pixel, one tree after the other; `first` is where a tree's leaves begin."""
    n_columns = _U(sums.shape[1])
    flat = sums.reshape(-1)
    a, b, c, d = leaves
    for i in range(sums.shape[0]):
        own = _U(i) * n_columns
        at0, at1 = (_U(first[0]) + _U(a[i])) * n_columns, (_U(first[1]) + _U(b[i])) * n_columns
        at2, at3 = (_U(first[2]) + _U(c[i])) * n_columns, (_U(first[3]) + _U(d[i])) * n_columns
        for j in range(n_columns):
            k = _U(j)
            flat[own + k] = (((flat[own + k] + values[at0 + k]) + values[at1 + k]) + values[at2 + k]) + values[at3 + k]


class TreeGroups(NamedTuple):
    """Oblivious trees in fours.

    Attributes:
        borders: float32, those of one feature side by side, rising.
        border_starts: First border of each feature, and their number at the end.
        nan_is_high: Per feature, whether NaN lies above all borders; else below.
        split_features: Feature of each question, tree by tree.
        split_levels: uint8; the answer is yes where more borders than this lie below the value.
        split_starts: First question of each tree, and their number at the end; the number of trees is a multiple of four.
        leaf_values: float64, flat: leaf by leaf, tree by tree.
        leaf_starts: First leaf of each tree.
        bits: 1, 2, 4, ... as many as the deepest tree has questions, in the dtype in which leaves are counted.
    """

    borders: NDArray[np.float32]
    border_starts: NDArray[np.int64]
    nan_is_high: NDArray[np.bool_]
    split_features: NDArray[np.int64]
    split_levels: NDArray[np.uint8]
    split_starts: NDArray[np.int64]
    leaf_values: NDArray[np.float64]
    leaf_starts: NDArray[np.int64]
    bits: NDArray[Any]


@numba.njit(nogil=True, cache=True)
def sum_oblivious(features, trees, sums):  # type: ignore[no-untyped-def]
    """Add up leaf values in the order of the trees: `features` float32 (pixel, feature) to `sums` float64 (pixel, column)."""
    n, n_features = features.shape
    bins, leaves = np.empty((n_features, BATCH), np.uint8), np.zeros((4, BATCH), trees.bits.dtype)
    column, counts = np.zeros(BATCH, np.float32), np.empty(BATCH, np.int32)
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        for f in range(n_features):
            first, last = trees.border_starts[f], trees.border_starts[f + 1]
            if first == last:
                continue
            for i in range(size):
                x = features[start + i, f]
                column[i] = np.float32(np.inf) if trees.nan_is_high[f] and np.isnan(x) else x
            _count_borders(column, trees.borders[first:last], counts, bins[f])
        for t in range(0, trees.split_starts.size - 1, 4):
            for j in range(4):
                first, last = trees.split_starts[t + j], trees.split_starts[t + j + 1]
                _find_leaves(bins, trees.split_features[first:last], trees.split_levels[first:last], trees.bits, leaves[j])
            four = (leaves[0], leaves[1], leaves[2], leaves[3])
            _add_leaves(sums[start : start + size], four, trees.leaf_values, trees.leaf_starts[t : t + 4])


@numba.njit(nogil=True, cache=True)
def softmax(scores):  # type: ignore[no-untyped-def]
    """Turn scores (pixel, column) into probabilities in place; the first maximum stays the first maximum."""
    for i in range(scores.shape[0]):
        own = scores[i]
        best = 0
        for k in range(1, own.size):
            if own[k] > own[best]:
                best = k
        top, total = own[best], 0.0
        for k in range(own.size):
            own[k] = math.exp(own[k] - top)
            total += own[k]
        for k in range(own.size):
            own[k] /= total
        for k in range(best):
            if own[k] >= own[best]:  # scores so close that their exponentials are equal
                own[best] = np.nextafter(own[k], 2.0)
