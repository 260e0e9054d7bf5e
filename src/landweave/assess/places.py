"""What the map says at the reference places, and whether those places are independent of the training data.

Receives a map product and sample tables; hands on class indices, reasons for rows without one, and refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from landweave.errors import AssessmentError
from landweave.grid import GeoBox, Window, crs_of
from landweave.io.rasters import read_window
from landweave.types import MapProduct, SampleTable

__all__ = ["MapReading", "check_independent", "read_map_codes"]

_BLOCK_PX = 1024
"""Side of the windows that points are read through: one COG block row or two."""

_SAME_PLACE_M = 1.0
"""Two rows nearer than this are one place where no grid says what a pixel is."""


@dataclass(frozen=True)
class MapReading:
    """The map at the reference places.

    Attributes:
        codes: Map code of every row (n,), -1 where there is none.
        reasons: Why a row has no class (n,): "", "outside the map", "on nodata of the map", "on 'unsure' of the map".
    """

    codes: NDArray[np.int64]
    reasons: NDArray[np.str_]


def pixel_of(samples: SampleTable, geobox: GeoBox) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the row and column of the pixel that each sample lies in; a place on an edge belongs to the lower right one."""
    xy = samples.to_xy(crs_of(geobox).to_wkt())
    a = ~geobox.affine
    col = a.a * xy[:, 0] + a.b * xy[:, 1] + a.c
    row = a.d * xy[:, 0] + a.e * xy[:, 1] + a.f
    # a place that its projection could not take (inf) is outside
    finite = np.isfinite(row) & np.isfinite(col)
    return (np.floor(np.where(finite, row, -1)).astype(np.int64), np.floor(np.where(finite, col, -1)).astype(np.int64))


def read_map_codes(product: MapProduct, samples: SampleTable) -> MapReading:
    """Read the map's code in the pixel of every sample, never interpolated.

    Raises:
        AssessmentError: If the product has no map, or no sample lies on it.
        SourceError: If the map cannot be read.
    """
    if "map" not in product.files:
        raise AssessmentError(f"{product.folder} holds no map.tif (it has {', '.join(sorted(product.files)) or 'nothing'}); "
                              "finish the map with landweave predict first")  # fmt: skip
    geobox, legend = product.geobox, product.legend
    rows, cols = pixel_of(samples, geobox)
    inside = (rows >= 0) & (rows < geobox.shape[0]) & (cols >= 0) & (cols < geobox.shape[1])
    if not inside.any():
        raise AssessmentError(f"none of the {len(samples)} reference samples lies on the map {product.files['map']}; "
                              "check the crs and the axis order (lon, lat) of the reference")  # fmt: skip
    codes = np.full(len(samples), -1, dtype=np.int64)
    blocks = np.where(inside, (rows // _BLOCK_PX) * (geobox.shape[1] // _BLOCK_PX + 1) + cols // _BLOCK_PX, -1)
    for block in np.unique(blocks[inside]):
        at = np.flatnonzero(blocks == block)
        codes[at] = _read_at(str(product.files["map"]), geobox, rows[at], cols[at], legend.nodata)
    reasons = np.full(len(samples), "", dtype=object)
    reasons[~inside] = "outside the map"
    reasons[inside & (codes == legend.nodata)] = "on nodata of the map"
    reasons[inside & (codes == legend.unsure)] = "on 'unsure' of the map"
    return MapReading(np.where(reasons == "", codes, -1), reasons.astype(np.str_))


def _read_at(
    path: str, geobox: GeoBox, rows: NDArray[np.int64], cols: NDArray[np.int64], nodata: int
) -> NDArray[np.int64]:
    top, left = int(rows.min()), int(cols.min())
    window = Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
    values, valid = read_window(path, [1], geobox, window)
    at = (0, rows - top, cols - left)
    return np.where(valid[at], values[at].astype(np.int64), nodata)


def _to_metres(samples: SampleTable) -> NDArray[np.float64]:
    """Place samples in earth-centred metres (n, 3), in which straight distances are ground distances up to many km."""
    lonlat = samples.to_xy("EPSG:4326")
    transform = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform
    x, y, z = transform(lonlat[:, 0], lonlat[:, 1], np.zeros(len(lonlat)))
    return np.column_stack([x, y, z])


def find_dependent(
    reference: SampleTable, training: SampleTable, *, buffer_m: float, geobox: GeoBox | None
) -> NDArray[np.bool_]:
    """Mark the reference rows (n,) that share a pixel with a training row or lie within `buffer_m` of one."""
    from scipy.spatial import cKDTree

    if len(training) == 0 or len(reference) == 0:
        return np.zeros(len(reference), dtype=bool)
    tree = cKDTree(_to_metres(training))
    reach = buffer_m if geobox is not None else max(buffer_m, _SAME_PLACE_M)
    near = np.isfinite(tree.query(_to_metres(reference), distance_upper_bound=np.nextafter(reach, np.inf))[0])
    if geobox is not None:
        trained = set(zip(*(a.tolist() for a in pixel_of(training, geobox)), strict=True))
        near |= np.array([p in trained for p in zip(*(a.tolist() for a in pixel_of(reference, geobox)), strict=True)])
    return np.asarray(near, dtype=bool)


def check_independent(
    reference: SampleTable, training: SampleTable, *, buffer_m: float, geobox: GeoBox | None, allow: bool
) -> NDArray[np.bool_]:
    """Refuse reference rows that trained the model or lie too near to one that did.

    Returns:
        The rows concerned (n,), which can be marked only where `allow` is set.

    Raises:
        AssessmentError: If there are such rows and they are not allowed; says how many and which is the first.
    """
    marked = find_dependent(reference, training, buffer_m=buffer_m, geobox=geobox)
    if marked.any() and not allow:
        first: Any = reference.frame["sample_id"].iloc[int(np.argmax(marked))]
        where = f"within {buffer_m:g} m of one" if buffer_m > 0 else "in its pixel"
        raise AssessmentError(
            f"{int(marked.sum())} of {len(reference)} reference rows trained the model or lie {where} (the first is "
            f"sample_id {first}), which flatters the map; judge it with other rows, or ask for these by name with "
            "assess.allow_training_rows: true, and the report will say so"
        )
    return marked
