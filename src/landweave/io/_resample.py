"""Resampling between lattices: where a grid's pixels lie in a file's pixels, and the kernels that take values there.

GDAL's warper chooses its sampling ratio and its chunks per call, so that a pixel's value may depend on the window that it is
asked for. Here a source position is a function of the pixel's own row and column on the output grid alone, and a value one
of that position: any window is the crop of the whole, bit for bit.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.crs import CRS as ProjCRS  # noqa: N811 (two classes of one name)

from landweave.grid import GeoBox, Window, crs_of
from landweave.io._kernels import KERNELS

__all__ = ["PixelMap", "Sampling", "is_lattice_step", "make_pixel_map", "plan_sampling", "resample"]

Floats = NDArray[np.float64]
_TOLERANCE_PX = 0.005
"""Largest error, in source pixels, of positions interpolated between the nodes of the lattice."""
_local = threading.local()


def _transformer(source: str, target: str) -> Transformer:
    cache: dict[tuple[str, str], Transformer] | None = getattr(_local, "cache", None)
    if cache is None:
        cache = _local.cache = {}
    if (source, target) not in cache:  # one per thread: a PROJ object belongs to its thread
        cache[source, target] = Transformer.from_crs(ProjCRS.from_wkt(source), ProjCRS.from_wkt(target), always_xy=True)
    return cache[source, target]


@dataclass(frozen=True)
class PixelMap:
    """Source pixel position of every point of an output grid; (0.5, 0.5) is the centre of a file's first pixel.

    Attributes:
        to_source: Output pixels to source pixels within one crs; output pixels to output coordinates otherwise.
        crs_pair: Output and source crs as WKT where they differ.
        inverse: Source coordinates to source pixels, likewise.
        node_px: Spacing of the nodes, counted from the output grid's origin, at which positions are projected exactly; in
            between they are interpolated bilinearly.
    """

    to_source: Affine
    crs_pair: tuple[str, str] | None = None
    inverse: Affine | None = None
    node_px: int = 1

    def project(self, cols: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Give exact source columns and rows of output positions; inf where the projection has no value."""
        x, y = _apply(self.to_source, cols, rows)
        if self.crs_pair is None or self.inverse is None:
            return x, y
        x, y = _transformer(*self.crs_pair).transform(x, y)
        with np.errstate(invalid="ignore"):
            return _apply(self.inverse, np.asarray(x), np.asarray(y))

    def locate(self, cols: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Give source columns and rows, each (row, col), of output positions on a raster of `cols` x `rows`."""
        if self.crs_pair is None:
            return self.project(cols[None, :], rows[:, None])
        n = self.node_px
        k, m = np.floor(rows / n).astype(np.int64), np.floor(cols / n).astype(np.int64)
        node_rows, node_cols = np.arange(k[0], k[-1] + 2), np.arange(m[0], m[-1] + 2)
        grid_cols, grid_rows = np.meshgrid(node_cols * float(n), node_rows * float(n))
        tr, tc = ((rows - k * n) / n)[:, None], ((cols - m * n) / n)[None, :]
        k, m = k - k[0], m - m[0]
        with np.errstate(invalid="ignore"):
            at_cols, at_rows = (_between(v, k, m, tr, tc) for v in self.project(grid_cols, grid_rows))
        return at_cols, at_rows


def _apply(a: Affine, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return a.a * x + a.b * y + a.c, a.d * x + a.e * y + a.f


def _between(nodes: Floats, k: NDArray[np.int64], m: NDArray[np.int64], tr: Floats, tc: Floats) -> Floats:
    top = nodes[k][:, m] * (1 - tc) + nodes[k][:, m + 1] * tc
    low = nodes[k + 1][:, m] * (1 - tc) + nodes[k + 1][:, m + 1] * tc
    return np.asarray(top * (1 - tr) + low * tr)


def make_pixel_map(source_crs: Any, source: Affine, geobox: GeoBox) -> PixelMap:
    """Relate an output grid to a file's pixels.

    Args:
        source_crs: Crs of the file.
        source: Its transform, pixels to coordinates.
        geobox: The output grid.
    """
    grid_crs = crs_of(geobox)
    if source_crs == grid_crs:
        return PixelMap(~source @ geobox.affine)
    return _projected_map(grid_crs.to_wkt(), source_crs.to_wkt(), tuple(source)[:6], tuple(geobox.affine)[:6], (*geobox.shape,))


@lru_cache(maxsize=256)
def _projected_map(
    grid_wkt: str, source_wkt: str, source: tuple[float, ...], affine: tuple[float, ...], shape: tuple[int, int]
) -> PixelMap:
    for node_px in (64, 32, 16, 8, 4, 2, 1):
        made = PixelMap(Affine(*affine), (grid_wkt, source_wkt), ~Affine(*source), node_px)
        if node_px == 1 or _lattice_error(made, shape) < _TOLERANCE_PX:
            break
    return made


def _lattice_error(made: PixelMap, shape: tuple[int, int]) -> float:
    """Largest distance between interpolated and exact positions at the middle of up to 17 x 17 cells over the grid."""
    n = made.node_px
    rows, cols = (np.unique(np.linspace(0, max(size // n, 0), 17).astype(np.int64)) for size in shape)
    worst = 0.0
    for row in rows:
        for col in cols:
            at_col, at_row = np.array([(col + 0.5) * n]), np.array([(row + 0.5) * n])
            near, exact = made.locate(at_col, at_row), made.project(at_col, at_row)
            error = max(abs(float(p.flat[0] - q.flat[0])) for p, q in zip(near, exact, strict=True))
            worst = max(worst, error) if math.isfinite(error) else worst
    return worst


_MARGIN_PX = {"nearest": 1, "bilinear": 2, "cubic": 3, "average": 1, "mode": 1}


def _pixel_sizes(pixel_map: PixelMap, window: Window) -> Floats:
    """Width and height (2, y, x) of output pixels in source pixels.

    A pixel that lies askew is given the upright box of the same area and centre, in the proportion of its bounding box.
    """
    if pixel_map.crs_pair is None:
        a = pixel_map.to_source
        one = _box(*(np.array([[v]]) for v in (a.a, a.b, a.d, a.e)))
        return np.broadcast_to(one, (2, window.height, window.width))
    cols, rows = np.arange(window.col, window.col_end + 1.0), np.arange(window.row, window.row_end + 1.0)
    c, r = pixel_map.locate(cols, rows)
    with np.errstate(invalid="ignore"):
        return _box(_along(c), _down(c), _along(r), _down(r))


def _along(edges: Floats) -> Floats:
    step = np.diff(edges, axis=1)
    return np.asarray((step[:-1] + step[1:]) / 2)


def _down(edges: Floats) -> Floats:
    return _along(edges.T).T


def _box(cx: Floats, cy: Floats, rx: Floats, ry: Floats) -> Floats:
    """Box of a pixel whose sides are (cx, rx) along a row and (cy, ry) down a column, in source columns and rows."""
    width, height = np.abs(cx) + np.abs(cy), np.abs(rx) + np.abs(ry)
    shrink = np.sqrt(np.abs(cx * ry - cy * rx) / (width * height))
    return np.stack([width * shrink, height * shrink])


def is_lattice_step(pixel_map: PixelMap, shape: tuple[int, int]) -> bool:
    """Tell whether every output pixel centre is a source pixel centre (same lattice, flipped or turned by quarters)."""
    if pixel_map.crs_pair is not None:
        return False
    a = pixel_map.to_source
    unit = all(abs(v - round(v)) * max(shape) < 1e-3 for v in (a.a, a.b, a.d, a.e))
    turned = sorted(abs(round(v)) for v in (a.a, a.b, a.d, a.e)) == [0, 0, 1, 1] and round(a.a * a.e - a.b * a.d) != 0
    at = a @ (0.5, 0.5)
    return unit and turned and all(abs(v - 0.5 - round(v - 0.5)) < 1e-3 for v in at)


@dataclass(frozen=True)
class Sampling:
    """Where the pixels of one window take their values.

    Attributes:
        method: nearest, or a key of `KERNELS`.
        cols: Source column of each pixel centre (y, x).
        rows: Source row likewise.
        sizes: Width and height of each pixel in source pixels (2, y, x).
        source: Window of the source that holds every pixel needed; may reach past its edge.
    """

    method: str
    cols: Floats
    rows: Floats
    sizes: Floats
    source: Window


def plan_sampling(pixel_map: PixelMap, window: Window, method: str) -> Sampling:
    """Find the source positions of a window's pixels and the source window that they need."""
    at = [np.arange(start, end, dtype=np.float64) + 0.5 for start, end in
          ((window.col, window.col_end), (window.row, window.row_end))]  # fmt: skip
    cols, rows = pixel_map.locate(*at)
    sizes = _pixel_sizes(pixel_map, window) if method in ("average", "mode") else np.zeros((2, 1, 1))
    known = np.isfinite(cols) & np.isfinite(rows)
    if not known.any():
        return Sampling(method, cols, rows, sizes, Window(0, 0, 0, 0))
    reach = [_MARGIN_PX[method] + (float(np.nanmax(s[np.isfinite(s)], initial=0.0)) / 2) for s in sizes]
    left, right = math.floor(cols[known].min() - reach[0]), math.ceil(cols[known].max() + reach[0])
    top, low = math.floor(rows[known].min() - reach[1]), math.ceil(rows[known].max() + reach[1])
    return Sampling(method, cols, rows, sizes, Window(top, left, low - top, right - left))


def resample(
    values: NDArray[Any], valid: NDArray[np.bool_], source: Window, sampling: Sampling
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Take values at the positions of a sampling.

    Args:
        values: (layer, row, col) stored values of `source`.
        valid: Their validity.
        source: The window of the file that they are, inside the file.
        sampling: Positions and method.

    Returns:
        Values (layer, y, x) and validity: in the dtype of `values` for nearest and mode, else float32 (float64 where a
        32-bit integer or float64 would lose digits).
    """
    shape = (values.shape[0], *sampling.cols.shape)
    if sampling.method == "nearest":
        return _nearest(values, valid, source, sampling)
    wide = values.dtype.itemsize > 2 and values.dtype != np.float32
    work = values.astype(np.float64 if wide or sampling.method == "mode" else np.float32, copy=False)
    out, ok = np.zeros(shape, dtype=work.dtype), np.zeros(shape, dtype=bool)
    origin = np.array([source.row, source.col], dtype=np.int64)
    KERNELS[sampling.method](work, valid, sampling.cols, sampling.rows, sampling.sizes, origin, out, ok)
    return (out.astype(values.dtype) if sampling.method == "mode" else out), ok


def _nearest(
    values: NDArray[Any], valid: NDArray[np.bool_], source: Window, sampling: Sampling
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    known = np.isfinite(sampling.cols) & np.isfinite(sampling.rows)
    rows = np.floor(np.where(known, sampling.rows, -1)).astype(np.int64) - source.row
    cols = np.floor(np.where(known, sampling.cols, -1)).astype(np.int64) - source.col
    known &= (rows >= 0) & (cols >= 0) & (rows < source.height) & (cols < source.width)
    flat = np.where(known, rows * source.width + cols, 0)
    out = values.reshape(values.shape[0], -1)[:, flat]
    return out, valid.reshape(values.shape[0], -1)[:, flat] & known
