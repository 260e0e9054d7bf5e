"""The stages of a recipe in an output folder: each does its work once, says what it did, and hands on an artefact.

Receives a `Recipe` and a folder; hands on the artefacts that the README lists. Every stage only calls the room it is named for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from landweave.assess import Assessment, Baseline, CrossValidationSummary
from landweave.assess.wording import Language
from landweave.cube import load_cube, open_cube, write_cube
from landweave.cube.dates import note_disjoint_dates
from landweave.errors import AssessmentError, CubeError, RecipeError, SampleError
from landweave.imagery import find_scenes, items_path
from landweave.io.files import lock_folder, read_json, sha256_file, sha256_json, write_json
from landweave.io.lineage import FileRecord
from landweave.io.stac import add_asset
from landweave.io.tables import read_samples, write_samples
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models import (
    ModelChoice,
    ModelOptions,
    PixelModel,
    add_uncertainty,
    check_inputs,
    check_legend,
    choose_model,
    cross_validate,
    load_model,
    load_pixel_model,
    save_model,
    train_model,
)
from landweave.recipe.chips import ChipStage, uses_chips
from landweave.recipe.document import PublishedOptions, Recipe
from landweave.recipe.ledger import Ledger
from landweave.samples import (
    SampleReport,
    SplitOptions,
    block_of,
    block_size_of,
    check_samples,
    extract_samples,
    hold_out,
    import_reference,
    import_series,
    resolve_split,
    set_aside,
    split_random,
    split_resamples,
    split_spatial,
)
from landweave.types import CubeSet, ExecutorName, MapProduct, Predictor, Progress, SampleTable, Scene

__all__ = ["Job", "RunResult", "run_recipe"]

AnyModel = TypeVar("AnyModel", bound=Predictor)


@dataclass(frozen=True)
class Job:
    """A recipe, where its products go, and how hard the machine may work."""

    recipe: Recipe
    folder: Path
    workers: int = 1
    memory: str = "2GiB"
    overwrite: bool = False
    progress: Progress | None = None
    command: str = "landweave run"
    executor: ExecutorName = "threads"
    scheduler: str | None = None
    ledger: Ledger = field(init=False)
    _known: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        resolved = self.recipe.model_dump(mode="json", exclude_unset=True)
        ledger = Ledger(self.folder, recipe=resolved, command=self.command, overwrite=self.overwrite)
        object.__setattr__(self, "ledger", ledger)

    @property
    def cube_keys(self) -> dict[str, Any] | None:
        """What identifies the cube: its options and the content of its files; None without imagery."""
        if self.recipe.imagery and "cube" not in self._known:
            place = self.recipe.cube.place
            vectors = [str(p) for p in place.distances.values()] if place is not None else []
            files = _checksums([*_files_of(self.scenes.values()), *vectors])
            found = {name: sha256_file(path) for name, path in self.item_files.items()}
            self._known["cube"] = {**self.options("imagery", "cube"), "files": files, **({"items": found} if found else {})}
        return self._known.get("cube")

    @property
    def scenes(self) -> dict[str, list[Scene]]:
        """The scenes of every source, found once."""
        if "scenes" not in self._known:
            self._known["scenes"] = find_all_scenes(self.recipe, self.item_files)
        found: dict[str, list[Scene]] = self._known["scenes"]
        return found

    @property
    def item_files(self) -> dict[str, Path]:
        """Where the items of each catalogue's search are kept: a run that is repeated reads them instead of searching."""
        searches = {name: o.catalogue for name, o in self.recipe.imagery.items() if o.catalogue is not None}
        return {name: items_path(search, self.folder / "items", name) for name, search in searches.items()}

    def options(self, *names: str) -> dict[str, Any]:
        """Give parts of the recipe as plain values, defaults included: what a stage's identity is made of."""
        values = self.recipe.model_dump(mode="json")
        return {name: values[name] for name in names}


