"""The engine of networks that look at one row of features at a time: those for series.

The network's file has one input `features`, float32 (row, feature) as `inputs.prepare_features` gives them, and one output
`proba`, float32 (row, column); rows may be any number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.engines import Weights, register_engine
from landweave.models.sessions import ONNXRUNTIME, Runtime, TensorInfo, inspect_network, open_session

__all__ = ["OnnxEngine", "check_finite"]

BATCH = 1024
"""Rows computed at once, always: rounding may depend on the shape. The last rows of a call are filled up with zeros."""


@dataclass(frozen=True)
class OnnxEngine:
    """A network from features to probabilities, as the content of an ONNX file.

    Travels to other processes as bytes; each opens it once.

    Attributes:
        content: The file.
        n_columns: Columns of its output.
        runtime: What computes it.
    """

    kind: ClassVar[str] = "onnx"
    content: bytes
    n_columns: int
    runtime: Runtime = ONNXRUNTIME

    @cached_property
    def sha256(self) -> str:
        """Checksum of the file."""
        return hashlib.sha256(self.content).hexdigest()

    def check(self) -> None:
        """Check that the file is a network from features to probabilities.

        Raises:
            ModelError: If it cannot be read, or has other inputs or outputs; lists them.
        """
        network = inspect_network(self.content)
        has = f"inputs {_listed(network.inputs)} and outputs {_listed(network.outputs)}"
        if list(network.inputs) != ["features"] or "proba" not in network.outputs:
            raise ModelError(f"the network has {has}; one for rows of features has the input features and the output proba")
        found = (len(network.inputs["features"].shape), network.outputs["proba"].shape[-1:])
        if found[0] != 2 or found[1] not in ((self.n_columns,), (None,)):
            raise ModelError(f"the network has {has}; expected features (row, feature) and proba (row, {self.n_columns})")

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give probabilities (row, column) of features (row, feature); nothing is rounded beyond the network's float32.

        Raises:
            ModelError: If the network cannot take the features, or gives something that is not finite.
        """
        proba = np.empty((len(features), self.n_columns))
        for start, made in self._run(features):
            proba[start : start + len(made)] = made
        check_finite(proba, features)
        return proba

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column of the most probable class of each row; the first one where several are equal.

        Raises:
            ModelError: As `predict_proba`.
        """
        from landweave.models.dense_kernels import find_first_best

        best = np.empty(len(features), dtype=np.int64)
        for start, made in self._run(features):
            if not find_first_best(made, best[start : start + len(made)]):
                check_finite(made, features[start : start + len(made)])
        return best

    def _run(self, features: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give the first row of each batch and its probabilities (row, column); all batches have one shape."""
        session = open_session(self.content, self.runtime, sha256=self.sha256)
        batch = np.zeros((BATCH, features.shape[1]), dtype=np.float32)
        for start in range(0, len(features), BATCH):
            n = min(BATCH, len(features) - start)
            batch[:n], batch[n:] = features[start : start + n], 0
            made = session.run({"features": batch}, "proba")
            if made.shape != (BATCH, self.n_columns):
                raise ModelError(f"the network gave proba of shape {made.shape} for {BATCH} rows, expected {self.n_columns} "
                                 "columns; train the model again")  # fmt: skip
            yield start, made[:n]

    def to_weights(self) -> Weights:
        """Give what is needed to build the same engine again."""
        return Weights({"n_columns": np.array(self.n_columns)}, {"model.onnx": self.content})

    @classmethod
    def from_weights(cls, weights: Weights) -> OnnxEngine:
        """Build from what `to_weights` gave, after looking at the file.

        Raises:
            ModelError: If the file is no such network.
        """
        engine = cls(weights.blobs["model.onnx"], int(weights.arrays["n_columns"]))
        engine.check()
        return engine


def check_finite(proba: NDArray[np.floating[Any]], features: NDArray[np.float32]) -> None:
    """Check what a network gave (row, column) for features (row, feature).

    Raises:
        ModelError: If something is NaN or infinite; tells in how many rows and from what.
    """
    wrong = np.flatnonzero(~np.isfinite(proba).all(axis=1))
    if wrong.size:
        row = features[wrong[0]]
        span = "that hold NaN themselves" if np.isnan(row).any() else f"from {row.min():.4g} to {row.max():.4g}"
        raise ModelError(f"the network gave NaN or infinite probabilities in {wrong.size} of {len(proba)} rows, first for "
                         f"features {span}; train the model again with a lower learning rate, and check the cube's scale")


def _listed(tensors: Mapping[str, TensorInfo]) -> str:
    return ", ".join(f"{name} {info}" for name, info in tensors.items()) or "none"


register_engine("onnx", OnnxEngine.from_weights)
