"""The files of a map: what each looks like, and writing them from the block store.

Receives finished blocks; hands on a `MapProduct`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.grid import Window
from landweave.io.cog import TILE_PX, CogSpec, legend_colormap, write_category_names, write_cog
from landweave.io.files import atomic_path, sha256_file, write_json
from landweave.io.stac import make_item, write_item
from landweave.io.styles import write_qml
from landweave.legend import Legend
from landweave.maps.counting import AreaCount
from landweave.maps.filters import read_filtered
from landweave.maps.options import MapOptions
from landweave.maps.store import BlockStore
from landweave.maps.tasks import APPLICABILITY_SCALE, LEVELS, PROBA_NODATA
from landweave.types import CubeSet, MapProduct, ModelCard

__all__ = ["FILE_NAMES", "LEGEND_TAG", "make_specs", "write_products"]

_log = logging.getLogger(__name__)

FILE_NAMES: Mapping[str, str] = {
    "map": "map.tif", "names": "map.tif.aux.xml", "proba": "proba.tif", "uncertainty": "uncertainty.tif",
    "applicability": "applicability.tif", "sets": "sets.tif", "style": "map.qml",
    "item": "item.json", "card": "model-card.json",
}  # fmt: skip
"""Product -> file name; `map.tif` gets its name after all of them, and `lineage.json` then says that they are finished."""

LEGEND_TAG = "LANDWEAVE_LEGEND"
"""Metadata item of map.tif that holds the legend as JSON."""

SETS_TAG = "LANDWEAVE_SETS"
"""Metadata item of sets.tif that says as JSON at which error rate the sets were made, and what its bands hold."""


def make_specs(legend: Legend, options: MapOptions) -> dict[str, CogSpec]:
    """Say what each raster product that is asked for looks like."""
    tags = {LEGEND_TAG: json.dumps(legend.to_dicts(), ensure_ascii=False, separators=(",", ":"))}
    colormap = legend_colormap(legend)
    specs = {"map": CogSpec(str(legend.dtype), 1, legend.nodata, "mode", ("class",), colormap=colormap, tags=tags)}
    scale = 1 / LEVELS
    if options.proba:
        specs["proba"] = CogSpec("uint8", len(legend), PROBA_NODATA, "average", legend.names, scale=scale, level=1)
    if options.uncertainty:
        bands = ("entropy", "margin")
        specs["uncertainty"] = CogSpec("uint8", 2, PROBA_NODATA, "average", bands, scale=scale, level=1)
    if options.applicability:
        specs["applicability"] = CogSpec("uint8", 1, PROBA_NODATA, "average", ("dissimilarity over its threshold",),
                                         scale=APPLICABILITY_SCALE, predictor=True)  # fmt: skip
    if options.conformal_error is not None:
        told = {"error_rate": options.conformal_error, "weighted": options.conformal_shift,
                "bands": "number of classes in the set; then 1 per class in the set and 0 per class that is not"}  # fmt: skip
        specs["sets"] = CogSpec("uint8", 1 + len(legend), PROBA_NODATA, "nearest", ("set size", *legend.names),
                                tags={SETS_TAG: json.dumps(told)})  # fmt: skip
    return specs


def write_products(
    store: BlockStore, cubes: CubeSet, card: ModelCard, folder: Path, *, threads: int = 1, options: MapOptions | None = None
) -> MapProduct:
    """Put the products together from the store; they get their names when all are whole, `map.tif` last.

    Filters of classes run here: the store has every block with its surroundings, and nothing is predicted twice for a margin.

    Raises:
        DiskFullError: If the disk fills; no partial product stays.
        MapError: If a block was damaged meanwhile.
    """
    legend, geobox = card.legend, cubes.geobox
    options = options or MapOptions()
    specs = {name: spec for name, spec in make_specs(legend, options).items() if name in store.layouts}
    step = store.block_px if store.block_px % TILE_PX == 0 else TILE_PX
    scratch = store.root / "scratch"
    counter = AreaCount(geobox, legend.nodata + 1)

    def read_map(window: Window) -> NDArray[Any]:
        stored = partial(store.read_window, product="map")
        pixels = read_filtered(stored, window, shape=store.shape, legend=legend, options=options.filters)
        counter.add(pixels[0], window)
        return pixels

    def write(name: str) -> Path:
        read = read_map if name == "map" else partial(store.read_window, product=name)
        return write_cog(scratch / FILE_NAMES[name], geobox, read, specs[name], step_px=step, threads=threads, scratch=scratch)

    with ThreadPoolExecutor(min(threads, len(specs)), thread_name_prefix="product") as pool:
        made = dict(zip(specs, pool.map(write, specs), strict=True))
    files = {name: folder / FILE_NAMES[name] for name in specs}
    product = MapProduct(folder, files, legend, geobox, sha256_file(made["map"]), counter.count_px, counter.area_ha)
    try:
        product = _write_companions(product, cubes, card)
        for name in [*(n for n in specs if n != "map"), "map"]:
            with atomic_path(files[name]) as part:
                made[name].replace(part)
    except BaseException:  # Ctrl-C included: what has its name already must not look like a result
        for file in FILE_NAMES.values():
            (folder / file).unlink(missing_ok=True)
        raise
    return product


def _write_companions(product: MapProduct, cubes: CubeSet, card: ModelCard) -> MapProduct:
    """Write what stands beside the rasters: names, style, item, and the model's card where no model folder is near."""
    folder, legend = product.folder, product.legend
    files = dict(product.files)
    files["names"] = write_category_names(files["map"], legend)
    files["style"] = write_qml(folder / FILE_NAMES["style"], legend, unsure=legend.unsure in product.count_px)
    model_href = "model/card.json"
    if not (folder / model_href).is_file():
        model_href, files["card"] = FILE_NAMES["card"], folder / FILE_NAMES["card"]
        write_json(files["card"], card.model_dump(mode="json"))
    interval = find_interval(cubes)
    if interval is None:
        _log.info("no item.json for %s: a STAC item needs a date and the imagery has none; give its date", folder)
    else:
        item = make_item(replace(product, files=files), card, interval=interval, model_href=model_href)
        files["item"] = write_item(item, folder / FILE_NAMES["item"])
    return replace(product, files={n: files[n] for n in FILE_NAMES if n in files})


def find_interval(cubes: CubeSet) -> tuple[datetime, datetime] | None:
    """Give the first and last moment (exclusive) that the cubes' observations stand for; None where all are static."""
    starts, ends = [], []
    for cube in cubes.cubes.values():
        if "time" in cube.dims:
            starts.append(np.min(cube["time_start"].values))
            ends.append(np.max(cube["time_end"].values))
    if not starts:
        return None
    first, last = (np.datetime64(v, "s").astype(datetime) for v in (min(starts), max(ends)))
    return first, last
