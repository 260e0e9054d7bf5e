"""From a model and a cube to a finished map: plan, run the blocks, put the products together, say where they come from.

Receives a `Predictor` and a `CubeSet`; hands on a `MapProduct` and its files.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landweave.errors import BlocksFailedError, OutputExistsError
from landweave.io.cog import estimate_cog_bytes
from landweave.io.files import check_disk, lock_folder, sha256_file
from landweave.io.lineage import FileRecord, Lineage, StageRecord, host_name, read_lineage, utc_now, write_lineage
from landweave.maps.engine import BlockJob, run_blocks
from landweave.maps.identity import find_differences, fingerprint_of, make_keys
from landweave.maps.memory import MemoryPlan, gdal_cache, measure_peak, plan_memory
from landweave.maps.options import MapOptions
from landweave.maps.products import FILE_NAMES, make_specs, open_map, write_products
from landweave.maps.store import BlockStore, ProductLayout, list_works
from landweave.types import CubeSet, MapProduct, Predictor, Progress

__all__ = ["predict_map"]

_log = logging.getLogger(__name__)
STAGE = "map"


@dataclass(frozen=True)
class _Run:
    """One map on its way: what was asked for, and its identity."""

    model: Predictor
    cubes: CubeSet
    folder: Path
    options: MapOptions
    keys: Mapping[str, Any]
    workers: int
    executor: Executor | None
    progress: Progress | None
    lineage: Lineage | None

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.keys)


def predict_map(
    model: Predictor, cubes: CubeSet, folder: Path | str, *, options: MapOptions | None = None, workers: int = 1,
    memory: str | int = "2GiB", overwrite: bool = False, lineage: Lineage | None = None, progress: Progress | None = None,
    executor: Executor | None = None, inputs: Mapping[str, str] | None = None,
) -> MapProduct:  # fmt: skip
    """Map a cube with a model, block by block, and write the products into a folder.

    Writes `map.tif` (codes of the legend, nodata 255 or 65535), and as asked for `proba.tif` (a band per class in legend
    order, round(250 p), scale 0.004) and `uncertainty.tif` (entropy, margin), then `map.qml`, `item.json` and
    `lineage.json`. The same model, cubes and options give the same bytes for any block size, worker count and executor. An
    unfinished run is taken up where it stopped; a finished one is left as it is.

    Args:
        model: Any `Predictor`.
        cubes: What it reads; its output grid is the map's.
        folder: Where the products go.
        options: What to make.
        workers: Blocks computed at the same time.
        memory: Budget of the whole process, such as "2GiB".
        overwrite: Start anew where the folder holds another run's result.
        lineage: What came before (recipe, earlier stages); the map's record is added to it.
        progress: Told of every finished block.
        executor: Where blocks run; threads of our own by default.
        inputs: Path -> checksum of what the cubes read, where the caller knows better than file sizes and times.

    Raises:
        OutputExistsError: If the folder holds the result of another run; names what differs.
        OutputLockedError: If another process writes to the folder.
        BlocksFailedError: If sources of some blocks are corrupt; the other blocks are kept (exit code 3).
        DiskFullError: If the disk cannot hold the products.
        ModelError: If the model does not fit the cubes.
    """
    options = options or MapOptions()
    keys = make_keys(model, cubes, options, inputs=inputs)
    run = _Run(model, cubes, Path(folder), options, keys, workers, executor, progress, lineage)
    with lock_folder(run.folder):
        if overwrite:
            _remove_others(run)
        elif _is_finished(run):
            _log.info("nothing to do: %s holds this map already", run.folder)
            return open_map(run.folder)
        return _make_map(run, memory)


def _make_map(run: _Run, memory: str | int) -> MapProduct:
    started, clock = utc_now(), time.monotonic()
    plan = plan_memory(memory, run.model.card, run.cubes, workers=run.workers, block_px=run.options.block_px)
    store = _make_store(run, plan)
    with gdal_cache(plan.gdal_cache), measure_peak() as meter:
        store.open(run.keys)
        pending = store.find_pending()
        if pending:
            check_disk(run.folder, _estimate_bytes(run))
        job = BlockJob(run.model, run.cubes, store)
        failures = run_blocks(job, pending, workers=run.workers, executor=run.executor, progress=run.progress)
        if failures and not run.options.allow_missing:
            raise _failed(failures, store)
        product = write_products(store, run.cubes, run.model.card, run.folder, threads=run.workers)
    record = StageRecord(
        name=STAGE, options=run.options.model_dump(mode="json"), inputs=_input_records(run.keys),
        outputs=tuple(FileRecord(path=p.name, size=p.stat().st_size, sha256=sha256_file(p)) for p in product.files.values()),
        fingerprint=run.fingerprint, keys=dict(run.keys), notes=run.cubes.notes,
        results=_results(product, store, failures), started=started, seconds=round(time.monotonic() - clock, 3),
        peak_rss_bytes=meter.peak_bytes, workers=run.workers, host=host_name(),
    )  # fmt: skip
    path = write_lineage((run.lineage or Lineage()).with_stage(record), run.folder)
    if not failures:  # else the next run tries the failed blocks again
        store.remove()
    return replace(product, files={**product.files, "lineage": path})


def _make_store(run: _Run, plan: MemoryPlan) -> BlockStore:
    specs = make_specs(run.model.card.legend, run.options)
    layouts = {name: ProductLayout(s.count, s.dtype, int(s.nodata)) for name, s in specs.items()}
    rows, cols = run.cubes.geobox.shape
    return BlockStore(run.folder / ".work" / run.fingerprint, (rows, cols), plan.block_px, layouts)


def _estimate_bytes(run: _Run) -> int:
    """Give what the store and the products need at most: the largest product is the one whose raw pixels stand beside it."""
    sizes = [estimate_cog_bytes(run.cubes.geobox, s) for s in make_specs(run.model.card.legend, run.options).values()]
    return sum(sizes) + max(sizes)


def _failed(failures: Mapping[Any, str], store: BlockStore) -> BlocksFailedError:
    reasons = list(dict.fromkeys(failures.values()))
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return BlocksFailedError(f"{len(failures)} of {len(store.windows)} blocks failed: {shown}. Repair the files and run again "
                             "(the other blocks are kept), or use --allow-missing to have these pixels as nodata")  # fmt: skip


def _results(product: MapProduct, store: BlockStore, failures: Mapping[Any, str]) -> dict[str, Any]:
    return {
        "checksum": product.checksum, "count_px": {str(k): v for k, v in product.count_px.items()},
        "area_ha": {str(k): v for k, v in product.area_ha.items()}, "block_px": store.block_px,
        "missing_blocks": [{"row": w.row, "col": w.col, "height": w.height, "width": w.width, "reason": why}
                           for w, why in sorted(failures.items())],
    }  # fmt: skip


def _input_records(keys: Mapping[str, Any]) -> tuple[FileRecord, ...]:
    records = []
    for path in keys["inputs"]:
        at = Path(path)
        if at.is_file():
            records.append(FileRecord(path=str(at.absolute()), size=at.stat().st_size, sha256=sha256_file(at)))
        else:
            records.append(FileRecord(path=str(path)))
    return tuple(records)


# --- what the folder holds already ---------------------------------------------------------------------------------------


def _is_finished(run: _Run) -> bool:
    """Tell whether the folder holds this very map; an unfinished run of it is taken up.

    Raises:
        OutputExistsError: If it holds anything else.
    """
    if (run.folder / ".work" / run.fingerprint / "run.json").is_file():
        return False
    for work in list_works(run.folder):
        _refuse(run, "the unfinished map of another run", _load_keys(work))
    record = _load_record(run.folder)
    present = [name for name in FILE_NAMES.values() if (run.folder / name).exists()]
    if record is None:
        if present:
            raise OutputExistsError(errno.EEXIST, f"{run.folder} holds {', '.join(present)} but no lineage.json that says "
                                                  "where it comes from; choose another --out, or --overwrite")  # fmt: skip
        return False
    if FILE_NAMES["map"] not in present:
        return False
    if record.fingerprint != run.fingerprint:
        _refuse(run, "the map of another run", record.keys)
    for output in record.outputs:
        at = run.folder / output.path
        if not at.exists() or (output.path.endswith(".tif") and sha256_file(at) != output.sha256):
            raise OutputExistsError(errno.EEXIST, f"{at} is not what this run wrote (changed or removed since); use "
                                                  "--overwrite to make it again, or choose another --out")  # fmt: skip
    return True


def _refuse(run: _Run, what: str, keys: Mapping[str, Any]) -> None:
    differences = find_differences(keys, run.keys)
    raise OutputExistsError(errno.EEXIST, f"{run.folder} holds {what}; it differs in {'; '.join(differences[:3])}. Choose "
                                          "another --out, or --overwrite to start anew")  # fmt: skip


def _load_keys(work: Path) -> dict[str, Any]:
    from landweave.io.files import read_json

    keys: dict[str, Any] = read_json(work / "run.json")["keys"]
    return keys


def _load_record(folder: Path) -> StageRecord | None:
    return read_lineage(folder).find_stage(STAGE) if (folder / "lineage.json").is_file() else None


def _remove_others(run: _Run) -> None:
    """Remove the products and stores of whatever run was here, so that nothing old looks like this run's result."""
    import shutil

    shutil.rmtree(run.folder / ".work", ignore_errors=True)
    for name in FILE_NAMES.values():
        (run.folder / name).unlink(missing_ok=True)
