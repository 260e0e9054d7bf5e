"""The commands that do the work: simulate, plan, run, and its stages one by one.

Each reads a recipe or artefacts, calls the stage, and prints what came out.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import err, print_line, print_table, print_warning, progress_bars
from landweave.types import Augment, Device, ExecutorName, Precision, RuntimeName

if TYPE_CHECKING:
    from landweave.recipe import Job
    from landweave.types import MapProduct, Progress

RecipePath = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="Recipe file (YAML); `landweave schema` gives its JSON schema.")
]
OutFolder = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the products; made where it is missing.")
]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, help="Threads that compute blocks; never changes a pixel.")]
Memory = Annotated[str, typer.Option("--memory", help="Memory budget of the whole process, e.g. 2GiB.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew where the folder holds another run's result.")]
Executor = Annotated[
    ExecutorName, typer.Option("--executor", help="Where the map's blocks are computed; never changes a pixel.")
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, e.g. tcp://HOST:8786, with --executor dask."),
]
DEFAULT_WORKERS = min(8, os.cpu_count() or 1)


def register(app: typer.Typer) -> None:
    """Add the commands in the order of the work."""
    for command in (simulate, plan, run, cube, samples, train, predict, assess, report, rerun):
        app.command()(command)


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the landscape; made where it is missing.")],
    size: Annotated[int, typer.Option(min=40, max=12000, help="Rows and columns of the grid.")] = 700,
    dates: Annotated[int, typer.Option(min=1, max=72, help="Acquisitions of the year.")] = 10,
    cloud_cover_pct: Annotated[float, typer.Option(min=0, max=90, help="Mean cloud cover.")] = 18.0,
    label_noise_pct: Annotated[float, typer.Option(min=0, max=50, help="Share of training polygons with a wrong class.")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="Another number, another landscape.")] = 7,
    workers: Workers = DEFAULT_WORKERS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a landscape that is there.")] = False,
) -> None:
    """Simulate a landscape with known truth: scenes of several sensors, clouds, labels, a recipe ready to run.

    Use it to try Landweave without data, to teach, and to check how a method does where the truth is known:

        landweave simulate land/ --size 500 && landweave run land/recipe.yaml --out out/
    """
    from landweave.errors import OutputExistsError
    from landweave.simulate import SimulateOptions
    from landweave.simulate.landscape import simulate_landscape

    if (folder / "recipe.yaml").exists() and not overwrite:
        raise OutputExistsError(f"{folder} holds a landscape already; --overwrite replaces it, or choose another folder")
    options = SimulateOptions(rows=size, cols=size, n_dates=dates, cloud_cover_pct=cloud_cover_pct,
                              label_noise_pct=label_noise_pct, seed=seed)  # fmt: skip
    started = time.perf_counter()
    with progress_bars() as progress:
        land = simulate_landscape(folder, options=options, workers=workers, progress=progress)
    rows = [(name, f"{share:.1%}") for name, share in land.shares.items()]
    print_table(
        f"Simulated {size} x {size} pixels in {time.perf_counter() - started:.1f} s", ("class", "share"), rows, right=(1,)
    )
    print_line(f"recipe: {land.files['recipe']}")
    print_line(f"truth:  {land.files['truth']}")


def plan(
    recipe: RecipePath,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    rate_mpx_s: Annotated[
        float | None, typer.Option(help="Million pixels per second of one core, as you measured them; ours by default.")
    ] = None,
    price_per_core_hour: Annotated[float, typer.Option(help="Price of a core for an hour, in any currency.")] = 0.05,
    area_km2: Annotated[float | None, typer.Option(help="An area, a country's say, to estimate the cost of.")] = None,
) -> None:
    """Say what a recipe would do: scenes, grid, blocks, dates, memory, disk, cost. Writes nothing.

    Opens every file that the recipe names, so that a missing or broken one shows now and not after an hour.
    """
    from landweave.maps.cost import RATE_MPX_S, CostOptions
    from landweave.recipe import read_recipe
    from landweave.recipe.plan import plan_recipe

    cost = CostOptions(RATE_MPX_S if rate_mpx_s is None else rate_mpx_s, price_per_core_hour, area_km2)
    for table in plan_recipe(read_recipe(recipe), workers=workers, memory=memory, cost=cost):
        print_table(table.title, table.columns, table.rows, right=table.right)


def run(
    recipe: RecipePath,
    out: OutFolder,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
    executor: Executor = "threads",
    scheduler: Scheduler = None,
) -> None:
    """Run a recipe from imagery to report: cube, samples, model, map, assessment.

    A stage that is finished with the same inputs and options is kept, so that an interrupted run goes on where it stopped.
    Writes cube.zarr, samples.parquet, model/, map.tif, proba.tif, uncertainty.tif, map.qml, item.json, assessment.json,
    report.html and lineage.json (those that the recipe can give).
    """
    from landweave.recipe import read_recipe
    from landweave.recipe.run import run_recipe

    read, started = read_recipe(recipe), time.perf_counter()
    with progress_bars() as progress:
        result = run_recipe(
            read, out, workers=workers, memory=memory, overwrite=overwrite, progress=progress, executor=executor,
            scheduler=scheduler,
        )  # fmt: skip
    for warning in result.warnings:
        print_warning(warning)
    _print_assessment(result.assessment, read.assess.area_unit)
    rows = [(name, str(path)) for product in result.products.values() for name, path in product.files.items()]
    rows += [("samples", str(out / "samples.parquet")), ("model", str(out / "model"))]
    rows += [("assessment", str(out / "assessment.json")), ("report", str(result.report))]
    print_table(f"Done in {time.perf_counter() - started:.1f} s", ("product", "path"), rows)


def cube(
    recipe: RecipePath,
    out: OutFolder,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
) -> None:
    """Bring the recipe's scenes onto one grid and write cube.zarr."""
    from landweave.recipe.run import make_cube

    with progress_bars() as progress:
        made = make_cube(_job(recipe, out, workers, memory, overwrite, progress, "cube"))
    if made is None:
        print_line("the recipe has no imagery, so that there is no cube")
        return
    for name, one in made.cubes.items():
        rows = [(dim, one.sizes[dim]) for dim in one.dims]
        print_table(f"cube {name}: {', '.join(map(str, one['band'].values))}", ("dim", "size"), rows, right=(1,))
    for note in made.notes:
        print_line(f"note: {note}")


