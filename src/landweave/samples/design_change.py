"""Strata for judging change: where two maps differ, a buffer around it, and what stayed as it was.

Receives two maps of one grid; hands on a raster of strata with its legend, block by block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import GeoBox, Window, split_blocks
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.io.rasters import read_info, read_window
from landweave.legend import LandClass, Legend

__all__ = ["ChangeStrata", "make_change_strata"]

_BLOCK_PX = 1024
_NODATA = 255
Split = Literal["all", "class"]


@dataclass(frozen=True)
class ChangeStrata:
    """A raster of strata and what its codes mean.

    Attributes:
        path: The file, uint8, 255 for nodata.
        legend: Names of the strata: "change" or "from -> to", "buffer" or "buffer of CLASS", "stable" or the class.
    """

    path: Path
    legend: Legend


def make_change_strata(
    before: str | Path, after: str | Path, path: str | Path, *, legend: Legend, buffer_px: int = 3, split_change: Split = "all",
    split_stable: Split = "all",
) -> ChangeStrata:  # fmt: skip
    """Make strata of change, of a buffer around change, and of the rest, and write them as a raster.

    Change that the maps missed lies mostly beside change that they found. In one big stable stratum a single such sample has an
    enormous weight and blows up the error of the area of change; a buffer stratum catches it at a small weight (Olofsson et al.
    2020, doi:10.1016/j.rse.2019.111492).

    Args:
        before: Classified map of the first date.
        after: Classified map of the second date, on the same grid.
        path: The GeoTIFF of strata to write.
        legend: Classes of both maps; other codes are nodata.
        buffer_px: Width of the buffer in pixels; 0 for none.
        split_change: `all` for one stratum of change, `class` for one per transition that occurs.
        split_stable: `all` for one stable stratum, `class` for one per class; splits the buffer likewise.

    Raises:
        SampleError: If the grids differ, nothing changed, or there would be more than 200 strata.
    """
    first, second = str(before), str(after)
    geobox = read_info(first).geobox
    other = read_info(second).geobox
    if tuple(geobox.shape) != tuple(other.shape) or geobox.crs != other.crs or not geobox.affine.almost_equals(other.affine):
        raise SampleError(f"{first} ({geobox.shape[0]} x {geobox.shape[1]}) and {second} ({other.shape[0]} x {other.shape[1]}) "
                          "are not on one grid; warp one of them to the other first")  # fmt: skip
    pair = _Pair(first, second, geobox, legend)
    transitions = pair.find_transitions()
    if not transitions:
        raise SampleError(f"{first} and {second} do not differ in any pixel; there is no change to make strata of")
    coder = _Coder(legend, transitions, buffer_px, split_change, split_stable)
    tags = {"LANDWEAVE_LEGEND": json.dumps(coder.legend.to_dicts())}  # the tag that maps are opened by
    spec = TiffSpec("uint8", ("stratum",), nodata=_NODATA, tags=tags, predictor=1)
    used: set[int] = set()
    write_geotiff(path, geobox, spec, _blocks(pair, coder, used))
    classes = Legend(tuple(c for c in coder.legend if c.code in used))
    return ChangeStrata(Path(path), classes)


@dataclass(frozen=True)
class _Pair:
    before: str
    after: str
    geobox: GeoBox
    legend: Legend

    @property
    def shape(self) -> tuple[int, int]:
        return (self.geobox.shape[0], self.geobox.shape[1])

    def read(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Class indices of both dates, -1 where either has none."""
        made = []
        for path in (self.before, self.after):
            data, valid = read_window(path, [1], self.geobox, window)
            index = self.legend.to_index(np.where(valid[0], data[0], 65535).astype(np.int64)).astype(np.int64)
            made.append(np.where(valid[0], index, -1))
        known = (made[0] >= 0) & (made[1] >= 0)
        return np.where(known, made[0], -1), np.where(known, made[1], -1)

    def find_transitions(self) -> list[tuple[int, int]]:
        """List the pairs of different classes that occur."""
        k = len(self.legend)
        counts = np.zeros(k * k, dtype=np.int64)
        for window in split_blocks(self.shape, _BLOCK_PX):
            a, b = self.read(window)
            here = a >= 0
            counts += np.bincount((a * k + b)[here], minlength=k * k)
        pairs = counts.reshape(k, k)
        return [(int(i), int(j)) for i, j in np.argwhere(pairs > 0) if i != j]


class _Coder:
    """Gives each pixel the code of its stratum."""

    def __init__(
        self, legend: Legend, transitions: list[tuple[int, int]], buffer_px: int, split_change: Split, split_stable: Split
    ) -> None:
        if not 0 <= buffer_px <= 500:
            raise SampleError(f"buffer_px is {buffer_px}; give the width of the buffer in pixels, 0 to 500")
        self.buffer_px = buffer_px
        k = len(legend)
        names = list(legend.names)
        change = ["change"] if split_change == "all" else [f"{names[i]} -> {names[j]}" for i, j in transitions]
        stable = ["stable"] if split_stable == "all" else names
        buffer = [] if not buffer_px else ["buffer"] if split_stable == "all" else [f"buffer of {n}" for n in names]
        if len(change) + len(stable) + len(buffer) > 200:
            raise SampleError(f"{len(change)} transitions, {len(stable)} stable classes and {len(buffer)} buffers are too many "
                              "strata to sample; use split_change='all' or split_stable='all'")  # fmt: skip
        made = Legend.from_names([*change, *buffer, *stable])
        self.legend = Legend(tuple(LandClass(c.code, c.name, c.color) for c in made))
        self._change = np.full((k, k), 1, dtype=np.uint8)
        if split_change == "class":
            for code, (i, j) in enumerate(transitions, start=1):
                self._change[i, j] = code
        at = np.zeros(k, dtype=np.uint8) if split_stable == "all" else np.arange(k, dtype=np.uint8)
        self._buffer = at + len(change) + 1
        self._stable = at + len(change) + len(buffer) + 1

    def code(self, before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Code a window that reaches `buffer_px` pixels farther than what is wanted of it."""
        known, changed = before >= 0, (before >= 0) & (before != after)
        made = np.where(known, self._stable[before], _NODATA).astype(np.uint8)
        if self.buffer_px and changed.any():
            from scipy.ndimage import distance_transform_edt

            near = known & (distance_transform_edt(~changed) <= self.buffer_px)
            made[near] = self._buffer[before[near]]
        made[changed] = self._change[before[changed], after[changed]]
        return made


def _blocks(pair: _Pair, coder: _Coder, used: set[int]) -> Iterator[tuple[Window, NDArray[Any]]]:
    for window in split_blocks(pair.shape, _BLOCK_PX):
        wide = window.pad(coder.buffer_px).clip(pair.shape)
        codes = coder.code(*pair.read(wide))
        top, left = window.row - wide.row, window.col - wide.col
        part = codes[top : top + window.height, left : left + window.width]
        used.update(int(c) for c in np.unique(part) if c != _NODATA)
        yield window, part[None]
