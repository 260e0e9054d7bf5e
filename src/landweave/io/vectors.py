"""Vector files: points and polygons for other programs, as GeoPackage.

Receives a GeoDataFrame; hands on a file that is whole or not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["write_gpkg"]


def write_gpkg(path: Path | str, frame: gpd.GeoDataFrame, *, layer: str) -> Path:
    """Write a GeoPackage with one layer, replacing an older file.

    Args:
        path: The file; its name must end in .gpkg.
        frame: Rows with a geometry and a crs.
        layer: Name of the layer.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # the driver insists on its extension, so that the unfinished name ends in .gpkg too
    part = final.with_name(f".{final.stem}.part.gpkg")
    part.unlink(missing_ok=True)
    try:
        frame.to_file(part, layer=layer, driver="GPKG", engine="pyogrio")
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    return final
