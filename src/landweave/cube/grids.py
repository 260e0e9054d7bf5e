"""Grids of tiles with stable names: MGRS squares, Sentinel-2 tiles, the Major TOM grid, web-mercator quads, squares in any crs.

Receives a tile's name, or a grid and an area; hands on `Tile`s, each of which gives the `GeoBox` of a cube. A tile's name says
where it is on Earth whatever the area asked for, so that runs on several machines or in several years make the same tiles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affine import Affine
from pyproj import Transformer

from landweave.cube import mgrs
from landweave.errors import GridError
from landweave.grid import GeoBox, make_geobox, resolve_crs

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["GRIDS", "Tile", "find_tile", "list_tiles", "to_frame"]

Bounds = tuple[float, float, float, float]
MAX_TILES = 100_000
"""Most tiles that are listed at once: more is a sign of a wrong area or a grid too fine for it."""

_RADIUS_KM = 6378.137  # the sphere of the Major TOM grid
_QUAD_HALF = math.pi * 6378137.0  # half the side of the web-mercator square, metres


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a grid.

    Attributes:
        id: Its name, grid included: "mgrs:33TWM".
        crs: The crs that it is a rectangle in, as an EPSG code where there is one.
        bounds: Left, bottom, right, top in units of `crs`.
        resolution: Pixel size in crs units that the grid itself implies (web-mercator quads), else None.
    """

    id: str
    crs: str
    bounds: Bounds
    resolution: float | None = None

    def to_geobox(self, resolution: float | tuple[float, float]) -> GeoBox:
        """Give the pixels of the tile.

        Where the pixel size divides the tile's sides, pixels count from its upper left corner, so that the tiles of a grid
        share no pixel and leave none out; otherwise the tile is covered by pixels at whole multiples of their size.

        Args:
            resolution: Pixel size in units of the tile's crs, one number or (x, y).

        Raises:
            GridError: If the resolution is not positive.
        """
        rx, ry = (resolution, resolution) if isinstance(resolution, int | float) else resolution
        if not (rx > 0 and ry > 0):
            raise GridError(f"resolution is {resolution!r}; give a positive pixel size in units of {self.crs}")
        left, bottom, right, top = self.bounds
        cols, rows = (right - left) / rx, (top - bottom) / ry
        if abs(cols - round(cols)) < 1e-6 and abs(rows - round(rows)) < 1e-6:
            return GeoBox((round(rows), round(cols)), Affine(rx, 0, left, 0, -ry, top), resolve_crs(self.crs))
        return make_geobox(self.bounds, self.crs, (rx, ry))


@dataclass(frozen=True, slots=True)
class _Grid:
    """How a kind of grid is named, found by name, and listed over an area (shapely geometry in degrees)."""

    key: str
    title: str
    example: str
    find: Callable[[str], Tile]
    list: Callable[[str, Any], Iterator[Tile]]


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise GridError(f"{what} is {text!r}; give a positive number")
    return value


# --- MGRS and Sentinel-2 -------------------------------------------------------------------------------------------------


def _find_mgrs(name: str) -> Tile:
    square = mgrs.find_square(name)
    return Tile(f"mgrs:{square.name}", square.crs, square.bounds)


def _find_sentinel2(name: str) -> Tile:
    square = mgrs.find_square(name.removeprefix("T"))
    return Tile(f"sentinel2:{square.name}", square.crs, mgrs.sentinel2_bounds(square))


def _list_squares(find: Callable[[str], Tile]) -> Callable[[str, Any], Iterator[Tile]]:
    def every(spec: str, area: Any) -> Iterator[Tile]:
        for name in mgrs.list_squares(area):
            yield find(name)

    return every


# --- Major TOM -----------------------------------------------------------------------------------------------------------


def _rows_of(size_km: float) -> float:
    """Height of a row in degrees: the meridian from pole to pole, cut into whole rows of at most the size."""
    return 180 / math.ceil(math.pi * _RADIUS_KM / size_km)


def _columns_of(row: int, size_km: float) -> int:
    """Number of columns of a row: the parallel through its lower edge, cut likewise."""
    lat = math.radians(row * _rows_of(size_km))
    return math.ceil(2 * math.pi * _RADIUS_KM * math.cos(lat) / size_km)


def _majortom_tile(row: int, col: int, size_km: float) -> Tile:
    height, width = _rows_of(size_km), 360 / _columns_of(row, size_km)
    west, south = col * width, row * height
    zone = min(max(math.floor((west + 180) / 6) + 1, 1), 60)  # of the lower left corner
    crs = f"EPSG:{(32700 if south < 0 else 32600) + zone}"
    to_utm = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    bounds = to_utm.transform_bounds(west, south, west + width, south + height, densify_pts=21)
    name = f"{abs(row)}{'U' if row >= 0 else 'D'}_{abs(col)}{'R' if col >= 0 else 'L'}"
    return Tile(f"majortom:{size_km:g}:{name}", crs, tuple(float(b) for b in bounds))  # type: ignore[arg-type]


