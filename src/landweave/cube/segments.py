"""Segments as a cube: every pixel carries the measures of its segment, for object-based mapping.

Receives the cube that segments are cut from; hands on a static cube that is computed when it is read.

Segments are cut in windows anchored at the grid's origin (see `features.segments`) from the mean over time of each band, scaled
by a fixed range. So a pixel's measures depend on the grid and the imagery alone, not on the block it is read in: training and
mapping see the same numbers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landweave.cube.backend import WindowReader, make_cube
from landweave.cube.derived_options import SegmentCubeOptions
from landweave.cube.plan import CubePlan
from landweave.cube.spatial import DEFAULT_RANGE
from landweave.errors import BandError, CubeError
from landweave.features.segment_statistics import segment_bands, segment_statistics
from landweave.features.segments import segment_window
from landweave.grid import GeoBox, Window, geobox_of

__all__ = ["SEGMENTS", "SegmentReader", "make_segments"]

SEGMENTS = "segments"
"""Name of the cube."""

_KEPT = 64
"""Windows whose segments are kept: labels and a table each, some 2 MiB at 512 pixels."""
_STRIP_PX = 128
"""Rows that are read at a time, with all dates."""

_Part = tuple[NDArray[np.int32], NDArray[np.float32]]


class SegmentReader:
    """Computes windows of the cube of segments; each anchored window is segmented once while it is kept."""

    def __init__(
        self, source: WindowReader, plan: CubePlan, options: SegmentCubeOptions, *, measured: Sequence[int],
        by: Mapping[int, tuple[float, float]], n_steps: int,
    ) -> None:  # fmt: skip
        """Take what the imagery is read by.

        Args:
            source: Reads the imagery; no other reader's, since it counts nothing.
            plan: Its plan, for those who ask which files it reads.
            options: Method and measures.
            measured: Positions of the bands that are measured.
            by: Position of each band that segments are cut by -> the values that become 0 and 1.
            n_steps: Dates of the imagery.
        """
        self.source, self.plan, self.options = source, plan, options
        self.measured, self.by, self.n_steps = tuple(measured), dict(by), n_steps
        self._start()

    def _start(self) -> None:
        self._kept: OrderedDict[tuple[int, int], _Part] = OrderedDict()
        self._busy: dict[tuple[int, int], threading.Lock] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._start()

    @property
    def paths(self) -> tuple[str, ...]:
        """The imagery's files."""
        return self.plan.paths

    def read(self, window: Window, steps: Sequence[int], bands: Sequence[int]) -> NDArray[np.float32]:
        """Compute (1, band, y, x)."""
        out = np.full((1, len(bands), window.height, window.width), np.nan, dtype=np.float32)
        side = self.options.window_px
        for i in range(window.row // side, -(-window.row_end // side)):
            for j in range(window.col // side, -(-window.col_end // side)):
                labels, table = self._get(i, j)
                top, left = max(i * side, window.row), max(j * side, window.col)
                bottom, right = min((i + 1) * side, window.row_end), min((j + 1) * side, window.col_end)
                part = labels[top - i * side : bottom - i * side, left - j * side : right - j * side]
                values = np.vstack([table, np.full((1, table.shape[1]), np.nan, dtype=np.float32)])[part]  # -1 is the last row
                at = (slice(top - window.row, bottom - window.row), slice(left - window.col, right - window.col))
                out[0][:, at[0], at[1]] = np.moveaxis(values[..., list(bands)], -1, 0)
        return out

    def _get(self, i: int, j: int) -> _Part:
        key = (i, j)
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:  # another thread that needs the same window waits for it
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            made = self._make(i, j)
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > _KEPT:
                    old, _ = self._kept.popitem(last=False)
                    self._busy.pop(old, None)
        return made

    def _make(self, i: int, j: int) -> _Part:
        side = self.options.window_px
        image = self._mean(Window(i * side, j * side, side, side).clip((*self.plan.geobox.shape,)))
        order = [*dict.fromkeys((*self.by, *self.measured))]
        scaled = [(image[order.index(b)] - low) / (high - low) for b, (low, high) in self.by.items()]
        labels = segment_window(np.stack(scaled).astype(np.float32), self.options)
        measured = image[[order.index(b) for b in self.measured]]
        options = self.options
        _, table = segment_statistics(
            measured, labels.astype(np.int64), statistics=options.statistics, shapes=options.shapes
        )  # fmt: skip
        return labels, table

    def _mean(self, window: Window) -> NDArray[np.float32]:
        """Give the mean over the valid dates of the bands that are needed (band, y, x)."""
        bands = [*dict.fromkeys((*self.by, *self.measured))]
        out = np.empty((len(bands), window.height, window.width), dtype=np.float32)
        for top in range(0, window.height, _STRIP_PX):
            height = min(_STRIP_PX, window.height - top)
            strip = Window(window.row + top, window.col, height, window.width)
            values = self.source.read(strip, range(self.n_steps), bands)
            counts = np.sum(~np.isnan(values), axis=0)
            sums = np.nansum(values, axis=0, dtype=np.float64)
            out[:, top : top + height] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return out


def make_segments(
    cubes: Mapping[str, xr.DataArray], sources: Mapping[str, tuple[WindowReader, CubePlan]], geobox: GeoBox,
    options: SegmentCubeOptions,
) -> xr.DataArray:  # fmt: skip
    """Make the static cube `segments`; nothing is computed until it is read.

    Args:
        cubes: Cubes of the sources.
        sources: What reads each of them, for this cube alone, and its plan.
        geobox: The output grid; segments have its pixels.
        options: Method, bands and measures.

    Raises:
        CubeError: If a source has the name, or the imagery to cut segments from cannot be told.
        BandError: If a band is missing, or has no range of values.
    """
    if SEGMENTS in cubes:
        raise CubeError(f"a source is named {SEGMENTS!r}, as the cube of cube: segments is; name the source otherwise")
    name = _find_source(cubes, geobox, options)
    cube, (reader, plan) = cubes[name], sources[name]
    names = [str(b) for b in cube["band"].values]
    bands = options.bands or tuple(names)
    by = options.by or bands
    missing = [b for b in (*bands, *by) if b not in names]
    if missing:
        raise BandError(f"segments: source {name!r} has no band {missing[0]!r}; there are {', '.join(names)}")
    kinds = dict(zip(names, (str(k) for k in cube["kind"].values), strict=True))
    ranges = {names.index(b): _find_range(b, kinds[b], options) for b in by}
    made = SegmentReader(reader, plan, options, measured=[names.index(b) for b in bands], by=ranges,
                         n_steps=cube.sizes.get("time", 1))  # fmt: skip
    own = segment_bands(bands, options.statistics, options.shapes)
    return make_cube(made, geobox, own, ["other"] * len(own), times=None, name=SEGMENTS)


def _find_source(cubes: Mapping[str, xr.DataArray], geobox: GeoBox, options: SegmentCubeOptions) -> str:
    fit = [n for n, c in cubes.items() if geobox_of(c).affine == geobox.affine and geobox_of(c).shape == geobox.shape]
    if options.source is not None and options.source not in fit:
        raise CubeError(f"segments: source {options.source!r} is not imagery with the pixels of the output grid; "
                        f"{', '.join(fit) or 'none'} is")  # fmt: skip
    if not fit or (options.source is None and len(fit) > 1):
        raise CubeError(f"segments are cut from one source with the pixels of the output grid: {', '.join(fit) or 'none'} has "
                        "them; name it by segments: source")  # fmt: skip
    return options.source or fit[0]


def _find_range(band: str, kind: str, options: SegmentCubeOptions) -> tuple[float, float]:
    given = options.range
    found = given.get(band) if isinstance(given, dict) else given
    found = found or DEFAULT_RANGE.get(kind)
    if found is None:
        raise BandError(f"segments: band {band!r} of kind {kind} has no usual range of values; give segments: range: "
                        f"{{{band}: [low, high]}}")  # fmt: skip
    return found