def samples(
    recipe: RecipePath,
    out: OutFolder,
    check: Annotated[bool, typer.Option("--check", help="End with exit code 2 where a check fails.")] = False,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
) -> None:
    """Turn reference data into samples.parquet, and say whether the sample is good enough to train on.

    Counts, spread, duplicates, classes that stand in one block, neighbours that disagree; rows that could not be used are
    listed with their reason.
    """
    from landweave.recipe.run import make_samples, open_job_cube

    with progress_bars() as progress:
        job = _job(recipe, out, workers, memory, overwrite, progress, "samples")
        table, found = make_samples(job, open_job_cube(job))
    _print_samples(table)
    print_table("Checks", ("check", "level", "finding"), [(c.name, c.level, c.message) for c in found.checks])
    if check and any(c.level == "fail" for c in found.checks):
        raise typer.Exit(2)


def train(
    recipe: RecipePath,
    out: OutFolder,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
) -> None:
    """Train the recipe's model on samples.parquet, score it with random and spatial folds, and write model/."""
    from landweave.assess import CrossValidationSummary
    from landweave.io.files import read_json
    from landweave.recipe.run import make_model

    with progress_bars() as progress:
        model = make_model(_job(recipe, out, workers, memory, overwrite, progress, "train"))
    validation = read_json(out / "validation.json")
    _print_choice(validation["choice"])
    _print_folds(CrossValidationSummary.model_validate(validation["cross_validation"]))
    print_line(f"model: {out / 'model'} ({model.card.title or model.card.model})")


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR|RECIPE", help="Model folder, or a recipe (maps its cube).")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PATH", help="map.tif for the map alone, or a folder for all products.")
    ],
    images: Annotated[list[str] | None, typer.Argument(metavar="IMAGE...", help="Raster files, globs or a cube.zarr.")] = None,
    bands: Annotated[str | None, typer.Option(help="Names of the image's layers, - skips one: blue,green,-,nir.")] = None,
    sensor: Annotated[str, typer.Option(help="Sensor of the images; see `landweave sensors`.")] = "generic",
    pattern: Annotated[str | None, typer.Option(help="How the files are named, e.g. '{date:%Y%m%d}_{band}.tif'.")] = None,
    scale: Annotated[float | None, typer.Option(help="Physical value = stored * scale.")] = None,
    season: Annotated[
        str | None, typer.Option(help="Start date of the season to map, for a model trained on a season.")
    ] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Write the map although blocks failed.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Redo only the blocks of the map in --out that changed or new images touch.")
    ] = False,
    runtime: Annotated[
        RuntimeName, typer.Option(help="What computes a network; openvino is the extra of that name and often faster.")
    ] = "onnxruntime",
    precision: Annotated[Precision, typer.Option(help="Numbers inside a network; bf16 with --runtime openvino.")] = "fp32",
    device: Annotated[Device, typer.Option(help="Where a network is computed; cuda needs onnxruntime-gpu.")] = "cpu",
    augment: Annotated[
        Augment | None, typer.Option(help="Mean of a network over the eight turns and mirrorings of each chip; 8 x the work.")
    ] = None,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
    executor: Executor = "threads",
    scheduler: Scheduler = None,
) -> None:
    """Map images, or a cube, with a saved model.

    Bands are matched by name, from the file's descriptions or `--bands`; never by position alone. A network is computed by
    ONNX Runtime unless `--runtime` says otherwise; in a recipe that is `map: runtime`.

        landweave predict out/model scene.tif --out map.tif --bands blue,green,red,nir
    """
    from landweave.cli.predicting import ImageRequest, predict_images

    networks = {"runtime": runtime, "precision": precision, "device": device, "augment": augment}
    if model.suffix in (".yaml", ".yml"):
        if tuple(networks.values()) != ("onnxruntime", "fp32", "cpu", None):
            raise typer.BadParameter("a recipe says itself what computes its network; set map: runtime, precision, device, ...")
        _predict_recipe(model, out, workers, memory, overwrite, executor, scheduler)
        return
    names = tuple(None if b.strip() in ("", "-") else b.strip() for b in bands.split(",")) if bands else None
    request = ImageRequest(tuple(images or ()), names, sensor, pattern, scale, season, allow_missing, update, networks)
    with progress_bars() as progress:
        product, warnings = predict_images(
            model, request, out, workers=workers, memory=memory, overwrite=overwrite, progress=progress,
            executor=executor, scheduler=scheduler,
        )  # fmt: skip
    for warning in warnings:
        print_warning(warning)
    _print_map(product)


