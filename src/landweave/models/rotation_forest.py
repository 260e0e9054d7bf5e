"""Rotation forests: every tree sees the features through a rotation of its own, so that its splits are oblique.

Three kinds of rotation, as the forest ensembles for fused optical and radar series use them: principal components of disjoint
feature subsets (Rodriguez, Kuncheva and Alonso 2006, doi:10.1109/TPAMI.2006.211), sparse random projections (Li, Hastie and
Church 2006, doi:10.1145/1150402.1150436), and complete random rotations (Blaser and Fryzlewicz 2016, JMLR 17(4)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from landweave.models.dense import to_double
from landweave.models.engines import Weights, register_engine
from landweave.models.forest import pack_trees, to_columns, to_nodes

__all__ = ["RotationEngine", "RotationForest", "draw_rotation"]

Floats = NDArray[np.float64]
ROTATIONS = ("pca", "sparse", "random")


def draw_rotation(
    scaled: Floats, target: NDArray[np.int64], kind: str, *, rng: np.random.RandomState, subset_size: int, share: float
) -> Floats:
    """Draw a rotation (rotated feature, feature).

    Args:
        scaled: Standardised training rows.
        target: Their classes; the components of a subset come from a random choice of classes (Rodriguez et al. 2006).
        kind: "pca": the principal axes of random disjoint subsets of the features, all kept; "sparse": entries of
            +-1/sqrt(share of them) at random places; "random": an orthogonal matrix drawn uniformly (Haar).
        rng: Source of randomness.
        subset_size: Features in a subset.
        share: Share of rows drawn for the principal axes.
    """
    n = scaled.shape[1]
    if kind == "random":
        return _haar(n, rng)
    if kind == "sparse":
        return _sparse(n, rng)
    rotation, order = np.zeros((n, n)), rng.permutation(n)
    for start in range(0, n, subset_size):
        subset = order[start : start + subset_size]
        rows = _draw_rows(target, share, rng)
        centred = scaled[np.ix_(rows, subset)] - scaled[np.ix_(rows, subset)].mean(axis=0)
        axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1]
        # an axis and its negative are the same component; the largest entry is made positive to settle which is kept
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        rotation[np.ix_(subset, subset)] = axes
    return rotation


def _draw_rows(target: NDArray[np.int64], share: float, rng: np.random.RandomState) -> NDArray[np.int64]:
    """Draw a bootstrap of the rows of a random, non-empty choice of classes."""
    classes = np.unique(target)
    chosen = classes[rng.random_sample(classes.size) < 0.5]
    rows = np.flatnonzero(np.isin(target, chosen if chosen.size else classes))
    return np.asarray(rng.choice(rows, size=max(2, round(share * rows.size)), replace=True))


def _haar(n: int, rng: np.random.RandomState) -> Floats:
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    # without the signs of R's diagonal Q is not uniform (Mezzadri 2007, Notices AMS 54)
    return np.ascontiguousarray((q * np.sign(np.diag(r))).T)


def _sparse(n: int, rng: np.random.RandomState) -> Floats:
    density = 1 / np.sqrt(n)
    rotation = rng.choice([-1.0, 0.0, 1.0], p=[density / 2, 1 - density, density / 2], size=(n, n)) / np.sqrt(density)
    empty = np.flatnonzero(~rotation.any(axis=1))
    rotation[empty, rng.randint(n, size=empty.size)] = 1.0
    return np.asarray(rotation)


def _to_rows(rotations: list[Floats]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Give rotations one after the other as sparse rows: starts, columns, weights."""
    stacked = np.vstack(rotations)
    rows, columns = np.nonzero(stacked)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(stacked)))])
    return starts.astype(np.int64), columns.astype(np.int64), np.ascontiguousarray(stacked[rows, columns])


