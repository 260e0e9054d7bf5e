"""Where the pixels are: the grid as a GeoBox, windows and blocks on it, and what a pixel measures on the ellipsoid.

Receives crs, bounds and resolution; hands on `GeoBox` and `Window` objects. No room passes loose crs + transform + shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer
from pyproj.crs import CRS as ProjCRS  # noqa: N811 (two classes of one name)

from landweave.errors import GridError

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "GeoBox",
    "Window",
    "crs_of",
    "geobox_of",
    "is_nested",
    "make_geobox",
    "metres_per_pixel",
    "pixel_area_m2",
    "pixel_size_m",
    "resolve_crs",
    "split_blocks",
    "to_coords",
    "window_geobox",
]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A rectangle of pixels on a grid; rows count down from its top, columns right from its left.

    A window may reach past the grid's edge (negative start, end beyond the shape); what lies outside is nodata.
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def row_end(self) -> int:
        """First row below the window."""
        return self.row + self.height

    @property
    def col_end(self) -> int:
        """First column right of the window."""
        return self.col + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices; only meaningful inside the grid."""
        return slice(self.row, self.row_end), slice(self.col, self.col_end)

    def pad(self, margin_px: int) -> Window:
        """Grow by `margin_px` pixels on every side."""
        return Window(self.row - margin_px, self.col - margin_px, self.height + 2 * margin_px, self.width + 2 * margin_px)

    def clip(self, shape: tuple[int, int]) -> Window:
        """Cut to a grid of `shape` (rows, columns); the result may be empty (height or width 0)."""
        top, left = min(max(self.row, 0), shape[0]), min(max(self.col, 0), shape[1])
        bottom, right = min(max(self.row_end, top), shape[0]), min(max(self.col_end, left), shape[1])
        return Window(top, left, bottom - top, right - left)

    def touches(self, other: Window) -> bool:
        """Tell whether the two share a pixel."""
        rows = self.row < other.row_end and other.row < self.row_end
        return rows and self.col < other.col_end and other.col < self.col_end

    def scale(self, ratio: int) -> Window:
        """Give the window that covers this one on a grid of the same origin whose pixels are `ratio` times larger."""
        top, left = self.row // ratio, self.col // ratio
        return Window(top, left, -(-self.row_end // ratio) - top, -(-self.col_end // ratio) - left)


def resolve_crs(crs: Any) -> CRS:
    """Turn an EPSG code, WKT, PROJ string or crs object into a `CRS`.

    Raises:
        GridError: If no crs can be read from it.
    """
    try:
        return CRS(crs.to_wkt() if hasattr(crs, "to_wkt") and not isinstance(crs, CRS) else crs)
    except Exception as err:  # pyproj and odc raise several unrelated types here
        raise GridError(f"cannot read a crs from {crs!r}; give an EPSG code such as EPSG:32633, or WKT") from err


def crs_of(geobox: GeoBox) -> CRS:
    """Give the crs of a grid.

    Raises:
        GridError: If it has none.
    """
    if geobox.crs is None:
        raise GridError(f"grid of {geobox.shape[0]} x {geobox.shape[1]} pixels has no crs; give one in the recipe")
    return geobox.crs


def make_geobox(bounds: tuple[float, float, float, float], crs: Any, resolution: float | tuple[float, float]) -> GeoBox:
    """Make a north-up grid that covers `bounds`, anchored at whole multiples of the resolution.

    Args:
        bounds: (left, bottom, right, top) in units of `crs`.
        crs: Anything `resolve_crs` takes.
        resolution: Pixel size in crs units, one number or (x, y), both positive.

    Raises:
        GridError: If bounds are empty or the resolution is not positive.
    """
    rx, ry = (resolution, resolution) if isinstance(resolution, int | float) else resolution
    left, bottom, right, top = bounds
    if not (rx > 0 and ry > 0):
        raise GridError(f"resolution is {resolution!r}; give a positive pixel size in crs units")
    if not (right > left and top > bottom):
        raise GridError(f"bounds {bounds} are empty; give left < right and bottom < top (is the axis order swapped?)")
    tiny = 1e-6  # a bound within a millionth of a pixel of the lattice is on it
    col0, col1 = math.floor(left / rx + tiny), math.ceil(right / rx - tiny)
    row0, row1 = math.floor(-top / ry + tiny), math.ceil(-bottom / ry - tiny)
    affine = Affine(rx, 0, col0 * rx, 0, -ry, -row0 * ry)
    return GeoBox((row1 - row0, col1 - col0), affine, resolve_crs(crs))


def window_geobox(geobox: GeoBox, window: Window) -> GeoBox:
    """Give the grid of a window, which may reach past the edge of `geobox`."""
    affine = geobox.affine @ Affine.translation(window.col, window.row)
    return GeoBox((window.height, window.width), affine, geobox.crs)


def split_blocks(shape: tuple[int, int], block_px: int) -> Iterator[Window]:
    """Cut a grid of `shape` (rows, columns) into blocks of `block_px`, row by row; those at the edge are smaller."""
    if block_px < 1:
        raise GridError(f"block size is {block_px} px; give at least 1")
    for row in range(0, shape[0], block_px):
        for col in range(0, shape[1], block_px):
            yield Window(row, col, min(block_px, shape[0] - row), min(block_px, shape[1] - col))


def geobox_of(cube: xr.DataArray | xr.Dataset) -> GeoBox:
    """Read the grid of a cube from its `spatial_ref` coordinate, exactly as it was written.

    Raises:
        GridError: If the cube carries no crs or no GeoTransform.
    """
    ref = cube.coords.get("spatial_ref")
    attrs = {} if ref is None else ref.attrs
    if "GeoTransform" not in attrs or not (attrs.get("crs_wkt") or attrs.get("spatial_ref")):
        raise GridError("cube has no grid: its spatial_ref coordinate lacks crs_wkt or GeoTransform; write it with write_cube")
    c, a, b, f, d, e = (float(v) for v in str(attrs["GeoTransform"]).split())
    shape = (int(cube.sizes["y"]), int(cube.sizes["x"]))
    return GeoBox(shape, Affine(a, b, c, d, e, f), CRS(attrs.get("crs_wkt") or attrs["spatial_ref"]))


def to_coords(geobox: GeoBox) -> dict[str, Any]:
    """Make the `y`, `x` and `spatial_ref` coordinates of an xarray object on `geobox` (north-up grids).

    `spatial_ref` holds `crs_wkt`, `spatial_ref` and `GeoTransform`, which rioxarray, odc-geo, GDAL and `geobox_of` read.
    """
    import xarray as xr

    a = geobox.affine
    rows, cols = geobox.shape
    wkt = crs_of(geobox).to_wkt()
    transform = " ".join(repr(float(v)) for v in (a.c, a.a, a.b, a.f, a.d, a.e))
    attrs = {"crs_wkt": wkt, "spatial_ref": wkt, "GeoTransform": transform}
    return {
        "y": ("y", a.f + a.e * (np.arange(rows) + 0.5)),
        "x": ("x", a.c + a.a * (np.arange(cols) + 0.5)),
        "spatial_ref": xr.Variable((), np.int64(0), attrs),
    }


def is_nested(coarse: GeoBox, fine: GeoBox) -> int | None:
    """Tell how many pixels of `fine` a pixel of `coarse` spans, or None where the two do not nest.

    Nested means: same crs, shared origin, an integer ratio of the resolutions that is the same in both axes.
    """
    a, b = coarse.affine, fine.affine
    ratio = round(a.a / b.a)
    size = abs(b.a) * 1e-3  # a thousandth of a pixel over the whole grid
    same = ratio >= 1 and abs(a.c - b.c) < size and abs(a.f - b.f) < size
    exact = abs(a.a - ratio * b.a) * coarse.shape[1] < size and abs(a.e - ratio * b.e) * coarse.shape[0] < size
    return ratio if same and exact and coarse.crs == fine.crs else None


def metres_per_pixel(geobox: GeoBox) -> tuple[float, float]:
    """Ground size (x, y) of the central pixel in metres, measured along the ellipsoid."""
    rows, cols = geobox.shape
    a = geobox.affine
    corners = [a @ (cols / 2 + dx, rows / 2 + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    lon, lat = _to_lonlat(crs_of(geobox), np.array([p[0] for p in corners]), np.array([p[1] for p in corners]))
    geod = _geod(crs_of(geobox))
    _, _, dx = geod.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, dy = geod.inv(lon[0], lat[0], lon[2], lat[2])
    return float(dx), float(dy)


def pixel_area_m2(geobox: GeoBox, window: Window | None = None) -> NDArray[np.float64]:
    """Geodesic area of pixels in square metres on the crs's own ellipsoid; never crs units squared.

    The area is sampled on a lattice of at most 65 x 65 pixels (each measured as the geodesic polygon of a square around it
    of the pixel's shape) and interpolated in between: a projection's scale varies smoothly, so that the error stays below
    1e-6 of the area for grids up to several degrees.

    Args:
        geobox: The grid.
        window: Part of the grid; the whole of it by default.

    Returns:
        Array (rows, columns) of float64, broadcast (read-only) where the area is constant along a row.
    """
    window = window or Window(0, 0, geobox.shape[0], geobox.shape[1])
    if crs_of(geobox).geographic and geobox.affine.b == 0:
        rows = _row_areas(geobox, np.arange(window.row, window.row_end))
        return np.broadcast_to(rows[:, None], (window.height, window.width))
    # one lattice for the whole grid, so that the same pixel has the same area in every window
    row_nodes, col_nodes, lattice = _area_lattice(geobox)
    at_rows = _interpolate(np.arange(window.row, window.row_end), row_nodes, lattice)
    return _interpolate(np.arange(window.col, window.col_end), col_nodes, at_rows.T).T


def pixel_size_m(geobox: GeoBox, window: Window | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ground size of pixels in metres along the grid's x and y, measured along the ellipsoid.

    Sampled on a lattice as in `pixel_area_m2`, so that the same pixel has the same size in every window.

    Args:
        geobox: The grid.
        window: Part of the grid, which may reach past its edge (the nearest pixel's size there); the whole by default.

    Returns:
        Two arrays (rows, columns) of float64.
    """
    window = window or Window(0, 0, geobox.shape[0], geobox.shape[1])
    row_nodes, col_nodes, *sizes = _size_lattice(geobox)
    rows = np.clip(np.arange(window.row, window.row_end), 0, geobox.shape[0] - 1)
    cols = np.clip(np.arange(window.col, window.col_end), 0, geobox.shape[1] - 1)
    x, y = (_interpolate(cols, col_nodes, _interpolate(rows, row_nodes, s).T).T for s in sizes)
    return x, y


@lru_cache(maxsize=8)
def _size_lattice(geobox: GeoBox) -> tuple[NDArray[np.float64], ...]:
    rows, cols = _nodes(geobox.shape[0]), _nodes(geobox.shape[1])
    middle_x, middle_y = (v.ravel() for v in np.meshgrid(cols + 0.5, rows + 0.5))
    geod, a = _geod(crs_of(geobox)), geobox.affine
    sizes = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ends = []
        for sign in (-1, 1):
            x, y = middle_x + sign * dx, middle_y + sign * dy
            ends.append(_to_lonlat(crs_of(geobox), a.a * x + a.b * y + a.c, a.d * x + a.e * y + a.f))
        sizes.append(np.asarray(geod.inv(*ends[0], *ends[1])[2]).reshape(len(rows), len(cols)))
    return rows, cols, *sizes


@lru_cache(maxsize=8)
def _area_lattice(geobox: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Measure the lattice once per grid: windows of it are asked for one after the other."""
    rows, cols = _nodes(geobox.shape[0]), _nodes(geobox.shape[1])
    return rows, cols, _polygon_areas(geobox, rows, cols)


def _nodes(size: int) -> NDArray[np.float64]:
    return np.unique(np.linspace(0, size - 1, min(size, 65)))


def _interpolate(at: NDArray[np.int64], nodes: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(nodes) == 1:
        return np.repeat(values[:1], len(at), axis=0)
    i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    t = ((at - nodes[i]) / (nodes[i + 1] - nodes[i]))[:, None]
    result: NDArray[np.float64] = values[i] * (1 - t) + values[i + 1] * t
    return result


def _geod(crs: CRS) -> Geod:
    return ProjCRS.from_wkt(crs.to_wkt()).get_geod() or Geod(ellps="WGS84")


def _to_lonlat(crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    proj = ProjCRS.from_wkt(crs.to_wkt())
    geodetic = proj.geodetic_crs
    if geodetic is None:
        raise GridError(f"crs {crs} has no geodetic base, so that pixels have no area on the ellipsoid; reproject the data")
    if proj.is_geographic:
        return x, y
    lon, lat = Transformer.from_crs(proj, geodetic, always_xy=True).transform(x, y)
    return lon, lat


def _row_areas(geobox: GeoBox, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Area of one pixel per row of a geographic grid: the exact zone between two parallels (Snyder 1987, eq. 3-12)."""
    geod = _geod(crs_of(geobox))
    a, b = geod.a, geod.b
    e = math.sqrt(max(0.0, 1 - (b / a) ** 2))
    scale = math.radians(1.0) if "degree" in str(crs_of(geobox).units[0]) else 1.0

    def zone(lat: NDArray[Any]) -> NDArray[Any]:
        s = np.sin(lat)
        if e < 1e-12:
            return np.asarray(2 * s)
        return np.asarray((1 - e * e) * (s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e))

    top = (geobox.affine.f + geobox.affine.e * rows) * scale
    bottom = (geobox.affine.f + geobox.affine.e * (rows + 1)) * scale
    result: NDArray[np.float64] = np.abs(zone(top) - zone(bottom)) * a * a / 2 * abs(geobox.affine.a) * scale
    return result


def _polygon_areas(geobox: GeoBox, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    geod = _geod(crs_of(geobox))
    areas = np.empty((len(rows), len(cols)))
    ring = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
    transform = geobox.affine
    for i, row in enumerate(rows):
        px = cols[:, None] + ring[:, 0]
        py = row + np.broadcast_to(ring[:, 1], px.shape)
        x = transform.a * px + transform.b * py + transform.c
        y = transform.d * px + transform.e * py + transform.f
        lon, lat = _to_lonlat(crs_of(geobox), x.ravel(), y.ravel())
        lon, lat = lon.reshape(px.shape), lat.reshape(px.shape)
        areas[i] = [abs(geod.polygon_area_perimeter(lo, la)[0]) for lo, la in zip(lon, lat, strict=True)]
    return areas
