"""Parcels: blocks of land between tracks, each split into fields that share its orientation; and connected regions.

Receives sizes and orientations per block; hands on parcel codes per pixel and numbered regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.simulate.domain import FloatArray
from landweave.simulate.noise import compiled, hash_place, hash_uniform


@dataclass(frozen=True)
class BlockLattice:
    """A jittered lattice of block seeds that covers a grid with one lattice cell to spare on every side.

    Attributes:
        shape: Fine rows and columns.
        spacing_px: Distance between seeds.
        key: Key of the hash noise.
    """

    shape: tuple[int, int]
    spacing_px: float
    key: int

    @property
    def counts(self) -> tuple[int, int]:
        """Seeds per column and per row of the lattice."""
        rows, cols = (int(n // self.spacing_px) + 5 for n in self.shape)
        return rows, cols

    def seeds(self) -> FloatArray:
        """Positions of the seeds (lattice rows * lattice columns, 2) in fine rows and columns."""
        return _seeds(self.counts[0], self.counts[1], self.spacing_px, self.key)


@compiled
def _seeds(rows: int, cols: int, spacing: float, key: int) -> NDArray[np.float32]:
    seeds = np.empty((rows * cols, 2), dtype=np.float32)
    for i in range(rows):
        for j in range(cols):
            seeds[i * cols + j, 0] = (i - 2 + 0.15 + 0.7 * hash_uniform(key, i, 2 * j)) * spacing
            seeds[i * cols + j, 1] = (j - 2 + 0.15 + 0.7 * hash_uniform(key, i, 2 * j + 1)) * spacing
    return seeds


def split_parcels(
    lattice: BlockLattice, *, angle: FloatArray, target_px: FloatArray, elongation: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """Split every block into parcels by halving it again and again, each time across or along its orientation.

    Args:
        lattice: The blocks: the Voronoi cells of its seeds.
        angle: Orientation of each block in radians.
        target_px: Area in pixels below which a parcel of the block is not split any more.
        elongation: Length over width that its parcels tend to.

    Returns:
        Parcel code (rows, columns) and the distance to the nearest track in pixels: tracks run along the edges of blocks
        and along the first cuts.
    """
    return _split(
        lattice.shape[0], lattice.shape[1], lattice.counts[1], lattice.seeds(), lattice.spacing_px, lattice.key,
        angle, target_px, elongation,
    )  # fmt: skip


@compiled
def _split(
    rows: int, cols: int, lattice_cols: int, seeds: NDArray[np.float32], spacing: float, key: int,
    angle: NDArray[np.float32], target: NDArray[np.float32], elongation: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:  # fmt: skip
    parcel = np.empty((rows, cols), dtype=np.int64)
    edge = np.empty((rows, cols), dtype=np.float32)
    for r in range(rows):
        for c in range(cols):
            i0, j0 = int(r / spacing) + 2, int(c / spacing) + 2
            first, second, block = 1e18, 1e18, 0
            for i in range(i0 - 2, i0 + 3):
                for j in range(j0 - 2, j0 + 3):
                    k = i * lattice_cols + j
                    d = (seeds[k, 0] - r) ** 2 + (seeds[k, 1] - c) ** 2
                    if d < first:
                        first, second, block = d, first, k
                    elif d < second:
                        second = d
            code, cut = _descend(
                r - seeds[block, 0], c - seeds[block, 1], spacing, key, block, angle[block], target[block], elongation[block]
            )
            parcel[r, c] = code
            edge[r, c] = min(cut, 0.5 * (np.sqrt(second) - np.sqrt(first)))
    return parcel, edge


@compiled
def _descend(
    dr: float, dc: float, spacing: float, key: int, block: int, angle: float, target: float, elongation: float
) -> tuple[int, float]:  # fmt: skip
    u, v = np.cos(angle) * dr + np.sin(angle) * dc, -np.sin(angle) * dr + np.cos(angle) * dc
    u0, u1, v0, v1 = -1.2 * spacing, 1.2 * spacing, -1.2 * spacing, 1.2 * spacing
    node = 1
    nearest = 1e9
    while node < 1 << 20:
        salt = hash_uniform(key, block, 3 * node)
        if (u1 - u0) * (v1 - v0) < target * (0.7 + 1.2 * salt):
            break
        ratio = 0.36 + 0.28 * hash_uniform(key, block, 3 * node + 1)
        node *= 2
        # a piece of more than ten parcels is cut along a track
        by_track = (u1 - u0) * (v1 - v0) > 10.0 * target
        if (u1 - u0) > elongation * (v1 - v0):
            cut = u0 + ratio * (u1 - u0)
            if by_track:
                nearest = min(nearest, abs(u - cut))
            if u < cut:
                u1 = cut
            else:
                u0 = cut
                node += 1
        else:
            cut = v0 + ratio * (v1 - v0)
            if by_track:
                nearest = min(nearest, abs(v - cut))
            if v < cut:
                v1 = cut
            else:
                v0 = cut
                node += 1
    return np.int64(np.uint64(hash_place(key, block, node)) >> np.uint64(2)), nearest  # type: ignore[return-value]


@compiled
def label_regions(code: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number the 4-connected regions of equal code from 0, in reading order; negative codes become -1."""
    rows, cols = code.shape
    parent = np.arange(rows * cols, dtype=np.int32)
    for r in range(rows):
        for c in range(cols):
            if code[r, c] < 0:
                continue
            i = r * cols + c
            above = r > 0 and code[r - 1, c] == code[r, c]
            left = c > 0 and code[r, c - 1] == code[r, c]
            for j, same in ((i - cols, above), (i - 1, left)):
                if same:
                    a, b = i, j
                    while parent[a] != a:
                        parent[a] = parent[parent[a]]
                        a = parent[a]
                    while parent[b] != b:
                        parent[b] = parent[parent[b]]
                        b = parent[b]
                    parent[max(a, b)] = min(a, b)
    label = np.full((rows, cols), -1, dtype=np.int32)
    count = 0
    for r in range(rows):
        for c in range(cols):
            if code[r, c] < 0:
                continue
            i = r * cols + c
            a = i
            while parent[a] != a:
                a = parent[a]
            if a == i:
                label[r, c] = count
                count += 1
            else:
                label[r, c] = label[a // cols, a % cols]
    return label


def mean_by(label: NDArray[np.int32], field: NDArray[np.float32]) -> FloatArray:
    """Average a field over each region; shape (regions,)."""
    inside = label >= 0
    count = np.bincount(label[inside])
    total = np.bincount(label[inside], weights=field[inside])
    return np.asarray(total / np.maximum(count, 1), dtype=np.float32)
