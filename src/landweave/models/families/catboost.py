"""Gradient boosting on oblivious trees (Prokhorenkova et al. 2018, arXiv:1706.09516), in catboost's own file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.models.engines import Engine, Weights, register_engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

FILE = "model.cbm"
DEFAULTS = {"iterations": 200, "learning_rate": 0.15, "depth": 6, "l2_leaf_reg": 3.0, "rsm": None, "border_count": 64}
TRIED = 20
"""Features tried per split where `rsm` is None: training time grows with them, the scores on long series do not."""
THREADS = 2
"""Training threads; fixed, as the order in which catboost adds up may depend on it."""


@dataclass(frozen=True)
class CatboostEngine:
    """A fitted catboost model."""

    kind: ClassVar[str] = "catboost"
    content: bytes
    model: Any = field(repr=False, compare=False)

    @classmethod
    def from_weights(cls, weights: Weights) -> CatboostEngine:
        """Build from the content of a .cbm file."""
        from catboost import CatBoostClassifier

        content = weights.blobs[FILE]
        return cls(content, CatBoostClassifier().load_model(blob=content))

    def to_weights(self) -> Weights:
        """Give the content of the .cbm file."""
        return Weights(blobs={FILE: self.content})

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give softmax probabilities (pixel, class)."""
        return np.asarray(self.model.predict_proba(features, thread_count=1))

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the most probable column."""
        return np.asarray(self.predict_proba(features).argmax(axis=1))


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
    """Take over the model as catboost's own file holds it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        estimator.save_model(str(path), format="cbm")
        return CatboostEngine.from_weights(Weights(blobs={FILE: path.read_bytes()}))


register_engine("catboost", CatboostEngine.from_weights)
register_model(ModelFamily(
    name="catboost", title="Gradient boosting (catboost)", make=make, export=export, defaults=DEFAULTS, handles_nan=True,
    weights_classes_by_row=True, fit_cost="high", predict_cost="low", source="Prokhorenkova et al. 2018, arXiv:1706.09516",
))  # fmt: skip
