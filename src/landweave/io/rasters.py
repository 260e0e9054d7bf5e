"""Raster files: what a file says about itself, and windows of it on any grid.

Receives paths and GeoBoxes; hands on `RasterInfo` and plain arrays in stored values. Handles are kept open per thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window as RioWindow

from landweave.errors import GridError, SourceError
from landweave.grid import Window, crs_of, resolve_crs
from landweave.io import remote

__all__ = ["RasterInfo", "close_rasters", "read_flags", "read_info", "read_window"]

_MAX_OPEN = 128
_MAX_VALUES = 16_000_000
"""Source values that one read for resampling may hold; windows that need more are read in parts."""
METHODS = ("nearest", "bilinear", "cubic", "average", "mode")
"""Resampling methods of `read_window`."""
_handles = threading.local()
T = TypeVar("T")
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


def _open(path: str) -> Any:
    local = path if path.startswith("/vsi") or "://" in path or ":" in path[2:] else None
    if local is None and not Path(path).exists():
        raise SourceError(f"file {path} does not exist")
    try:
        return _open_gdal(path)
    except RasterioIOError as err:
        if remote.is_remote(path):
            raise SourceError(f"{remote.plain_url(path)} cannot be opened (absent, truncated, refused, or the server is slow): "
                              f"{remote.hide_signature(str(err))}") from err  # fmt: skip
        raise SourceError(f"{path} is not a raster that GDAL can open (truncated? another kind of file?): {err}") from err


def _open_gdal(path: str) -> Any:
    try:
        return rasterio.open(remote.gdal_path(path))
    except RasterioIOError:
        if not remote.renew_signature(path):
            raise
        return rasterio.open(remote.gdal_path(path))


def _handle(path: str) -> Any:
    cache: OrderedDict[Any, Any] | None = getattr(_handles, "cache", None)
    if cache is None:
        cache = _handles.cache = OrderedDict()
    if path in cache and remote.is_signed(path) and cache[path].name != remote.gdal_path(path):
        _forget(path)  # its signature ends: it is opened with a new one
    if path in cache:
        cache.move_to_end(path)
    else:
        cache[path] = _open(path)
        if len(cache) > _MAX_OPEN:
            cache.popitem(last=False)[1].close()
    return cache[path]


def _forget(path: str) -> None:
    src = _handles.cache.pop(path)
    getattr(_handles, "crs", {}).pop(src.name, None)
    src.close()


def _read(path: str, work: Callable[[Any], T]) -> T:
    """Do something with a file's handle; a signed file whose signature has ended meanwhile is opened anew, once."""
    try:
        return work(_handle(path))
    except RasterioError as err:
        first = err
    if remote.renew_signature(path):
        _forget(path)
        try:
            return work(_handle(path))
        except RasterioError as err:
            first = err
    shown = remote.plain_url(path) if remote.is_remote(path) else path
    raise SourceError(f"cannot read {shown} (truncated or corrupt?): {remote.hide_signature(str(first))}") from first


def _own_crs(src: Any) -> CRS:
    """Give a handle's crs, parsed once per thread: parsing costs as much as reading a small window."""
    known: dict[str, CRS] | None = getattr(_handles, "crs", None)
    if known is None:
        known = _handles.crs = {}
    if src.name not in known:
        known[src.name] = resolve_crs(src.crs)
    return known[src.name]


def close_rasters() -> None:
    """Close the handles that the calling thread keeps open (a file that changed is read anew afterwards)."""
    getattr(_handles, "crs", {}).clear()
    cache = getattr(_handles, "cache", None)
    while cache:
        cache.popitem()[1].close()


