"""`landweave tune`: search for the parameters of a recipe's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars
from landweave.cli.stages import DEFAULT_WORKERS, Memory, OutFolder, RecipePath, Workers

__all__ = ["register"]

_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tune)


def tune(
    recipe: RecipePath,
    out: OutFolder,
    minutes: Annotated[float, typer.Option(min=0.01, help="Time of all runs together, earlier ones included.")] = 10.0,
    space: Annotated[
        Path | None, typer.Option(metavar="YAML", help="Parameter: [a, b] or {low: , high: , log: , whole: }.")
    ] = None,
    max_runs: Annotated[int | None, typer.Option(min=1, help="Stop after this many runs.")] = None,
    metric: Annotated[str, typer.Option(help="macro_f1 or overall_accuracy.")] = "macro_f1",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 0,
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = "2GiB",
) -> None:  # fmt: skip
    """Search for the parameters of a recipe's model under its spatial folds, and write a recipe with the best ones.

    Every run is a cross-validation on the same folds; run 0 is the recipe as it is. Each family has a space of its own
    (forests, svm, catboost, series networks, ...), or write one:

        n_estimators: {low: 50, high: 400, whole: true}
        max_features: [sqrt, 0.3]
        learning_rate: {low: 0.0003, high: 0.01, log: true}

        landweave tune recipe.yaml --out tuned/ --minutes 10 --space space.yaml

    tuned/tune/ then holds runs.csv, best.yaml (`landweave run tuned/tune/best.yaml --out ...`) and model/, whose card keeps
    every run. A search that was stopped goes on with the same command; more --minutes prolong it.

    The best of many runs looks better than it is. Both the recipe's and the best parameters are therefore scored once more on
    spatial folds drawn anew: believe that line, and keep the recipe's where it does not gain.
    """
    from landweave.models.tuning import TuneOptions
    from landweave.recipe import read_recipe
    from landweave.recipe.run import Job
    from landweave.recipe.tune import tune_recipe

    wanted = {"minutes": minutes, "max_runs": max_runs, "metric": metric, "seed": seed}
    if metric not in ("macro_f1", "overall_accuracy"):
        raise typer.BadParameter(f"{metric!r} is not macro_f1 or overall_accuracy", param_hint="--metric")
    with progress_bars() as progress:
        job = Job(read_recipe(recipe), out, workers, memory, False, progress, "landweave tune")
        made = tune_recipe(job, space=space, tuning=TuneOptions.model_validate(wanted))
    runs = made.tuning.runs
    ranked = runs[runs["state"] == "done"].sort_values("score", ascending=False, kind="stable")
    rows = [(r["run"], f"{r['score']:.4f}", f"{r['seconds']:.1f}", _show(r["params"]))
            for r in ranked.head(_SHOWN).to_dict("records")]  # fmt: skip
    failed = int((runs["state"] == "failed").sum())
    print_table(f"Best of {len(runs)} runs, spatial folds", ("run", metric, "s", "parameters"), rows,
                right=(0, 1, 2), note=f"{failed} runs failed; runs.csv says why." if failed else "")  # fmt: skip
    print_line(f"on folds drawn anew: recipe {made.check['given']:.4f}, best {made.check['best']:.4f}")
    print_line(f"recipe: {made.recipe}\nmodel: {made.model}\nruns: {made.tuning.folder / 'runs.csv'}")


def _show(params: str) -> str:
    values = json.loads(params)
    if not values:
        return "as in the recipe"
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
