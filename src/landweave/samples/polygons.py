"""Polygons into pixels: the pixels whose centre lies inside, holes respected, capped by a seeded choice.

Receives polygons in the grid's crs; hands on the sampled places with the polygon that each came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.grid import GeoBox, Window

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["PolygonPixels", "pixels_in_polygon", "sample_polygons"]

_STRIP_PX = 4_000_000
"""Pixels that one polygon is rasterised in at a time, to bound the memory of polygons as large as a tile."""


@dataclass(frozen=True)
class PolygonPixels:
    """Sampled places of polygons.

    Attributes:
        polygon: Position of the polygon each place came from.
        x: Pixel centre (the representative point of a polygon that holds no centre), in the grid's crs.
        y: Likewise.
        sub_pixel: True where the polygon holds no pixel centre.
        n_inside: Pixel centres inside each polygon and the grid, before any cap.
    """

    polygon: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    sub_pixel: NDArray[np.bool_]
    n_inside: NDArray[np.int64]


def pixels_in_polygon(polygon: Any, geobox: GeoBox) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows and columns of the pixels whose centre lies inside a polygon (shapely, in the grid's crs).

    A centre exactly on the border belongs to one of two adjoining polygons, never to both (GDAL's rule).
    """
    from rasterio.features import rasterize

    window = _window_of(polygon.bounds, geobox)
    rows: list[NDArray[np.int64]] = []
    cols: list[NDArray[np.int64]] = []
    height = max(1, _STRIP_PX // max(window.width, 1))
    for top in range(window.row, window.row_end, height):
        shape = (min(height, window.row_end - top), window.width)
        if 0 in shape:
            continue
        affine = geobox.affine @ Affine.translation(window.col, top)
        inside = rasterize([(polygon, 1)], out_shape=shape, transform=affine, fill=0, dtype="uint8")
        r, c = np.nonzero(inside)
        rows.append(r + top)
        cols.append(c + window.col)
    if not rows:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate(rows), np.concatenate(cols)


def _window_of(bounds: tuple[float, float, float, float], geobox: GeoBox) -> Window:
    left, bottom, right, top = bounds
    corners = [~geobox.affine @ p for p in ((left, bottom), (left, top), (right, bottom), (right, top))]
    c, r = [p[0] for p in corners], [p[1] for p in corners]
    col, row = int(np.floor(min(c))), int(np.floor(min(r)))
    window = Window(row, col, int(np.ceil(max(r))) - row + 1, int(np.ceil(max(c))) - col + 1)
    return window.clip((geobox.shape[0], geobox.shape[1]))


def sample_polygons(
    polygons: gpd.GeoSeries, geobox: GeoBox, *, max_per_polygon: int | None, rng: np.random.Generator
) -> PolygonPixels:
    """Choose pixels of every polygon.

    Args:
        polygons: Polygons and multipolygons in the grid's crs; those outside the grid give nothing.
        geobox: The grid.
        max_per_polygon: At most this many of each, chosen at random; all by default.
        rng: Makes the choice; polygon by polygon, so that the order of the file decides.

    Returns:
        The places, polygon by polygon in the order of the input, row by row within each.
    """
    a = geobox.affine
    index: list[NDArray[np.int64]] = []
    xs: list[NDArray[np.float64]] = []
    ys: list[NDArray[np.float64]] = []
    sub: list[NDArray[np.bool_]] = []
    n_inside = np.zeros(len(polygons), dtype=np.int64)
    for i, polygon in enumerate(polygons):
        rows, cols = pixels_in_polygon(polygon, geobox)
        n_inside[i] = len(rows)
        if len(rows) == 0:
            point = polygon.representative_point()
            x, y = np.array([point.x]), np.array([point.y])
        else:
            if max_per_polygon is not None and len(rows) > max_per_polygon:
                chosen = np.sort(rng.choice(len(rows), max_per_polygon, replace=False))
                rows, cols = rows[chosen], cols[chosen]
            x = a.c + a.a * (cols + 0.5) + a.b * (rows + 0.5)
            y = a.f + a.d * (cols + 0.5) + a.e * (rows + 0.5)
        index.append(np.full(len(x), i))
        xs.append(x)
        ys.append(y)
        sub.append(np.full(len(x), n_inside[i] == 0))
    return PolygonPixels(np.concatenate(index), np.concatenate(xs), np.concatenate(ys), np.concatenate(sub), n_inside)