def read_info(path: str | Path) -> RasterInfo:
    """Read a raster's header.

    Raises:
        SourceError: If the file is missing, truncated or not a raster.
    """
    with _open(str(path)) as src:
        stated = [not (s == 1.0 and o == 0.0) for s, o in zip(src.scales, src.offsets, strict=True)]
        crs = resolve_crs(src.crs) if src.crs else None
        return RasterInfo(
            path=str(path), geobox=GeoBox((src.height, src.width), Affine(*src.transform[:6]), crs), count=src.count,
            dtypes=tuple(src.dtypes), descriptions=tuple(d or None for d in src.descriptions),
            scales=tuple(s if k else None for s, k in zip(src.scales, stated, strict=True)),
            offsets=tuple(o if k else None for o, k in zip(src.offsets, stated, strict=True)),
            nodata=tuple(src.nodatavals), driver=src.driver, block_shape=src.block_shapes[0], tags=dict(src.tags()),
            overviews=tuple(src.overviews(1)),
        )  # fmt: skip


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
    if resampling not in METHODS:
        raise ValueError(f"no resampling named {resampling!r}; known: {', '.join(METHODS)}")

    def work(src: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        direct = _shared_window(src, geobox, window, src_crs)
        if direct is not None:
            return _read_direct(src, layers, direct, nodata)
        if decimate:
            return _read_decimated(src, layers, geobox, window, nodata, src_crs)
        return _read_warped(src, layers, geobox, window, resampling, nodata, src_crs)

    return _read(path, work)


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
    return _read(path, lambda src: _judge(src, layer, geobox, window, judge, (margin_px, nodata, src_crs)))


def _judge(
    src: Any, layer: int, geobox: GeoBox, window: Window, judge: Judge, how: tuple[int, float | None, Any]
) -> NDArray[np.bool_]:  # fmt: skip
    from landweave.io import _resample

    margin_px, nodata, src_crs = how
    pixel_map = _resample.make_pixel_map(_crs_given(src, src_crs), Affine(*src.transform[:6]), geobox)
    sampling = _resample.plan_sampling(pixel_map, window, "nearest")
    needed = sampling.source.clip((src.height, src.width))
    if needed.height == 0 or needed.width == 0:
        return np.zeros((window.height, window.width), dtype=bool)
    if needed.height * needed.width > _MAX_VALUES and window.height * window.width > 1:
        parts, axis = _halves(window)
        return np.concatenate([_judge(src, layer, geobox, p, judge, how) for p in parts], axis=axis - 1)
    outer = needed.pad(margin_px).clip((src.height, src.width))
    values, valid = _read_direct(src, [layer], outer, nodata)
    flags = judge(values[0], valid[0])
    taken, inside = _resample.resample(flags[None].view(np.uint8), np.ones((1, *flags.shape), dtype=bool), outer, sampling)
    return np.asarray(taken[0].view(bool) & inside[0])


def _crs_given(src: Any, src_crs: Any) -> CRS:
    if src_crs is None and not src.crs:
        raise GridError(f"{src.name} has no crs; state it in the recipe (crs: EPSG:...)")
    return _own_crs(src) if src_crs is None else resolve_crs(src_crs)


def _shared_window(src: Any, geobox: GeoBox, window: Window, src_crs: Any) -> Window | None:
    """Give the window in the file's own pixels where the file shares the grid's crs and lattice, else None."""
    a, b = geobox.affine, src.transform
    size = 1e-3 * abs(a.a)
    if any(abs(p - q) * max(geobox.shape) > size for p, q in ((a.a, b.a), (a.b, b.b), (a.d, b.d), (a.e, b.e))):
        return None
    col, row = ~b @ (a.c, a.f)
    if abs(col - round(col)) > 1e-3 or abs(row - round(row)) > 1e-3 or _crs_given(src, src_crs) != crs_of(geobox):
        return None
    return Window(window.row + round(row), window.col + round(col), window.height, window.width)


def _validity(data: NDArray[Any], markers: list[float | None]) -> NDArray[np.bool_]:
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
    src: Any, layers: list[int], window: Window, nodata: float | None, out_shape: tuple[int, int] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    inside = window.clip((src.height, src.width))
    shape = (len(layers), window.height, window.width)
    markers = [nodata if nodata is not None else src.nodatavals[i - 1] for i in layers]
    if inside.height == 0 or inside.width == 0:
        return np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool)
    sizes = {} if out_shape is None else {"out_shape": (len(layers), *out_shape)}
    data = src.read(layers, window=RioWindow(inside.col, inside.row, inside.width, inside.height), **sizes)
    valid = _validity(data, markers)
    if inside == window:
        return data, valid
    full, full_valid = np.zeros(shape, dtype=data.dtype), np.zeros(shape, dtype=bool)
    rows = slice(inside.row - window.row, inside.row_end - window.row)
    cols = slice(inside.col - window.col, inside.col_end - window.col)
    full[:, rows, cols], full_valid[:, rows, cols] = data, valid
    return full, full_valid


def _read_warped(
    src: Any, layers: list[int], geobox: GeoBox, window: Window, resampling: str, nodata: float | None, src_crs: Any
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    from landweave.io import _resample  # numba loads here, and only here

    crs = _crs_given(src, src_crs)
    pixel_map = _resample.make_pixel_map(crs, Affine(*src.transform[:6]), geobox)
    method = "nearest" if _resample.is_lattice_step(pixel_map, (*geobox.shape,)) else resampling
    sampling = _resample.plan_sampling(pixel_map, window, method)
    inside = sampling.source.clip((src.height, src.width))
    if inside.height * inside.width * len(layers) > _MAX_VALUES and window.height * window.width > 1:
        return _read_halves(src, layers, geobox, window, resampling, nodata, src_crs)
    if inside.height == 0 or inside.width == 0:
        shape = (len(layers), window.height, window.width)
        return np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool)
    values, valid = _read_direct(src, layers, inside, nodata)
    return _resample.resample(values, valid, inside, sampling)


def _read_halves(
    src: Any, layers: list[int], geobox: GeoBox, window: Window, *rest: Any
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


def _read_decimated(
    src: Any, layers: list[int], geobox: GeoBox, window: Window, nodata: float | None, src_crs: Any
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    from landweave.io import _resample

    pixel_map = _resample.make_pixel_map(_crs_given(src, src_crs), Affine(*src.transform[:6]), geobox)
    sampling = _resample.plan_sampling(pixel_map, window, "nearest")
    inside = sampling.source.clip((src.height, src.width))
    if inside.height == 0 or inside.width == 0:
        shape = (len(layers), window.height, window.width)
        return np.zeros(shape, dtype=src.dtypes[layers[0] - 1]), np.zeros(shape, dtype=bool)
    height, width = min(inside.height, 2 * window.height), min(inside.width, 2 * window.width)
    values, valid = _read_direct(src, layers, inside, nodata, (height, width))
    coarse = replace(
        sampling, cols=(sampling.cols - inside.col) * (width / inside.width),
        rows=(sampling.rows - inside.row) * (height / inside.height),
    )  # fmt: skip
    return _resample.resample(values, valid, Window(0, 0, height, width), coarse)
