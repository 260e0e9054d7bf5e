"""The recipe: one YAML file that says what goes into a map, checked before anything runs.

Receives a path; hands on a `Recipe`, whose parts are the options of the stages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from landweave.assess.options import AssessOptions
from landweave.cube import CubeOptions
from landweave.errors import LandweaveError, RecipeError
from landweave.imagery import SourceOptions
from landweave.legend import Legend, get_nomenclature
from landweave.maps import MapOptions
from landweave.models import ModelOptions, get_model
from landweave.recipe.reading import describe_errors, find_missing, load_yaml, resolve_paths
from landweave.samples import SampleOptions, SplitOptions
from landweave.types import Options, Season

__all__ = ["ClassOptions", "PublishedOptions", "Recipe", "read_recipe", "recipe_schema"]

_PATHS = {
    ("imagery", "*", "paths"): True,
    ("imagery", "*", "table"): False,
    ("imagery", "*", "layer_dates"): False,
    ("imagery", "*", "catalogue", "url"): False,
    ("imagery", "*", "catalogue", "aoi"): False,
    ("cube", "like"): False,
    ("cube", "place", "distances", "*"): False,
    ("samples", "reference"): False,
    ("samples", "series"): False,
    ("reference", "reference"): False,
    ("reference", "series"): False,
    ("split", "regions"): False,
}
"""Where paths stand in a recipe -> whether a list may stand there; relative ones are meant from the recipe's folder."""

_FOLDERS: dict[tuple[str, ...], bool] = {
    ("imagery", "*", "catalogue", "cache"): False, ("imagery", "*", "mask", "folder"): False,
    ("cube", "terrain", "folder"): False,
}  # fmt: skip
"""Folders that are made where they are missing."""


class ClassOptions(Options):
    """One class of the legend."""

    code: int = Field(ge=0, le=65533, description="value in the map")
    name: str = Field(min_length=1, description="label for people and tables")
    color: str | None = Field(None, pattern=r"^#[0-9a-fA-F]{6}$", description="'#rrggbb'; one of a palette by default")
    parent: str | None = Field(None, description="class above it in the hierarchy")
    definition: str = Field("", description="what the class means, in a sentence")


class PublishedOptions(Options):
    """A published result on the same samples, and the protocol to repeat with our model."""

    name: str = Field(min_length=1, description="what it is called in the report")
    source: str = Field("", description="where the figures come from")
    users: dict[str, float] = Field(description="published user's accuracy per class, 0..1")
    producers: dict[str, float] = Field(description="published producer's accuracy per class, 0..1")
    train_share: float = Field(gt=0, lt=1, description="share of each class's rows that a resample trains on; the rest tests")
    n_resamples: int = Field(100, ge=1, le=10_000, description="random resamples")

    @model_validator(mode="after")
    def _check_classes(self) -> PublishedOptions:
        if set(self.users) != set(self.producers) or not self.users:
            odd = sorted(set(self.users) ^ set(self.producers))
            raise ValueError(f"users and producers must name the same classes; {', '.join(odd) or 'none'} stands in one only")
        wrong = [v for v in (*self.users.values(), *self.producers.values()) if not 0 <= v <= 1]
        if wrong:
            raise ValueError(f"accuracy {wrong[0]} is not a share; give 0..1")
        return self

    @property
    def macro_f1(self) -> float:
        """Mean over the classes of the harmonic mean of user's and producer's accuracy."""
        pairs = [(self.users[name], self.producers[name]) for name in self.users]
        return sum(2 * u * p / (u + p) if u + p else 0.0 for u, p in pairs) / len(pairs)


