"""Engines of the models that are sums of products: logistic regression, the perceptron, nearest centroid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.models.engines import Weights, register_engine

__all__ = ["CentroidEngine", "Front", "SoftmaxEngine", "to_double"]

Floats = NDArray[np.float64]


def to_double(features: NDArray[Any]) -> Floats:
    """Give features as C-ordered float64, the one kind that the kernels are compiled for."""
    return np.ascontiguousarray(features, dtype=np.float64)


@dataclass(frozen=True)
class Front:
    """Standardisation and hidden layers, which the engines of this kind begin with.

    Attributes:
        mean: Subtracted from each feature.
        scale: Each feature is divided by it.
        sizes: Number of features, then of the units of each hidden layer.
        weights: Weights of the hidden layers, each (unit, input) in C order, one after the other.
        biases: Likewise.
        activation: Position in `dense_kernels.ACTIVATIONS`.
    """

    mean: Floats
    scale: Floats
    sizes: NDArray[np.int64]
    weights: Floats
    biases: Floats
    activation: int

    @classmethod
    def from_layers(
        cls, mean: Floats, scale: Floats, layers: Sequence[tuple[Floats, Floats]] = (), activation: str = "identity"
    ) -> Front:
        """Build from scikit-learn's layers: (weights (input, unit), biases) each."""
        from landweave.models.dense_kernels import ACTIVATIONS

        flat = [np.ascontiguousarray(w.T, dtype=np.float64).ravel() for w, _ in layers]
        biases = [np.asarray(b, dtype=np.float64) for _, b in layers]
        empty = np.zeros(0)
        return cls(
            np.asarray(mean, dtype=np.float64), np.asarray(scale, dtype=np.float64),
            np.array([len(mean), *(len(b) for b in biases)], dtype=np.int64),
            np.concatenate([empty, *flat]), np.concatenate([empty, *biases]), ACTIVATIONS.index(activation),
        )  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Any) -> Front:
        """Build from stored arrays."""
        mean, scale, sizes, weights, biases = (arrays[f"front_{n}"] for n in ("mean", "scale", "sizes", "weights", "biases"))
        return cls(mean, scale, sizes, weights, biases, int(arrays["front_activation"]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give the arrays under names that begin with `front_`."""
        names = ("mean", "scale", "sizes", "weights", "biases")
        return {**{f"front_{n}": getattr(self, n) for n in names}, "front_activation": np.array(self.activation)}

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments that every kernel begins with."""
        return self.mean, self.scale, self.sizes, self.weights, self.biases, self.activation


@dataclass(frozen=True)
class SoftmaxEngine:
    """An affine head with a softmax on a `Front`: logistic regression without hidden layers, else a perceptron."""

    kind: ClassVar[str] = "softmax"
    front: Front
    head: Floats
    bias: Floats

    @classmethod
    def from_head(cls, front: Front, head: Floats, bias: Floats) -> SoftmaxEngine:
        """Build from a head (output, unit); one output is the log-odds of the second of two classes."""
        if len(head) == 1:
            head, bias = np.vstack([np.zeros_like(head), head]), np.concatenate([[0.0], bias])
        return cls(front, np.ascontiguousarray(head, dtype=np.float64), np.asarray(bias, dtype=np.float64))

    @classmethod
    def from_weights(cls, weights: Weights) -> SoftmaxEngine:
        """Build from stored arrays."""
        return cls(Front.from_arrays(weights.arrays), weights.arrays["head"], weights.arrays["bias"])

    def to_weights(self) -> Weights:
        """Give the arrays."""
        return Weights({**self.front.to_arrays(), "head": self.head, "bias": self.bias})

    def predict_proba(self, features: NDArray[np.float32]) -> Floats:
        """Give softmax probabilities (pixel, class)."""
        from landweave.models import dense_kernels

        kernel: Any = dense_kernels.softmax_proba
        return np.asarray(kernel(to_double(features), *self.front.args, self.head, self.bias))

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the most probable column."""
        return np.asarray(self.predict_proba(features).argmax(axis=1))


@dataclass(frozen=True)
class CentroidEngine:
    """Softmax of the negative Euclidean distances to the class centroids, in standardised features."""

    kind: ClassVar[str] = "centroid"
    mean: Floats
    scale: Floats
    centroids: Floats

    @classmethod
    def from_weights(cls, weights: Weights) -> CentroidEngine:
        """Build from stored arrays."""
        return cls(weights.arrays["mean"], weights.arrays["scale"], weights.arrays["centroids"])

    def to_weights(self) -> Weights:
        """Give the arrays."""
        return Weights({"mean": self.mean, "scale": self.scale, "centroids": self.centroids})

    def predict_proba(self, features: NDArray[np.float32]) -> Floats:
        """Give softmax probabilities (pixel, class)."""
        from landweave.models.dense_kernels import centroid_proba

        return np.asarray(centroid_proba(to_double(features), self.mean, self.scale, self.centroids))

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column of the nearest centroid."""
        return np.asarray(self.predict_proba(features).argmax(axis=1))


register_engine("softmax", SoftmaxEngine.from_weights)
register_engine("centroid", CentroidEngine.from_weights)