@dataclass(frozen=True)
class RunResult:
    """What a run made; None for what the recipe cannot give."""

    folder: Path
    samples: SampleTable
    model: Predictor
    assessment: Assessment
    report: Path
    product: MapProduct | None = None
    products: Mapping[str, MapProduct] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def run_recipe(
    recipe: Recipe, folder: Path | str, *, workers: int = 1, memory: str = "2GiB", overwrite: bool = False,
    progress: Progress | None = None, executor: ExecutorName = "threads", scheduler: str | None = None,
) -> RunResult:  # fmt: skip
    """Run every stage of a recipe; stages that are finished with the same inputs and options are kept.

    Args:
        recipe: What to make.
        folder: Where the products go.
        workers: Threads.
        memory: Budget of the whole process, such as "2GiB".
        overwrite: Start anew where the folder holds another run's result.
        progress: Told of every step of long work.
        executor: Where the map's blocks are computed: "threads", "processes" or "dask".
        scheduler: Address of a dask scheduler.

    Raises:
        LandweaveError: Any of its kinds; nothing unfinished carries a final name.
    """
    job = Job(
        recipe, Path(folder), workers, memory, overwrite, progress, executor=executor, scheduler=scheduler
    )  # fmt: skip
    with lock_folder(job.folder):
        cubes = make_cube(job)
        samples, _ = make_samples(job, cubes)
        model = make_model(job)
        products, warnings = make_maps(job, cubes, model)
        assessment = make_assessment(job, products)
        report = make_report(job, assessment, products)
    only = next(iter(products.values())) if len(products) == 1 else None
    return RunResult(job.folder, samples, model, assessment, report, only, products, tuple(warnings))


# --- cube ----------------------------------------------------------------------------------------------------------------


def find_all_scenes(recipe: Recipe, item_files: Mapping[str, Path] | None = None) -> dict[str, list[Scene]]:
    """Find the scenes of every source of a recipe; items of catalogues are kept in, or taken from, `item_files`."""
    kept = item_files or {}
    return {name: find_scenes(options, items=kept.get(name)) for name, options in recipe.imagery.items()}


def make_cube(job: Job) -> CubeSet | None:
    """Make `cube.zarr`, or open it where it is finished; None for a recipe without imagery."""
    keys = job.cube_keys
    if keys is None:
        return None
    outputs = ["cube.zarr"] if job.recipe.write_cube else []
    if job.ledger.is_finished("cube", keys, outputs) and outputs:
        return open_cube(job.folder / "cube.zarr")
    cubes = note_disjoint_dates(load_cube(job.scenes, options=job.recipe.cube))
    if not outputs:
        return cubes
    inputs = _records({**keys["files"], **{str(p.absolute()): keys["items"][n] for n, p in job.item_files.items()}})
    with job.ledger.record("cube", keys, outputs, options=job.options("cube")["cube"], inputs=inputs) as more:
        write_cube(cubes, job.folder / "cube.zarr", workers=job.workers, progress=job.progress)
        more["notes"] = cubes.notes
    return open_cube(job.folder / "cube.zarr")


def _files_of(sources: Iterable[Sequence[Scene]]) -> list[str]:
    paths = {a.path for scenes in sources for s in scenes for a in [*s.assets, *(s.mask.assets if s.mask else ())]}
    return sorted({_local_file(p) for p in paths})


def _local_file(path: str) -> str:
    """Give the file on disk behind a GDAL path: the archive or netCDF file itself for what lies inside one."""
    if path.startswith("netcdf:"):
        return path.removeprefix("netcdf:").rpartition(":")[0]
    for prefix in ("/vsizip/", "/vsitar/"):
        if path.startswith(prefix):
            parts = Path(path.removeprefix(prefix)).parts
            whole = (Path(*parts[:n]) for n in range(len(parts), 0, -1))
            return str(next((p for p in whole if p.is_file()), path))
    return path


