"""Finished maps refined after the fact: smoothed, filtered, sieved, put together under parent classes, smoothed in time.

Receives the folder of a map; hands on another folder with a map of the same grid. Each function runs by blocks with the margin
that its rule needs, keeps finished blocks like the mapping engine, and gives the bytes of the whole raster for any block size
and number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import landweave
from landweave.cube import read_blocks
from landweave.errors import MapError, OutputExistsError
from landweave.features.segments import SegmentOptions, segment_block
from landweave.grid import GeoBox, Window, crs_of
from landweave.io.cog import write_category_names, write_cog
from landweave.io.files import atomic_path, check_disk, lock_folder, read_json, sha256_file, write_json
from landweave.io.lineage import Lineage, StageRecord, host_name, read_lineage, record_file, utc_now, write_lineage
from landweave.io.rasters import read_window
from landweave.io.stac import make_item, read_interval, write_item
from landweave.io.styles import write_qml
from landweave.legend import Legend
from landweave.maps.aggregation import Aggregation, aggregate_codes, aggregate_legend, aggregate_proba
from landweave.maps.counting import AreaCount
from landweave.maps.filters import FilterOptions, read_filtered
from landweave.maps.folder import STAGE, is_finished, remove_products, work_folder
from landweave.maps.guide import guide_from_blocks, sample_ranges
from landweave.maps.identity import cube_keys, fingerprint_of
from landweave.maps.opening import open_map
from landweave.maps.options import MapOptions
from landweave.maps.pool import run_windows
from landweave.maps.products import FILE_NAMES, make_specs
from landweave.maps.segments import vote_by_segment
from landweave.maps.smoothing import SmoothOptions, smooth_proba
from landweave.maps.store import BlockStore, ProductLayout
from landweave.maps.tasks import Products, summarise_proba
from landweave.types import CubeSet, MapProduct, ModelCard, Progress

__all__ = ["aggregate_map", "filter_map", "read_proba", "segment_map", "sieve_map", "smooth_map"]

_BLOCK_PX = 1024


@dataclass(frozen=True)
class Refinement:
    """A map to be made from a finished one.

    Attributes:
        source: What it is made from.
        folder: Where it goes.
        what: Name of the step, for the lineage.
        options: Of the step, for the lineage and the identity.
        legend: Of the new map.
        products: Which of map, proba, uncertainty it has.
        compute: Gives their pixels for a window.
        inputs: Files that it reads, for the lineage; the source's map by default.
    """

    source: MapProduct
    folder: Path
    what: str
    options: Mapping[str, Any]
    legend: Legend
    products: tuple[str, ...]
    compute: Callable[[Window], Products]
    inputs: tuple[Path, ...] = ()


def smooth_map(
    path: Path | str, folder: Path | str, *, options: SmoothOptions | None = None, guide: CubeSet | None = None,
    workers: int = 1, overwrite: bool = False, progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Smooth the probabilities of a finished map and classify anew.

    proba.tif holds probabilities in steps of 1/250; to smooth the model's own numbers, set `map.smooth` in the recipe.
    "Unsure" pixels of the old map are not carried over: their probabilities are smoothed like all others.

    Args:
        path: Folder of a map with proba.tif.
        folder: Where the new map, its probabilities and uncertainty go.
        options: How to smooth.
        guide: Imagery on the map's grid, for the method `edge`.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If the map has no probabilities, or the imagery is missing or on another grid.
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    options = options or SmoothOptions()
    source = open_map(path)
    halo = options.halo_px
    read_guide = _guide_reader(source.geobox, guide) if options.method == "edge" else None
    keys: dict[str, Any] = {"smooth": options.model_dump(mode="json")}
    if guide is not None:
        keys["guide"] = cube_keys(guide)

    def compute(window: Window) -> Products:
        outer = window.pad(halo)
        pixels = read_guide(outer) if read_guide is not None else None
        proba = smooth_proba(read_proba(source, outer), options, legend=source.legend, guide=pixels)
        inner = proba[:, halo : halo + window.height, halo : halo + window.width]
        return summarise_proba(np.ascontiguousarray(inner), source.legend, products=("map", "proba", "uncertainty"))

    job = Refinement(source, Path(folder), "smooth", keys, source.legend, ("map", "proba", "uncertainty"), compute)
    check_has_proba(source)
    return run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)


def filter_map(
    path: Path | str, folder: Path | str, *, options: FilterOptions, workers: int = 1, overwrite: bool = False,
    progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Filter the classes of a finished map: majority, sieve, minimum mapping unit, in this order.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        folder: Where the new map goes.
        options: Which filters.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If no filter is asked for.
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    if options.is_empty:
        raise MapError("no filter is asked for; give majority_px, sieve_px or mmu_px")
    source = open_map(path)
    rows, cols = source.geobox.shape

    def compute(window: Window) -> Products:
        made = read_filtered(_codes_reader(source), window, shape=(rows, cols), legend=source.legend, options=options)
        return {"map": made}

    job = Refinement(source, Path(folder), "filter", options.model_dump(mode="json"), source.legend, ("map",), compute)
    return run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)


def sieve_map(
    path: Path | str, folder: Path | str, *, min_px: int, connectivity: int = 4, workers: int = 1, overwrite: bool = False,
    progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Dissolve the small patches of a finished map; `filter_map` with `sieve_px` alone.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        folder: Where the new map goes.
        min_px: Patches of fewer pixels are dissolved.
        connectivity: 4, or 8 where pixels that touch at a corner belong to one patch.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    options = FilterOptions.model_validate({"sieve_px": min_px, "connectivity": connectivity})
    return filter_map(path, folder, options=options, workers=workers, overwrite=overwrite, progress=progress)


def aggregate_map(
    path: Path | str, folder: Path | str, *, parents: Mapping[str, str] | None = None, colors: Mapping[str, str] | None = None,
    by_proba: bool = False, workers: int = 1, overwrite: bool = False, progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Put the classes of a finished map together under their parents.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        folder: Where the new map goes.
        parents: Class name -> parent, in place of the legend's own.
        colors: Parent -> "#rrggbb".
        by_proba: Add up the probabilities and classify anew (needs proba.tif; gives proba.tif and uncertainty.tif too);
            by default each mapped class becomes its parent, so that the two maps nest.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        LegendError: If no class has a parent.
        MapError: If probabilities are asked for and there are none.
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    source = open_map(path)
    aggregation = aggregate_legend(source.legend, parents=parents, colors=colors)
    products = ("map", "proba", "uncertainty") if by_proba else ("map",)
    if by_proba:
        check_has_proba(source)
    options = {"parents": dict(zip(source.legend.names, _parent_names(aggregation), strict=True)), "by_proba": by_proba,
               "classes": aggregation.parents.to_dicts()}  # fmt: skip

    def compute(window: Window) -> Products:
        if by_proba:
            proba = aggregate_proba(read_proba(source, window), aggregation)
            return summarise_proba(proba, aggregation.parents, products=products)
        return {"map": aggregate_codes(_codes_reader(source)(window), aggregation)}

    job = Refinement(source, Path(folder), "aggregate", options, aggregation.parents, products, compute)
    return run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)


def segment_map(
    path: Path | str, folder: Path | str, *, guide: CubeSet, options: SegmentOptions | None = None, workers: int = 1,
    overwrite: bool = False, progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Give every segment of the imagery the commonest class of the map inside it.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        folder: Where the new map goes.
        guide: Imagery on the map's grid.
        options: How to segment.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If the imagery is on another grid.
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    options = options or SegmentOptions()
    source = open_map(path)
    read_guide, read_codes = _guide_reader(source.geobox, guide), _codes_reader(source)
    rows, cols = source.geobox.shape
    side = options.window_px

    def compute(window: Window) -> Products:
        top, left = window.row // side * side, window.col // side * side
        outer = Window(top, left, -(-window.row_end // side) * side - top, -(-window.col_end // side) * side - left)
        outer = outer.clip((rows, cols))  # whole segments
        codes = read_codes(outer)[0]
        labels = segment_block(read_guide, outer, shape=(rows, cols), options=options)
        index = vote_by_segment(source.legend.to_index(codes), labels, n_classes=len(source.legend))
        voted = np.where(index >= 0, source.legend.to_codes(index), codes)
        at = slice(window.row - top, window.row_end - top), slice(window.col - left, window.col_end - left)
        return {"map": voted[at][None]}

    keys = {"segments": options.model_dump(mode="json"), "guide": cube_keys(guide)}
    job = Refinement(source, Path(folder), "segment", keys, source.legend, ("map",), compute)
    return run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)


def _parent_names(aggregation: Aggregation) -> list[str]:
    return [aggregation.parents.names[i] for i in aggregation.parent_index]


# --- reading -------------------------------------------------------------------------------------------------------------


def read_proba(product: MapProduct, window: Window) -> NDArray[np.float32]:
    """Read the probabilities of a finished map in a window that may reach past its edge.

    Returns:
        float32 (class, y, x), divided by their sum as the file's are rounded; NaN where nodata and outside.
    """
    n = len(product.legend)
    stored, valid = read_window(str(product.files["proba"]), list(range(1, n + 1)), product.geobox, window)
    proba = stored.astype(np.float32)
    total = proba.sum(axis=0)
    known = valid.all(axis=0) & (total > 0)
    np.divide(proba, total, out=proba, where=known)
    return np.where(known, proba, np.float32(np.nan))


def check_has_proba(source: MapProduct) -> None:
    """Check that a map has probabilities.

    Raises:
        MapError: If it has none.
    """
    if "proba" not in source.files:
        raise MapError(f"{source.folder} has no {FILE_NAMES['proba']}; make the map with map.proba: true, or use a filter of "
                       "classes (majority, sieve, minimum mapping unit)")  # fmt: skip


def _codes_reader(source: MapProduct) -> Callable[[Window], NDArray[Any]]:
    def read(window: Window) -> NDArray[Any]:
        codes, valid = read_window(str(source.files["map"]), [1], source.geobox, window)
        return np.where(valid, codes, np.asarray(source.legend.nodata, dtype=source.legend.dtype)).astype(source.legend.dtype)

    return read


def _guide_reader(geobox: GeoBox, guide: CubeSet | None) -> Callable[[Window], NDArray[np.float32]]:
    if guide is None:
        raise MapError("smoothing by the method 'edge' looks at imagery and got none; give the imagery that the map was made "
                       "from (--guide), or take the method 'bayes'")  # fmt: skip
    if guide.geobox != geobox:
        raise MapError(f"imagery for smoothing is on a grid of {guide.geobox.shape[0]} x {guide.geobox.shape[1]} pixels of "
                       f"{guide.geobox.affine.a:g}, the map on {geobox.shape[0]} x {geobox.shape[1]} of {geobox.affine.a:g}; "
                       "load it with CubeOptions(like=map.tif)")  # fmt: skip
    ranges = sample_ranges(guide)
    return lambda window: guide_from_blocks(read_blocks(guide, window), ranges, window)


# --- running -------------------------------------------------------------------------------------------------------------


def run_refinement(
    job: Refinement, *, workers: int = 1, overwrite: bool = False, progress: Progress | None = None
) -> MapProduct:
    """Compute a refinement's blocks, put its products together, and say where they come from.

    Args:
        job: What to make.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        OutputExistsError: If the folder holds another result, or is the source's own.
        DiskFullError: If the disk cannot hold the products.
    """
    if job.folder.resolve() == job.source.folder.resolve():
        raise OutputExistsError(f"{job.folder} is the folder of the map itself; choose another --out")
    keys = {"source": job.source.checksum, "what": job.what, "options": dict(job.options), "inputs": {},
            "landweave": landweave.__version__}  # fmt: skip
    if "proba" in job.source.files and (job.what == "smooth" or "proba" in job.products):
        keys["proba"] = sha256_file(job.source.files["proba"])
    with lock_folder(job.folder):
        if overwrite:
            remove_products(job.folder)
        elif is_finished(job.folder, keys):
            return open_map(job.folder)
        started = utc_now()
        store = _open_store(job, keys)
        run_windows(store.find_pending(), lambda w: store.write(w, job.compute(w)), workers=workers, progress=progress,
                    stage=job.what, total=len(store.windows))  # fmt: skip
        product = _write(job, store, workers)
        note = f"{job.what} of {len(job.inputs)} maps" if job.inputs else f"{job.what} of the map in {job.source.folder}"
        record = StageRecord(
            name=STAGE, options=dict(job.options),
            inputs=tuple(record_file(p) for p in job.inputs or (job.source.files["map"],)),
            outputs=tuple(record_file(p, relative_to=job.folder) for p in product.files.values()),
            fingerprint=fingerprint_of(keys), keys=keys, notes=(note,),
            results={"checksum": product.checksum, "count_px": {str(k): v for k, v in product.count_px.items()},
                     "area_ha": {str(k): v for k, v in product.area_ha.items()}},
            started=started, workers=workers, host=host_name(),
        )  # fmt: skip
        path = write_lineage(_carry_lineage(job.source).with_stage(record), job.folder)
        store.remove()
    return replace(product, files={**product.files, "lineage": path})


def _carry_lineage(source: MapProduct) -> Lineage:
    """Give the source's lineage with its map under another name, as this one's takes its place; without recipe."""
    if not (source.folder / "lineage.json").is_file():
        return Lineage()
    old = read_lineage(source.folder)
    stages = tuple(s.model_copy(update={"name": f"source {s.name}"}) if s.name == STAGE else s for s in old.stages)
    return Lineage(command=old.command, stages=stages)


def _open_store(job: Refinement, keys: Mapping[str, Any]) -> BlockStore:
    specs = _specs(job)
    layouts = {name: ProductLayout(s.count, s.dtype, int(s.nodata)) for name, s in specs.items()}
    rows, cols = job.source.geobox.shape
    store = BlockStore(work_folder(job.folder, keys), (rows, cols), _BLOCK_PX, layouts)
    check_disk(job.folder, sum(rows * cols * s.count for s in specs.values()))
    store.open(keys)
    return store


def _specs(job: Refinement) -> dict[str, Any]:
    crs_of(job.source.geobox)
    return make_specs(job.legend, MapOptions(proba="proba" in job.products, uncertainty="uncertainty" in job.products))


def _write(job: Refinement, store: BlockStore, workers: int) -> MapProduct:
    geobox, folder, legend = job.source.geobox, job.folder, job.legend
    counter = AreaCount(geobox, legend.nodata + 1)

    def read(name: str, window: Window) -> NDArray[Any]:
        pixels = store.read_window(window, name)
        if name == "map":
            counter.add(pixels[0], window)
        return pixels

    scratch, made = store.root / "scratch", dict[str, Path]()
    for name, spec in _specs(job).items():
        made[name] = write_cog(
            scratch / FILE_NAMES[name], geobox, partial(read, name), spec, step_px=_BLOCK_PX, threads=workers, scratch=scratch
        )
    files = {name: folder / FILE_NAMES[name] for name in made}
    checksum = sha256_file(made["map"])
    for name in [*(n for n in made if n != "map"), "map"]:
        with atomic_path(files[name]) as part:
            made[name].replace(part)
    files["names"] = write_category_names(files["map"], legend)
    files["style"] = write_qml(folder / FILE_NAMES["style"], legend, unsure=legend.unsure in counter.count_px)
    return _carry_item(job.source, MapProduct(folder, files, legend, geobox, checksum, counter.count_px, counter.area_ha))


def _carry_item(source: MapProduct, product: MapProduct) -> MapProduct:
    """Give a refined map the item of its source, with its own files, classes and counts; none where the source has none."""
    card_path = source.files.get("card", source.folder / "model" / "card.json")
    if "item" not in source.files or not card_path.is_file():
        return product
    card = ModelCard.model_validate(read_json(card_path))
    files = {**product.files, "card": product.folder / FILE_NAMES["card"]}
    write_json(files["card"], card.model_dump(mode="json"))
    item = make_item(product, card, interval=read_interval(read_json(source.files["item"])), model_href=FILE_NAMES["card"])
    files["item"] = write_item(item, product.folder / FILE_NAMES["item"])
    return replace(product, files=files)


