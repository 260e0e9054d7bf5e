"""The model stage of a recipe whose model sees chips: the same folds, scores and files as for per-pixel models.

Receives the samples and the cube of a `Job`; hands on the trained network and what its folds predicted. Scores are honest in
the same way as those of per-pixel models: a fold's test rows, and labels that lie nearer to them, are no labels in training.
Random folds leave labels next to test rows in, and so flatter a network at least as much as a forest; spatial folds do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError, RecipeError
from landweave.grid import metres_per_pixel
from landweave.models import ModelOptions, get_model
from landweave.types import CubeSet, Fold, Predictor, Progress, SampleTable, coarsen_footprint

if TYPE_CHECKING:
    from landweave.models.chip_model import ChipModel
    from landweave.models.deep.chip_samples import ChipScenes
    from landweave.models.deep.labels import LabelGrid
    from landweave.recipe.document import Recipe

__all__ = ["ChipStage", "uses_chips"]

_ROWS_ONLY = ("calibration", "conformal", "applicability")


def uses_chips(options: ModelOptions) -> bool:
    """Tell whether a recipe's model is trained on chips."""
    return options.name != "auto" and get_model(options.name).uses == "chips"


class ChipStage:
    """Trains and judges an image network on the samples of a recipe."""

    def __init__(self, recipe: Recipe, cubes: CubeSet | None, samples: SampleTable) -> None:
        """Take the recipe, its cube and all its training rows.

        Raises:
            RecipeError: If there is no imagery to cut chips from.
            ModelError: If the recipe asks of the network what only per-pixel models have.
        """
        from landweave.models.deep import load_deep

        name = recipe.model.name
        if cubes is None:
            raise RecipeError(f"model {name} is trained on chips, and the recipe has no `imagery` to cut them from; add it, or "
                              "take a model for series such as ltae")  # fmt: skip
        asked = [key for key in _ROWS_ONLY if getattr(recipe.model, key)]
        if asked:
            raise ModelError(f"model.{asked[0]} is fitted on rows of features, which {name} does not see; leave it out, or "
                             "take a per-pixel model")  # fmt: skip
        if recipe.published is not None:
            raise RecipeError(f"published {recipe.published.name!r} repeats {recipe.published.n_resamples} resamples, each of "
                              f"which would train {name} anew; leave `published` out, or take a per-pixel model")  # fmt: skip
        self._options = recipe.model
        self._deep = load_deep("chip_samples", f"training {name}")
        dense = _dense_labels(recipe, cubes, samples) if recipe.model.params.get("all_labels") else None
        self._scenes: ChipScenes = self._deep.make_scenes(samples, cubes, season=recipe.season, dense=dense)

    def train(
        self, samples: SampleTable, *, others: SampleTable | None, progress: Progress | None, no_locations: bool = False,
        **card: Any,
    ) -> ChipModel:  # fmt: skip
        """Train on rows, and on none of `others`; `card` holds licence, lineage and metrics."""
        setting = load_setting(progress=progress, **card)
        model: ChipModel = self._deep.train_samples(
            samples, self._scenes, options=self._options, setting=setting, others=others
        ).model
        if no_locations and model.card.footprint is not None:
            footprint = coarsen_footprint(model.card.footprint)
            model = replace(model, card=model.card.model_copy(update={"footprint": footprint}))
        return model

    def cross_validate(
        self, samples: SampleTable, repeats: Sequence[Sequence[Fold]], progress: Progress | None
    ) -> NDArray[np.int16]:
        """Give the class_index (repeat, row) that the folds predicted."""
        made: NDArray[np.int16] = self._deep.cross_validate_chips(
            samples, repeats, self._scenes, options=self._options, progress=progress
        ).predicted
        return made

    def predict(self, model: Predictor, samples: SampleTable) -> NDArray[np.int64]:
        """Give the class_index of rows as the map has it, -1 where it is nodata."""
        proba = self._deep.predict_rows(model, samples, self._scenes)
        known = ~np.isnan(proba[:, 0])
        return np.where(known, np.where(known[:, None], proba, 0).argmax(axis=1), -1)


def load_setting(**fields: Any) -> Any:
    """Make a `ChipTraining` without importing torch at the top."""
    from landweave.models.deep.train_chips import ChipTraining

    return ChipTraining(**fields)


def _dense_labels(recipe: Recipe, cubes: CubeSet, samples: SampleTable) -> LabelGrid:
    """Put every label of the reference file on the grid, not only the rows drawn from it; none at a reference sample."""
    from landweave.models.deep.labels import labels_from_reference, labels_from_samples, mask_near
    from landweave.samples import import_reference

    if recipe.season is not None:
        raise RecipeError("all_labels has no use with a season, whose labels are of several years on one place; leave it out")
    labels = labels_from_reference(recipe.samples, cubes.geobox, legend=samples.legend)
    if recipe.reference is None or recipe.assess.allow_training_rows:
        return labels
    reference = import_reference(recipe.reference, legend=samples.legend, geobox=cubes.geobox)
    buffer_px = int(np.ceil(recipe.assess.buffer_m / min(metres_per_pixel(cubes.geobox))))
    return labels.keep(~mask_near(labels_from_samples(reference, cubes.geobox).index >= 0, buffer_px))
