"""Gradient boosting on oblivious trees (Prokhorenkova et al. 2018, arXiv:1706.09516): fitted by catboost, predicted by us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.models.engines import Engine, Weights, register_engine
from landweave.models.oblivious import ObliviousTrees
from landweave.models.registry import ClassWeight, ModelFamily, register_model

FILE = "model.cbm"
DEFAULTS = {"iterations": 200, "learning_rate": 0.15, "depth": 6, "l2_leaf_reg": 3.0, "rsm": None, "border_count": 64}
TRIED = 20
"""Features tried per split where `rsm` is None: training time grows with them, the scores on long series do not."""
THREADS = 2
"""Training threads; fixed, as the order in which catboost adds up may depend on it."""


@dataclass(frozen=True)
class CatboostEngine:
    """A fitted catboost model: its trees as arrays, and the .cbm file for other tools."""

    kind: ClassVar[str] = "catboost"
    content: bytes = field(repr=False)
    trees: ObliviousTrees = field(repr=False)

    @classmethod
    def from_weights(cls, weights: Weights) -> CatboostEngine:
        """Build from the arrays and the content of a .cbm file; catboost itself is not needed."""
        return cls(weights.blobs[FILE], ObliviousTrees.from_arrays(weights.arrays))

    def to_weights(self) -> Weights:
        """Give the arrays and the content of the .cbm file."""
        return Weights(self.trees.to_arrays(), {FILE: self.content})

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give softmax probabilities (pixel, class); the first maximum is the class that catboost gives."""
        from landweave.models.oblivious_kernels import softmax

        scores = self.trees.sum_leaves(features)
        softmax(scores)
        return scores

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column with the highest score, the first one among equals, as catboost does."""
        return np.asarray(self.trees.sum_leaves(features).argmax(axis=1))


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier; class weights reach it as row weights."""
    from catboost import CatBoostClassifier

    share = min(1.0, TRIED / n_features) if params["rsm"] is None else params["rsm"]
    # one objective for any number of classes, so that a column stands for every class
    return CatBoostClassifier(
        **{**params, "rsm": share}, loss_function="MultiClass", random_seed=seed, thread_count=THREADS, verbose=False,
        allow_writing_files=False,
    )  # fmt: skip


def export(estimator: Any) -> Engine:
    """Take over the model as catboost's own file holds it, and its trees as catboost describes them."""
    with TemporaryDirectory() as folder:
        binary, described = Path(folder) / FILE, Path(folder) / "model.json"
        estimator.save_model(str(binary), format="cbm")
        estimator.save_model(str(described), format="json")
        trees = ObliviousTrees.from_catboost(json.loads(described.read_bytes()), estimator.n_features_in_)
        return CatboostEngine(binary.read_bytes(), trees)


register_engine("catboost", CatboostEngine.from_weights)
register_model(ModelFamily(
    name="catboost", title="Gradient boosting (catboost)", make=make, export=export, defaults=DEFAULTS, handles_nan=True,
    weights_classes_by_row=True, fit_cost="high", predict_cost="low", source="Prokhorenkova et al. 2018, arXiv:1706.09516",
))  # fmt: skip
