"""Sorting networks over lanes of pixels: the order statistics of many series or windows at once, without branches.

A network's comparisons do not depend on the data, so that the compiler turns each into two vector instructions for a run of
neighbouring pixels; and a pixel's result depends on its own values alone, not on its neighbours in the run.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["LANES", "network", "sort_lanes"]

LANES = 128
"""Neighbouring pixels sorted together."""


@lru_cache(maxsize=64)
def network(n: int, n_highest: int | None = None, *, n_ranked: int | None = None) -> NDArray[np.int64]:
    """Give the comparisons (pair, 2) that sort `n` values, highest first: Batcher's odd-even merge sort.

    Args:
        n: Number of values.
        n_highest: Where only the set of so many highest values matters, comparisons inside either set are left out.
        n_ranked: Where only the ranks of so many highest values matter, those that order the rest are left out.

    Returns:
        Pairs of positions in order; after each the higher value stands at the first.
    """
    pairs = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                pairs += [(i + j, i + j + k) for i in range(min(k, n - j - k)) if (i + j) // (2 * p) == (i + j + k) // (2 * p)]
            k //= 2
        p *= 2
    if n_highest is not None:
        pairs = _prune(pairs, [_HIGH if i < n_highest else _ANY for i in range(n)])
    if n_ranked is not None:
        pairs = _prune(pairs, [_EXACT if i < n_ranked else _ANY for i in range(n)])
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


_ANY, _HIGH, _EXACT = 0, 1, 2


def _prune(pairs: list[tuple[int, int]], need: list[int]) -> list[tuple[int, int]]:
    """Drop, from the end, the comparisons between two positions of which only the membership in a set matters.

    `need` says of each position what it must hold in the end: any of the rest, any of the highest, or the value of that rank.
    """
    kept = []
    for a, b in reversed(pairs):
        if need[a] == need[b] != _EXACT:
            continue
        need[a] = need[b] = _EXACT
        kept.append((a, b))
    return kept[::-1]


@numba.njit(nogil=True, cache=True, inline="always")
def sort_lanes(buffer, pairs):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Sort every column of `buffer` (value, lane), highest first, by the comparisons of `network`; -inf where there is none."""
    for i in range(pairs.shape[0]):
        a = buffer[pairs[i, 0]]
        b = buffer[pairs[i, 1]]
        for lane in range(buffer.shape[1]):
            u = a[lane]
            v = b[lane]
            a[lane] = max(u, v)
            b[lane] = min(u, v)
