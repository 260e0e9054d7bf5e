"""Distance to the nearest training row, exact, for many pixels: rows in leaves of 64 whose boxes are skipped when too far.

A leaf's 64 rows, and the boxes of all leaves, are worked on side by side (one feature after the other), so that the compiler
uses whole vector registers. Boxes are the tight ones around a leaf's rows: of 5000 rows of ten independent features they
still let half be skipped.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAF", "UNROLL", "build_leaves", "nearest_distance"]

LEAF = 64
"""Rows of a leaf."""
UNROLL = 5
"""Features added in one pass over a leaf; their number is padded to a multiple."""
_FAR = 1e17
"""Coordinate of the rows that fill the last leaf: never nearest, and its square still fits into float32."""
_SAFE = np.float32(0.9999)
"""A box counts as this much nearer (in squares): sums of float32 in another order differ by far less."""


def build_leaves(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Put rows into leaves of near ones, by halving along the widest direction.

    Args:
        rows: (row, feature), scaled and weighted.

    Returns:
        Leaves (leaf, feature', LEAF), and the least and largest value in each (feature', leaf); feature' is padded with zeros.
    """
    n_features = -(-rows.shape[1] // UNROLL) * UNROLL
    padded = np.zeros((len(rows), n_features), dtype=np.float32)
    padded[:, : rows.shape[1]] = rows
    parts = _halve(padded, np.arange(len(padded)))
    leaves = np.full((len(parts), n_features, LEAF), _FAR, dtype=np.float32)
    lower, upper = (np.empty((n_features, len(parts)), np.float32) for _ in range(2))
    for i, part in enumerate(parts):
        mine = padded[part]
        leaves[i, :, : len(part)] = mine.T
        lower[:, i], upper[:, i] = mine.min(axis=0), mine.max(axis=0)
    return leaves, lower, upper


def _halve(rows: NDArray[np.float32], index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if len(index) <= LEAF:
        return [index]
    mine = rows[index]
    widest = int(np.argmax(mine.var(axis=0, dtype=np.float64)))
    order = index[np.argsort(mine[:, widest], kind="stable")]
    # whole leaves on the left, so that only the last leaf is partly empty
    middle = -(-len(index) // LEAF) // 2 * LEAF
    return _halve(rows, order[:middle]) + _halve(rows, order[middle:])


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nnan", "nsz"}, error_model="numpy")
def nearest_distance(  # type: ignore[no-untyped-def]
    features, mean, factor, leaves, lower, upper, out
):  # pragma: no cover (compiled)
    """Write the distance of each row of `features` (row, feature) to the nearest row of the leaves into `out` (row).

    `mean` and `factor` (feature) bring a row to the leaves' scale; NaN counts as the mean. The result does not depend on which
    leaves are skipped: every distance is computed in one order, and a leaf is skipped only where its box is farther than the
    best (Friedman, Bentley and Finkel 1977, doi:10.1145/355744.355745) by more than rounding.
    """
    n_leaves, n_padded = lower.shape[1], lower.shape[0]
    z = np.zeros(n_padded, dtype=np.float32)
    to_box = np.empty(n_leaves, dtype=np.float32)
    near = np.empty(n_leaves + 1, dtype=np.int64)
    lane = np.empty(LEAF, dtype=np.float32)
    for i in range(features.shape[0]):
        _scale(features[i], mean, factor, z)
        _box_distances(lower, upper, z, to_box)
        least = to_box[0]
        for j in range(n_leaves):
            least = min(least, to_box[j])
        first = 0
        while to_box[first] > least:
            first += 1
        best = _leaf_distance(leaves, first, z, lane, np.float32(np.inf))
        to_box[first] = np.float32(np.inf)
        # written always and counted sometimes: no branch to be guessed wrong
        n_near = 0
        for j in range(n_leaves):
            near[n_near] = j
            n_near += to_box[j] * _SAFE <= best
        for k in range(n_near):
            if to_box[near[k]] * _SAFE <= best:
                best = _leaf_distance(leaves, near[k], z, lane, best)
        out[i] = math.sqrt(best)


# fast mathematics take it for granted that nothing is NaN, and numba hands them on to what is called unless told otherwise
@numba.njit(nogil=True, cache=True, fastmath=False, error_model="numpy")
def _scale(row, mean, factor, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    for f in range(row.shape[0]):
        v = row[f]
        out[f] = np.float32(0) if math.isnan(v) else (v - mean[f]) * factor[f]


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nnan", "nsz"}, error_model="numpy", inline="always")
def _box_distances(lower, upper, z, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    zero = np.float32(0)
    for j in range(lower.shape[1]):
        out[j] = zero
    for f in range(0, z.shape[0], UNROLL):
        a0, a1, a2, a3, a4 = z[f], z[f + 1], z[f + 2], z[f + 3], z[f + 4]
        for j in range(lower.shape[1]):
            d0 = max(max(lower[f, j] - a0, a0 - upper[f, j]), zero)
            d1 = max(max(lower[f + 1, j] - a1, a1 - upper[f + 1, j]), zero)
            d2 = max(max(lower[f + 2, j] - a2, a2 - upper[f + 2, j]), zero)
            d3 = max(max(lower[f + 3, j] - a3, a3 - upper[f + 3, j]), zero)
            d4 = max(max(lower[f + 4, j] - a4, a4 - upper[f + 4, j]), zero)
            out[j] += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nnan", "nsz"}, error_model="numpy", inline="always")
def _leaf_distance(leaves, j, z, lane, best):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    for k in range(LEAF):
        lane[k] = np.float32(0)
    for f in range(0, z.shape[0], UNROLL):
        a0, a1, a2, a3, a4 = z[f], z[f + 1], z[f + 2], z[f + 3], z[f + 4]
        for k in range(LEAF):
            d0, d1, d2 = leaves[j, f, k] - a0, leaves[j, f + 1, k] - a1, leaves[j, f + 2, k] - a2
            d3, d4 = leaves[j, f + 3, k] - a3, leaves[j, f + 4, k] - a4
            lane[k] += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4
    for k in range(LEAF):
        best = min(best, lane[k])
    return best
