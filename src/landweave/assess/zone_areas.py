"""Which zone a pixel belongs to, and how much of each class is mapped in each zone.

Receives a map product and zones as polygons or a raster; hands on `ZoneAreas`. The map is read block by block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.grid import GeoBox, Window, crs_of, pixel_area_m2, split_blocks, window_geobox
from landweave.io.rasters import read_info, read_window
from landweave.io.vectors import read_vectors
from landweave.legend import Legend
from landweave.types import MapProduct

__all__ = ["ZoneAreas", "measure_zones"]

_BLOCK_PX = 1024
_NAMES = ("name", "zone", "province", "region", "district", "id")
_RASTERS = (".tif", ".tiff", ".vrt", ".img", ".asc")


@dataclass(frozen=True)
class ZoneAreas:
    """Zones on the grid of a map.

    Attributes:
        names: Names of the zones (Z).
        area_ha: Mapped hectares (Z, K).
        read: Window -> zone index of each pixel (y, x), -1 outside all zones.
    """

    names: tuple[str, ...]
    area_ha: NDArray[np.float64]
    read: Callable[[Window], NDArray[np.int64]]

    def at(self, place: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Give the zone of pixels (row, column) (n, 2), by the same rule as their areas were added up with."""
        if place is None:
            raise AssessmentError("zones need the samples' places on the map; give a map product")
        made = np.full(len(place), -1, dtype=np.int64)
        block = place // _BLOCK_PX
        for key in np.unique(block, axis=0):
            here = (block == key).all(axis=1)
            rows, cols = place[here, 0], place[here, 1]
            if rows.min() < 0 or cols.min() < 0:
                continue
            window = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
            made[here] = self.read(window)[rows - window.row, cols - window.col]
        return made


def measure_zones(product: MapProduct, classes: Legend, zones: str | Path, *, name_column: str | None = None) -> ZoneAreas:
    """Add up the mapped area of every class in every zone; a pixel belongs to the zone that its centre lies in.

    Args:
        product: The map.
        classes: Classes to add up, which may be more than the map's.
        zones: Polygons in any crs, or a raster of whole numbers on any grid (the nearest pixel counts).
        name_column: Column that names the polygons; name, zone, province and the like by default.

    Raises:
        SourceError: If the zones cannot be read.
        AssessmentError: If the column is missing or the polygons have no area.
    """
    geobox = product.geobox
    if Path(zones).suffix.lower() in _RASTERS:
        names, read = _open_raster(str(zones), geobox)
    else:
        names, read = _open_polygons(zones, geobox, name_column)
    areas = np.zeros(len(names) * len(classes))
    path = str(product.files["map"])
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        codes, valid = read_window(path, [1], geobox, window)
        index = product.legend.to_index(np.where(valid[0], codes[0], product.legend.nodata).astype(np.int64)).astype(np.int64)
        zone = read(window)
        here = (index >= 0) & (zone >= 0)
        weights = pixel_area_m2(geobox, window)[here] / 1e4
        areas += np.bincount(zone[here] * len(classes) + index[here], weights, minlength=len(areas))
    return ZoneAreas(tuple(names), areas.reshape(len(names), len(classes)), read)


def _open_polygons(
    zones: str | Path, geobox: GeoBox, name_column: str | None
) -> tuple[list[str], Callable[[Window], NDArray[np.int64]]]:
    frame = read_vectors(zones).to_crs(crs_of(geobox).to_wkt())
    frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
    if not (frame.geom_type.isin(["Polygon", "MultiPolygon"])).all():
        raise AssessmentError(f"{zones} holds {', '.join(sorted(set(frame.geom_type)))}; zones are polygons")
    columns = {str(c).casefold(): str(c) for c in frame.columns if c != frame.geometry.name}
    column = name_column or next((columns[n] for n in _NAMES if n in columns), None)
    if column is None or column not in frame.columns:
        raise AssessmentError(f"{zones} has no column {name_column or 'name'!r} to name the zones by (columns: "
                              f"{', '.join(columns.values()) or 'none'}); give name_column")  # fmt: skip
    texts = frame[column].astype(str)
    names = sorted(set(texts))
    at = [names.index(t) for t in texts]
    shapes = list(frame.geometry)

    def read(window: Window) -> NDArray[np.int64]:
        from rasterio.features import rasterize

        part = window_geobox(geobox, window)
        box = part.extent.boundingbox
        near = [(s, i) for s, i in zip(shapes, at, strict=True) if _meets(s.bounds, box)]
        if not near:
            return np.full((window.height, window.width), -1, dtype=np.int64)
        made: Any = rasterize(near, (window.height, window.width), fill=-1, transform=part.affine, dtype="int32")
        return np.asarray(made, dtype=np.int64)

    return names, read


def _meets(bounds: tuple[float, float, float, float], box: Any) -> bool:
    return bool(bounds[0] <= box.right and bounds[2] >= box.left and bounds[1] <= box.top and bounds[3] >= box.bottom)


def _open_raster(path: str, geobox: GeoBox) -> tuple[list[str], Callable[[Window], NDArray[np.int64]]]:
    info = read_info(path)
    if np.dtype(info.dtypes[0]).kind not in "iu":
        raise AssessmentError(f"{path} holds {info.dtypes[0]}; zones are whole numbers")
    found: set[int] = set()
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        data, valid = read_window(path, [1], geobox, window)
        found.update(int(v) for v in np.unique(data[0][valid[0]]))
    codes = np.array(sorted(found), dtype=np.int64)
    if not len(codes):
        raise AssessmentError(f"{path} has no zone where the map is; do the two overlap?")

    def read(window: Window) -> NDArray[np.int64]:
        data, valid = read_window(path, [1], geobox, window)
        return np.where(valid[0], np.searchsorted(codes, data[0].astype(np.int64)), -1)

    return [str(c) for c in codes], read