class RotationForest(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Ensemble of trees, each grown on all rows under its own rotation of the standardised features.

    Args:
        n_estimators: Trees.
        rotation: "pca", "sparse" or "random"; see `draw_rotation`.
        subset_size: Features in a subset ("pca").
        share: Share of rows drawn for the principal axes ("pca").
        max_features: Rotated features tried at a split, as in scikit-learn's trees; None tries all, as Rodriguez et al. do.
        max_depth: Depth of the trees; None grows them out.
        min_samples_leaf: Least rows in a leaf.
        min_weight_fraction_leaf: Least share of the weight in a leaf.
        bootstrap: Whether each tree is grown on a bootstrap of the rows.
        class_weight: As in scikit-learn.
        random_state: Seed.
    """

    def __init__(
        self, n_estimators: int = 50, rotation: str = "pca", subset_size: int = 3, share: float = 0.75,
        max_features: Any = "sqrt", max_depth: int | None = None, min_samples_leaf: int = 1,
        min_weight_fraction_leaf: float = 0.0, bootstrap: bool = False, class_weight: Any = None, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.n_estimators = n_estimators
        self.rotation = rotation
        self.subset_size = subset_size
        self.share = share
        self.max_features = max_features
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.bootstrap = bootstrap
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> RotationForest:
        """Fit the scaling, the rotations and the trees."""
        if self.rotation not in ROTATIONS:
            raise ValueError(f"rotation is {self.rotation!r}; it is one of {', '.join(ROTATIONS)}")
        if self.n_estimators < 1 or self.subset_size < 1 or not 0 < self.share <= 1:
            raise ValueError(f"n_estimators={self.n_estimators}, subset_size={self.subset_size}, share={self.share}; "
                             "the first two are at least 1, share is in (0, 1]")  # fmt: skip
        rows, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {self.classes_[0]!r}; give two or more")
        weight = _check_sample_weight(sample_weight, rows) * compute_sample_weight(self.class_weight, y)
        self.scaler_ = StandardScaler().fit(rows)
        self._grow(rows, target, weight)
        return self

    def _grow(self, rows: Floats, target: NDArray[np.int64], weight: Floats) -> None:
        from landweave.models.rotation_kernels import rotate_rows

        rng, scaled = check_random_state(self.random_state), self.scaler_.transform(rows)
        rotations, self.trees_ = [], []
        for _ in range(self.n_estimators):
            rotation = draw_rotation(
                scaled, target, self.rotation, rng=rng, subset_size=self.subset_size, share=self.share
            )  # fmt: skip
            rotated = rotate_rows(to_double(rows), self.scaler_.mean_, self.scaler_.scale_, *_to_rows([rotation]))
            counts = np.bincount(rng.randint(len(rows), size=len(rows)), minlength=len(rows)) if self.bootstrap else 1.0
            tree = DecisionTreeClassifier(
                max_features=self.max_features, max_depth=self.max_depth, min_samples_leaf=self.min_samples_leaf,
                min_weight_fraction_leaf=self.min_weight_fraction_leaf, random_state=rng.randint(np.iinfo(np.int32).max),
            )  # fmt: skip
            # rows left out of the bootstrap stay with weight 0, so that every tree knows all classes
            self.trees_.append(tree.fit(rotated, target, sample_weight=weight * counts))
            rotations.append(rotation)
        self.rotations_ = np.stack(rotations)

    def to_engine(self) -> RotationEngine:
        """Give the engine that predicts from the fitted arrays."""
        check_is_fitted(self, "trees_")
        nodes, roots, values = pack_trees([t.tree_ for t in self.trees_], len(self.classes_))
        starts, columns, weights = _to_rows(list(self.rotations_))
        return RotationEngine(self.scaler_.mean_, self.scaler_.scale_, starts, columns, weights, nodes, roots, values)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Give probabilities (row, class), columns as `classes_`."""
        check_is_fitted(self, "trees_")
        rows: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return self.to_engine().predict_proba(rows)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the most probable class."""
        proba = self.predict_proba(X)
        return np.asarray(self.classes_[proba.argmax(axis=1)])


@dataclass(frozen=True)
class RotationEngine:
    """Trees on rotated features whose leaf values are averaged.

    Attributes:
        mean: Subtracted from each feature.
        scale: Each feature is divided by it.
        starts: First entry of each rotated feature, those of all trees one after the other.
        columns: Feature of each entry.
        weights: Weight of each entry.
        nodes: Packed nodes of all trees.
        roots: First node of each tree.
        values: Values of the mixed leaves (leaf, class).
    """

    kind: ClassVar[str] = "rotation-forest"
    mean: Floats
    scale: Floats
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: Floats
    nodes: NDArray[Any]
    roots: NDArray[np.int64]
    values: Floats

    @classmethod
    def from_weights(cls, weights: Weights) -> RotationEngine:
        """Build from stored arrays."""
        a = weights.arrays
        rotation = (a["rotation_starts"], a["rotation_columns"], a["rotation_weights"])
        return cls(a["mean"], a["scale"], *rotation, to_nodes(a), a["roots"], a["values"])

    def to_weights(self) -> Weights:
        """Give the arrays."""
        return Weights({
            **to_columns(self.nodes), "roots": self.roots, "values": self.values, "mean": self.mean, "scale": self.scale,
            "rotation_starts": self.starts, "rotation_columns": self.columns, "rotation_weights": self.weights,
        })  # fmt: skip

    def predict_proba(self, features: NDArray[Any]) -> Floats:
        """Average the leaf values (pixel, class)."""
        from landweave.models.rotation_kernels import sum_rotated_leaves

        out = np.zeros((len(features), self.values.shape[1]))
        n_rotated = (self.starts.size - 1) // len(self.roots)
        sum_rotated_leaves(
            to_double(features), self.mean, self.scale, self.starts, self.columns, self.weights, n_rotated, self.nodes,
            self.roots, self.values, out,
        )  # fmt: skip
        return np.asarray(out / len(self.roots))

    def predict_column(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Give the most probable column."""
        return np.asarray(self.predict_proba(features).argmax(axis=1))


register_engine("rotation-forest", RotationEngine.from_weights)
