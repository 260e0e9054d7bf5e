"""Decoded blocks of cubes, kept in memory up to a bound: chips are cut from them instead of from files.

Receives cubes; hands on windows of them as values without gaps and their validity.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landweave.cube.blocks import read_padded
from landweave.grid import Window

__all__ = ["BlockCache", "Pixels"]

Key = tuple[int, str, int, int]


@dataclass(frozen=True)
class Pixels:
    """A window of a cube.

    Attributes:
        values: float32 (time, band, y, x), or (band, y, x) when static; 0 where there is no observation.
        valid: uint8 (time, y, x), or (y, x) when static; 1 where all bands are observed.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.values.nbytes + self.valid.nbytes

    @classmethod
    def from_values(cls, values: NDArray[np.float32]) -> Pixels:
        """Take values with NaN where there is no observation; a pixel that lacks a band is invalid but keeps its others."""
        missing = np.isnan(values)
        valid = ~missing.any(axis=-3)
        if missing.any():
            values = np.where(missing, np.float32(0), values)
        return cls(values, np.asarray(valid, dtype=np.uint8))


class BlockCache:
    """Reads blocks of cubes once and forgets the least recently used ones beyond `max_bytes`.

    Attributes:
        max_bytes: Bound of the blocks held; the block that is being read comes on top.
        block_px: Side of a block in pixels of the cube's own grid.
        n_read: Blocks that were decoded so far.
        n_found: Blocks that were found in memory.
    """

    def __init__(self, cubes: Mapping[tuple[int, str], xr.DataArray], *, max_bytes: int, block_px: int) -> None:
        """Take cubes by (source, name); nothing is read yet."""
        self.max_bytes, self.block_px = max_bytes, block_px
        self.n_read = self.n_found = self.nbytes = 0
        self._cubes = dict(cubes)
        self._held: OrderedDict[Key, Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, source: int, name: str, window: Window) -> Pixels:
        """Give a window of a cube, which may reach past its edge: what lies outside is invalid.

        Raises:
            SourceError: If a file cannot be read; names it.
        """
        cube = self._cubes[source, name]
        values = np.zeros((*cube.shape[:-2], window.height, window.width), dtype=np.float32)
        valid = np.zeros((*cube.shape[:-3], window.height, window.width), dtype=np.uint8)
        inside = window.clip((cube.sizes["y"], cube.sizes["x"]))
        if inside.height == 0 or inside.width == 0:
            return Pixels(values, valid)
        size = self.block_px
        for i in range(inside.row // size, -(-inside.row_end // size)):
            for j in range(inside.col // size, -(-inside.col_end // size)):
                block = self._block((source, name, i, j))
                top, left = max(inside.row, i * size), max(inside.col, j * size)
                bottom, right = min(inside.row_end, (i + 1) * size), min(inside.col_end, (j + 1) * size)
                theirs = (..., slice(top - i * size, bottom - i * size), slice(left - j * size, right - j * size))
                ours = (..., slice(top - window.row, bottom - window.row), slice(left - window.col, right - window.col))
                values[ours], valid[ours] = block.values[theirs], block.valid[theirs]
        return Pixels(values, valid)

    def _block(self, key: Key) -> Pixels:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                self.n_found += 1
                return self._held[key]
        source, name, i, j = key
        cube = self._cubes[source, name]
        window = Window(i * self.block_px, j * self.block_px, self.block_px, self.block_px)
        block = Pixels.from_values(read_padded(cube, window.clip((cube.sizes["y"], cube.sizes["x"]))))
        with self._lock:
            self.n_read += 1
            if key not in self._held and block.nbytes <= self.max_bytes:
                self._held[key] = block
                self.nbytes += block.nbytes
                while self.nbytes > self.max_bytes:
                    self.nbytes -= self._held.popitem(last=False)[1].nbytes
        return block
