"""Plain tiled GeoTIFFs with named bands, written window by window: imagery as it is delivered.

Receives a grid, a `TiffSpec` and windows of pixels; hands on a file that is whole or not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as RioWindow

from landweave.grid import Window, crs_of
from landweave.io.files import atomic_path

__all__ = ["TiffSpec", "copy_moved", "write_geotiff"]

_TILE_PX = 256


@dataclass(frozen=True)
class TiffSpec:
    """What a GeoTIFF looks like besides its pixels.

    Attributes:
        dtype: Of the pixels.
        bands: Band names, which become the descriptions.
        nodata: Stored marker; None without.
        scales: Physical value = stored * scale, one per band; empty for plain values.
        tags: File-level metadata.
        predictor: 2 for whole numbers that change slowly, 3 for floats, 1 for none.
    """

    dtype: str
    bands: tuple[str, ...]
    nodata: float | None = None
    scales: tuple[float, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    predictor: int = 2


def write_geotiff(path: Path | str, geobox: GeoBox, spec: TiffSpec, blocks: Iterable[tuple[Window, NDArray[Any]]]) -> Path:
    """Write windows (band, y, x) to a tiled, deflated GeoTIFF with one plane per band.

    Args:
        path: The file; written as `<path>.part` and renamed when whole.
        geobox: Its grid.
        spec: Everything else.
        blocks: Windows that cover the grid, with their pixels in `spec.dtype`.

    Raises:
        DiskFullError: If the disk fills; no partial file stays.
    """
    final = Path(path)
    rows, cols = geobox.shape
    tile = {"tiled": True, "blockxsize": _TILE_PX, "blockysize": _TILE_PX} if min(rows, cols) >= _TILE_PX else {}
    profile = {
        "driver": "GTiff", "width": cols, "height": rows, "count": len(spec.bands), "dtype": spec.dtype, "nodata": spec.nodata,
        "crs": crs_of(geobox).to_wkt(), "transform": geobox.affine, "interleave": "band", "compress": "deflate", "zlevel": 1,
        "predictor": spec.predictor, "bigtiff": "IF_SAFER", "photometric": "MINISBLACK", **tile,
    }  # fmt: skip
    with atomic_path(final) as part, rasterio.open(part, "w", **profile) as dst:
        dst.descriptions = spec.bands
        if spec.scales:
            dst.scales = spec.scales
        if spec.tags:
            dst.update_tags(**spec.tags)
        for window, data in blocks:
            dst.write(data, window=RioWindow(window.col, window.row, window.width, window.height))
    return final


def copy_moved(path: Path | str, out: Path | str, *, rows: float, cols: float) -> Path:
    """Copy a raster to a GeoTIFF whose grid starts (rows, columns) pixels earlier; no value is touched.

    Content that lies `rows` too low and `cols` too far right thus comes to stand where it belongs.

    Args:
        path: A raster with a geotransform.
        out: The copy; written as `<out>.part` and renamed when whole.
        rows: Pixels of the raster.
        cols: Likewise.

    Raises:
        DiskFullError: If the disk fills; no partial file stays.
    """
    from affine import Affine
    from rasterio import shutil

    final = Path(out)
    with atomic_path(final) as part:
        shutil.copy(str(path), str(part), driver="GTiff", TILED="YES", COMPRESS="DEFLATE", BIGTIFF="IF_SAFER")
        with rasterio.open(part, "r+") as dst:
            dst.transform = dst.transform @ Affine.translation(-cols, -rows)
    return final
