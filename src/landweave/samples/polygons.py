"""Polygons into pixels: the pixels whose centre lies inside, holes respected, capped by a seeded choice.

Receives polygons in the grid's crs; hands on the sampled places with the polygon that each came from. A polygon is held as
spans of pixels along rows, so that one as large as a tile costs no more memory than its outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.grid import GeoBox

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["PixelSpans", "PolygonPixels", "find_spans", "sample_polygons"]


@dataclass(frozen=True)
class PixelSpans:
    """Runs of pixels along rows: columns `start` to `end` (exclusive) of `row`, in order."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def __len__(self) -> int:
        """Pixels in all spans."""
        return int((self.end - self.start).sum())

    def pick(self, ranks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give row and column of the pixels with these numbers, counted from 0 through all spans."""
        ends = np.cumsum(self.end - self.start)
        span = np.searchsorted(ends, ranks, side="right")
        return self.row[span], np.asarray(self.end[span] - (ends[span] - ranks), dtype=np.int64)


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


def find_spans(polygon: Any, geobox: GeoBox) -> PixelSpans:
    """Find the pixels whose centre lies inside a polygon or multipolygon (shapely, in the grid's crs), by the even-odd rule.

    Along the line through the centres of a row, the outline's crossings in order open and close spans. Crossings are half
    open, so that a centre exactly on a border that two polygons share belongs to one of them.
    """
    import shapely

    rings = shapely.get_rings(shapely.get_parts(polygon))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inverse = ~geobox.affine
    x = inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c
    y = inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f
    is_edge = ring[1:] == ring[:-1]
    x0, x1, y0, y1 = x[:-1][is_edge], x[1:][is_edge], y[:-1][is_edge], y[1:][is_edge]
    down = y0 > y1  # one direction for an edge and its twin in the neighbouring polygon, so that both round alike
    x0, x1, y0, y1 = np.where(down, x1, x0), np.where(down, x0, x1), np.where(down, y1, y0), np.where(down, y0, y1)
    first = np.clip(np.ceil(y0 - 0.5), 0, geobox.shape[0]).astype(np.int64)
    n = np.clip(np.ceil(y1 - 0.5), 0, geobox.shape[0]).astype(np.int64) - first
    edge = np.repeat(np.arange(len(n)), n)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n) - n, n)
    crossing = x0[edge] + (row + 0.5 - y0[edge]) * ((x1[edge] - x0[edge]) / (y1[edge] - y0[edge]))
    order = np.lexsort((crossing, row))
    row, column = row[order], np.clip(np.ceil(crossing[order] - 0.5), 0, geobox.shape[1]).astype(np.int64)
    start, end = column[0::2], column[1::2]
    filled = end > start
    return PixelSpans(row[0::2][filled], start[filled], end[filled])


def sample_polygons(
    polygons: gpd.GeoSeries, geobox: GeoBox, *, max_per_polygon: int | None, rng: np.random.Generator
) -> PolygonPixels:
    """Choose pixels of every polygon.

    Args:
        polygons: Polygons and multipolygons in the grid's crs; those outside the grid give their representative point.
        geobox: The grid.
        max_per_polygon: At most this many of each, chosen at random; all by default.
        rng: Makes the choice; polygon by polygon, so that the order of the file decides.

    Returns:
        The places, polygon by polygon in the order of the input, row by row within each.
    """
    a = geobox.affine
    parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    n_inside = np.zeros(len(polygons), dtype=np.int64)
    for i, polygon in enumerate(polygons):
        spans = find_spans(polygon, geobox)
        n_inside[i] = len(spans)
        if n_inside[i] == 0:
            point = polygon.representative_point()
            parts.append((np.array([point.x]), np.array([point.y])))
            continue
        if max_per_polygon is not None and n_inside[i] > max_per_polygon:
            ranks = np.sort(rng.choice(n_inside[i], max_per_polygon, replace=False))
        else:
            ranks = np.arange(n_inside[i])
        row, col = spans.pick(ranks)
        parts.append((a.c + a.a * (col + 0.5) + a.b * (row + 0.5), a.f + a.d * (col + 0.5) + a.e * (row + 0.5)))
    index = np.repeat(np.arange(len(parts)), [len(p[0]) for p in parts])
    return PolygonPixels(index, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]),
                         n_inside[index] == 0, n_inside)  # fmt: skip
