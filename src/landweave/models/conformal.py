"""Sets of classes that hold the truth at a stated rate, and the classes that a map had better leave unsure.

Receives probabilities of held-out rows; hands on a `Conformal`, which lives in the model folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.sets import SetRule, fit_shift
from landweave.types import Fold

__all__ = ["Conformal", "Coverage", "HeldOut", "fit_conformal", "measure_coverage", "shift_weights"]


@dataclass(frozen=True)
class HeldOut:
    """More of the held-out rows, in the order of `Conformal.score`.

    Attributes:
        features: What the model saw (n, feature), for weighted sets.
        proba: What it said (n, class).
        fold: Fold that held each row out (n,).
    """

    features: NDArray[np.float32]
    proba: NDArray[np.float32]
    fold: NDArray[np.int64]


@dataclass(frozen=True)
class Conformal:
    """Held-out rows that sets and thresholds are read from, at any error rate.

    Attributes:
        score: 1 - p(true class) of each row.
        truth: class_index of each row.
        confidence: Highest probability of each row.
        correct: Whether the most probable class was the true one.
        n_classes: Classes of the model.
        held_out: Features, probabilities and folds of the rows, for weighted sets and `cover`; None where they were not kept.
    """

    score: NDArray[np.float32]
    truth: NDArray[np.int64]
    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    n_classes: int
    held_out: HeldOut | None = None

    def thresholds(self, error_rate: float) -> NDArray[np.float64]:
        """Give the largest score that lets a class into the set, per class.

        The ceil((n + 1)(1 - error_rate))-th smallest of the class's n scores, so that each class is in its sets at the rate
        (class-conditional or Mondrian sets: Vovk et al. 2005; least ambiguous scores of Sadinle et al. 2019,
        doi:10.1080/01621459.2017.1395341). A class with too few rows for the rate is in every set (infinity).

        Raises:
            ModelError: If the rate is not between 0 and 1.
        """
        _check_rate(error_rate)
        found = np.full(self.n_classes, np.inf)
        for c in range(self.n_classes):
            mine = np.sort(self.score[self.truth == c].astype(np.float64))
            rank = int(np.ceil((len(mine) + 1) * (1 - error_rate)))
            if 0 < rank <= len(mine):
                found[c] = mine[rank - 1]
        return found

    def predict_sets(
        self, proba: NDArray[np.floating], error_rate: float, *, row_weights: NDArray[np.floating] | None = None,
        weights: NDArray[np.floating] | None = None,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Give the set of classes of each row, as booleans (row, class); a row of NaN has the empty set.

        With weights the sets hold for places whose features are distributed otherwise than the held-out ones (weighted
        conformal prediction, Tibshirani et al. 2019, arXiv:1904.06019, eq. 8); see `shift_weights`.

        Args:
            proba: Probabilities (row, class) as `predict_proba` gives them.
            error_rate: Share of truths that the sets may miss, 0..1.
            row_weights: Weight of each held-out row, in the order of `score`.
            weights: Weight of each row of `proba`.

        Raises:
            ModelError: If the rate is not between 0 and 1, or only one of the weights is given.
        """
        if (row_weights is None) != (weights is None):
            raise ModelError("weights are given for one side only; weighted sets need both")
        return self.make_rule(error_rate, row_weights=row_weights).apply(proba, weights)

    def make_rule(
        self, error_rate: float, *, row_weights: NDArray[np.floating] | None = None,
        map_features: NDArray[np.floating] | None = None,
    ) -> SetRule:  # fmt: skip
        """Give what tells the sets of any rows or pixels at an error rate.

        Args:
            error_rate: Share of truths that the sets may miss, 0..1.
            row_weights: Weight of each held-out row.
            map_features: Instead, features (row, feature) of pixels of a map, prepared as the model sees them: the weights
                are then estimated, and those of pixels are `rule.shift.weigh(features)`.

        Raises:
            ModelError: If the rate is not between 0 and 1, or the model kept no features to compare with the map's.
        """
        if map_features is not None:
            features = self._need_rows().features
            shift = fit_shift(features, map_features)
            return replace(self.make_rule(error_rate, row_weights=shift.weigh(features)), shift=shift)
        if row_weights is None:
            return SetRule(error_rate, self.thresholds(error_rate))
        _check_rate(error_rate)
        longest = max(1, int(np.bincount(self.truth, minlength=self.n_classes).max(initial=0)))
        scores, masses = np.full((2, self.n_classes, longest), np.inf)
        for c in range(self.n_classes):
            mine = np.flatnonzero(self.truth == c)
            order = mine[np.argsort(self.score[mine], kind="stable")]
            scores[c, : len(order)] = self.score[order]
            masses[c, : len(order)] = np.cumsum(np.asarray(row_weights, dtype=np.float64)[order])
        totals = np.where(np.isfinite(masses), masses, 0).max(axis=1)
        return SetRule(error_rate, self.thresholds(error_rate), scores, masses, totals)

    def cover(self, error_rate: float) -> Coverage:
        """Measure how often sets hold the truth on each fold with the scores of the other folds.

        Raises:
            ModelError: If the rate is not between 0 and 1, or the folds were not kept.
        """
        rows = self._need_rows()
        hit, size = np.zeros(len(self.truth), dtype=bool), np.zeros(len(self.truth), dtype=np.int64)
        for number in np.unique(rows.fold):
            test, others = np.flatnonzero(rows.fold == number), rows.fold != number
            rest = replace(self, score=self.score[others], truth=self.truth[others])
            inside = rest.make_rule(error_rate).apply(rows.proba[test])
            hit[test], size[test] = inside[np.arange(len(test)), self.truth[test]], inside.sum(axis=1)
        by_class = np.array([hit[self.truth == c].mean() if (self.truth == c).any() else np.nan for c in range(self.n_classes)])
        return Coverage(error_rate, float(hit.mean()), by_class, float(size.mean()), float((size == 1).mean()), len(hit))

    def _need_rows(self) -> HeldOut:
        if self.held_out is None:
            raise ModelError(f"the model kept the scores of its {len(self.score)} held-out rows but not their features and "
                             "folds; train it again with model.conformal: true")  # fmt: skip
        return self.held_out

    def unsure_below(self, error_rate: float) -> float:
        """Give the lowest confidence at which the held-out rows at least as confident are wrong at most at the rate.

        Selective classification (El-Yaniv and Wiener 2010, JMLR 11), with one error added for the next row: the error rate is
        (errors + 1) / (n + 1).

        Raises:
            ModelError: If the rate is not between 0 and 1, or no confidence reaches it; says what can be reached.
        """
        _check_rate(error_rate)
        order = np.argsort(-self.confidence, kind="stable")
        n = np.arange(1, len(order) + 1)
        risk = (np.cumsum(~self.correct[order]) + 1) / (n + 1)
        confidence = self.confidence[order]
        is_end = np.append(confidence[1:] < confidence[:-1], True)  # rows of one confidence are mapped together
        good = np.flatnonzero((risk <= error_rate) & is_end)
        if not good.size:
            raise ModelError(f"an error rate of {error_rate:g} is out of reach: the model's {len(order)} held-out rows reach "
                             f"{risk[is_end].min():.3f} at best; ask for that or more")  # fmt: skip
        return float(confidence[good[-1]])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give what is stored."""
        more: dict[str, NDArray[Any]] = {} if self.held_out is None else {
            "features": self.held_out.features, "proba": self.held_out.proba, "fold": self.held_out.fold,
        }  # fmt: skip
        return {"score": self.score, "truth": self.truth, "confidence": self.confidence, "correct": self.correct,
                "n_classes": np.array(self.n_classes), **more}  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Conformal:
        """Build it from what was stored.

        Raises:
            ModelError: If an array is missing.
        """
        try:
            held_out = HeldOut(arrays["features"], arrays["proba"], arrays["fold"]) if "fold" in arrays else None
            return cls(arrays["score"], arrays["truth"], arrays["confidence"], arrays["correct"], int(arrays["n_classes"]),
                       held_out)  # fmt: skip
        except KeyError as err:
            raise ModelError(f"conformal.npz of the model folder lacks {err}; train again") from err


@dataclass(frozen=True)
class Coverage:
    """How often sets held the truth where they were not fitted.

    Attributes:
        error_rate: What was asked for.
        coverage: Share of rows whose set holds their class.
        by_class: The same by class_index; NaN without rows.
        set_size: Mean number of classes in a set.
        singles: Share of rows with exactly one class.
        n: Rows.
        se: Standard error of the coverage, from what differs between groups (blocks); NaN with a single group.
    """

    error_rate: float
    coverage: float
    by_class: NDArray[np.float64]
    set_size: float
    singles: float
    n: int
    se: float = math.nan


def fit_conformal(
    proba: NDArray[np.floating], truth: NDArray[np.integer], *, features: NDArray[np.floating] | None = None,
    fold: NDArray[np.integer] | None = None,
) -> Conformal:  # fmt: skip
    """Keep the scores of held-out rows (row, class); rows of NaN are left out.

    Args:
        proba: Probabilities (row, class).
        truth: class_index of the rows.
        features: What the model saw of the rows (row, feature), to keep for weighted sets.
        fold: Fold that held each row out (row,), to keep for `Conformal.cover`; given with `features`.

    Raises:
        ModelError: If no row is left, or only one of features and fold is given.
    """
    if (features is None) != (fold is None):
        raise ModelError("features and fold of the held-out rows go together; give both, or neither")
    valid = ~np.isnan(proba).any(axis=1)
    p, y = proba[valid].astype(np.float32), np.asarray(truth)[valid].astype(np.int64)
    if not len(p):
        raise ModelError(f"none of {len(proba)} held-out rows has probabilities; check the split and min_valid_steps")
    kept = None
    if features is not None and fold is not None:
        kept = HeldOut(np.asarray(features)[valid].astype(np.float32), p, np.asarray(fold)[valid].astype(np.int64))
    return Conformal(1 - p[np.arange(len(p)), y], y, p.max(axis=1), p.argmax(axis=1) == y, proba.shape[1], kept)


def measure_coverage(
    proba: NDArray[np.floating], truth: NDArray[np.integer], folds: Sequence[Fold], *, error_rate: float,
    groups: NDArray[np.integer] | None = None,
) -> Coverage:  # fmt: skip
    """Measure the coverage of class-conditional sets on each fold with the scores of the other folds.

    Args:
        proba: Held-out probabilities (row, class), as `cross_validate(keep_proba=True)` gives them.
        truth: class_index of the rows.
        folds: Folds that are held out whole, such as those of `split_spatial`.
        error_rate: Share of truths that the sets may miss.
        groups: Spatial block of each row (row,), between which the standard error is taken; each row its own by default.
    """
    inside = np.zeros((len(truth), proba.shape[1]), dtype=bool)
    for fold in folds:
        others = np.setdiff1d(np.arange(len(truth)), fold.test)
        inside[fold.test] = fit_conformal(proba[others], np.asarray(truth)[others]).predict_sets(proba[fold.test], error_rate)
    tested = np.concatenate([f.test for f in folds])
    tested = tested[~np.isnan(proba[tested]).any(axis=1)]
    held, y = inside[tested], np.asarray(truth)[tested]
    hit = held[np.arange(len(y)), y]
    by_class = np.array([hit[y == c].mean() if (y == c).any() else np.nan for c in range(proba.shape[1])])
    size = held.sum(axis=1)
    return Coverage(error_rate, float(hit.mean()), by_class, float(size.mean()), float((size == 1).mean()), len(y),
                    _between_groups(hit, None if groups is None else np.asarray(groups)[tested]))  # fmt: skip


def _between_groups(hit: NDArray[np.bool_], groups: NDArray[np.integer] | None) -> float:
    """Standard error of a share whose rows come in groups: G / (G - 1) sum_g (sum of residuals)^2 / n^2 (a ratio estimator)."""
    at = np.arange(len(hit)) if groups is None else np.unique(groups, return_inverse=True)[1]
    g = int(at.max()) + 1
    sums = np.bincount(at, hit - hit.mean(), minlength=g)
    return math.sqrt(g / (g - 1) * float((sums**2).sum())) / len(hit) if g > 1 else math.nan


def shift_weights(
    held_out: NDArray[np.floating], new: NDArray[np.floating], *, seed: int = 0, largest: float = 20.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate how much likelier each row is among the new rows than among the held-out ones, for weighted sets.

    Odds of a logistic regression that tells the two apart (Tibshirani et al. 2019, section 2.3), scaled to mean 1 over the
    held-out rows.

    Args:
        held_out: Features (row, feature) of the held-out rows.
        new: Features of rows of the map.
        seed: Of the regression.
        largest: Weights are capped here, as a few huge ones would leave nothing else to go by.

    Returns:
        Weights of the held-out rows and of the new ones.
    """
    shift = fit_shift(held_out, new, seed=seed, largest=largest)
    return shift.weigh(held_out), shift.weigh(new)


def _check_rate(error_rate: float) -> None:
    if not 0 < error_rate < 1:
        raise ModelError(f"error rate is {error_rate:g}; give a share between 0 and 1, such as 0.1")
