"""The files of a map: what each looks like, writing them from the block store, reading them back.

Receives finished blocks; hands on a `MapProduct`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from landweave.errors import MapError, SourceError
from landweave.grid import GeoBox, Window, pixel_area_m2, split_blocks
from landweave.io.cog import TILE_PX, CogSpec, legend_colormap, write_category_names, write_cog
from landweave.io.files import sha256_file
from landweave.io.rasters import read_info
from landweave.legend import Legend
from landweave.maps.options import MapOptions
from landweave.maps.store import BlockStore
from landweave.maps.tasks import LEVELS, PROBA_NODATA
from landweave.types import CubeSet, MapProduct, ModelCard

__all__ = ["FILE_NAMES", "make_specs", "open_map", "write_products"]

FILE_NAMES: Mapping[str, str] = {
    "map": "map.tif", "names": "map.tif.aux.xml", "proba": "proba.tif", "uncertainty": "uncertainty.tif", "style": "map.qml",
    "item": "item.json",
}  # fmt: skip
"""Product -> file name; `lineage.json` is written after all of them and says that they are finished."""

LEGEND_TAG = "LANDWEAVE_LEGEND"


def make_specs(legend: Legend, options: MapOptions) -> dict[str, CogSpec]:
    """Say what each raster product that is asked for looks like."""
    tags = {LEGEND_TAG: json.dumps(legend.to_dicts(), ensure_ascii=False, separators=(",", ":"))}
    colormap = legend_colormap(legend)
    specs = {"map": CogSpec(str(legend.dtype), 1, legend.nodata, "mode", ("class",), colormap=colormap, tags=tags)}
    scale = 1 / LEVELS
    if options.proba:
        specs["proba"] = CogSpec("uint8", len(legend), PROBA_NODATA, "average", legend.names, scale=scale, predictor=True)
    if options.uncertainty:
        bands = ("entropy", "margin")
        specs["uncertainty"] = CogSpec("uint8", 2, PROBA_NODATA, "average", bands, scale=scale, predictor=True)
    return specs


class AreaCount:
    """Pixels and geodesic area per code, added up tile by tile of a fixed size, so that any block size gives the same sums."""

    def __init__(self, geobox: GeoBox, n_codes: int) -> None:
        self._geobox = geobox
        self._n_codes = n_codes
        self._counts = np.zeros(n_codes, dtype=np.int64)
        self._areas: dict[int, list[float]] = {}

    def add(self, codes: NDArray[Any], window: Window) -> None:
        """Add a window (y, x) whose corner lies on the lattice of tiles."""
        for tile in split_blocks((window.height, window.width), TILE_PX):
            part = codes[tile.slices].ravel()
            area = pixel_area_m2(self._geobox, Window(window.row + tile.row, window.col + tile.col, tile.height, tile.width))
            self._counts += np.bincount(part, minlength=self._n_codes)
            sums = np.bincount(part, weights=area.ravel(), minlength=self._n_codes)
            for code in np.flatnonzero(sums):
                self._areas.setdefault(int(code), []).append(float(sums[code]))

    @property
    def count_px(self) -> dict[int, int]:
        """Code -> pixels, for the codes that occur."""
        return {int(c): int(self._counts[c]) for c in np.flatnonzero(self._counts)}

    @property
    def area_ha(self) -> dict[int, float]:
        """Code -> hectares; exactly rounded sums, whatever the order of the tiles."""
        return {code: math.fsum(self._areas[code]) / 1e4 for code in sorted(self._areas)}


def write_products(store: BlockStore, cubes: CubeSet, card: ModelCard, folder: Path, *, threads: int = 1) -> MapProduct:
    """Put the products together from the store; `map.tif` gets its name last.

    Raises:
        DiskFullError: If the disk fills; no partial product stays.
        MapError: If a block was damaged meanwhile.
    """
    legend, geobox = card.legend, cubes.geobox
    options = MapOptions(proba="proba" in store.layouts, uncertainty="uncertainty" in store.layouts)
    specs = make_specs(legend, options)
    step = store.block_px if store.block_px % TILE_PX == 0 else TILE_PX
    counter = AreaCount(geobox, int(np.iinfo(legend.dtype).max) + 1)

    def read(product: str, window: Window) -> NDArray[Any]:
        pixels = store.read_window(window, product)
        if product == "map":
            counter.add(pixels[0], window)
        return pixels

    files: dict[str, Path] = {}
    for name in [*(n for n in specs if n != "map"), "map"]:
        path = folder / FILE_NAMES[name]
        if name == "map":
            files["names"] = write_category_names(path, legend)
        write_cog(path, geobox, partial(read, name), specs[name], step_px=step, threads=threads,
                  scratch=store.root / "scratch")  # fmt: skip
        files[name] = path
    ordered = {name: files[name] for name in FILE_NAMES if name in files}
    return MapProduct(folder, ordered, legend, geobox, sha256_file(files["map"]), counter.count_px, counter.area_ha)


def open_map(path: Path | str) -> MapProduct:
    """Open a map: the folder of one, or a GeoTIFF of codes with a legend in its tags.

    Counts and areas are added up from the pixels.

    Raises:
        SourceError: If there is no raster.
        MapError: If it is not a classified map.
    """
    at = Path(path)
    tif = at / FILE_NAMES["map"] if at.is_dir() else at
    if not tif.exists():
        raise SourceError(f"file {tif} does not exist; a folder of a finished map holds {FILE_NAMES['map']}")
    info = read_info(tif)
    legend = _read_legend(tif, info.count, info.dtypes[0], info.tags)
    counter = AreaCount(info.geobox, int(np.iinfo(legend.dtype).max) + 1)
    with rasterio.open(tif) as src:
        for window in split_blocks((src.height, src.width), 2 * TILE_PX):
            counter.add(src.read(1, window=RioWindow(window.col, window.row, window.width, window.height)), window)
    folder = tif.parent
    files = {n: folder / f for n, f in FILE_NAMES.items() if (folder / f).exists()} | {"map": tif}
    if (folder / "lineage.json").exists():
        files["lineage"] = folder / "lineage.json"
    return MapProduct(folder, files, legend, info.geobox, sha256_file(tif), counter.count_px, counter.area_ha)


def _read_legend(tif: Path, count: int, dtype: str, tags: Mapping[str, str]) -> Legend:
    if count != 1 or dtype not in ("uint8", "uint16"):
        raise MapError(f"{tif} is not a classified map: it has {count} band(s) of {dtype}, a map has one of uint8 or uint16")
    if LEGEND_TAG not in tags:
        raise MapError(f"{tif} carries no legend (tag {LEGEND_TAG})")
    return Legend.from_dicts(json.loads(tags[LEGEND_TAG]))
