"""`landweave explain`: which bands, dates and inputs a recipe's model looks at, and what would change a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    import numpy as np

    from landweave.assess.explain import ClassChange, Explanation, ShapSummary
    from landweave.models import PixelModel
    from landweave.types import SampleTable

__all__ = ["register"]

_CURVES = 3
"""Features whose partial dependence is measured where none is named: of the most important bands, at the best date."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe file (YAML) whose run is explained.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the run; explain.json is written there.")],
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Permutations of each group in each fold.")] = 3,
    rows: Annotated[int, typer.Option(min=0, help="Samples for which the change of class is looked for.")] = 200,
    feature: Annotated[
        list[str] | None, typer.Option(help="Feature for partial dependence, e.g. ndvi_t03; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutations.")] = 0,
) -> None:
    """Say which bands, dates and inputs the model looks at, under spatial folds, and what would change a pixel's class.

    Forests and boosted trees get SHAP values as well. Needs samples.parquet and model/ of a run. Writes explain.json, which
    `landweave report` then shows, with pictures of partial dependence beside those of the classes' spectra and seasons.

        landweave explain recipe.yaml --out out/
    """
    import numpy as np

    from landweave.assess.explain import find_changes, measure_dependence, measure_importance
    from landweave.io.files import write_json
    from landweave.io.tables import read_samples
    from landweave.models import ModelOptions
    from landweave.recipe import read_recipe
    from landweave.recipe.run import Job, find_split, load_job_pixel_model, split_held_out
    from landweave.samples import split_spatial

    job = Job(read_recipe(recipe), out, 1, "2GiB", command="landweave explain")
    model = load_job_pixel_model(job)
    samples, _ = split_held_out(job, read_samples(out / "samples.parquet"))
    chosen = job.recipe.model
    if chosen.name == "auto":  # the family that won is told by the model alone
        chosen = ModelOptions.model_validate(model.card.lineage["options"])
    rng = np.random.default_rng(seed)
    with progress_bars() as progress:
        folds = split_spatial(samples, find_split(job, samples))[0]
        found = measure_importance(samples, folds, options=chosen, n_repeats=repeats, rng=rng, progress=progress)
    curves = [measure_dependence(model, samples, f, rng=rng) for f in feature or _telling(found, samples)]
    changes = find_changes(model, samples, _draw(samples, rows, rng))
    shap, why = _explain_trees(model, samples, _draw(samples, rows, rng))
    found = found.model_copy(update={"partial_dependence": curves, "changes": changes, "shap": shap, "shap_why": why})
    write_json(out / "explain.json", found.model_dump(mode="json"))
    _print(found, model)
    print_line(f"explain: {out / 'explain.json'}")


def _explain_trees(model: PixelModel, samples: SampleTable, rows: np.ndarray) -> tuple[ShapSummary | None, str | None]:
    """Give SHAP values, or why there are none: they are exact for trees only."""
    from landweave.assess.shapley import measure_shap
    from landweave.errors import ModelError

    if not len(rows):
        return None, "no rows were asked for (--rows 0)"
    try:
        return measure_shap(model, samples, rows), None
    except ModelError as err:
        return None, str(err)


def _draw(samples: SampleTable, n: int, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.choice(len(samples), min(n, len(samples)), replace=False)
    drawn.sort()
    return drawn


def _telling(found: Explanation, samples: SampleTable) -> list[str]:
    """Name a column of each of the most important bands: at the most important date that has the band."""
    from landweave.assess.explain import find_groups

    groups = find_groups(samples.inputs)
    dates = [g.name for g in found.importance if g.kind == "date"]
    bands = [g.name for g in found.importance if g.kind == "band"][:_CURVES]
    told = []
    for band in bands:
        own = set(groups["band", band].tolist())
        shared = (own & set(groups["date", d].tolist()) for d in dates)
        told.append(samples.feature_names[min(next((s for s in shared if s), own))])
    return told


def _print(found: Explanation, model: PixelModel) -> None:
    title = f"{model.card.title or model.card.model}: overall accuracy {found.overall_accuracy:.1%} at new places"
    rows = [(g.kind, g.name, f"{100 * g.drop:.2f}", "-" if g.se is None else f"{100 * g.se:.2f}", g.n_features)
            for g in found.importance]  # fmt: skip
    heads = ("group", "name", "drop, points", "se", "features")
    print_table(title, heads, rows, right=(2, 3, 4), note=found.importance_rule)
    if found.shap is not None:
        unit = "points of probability" if found.shap.unit == "probability" else "raw score"
        scale = 100 if found.shap.unit == "probability" else 1
        moved = [(g.kind, g.name, f"{scale * g.strength:.2f}", g.classes[0]) for g in found.shap.groups]
        print_table(f"SHAP values, {unit}", ("group", "name", "mean", "most on"), moved, right=(2,), note=found.shap.rule)
    elif found.shap_why is not None:
        print_line(f"No SHAP values: {found.shap_why}.")
    if found.changes:
        rows_of_class = [_change_row(name, found.changes) for name in found.classes]
        heads = ("predicted", "rows", "one group is enough", "most often", "becomes")
        print_table("What would change the class", heads, [r for r in rows_of_class if r[1]], right=(1, 2),
                    note=found.change_rule)  # fmt: skip


def _change_row(name: str, changes: list[ClassChange]) -> tuple[str, int, str, str, str]:
    from landweave.assess.dependence import summarise_changes

    for _, n, share, kind, group, becomes in summarise_changes(changes, [name]):
        return name, n, f"{share:.0%}", f"{kind} {group}".strip() or "-", becomes or "-"
    return name, 0, "-", "-", "-"