def _predict_recipe(
    recipe: Path, out: Path, workers: int, memory: str, overwrite: bool, executor: ExecutorName, scheduler: str | None
) -> None:
    from landweave.recipe import read_recipe
    from landweave.recipe.run import Job, load_job_model, make_maps, open_job_cube

    with progress_bars() as progress:
        command = "landweave predict"
        job = Job(read_recipe(recipe), out, workers, memory, overwrite, progress, command, executor, scheduler)
        products, warnings = make_maps(job, open_job_cube(job), load_job_model(job))
    for warning in warnings:
        print_warning(warning)
    for product in products.values():
        _print_map(product)


def assess(
    recipe: Annotated[Path | None, typer.Argument(metavar="[RECIPE]", help="Recipe whose map in --out is judged.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder of the run; or where to write.")
    ] = None,
    matrix: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Published counts: rows map, columns reference, last mapped_area_px.")
    ] = None,
    pixel_area_m2: Annotated[float | None, typer.Option(min=0, help="Area of a pixel, with --matrix.")] = None,
    map_path: Annotated[Path | None, typer.Option("--map", metavar="MAP", help="A classified map, with --reference.")] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reference places with a class column, with --map.")
    ] = None,
    class_column: Annotated[str | None, typer.Option(help="Column of the reference class, with --reference.")] = None,
    area_unit: Annotated[
        str | None, typer.Option(help="Unit of printed areas: ha, km2, m2, acre; the recipe's (assess.area_unit) by default.")
    ] = None,
    interval: Annotated[
        str | None, typer.Option(help="midp (default), normal (as Olofsson 2014 prints), jeffreys, ...; not with RECIPE.")
    ] = None,
) -> None:
    """Judge a map: error matrix, accuracies and areas with 95 % intervals.

    Three ways: the map of a recipe's run; any classified map and a file of reference places; or published counts alone:

        landweave assess examples/landsat5.yaml --out out/

        landweave assess --map map.tif --reference points.gpkg --class-column class

        landweave assess --matrix counts.csv --pixel-area-m2 900
    """
    from landweave.cli import judging

    given = [recipe is not None, matrix is not None, map_path is not None]
    if sum(given) != 1:
        raise typer.BadParameter("give one of RECIPE (with --out), --matrix (with --pixel-area-m2) or --map (with --reference)")
    if matrix is not None:
        assessment = judging.judge_counts(matrix, pixel_area_m2, out, interval)
    elif map_path is not None:
        assessment = judging.judge_map(map_path, reference, class_column, out, interval)
    else:
        if interval is not None:
            raise typer.BadParameter("a recipe states its intervals itself (assess.interval, assess.area_interval)")
        job = _job(recipe, out, 1, "2GiB", False, None, "assess")
        assessment, area_unit = judging.judge_run(job), area_unit or job.recipe.assess.area_unit
    _print_assessment(assessment, area_unit or "ha")


