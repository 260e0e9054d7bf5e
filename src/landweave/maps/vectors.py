"""A map as polygons: one per patch, with class, area and mean probability.

Receives a finished map; hands on a vector file. Patches are found on the whole raster, so that no seam of a block shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import MapError
from landweave.grid import GeoBox, Window, crs_of, metres_per_pixel, pixel_area_m2, split_blocks
from landweave.io.rasters import read_window
from landweave.io.vectors import write_vectors
from landweave.maps.mmu import label_patches
from landweave.maps.opening import open_map
from landweave.maps.tracing import trace_patches
from landweave.types import MapProduct, Options

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["VectorOptions", "make_polygons", "vectorize_map"]

_STEP_PX = 1024


class VectorOptions(Options):
    """Options of `vectorize_map`."""

    simplify_px: float = Field(
        0.0, ge=0, le=100, description="Tolerance of the simplification in pixels; 0 keeps the pixel edges. Common borders are "
                                       "simplified once, so that polygons neither part nor overlap."
    )  # fmt: skip
    min_px: int = Field(1, ge=1, description="Leave out patches of fewer pixels. To dissolve them, give the map a minimum "
                                             "mapping unit first.")  # fmt: skip
    classes: tuple[str, ...] | None = Field(None, description="Class names to keep; all by default.")


def vectorize_map(path: Path | str, out: Path | str, *, options: VectorOptions | None = None) -> Path:
    """Write a map's patches as polygons.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        out: .gpkg, .parquet, .fgb, .pmtiles or .geojson.
        options: Simplification and choice.

    Raises:
        MapError: If the map has no patch to write.
        SourceError: If the ending names no known format.
    """
    product = open_map(path)
    frame = make_polygons(product, options=options)
    zoom = max(0, min(16, math.ceil(math.log2(9784 / max(metres_per_pixel(product.geobox))))))
    # a web tile has 4096 steps: at zoom z they are 9784 m / 2^z on the equator
    layer_options = {"MINZOOM": 0, "MAXZOOM": zoom} if Path(out).suffix.lower() == ".pmtiles" else {}
    return write_vectors(out, frame, layer="classes", options=layer_options)


def make_polygons(product: MapProduct, *, options: VectorOptions | None = None) -> gpd.GeoDataFrame:
    """Turn a map's patches (pixels of one class, connected through edges) into polygons.

    Takes some 10 bytes of memory per pixel of the map, and what the polygons take.

    Args:
        product: The map.
        options: Simplification and choice.

    Returns:
        One row per patch, in the order of their first pixels: `class`, `code`, `n_px`, `area_ha` (geodesic, of the mapped
        pixels, so that the areas add up to the map's; simplification does not change it), `mean_proba` (mean probability of
        the mapped class over the patch; NaN without proba.tif) and the geometry in the map's crs.

    Raises:
        MapError: If no patch is left, or shapely is too old to simplify.
    """
    import geopandas as gpd

    options = options or VectorOptions()
    legend, geobox = product.legend, product.geobox
    index = legend.to_index(_read_codes(product))
    labels, sizes = label_patches(index)
    of_patch = _class_of_patch(index, labels, len(sizes))
    wanted = sizes >= options.min_px
    if options.classes is not None:
        wanted &= np.isin(of_patch, [legend.index_of(name) for name in options.classes])
    if not wanted.any():
        raise MapError(f"map {product.folder} has no patch of {options.min_px} pixels or more"
                       + (f" of {', '.join(options.classes)}" if options.classes else ""))  # fmt: skip
    area = _add_up(labels, len(sizes), ((w, pixel_area_m2(geobox, w)) for w in _windows(geobox))) / 1e4
    mean = _mean_proba(product, index, labels, sizes)
    polygons = _place(trace_patches(labels, len(sizes)), geobox)
    if options.simplify_px > 0:
        polygons = simplify_coverage(polygons, options.simplify_px * math.sqrt(abs(geobox.affine.a * geobox.affine.e)))
    columns = {
        "class": np.array(legend.names)[of_patch], "code": np.array(legend.codes)[of_patch], "n_px": sizes, "area_ha": area,
        "mean_proba": mean,
    }  # fmt: skip
    frame = gpd.GeoDataFrame(columns, geometry=polygons, crs=crs_of(geobox).to_wkt())
    return frame[wanted].reset_index(drop=True)


def simplify_coverage(polygons: NDArray[Any], tolerance: float) -> NDArray[Any]:
    """Simplify polygons that share borders, each border once: GEOS's coverage simplification (Visvalingam-Whyatt).

    Args:
        polygons: A coverage: neighbours have the same vertices along their border.
        tolerance: In crs units; detail below about the square of it is dropped.

    Raises:
        MapError: If shapely lacks it (before 2.1, or GEOS before 3.12).
    """
    import shapely

    if not hasattr(shapely, "coverage_simplify"):
        raise MapError(f"shapely {shapely.__version__} cannot simplify common borders; install shapely >= 2.1, or leave "
                       "simplify_px at 0")  # fmt: skip
    simplified: NDArray[Any] = shapely.coverage_simplify(polygons, tolerance)
    return simplified


def _windows(geobox: GeoBox) -> list[Window]:
    return list(split_blocks((geobox.shape[0], geobox.shape[1]), _STEP_PX))


def _read_codes(product: MapProduct) -> NDArray[Any]:
    legend = product.legend
    codes = np.empty(product.geobox.shape, dtype=legend.dtype)
    for window in _windows(product.geobox):
        stored, valid = read_window(str(product.files["map"]), [1], product.geobox, window)
        codes[window.slices] = np.where(valid[0], stored[0], legend.nodata)
    return codes


def _class_of_patch(index: NDArray[np.int16], labels: NDArray[np.int32], n: int) -> NDArray[np.int16]:
    of_patch = np.zeros(n, dtype=np.int16)
    for rows in range(0, len(labels), _STEP_PX):
        part = labels[rows : rows + _STEP_PX]
        known = part >= 0
        of_patch[part[known]] = index[rows : rows + _STEP_PX][known]
    return of_patch


def _add_up(labels: NDArray[np.int32], n: int, parts: Iterator[tuple[Window, NDArray[Any]]]) -> NDArray[np.float64]:
    sums = np.zeros(n)
    for window, values in parts:
        part = labels[window.slices]
        known = part >= 0
        found, inverse = np.unique(part[known], return_inverse=True)
        sums[found] += np.bincount(inverse, weights=values[known], minlength=len(found))
    return sums


def _mean_proba(
    product: MapProduct, index: NDArray[np.int16], labels: NDArray[np.int32], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    if "proba" not in product.files:
        return np.full(len(sizes), np.nan)
    layers = list(range(1, len(product.legend) + 1))

    def parts() -> Iterator[tuple[Window, NDArray[Any]]]:
        for window in _windows(product.geobox):
            stored, _ = read_window(str(product.files["proba"]), layers, product.geobox, window)
            chosen = np.maximum(index[window.slices], 0)[None]
            yield window, np.take_along_axis(stored, chosen.astype(np.int64), axis=0)[0]

    return _add_up(labels, len(sizes), parts()) / sizes * 0.004


def _place(polygons: NDArray[Any], geobox: GeoBox) -> NDArray[Any]:
    import shapely

    a = geobox.affine

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = xy[:, 0], xy[:, 1]
        return np.column_stack([a.a * x + a.b * y + a.c, a.d * x + a.e * y + a.f])

    placed: NDArray[Any] = shapely.transform(polygons, move)
    return placed