def _checksums(paths: Iterable[str]) -> dict[str, str]:
    local = [p for p in paths if not p.startswith("/vsi") and "://" not in p]
    beside = [str(Path(p).with_suffix(s)) for p in local if p.lower().endswith(".shp") for s in (".dbf", ".prj")]
    return {p: sha256_file(p) for p in [*local, *(b for b in beside if Path(b).exists())]}


def _records(checksums: Mapping[str, str]) -> tuple[FileRecord, ...]:
    return tuple(FileRecord(path=p, sha256=s) for p, s in checksums.items())


def load_job_model(job: Job) -> Predictor:
    """Load the model of an earlier stage, of pixels or of chips.

    Raises:
        ModelError: If it was trained for another legend than the recipe's.
    """
    return _with_legend(job, load_model(job.folder / "model"))


def load_job_pixel_model(job: Job) -> PixelModel:
    """Load the model of an earlier stage for work on rows of features.

    Raises:
        ModelError: If it maps chips, or was trained for another legend than the recipe's.
    """
    return _with_legend(job, load_pixel_model(job.folder / "model"))


def _with_legend(job: Job, model: AnyModel) -> AnyModel:
    legend = job.recipe.make_legend()
    if legend is not None:
        check_legend(model.card, legend)
    return model


def open_products(job: Job) -> dict[str, MapProduct]:
    """Open the maps of an earlier stage, by season's start date."""
    from landweave.maps import open_map

    if (job.folder / "map.tif").exists():
        return {"": open_map(job.folder)}
    return {f.parent.name: open_map(f.parent) for f in sorted((job.folder / "maps").glob("*/map.tif"))}


def open_job_cube(job: Job) -> CubeSet | None:
    """Open the cube of an earlier stage, or read the scenes directly where none was written."""
    if not job.recipe.imagery:
        return None
    path = job.folder / "cube.zarr"
    return open_cube(path) if path.exists() else load_cube(job.scenes, options=job.recipe.cube)


# --- samples -------------------------------------------------------------------------------------------------------------


def make_samples(job: Job, cubes: CubeSet | None) -> tuple[SampleTable, SampleReport]:
    """Make `samples.parquet` and check it, or read it where it is finished."""
    options, reference = job.recipe.samples, job.recipe.reference
    sources = [str(o.reference or o.series) for o in (options, reference) if o is not None]
    keys = {**job.options("samples", "reference", "legend", "season"), "buffer_m": job.recipe.assess.buffer_m,
            "files": _checksums(s for s in sources if Path(s).is_file()), "cube": sha256_json(job.cube_keys)}  # fmt: skip
    path = job.folder / "samples.parquet"
    if job.ledger.is_finished("samples", keys, ["samples.parquet"]):
        samples = read_samples(path)
        return samples, _check(job, samples)
    with job.ledger.record("samples", keys, ["samples.parquet"], options=job.options("samples")["samples"],
                           inputs=_records(keys["files"])) as more:  # fmt: skip
        samples = _import_samples(job, cubes)
        write_samples(samples, path)
        counts = {str(k): int(v) for k, v in samples.frame["class"].value_counts().items()}
        rejected = 0 if samples.rejected is None else len(samples.rejected)
        more["results"] = {"n": len(samples), "rejected": rejected, "per_class": counts}
        more["notes"] = (samples.design.note,) if samples.design.note else ()
    return samples, _check(job, samples)


def _import_samples(job: Job, cubes: CubeSet | None) -> SampleTable:
    options, legend = job.recipe.samples, job.recipe.make_legend()
    if options.series is not None:
        return import_series(options, legend=legend, season=job.recipe.season)
    if cubes is None:
        raise RecipeError(f"samples.reference {options.reference} has places without values, and the recipe has no `imagery` "
                          "to read them from; add imagery, or give samples.series")  # fmt: skip
    places = import_reference(options, legend=legend, geobox=cubes.geobox)
    places = _give_way(job, places, cubes)
    return extract_samples(places, cubes, season=job.recipe.season, progress=job.progress)


