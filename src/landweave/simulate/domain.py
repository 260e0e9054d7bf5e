"""The two lattices of a landscape: the fine output grid, and a coarser one that reaches past it on all sides.

Terrain, rivers, towns and roads are made on the coarse lattice, so that rivers and roads come from and go to somewhere
outside of the picture. Hands on `Domain`, and draws lines onto the fine grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.simulate.noise import compiled

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Domain:
    """Sizes of the lattices; coarse cell (i, j) is centred on fine pixel ((i + 0.5) * cell_px - pad_px - 0.5, ...).

    Attributes:
        shape: Fine rows and columns.
        resolution_m: Size of a fine pixel.
        cell_px: Fine pixels per coarse cell.
        pad_px: Margin of the coarse lattice around the fine grid.
    """

    shape: tuple[int, int]
    resolution_m: float
    cell_px: int
    pad_px: int

    @classmethod
    def around(cls, shape: tuple[int, int], resolution_m: float, *, cells: int = 560) -> Domain:
        """Choose a margin of a quarter of the grid and cells so that the longer side has about `cells` of them."""
        longest = max(shape)
        cell = max(2, round(1.5 * longest / cells))
        return cls(shape, resolution_m, cell, cell * max(4, round(0.25 * longest / cell)))

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """Rows and columns of the coarse lattice."""
        rows, cols = (-(-(n + 2 * self.pad_px) // self.cell_px) for n in self.shape)
        return rows, cols

    @property
    def cell_m(self) -> float:
        """Size of a coarse cell in metres."""
        return self.cell_px * self.resolution_m

    def to_coarse(self, fine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn fine pixel coordinates into coarse ones."""
        result: NDArray[np.float64] = (fine + 0.5 + self.pad_px) / self.cell_px - 0.5
        return result

    def to_fine(self, coarse: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn coarse coordinates into fine pixel coordinates."""
        result: NDArray[np.float64] = (coarse + 0.5) * self.cell_px - self.pad_px - 0.5
        return result

    def refine(self, coarse: NDArray[np.floating[Any]], *, smooth: bool = True) -> FloatArray:
        """Interpolate a coarse field onto the fine grid: cubic B-spline where `smooth`, else linear."""
        weigh = _spline_weights if smooth else _linear_weights
        rows = weigh(self.to_coarse(np.arange(self.shape[0], dtype=np.float64)), coarse.shape[0])
        cols = weigh(self.to_coarse(np.arange(self.shape[1], dtype=np.float64)), coarse.shape[1])
        return np.asarray(rows @ coarse.astype(np.float32) @ cols.T, dtype=np.float32)

    def coarsen(self, fine: NDArray[np.floating[Any]], fill: float) -> FloatArray:
        """Average a fine field into coarse cells; cells outside the fine grid are `fill`."""
        rows, cols = self.coarse_shape
        full = np.full((rows * self.cell_px, cols * self.cell_px), fill, dtype=np.float32)
        full[self.pad_px : self.pad_px + self.shape[0], self.pad_px : self.pad_px + self.shape[1]] = fine
        return np.asarray(full.reshape(rows, self.cell_px, cols, self.cell_px).mean(axis=(1, 3)), dtype=np.float32)


def _linear_weights(at: NDArray[np.float64], n: int) -> FloatArray:
    at = np.clip(at, 0, n - 1)
    i = np.minimum(at.astype(int), n - 2)
    weights = np.zeros((len(at), n), dtype=np.float32)
    lines = np.arange(len(at))
    weights[lines, i] = 1 - (at - i)
    weights[lines, i + 1] = at - i
    return weights


def _spline_weights(at: NDArray[np.float64], n: int) -> FloatArray:
    i = np.floor(at).astype(int)
    t = at - i
    parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    weights = np.zeros((len(at), n), dtype=np.float32)
    for step, part in zip(range(-1, 3), parts, strict=True):
        np.add.at(weights, (np.arange(len(at)), np.clip(i + step, 0, n - 1)), part / 6)
    return weights


@compiled
def draw_lines(cover: NDArray[np.float32], lines: NDArray[np.float64]) -> None:
    """Draw segments onto a cover fraction, in place, keeping the larger of old and new.

    Args:
        cover: Fraction 0..1 (rows, columns).
        lines: Segments (n, 5): row and column of both ends, and width, in pixels.
    """
    rows, cols = cover.shape
    for k in range(lines.shape[0]):
        r0, c0, r1, c1, width = lines[k]
        reach = width / 2 + 1
        dr, dc = r1 - r0, c1 - c0
        length2 = max(dr * dr + dc * dc, 1e-9)
        for r in range(max(0, int(np.floor(min(r0, r1) - reach))), min(rows, int(np.ceil(max(r0, r1) + reach)) + 1)):
            for c in range(max(0, int(np.floor(min(c0, c1) - reach))), min(cols, int(np.ceil(max(c0, c1) + reach)) + 1)):
                t = min(1.0, max(0.0, ((r - r0) * dr + (c - c0) * dc) / length2))
                d = np.sqrt((r - r0 - t * dr) ** 2 + (c - c0 - t * dc) ** 2)
                inside = min(width, 1.0) * min(1.0, max(0.0, width / 2 + 0.5 - d)) if width < 1 else width / 2 + 0.5 - d
                value = np.float32(min(1.0, max(0.0, inside)))
                if value > cover[r, c]:
                    cover[r, c] = value


def path_lines(path: NDArray[np.float64], width: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a path (n, 2) of rows and columns into segments for `draw_lines`."""
    lines = np.empty((len(path) - 1, 5))
    lines[:, :2], lines[:, 2:4] = path[:-1], path[1:]
    lines[:, 4] = width if np.isscalar(width) else np.asarray(width)[:-1]
    return lines
