"""`landweave robustness`: how scores drop when a finished job's model gets worse input than it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    import numpy as np

    from landweave.assess.robustness import PixelPredictor
    from landweave.recipe.run import Job
    from landweave.types import Progress, SampleTable

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(robustness)


def robustness(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe file (YAML) of the job in --out.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the finished job.")],
    corruption: Annotated[
        list[str] | None, typer.Option(help="A corruption to try, several times for several; all by default.")
    ] = None,
    severity: Annotated[list[int] | None, typer.Option(min=1, max=3, help="1, 2 or 3; all by default.")] = None,
    other: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Job of another region or year whose samples are scored too.")
    ] = None,
    max_samples: Annotated[int, typer.Option(min=10, help="Samples that are drawn where there are more.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Another number, other chance.")] = 0,
) -> None:
    """Print a table of score drops under noise, blur, haze, cloud, stripes, gaps, missing dates and bands, and more.

    Scores are of samples that the model has not seen: those held out where the recipe holds some out, else every sample by a
    model of the spatial folds. Writes robustness.json.

        landweave robustness recipe.yaml --out out/ --corruption cloud --corruption haze
    """
    import numpy as np

    from landweave.assess.robustness import assess_robustness
    from landweave.errors import AssessmentError
    from landweave.io.files import write_json
    from landweave.recipe import read_recipe
    from landweave.recipe.run import Job, load_job_pixel_model, open_job_cube

    job = Job(read_recipe(recipe), out, command="landweave robustness")
    cubes = open_job_cube(job)
    if cubes is None:
        raise AssessmentError(f"{recipe} has no imagery to corrupt; the robustness table needs a cube")
    rng = np.random.default_rng(seed)
    with progress_bars() as progress:
        model, samples, who = _unseen(job, max_samples, rng, progress)
        others = {folder.name: _read(folder) for folder in other or []}
        found = assess_robustness(
            model, cubes, samples, corruptions=corruption or None, severities=severity or (1, 2, 3), rng=rng, others=others,
            others_model=load_job_pixel_model(job) if others else None, progress=progress,
        )  # fmt: skip
    found = found.model_copy(update={"note": f"{who} {found.note}"})
    table = found.to_table()
    print_table(table.title, table.columns, table.rows, right=range(1, len(table.columns)), note=table.note)
    write_json(out / "robustness.json", found.model_dump(mode="json"))
    print_line(f"robustness: {out / 'robustness.json'}")


def _read(folder: Path) -> SampleTable:
    from landweave.errors import SampleError
    from landweave.io.tables import read_samples

    path = folder / "samples.parquet"
    if not path.exists():
        raise SampleError(f"{path} does not exist; run the job first (`landweave run RECIPE --out {folder}`)")
    return read_samples(path)


def _unseen(
    job: Job, most: int, rng: np.random.Generator, progress: Progress | None
) -> tuple[PixelPredictor, SampleTable, str]:
    """Give a model, samples it has not seen, and a sentence that says which."""
    import numpy as np

    from landweave.assess.held_out_models import train_held_out
    from landweave.recipe.run import find_split, load_job_pixel_model, split_held_out
    from landweave.samples import split_spatial

    samples, model = _read(job.folder), load_job_pixel_model(job)
    training, held_out = split_held_out(job, samples)
    if held_out is not None:
        rows = np.sort(rng.permutation(len(held_out))[:most])
        return model, held_out.select(rows), f"{len(rows)} samples held out of training."
    options = job.recipe.model
    if options.name == "auto":
        options = options.model_copy(update={"name": model.card.model, "params": model.card.params})
    drawn = rng.permutation(len(training))[:most]
    folds = split_spatial(training, find_split(job, training))[0]
    folds = [replace(fold, test=np.intersect1d(fold.test, drawn)) for fold in folds]
    models = train_held_out(training, folds, options=options, progress=progress)
    said = f"{len(models.rows)} samples, each by a model of spatial folds that had not seen it."
    return models, training.select(models.rows), said
