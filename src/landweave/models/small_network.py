"""The engine of distilled models: a small perceptron by a kernel of our own, with the ONNX file that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.engines import Weights, register_engine
from landweave.models.onnx_engine import OnnxEngine, check_finite

__all__ = ["SmallNetworkEngine"]

TOLERANCE = 1e-4
"""Largest difference of a probability between the kernel and the ONNX file."""
Floats = NDArray[np.float32]
_ARRAYS = ("mean", "scale", "sizes", "weights", "biases")


@dataclass(frozen=True)
class SmallNetworkEngine:
    """Standardised features through layers of rectified units to a softmax, in single precision.

    Attributes:
        content: The same network as an ONNX file, for other software and other runtimes.
        mean: Subtracted from each feature.
        scale: Each feature is divided by it.
        sizes: Number of features, of the units of each hidden layer, and of columns.
        weights: Those of each layer (unit, input) in C order, one after the other.
        biases: Likewise.
    """

    kind: ClassVar[str] = "small-network"
    content: bytes
    mean: Floats
    scale: Floats
    sizes: NDArray[np.int64]
    weights: Floats
    biases: Floats

    @classmethod
    def from_layers(
        cls, content: bytes, mean: Floats, scale: Floats, layers: Sequence[tuple[Floats, Floats]]
    ) -> SmallNetworkEngine:  # fmt: skip
        """Build from the network's layers, (weights (unit, input), biases) each."""
        return cls(
            content, np.asarray(mean, dtype=np.float32), np.asarray(scale, dtype=np.float32),
            np.array([len(mean), *(len(b) for _, b in layers)], dtype=np.int64),
            np.concatenate([np.asarray(w, dtype=np.float32).ravel() for w, _ in layers]),
            np.concatenate([np.asarray(b, dtype=np.float32) for _, b in layers]),
        )  # fmt: skip

    @property
    def as_onnx(self) -> OnnxEngine:
        """The engine that computes the ONNX file."""
        return OnnxEngine(self.content, int(self.sizes[-1]))

    def check(self, features: Floats) -> None:
        """Compare the kernel with the ONNX file on some rows.

        Raises:
            ModelError: If the file is another network, or a probability differs by more than 1e-4.
        """
        onnx = self.as_onnx
        onnx.check()
        worst = float(np.abs(self.predict_proba(features) - onnx.predict_proba(features)).max(initial=0.0))
        if worst > TOLERANCE:
            raise ModelError(f"the network's kernel and its ONNX file differ by {worst:.2g} in a probability, more than "
                             f"{TOLERANCE:g}; this is a bug of ours, please report it")  # fmt: skip

    def predict_proba(self, features: Floats) -> NDArray[np.float64]:
        """Give probabilities (row, column) of features (row, feature).

        Raises:
            ModelError: If the network gives something that is not finite.
        """
        from landweave.models.oblivious_kernels import softmax

        proba = self._find_logits(features).astype(np.float64)
        check_finite(proba, features)
        softmax(proba)
        return proba

    def predict_column(self, features: Floats) -> NDArray[np.int64]:
        """Give the column of the most probable class of each row; the first one where several are equal.

        Raises:
            ModelError: As `predict_proba`.
        """
        from landweave.models.dense_kernels import find_first_best

        logits, best = self._find_logits(features), np.empty(len(features), dtype=np.int64)
        if not find_first_best(logits, best):
            check_finite(logits, features)
        return best

    def _find_logits(self, features: Floats) -> Floats:
        from landweave.models.small_network_kernels import find_logits

        logits = np.empty((len(features), int(self.sizes[-1])), dtype=np.float32)
        rows = np.ascontiguousarray(features, dtype=np.float32)
        find_logits(rows, self.mean, self.scale, self.sizes, self.weights, self.biases, logits)
        return logits

    def to_weights(self) -> Weights:
        """Give the arrays and the ONNX file."""
        return Weights({name: getattr(self, name) for name in _ARRAYS}, {"model.onnx": self.content})

    @classmethod
    def from_weights(cls, weights: Weights) -> SmallNetworkEngine:
        """Build from what `to_weights` gave."""
        arrays: dict[str, Any] = {name: weights.arrays[name] for name in _ARRAYS}
        return cls(weights.blobs["model.onnx"], **arrays)


register_engine("small-network", SmallNetworkEngine.from_weights)
