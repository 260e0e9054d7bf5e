"""The 100 km squares of the Military Grid Reference System, from 80 degrees south to 84 degrees north, and Sentinel-2's tiles.

Receives names or an area in degrees; hands on squares with their UTM bounds. After NGA.STND.0037 (Universal Grids and Grid
Reference Systems, 2014, section 3): zones with the exceptions of Norway and Svalbard, bands of 8 degrees, letters of squares.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyproj import Transformer

from landweave.errors import GridError

__all__ = ["Square", "find_square", "list_squares", "sentinel2_bounds"]

Bounds = tuple[float, float, float, float]
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
"""Letters of the eight squares of 100 km from easting 100 km on, by zone number modulo 3."""
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SIDE = 100_000.0
_FALSE_NORTHING = 10_000_000.0


@dataclass(frozen=True, slots=True)
class Square:
    """A square: its name such as 33TWM, zone, and lower left corner in metres of its UTM crs."""

    name: str
    zone: int
    is_north: bool
    easting: float
    northing: float

    @property
    def crs(self) -> str:
        """EPSG code of the zone on WGS84."""
        return f"EPSG:{(32600 if self.is_north else 32700) + self.zone}"

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top in metres."""
        return self.easting, self.northing, self.easting + _SIDE, self.northing + _SIDE


@lru_cache(maxsize=64)
def _from_utm(zone: int, is_north: bool) -> Transformer:
    return Transformer.from_crs((32600 if is_north else 32700) + zone, 4326, always_xy=True)


def _band_span(letter: str) -> tuple[float, float]:
    south = -80.0 + 8 * _BANDS.index(letter)
    return south, 84.0 if letter == "X" else south + 8


def _zone_span(zone: int, letter: str) -> tuple[float, float] | None:
    """Longitudes of a zone in a band; None for the zones that Svalbard does without."""
    west = -186.0 + 6 * zone
    odd = {
        ("V", 31): (0.0, 3.0), ("V", 32): (3.0, 12.0), ("X", 31): (0.0, 9.0), ("X", 33): (9.0, 21.0),
        ("X", 35): (21.0, 33.0), ("X", 37): (33.0, 42.0),
    }  # fmt: skip
    if letter == "X" and zone in (32, 34, 36):
        return None
    return odd.get((letter, zone), (west, west + 6))


def _row_letter(zone: int, northing: float) -> str:
    """Letter of the row of squares, 0 at the equator (or at the false origin, 100 rows below it: the same letters)."""
    return _ROWS[(round(northing / _SIDE) + (5 if zone % 2 == 0 else 0)) % 20]


def find_square(name: str) -> Square:
    """Give a square by its name: zone, band, column and row letter.

    Raises:
        GridError: If there is none of that name; says which part is wrong.
    """
    match = re.fullmatch(r"(\d{1,2})([A-Z])([A-Z])([A-Z])", name.strip().upper())
    if match is None:
        raise GridError(f"no MGRS square is named {name!r}; write zone, band and the letters of column and row, e.g. 33TWM")
    zone, band, column, row = int(match[1]), match[2], match[3], match[4]
    if not 1 <= zone <= 60 or band not in _BANDS or _zone_span(zone, band) is None:
        raise GridError(f"MGRS square {name}: there is no zone {zone}{band}; zones are 1 to 60, bands C to X without I and O")
    letters = _COLUMNS[zone % 3]
    if column not in letters or row not in _ROWS:
        raise GridError(f"MGRS square {name}: columns of zone {zone} are {letters}, rows {_ROWS}")
    easting = _SIDE * (1 + letters.index(column))
    is_north = band >= "N"
    south, north = _band_span(band)
    for k in range(100):
        northing = k * _SIDE
        if _row_letter(zone, northing) == row and _reaches(zone, is_north, (easting, northing), (south, north)):
            return Square(f"{zone}{band}{column}{row}", zone, is_north, easting, northing)
    raise GridError(f"MGRS square {name}: row {row} of column {column} does not reach band {band} ({south:g} to {north:g} "
                    "degrees of latitude)")  # fmt: skip


