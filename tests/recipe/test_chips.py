"""Recipes whose model sees chips."""

from __future__ import annotations

import pytest

from landweave.errors import ModelError, RecipeError
from landweave.models import ModelOptions
from landweave.recipe.chips import ChipStage, uses_chips
from landweave.recipe.document import PublishedOptions, Recipe
from landweave.samples import SampleOptions


def recipe_of(**changes) -> Recipe:
    values = {"name": "made", "samples": SampleOptions(series="series.npz"), "model": ModelOptions(name="unet"), **changes}
    return Recipe(**values)


@pytest.mark.parametrize(("name", "expected"), [("unet", True), ("segformer", True), ("random-forest", False), ("auto", False)])
def test_networks_for_images_use_chips(name, expected):
    assert uses_chips(ModelOptions(name=name)) is expected


def test_chips_need_imagery():
    with pytest.raises(RecipeError, match="model unet is trained on chips, and the recipe has no `imagery` to cut them from"):
        ChipStage(recipe_of(), None, None)


@pytest.mark.parametrize("key", ["conformal", "applicability"])
def test_what_is_fitted_on_rows_is_refused(key):
    asked = recipe_of(model=ModelOptions(name="unet", **{key: True}))
    with pytest.raises(ModelError, match=f"model.{key} is fitted on rows of features, which unet does not see"):
        ChipStage(asked, object(), None)


def test_published_protocols_of_many_trainings_are_refused():
    published = PublishedOptions(name="theirs", users={"a": 1.0}, producers={"a": 1.0}, train_share=0.5)
    with pytest.raises(RecipeError, match="repeats 100 resamples, each of which would train unet anew"):
        ChipStage(recipe_of(published=published), object(), None)


def test_unknown_parameter_of_a_network_is_a_mistake_of_the_recipe():
    with pytest.raises(ValueError, match="unet has no parameter 'epoch'; did you mean 'epochs'"):
        recipe_of(model=ModelOptions(name="unet", params={"epoch": 3}))