def _give_way(job: Job, places: SampleTable, cubes: CubeSet) -> SampleTable:
    """Set training rows aside that share a pixel with a reference row: the reference sample must stay whole and independent."""
    from landweave.assess import find_dependent

    if job.recipe.reference is None or job.recipe.assess.allow_training_rows:
        return places
    reference = import_reference(job.recipe.reference, legend=places.legend, geobox=cubes.geobox)
    near = find_dependent(places, reference, buffer_m=job.recipe.assess.buffer_m, geobox=cubes.geobox)
    return set_aside(places, near, "lies at a reference sample, which must not train the model")


def _check(job: Job, samples: SampleTable) -> SampleReport:
    return check_samples(samples, options=job.recipe.split)


def find_split(job: Job, samples: SampleTable) -> SplitOptions:
    """State the split in full: the size of `auto` blocks, and the map's area for kNNDM."""
    split, bbox = job.recipe.split, None
    if (split.by == "knndm" or split.compare) and split.predict_bbox is None:
        cubes = open_job_cube(job)
        if cubes is not None:
            west, south, east, north = cubes.geobox.geographic_extent.boundingbox
            bbox = (west, south, east, north)
    return resolve_split(samples, split, bbox=bbox)


def _fingerprint(job: Job, stage: str) -> str | None:
    record = job.ledger.find(stage)
    return None if record is None else record.fingerprint


def _read_samples(job: Job) -> SampleTable:
    path = job.folder / "samples.parquet"
    if not path.exists():
        raise SampleError(f"{path} does not exist; run `landweave samples` first")
    return read_samples(path)


# --- model ---------------------------------------------------------------------------------------------------------------


def make_model(job: Job) -> Predictor:
    """Cross-validate and train; make `model/`, or load it where it is finished."""
    samples = _read_samples(job)
    keys = {**job.options("model", "split", "licence"), "samples": sha256_file(job.folder / "samples.parquet")}
    if job.recipe.assess.no_locations:
        keys["no_locations"] = True
    if job.recipe.split.regions is not None:
        keys["files"] = _checksums([job.recipe.split.regions])
    folder = job.folder / "model"
    if job.ledger.is_finished("model", keys, ["model", "validation.json"]):
        return load_model(folder)
    shutil.rmtree(folder, ignore_errors=True)  # a model whose validation was interrupted
    with job.ledger.record("model", keys, ["model", "validation.json"], options=job.options("model")["model"],
                           seed=job.recipe.model.seed) as more:  # fmt: skip
        training, held_out = split_held_out(job, samples)
        options, choice = _choose(job, training)
        stage = ChipStage(job.recipe, open_job_cube(job), samples) if uses_chips(options) else None
        validation = validate(job, training, options, stage)
        card: dict[str, Any] = {
            "licence": job.recipe.licence, "lineage": {"samples_sha256": keys["samples"], "recipe": job.recipe.name},
            "metrics": _card_metrics(validation["cross_validation"]), "no_locations": job.recipe.assess.no_locations,
        }  # fmt: skip
        if stage is not None:
            save_model(stage.train(training, others=held_out, progress=job.progress, **card), folder)
        else:
            model = train_model(training, options=options, progress=job.progress, **card)
            save_model(_add_uncertainty(job, model, training, options), folder)
        write_json(job.folder / "validation.json", {**validation, "choice": _describe_choice(choice)})
        more["results"] = {"family": options.name, **_card_metrics(validation["cross_validation"])}
    return load_model(folder)


def _add_uncertainty(job: Job, model: PixelModel, samples: SampleTable, options: ModelOptions) -> PixelModel:
    """Fit what the recipe asks for on the spatial folds: calibration, conformal scores, area of applicability."""
    if options.calibration is None and not options.conformal and not options.applicability:
        return model
    split = find_split(job, samples)
    return add_uncertainty(model, samples, split_spatial(samples, split), options=options, blocks=block_of(samples, split),
                           n_jobs=job.workers, progress=job.progress)  # fmt: skip