def _reaches(zone: int, is_north: bool, corner: tuple[float, float], span: tuple[float, float]) -> bool:
    """Tell whether a square reaches into a band of latitudes; where it only touches one it does not."""
    easting, northing = corner
    x = [easting, easting + _SIDE / 2, easting + _SIDE] * 2
    y = [northing] * 3 + [northing + _SIDE] * 3
    _, lat = _from_utm(zone, is_north).transform(x, y)
    return bool(min(lat) < span[1] - 1e-9 and max(lat) > span[0] + 1e-9)


def list_squares(area: Any) -> Iterator[str]:
    """Name the squares that share some area with a geometry in degrees, each once, by the band that its middle lies in.

    Raises:
        GridError: If the area lies wholly beyond 80 degrees south or 84 degrees north.
    """
    import geopandas as gpd
    from shapely import box

    west, south, east, north = area.bounds
    if north <= -80 or south >= 84:
        raise GridError("the area lies beyond the UTM zones (80 degrees south to 84 north); take the majortom or square grid")
    seen: set[tuple[int, bool, float, float]] = set()
    for letter in _BANDS:
        low, high = _band_span(letter)
        if high <= south or low >= north:
            continue
        for zone in range(1, 61):
            span = _zone_span(zone, letter)
            if span is None or span[1] <= west or span[0] >= east:
                continue
            part = area.intersection(box(span[0], low, span[1], high))
            if part.area == 0:
                continue
            is_north = letter >= "N"
            crs = (32600 if is_north else 32700) + zone
            own = gpd.GeoSeries([part], crs=4326).segmentize(0.1).to_crs(crs).iloc[0]
            for corner in _corners(own):
                if (zone, is_north, *corner) not in seen:
                    seen.add((zone, is_north, *corner))
                    yield _name(zone, is_north, corner, letter)


def _corners(shape: Any) -> Iterator[tuple[float, float]]:
    """Lower left corners of the squares that share some area with a geometry in UTM metres, from the north-west."""
    from shapely import box

    left, bottom, right, top = shape.bounds
    for row in range(math.ceil(top / _SIDE) - 1, math.floor(bottom / _SIDE) - 1, -1):
        for col in range(math.floor(left / _SIDE), math.ceil(right / _SIDE)):
            square = box(col * _SIDE, row * _SIDE, (col + 1) * _SIDE, (row + 1) * _SIDE)
            if 1 <= col <= 8 and shape.intersection(square).area > 1.0:  # less than a square metre is rounding
                yield col * _SIDE, row * _SIDE


def _name(zone: int, is_north: bool, corner: tuple[float, float], letter: str) -> str:
    _, lat = _from_utm(zone, is_north).transform(corner[0] + _SIDE / 2, corner[1] + _SIDE / 2)
    middle = _BANDS[min(max(int((lat + 80) // 8), 0), len(_BANDS) - 1)]
    # a square over the equator's edge of a zone that Svalbard or Norway bends keeps the band it was found in
    band = middle if (middle >= "N") == is_north and _zone_span(zone, middle) is not None else letter
    return f"{zone}{band}{_COLUMNS[zone % 3][round(corner[0] / _SIDE) - 1]}{_row_letter(zone, corner[1])}"


def sentinel2_bounds(square: Square) -> Bounds:
    """Give the bounds of the Sentinel-2 tile on a square: 109.8 km from its upper left corner, which is moved out to a
    multiple of 60 m counted from the equator (as in the products: 22HBD starts at 199980, 5900020).
    """  # noqa: D205 (one sentence says both)
    left = math.floor(square.easting / 60) * 60.0
    shift = 0.0 if square.is_north else _FALSE_NORTHING
    top = math.ceil((square.northing + _SIDE - shift) / 60) * 60.0 + shift
    return left, top - 109_800.0, left + 109_800.0, top
