"""From a model and a cube to a finished map: plan, run the blocks, put the products together, say where they come from.

Receives a `Predictor` and a `CubeSet`; hands on a `MapProduct` and its files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from landweave.cube import season_windows, select_season
from landweave.errors import BlocksFailedError, CubeError, MapError, SourceError
from landweave.grid import Window
from landweave.io.cog import estimate_cog_bytes
from landweave.io.files import check_disk, lock_folder
from landweave.io.lineage import FileRecord, Lineage, StageRecord, host_name, record_file, utc_now, write_lineage
from landweave.maps.engine import BlockJob, BlockResults, run_blocks
from landweave.maps.folder import STAGE, is_finished, remove_products, work_folder
from landweave.maps.identity import fingerprint_of, make_keys
from landweave.maps.memory import MemoryPlan, gdal_cache, measure_peak, plan_memory
from landweave.maps.opening import open_map
from landweave.maps.options import MapOptions
from landweave.maps.products import make_specs, write_products
from landweave.maps.sets import find_set_rule
from landweave.maps.store import BlockStore, ProductLayout
from landweave.maps.workers import count_processes, open_crew
from landweave.models import ChipModel, Runtime, bind_runtime, check_inputs
from landweave.types import CubeSet, ExecutorName, MapProduct, ModelCard, Predictor, Progress

__all__ = ["make_store", "plan_blocks", "predict_map", "predict_maps", "season_starts"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    """One map on its way: what was asked for, and its identity."""

    model: Predictor
    cubes: CubeSet
    folder: Path
    options: MapOptions
    keys: Mapping[str, Any]
    workers: int
    memory: str | int
    executor: ExecutorName | Executor
    scheduler: str | None
    progress: Progress | None
    lineage: Lineage | None
    stage: str = STAGE


def predict_map(
    model: Predictor, cubes: CubeSet, folder: Path | str, *, options: MapOptions | None = None, workers: int = 1,
    memory: str | int = "2GiB", overwrite: bool = False, lineage: Lineage | None = None, progress: Progress | None = None,
    executor: ExecutorName | Executor = "threads", scheduler: str | None = None, inputs: Mapping[str, str] | None = None,
) -> MapProduct:  # fmt: skip
    """Map a cube with a model, block by block, and write the products into a folder.

    Writes `map.tif` (codes of the legend, nodata 255 or 65535), as asked for `proba.tif` (a band per class in legend order,
    round(250 p), scale 0.004) and `uncertainty.tif` (entropy, margin), then `map.qml`, `item.json` (where the imagery has a
    date), `model-card.json` (where no `model/` stands in the folder) and `lineage.json`. The same model, cubes and options
    give the same bytes for any block size, worker count and executor. An unfinished run is taken up where it stopped; a
    finished one is left as it is.

    Args:
        model: Any `Predictor`.
        cubes: What it reads; its output grid is the map's.
        folder: Where the products go.
        options: What to make. With several `seasons` use `predict_maps`.
        workers: Blocks computed at the same time.
        memory: Budget of the whole process and its worker processes, such as "2GiB".
        overwrite: Start anew where the folder holds another run's result.
        lineage: What came before (recipe, earlier stages); the map's record is added to it.
        progress: Told of every finished block.
        executor: Where blocks are computed: "threads" of this process, "processes" of this machine, "dask"; or a
            `concurrent.futures.Executor` of your own, which is not shut down.
        scheduler: Address of a dask scheduler; its workers must see the output folder and the images under the same paths,
            and each of them gets `memory`. Without one, the executor dask starts `workers` processes here.
        inputs: Path -> checksum of what the cubes read, where the caller knows better than file sizes and times.

    Raises:
        OutputExistsError: If the folder holds the result of another run; names what differs.
        OutputLockedError: If another process writes to the folder.
        BlocksFailedError: If sources of some blocks are corrupt; the other blocks are kept (exit code 3).
        DiskFullError: If the disk cannot hold the products.
        ModelError: If the model does not fit the cubes.
        CubeError: If the cubes cannot serve the season.
        MapError: If several seasons are asked for, or none can be told.
    """
    options = options or MapOptions()
    _check_workers(workers)
    starts = season_starts(model.card, cubes, options)
    if len(starts) > 1:
        raise MapError(f"{len(starts)} seasons are asked for, and predict_map makes one map; call predict_maps")
    return _predict_season(
        model, cubes, folder, start=starts[0], options=options, workers=workers, memory=memory, overwrite=overwrite,
        lineage=lineage, progress=progress, executor=executor, scheduler=scheduler, inputs=inputs,
    )  # fmt: skip


def predict_maps(
    model: Predictor, cubes: CubeSet, folder: Path | str, *, options: MapOptions | None = None, workers: int = 1,
    memory: str | int = "2GiB", overwrite: bool = False, lineage: Lineage | None = None, progress: Progress | None = None,
    executor: ExecutorName | Executor = "threads", scheduler: str | None = None, inputs: Mapping[str, str] | None = None,
) -> dict[str, MapProduct]:  # fmt: skip
    """Make one map per season of `options.seasons`, in `<folder>/maps/<start>/`; a single one goes into the folder itself.

    The arguments and errors are those of `predict_map`. A season that fails on corrupt sources does not stop the others.

    Returns:
        Start date (ISO) -> map; "" for a model without season.
    """
    options = options or MapOptions()
    _check_workers(workers)
    starts = season_starts(model.card, cubes, options)
    made: dict[str, MapProduct] = {}
    failed: list[str] = []
    for start in starts:
        name = "" if start is None else start.isoformat()
        at = Path(folder) if len(starts) == 1 else Path(folder) / "maps" / name
        try:
            made[name] = _predict_season(
                model, cubes, at, start=start, options=options, workers=workers, memory=memory, overwrite=overwrite,
                lineage=lineage, progress=progress, executor=executor, scheduler=scheduler, inputs=inputs,
            )  # fmt: skip
        except BlocksFailedError as err:
            failed.append(f"{name}: {err}" if name else str(err))
    if failed:
        raise BlocksFailedError(" | ".join(failed))
    return made


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise MapError(f"workers is {workers}; give at least 1")


def season_starts(card: ModelCard, cubes: CubeSet, options: MapOptions) -> list[date | None]:
    """Give the seasons to map; without named ones the only season that the cubes can serve.

    Raises:
        MapError: If seasons are named and the model knows none.
        CubeError: If none is named and the cubes can serve several, or none.
    """
    season = next((i.season for i in card.inputs if i.season is not None), None)
    if season is None:
        if options.seasons is not None:
            raise MapError(f"seasons {', '.join(d.isoformat() for d in options.seasons)} are asked for, but the model was not "
                           "trained on a season; leave seasons out")  # fmt: skip
        return [None]
    if options.seasons is not None:
        return list(options.seasons)
    can = season_windows(cubes, season)
    if len(can) == 1:
        return [can[0]]
    shown = ", ".join(d.isoformat() for d in can)
    if can:
        raise CubeError(f"the cube can serve {len(can)} seasons of the model: {shown}; name the start dates in map.seasons")
    raise CubeError(f"the cube can serve no season of the model, which starts on {season.start} and takes {season.length_days} "
                    "days; load the dates of a whole season")  # fmt: skip


def _predict_season(
    model: Predictor, cubes: CubeSet, folder: Path | str, *, start: date | None, options: MapOptions, overwrite: bool,
    inputs: Mapping[str, str] | None, **how: Any,
) -> MapProduct:  # fmt: skip
    season = next((i.season for i in model.card.inputs if i.season is not None), None)
    if start is not None and season is not None:
        cubes = select_season(cubes, season, start)
    keys = make_keys(model, cubes, options, inputs=inputs)
    model = bind_runtime(model, Runtime(options.runtime, options.precision, options.device), augment=options.augment)
    stage = STAGE if start is None else f"{STAGE} {start}"
    run = _Run(model, cubes, Path(folder), options, keys, stage=stage, **how)
    with lock_folder(run.folder):
        if overwrite:
            remove_products(run.folder)
        elif is_finished(run.folder, keys):
            _log.info("nothing to do: %s holds this map already", run.folder)
            return open_map(run.folder)
        return _make_map(run)


def _make_map(run: _Run) -> MapProduct:
    started, clock = utc_now(), time.monotonic()
    plan = plan_blocks(run.model, run.cubes, run.options, workers=run.workers, memory=run.memory, executor=run.executor,
                       scheduler=run.scheduler)  # fmt: skip
    store = make_store(run.folder, run.keys, run.model.card, run.cubes, run.options, plan.block_px)
    with gdal_cache(plan.gdal_cache), measure_peak() as meter:
        warnings = _check_model(run)
        store.open(run.keys)
        pending = store.find_pending()
        if pending:
            check_disk(run.folder, _estimate_bytes(run))
        results = _run_blocks(run, store, pending, plan)
        failures = results.failures
        store.note_failures(list(failures.values()))
        if failures and not run.options.allow_missing:
            raise _failed(failures, len(store.windows))
        product = write_products(store, run.cubes, run.model.card, run.folder, threads=run.workers, options=run.options)
    record = StageRecord(
        name=STAGE, options=run.options.model_dump(mode="json"), inputs=_input_records(run.keys),
        outputs=tuple(record_file(p, relative_to=run.folder) for p in product.files.values()),
        fingerprint=fingerprint_of(run.keys), keys=dict(run.keys), notes=(*run.cubes.notes, *warnings),
        results=_results(product, store, results), started=started, seconds=round(time.monotonic() - clock, 3),
        peak_rss_bytes=meter.peak_bytes, workers=run.workers, host=host_name(),
    )  # fmt: skip
    path = write_lineage((run.lineage or Lineage()).with_stage(record), run.folder)
    if not failures:  # else the next run tries the failed blocks again
        store.remove()
    return replace(product, files={**product.files, "lineage": path})


def _run_blocks(run: _Run, store: BlockStore, pending: Sequence[Window], plan: MemoryPlan) -> BlockResults:
    if not pending:
        return BlockResults()
    sets = find_set_rule(run.model, run.cubes, run.options)
    job = BlockJob(run.model, run.cubes, store, _unsure_below(run), run.options.smooth, sets,
                   threads=run.workers if run.executor == "threads" else 1)  # fmt: skip
    with open_crew(
        job, executor=run.executor, workers=plan.n_blocks if run.executor == "threads" else run.workers,
        scheduler=run.scheduler, gdal_cache=plan.gdal_cache, ahead=plan.ahead,
    ) as crew:  # fmt: skip
        return run_blocks(crew, pending, total=len(store.windows), progress=run.progress, stage=run.stage)


def _network_bytes(model: Predictor) -> int:
    """Give what a network takes while it computes; 0 for other models."""
    return model.measure_bytes() if isinstance(model, ChipModel) else 0


def _check_model(run: _Run) -> list[str]:
    """Check the cubes against the model's card; gives the warnings.

    Raises:
        ModelError: If they do not fit.
    """
    try:
        warnings = check_inputs(run.model.card, run.cubes)
    except SourceError as err:  # comes after bands, pixel size and dates were checked
        warnings = [f"The cube's values were not compared with the training data's: {err}"]  # the blocks in question will fail
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings


def _unsure_below(run: _Run) -> float:
    """Give the probability below which pixels are unsure; 0 where the options do not ask for it."""
    if run.options.unsure_error is None:
        return 0.0
    find: Any = getattr(run.model, "unsure_below", None)
    if find is None:
        raise MapError(f"model {run.model.card.model} cannot tell which pixels are unsure; map.unsure_error needs a per-pixel "
                       "model trained with model.conformal: true")  # fmt: skip
    return float(find(run.options.unsure_error))


def plan_blocks(
    model: Predictor, cubes: CubeSet, options: MapOptions, *, workers: int, memory: str | int,
    executor: ExecutorName | Executor, scheduler: str | None,
) -> MemoryPlan:  # fmt: skip
    """Choose the blocks that a map is computed in; see `memory.plan_memory`."""
    margin = options.smooth.halo_px if options.smooth is not None else 0
    return plan_memory(
        memory, model.card, cubes, workers=workers, block_px=options.block_px, margin_px=margin,
        processes=count_processes(executor, workers, scheduler), network_bytes=_network_bytes(model),
    )  # fmt: skip


def make_store(
    folder: Path, keys: Mapping[str, Any], card: ModelCard, cubes: CubeSet, options: MapOptions, block_px: int
) -> BlockStore:
    """Give the block store of a map."""
    specs = make_specs(card.legend, options)
    layouts = {name: ProductLayout(s.count, s.dtype, int(s.nodata)) for name, s in specs.items()}
    rows, cols = cubes.geobox.shape
    return BlockStore(work_folder(folder, keys), (rows, cols), block_px, layouts, options.block_store)


def _estimate_bytes(run: _Run) -> int:
    """Give what the store and the products need at most: the largest product is the one whose raw pixels stand beside it."""
    sizes = [estimate_cog_bytes(run.cubes.geobox, s) for s in make_specs(run.model.card.legend, run.options).values()]
    return sum(sizes) + max(sizes)


def _failed(failures: Mapping[Window, str], total: int) -> BlocksFailedError:
    reasons = list(dict.fromkeys(failures.values()))
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return BlocksFailedError(f"{len(failures)} of {total} blocks failed: {shown}. Repair the files and run again (the "
                             "other blocks are kept), or use --allow-missing to have these pixels as nodata")  # fmt: skip


def _results(product: MapProduct, store: BlockStore, results: BlockResults) -> dict[str, Any]:
    return {
        "checksum": product.checksum, "count_px": {str(k): v for k, v in product.count_px.items()},
        "area_ha": {str(k): v for k, v in product.area_ha.items()}, "block_px": store.block_px,
        "missing_blocks": [{"row": w.row, "col": w.col, "height": w.height, "width": w.width, "reason": why}
                           for w, why in sorted(results.failures.items())],
        **({"worker_peak_rss_bytes": results.peak_bytes} if results.peak_bytes else {}),
    }  # fmt: skip


def _input_records(keys: Mapping[str, Any]) -> tuple[FileRecord, ...]:
    return tuple(record_file(path) if Path(path).is_file() else FileRecord(path=path) for path in keys["inputs"])
