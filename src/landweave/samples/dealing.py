"""Dealing whole units (groups, blocks, clusters) to sides so that each gets its share of every class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["deal_units"]


def deal_units(
    units: NDArray[np.int64], classes: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal whole units to sides so that every side gets its share of every class, as nearly as the units allow.

    Greedy: the largest units first (ties in random order), each to the side where the class counts then fit the shares best.

    Args:
        units: Unit of each row, 0..U-1.
        classes: class_index of each row.
        shares: Share of each side, summing to 1.
        rng: Breaks ties.

    Returns:
        Side of each row.
    """
    n_units, n_sides = int(units.max()) + 1, len(shares)
    counts = np.zeros((n_units, int(classes.max()) + 1))
    np.add.at(counts, (units, classes), 1)
    total = counts.sum(axis=0)
    weighted = counts[:, total > 0] / total[total > 0]
    order = rng.permutation(n_units)
    order = order[np.argsort(-weighted[order].max(axis=1), kind="stable")]
    held = np.zeros((n_sides, weighted.shape[1]))
    side_of = np.empty(n_units, dtype=np.int64)
    filled = np.zeros(n_sides)
    for u in order:
        # how far each side would be from its share, relative to it: the neediest side in the unit's classes gets the unit
        excess = ((held + weighted[u]) / shares[:, None]) ** 2 - (held / shares[:, None]) ** 2
        cost = (excess * shares[:, None]).sum(axis=1)
        near = np.flatnonzero(cost <= cost.min() * (1 + 1e-9) + 1e-12)
        best = near[np.argmin(filled[near] / shares[near])]
        held[best] += weighted[u]
        filled[best] += counts[u].sum()
        side_of[u] = best
    return np.asarray(side_of[units])