def _find_majortom(text: str) -> Tile:
    match = re.fullmatch(r"([\d.]+):(\d+)([UD])_(\d+)([RL])", text)
    if match is None:
        raise GridError(f"no cell of the Major TOM grid is named {text!r}; write its size in km, row and column: 10:435U_120R")
    size_km = _number(match[1], "size of the Major TOM grid in km")
    row, col = int(match[2]) * (1 if match[3] == "U" else -1), int(match[4]) * (1 if match[5] == "R" else -1)
    if not -85 <= row * _rows_of(size_km) <= 85:
        raise GridError(f"row {match[2]}{match[3]} of the {size_km:g} km grid lies beyond 85 degrees of latitude, its end")
    n = _columns_of(row, size_km)
    if not -(n // 2) <= col < n - n // 2:
        raise GridError(f"row {match[2]}{match[3]} has columns {n // 2}L to {n - n // 2 - 1}R, not {match[4]}{match[5]}")
    return _majortom_tile(row, col, size_km)


def _list_majortom(spec: str, area: Any) -> Iterator[Tile]:
    from shapely import box

    size_km = _number(spec, "size of the Major TOM grid in km")
    west, south, east, north = area.bounds
    height = _rows_of(size_km)
    for row in range(math.floor(max(south, -85) / height), math.ceil(min(north, 85) / height)):
        width = 360 / _columns_of(row, size_km)
        for col in range(math.floor(west / width), math.ceil(east / width)):
            cell = box(col * width, row * height, (col + 1) * width, (row + 1) * height)
            if abs(row * height) <= 85 and area.intersection(cell).area > 0:
                yield _majortom_tile(row, col, size_km)


# --- web-mercator quads --------------------------------------------------------------------------------------------------


def _quad_tile(zoom: int, x: int, y: int) -> Tile:
    side = 2 * _QUAD_HALF / 2**zoom
    left, top = x * side - _QUAD_HALF, _QUAD_HALF - y * side
    return Tile(f"quad:{zoom}/{x}/{y}", "EPSG:3857", (left, top - side, left + side, top), side / 256)


def _find_quad(text: str) -> Tile:
    match = re.fullmatch(r"(\d+)/(\d+)/(\d+)", text)
    if match is None:
        raise GridError(f"no web-mercator quad is named {text!r}; write zoom/x/y, counted from the north-west: 12/2212/1459")
    zoom, x, y = (int(v) for v in match.groups())
    if zoom > 30 or not (0 <= x < 2**zoom and 0 <= y < 2**zoom):
        raise GridError(f"quad {text} does not exist: zoom goes up to 30, and x and y to 2 ** zoom - 1")
    return _quad_tile(zoom, x, y)


def _list_quads(spec: str, area: Any) -> Iterator[Tile]:
    zoom = int(_number(spec, "zoom of the quads"))
    yield from _list_boxes("EPSG:3857", area, 2 * _QUAD_HALF / 2**zoom, (-_QUAD_HALF, _QUAD_HALF),
                           lambda col, row: _quad_tile(zoom, col, -row - 1))  # fmt: skip


# --- squares in any crs --------------------------------------------------------------------------------------------------


def _square_tile(crs: str, side: float, col: int, row: int) -> Tile:
    bounds = (col * side, row * side, (col + 1) * side, (row + 1) * side)
    return Tile(f"square:{crs}:{side:g}:c{col}_r{row}", crs, bounds)


def _find_square(text: str) -> Tile:
    match = re.fullmatch(r"(.+):([\d.eE+]+):c(-?\d+)_r(-?\d+)", text)
    if match is None:
        raise GridError(f"no square is named {text!r}; write crs, side in crs units, column and row: EPSG:3035:100000:c43_r29")
    resolve_crs(match[1])
    return _square_tile(match[1], _number(match[2], "side of the squares"), int(match[3]), int(match[4]))


def _list_square(spec: str, area: Any) -> Iterator[Tile]:
    crs, _, text = spec.rpartition(":")
    if not crs:
        raise GridError(f"squares are given as {spec!r}; write crs and side in crs units: square:EPSG:3035:100000")
    side = _number(text, "side of the squares")
    yield from _list_boxes(crs, area, side, (0.0, 0.0), lambda col, row: _square_tile(crs, side, col, row))


def _list_boxes(
    crs: str, area: Any, side: float, origin: tuple[float, float], make: Callable[[int, int], Tile]
) -> Iterator[Tile]:  # fmt: skip
    """List squares counted east and north from an origin, row by row from the north."""
    import geopandas as gpd
    from shapely import box, prepare

    own = gpd.GeoSeries([area], crs="EPSG:4326").segmentize(0.05).to_crs(resolve_crs(crs).to_wkt()).iloc[0]
    prepare(own)
    left, bottom, right, top = own.bounds
    if not all(math.isfinite(v) for v in own.bounds):
        raise GridError(f"the area reaches where {crs} is not defined; give a smaller area or another crs")
    x0, y0 = origin
    for row in range(math.ceil((top - y0) / side) - 1, math.floor((bottom - y0) / side) - 1, -1):
        for col in range(math.floor((left - x0) / side), math.ceil((right - x0) / side)):
            cell = box(x0 + col * side, y0 + row * side, x0 + (col + 1) * side, y0 + (row + 1) * side)
            if own.intersects(cell) and not own.touches(cell):
                yield make(col, row)


_TABLE = (
    _Grid("mgrs", "100 km squares of the Military Grid Reference System", "mgrs:33TWM", _find_mgrs, _list_squares(_find_mgrs)),
    _Grid("sentinel2", "Sentinel-2 tiles: 109.8 km, on MGRS squares", "sentinel2:33TWM", _find_sentinel2,
          _list_squares(_find_sentinel2)),
    _Grid("majortom", "the Major TOM grid (Francis & Czerkawski 2024, arXiv:2402.12095), cells of a size in km",
          "majortom:10:435U_120R", _find_majortom, _list_majortom),
    _Grid("quad", "web-mercator quads of a zoom, 256 pixels each", "quad:12/2212/1459", _find_quad, _list_quads),
    _Grid("square", "squares of a side in any crs, counted from its origin", "square:EPSG:3035:100000:c43_r29", _find_square,
          _list_square),
)  # fmt: skip
GRIDS: Mapping[str, _Grid] = {g.key: g for g in _TABLE}
"""The grids by name."""


def _split(text: str) -> tuple[_Grid, str]:
    key, _, rest = text.partition(":")
    if key not in GRIDS:
        examples = ", ".join(g.example for g in _TABLE)
        raise GridError(f"no grid named {key!r}; there are {', '.join(GRIDS)} (tiles are named like {examples})")
    return GRIDS[key], rest


def find_tile(name: str) -> Tile:
    """Give a tile by name, e.g. "mgrs:33TWM", "majortom:10:435U_120R", "square:EPSG:3035:100000:c43_r29".

    Raises:
        GridError: If there is no such grid or tile; says how its tiles are named.
    """
    grid, rest = _split(name)
    return grid.find(rest)


def list_tiles(grid: str, area: gpd.GeoDataFrame | Bounds) -> list[Tile]:
    """List the tiles of a grid that share some area with what is given.

    Args:
        grid: "mgrs", "sentinel2", "majortom:KM", "quad:ZOOM" or "square:CRS:SIDE".
        area: Polygons with a crs, or west, south, east, north in degrees.

    Raises:
        GridError: If there is no such grid, the area is empty, or more than 100,000 tiles would be listed.
    """
    from shapely import box

    found, rest = _split(grid)
    if isinstance(area, tuple):
        west, south, east, north = area
        if not (west < east and south < north):
            raise GridError(f"bbox {area} is empty; give west, south, east, north in degrees")
        shape: Any = box(*area)
    else:
        shape = area.to_crs("EPSG:4326").union_all()
        if shape.is_empty or shape.area == 0:
            raise GridError("the area has no polygon with an area; give polygons, or a bbox")
    tiles: list[Tile] = []
    for tile in found.list(rest, shape):
        tiles.append(tile)
        if len(tiles) > MAX_TILES:
            raise GridError(f"{grid} has more than {MAX_TILES:,} tiles over the area; take larger tiles or a smaller area")
    return tiles


def to_frame(tiles: Sequence[Tile], crs: Any = "EPSG:4326") -> gpd.GeoDataFrame:
    """Give tiles as polygons in a crs with their id, own crs and bounds.

    Edges are followed at steps of a twentieth of a side, so that they bend where the crs makes them.
    """
    import geopandas as gpd
    import pandas as pd
    from shapely import box

    parts = []
    for own in dict.fromkeys(t.crs for t in tiles):
        mine = [t for t in tiles if t.crs == own]
        shapes = gpd.GeoSeries([box(*t.bounds) for t in mine], crs=resolve_crs(own).to_wkt())
        step = min(t.bounds[2] - t.bounds[0] for t in mine) / 20
        names = ("left", "bottom", "right", "top")
        columns = {"id": [t.id for t in mine], "crs": own} | {n: [t.bounds[i] for t in mine] for i, n in enumerate(names)}
        parts.append(gpd.GeoDataFrame(columns, geometry=shapes.segmentize(step).to_crs(crs)))
    frame = pd.concat(parts, ignore_index=True)
    order = {t.id: i for i, t in enumerate(tiles)}
    return frame.sort_values("id", key=lambda s: s.map(order), ignore_index=True)
