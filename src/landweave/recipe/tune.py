"""Tune the model of a recipe: its samples and spatial folds, a space, minutes; the best parameters as a new recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from landweave.errors import RecipeError
from landweave.io.files import lock_folder, sha256_file, write_text
from landweave.models import ModelOptions, cross_validate, save_model, train_model
from landweave.models.tuning import TuneOptions, Tuning, default_space, read_space, score_folds, tune_model
from landweave.recipe.chips import uses_chips
from landweave.recipe.reading import load_yaml
from landweave.recipe.run import Job, find_split, make_cube, make_samples, split_held_out
from landweave.samples import split_spatial

__all__ = ["TunedRecipe", "tune_recipe"]

_OTHER_FOLDS = 1_000_003
"""Added to the seed of the split: folds that the search did not see."""


@dataclass(frozen=True)
class TunedRecipe:
    """What tuning a recipe made.

    Attributes:
        tuning: Every run, and the best options.
        recipe: The recipe with the best parameters; its paths are absolute.
        model: Folder of the model trained with them; its card keeps every run.
        check: Score on spatial folds drawn anew: "given" and "best".
    """

    tuning: Tuning
    recipe: Path
    model: Path
    check: dict[str, float]


def tune_recipe(job: Job, *, space: Path | None = None, tuning: TuneOptions | None = None) -> TunedRecipe:
    """Search under the recipe's spatial folds, then score both the given and the best parameters on folds drawn anew.

    Rows that `split.holdout` sets aside take no part. Everything lies in the job's folder: cube and samples as in a run, and
    `tune/` with the journal, runs.csv, best.yaml and model/.

    Args:
        job: Recipe and folder.
        space: YAML file with the space; the family's own by default.
        tuning: Minutes, metric, seed.

    Raises:
        RecipeError: If the model is `auto` or sees chips.
        ModelError: As `tune_model`.
    """
    tuning = tuning or TuneOptions.model_validate({})
    options = job.recipe.model
    if options.name == "auto" or uses_chips(options):
        raise RecipeError(f"model.name is {options.name}; tuning needs one family that is trained on rows of features, such as "
                          "random-forest, svm, catboost or ltae")  # fmt: skip
    folder = job.folder / "tune"
    ranges = default_space(options.name) if space is None else read_space(load_yaml(space)[0], options.name)
    with lock_folder(job.folder):
        samples, _ = make_samples(job, make_cube(job))
        training, _ = split_held_out(job, samples)
        split = find_split(job, training)
        found = tune_model(training, split_spatial(training, split), folder, options=options, space=ranges, tuning=tuning,
                           n_jobs=job.workers, progress=job.progress)  # fmt: skip
        anew = split_spatial(training, split.model_copy(update={"seed": split.seed + _OTHER_FOLDS}))
        check: dict[str, float] = {}
        for name, one in (("given", options), ("best", found.options)):
            is_same = name == "best" and one == options
            check[name] = check["given"] if is_same else score_folds(
                cross_validate(training, anew, options=one, n_jobs=job.workers), tuning.metric)  # fmt: skip
        lineage = {"tuning": {**found.to_lineage(), "metric": tuning.metric, "folds_drawn_anew": check},
                   "samples_sha256": sha256_file(job.folder / "samples.parquet"), "recipe": job.recipe.name}  # fmt: skip
        model = train_model(training, options=found.options, licence=job.recipe.licence, lineage=lineage,
                            no_locations=job.recipe.assess.no_locations)  # fmt: skip
        at = save_model(model, folder / "model")
        best = folder / "best.yaml"
        write_text(best, _write_recipe(job, found.options))
    return TunedRecipe(found, best, at, check)


def _write_recipe(job: Job, options: ModelOptions) -> str:
    values: dict[str, Any] = job.recipe.model_dump(mode="json", exclude_unset=True)
    given: Mapping[str, Any] = values.get("model", {})
    values["model"] = {**given, "name": options.name, "params": dict(options.params)}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
