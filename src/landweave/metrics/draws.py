"""Totals of samples drawn with replacement, which every bootstrap here is made of.

Receives one row of quantities per unit; hands on their totals in each draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["draw_totals"]

Floats = NDArray[np.float64]

_DRAW_CELLS = 2_000_000
"""Unit numbers drawn at a time: 16 MB."""
_ALIKE = 8
"""Units per kind of unit from which on drawing how many of each kind is faster than drawing units one by one."""
_SPARSE = 0.1
"""Share of cells that are not 0 below which adding up single cells is faster than a product of full matrices."""


def draw_totals(rows: Floats, *, size: int, draws: int, rng: np.random.Generator) -> Floats:
    """Draw `size` of the n rows with replacement, `draws` times, and add each drawing up.

    How often each row is drawn is multinomial with chances 1/n. Rows that are equal to the last bit are one kind, and how often
    a kind is drawn is multinomial too, with the kind's share as its chance: multinomials keep their form when categories are
    put together (Johnson, Kotz and Balakrishnan 1997, Discrete Multivariate Distributions, chapter 35). Where there are few
    kinds (samples of equal weight fall into at most K x K cells) these are drawn, otherwise the rows one by one; the totals
    have the same distribution either way.

    Args:
        rows: Quantities (n, M).
        size: Rows in each drawing.
        draws: Number of drawings.
        rng: Generator.

    Returns:
        Totals (draws, M).
    """
    n = len(rows)
    kinds, times = _kinds_of(rows)
    if len(kinds) * _ALIKE <= n:
        return np.asarray(rng.multinomial(size, times / n, size=draws) @ kinds)
    return _draw_singly(rows, size, draws, rng)


def _kinds_of(rows: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Give the distinct rows, in order of first appearance, and how many there are of each."""
    raw = np.ascontiguousarray(rows, dtype=np.float64)
    # whole rows compared as bytes sort many times faster than column by column
    keys = raw.view(np.dtype((np.void, raw.itemsize * raw.shape[1]))).ravel()
    _, first, times = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return raw[first[order]], times[order]


def _draw_singly(rows: Floats, size: int, draws: int, rng: np.random.Generator) -> Floats:
    n = len(rows)
    sparse = csr_array(rows.T) if np.count_nonzero(rows) < _SPARSE * rows.size else None
    made = np.empty((draws, rows.shape[1]))
    step = max(1, _DRAW_CELLS // max(n, size))
    for start in range(0, draws, step):
        m = min(step, draws - start)
        picks = rng.integers(n, size=(m, size)) + np.arange(m)[:, None] * n
        times = np.bincount(picks.ravel(), minlength=m * n).reshape(m, n).astype(np.float64)
        made[start : start + m] = times @ rows if sparse is None else (sparse @ times.T).T
    return made
