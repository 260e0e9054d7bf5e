"""A perceptron whose last hidden layer feeds a support vector machine: the hybrid of the hyperspectral literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from landweave.models import dense_kernels
from landweave.models.dense import Front, to_double
from landweave.models.svm import ProbabilitySVC, SvmEngine

__all__ = ["HiddenLayerSVC"]

Floats = NDArray[np.float64]


class HiddenLayerSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Train a perceptron, drop its output layer, and train an RBF machine on the activations of the last hidden one.

    Its probabilities are sharper than those of the plain machine: the sigmoids are fitted on rows that the machine has not
    seen, but the perceptron has.

    Args:
        hidden_layer_sizes: Units of the hidden layers.
        activation: "relu", "tanh", "logistic" or "identity".
        alpha: L2 penalty of the perceptron.
        learning_rate_init: Its learning rate.
        max_iter: Most epochs.
        tol: It stops when its loss falls by less over ten epochs.
        C: Penalty of the machine.
        gamma: Width of its kernel.
        class_weight: As in scikit-learn.
        random_state: Seed.
    """

    def __init__(
        self, hidden_layer_sizes: Sequence[int] = (100,), activation: str = "relu", alpha: float = 1e-3,
        learning_rate_init: float = 1e-3, max_iter: int = 1000, tol: float = 1e-4, C: float = 10.0,
        gamma: str | float = "scale", class_weight: Any = None, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> HiddenLayerSVC:
        """Fit the scaling, the perceptron and the machine."""
        rows, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {self.classes_[0]!r}; give two or more")
        weight = _check_sample_weight(sample_weight, rows) * compute_sample_weight(self.class_weight, y)
        self.scaler_ = StandardScaler().fit(rows)
        self.perceptron_ = MLPClassifier(
            tuple(self.hidden_layer_sizes), activation=self.activation, alpha=self.alpha, max_iter=self.max_iter,
            learning_rate_init=self.learning_rate_init, tol=self.tol, random_state=self.random_state,
        ).fit(self.scaler_.transform(rows), target, sample_weight=weight)  # fmt: skip
        self.n_iter_ = self.perceptron_.n_iter_
        self.svm_ = ProbabilitySVC(self.C, self.gamma, random_state=self.random_state)
        self.svm_.fit(self._hidden(rows), target, sample_weight=weight)
        return self

    def _front(self) -> Front:
        layers = list(zip(self.perceptron_.coefs_, self.perceptron_.intercepts_, strict=True))
        return Front.from_layers(self.scaler_.mean_, self.scaler_.scale_, layers[:-1], self.activation)

    def _hidden(self, rows: Floats) -> Floats:
        kernel: Any = dense_kernels.hidden_rows
        return np.asarray(kernel(to_double(rows), *self._front().args))

    def to_engine(self) -> SvmEngine:
        """Give the engine that predicts from the fitted arrays."""
        check_is_fitted(self, "svm_")
        return SvmEngine.from_machine(self._front(), self.svm_.machine_, self.svm_.sigmoids_, self.svm_.scaler_)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Give probabilities (row, class), columns as `classes_`."""
        check_is_fitted(self, "svm_")
        rows: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return self.to_engine().predict_proba(rows)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the class the machine votes for, which is also the most probable one."""
        check_is_fitted(self, "svm_")
        rows: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.classes_[self.to_engine().predict_column(rows)])
