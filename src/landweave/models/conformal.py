"""Sets of classes that hold the truth at a stated rate, and the classes that a map had better leave unsure.

Receives probabilities of held-out rows; hands on a `Conformal`, which lives in the model folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.types import Fold

__all__ = ["Conformal", "Coverage", "fit_conformal", "measure_coverage", "shift_weights"]


@dataclass(frozen=True)
class Conformal:
    """Held-out rows that sets and thresholds are read from, at any error rate.

    Attributes:
        score: 1 - p(true class) of each row.
        truth: class_index of each row.
        confidence: Highest probability of each row.
        correct: Whether the most probable class was the true one.
        n_classes: Classes of the model.
    """

    score: NDArray[np.float32]
    truth: NDArray[np.int64]
    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    n_classes: int

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
        conformal prediction, Tibshirani et al. 2019, arXiv:1904.06060, eq. 8); see `shift_weights`.

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
        score = 1 - np.asarray(proba, dtype=np.float64)
        if row_weights is None or weights is None:
            return np.asarray(score <= self.thresholds(error_rate) + 1e-7)  # rounded to float32 when they were stored
        _check_rate(error_rate)
        limit = np.full(score.shape, np.inf)
        for c in range(self.n_classes):
            mine = np.flatnonzero(self.truth == c)
            order = mine[np.argsort(self.score[mine], kind="stable")]
            mass = np.cumsum(np.asarray(row_weights, dtype=np.float64)[order])
            if len(order):
                asked = (1 - error_rate) * (mass[-1] + np.asarray(weights, dtype=np.float64))
                at = np.searchsorted(mass, asked * (1 - 1e-12))
                limit[:, c] = np.append(self.score[order].astype(np.float64), np.inf)[np.minimum(at, len(order))]
        return np.asarray(score <= limit + 1e-7)

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
        return {"score": self.score, "truth": self.truth, "confidence": self.confidence, "correct": self.correct,
                "n_classes": np.array(self.n_classes)}  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Conformal:
        """Build it from what was stored.

        Raises:
            ModelError: If an array is missing.
        """
        try:
            return cls(arrays["score"], arrays["truth"], arrays["confidence"], arrays["correct"], int(arrays["n_classes"]))
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
    """

    error_rate: float
    coverage: float
    by_class: NDArray[np.float64]
    set_size: float
    singles: float
    n: int


def fit_conformal(proba: NDArray[np.floating], truth: NDArray[np.integer]) -> Conformal:
    """Keep the scores of held-out rows (row, class); rows of NaN are left out.

    Raises:
        ModelError: If no row is left.
    """
    valid = ~np.isnan(proba).any(axis=1)
    p, y = proba[valid].astype(np.float32), np.asarray(truth)[valid].astype(np.int64)
    if not len(p):
        raise ModelError(f"none of {len(proba)} held-out rows has probabilities; check the split and min_valid_steps")
    return Conformal(1 - p[np.arange(len(p)), y], y, p.max(axis=1), p.argmax(axis=1) == y, proba.shape[1])


def measure_coverage(
    proba: NDArray[np.floating], truth: NDArray[np.integer], folds: Sequence[Fold], *, error_rate: float
) -> Coverage:
    """Measure the coverage of class-conditional sets on each fold with the scores of the other folds.

    Args:
        proba: Held-out probabilities (row, class), as `cross_validate(keep_proba=True)` gives them.
        truth: class_index of the rows.
        folds: Folds that are held out whole, such as those of `split_spatial`.
        error_rate: Share of truths that the sets may miss.
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
    return Coverage(error_rate, float(hit.mean()), by_class, float(size.mean()), float((size == 1).mean()), len(y))


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
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.nan_to_num(np.concatenate([held_out, new]).astype(np.float64))
    side = np.repeat([0, 1], [len(held_out), len(new)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, random_state=seed)).fit(x, side)
    p = model.predict_proba(x)[:, 1]
    odds = p / np.maximum(1 - p, 1e-12)
    odds = np.minimum(odds / odds[: len(held_out)].mean(), largest)
    return odds[: len(held_out)], odds[len(held_out) :]


def _check_rate(error_rate: float) -> None:
    if not 0 < error_rate < 1:
        raise ModelError(f"error rate is {error_rate:g}; give a share between 0 and 1, such as 0.1")