class Recipe(Options):
    """What goes into a map and how it is judged; every part but `name` and `samples` has defaults."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="short name, used for files and the STAC item")
    title: str = Field("", description="title of the report; the name by default")
    attribution: str = Field("", description="whose data these are, as the report and the STAC item say it")
    licence: str = Field("unspecified", description="licence of the map and the model, as an SPDX name")
    legend: str | tuple[ClassOptions, ...] | None = Field(
        None, description="classes, or a nomenclature by name (`landweave nomenclatures`); by default the samples' labels"
    )
    season: Season | None = Field(None, description="window of a model that sees time, for samples of several years")
    imagery: dict[str, SourceOptions] = Field(default_factory=dict, description="sources by name; one is usually called `main`")
    write_cube: bool = Field(True, description="write cube.zarr; false reads the scenes anew for the samples and for the map")
    cube: CubeOptions = Field(default_factory=CubeOptions, description="the grid and how scenes are brought onto it")
    samples: SampleOptions = Field(description="labelled places that the model is trained on")
    reference: SampleOptions | None = Field(None, description="labelled places of higher quality that the map is judged on")
    split: SplitOptions = Field(default_factory=SplitOptions, description="folds of the cross-validation")
    model: ModelOptions = Field(default_factory=ModelOptions, description="the model and its parameters")
    published: PublishedOptions | None = Field(None, description="a published result to repeat and compare with, in macro-F1")
    map: MapOptions = Field(default_factory=MapOptions, description="what is written for the map")
    assess: AssessOptions = Field(default_factory=AssessOptions, description="how the map is judged")

    @field_validator("legend")
    @classmethod
    def _legend_exists(cls, value: Any) -> Any:
        try:
            _make_legend(value)
        except LandweaveError as err:
            raise ValueError(str(err)) from err
        return value

    @field_validator("model")
    @classmethod
    def _model_exists(cls, value: ModelOptions) -> ModelOptions:
        try:
            for name in value.candidates if value.name == "auto" else (value.name,):
                get_model(name).complete(value.params if value.name != "auto" else {})
        except LandweaveError as err:
            raise ValueError(str(err)) from err
        return value

    @model_validator(mode="after")
    def _has_data(self) -> Recipe:
        if not self.imagery and self.samples.series is None:
            raise ValueError("recipe has neither `imagery` nor `samples.series`: there is nothing to learn from; give one")
        return self

    def make_legend(self) -> Legend | None:
        """Give the legend as stated; None where the labels of the samples make it."""
        return _make_legend(self.legend)


def _make_legend(value: str | tuple[ClassOptions, ...] | None) -> Legend | None:
    if value is None:
        return None
    if isinstance(value, str):
        return get_nomenclature(value).legend
    return Legend.from_dicts([c.model_dump() for c in value])


def read_recipe(path: Path | str) -> Recipe:
    """Read and check a recipe.

    Relative paths in it are meant from its own folder. The files that it names must be there; `landweave plan` opens them all.

    Raises:
        RecipeError: With one line per mistake: file, line, key, value, what is allowed.
    """
    at = Path(path)
    values, lines = load_yaml(at)
    values = resolve_paths(values, at.absolute().parent, {**_PATHS, **_FOLDERS})
    recipe = check_recipe(values, source=at, lines=lines)
    missing = find_missing(values, at, _PATHS, lines)
    if missing:
        raise RecipeError("\n".join(missing))
    return recipe


def check_recipe(values: dict[str, Any], *, source: Path | str, lines: dict[tuple[str | int, ...], int]) -> Recipe:
    """Check plain values against the recipe's schema.

    Args:
        values: With absolute paths.
        source: Named in errors.
        lines: Line of each location, where known.

    Raises:
        RecipeError: With one line per mistake.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as err:
        raise RecipeError(describe_errors(err, Recipe, source, lines)) from err


def recipe_schema() -> str:
    """Give the JSON schema of a recipe, for editors that complete YAML by it."""
    schema = Recipe.model_json_schema()
    pair = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2, "description": "[from_day, to_day)"}
    schema["$defs"]["SeasonStep"] = {"anyOf": [pair, schema["$defs"]["SeasonStep"]]}  # as the pair that people write
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Landweave recipe"}
    return json.dumps(schema, indent=2)
