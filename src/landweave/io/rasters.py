"""Raster files: what a file says about itself, and windows of it on any grid.

Receives paths and GeoBoxes; hands on `RasterInfo` and plain arrays in stored values. `io.handles` keeps the files open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as RioWindow

from landweave.errors import GridError
from landweave.grid import Window, crs_of, resolve_crs
from landweave.io.handles import RasterHandle, close_rasters, read_with

__all__ = ["RasterInfo", "Stored", "close_rasters", "read_flags", "read_info", "read_stored", "read_window"]

_MAX_VALUES = 16_000_000
"""Source values that one read for resampling may hold; windows that need more are read in parts."""
METHODS = ("nearest", "bilinear", "cubic", "average", "mode")
"""Resampling methods of `read_window`."""
Judge = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.bool_]]
"""Takes stored values and their validity (y, x), gives flags of that shape."""


@dataclass(frozen=True)
class RasterInfo:
    """What a raster file says about itself.

    Attributes:
        path: As opened.
        geobox: Its grid; crs None where the file has none.
        count: Number of layers.
        dtypes: One per layer.
        descriptions: One per layer, None where unnamed.
        scales: One per layer, None where the file states none (GDAL's 1.0 with offset 0.0 means absent).
        offsets: Likewise.
        nodata: One per layer, None where undeclared.
        driver: GDAL driver.
        block_shape: Rows and columns of a stored block.
        tags: File-level tags (`wavelength` and the like ride here for ENVI).
        overviews: Decimation factors of the first layer's overviews.
    """

    path: str
    geobox: GeoBox
    count: int
    dtypes: tuple[str, ...]
    descriptions: tuple[str | None, ...]
    scales: tuple[float | None, ...]
    offsets: tuple[float | None, ...]
    nodata: tuple[float | None, ...]
    driver: str
    block_shape: tuple[int, int]
    tags: dict[str, str]
    overviews: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """Layers as they are stored.

    Attributes:
        values: (layer, y, x).
        valid: Likewise; None where a value is valid if it is not its layer's marker.
        markers: One per layer, None where it has none.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_] | None
    markers: Sequence[float | None] = ()

    def pair(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Give values and validity."""
        return self.values, _validity(self.values, self.markers) if self.valid is None else self.valid

    def first(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Give values and validity of the first layer (y, x)."""
        values, valid = self.pair()
        return values[0], valid[0]

    def layer(self, i: int) -> Stored:
        """Give one layer (1, y, x)."""
        return Stored(self.values[i : i + 1], None if self.valid is None else self.valid[i : i + 1], self.markers[i : i + 1])


def read_info(path: str | Path) -> RasterInfo:
    """Read a raster's header.

    Raises:
        SourceError: If the file is missing, truncated or not a raster.
    """

    def look(handle: RasterHandle) -> RasterInfo:
        src = handle.src
        stated = [not (s == 1.0 and o == 0.0) for s, o in zip(src.scales, src.offsets, strict=True)]
        return RasterInfo(
            path=str(path), geobox=GeoBox(handle.shape, handle.transform, handle.crs), count=src.count, dtypes=handle.dtypes,
            descriptions=tuple(d or None for d in src.descriptions),
            scales=tuple(s if k else None for s, k in zip(src.scales, stated, strict=True)),
            offsets=tuple(o if k else None for o, k in zip(src.offsets, stated, strict=True)),
            nodata=handle.nodata, driver=src.driver, block_shape=src.block_shapes[0], tags=dict(src.tags()),
            overviews=tuple(src.overviews(1)),
        )  # fmt: skip

    return read_with(str(path), look)


def read_window(
    path: str, layers: list[int], geobox: GeoBox, window: Window, *, resampling: str = "nearest",
    nodata: float | None = None, src_crs: Any = None, decimate: bool = False,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # fmt: skip
    """Read layers of a file on the pixels of `window` of `geobox`, which may reach past the grid's and the file's edge.

    A file that shares the grid's lattice is read as it is; any other is resampled so that a pixel's value depends on its
    place on the grid alone, not on the window it was read in. Positions are projected exactly on a lattice of nodes and
    interpolated in between with an error below 0.005 source pixels.

    - `nearest`: the source pixel under the centre.
    - `bilinear`, `cubic` (convolution, a = -1/2): interpolation at the centre, valid where the source pixel under it is;
      invalid neighbours are left out. They do not smooth: for larger pixels take `average`.
    - `average`, `mode`: mean, or commonest value, of the valid source pixels under the output pixel, by shared area; valid
      where these cover at least half of it.

    Args:
        path: Anything rasterio opens.
        layers: 1-based layers.
        geobox: The target grid.
        window: Window of it.
        resampling: nearest, bilinear, cubic, average or mode.
        nodata: Stored marker; the file's own by default.
        src_crs: The file's crs where it has none, or a wrong one.
        decimate: For a look at a coarse grid: nearest pixels are taken from the file's overviews, so that values may
            depend on the window.

    Returns:
        Stored values (layer, y, x) in the file's dtype (a float dtype where bilinear, cubic or average resampled integers),
        and their validity (same shape): False outside the file, on nodata and on NaN. Values where it is False mean nothing.

    Raises:
        SourceError: If the file cannot be read; names it.
        GridError: If neither the file nor the caller states a crs.
        ValueError: If the resampling method is unknown.
    """
    stored = read_stored(
        path, layers, geobox, window, resampling=resampling, nodata=nodata, src_crs=src_crs, decimate=decimate
    )  # fmt: skip
    return stored.pair()


def read_stored(
    path: str, layers: list[int], geobox: GeoBox, window: Window, *, resampling: str = "nearest",
    nodata: float | None = None, src_crs: Any = None, decimate: bool = False, room: NDArray[np.uint16] | None = None,
) -> Stored:  # fmt: skip
    """Read layers as `read_window` does, but leave validity to their markers where these say it all.

    `room` (1, y, x) is memory for a single layer of whole numbers of two bytes that needs no resampling: the values then lie
    there. Fresh memory costs the system nearly as much as copying.
    """
    if resampling not in METHODS:
        raise ValueError(f"no resampling named {resampling!r}; known: {', '.join(METHODS)}")

    def work(handle: RasterHandle) -> Stored:
        direct = _shared_window(handle, geobox, window, src_crs)
        if direct is not None:
            return _read_direct(handle, layers, direct, nodata, room=room)
        if decimate:
            return Stored(*_read_decimated(handle, layers, geobox, window, nodata, src_crs))
        return Stored(*_read_warped(handle, layers, geobox, window, resampling, nodata, src_crs))

    return read_with(path, work)


def read_flags(
    path: str, layer: int, geobox: GeoBox, window: Window, judge: Judge, *, margin_px: int = 0,
    nodata: float | None = None, src_crs: Any = None,
) -> NDArray[np.bool_]:  # fmt: skip
    """Judge a layer on its own grid, and give the answers on the pixels of `window` of `geobox` (nearest pixel).

    The layer is read with a margin around what the window needs, so that a judgement that looks `margin_px` pixels around
    does not depend on the window.

    Args:
        path: Anything rasterio opens.
        layer: 1-based layer.
        geobox: The target grid.
        window: Window of it.
        judge: Takes stored values and their validity (y, x) on the file's own pixels; gives a boolean array of that shape.
        margin_px: How far `judge` looks around, in pixels of the file.
        nodata: Stored marker; the file's own by default.
        src_crs: The file's crs where it has none, or a wrong one.

    Returns:
        (y, x); False outside the file.

    Raises:
        SourceError: If the file cannot be read; names it.
        GridError: If neither the file nor the caller states a crs.
    """
    return read_with(path, lambda handle: _judge(handle, layer, geobox, window, judge, (margin_px, nodata, src_crs)))


def _judge(
    src: RasterHandle, layer: int, geobox: GeoBox, window: Window, judge: Judge, how: tuple[int, float | None, Any]
) -> NDArray[np.bool_]:  # fmt: skip
    from landweave.io import _resample

    margin_px, nodata, src_crs = how
    pixel_map = _resample.make_pixel_map(_crs_given(src, src_crs), src.transform, geobox)
    sampling = _resample.plan_sampling(pixel_map, window, "nearest")
    needed = sampling.source.clip(src.shape)
    if needed.height == 0 or needed.width == 0:
        return np.zeros((window.height, window.width), dtype=bool)
    if needed.height * needed.width > _MAX_VALUES and window.height * window.width > 1:
        parts, axis = _halves(window)
        return np.concatenate([_judge(src, layer, geobox, p, judge, how) for p in parts], axis=axis - 1)
    outer = needed.pad(margin_px).clip(src.shape)
    values, valid = _read_direct(src, [layer], outer, nodata).pair()
    flags = judge(values[0], valid[0])
    taken, inside = _resample.resample(flags[None].view(np.uint8), np.ones((1, *flags.shape), dtype=bool), outer, sampling)
    return np.asarray(taken[0].view(bool) & inside[0])


def _crs_given(src: RasterHandle, src_crs: Any) -> CRS:
    if src_crs is not None:
        return resolve_crs(src_crs)
    if src.crs is None:
        raise GridError(f"{src.src.name} has no crs; state it in the recipe (crs: EPSG:...)")
    return src.crs


def _shared_window(src: RasterHandle, geobox: GeoBox, window: Window, src_crs: Any) -> Window | None:
    """Give the window in the file's own pixels where the file shares the grid's crs and lattice, else None."""
    if src.lattice is None or src.lattice[0] is not geobox or src.lattice[1] != src_crs:
        src.lattice = geobox, src_crs, _find_lattice(src, geobox, src_crs)
    origin: Any = src.lattice[2]
    return None if origin is None else Window(window.row + origin[0], window.col + origin[1], window.height, window.width)


def _find_lattice(src: RasterHandle, geobox: GeoBox, src_crs: Any) -> tuple[int, int] | None:
    """Give the file's row and column of the grid's first pixel where both share crs and lattice."""
    a, b = geobox.affine, src.transform
    size = 1e-3 * abs(a.a)
    if any(abs(p - q) * max(geobox.shape) > size for p, q in ((a.a, b.a), (a.b, b.b), (a.d, b.d), (a.e, b.e))):
        return None
    col, row = ~b @ (a.c, a.f)
    if abs(col - round(col)) > 1e-3 or abs(row - round(row)) > 1e-3 or _crs_given(src, src_crs) != crs_of(geobox):
        return None
    return round(row), round(col)


def _validity(data: NDArray[Any], markers: Sequence[float | None]) -> NDArray[np.bool_]:
    if data.dtype.kind != "f":
        valid = np.empty(data.shape, dtype=bool)
        for i, marker in enumerate(markers):
            if marker is not None and np.isfinite(marker) and float(marker).is_integer():
                np.not_equal(data[i], int(marker), out=valid[i])
            else:
                valid[i] = True
        return valid
    valid = np.asarray(~np.isnan(data))
    for i, marker in enumerate(markers):
        if marker is not None and not np.isnan(marker):
            with np.errstate(over="ignore"):  # a float file holds its marker rounded to its own precision, or as inf
                valid[i] &= data[i] != data.dtype.type(marker)
    return valid


def _read_direct(
    src: RasterHandle, layers: list[int], window: Window, nodata: float | None, out_shape: tuple[int, int] | None = None,
    room: NDArray[np.uint16] | None = None,
) -> Stored:  # fmt: skip
    inside = window.clip(src.shape)
    shape = (len(layers), window.height, window.width)
    markers = [nodata if nodata is not None else src.nodata[i - 1] for i in layers]
    if inside.height == 0 or inside.width == 0:
        return Stored(np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool))
    sizes: dict[str, Any] = {} if out_shape is None else {"out_shape": (len(layers), *out_shape)}
    if room is not None and inside == window and src.dtypes[layers[0] - 1] in ("uint16", "int16"):
        sizes = {"out": room.view(src.dtypes[layers[0] - 1])}
    data = src.src.read(layers, window=RioWindow(inside.col, inside.row, inside.width, inside.height), **sizes)
    if inside == window:
        return Stored(data, None, markers) if data.dtype.kind in "iu" else Stored(data, _validity(data, markers))
    full, full_valid = np.zeros(shape, dtype=data.dtype), np.zeros(shape, dtype=bool)
    rows = slice(inside.row - window.row, inside.row_end - window.row)
    cols = slice(inside.col - window.col, inside.col_end - window.col)
    full[:, rows, cols], full_valid[:, rows, cols] = data, _validity(data, markers)
    return Stored(full, full_valid)


def _read_warped(
    src: RasterHandle, layers: list[int], geobox: GeoBox, window: Window, resampling: str, nodata: float | None, src_crs: Any
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    from landweave.io import _resample  # numba loads here, and only here

    crs = _crs_given(src, src_crs)
    pixel_map = _resample.make_pixel_map(crs, src.transform, geobox)
    method = "nearest" if _resample.is_lattice_step(pixel_map, (*geobox.shape,)) else resampling
    sampling = _resample.plan_sampling(pixel_map, window, method)
    inside = sampling.source.clip(src.shape)
    if inside.height * inside.width * len(layers) > _MAX_VALUES and window.height * window.width > 1:
        return _read_halves(src, layers, geobox, window, resampling, nodata, src_crs)
    if inside.height == 0 or inside.width == 0:
        shape = (len(layers), window.height, window.width)
        return np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool)
    values, valid = _read_direct(src, layers, inside, nodata).pair()
    return _resample.resample(values, valid, inside, sampling)


def _read_halves(
    src: RasterHandle, layers: list[int], geobox: GeoBox, window: Window, *rest: Any
) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # fmt: skip
    """Read a window in two parts, since much coarser output pixels would need too much of the source at once."""
    parts, axis = _halves(window)
    made = [_read_warped(src, layers, geobox, part, *rest) for part in parts]
    values, valid = (np.concatenate(both, axis=axis) for both in zip(*made, strict=True))
    return values, valid


def _halves(w: Window) -> tuple[tuple[Window, Window], int]:
    """Cut a window across its longer side; give the parts and the axis of (layer, y, x) along which they join."""
    if w.height >= w.width:
        half = w.height // 2
        return (Window(w.row, w.col, half, w.width), Window(w.row + half, w.col, w.height - half, w.width)), 1
    half = w.width // 2
    return (Window(w.row, w.col, w.height, half), Window(w.row, w.col + half, w.height, w.width - half)), 2


@lru_cache(maxsize=16)
def _plan_nearest(crs: CRS, transform: Affine, geobox: GeoBox, window: Window) -> Any:
    """Plan where the pixels of a window lie in a file; a cube's files mostly share their grid."""
    from landweave.io import _resample

    return _resample.plan_sampling(_resample.make_pixel_map(crs, transform, geobox), window, "nearest")


def _read_decimated(
    src: RasterHandle, layers: list[int], geobox: GeoBox, window: Window, nodata: float | None, src_crs: Any
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    from landweave.io import _resample

    sampling = _plan_nearest(_crs_given(src, src_crs), src.transform, geobox, window)
    inside = sampling.source.clip(src.shape)
    if inside.height == 0 or inside.width == 0:
        shape = (len(layers), window.height, window.width)
        return np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool)
    height, width = min(inside.height, 2 * window.height), min(inside.width, 2 * window.width)
    values, valid = _read_direct(src, layers, inside, nodata, (height, width)).pair()
    coarse = replace(
        sampling, cols=(sampling.cols - inside.col) * (width / inside.width),
        rows=(sampling.rows - inside.row) * (height / inside.height),
    )  # fmt: skip
    return _resample.resample(values, valid, Window(0, 0, height, width), coarse)
