"""Reading a finished map back: ours by its tag, others by their category names, colour table or a legend file.

Receives a path; hands on a `MapProduct`.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window as RioWindow

from landweave.errors import LegendError, MapError, SourceError
from landweave.grid import crs_of, split_blocks
from landweave.io.cog import TILE_PX
from landweave.io.files import read_json, sha256_file
from landweave.io.rasters import read_info
from landweave.legend import Legend
from landweave.maps.counting import AreaCount
from landweave.maps.products import FILE_NAMES, LEGEND_TAG
from landweave.types import MapProduct

__all__ = ["open_map", "read_legend"]

_VIRTUAL = "map.vrt"
"""The map of a folder that holds a mosaic without pixels of its own."""


def open_map(path: Path | str) -> MapProduct:
    """Open a classified map: the folder of one, or any single-band raster of codes that says what its codes mean.

    A folder may also hold a virtual mosaic (`map.vrt`).

    The legend comes from the first of: our own tag in the file, `legend.json` beside it (a list of code, name, color),
    category names (`<file>.aux.xml`) with the colour table. Counts and areas are added up from the pixels.

    Raises:
        SourceError: If there is no raster.
        MapError: If it is not a classified map, has no legend, or holds codes that its legend lacks.
        GridError: If it has no crs.
    """
    at = Path(path)
    tif = _find_map(at) if at.is_dir() else at
    if not tif.exists():
        raise SourceError(f"file {tif} does not exist; the folder of a finished map holds {FILE_NAMES['map']}")
    info = read_info(tif)
    if info.count != 1 or info.dtypes[0] not in ("uint8", "uint16"):
        raise MapError(f"{tif} is not a classified map: it has {info.count} band(s) of {info.dtypes[0]}, a map has one of "
                       "uint8 or uint16")  # fmt: skip
    crs_of(info.geobox)
    legend = read_legend(tif, tags=info.tags)
    counter = AreaCount(info.geobox, int(np.iinfo(info.dtypes[0]).max) + 1)
    with rasterio.open(tif) as src:
        for window in split_blocks((src.height, src.width), 2 * TILE_PX):
            counter.add(src.read(1, window=RioWindow(window.col, window.row, window.width, window.height)), window)
    _check_codes(tif, legend, counter.count_px, info.nodata[0])
    folder = tif.parent
    files = {"map": tif}
    if tif.name in (FILE_NAMES["map"], _VIRTUAL):
        names = {**FILE_NAMES, "lineage": "lineage.json", "map": tif.name}
        if tif.name == _VIRTUAL:
            names |= {"proba": "proba.vrt", "uncertainty": "uncertainty.vrt"}
        files |= {n: folder / f for n, f in names.items() if (folder / f).exists()}
    return MapProduct(folder, files, legend, info.geobox, sha256_file(tif), counter.count_px, counter.area_ha)


def _find_map(folder: Path) -> Path:
    """Give the map of a folder, which may be a virtual mosaic."""
    tif, vrt = folder / FILE_NAMES["map"], folder / _VIRTUAL
    return vrt if vrt.is_file() and not tif.exists() else tif


def _check_codes(tif: Path, legend: Legend, count_px: Mapping[int, int], nodata: float | None) -> None:
    known = {*legend.codes, legend.nodata, legend.unsure} | ({int(nodata)} if nodata is not None else set())
    strange = [c for c in count_px if c not in known]
    if strange:
        raise MapError(f"{tif} holds the code {strange[0]} in {count_px[strange[0]]} pixels, which its legend lacks (it has "
                       f"{', '.join(f'{c.code} {c.name}' for c in legend)}); is it a classified map?")  # fmt: skip


def read_legend(tif: Path, *, tags: Mapping[str, str]) -> Legend:
    """Read the legend of a raster of codes; see `open_map` for where it is looked for.

    Raises:
        MapError: If none is found, or it cannot be read.
    """
    beside = tif.with_name("legend.json")
    try:
        if LEGEND_TAG in tags:
            return Legend.from_dicts(json.loads(tags[LEGEND_TAG]))
        if beside.is_file():
            return Legend.from_dicts(read_json(beside))
        names = _category_names(Path(f"{tif}.aux.xml"))
        if names:
            return Legend.from_dicts(_with_colors(tif, names))
    except (LegendError, ValueError, KeyError, TypeError, ET.ParseError) as err:
        raise MapError(f"the legend of {tif} cannot be read: {err}") from err
    raise MapError(f"{tif} does not say what its codes mean: it has no {LEGEND_TAG} tag, no {beside.name} beside it (a list of "
                   '{"code": 1, "name": "Forest", "color": "#228833"}) and no category names; is it a classified map?'
                   )  # fmt: skip


def _category_names(aux: Path) -> dict[int, str]:
    if not aux.is_file():
        return {}
    names = ET.parse(aux).getroot().findall("./PAMRasterBand[@band='1']/CategoryNames/Category")
    return {code: (n.text or "").strip() for code, n in enumerate(names) if (n.text or "").strip()}


def _with_colors(tif: Path, names: Mapping[int, str]) -> list[dict[str, Any]]:
    with rasterio.open(tif) as src:
        try:
            table = src.colormap(1)
        except ValueError:  # no colour table: the legend's own palette
            table = {}
    colors = {c: "#{:02x}{:02x}{:02x}".format(*table[c][:3]) for c in names if c in table}
    reserved = {254, 255}
    return [{"code": c, "name": n, "color": colors.get(c)} for c, n in names.items() if c not in reserved]