def split_held_out(job: Job, samples: SampleTable) -> tuple[SampleTable, SampleTable | None]:
    """Give the rows to train on and the rows held out of training, if the recipe asks for any."""
    if job.recipe.split.holdout is None:
        return samples, None
    return hold_out(samples, job.recipe.split.holdout, options=job.recipe.split)


def _choose(job: Job, samples: SampleTable) -> tuple[ModelOptions, ModelChoice | None]:
    if job.recipe.model.name != "auto":
        return job.recipe.model, None
    folds = split_spatial(samples, find_split(job, samples))
    choice = choose_model(samples, folds, options=job.recipe.model, n_jobs=job.workers, progress=job.progress)
    return choice.options, choice


def _describe_choice(choice: ModelChoice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    columns = [c for c in choice.table.columns if c != "title"]
    rows = [
        [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in choice.table[columns].itertuples(index=False)
    ]
    return {"columns": columns, "rows": rows, "why": choice.why}


def validate(job: Job, samples: SampleTable, options: ModelOptions, stage: ChipStage | None = None) -> dict[str, Any]:
    """Score a model with random and with spatial folds, and with kNNDM where the recipe asks for it, side by side."""
    from landweave.assess import make_baselines, summarise_cross_validation

    split = find_split(job, samples)
    folds = {"random": split_random(samples, split)}
    if split.by == "knndm" or "knndm" in split.compare:
        folds["knndm"] = split_spatial(samples, split.model_copy(update={"by": "knndm"}))
        split = split.model_copy(update={"by": "block"}) if split.by == "knndm" else split
    folds["spatial"] = split_spatial(samples, split)
    predicted = {}
    for kind, repeats in folds.items():
        progress = None if job.progress is None else _rename(job.progress, f"{kind} folds")
        if stage is not None:
            predicted[kind] = stage.cross_validate(samples, repeats, progress)
            continue
        predicted[kind] = cross_validate(samples, repeats, options=options, n_jobs=job.workers, progress=progress).predicted
    truth = samples.to_class_index()
    summary = summarise_cross_validation(
        truth, samples.legend.names, random=predicted["random"], spatial=predicted["spatial"], knndm=predicted.get("knndm"),
        blocks=block_of(samples, split), split=_sized(split, samples), options=job.recipe.assess,
    )  # fmt: skip
    baselines = make_baselines(truth, len(samples.legend))
    if job.recipe.published is not None:
        baselines |= _repeat_published(job, job.recipe.published, samples, options)
    return {"cross_validation": summary.model_dump(mode="json"),
            "baselines": {k: b.model_dump(mode="json") for k, b in baselines.items()}}  # fmt: skip


def _sized(split: SplitOptions, samples: SampleTable) -> SplitOptions:
    """State the size of the blocks that were used where the recipe leaves it open."""
    if split.by != "block" or split.block_size_m is not None:
        return split
    return split.model_copy(update={"block_size_m": block_size_of(samples, split), "block_size_deg": None})


def _repeat_published(
    job: Job, published: PublishedOptions, samples: SampleTable, options: ModelOptions
) -> dict[str, Baseline]:
    """Run the protocol of a published result with our model, and put both macro-F1 side by side."""
    known, named = set(samples.legend.names), set(published.users)
    if known != named:
        raise RecipeError(f"published names the classes {sorted(named)}, the legend has {sorted(known)}; they must be the same")
    folds = split_resamples(samples, train_share=published.train_share, n_resamples=published.n_resamples, seed=options.seed)
    progress = None if job.progress is None else _rename(job.progress, "published")
    result = cross_validate(samples, folds, options=options, n_jobs=job.workers, progress=progress)
    matrices = np.stack([count_confusion(row, result.truth, len(samples.legend)) for row in result.predicted])
    oa, f1 = score_matrix(matrices, "overall_accuracy"), score_matrix(matrices, "macro_f1")
    note = f"{published.n_resamples} random resamples, {published.train_share:.0%} of each class to train"
    return {
        published.name: Baseline(macro_f1=published.macro_f1, note=f"Published: {published.source or published.name}."),
        f"this model, protocol of {published.name}": Baseline(
            overall_accuracy=float(oa.mean()), macro_f1=float(f1.mean()),
            note=f"{note}; standard deviation between resamples {f1.std():.3f}. Rows of one place stand on both sides.",
        ),
    }  # fmt: skip


def _rename(progress: Progress, stage: str) -> Progress:
    return lambda event: progress(replace(event, stage=stage))


def _card_metrics(cross_validation: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    names = ("overall_accuracy", "overall_accuracy_se", "macro_f1", "macro_f1_se", "overall_accuracy_learnable",
             "macro_f1_learnable")  # fmt: skip
    return {kind: {n: scores[n] for n in names if scores[n] is not None}
            for kind, scores in cross_validation.items() if scores is not None}  # fmt: skip


# --- map -----------------------------------------------------------------------------------------------------------------


def make_maps(job: Job, cubes: CubeSet | None, model: Predictor) -> tuple[dict[str, MapProduct], list[str]]:
    """Map the cube: one map, or one per season by its start date; none for a recipe without imagery.

    Returns:
        Season's start date ("" where there are none) -> map, and warnings about the cube.
    """
    from landweave.cube import select_season
    from landweave.maps import predict_map

    if cubes is None:
        return {}, []
    season = job.recipe.season
    options = job.recipe.map.model_copy(update={"seasons": None})
    made: dict[str, MapProduct] = {}
    warnings: list[str] = []
    for start in _season_starts(job, cubes):
        one = cubes if start is None or season is None else select_season(cubes, season, start)
        warnings += check_inputs(model.card, one)
        folder = job.folder if start is None else job.folder / "maps" / start.isoformat()
        product = predict_map(
            model, one, folder, options=options, workers=job.workers, memory=job.memory, overwrite=job.overwrite,
            lineage=job.ledger.read(), progress=job.progress, inputs=_map_inputs(job), executor=job.executor,
            scheduler=job.scheduler,
        )  # fmt: skip
        if "item" not in product.files:
            warnings.append("no item.json was written: a STAC item needs a date and the imagery has none; give its `date`")
        made["" if start is None else start.isoformat()] = product
    return made, list(dict.fromkeys(warnings))


def _season_starts(job: Job, cubes: CubeSet) -> list[Any]:
    from landweave.cube import season_windows

    season = job.recipe.season
    if season is None:
        return [None]
    can = season_windows(cubes, season)
    if job.recipe.map.seasons is None:
        shown = ", ".join(d.isoformat() for d in can) or "none"
        raise RecipeError(f"the recipe has a season but map.seasons names no start date to map; the cube can serve: {shown}")
    wrong = [d for d in job.recipe.map.seasons if d not in can]
    if wrong:
        raise CubeError(f"map.seasons names {wrong[0]}, which the cube cannot serve; it can serve: {', '.join(map(str, can))}")
    return list(job.recipe.map.seasons)


def _map_inputs(job: Job) -> dict[str, str]:
    """What the map's cube was made of, by content: the cube stage's fingerprint stands for all its files."""
    return {} if job.cube_keys is None else {"cube": sha256_json(job.cube_keys)}


# --- assessment and report -------------------------------------------------------------------------------------------


def make_assessment(job: Job, products: Mapping[str, MapProduct]) -> Assessment:
    """Judge the map and make `assessment.json`: on the reference, else on what was held out, else by cross-validation alone."""
    from landweave.assess import (
        assess_held_out,
        assess_map,
        assess_without_reference,
        summarise_applicability,
        summarise_reliability,
        write_assessment,
    )

    samples = _read_samples(job)
    training, held_out = split_held_out(job, samples)
    recipe, title = job.recipe, job.recipe.title or job.recipe.name
    product = next(iter(products.values())) if len(products) == 1 else None
    if recipe.reference is not None:
        if product is None:
            raise AssessmentError(f"the recipe has a reference but makes {len(products)} maps; a reference judges one map")
        reference = import_reference(recipe.reference, legend=product.legend, geobox=product.geobox)
        assessment = assess_map(product, reference, training=training, options=recipe.assess, title=title)
    elif held_out is not None:
        predicted = None if product is not None else _predict_rows(job, held_out)
        assessment = assess_held_out(held_out, product=product, predicted=predicted, training=training, options=recipe.assess,
                                     title=title)  # fmt: skip
    else:
        assessment = assess_without_reference(product, title=title)
    validation, model = read_json(job.folder / "validation.json"), load_job_model(job)
    baselines = {k: Baseline.model_validate(b) for k, b in validation["baselines"].items()}
    assessment = assessment.model_copy(update={
        "cross_validation": CrossValidationSummary.model_validate(validation["cross_validation"]),
        "baselines": {**baselines, **assessment.baselines},
        "applicability": None if product is None else summarise_applicability(product, model.card),
        "reliability": summarise_reliability(model.conformal if isinstance(model, PixelModel) else None, model.card.metrics),
    })  # fmt: skip
    with job.ledger.record("assessment", {"model": _fingerprint(job, "model")}, ["assessment.json"],
                           options=job.options("assess")["assess"]):  # fmt: skip
        write_assessment(assessment, job.folder / "assessment.json")
    return assessment


def _predict_rows(job: Job, samples: SampleTable) -> NDArray[np.int64]:
    if uses_chips(job.recipe.model):
        return ChipStage(job.recipe, open_job_cube(job), samples).predict(load_job_model(job), samples)
    proba = load_job_pixel_model(job).predict_features(samples.to_features())
    untold = np.isnan(proba[:, 0])
    return np.where(untold, -1, np.where(untold[:, None], 0, proba).argmax(axis=1))


def make_report(
    job: Job, assessment: Assessment, products: Mapping[str, MapProduct], *, language: Language | None = None,
    no_locations: bool = False,
) -> Path:  # fmt: skip
    """Make `report.html`, and one report per season where there are several maps.

    Args:
        job: The run.
        assessment: Its numbers.
        products: Its maps, by the season's start.
        language: Of the report; the recipe's by default.
        no_locations: Keep training places out even where the recipe does not ask for it.
    """
    from landweave.assess import read_extras, write_report

    samples = _read_samples(job)
    card = load_job_model(job).card
    check = _check(job, samples)
    lineage = job.ledger.read().model_dump(mode="json")
    title = job.recipe.title or job.recipe.name
    asked = job.recipe.assess
    style: Any = {"language": language or asked.language, "no_locations": no_locations or asked.no_locations,
                  "area_unit": asked.area_unit}
    for start, product in products.items():
        if start and len(products) > 1:
            one = assess_season(assessment, product)
            write_report(product.folder / "report.html", assessment=one, product=product, card=card,
                         title=f"{title}, season of {start}", **style)  # fmt: skip
    only = next(iter(products.values())) if len(products) == 1 else None
    path = write_report(job.folder / "report.html", assessment=assessment, product=only, samples=samples, card=card,
                        check=check, lineage=lineage, title=title, seasons=products if len(products) > 1 else None,
                        extras=read_extras(job.folder), **style)  # fmt: skip
    if only is not None and "item" in only.files:
        add_asset(only.files["item"], "report", {
            "href": "./report.html", "type": "text/html", "title": "Accuracy and areas", "roles": ["metadata"],
        })  # fmt: skip
        job.ledger.refresh_output("map", only.files["item"].name)
    return path


def assess_season(assessment: Assessment, product: MapProduct) -> Assessment:
    """Describe one season's map: its own mapped areas beside the model's cross-validation."""
    from landweave.assess import assess_without_reference

    return assess_without_reference(product, cross_validation=assessment.cross_validation, baselines=assessment.baselines,
                                    title=assessment.title)  # fmt: skip
