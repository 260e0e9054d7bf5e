"""Conformal sets at map speed: what a block needs to tell which classes a pixel may have.

Receives the held-out scores of a model, and for weighted sets the features of the map; hands on a `SetRule`, which is a pure
function of a pixel's probabilities and features, so that sets do not depend on how a map is cut into blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["SetRule", "Shift", "fit_shift"]

_ROUNDING = 1e-7
"""Scores were rounded to float32 when they were stored."""


@dataclass(frozen=True)
class Shift:
    """How much likelier a row of features is on the map than among the held-out rows: capped odds of a logistic regression.

    Attributes:
        slope: Of the log odds per feature (feature,).
        intercept: Log odds where all features are 0.
        scale: Odds that stand for a weight of 1.
        largest: Cap of the weights.
    """

    slope: NDArray[np.float64]
    intercept: float
    scale: float
    largest: float

    def weigh(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the weight of feature rows (row, feature); NaN counts as 0, as when the regression was fitted."""
        rows = np.ascontiguousarray(features, dtype=np.float32)
        odds = np.empty(len(rows))
        _odds(rows, self.slope, self.intercept, odds)
        return np.minimum(odds / self.scale, self.largest)


def fit_shift(
    held_out: NDArray[np.floating], new: NDArray[np.floating], *, seed: int = 0, largest: float = 20.0
) -> Shift:
    """Tell held-out rows from rows of a map by logistic regression (Tibshirani et al. 2019, arXiv:1904.06019, section 2.3).

    Args:
        held_out: Features (row, feature) of the held-out rows, whose weights are scaled to mean 1 before the cap.
        new: Features of rows of the map.
        seed: Of the regression.
        largest: Weights are capped here, as a few huge ones would leave nothing else to go by.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x = np.nan_to_num(np.concatenate([held_out, new]).astype(np.float64))
    side = np.repeat([0, 1], [len(held_out), len(new)])
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=0.1, max_iter=1000, random_state=seed).fit(scaler.transform(x), side)
    slope = model.coef_[0] / scaler.scale_
    shift = Shift(slope, float(model.intercept_[0] - slope @ scaler.mean_), 1.0, np.inf)
    return Shift(slope, shift.intercept, float(shift.weigh(held_out).mean()), largest)


@dataclass(frozen=True)
class SetRule:
    """Which classes are in the set of a pixel: those whose score 1 - p is at most the class's limit.

    Attributes:
        error_rate: Share of truths that the sets may miss.
        limits: Limit of each class (class,), where no shift is taken into account.
        scores: Held-out scores of each class in rising order (class, row), padded with infinity; for weighted sets.
        masses: Their cumulated weights (class, row), padded with infinity.
        totals: Sum of the weights of each class (class,).
        shift: Gives the weight of a pixel; None for sets without weights.
    """

    error_rate: float
    limits: NDArray[np.float64]
    scores: NDArray[np.float64] | None = None
    masses: NDArray[np.float64] | None = None
    totals: NDArray[np.float64] | None = None
    shift: Shift | None = None

    def apply(self, proba: NDArray[np.floating], weights: NDArray[np.floating] | None = None) -> NDArray[np.bool_]:
        """Give the sets of rows as booleans (row, class); a row of NaN has the empty set.

        Args:
            proba: Probabilities (row, class).
            weights: Weight of each row, where the rule has weights.
        """
        score = 1 - np.asarray(proba, dtype=np.float64)
        if self.scores is None or self.masses is None or self.totals is None or weights is None:
            return np.asarray(score <= self.limits + _ROUNDING)
        w = np.asarray(weights, dtype=np.float64)
        inside = np.empty(score.shape, dtype=bool)
        for c in range(score.shape[1]):
            asked = (1 - self.error_rate) * (self.totals[c] + w)
            at = np.searchsorted(self.masses[c], asked * (1 - 1e-12))
            limit = np.append(self.scores[c], np.inf)[np.minimum(at, self.scores.shape[1])]
            inside[:, c] = score[:, c] <= limit + _ROUNDING
        return inside


@numba.njit(nogil=True, cache=True)
def _odds(rows, slope, intercept, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    # summed up feature by feature: the rounding of a matrix product would depend on how many rows stand together
    for i in range(rows.shape[0]):
        total = intercept
        for j in range(rows.shape[1]):
            value = np.float64(rows[i, j])
            if not math.isnan(value):
                total += value * slope[j]
        out[i] = math.exp(min(total, 27.6))
