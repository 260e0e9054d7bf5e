"""Two-stage cluster samples: squares of pixels drawn at random, then pixels drawn at random within each.

Receives the shape of a grid and which of its pixels may be drawn; hands on places with their inclusion probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import Window, split_blocks

__all__ = ["DrawnClusters", "pick_clusters"]


@dataclass(frozen=True)
class DrawnClusters:
    """Places of a two-stage draw.

    Attributes:
        rows: Row of each place (n,).
        cols: Column (n,).
        psu: Row and column of each place's square in the lattice of squares (n, 2).
        probability: Inclusion probability (n,): squares drawn / squares there are, times places / pixels in the square.
        n_clusters: Squares that there are, each with at least one pixel to draw.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    psu: NDArray[np.int64]
    probability: NDArray[np.float64]
    n_clusters: int


def pick_clusters(
    shape: tuple[int, int], allowed: Callable[[Window], NDArray[np.bool_]], *, n: int, psu_px: int, per_psu: int,
    rng: np.random.Generator,
) -> DrawnClusters:  # fmt: skip
    """Draw squares by simple random sampling, and then pixels within each likewise (Cochran 1977, chapter 10).

    Args:
        shape: Rows and columns of the grid.
        allowed: Window -> which of its pixels may be drawn (y, x).
        n: Places in all; rounded up to whole squares, and fewer where squares hold less than `per_psu` pixels.
        psu_px: Side of a square in pixels; those at the edge of the grid are smaller.
        per_psu: Places in each square.
        rng: Generator.

    Raises:
        SampleError: If there are fewer squares than needed.
    """
    sizes = _count(shape, allowed, psu_px)
    there = np.argwhere(sizes > 0)
    wanted = max(2, math.ceil(n / per_psu))
    if wanted > len(there):
        raise SampleError(f"{n} places at {per_psu} a square take {wanted} squares, but only {len(there)} are there, of "
                          f"{psu_px} x {psu_px} pixels; ask for fewer places, for more per square (per_psu) or for smaller "
                          "squares (psu_px)")  # fmt: skip
    chosen = there[np.sort(rng.choice(len(there), wanted, replace=False))]
    parts = []
    for i, j in chosen:
        window = Window(int(i) * psu_px, int(j) * psu_px, psu_px, psu_px).clip(shape)
        pixels = np.argwhere(allowed(window))
        k = min(per_psu, len(pixels))
        at = pixels[np.sort(rng.choice(len(pixels), k, replace=False))]
        chance = wanted / len(there) * k / len(pixels)
        square = np.tile([i, j], (k, 1))
        parts.append(np.column_stack([at[:, 0] + window.row, at[:, 1] + window.col, square, np.full(k, chance)]))
    made = np.concatenate(parts)
    whole = made[:, :4].astype(np.int64)
    return DrawnClusters(whole[:, 0], whole[:, 1], whole[:, 2:4], made[:, 4], len(there))


def _count(shape: tuple[int, int], allowed: Callable[[Window], NDArray[np.bool_]], psu_px: int) -> NDArray[np.int64]:
    """Count the pixels to draw from in each square of the lattice."""
    rows, cols = -(-shape[0] // psu_px), -(-shape[1] // psu_px)
    sizes = np.zeros(rows * cols, dtype=np.int64)
    block = psu_px * max(1, 1024 // psu_px)
    for window in split_blocks(shape, block):
        r, c = np.nonzero(allowed(window))
        at = (r + window.row) // psu_px * cols + (c + window.col) // psu_px
        sizes += np.bincount(at, minlength=rows * cols)
    return sizes.reshape(rows, cols)
