"""How far stated probabilities are from how often they come true: reliability, expected calibration error, its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CalibrationError", "Reliability", "calibration_error", "reliability"]


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, by bins of equal numbers of rows.

    Attributes:
        confidence: Mean highest probability of each bin.
        accuracy: Share of its rows whose most probable class was right.
        n: Rows of each bin.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    n: NDArray[np.int64]


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error, 0..1, with its 95 % interval; NaN ends where there is one group only."""

    value: float
    lower: float
    upper: float


def reliability(proba: NDArray[np.floating], truth: NDArray[np.integer], *, n_bins: int = 15) -> Reliability:
    """Sort rows by confidence into bins of (nearly) equal numbers.

    Equal numbers rather than equal widths keep every bin as well known as the others (Nguyen and O'Connor 2015,
    arXiv:1508.05154).

    Args:
        proba: Probabilities (row, class) without NaN.
        truth: class_index of the rows.
        n_bins: Bins; fewer where there are fewer rows.
    """
    confidence = proba.max(axis=1).astype(np.float64)
    correct = proba.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(n_bins, max(len(order), 1)))
    return Reliability(
        np.array([confidence[p].mean() for p in parts]), np.array([correct[p].mean() for p in parts]),
        np.array([len(p) for p in parts], dtype=np.int64),
    )  # fmt: skip


def calibration_error(
    proba: NDArray[np.floating], truth: NDArray[np.integer], *, groups: NDArray[np.integer] | None = None, n_bins: int = 15,
    draws: int = 500, seed: int = 0,
) -> CalibrationError:  # fmt: skip
    """Give the expected calibration error: the mean gap between confidence and accuracy over the bins, by their rows.

    Naeini et al. (2015, AAAI) and Guo et al. (2017, arXiv:1706.04599, eq. 3), with bins of equal numbers. The interval is the
    basic bootstrap's over whole groups (Davison and Hinkley 1997, eq. 5.6), which also takes off the upward bias that any mean
    of absolute gaps has, widened to the value itself where that bias is larger than the spread.

    Args:
        proba: Probabilities (row, class) without NaN.
        truth: class_index of the rows.
        groups: Rows drawn together (blocks, folds); every row by itself by default.
        n_bins: Bins.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    value = _gap(reliability(proba, truth, n_bins=n_bins))
    index = np.arange(len(truth)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    members = [np.flatnonzero(index == g) for g in range(int(index.max(initial=-1)) + 1)]
    if len(members) < 2:
        return CalibrationError(value, float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for d in range(draws):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        drawn[d] = _gap(reliability(proba[rows], truth[rows], n_bins=n_bins))
    low, high = np.quantile(drawn, [0.025, 0.975])
    lower, upper = max(2 * value - float(high), 0.0), min(2 * value - float(low), 1.0)
    return CalibrationError(value, min(lower, value), max(upper, value))


def _gap(bins: Reliability) -> float:
    return float(np.average(np.abs(bins.confidence - bins.accuracy), weights=bins.n))
