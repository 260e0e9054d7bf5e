"""Support vector machine with probabilities: the estimator that fits it and the engine that predicts from its arrays.

scikit-learn has given up `SVC(probability=True)`, whose probabilities could contradict its classes. Here each pair of
classes gets a sigmoid fitted on decisions of rows left out (Platt 1999; Lin, Lin and Weng 2007, doi:10.1007/s10994-007-5018-6),
the pairs are coupled (Price, Knerr, Personnaz and Dreyfus 1995, NIPS 7), and where the largest probability is not that of the
class the machine votes for, the two values change places: the class is always the machine's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from landweave.models.dense import Front, to_double
from landweave.models.engines import Weights, register_engine

__all__ = ["ProbabilitySVC", "SvmEngine", "fit_sigmoid"]

Floats = NDArray[np.float64]


def fit_sigmoid(decisions: Floats, is_first: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit P(first | f) = 1 / (1 + exp(A f + B)) to decisions by Newton's method (Lin, Lin and Weng 2007, algorithm 1).

    Args:
        decisions: Decision values, positive for the first class.
        is_first: Whether each row is of the first class.

    Returns:
        A and B; (-1, 0) where one of the classes has no row to fit on.
    """
    n_first, n_second = int(is_first.sum()), int((~is_first).sum())
    if n_first == 0 or n_second == 0:
        return -1.0, 0.0
    target = np.where(is_first, (n_first + 1) / (n_first + 2), 1 / (n_second + 2))
    a, b = 0.0, float(np.log((n_second + 1) / (n_first + 1)))

    def loss(a: float, b: float) -> float:
        z = decisions * a + b
        return float(np.sum(np.logaddexp(0, z) - (1 - target) * z))

    value = loss(a, b)
    for _ in range(100):
        p = 1 / (1 + np.exp(np.clip(decisions * a + b, -700, 700)))
        d1, d2 = target - p, p * (1 - p)
        g1, g2 = float(decisions @ d1), float(d1.sum())
        if abs(g1) < 1e-5 and abs(g2) < 1e-5:
            break
        h11, h22, h21 = float(decisions**2 @ d2) + 1e-12, float(d2.sum()) + 1e-12, float(decisions @ d2)
        det = h11 * h22 - h21 * h21
        da, db = -(h22 * g1 - h21 * g2) / det, -(h11 * g2 - h21 * g1) / det
        slope, step = g1 * da + g2 * db, 1.0
        while step >= 1e-10 and loss(a + step * da, b + step * db) >= value + 1e-4 * step * slope:
            step /= 2
        if step < 1e-10:
            break
        a, b = a + step * da, b + step * db
        value = loss(a, b)
    return a, b


def _pairs(n_classes: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]


def pair_decisions(machine: SVC, features: Floats) -> Floats:
    """Give the decisions (row, pair) of a fitted machine; positive for the first class of the pair."""
    decisions = np.asarray(machine.decision_function(features))
    return -decisions[:, None] if decisions.ndim == 1 else decisions


class ProbabilitySVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """RBF support vector machine on standardised features, with probabilities that agree with its classes.

    Args:
        C: Penalty of margin violations.
        gamma: Width of the kernel, "scale" (1 / (features * variance)), "auto" (1 / features), or a number.
        class_weight: As in scikit-learn.
        n_folds: Folds that the sigmoids are fitted on; fewer where a class has fewer rows.
        random_state: Seed of the folds.
    """

    def __init__(
        self, C: float = 10.0, gamma: str | float = "scale", class_weight: Any = None, n_folds: int = 5,
        random_state: Any = None,
    ) -> None:  # fmt: skip
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> ProbabilitySVC:
        """Fit the scaling, the machine and its sigmoids."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {self.classes_[0]!r}; give two or more")
        weight = _check_sample_weight(sample_weight, X) * compute_sample_weight(self.class_weight, y)
        self.scaler_ = StandardScaler().fit(X)
        scaled = self.scaler_.transform(X)
        self.machine_ = self._make().fit(scaled, target, weight)
        self.sigmoids_ = self._fit_sigmoids(scaled, target, weight)
        return self

    def _make(self) -> SVC:
        return SVC(C=self.C, gamma=self.gamma, decision_function_shape="ovo")

    def _fit_sigmoids(self, scaled: Floats, target: NDArray[np.int64], weight: Floats) -> Floats:
        """Fit (A, B) of every pair on decisions of rows left out; a class of one row stays in training throughout."""
        n_classes = len(self.classes_)
        decisions = np.full((len(target), n_classes * (n_classes - 1) // 2), np.nan)
        counts = np.bincount(target)
        rare = counts[target] < 2
        rows = np.flatnonzero(~rare)
        n_folds = min(self.n_folds, int(counts.max()))
        # every fold must keep all classes, so that the pairs stay in place: deal the rows of each class out in turn
        for fold in range(n_folds):
            test = rows[_deal(target[rows], n_folds, self.random_state) == fold]
            train = np.setdiff1d(np.arange(len(target)), test)
            usable = train[weight[train] > 0]
            if np.unique(target[usable]).size == n_classes and test.size:
                machine = self._make().fit(scaled[usable], target[usable], weight[usable])
                decisions[test] = pair_decisions(machine, scaled[test])
        sigmoids = []
        for p, (i, j) in enumerate(_pairs(n_classes)):
            tested = ~np.isnan(decisions[:, p]) & ((target == i) | (target == j))
            sigmoids.append(fit_sigmoid(decisions[tested, p], target[tested] == i))
        return np.array(sigmoids)

    def to_engine(self) -> SvmEngine:
        """Give the engine that predicts from the fitted arrays."""
        check_is_fitted(self, "machine_")
        return SvmEngine.from_machine(Front.from_layers(self.scaler_.mean_, self.scaler_.scale_), self.machine_, self.sigmoids_)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Give probabilities (row, class), columns as `classes_`."""
        check_is_fitted(self, "machine_")
        rows: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return self.to_engine().predict_proba(rows)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the class the machine votes for, which is also the most probable one."""
        check_is_fitted(self, "machine_")
        rows: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.classes_[self.to_engine().predict_column(rows)])


def _deal(target: NDArray[np.int64], n_folds: int, seed: Any) -> NDArray[np.int64]:
    """Give each row a fold such that every class is spread evenly."""
    rng = check_random_state(seed)
    fold = np.empty(len(target), dtype=np.int64)
    for k in np.unique(target):
        at = np.flatnonzero(target == k)
        fold[rng.permutation(at)] = np.arange(at.size) % n_folds
    return fold


def vote(decisions: Floats, n_classes: int) -> NDArray[np.int64]:
    """Give the class with the most won pairs; ties go to the larger sum of squashed decisions, as in scikit-learn."""
    votes, confidence = np.zeros((2, len(decisions), n_classes))
    for p, (i, j) in enumerate(_pairs(n_classes)):
        d = decisions[:, p]
        votes[:, i] += d > 0
        votes[:, j] += d <= 0
        confidence[:, i] += d
        confidence[:, j] -= d
    # squashed to (-1/3, 1/3), a confidence can break ties alone
    return np.asarray((votes + confidence / (3 * (np.abs(confidence) + 1))).argmax(axis=1))


def couple(decisions: Floats, sigmoids: Floats, n_classes: int) -> Floats:
    """Turn pair decisions into class probabilities: p_i is proportional to 1 / (sum_j 1 / r_ij - (K - 2))."""
    inverse = np.zeros((len(decisions), n_classes))
    for p, (i, j) in enumerate(_pairs(n_classes)):
        a, b = sigmoids[p]
        r = np.clip(1 / (1 + np.exp(np.clip(a * decisions[:, p] + b, -700, 700))), 1e-7, 1 - 1e-7)
        inverse[:, i] += 1 / r
        inverse[:, j] += 1 / (1 - r)
    proba = 1 / (inverse - (n_classes - 2))
    return np.asarray(proba / proba.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class SvmEngine:
    """One-against-one RBF machine on standardised features or on the standardised last hidden layer of a perceptron.

    Attributes:
        front: Standardisation and hidden layers.
        unit_mean: Subtracted from the units that the machine sees.
        unit_scale: They are divided by it.
        gamma: Kernel exp(-gamma d^2).
        vectors: Support vectors (vector, unit).
        pairs: Pairs that each vector enters (vector, class - 1).
        coefs: Its coefficients there.
        intercepts: One per pair.
        sigmoids: (A, B) per pair.
    """

    kind: ClassVar[str] = "svm"
    front: Front
    unit_mean: Floats
    unit_scale: Floats
    gamma: float
    vectors: Floats
    pairs: NDArray[np.int64]
    coefs: Floats
    intercepts: Floats
    sigmoids: Floats

    @classmethod
    def from_machine(cls, front: Front, machine: SVC, sigmoids: Floats, unit_scaler: Any = None) -> SvmEngine:
        """Take over the arrays of a fitted `SVC`; `unit_scaler` is a StandardScaler between the front and the machine."""
        k = len(machine.classes_)
        number = {pair: p for p, pair in enumerate(_pairs(k))}
        of_class = np.repeat(np.arange(k), machine.n_support_)
        others = [[j for j in range(k) if j != c] for c in range(k)]
        numbers = np.array([[number[min(c, j), max(c, j)] for j in others[c]] for c in range(k)], dtype=np.int64)
        # row m of dual_coef_ holds the coefficients against the m-th other class; with two classes scikit-learn turns the sign
        sign = -1.0 if k == 2 else 1.0
        width = machine.support_vectors_.shape[1]
        return cls(
            front, np.zeros(width) if unit_scaler is None else unit_scaler.mean_,
            np.ones(width) if unit_scaler is None else unit_scaler.scale_, float(machine._gamma),
            np.ascontiguousarray(machine.support_vectors_), np.ascontiguousarray(numbers[of_class]),
            np.ascontiguousarray(sign * machine.dual_coef_.T), sign * machine.intercept_, sigmoids,
        )  # fmt: skip

    @classmethod
    def from_weights(cls, weights: Weights) -> SvmEngine:
        """Build from stored arrays."""
        names = ("unit_mean", "unit_scale", "vectors", "pairs", "coefs", "intercepts", "sigmoids")
        values: dict[str, Any] = {name: weights.arrays[name] for name in names}
        return cls(front=Front.from_arrays(weights.arrays), gamma=float(weights.arrays["gamma"]), **values)

    def to_weights(self) -> Weights:
        """Give the arrays."""
        names = ("unit_mean", "unit_scale", "vectors", "pairs", "coefs", "intercepts", "sigmoids")
        arrays = {name: getattr(self, name) for name in names}
        return Weights({**self.front.to_arrays(), **arrays, "gamma": np.array(self.gamma)})

    def decide(self, features: NDArray[Any]) -> Floats:
        """Give the decisions (pixel, pair); positive for the first class of the pair."""
        from landweave.models import dense_kernels

        kernel: Any = dense_kernels.svm_decisions
        return np.asarray(kernel(
            to_double(features), *self.front.args, self.unit_mean, self.unit_scale, self.gamma, self.vectors, self.pairs,
            self.coefs, self.intercepts,
        ))  # fmt: skip

    def predict_proba(self, features: NDArray[Any]) -> Floats:
        """Give coupled probabilities (pixel, class) whose largest is that of the class the machine votes for."""
        n_classes = self.pairs.shape[1] + 1
        decisions = self.decide(features)
        proba, winner = couple(decisions, self.sigmoids, n_classes), vote(decisions, n_classes)
        rows, top = np.arange(len(proba)), proba.argmax(axis=1)
        proba[rows, top], proba[rows, winner] = proba[rows, winner], proba[rows, top]
        # a first maximum that ties with the winner would still be chosen
        tied = np.flatnonzero(proba.argmax(axis=1) != winner)
        proba[tied, winner[tied]] = np.nextafter(proba[tied, winner[tied]], 2)
        return proba

    def predict_column(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Give the column the machine votes for."""
        return vote(self.decide(features), self.pairs.shape[1] + 1)


register_engine("svm", SvmEngine.from_weights)
