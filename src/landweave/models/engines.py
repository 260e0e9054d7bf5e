"""What a fitted model is once training is over: arrays, and a function from features to probabilities.

An engine has no scikit-learn in it, so that a saved model does not depend on its version, and computes every pixel by
itself, so that the result depends neither on the batch nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError

__all__ = ["Engine", "Weights", "load_engine", "register_engine"]


@dataclass(frozen=True)
class Weights:
    """What an engine is stored as: plain arrays, and files of a library's own safe format.

    Attributes:
        arrays: Name -> array of numbers; stored as one npz.
        blobs: File name -> content.
    """

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)


class Engine(Protocol):
    """A fitted model, ready to predict."""

    @property
    def kind(self) -> str:
        """Name it is registered under; the card states it."""
        ...

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give probabilities (pixel, column) of features (pixel, feature); columns as in the estimator's `classes_`."""
        ...

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column of the most probable class of each pixel; the first one where several are equal."""
        ...

    def to_weights(self) -> Weights:
        """Give what is needed to build the same engine again."""
        ...


_loaders: dict[str, Callable[[Weights], Engine]] = {}
_homes = {
    "bayes-fusion": "landweave.models.bayes_fusion",
    "forest": "landweave.models.forest",
    "mean": "landweave.models.mean",
    "rotation-forest": "landweave.models.rotation_forest",
    "softmax": "landweave.models.dense",
    "centroid": "landweave.models.dense",
    "svm": "landweave.models.svm",
    "catboost": "landweave.models.families.catboost",
    "onnx": "landweave.models.onnx_engine",
    "small-network": "landweave.models.small_network",
}
"""Kinds of engine of this package; the module registers its loader when it is imported."""


def register_engine(kind: str, load: Callable[[Weights], Engine]) -> None:
    """Make a kind of engine known to `load_model`."""
    _loaders[kind] = load


def load_engine(kind: str, weights: Weights) -> Engine:
    """Build an engine from its weights.

    Raises:
        ModelError: If the kind is unknown, or the weights lack an array.
    """
    import importlib

    if kind not in _loaders and kind in _homes:
        importlib.import_module(_homes[kind])
    if kind not in _loaders:
        known = ", ".join(sorted({*_loaders, *_homes}))
        raise ModelError(f"model folder holds an engine of kind {kind!r}; this version of landweave knows {known}")
    try:
        return _loaders[kind](weights)
    except KeyError as err:
        raise ModelError(f"weights of the {kind} engine lack {err}; train the model again") from err