def report(
    recipe: RecipePath,
    out: OutFolder,
    language: Annotated[str | None, typer.Option(help="en, es, fr or pt; the recipe's (assess.language) by default.")] = None,
    no_locations: Annotated[
        bool, typer.Option("--no-locations", help="No sample places; training area rounded outward to whole degrees.")
    ] = False,
) -> None:
    """Write report.html anew from the artefacts in the folder, in the recipe's language or another."""
    from landweave.assess import read_assessment
    from landweave.assess.wording import get_words
    from landweave.recipe.run import make_report, open_products

    job = _job(recipe, out, 1, "2GiB", False, None, "report")
    spoken = None if language is None else get_words(language).language
    path = make_report(job, read_assessment(out / "assessment.json"), open_products(job), language=spoken,
                       no_locations=no_locations)  # fmt: skip
    print_line(f"report: {path}")


def rerun(
    lineage: Annotated[Path, typer.Argument(metavar="LINEAGE", help="lineage.json of an earlier run, or its folder.")],
    out: OutFolder,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
    overwrite: Overwrite = False,
) -> None:
    """Make a run again from its lineage.json, and say whether the map came out the same."""
    from landweave.recipe.rerun import rerun_lineage

    with progress_bars() as progress:
        rows = rerun_lineage(lineage, out, workers=workers, memory=memory, overwrite=overwrite, progress=progress)
    print_table("Compared with the earlier run", ("product", "same bytes", "note"), rows)


# --- printing ------------------------------------------------------------------------------------------------------------


def _job(
    recipe: Path | None, out: Path | None, workers: int, memory: str, overwrite: bool, progress: Progress | None, verb: str
) -> Job:
    from landweave.recipe import read_recipe
    from landweave.recipe.run import Job

    if recipe is None or out is None:
        raise typer.BadParameter("give RECIPE and --out DIR")
    return Job(read_recipe(recipe), out, workers, memory, overwrite, progress, f"landweave {verb}")


def _print_assessment(assessment: Any, area_unit: str = "ha") -> None:
    from landweave.assess import format_assessment

    for table in format_assessment(assessment, area_unit=area_unit):
        _print_text_table(table)
    for warning in assessment.warnings:
        print_warning(warning)


def _print_folds(summary: Any) -> None:
    from landweave.assess import assess_without_reference, format_assessment

    for table in format_assessment(assess_without_reference(cross_validation=summary)):
        _print_text_table(table)


def _print_text_table(table: Any) -> None:
    print_table(table.title, table.columns, table.rows, right=range(1, len(table.columns)), note=table.note)


def _print_choice(choice: dict[str, Any] | None) -> None:
    if choice is not None:
        print_table("Which model, by spatial folds", choice["columns"], choice["rows"], note=choice["why"])


def _print_samples(table: Any) -> None:
    counts = table.frame["class"].value_counts()
    print_table(
        f"{len(table)} samples", ("class", "n"), [(c.name, int(counts.get(c.name, 0))) for c in table.legend], right=(1,)
    )
    if table.rejected is not None and len(table.rejected):
        reasons = table.rejected["reason"].value_counts()
        print_table(f"{len(table.rejected)} not used", ("reason", "n"), list(reasons.items()), right=(1,))


def _print_map(product: MapProduct) -> None:
    total = sum(product.count_px.values()) or 1
    names = {c.code: c.name for c in product.legend} | {product.legend.nodata: "(nodata)", product.legend.unsure: "(unsure)"}
    rows = [(names.get(code, code), f"{n:,}", f"{product.area_ha.get(code, 0):,.1f}", f"{n / total:.1%}")
            for code, n in product.count_px.items() if n]  # fmt: skip
    print_table("Mapped, not estimated, areas", ("class", "pixels", "hectares", "share"), rows, right=(1, 2, 3))
    err.print("", end="")
    for name, path in product.files.items():
        print_line(f"{name}: {path}")
