"""Virtual mosaics: a VRT that any GDAL program opens, and a GTI tile index for the many tiles that a VRT is too slow for.

Receives a grid, a `CogSpec` and the files on that grid's lattice; hands on a small file that names them by relative paths, so
that a folder can be moved as a whole.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from landweave.grid import GeoBox, Window, crs_of, window_geobox
from landweave.io.cog import CogSpec
from landweave.io.files import write_text
from landweave.legend import Legend

__all__ = ["VirtualTile", "write_gti", "write_vrt"]

_TYPES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32"}
"""numpy dtype -> GDAL's name of it."""


@dataclass(frozen=True)
class VirtualTile:
    """A file of a mosaic and the window of the mosaic's grid that it covers."""

    path: Path
    window: Window


def write_vrt(
    path: Path | str, geobox: GeoBox, spec: CogSpec, tiles: Sequence[VirtualTile], *, legend: Legend | None = None
) -> Path:
    """Write a VRT of tiles that share the grid's lattice; where tiles overlap the first with a value shows.

    Args:
        path: The .vrt file.
        geobox: Grid of the mosaic.
        spec: dtype, bands, nodata, scale, colours and tags, as of the tiles.
        tiles: The files in order of precedence.
        legend: Class names for a raster of codes.
    """
    final = Path(path)
    rows, cols = geobox.shape
    root = ET.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    ET.SubElement(root, "SRS").text = crs_of(geobox).to_wkt()
    ET.SubElement(root, "GeoTransform").text = ", ".join(_transform(geobox))
    if spec.tags:
        metadata = ET.SubElement(root, "Metadata")
        for key, value in spec.tags.items():
            ET.SubElement(metadata, "MDI", key=key).text = value
    for number in range(1, spec.count + 1):
        _add_band(root, number, spec, tiles, final.parent, legend)
    ET.indent(root)
    write_text(final, ET.tostring(root, encoding="unicode") + "\n")
    return final


def _add_band(
    root: ET.Element, number: int, spec: CogSpec, tiles: Sequence[VirtualTile], folder: Path, legend: Legend | None
) -> None:
    band = ET.SubElement(root, "VRTRasterBand", dataType=_TYPES[spec.dtype], band=str(number))
    ET.SubElement(band, "Description").text = spec.descriptions[number - 1]
    ET.SubElement(band, "NoDataValue").text = f"{spec.nodata:g}"
    if spec.scale is not None:
        ET.SubElement(band, "Scale").text = repr(spec.scale)
    if spec.colormap:
        ET.SubElement(band, "ColorInterp").text = "Palette"
        table = ET.SubElement(band, "ColorTable")
        for code in range(max(spec.colormap) + 1):
            color = zip(("c1", "c2", "c3", "c4"), spec.colormap.get(code, (0, 0, 0, 255)), strict=True)
            ET.SubElement(table, "Entry", {name: str(value) for name, value in color})
    if legend is not None and max(legend.codes) < 4096:
        names = dict(zip(legend.codes, legend.names, strict=True))
        categories = ET.SubElement(band, "CategoryNames")
        for code in range(max(legend.codes) + 1):
            ET.SubElement(categories, "Category").text = names.get(code, "")
    for tile in reversed(tiles):  # later sources are drawn over earlier ones
        source = ET.SubElement(band, "ComplexSource")
        ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = _relative(tile.path, folder)
        ET.SubElement(source, "SourceBand").text = str(number)
        size = {"xSize": str(tile.window.width), "ySize": str(tile.window.height)}
        ET.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
        ET.SubElement(source, "DstRect", {"xOff": str(tile.window.col), "yOff": str(tile.window.row), **size})
        ET.SubElement(source, "NODATA").text = f"{spec.nodata:g}"


def _transform(geobox: GeoBox) -> list[str]:
    a = geobox.affine
    return [repr(float(v)) for v in (a.c, a.a, a.b, a.f, a.d, a.e)]


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def write_gti(path: Path | str, geobox: GeoBox, spec: CogSpec, tiles: Sequence[VirtualTile]) -> Path:
    """Write a GDAL tile index (GTI, GDAL 3.9 and later): a GeoPackage of footprints that GDAL opens as one raster.

    Unlike a VRT it is not read as a whole, so that it serves a mosaic of many thousand tiles; each tile is a row with its
    `location`, relative to the index.

    Args:
        path: The file; its name ends in .gti.gpkg, by which GDAL knows it.
        geobox: Grid of the mosaic.
        spec: dtype, bands and nodata, as of the tiles.
        tiles: The files in order of precedence.
    """
    final = Path(path)
    boxes = [window_geobox(geobox, t.window).boundingbox for t in tiles]
    frame = gpd.GeoDataFrame(
        {"location": [_relative(t.path, final.parent) for t in tiles], "precedence": range(len(tiles), 0, -1)},
        geometry=[shapely.box(b.left, b.bottom, b.right, b.top) for b in boxes], crs=crs_of(geobox).to_wkt(),
    )  # fmt: skip
    rows, cols = geobox.shape
    metadata = {
        "BAND_COUNT": str(spec.count),
        "DATA_TYPE": _TYPES[spec.dtype], "NODATA": f"{spec.nodata:g}", "SORT_FIELD": "precedence", "SORT_FIELD_ASC": "YES",
        "XSIZE": str(cols), "YSIZE": str(rows), "GEOTRANSFORM": ", ".join(_transform(geobox)),
        "COLOR_INTERPRETATION": "palette" if spec.colormap else "undefined",
    }  # fmt: skip
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name.removesuffix('.gpkg')}.part.gpkg")
    part.unlink(missing_ok=True)
    try:
        frame.to_file(part, layer="tiles", driver="GPKG", engine="pyogrio", layer_metadata=metadata)
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    return final
