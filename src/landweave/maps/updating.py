"""A finished map brought up to date: where images changed the blocks are computed anew, everywhere else they are kept.

Receives what `predict_map` does; hands on the map that a run from nothing would give, byte for byte.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window as RioWindow

from landweave.cube import select_season
from landweave.errors import MapError, OutputExistsError
from landweave.grid import Window
from landweave.io.files import lock_folder
from landweave.io.lineage import Lineage, read_lineage
from landweave.maps.folder import STAGE, check_unchanged
from landweave.maps.identity import find_differences, fingerprint_of, make_keys
from landweave.maps.opening import open_map
from landweave.maps.options import MapOptions
from landweave.maps.predict import make_store, plan_blocks, predict_map, season_starts
from landweave.maps.products import FILE_NAMES, make_specs
from landweave.maps.store import BlockStore
from landweave.types import CubeSet, ExecutorName, MapProduct, Predictor, Progress

__all__ = ["find_changed_windows", "update_map"]

_log = logging.getLogger(__name__)


def update_map(
    model: Predictor, cubes: CubeSet, folder: Path | str, *, options: MapOptions | None = None, workers: int = 1,
    memory: str | int = "2GiB", lineage: Lineage | None = None, progress: Progress | None = None,
    executor: ExecutorName | Executor = "threads", scheduler: str | None = None, inputs: Mapping[str, str] | None = None,
) -> MapProduct:  # fmt: skip
    """Redo the blocks of a finished map that changed images touch, and take the others from its files.

    An image counts as changed when its checksum, size or time of change differs, when it is new, or when it is gone. The
    arguments are those of `predict_map`, and so is the result. A folder without a map gets one.

    Raises:
        OutputExistsError: If the folder's map differs in more than its images (another model, grid, dates or options): names
            what differs; or was changed since it was written.
        MapError: If blocks cannot be taken from the map: its classes were filtered, or its sets depend on all pixels.
        BlocksFailedError: As `predict_map`.
    """
    options, at = options or MapOptions(), Path(folder)
    starts = season_starts(model.card, cubes, options)
    if len(starts) > 1:
        raise MapError(f"{len(starts)} seasons are asked for; update each season's map in its own folder")
    season = next((i.season for i in model.card.inputs if i.season is not None), None)
    chosen = cubes if starts[0] is None or season is None else select_season(cubes, season, starts[0])
    keys = make_keys(model, chosen, options, inputs=inputs)
    how: dict[str, Any] = {"workers": workers, "memory": memory, "executor": executor, "scheduler": scheduler}
    with lock_folder(at):
        old = _finished_keys(at)
        if old is not None and fingerprint_of(old) != fingerprint_of(keys):
            if _is_elsewhere(find_changed_windows(old, keys), chosen):
                _log.info("nothing to do: the images that changed lie outside the map in %s", at)
                return open_map(at)
            options = _seed(at, model, chosen, options, old=old, new=keys, **how)
    return predict_map(model, cubes, at, options=options, lineage=lineage, progress=progress, inputs=inputs, **how)


def _finished_keys(folder: Path) -> Mapping[str, Any] | None:
    """Give the keys of the finished map in a folder; None where there is none."""
    if not (folder / FILE_NAMES["map"]).is_file() or not (folder / "lineage.json").is_file():
        return None
    record = read_lineage(folder).find_stage(STAGE)
    if record is None:
        return None
    check_unchanged(folder, record)
    return record.keys


def _is_elsewhere(windows: Sequence[Window] | None, cubes: CubeSet) -> bool:
    rows, cols = cubes.geobox.shape
    return windows is not None and not any(w.touches(Window(0, 0, rows, cols)) for w in windows)


def _seed(
    folder: Path, model: Predictor, cubes: CubeSet, options: MapOptions, *, old: Mapping[str, Any], new: Mapping[str, Any],
    workers: int, memory: str | int, executor: ExecutorName | Executor, scheduler: str | None,
) -> MapOptions:  # fmt: skip
    """Fill a new run's store with the blocks that did not change; gives the options with the store's block size."""
    if not options.filters.is_empty:
        raise MapError("the classes of this map were filtered (majority_px, mmu_px), so that its blocks are not the model's; "
                       "start anew with --overwrite, or filter a second map with `landweave filter`")  # fmt: skip
    if "sets" in make_specs(model.card.legend, options):
        raise MapError("sets.tif may depend on all pixels of a map, so that its blocks cannot be kept; start anew with "
                       "--overwrite")  # fmt: skip
    windows = find_changed_windows(old, new)
    if windows is None:
        shown = "; ".join(find_differences(_without_images(old), _without_images(new))[:3]) or "images that may touch any pixel"
        raise OutputExistsError(errno.EEXIST, f"{folder} holds a map that differs in more than its images: {shown}. Choose "
                                              "another --out, or --overwrite to start anew")  # fmt: skip
    plan = plan_blocks(model, cubes, options, workers=workers, memory=memory, executor=executor, scheduler=scheduler)
    store = make_store(folder, new, model.card, cubes, options, plan.block_px)
    if not (store.root / "run.json").is_file():
        margin = options.smooth.halo_px if options.smooth is not None else 0
        reach = margin + model.card.context_px + (model.card.chip_size_px or 0)
        _copy_blocks(folder, store, [w.pad(reach) for w in windows], new)
    return options.model_copy(update={"block_px": plan.block_px})


def _copy_blocks(folder: Path, store: BlockStore, changed: Sequence[Window], keys: Mapping[str, Any]) -> None:
    store.open(keys)
    kept = [w for w in store.windows if not any(w.touches(c) for c in changed)]
    files = {name: rasterio.open(folder / FILE_NAMES[name]) for name in store.layouts}
    try:
        for window in kept:
            at = RioWindow(window.col, window.row, window.width, window.height)
            pixels = {name: src.read(window=at) for name, src in files.items()}
            empty = all((p == store.layouts[n].nodata).all() for n, p in pixels.items())
            store.write(window, None if empty else pixels)
    finally:
        for src in files.values():
            src.close()
    _log.info("%d of %d blocks are kept, %d touch a changed image", len(kept), len(store.windows),
              len(store.windows) - len(kept))  # fmt: skip


# --- what changed --------------------------------------------------------------------------------------------------------


def find_changed_windows(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Window] | None:
    """Give the windows of the output grid that images touch which differ between two runs' keys.

    Returns:
        Windows that may reach past the grid; an empty list where no image differs; None where anything but images differs.
    """
    if _without_images(old) != _without_images(new):
        return None
    paths = {p for p in {*old["inputs"], *new["inputs"]} if old["inputs"].get(p) != new["inputs"].get(p)}
    windows: list[Window] = []
    seen: set[str] = set()
    for name in new["cubes"]:
        before, after = (k["cubes"][name].get("files") or {} for k in (old, new))
        moved = {p for p in {*before, *after} if before.get(p) != after.get(p)}
        for path in sorted((paths | moved) & {*before, *after}):
            seen.add(path)
            for files in (before, after):
                if path in files:
                    windows += _on_output(files[path], new["cubes"][name], new["grid"])
    return windows if paths <= seen else None  # a changed file without a footprint may touch everything


def _on_output(file: Sequence[Any], cube: Mapping[str, Any], grid: Mapping[str, Any]) -> Iterator[Window]:
    """Bring the footprint of a file from its cube's grid to the output grid."""
    to_output = ~Affine(*grid["transform"]) @ Affine(*cube["transform"])
    for row, col, height, width in file[1:]:
        left, top = to_output @ (col, row)
        right, bottom = to_output @ (col + width, row + height)
        first_row, first_col = int(np.floor(top + 1e-6)), int(np.floor(left + 1e-6))
        yield Window(first_row, first_col, int(np.ceil(bottom - 1e-6)) - first_row, int(np.ceil(right - 1e-6)) - first_col)


def _without_images(keys: Mapping[str, Any]) -> dict[str, Any]:
    cubes = {name: {k: v for k, v in cube.items() if k != "files"} for name, cube in keys["cubes"].items()}
    return {**{k: v for k, v in keys.items() if k != "inputs"}, "cubes": cubes}
