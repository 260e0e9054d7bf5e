"""The commands about labels: check them, propose places to label next, and train again with the answers."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, print_warning, progress_bars

if TYPE_CHECKING:
    from landweave.models import PixelModel
    from landweave.types import CubeSet, SampleTable

SamplesPath = Annotated[Path, typer.Argument(metavar="SAMPLES", help="samples.parquet, as `landweave samples` writes it.")]
ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Model folder.")]
CubePath = Annotated[Path, typer.Argument(metavar="CUBE", help="cube.zarr, as `landweave cube` writes it.")]
SeasonStart = Annotated[str | None, typer.Option("--season", help="Start date of the season, for a model trained on seasons.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (labels, propose, refit):
        app.command()(command)


def labels(
    samples: SamplesPath,
    check: Annotated[
        list[str] | None, typer.Option(help="confident, som, neighbours, outliers, conflicts; all by default. Repeat.")
    ] = None,
    model: Annotated[str, typer.Option(help="Family of models whose folds judge the labels.")] = "random-forest",
    folds: Annotated[int, typer.Option(min=2, help="Spatial folds.")] = 5,
    block_size_m: Annotated[float | None, typer.Option(min=0, help="Side of their blocks in metres.")] = None,
    min_votes: Annotated[int, typer.Option(min=1, help="Checks that must suspect a row before it is cleaned.")] = 2,
    report: Annotated[Path | None, typer.Option("--out", "-o", metavar="CSV", help="List the suspect rows here.")] = None,
    clean: Annotated[str | None, typer.Option(help="drop, weight or relabel the suspect rows; needs --cleaned.")] = None,
    cleaned: Annotated[Path | None, typer.Option(metavar="PARQUET", help="Where the cleaned samples go.")] = None,
) -> None:
    """Look for wrong labels: by a model that has not seen them, by series that look alike, by places labelled twice.

    landweave labels out/samples.parquet --out suspects.csv

    landweave labels out/samples.parquet --clean drop --cleaned clean.parquet
    """
    from landweave.errors import SampleError
    from landweave.io.files import write_text
    from landweave.io.tables import read_samples, write_samples
    from landweave.label import CheckOptions, check_labels, clean_samples
    from landweave.models import ModelOptions
    from landweave.samples import SplitOptions

    if (clean is None) != (cleaned is None):
        raise SampleError(f"--clean is {clean} and --cleaned {cleaned}; give both, or neither")
    table = read_samples(samples)
    given = {"methods": tuple(check)} if check else {}
    options = CheckOptions.model_validate({**given, "model": ModelOptions(name=model),
                                           "split": SplitOptions(n_folds=folds, block_size_m=block_size_m)})  # fmt: skip
    with progress_bars() as progress:
        found = check_labels(table, options=options, progress=progress)
    print_table(f"Labels of {len(table)} rows", ("check", "judged", "suspect", "how"), found.to_rows(), right=(1, 2))
    listed = found.to_table(table)
    print_line(f"{len(listed)} rows are suspected by at least one check, {int((found.votes > 1).sum())} by two or more")
    if report is not None:
        write_text(report, listed.to_csv(index=False, lineterminator="\n"))
        print_line(f"suspects: {report}")
    if clean is not None and cleaned is not None:
        joined = found.combine(min_votes=min(min_votes, len(found.findings)))
        done = clean_samples(table, joined, action=clean)  # type: ignore[arg-type]  # checked there, with the known actions
        write_samples(done.samples, cleaned)
        print_line(f"{len(done.changes)} rows changed ({clean}): {cleaned}")
        if done.n_spared:
            print_warning(f"{done.n_spared} suspect rows were left: more than half of their class would have been changed")


def propose(
    model: ModelFolder,
    cube: CubePath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="places.gpkg or places.csv, to be filled in.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Places.")] = 50,
    strategy: Annotated[str, typer.Option(help="margin, entropy, least-confident, committee or random.")] = "margin",
    diversity: Annotated[str, typer.Option(help="cluster (unlike each other), density (typical), or none.")] = "cluster",
    min_distance_m: Annotated[float, typer.Option(min=0, help="Least distance between places, and to --samples.")] = 0,
    samples: Annotated[Path | None, typer.Option(metavar="PARQUET", help="Samples so far, to keep away from.")] = None,
    committee: Annotated[list[Path] | None, typer.Option(metavar="MODEL_DIR", help="More models to compare. Repeat.")] = None,
    candidates: Annotated[int, typer.Option(min=10, help="Pixels drawn at random that are looked at.")] = 10_000,
    season: SeasonStart = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
) -> None:
    """Propose places whose labels would teach a model most. Label them (QGIS, spreadsheet), then `landweave refit`.

    landweave propose out/model out/cube.zarr --n 50 --strategy margin --out places.gpkg
    """
    from landweave.io.tables import read_samples
    from landweave.label import ProposeOptions, export_places, propose_places
    from landweave.models import load_pixel_model

    fitted = load_pixel_model(model)
    cubes = _open_season(fitted, cube, season)
    options = ProposeOptions.model_validate({
        "n": n, "strategy": strategy, "diversity": diversity, "min_distance_m": min_distance_m, "n_candidates": candidates,
        "seed": seed,
    })  # fmt: skip
    known = read_samples(samples) if samples is not None else None
    with progress_bars() as progress:
        places = propose_places(
            fitted, cubes, options=options, labelled=known, committee=[load_pixel_model(p) for p in committee or []],
            season_start=date.fromisoformat(season) if season else None, progress=progress,
        )  # fmt: skip
    export_places(places, out)
    _print_places(places, out)


def _print_places(places: SampleTable, out: Path) -> None:
    print_line(f"{len(places)} places: {out}")
    print_line(f"fill in the column class with one of: {', '.join(places.legend.names)}")
    print_line("they are chosen for what they teach: do not estimate areas or accuracies from them")


def refit(
    model: ModelFolder,
    cube: CubePath,
    answers: Annotated[Path, typer.Argument(metavar="PLACES", help="The file of `landweave propose`, filled in.")],
    samples: Annotated[Path, typer.Option("--samples", metavar="PARQUET", help="What the model was trained on.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for model/ and samples.parquet.")],
) -> None:
    """Train a model again with places that were proposed and have been labelled.

    landweave refit out/model out/cube.zarr places.gpkg --samples out/samples.parquet --out round2/
    """
    from landweave.cube import open_cube
    from landweave.io.tables import read_samples, write_samples
    from landweave.label import import_answers, refit_model
    from landweave.models import load_pixel_model, save_model

    fitted = load_pixel_model(model)
    cubes = open_cube(cube)  # whole: each answer states the season that it stands for
    read = import_answers(answers, cubes, card=fitted.card)
    with progress_bars() as progress:
        done = refit_model(fitted, read_samples(samples), read, cubes, progress=progress)
    save_model(done.model, out / "model")
    write_samples(done.samples, out / "samples.parquet")
    counts = done.samples.frame["class"].value_counts()
    print_table(f"{done.n_new} labels added, {len(done.samples)} in all", ("class", "rows"),
                [(name, int(counts.get(name, 0))) for name in done.samples.legend.names], right=(1,))  # fmt: skip
    print_line(f"model: {out / 'model'}")


def _open_season(model: PixelModel, path: Path, season: str | None) -> CubeSet:
    from landweave.cube import open_cube, select_season
    from landweave.errors import ModelError
    from landweave.models import check_inputs

    cubes = open_cube(path)
    wanted = next((i.season for i in model.card.inputs if i.season is not None), None)
    if wanted is not None:
        if season is None:
            raise ModelError(f"the model was trained on seasons that start on {wanted.start}; say which one, e.g. "
                             f"--season 2020-{wanted.start}")  # fmt: skip
        cubes = select_season(cubes, wanted, date.fromisoformat(season))
    for warning in check_inputs(model.card, cubes):
        print_warning(warning)
    return cubes
