"""The model families by name: what they are called, which parameters they take, how they are made and exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from landweave.errors import ModelError
from landweave.legend import suggest_name
from landweave.models.engines import Engine
from landweave.types import MissingPolicy, ModelInput

__all__ = ["ChipContext", "FitContext", "ModelFamily", "get_model", "list_models", "register_model"]

Cost = Literal["low", "medium", "high"]
ClassWeight = Literal["balanced"] | dict[int, float] | None


@dataclass(frozen=True)
class ChipContext:
    """What a network that sees chips is made for.

    Attributes:
        params: The family's parameters, completed.
        inputs: The cubes it reads, in order.
        ratios: Pixels of the finest grid that a pixel of each input spans.
        n_classes: Classes it tells apart.
    """

    params: Mapping[str, Any]
    inputs: tuple[ModelInput, ...]
    ratios: tuple[int, ...]
    n_classes: int


@dataclass(frozen=True)
class FitContext:
    """What an estimator that has to know its columns is made for.

    Attributes:
        params: The family's parameters, completed.
        inputs: How the feature columns are laid out.
        missing: What was done to gaps; with `mask` each step's values are followed by as many columns of 0 and 1.
        seed: Of everything random.
        class_weight: As for `make`.
        n_classes: Classes of the legend.
        parents: Number of the parent of each class_index, for hierarchical losses; empty where the legend has none.
    """

    params: Mapping[str, Any]
    inputs: tuple[ModelInput, ...]
    missing: MissingPolicy
    seed: int
    class_weight: ClassWeight
    n_classes: int
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelFamily:
    """One kind of model.

    Attributes:
        name: Registry name ("random-forest").
        title: For people.
        make: (params, n_features, seed, class_weight) -> unfitted scikit-learn classifier; class weights by class_index.
        make_for: Makes it where it has to know what the columns are (networks), and is used instead of `make`; its `fit` takes
            the keyword `groups`, the group of each row. None for the others.
        export: Fitted classifier -> engine that predicts from arrays alone.
        defaults: Parameters it takes with their defaults.
        handles_nan: Whether it can be trained and used with `missing: native`.
        weight_param: Name under which `fit` takes row weights; None where it takes none.
        weights_classes_by_row: Whether class weights are multiplied into the row weights rather than given to `make`.
        fit_cost: Time to train, roughly.
        predict_cost: Time to map, roughly.
        source: Where the method comes from.
        uses: What it is trained on: `features` (rows of a sample table) or `chips` (pieces of cubes with their labels).
        build: Makes the torch network of a family that uses chips (see `models.deep`); None for the others.
    """

    name: str
    title: str
    make: Callable[[Mapping[str, Any], int, int, ClassWeight], Any]
    export: Callable[[Any], Engine]
    defaults: Mapping[str, Any]
    handles_nan: bool = False
    weight_param: str | None = "sample_weight"
    weights_classes_by_row: bool = False
    fit_cost: Cost = "medium"
    predict_cost: Cost = "medium"
    source: str = ""
    uses: Literal["features", "chips"] = "features"
    build: Callable[[ChipContext], Any] | None = None
    make_for: Callable[[FitContext], Any] | None = None

    def complete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the defaults.

        Raises:
            ModelError: If a parameter is unknown; the message lists the known ones.
        """
        for name in params:
            if name not in self.defaults:
                near = suggest_name(name, self.defaults)
                hint = f"did you mean {near!r}? " if near else ""
                raise ModelError(f"{self.name} has no parameter {name!r}; {hint}it takes {', '.join(sorted(self.defaults))}")
        return {**self.defaults, **params}


_families: dict[str, ModelFamily] = {}
_homes = {
    "bayes-fusion": "bayes_fusion",
    "catboost": "catboost",
    "ensemble": "ensemble",
    "extra-trees": "extra_trees",
    "logistic-regression": "logistic_regression",
    "mlp": "mlp",
    "mlp-svm": "mlp_svm",
    "nearest-centroid": "nearest_centroid",
    "random-forest": "random_forest",
    "rotation-forest": "rotation_forest",
    "svm": "svm",
    "unet": "unet",
    "convlstm": "image_networks",
    "deeplab": "image_networks",
    "dual-unet": "image_networks",
    "fpn": "image_networks",
    "segformer": "image_networks",
    "unet-3d": "image_networks",
    "upernet": "image_networks",
    "utae": "image_networks",
    "revisits": "fusion_networks",
    "pretrained": "fusion_networks",
    "metadata-unet": "fusion_networks",
    "token-fusion": "fusion_networks",
    "vhr-series": "fusion_networks",
    "deep-mlp": "series_networks",
    "fusion": "series_networks",
    "gru": "series_networks",
    "inception-time": "series_networks",
    "lstm": "series_networks",
    "ltae": "series_networks",
    "resnet-1d": "series_networks",
    "tae": "series_networks",
    "tempcnn": "series_networks",
    "transformer": "series_networks",
}


def register_model(family: ModelFamily) -> None:
    """Make a family known; a family of the same name is replaced."""
    _families[family.name] = family


def get_model(name: str) -> ModelFamily:
    """Give the family of a name.

    Raises:
        ModelError: If there is none; the message lists what exists.
    """
    if name not in _families and name in _homes:
        import_module(f"landweave.models.families.{_homes[name]}")
    if name not in _families:
        near = suggest_name(name, {*_families, *_homes})
        hint = f"did you mean {near!r}? " if near else ""
        raise ModelError(f"no model named {name!r}; {hint}known models: {', '.join(sorted({*_families, *_homes}))}")
    return _families[name]


def list_models() -> list[ModelFamily]:
    """List the families by name."""
    return [get_model(name) for name in sorted({*_families, *_homes})]
