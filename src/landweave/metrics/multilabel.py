"""Scores of classifications where a place carries several labels at once: average precision and F1, micro and macro.

Receives 0/1 truths and scores (n, label) by blocks; hands on floats. A cell whose truth is negative or whose score is NaN is
nodata and counts nowhere, the other labels of its row do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide, _nan_mean

__all__ = ["MultilabelCounter", "MultilabelScores", "average_precision"]


@dataclass(frozen=True)
class MultilabelScores:
    """Scores of L labels; NaN where a label never occurs in the reference, and such labels are not in the macro means.

    Attributes:
        average_precision: (L,).
        map_macro: Its mean over the labels that occur.
        map_micro: Average precision of all (place, label) pairs as one list.
        f1: (L,) at the threshold.
        f1_macro: Its mean over the labels that occur.
        f1_micro: F1 of the pooled counts.
        n_positive: True labels (L,).
    """

    average_precision: NDArray[np.float64]
    map_macro: float
    map_micro: float
    f1: NDArray[np.float64]
    f1_macro: float
    f1_micro: float
    n_positive: NDArray[np.int64]


def average_precision(positives: NDArray[Any], negatives: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the average precision AP = sum over thresholds of (R_n - R_(n-1)) P_n from counts per score.

    Rows of equal score are taken together, without interpolation (Zhu 2004; the definition of scikit-learn).

    Args:
        positives: Rows with the label by score, lowest score first (..., score).
        negatives: Rows without it, likewise.

    Returns:
        (...,); NaN where there is no positive.
    """
    tp = np.cumsum(np.asarray(positives, dtype=np.float64)[..., ::-1], axis=-1)
    fp = np.cumsum(np.asarray(negatives, dtype=np.float64)[..., ::-1], axis=-1)
    precision = tp / np.maximum(tp + fp, 1.0)
    gained = np.diff(tp, axis=-1, prepend=0.0)
    return _divide((gained * precision).sum(axis=-1), tp[..., -1])


class MultilabelCounter:
    """Adds up scores of several labels over blocks in bounded memory: scores are counted in equal bins of 0..1.

    Average precision is exact for scores that are stored in steps (probabilities of a Landweave map: 250 steps) and otherwise
    that of scores rounded to the bins; F1 compares the scores themselves with the threshold.

    Attributes:
        n_labels: Number of labels L.
        n_bins: Bins of the score.
        threshold: A label is predicted where its score is at least this.
    """

    def __init__(self, n_labels: int, *, n_bins: int = 4001, threshold: float = 0.5) -> None:
        self.n_labels, self.n_bins, self.threshold = n_labels, n_bins, threshold
        self._scores: NDArray[np.int64] = np.zeros((2, n_labels, n_bins), dtype=np.int64)  # truth, label, bin
        self._answers: NDArray[np.int64] = np.zeros((n_labels, 2, 2), dtype=np.int64)  # label, predicted, truth

    def update(self, scores: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one block.

        Args:
            scores: Scores 0..1 (n, L); NaN is nodata.
            truth: 1 where the place carries the label, 0 where not, negative for nodata (n, L).

        Raises:
            AssessmentError: If shapes differ or values are out of range.
        """
        scores, truth = self._check(scores, truth)
        label = np.broadcast_to(np.arange(self.n_labels), scores.shape)
        valid = (truth >= 0) & ~np.isnan(scores)
        s, t, c = scores[valid], truth[valid].astype(np.int64), label[valid]
        if s.size and (s.min() < 0 or s.max() > 1 or t.max() > 1):
            raise AssessmentError(f"scores run from {s.min():g} to {s.max():g}, truths up to {t.max()}; expected scores 0..1 "
                                  "and truths 0 or 1 (negative for nodata)")  # fmt: skip
        cell = (t * self.n_labels + c) * self.n_bins + np.rint(s * (self.n_bins - 1)).astype(np.int64)
        self._scores += np.bincount(cell, minlength=self._scores.size).reshape(self._scores.shape)
        answer = (c * 2 + (s >= self.threshold)) * 2 + t
        self._answers += np.bincount(answer, minlength=self._answers.size).reshape(self._answers.shape)

    def merge(self, other: MultilabelCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted other labels, bins or with another threshold.
        """
        mine, its = (self.n_labels, self.n_bins, self.threshold), (other.n_labels, other.n_bins, other.threshold)
        if mine != its:
            raise AssessmentError(f"counters with (labels, bins, threshold) {mine} and {its} cannot be merged; make them alike")
        self._scores += other._scores
        self._answers += other._answers

    def result(self) -> MultilabelScores:
        """Give the scores so far."""
        tp = self._answers[:, 1, 1].astype(np.float64)
        false = (self._answers[:, 1, 0] + self._answers[:, 0, 1]).astype(np.float64)
        n_positive = self._answers[:, :, 1].sum(axis=1)
        ap = average_precision(self._scores[1], self._scores[0])
        micro = average_precision(self._scores[1].sum(axis=0), self._scores[0].sum(axis=0))
        f1 = np.where(n_positive > 0, _divide(2 * tp, 2 * tp + false), np.nan)
        f1_micro = _divide(np.asarray(2 * tp.sum()), np.asarray(2 * tp.sum() + false.sum()))
        return MultilabelScores(ap, float(_nan_mean(ap)), float(micro), f1, float(_nan_mean(f1)), float(f1_micro), n_positive)

    def _check(self, scores: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        scores, truth = np.asarray(scores), np.asarray(truth)
        if scores.shape != truth.shape or scores.ndim != 2 or scores.shape[1] != self.n_labels:
            raise AssessmentError(
                f"scores have shape {scores.shape}, truths {truth.shape}; expected (n, {self.n_labels}) in both"
            )
        return scores.astype(np.float64, copy=False), truth
