"""Confident learning: labels that a model, which never saw them, confidently contradicts.

Northcutt, Jiang and Chuang 2021, Confident learning: estimating uncertainty in dataset labels, JAIR 70,
doi:10.1613/jair.1.12125. Receives given labels and out-of-fold probabilities; hands on a `LabelFinding`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.label.findings import LabelFinding

__all__ = ["PruneRule", "confident_joint", "confident_thresholds", "estimate_joint", "find_label_errors"]

PruneRule = Literal["confident", "class", "noise-rate", "both"]
"""`confident`: the off-diagonal rows of the confident joint itself; `class` and `noise-rate`: as many rows as the estimated
joint says, of each class or of each pair of classes; `both`: rows that the last two agree on (section 3.2 of the paper)."""


def confident_thresholds(labels: NDArray[np.int64], proba: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give each class's threshold: the mean probability of the class over the rows labelled so (paper, eq. 2).

    Args:
        labels: class_index of the given label (row,).
        proba: Out-of-fold probabilities (row, class); rows of NaN are left out.

    Returns:
        (class,); infinite for a class without rows.
    """
    labels, proba = _judged(labels, proba)[:2]
    totals = np.bincount(labels, weights=proba[np.arange(len(labels)), labels], minlength=proba.shape[1])
    counts = np.bincount(labels, minlength=proba.shape[1])
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.inf)


def _confident_class(proba: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the most probable of the classes that reach their threshold, -1 where none does."""
    reached = proba >= thresholds - 1e-9  # a class that is always predicted with one probability reaches its own mean
    best = np.where(reached, proba, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, -1)


def confident_joint(labels: NDArray[np.int64], proba: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count rows by given label and confidently predicted class (paper, eq. 1).

    Args:
        labels: class_index of the given label (row,).
        proba: Out-of-fold probabilities (row, class); rows of NaN are left out.

    Returns:
        Counts (given, latent); rows that reach no threshold are in no cell.

    Raises:
        SampleError: If shapes disagree, or no row has probabilities.
    """
    kept, p, _ = _judged(labels, proba)
    k = p.shape[1]
    latent = _confident_class(p, confident_thresholds(kept, p))
    sure = latent >= 0
    return np.bincount(kept[sure] * k + latent[sure], minlength=k * k).reshape(k, k)


def estimate_joint(labels: NDArray[np.int64], proba: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the joint distribution of given and true labels (paper, eq. 3).

    The confident counts of each given label are stretched to the number of its rows, then all to 1.

    Args:
        labels: class_index of the given label (row,).
        proba: Out-of-fold probabilities (row, class); rows of NaN are left out.

    Returns:
        (given, true), summing to 1; a class without confident rows is taken as right.
    """
    kept, p, _ = _judged(labels, proba)
    counts = confident_joint(kept, p).astype(np.float64)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1
    rows = np.bincount(kept, minlength=p.shape[1])
    joint = counts / counts.sum(axis=1, keepdims=True) * rows[:, None]
    return np.asarray(joint / joint.sum())


def find_label_errors(
    labels: NDArray[np.int64], proba: NDArray[np.floating], *, rule: PruneRule = "both", note: str = ""
) -> LabelFinding:
    """Find the rows whose given label is probably wrong.

    Args:
        labels: class_index of the given label (row,).
        proba: Probabilities of models that did not see the row (row, class), NaN where there are none.
        rule: How rows are chosen.
        note: What to add to the finding's note.

    Returns:
        Suspects; the score is (1 + p_other - p_given) / 2 with the most probable other class, which is the suggestion. A row
        whose given label is the most probable class is never suspect.

    Raises:
        SampleError: If shapes disagree, no row has probabilities, or the rule is unknown.
    """
    kept, p, rows = _judged(labels, proba)
    given = p[np.arange(len(kept)), kept]
    others = p.copy()
    others[np.arange(len(kept)), kept] = -1
    best = others.argmax(axis=1)
    chosen = _choose(rule, kept, p, given)
    suspect = np.zeros(len(labels), dtype=bool)
    suspect[rows] = chosen & (others.max(axis=1) >= given)
    score = np.full(len(labels), np.nan)
    score[rows] = np.clip((others.max(axis=1) - given + 1) / 2, 0, 1)
    suggested = np.full(len(labels), -1, dtype=np.int64)
    suggested[rows] = best
    share = 1 - float(np.trace(estimate_joint(kept, p)))
    told = f"confident learning by {rule}: {share:.1%} of the labels are estimated to be wrong"
    return LabelFinding("confident", suspect, score, suggested, f"{told}; {note}" if note else told)


def _choose(
    rule: PruneRule, labels: NDArray[np.int64], proba: NDArray[np.float64], given: NDArray[np.float64]
) -> NDArray[np.bool_]:
    if rule == "confident":
        latent = _confident_class(proba, confident_thresholds(labels, proba))
        return np.asarray((latent >= 0) & (latent != labels))
    wrong = np.round(estimate_joint(labels, proba) * len(labels)).astype(np.int64)
    np.fill_diagonal(wrong, 0)
    if rule == "class":
        return _lowest_of_class(labels, given, wrong.sum(axis=1))
    if rule == "noise-rate":
        return _largest_margins(labels, proba, given, wrong)
    if rule == "both":
        return _lowest_of_class(labels, given, wrong.sum(axis=1)) & _largest_margins(labels, proba, given, wrong)
    raise SampleError(f"no prune rule named {rule!r}; known: confident, class, noise-rate, both")


def _lowest_of_class(
    labels: NDArray[np.int64], given: NDArray[np.float64], n_wrong: NDArray[np.int64]
) -> NDArray[np.bool_]:
    chosen = np.zeros(len(labels), dtype=bool)
    for i, n in enumerate(n_wrong):
        mine = np.flatnonzero(labels == i)
        chosen[mine[np.argsort(given[mine], kind="stable")[:n]]] = True
    return chosen


def _largest_margins(
    labels: NDArray[np.int64], proba: NDArray[np.float64], given: NDArray[np.float64], wrong: NDArray[np.int64]
) -> NDArray[np.bool_]:
    chosen = np.zeros(len(labels), dtype=bool)
    for i, j in zip(*np.nonzero(wrong), strict=True):
        mine = np.flatnonzero(labels == i)
        margin = proba[mine, j] - given[mine]
        chosen[mine[np.argsort(-margin, kind="stable")[: wrong[i, j]]]] = True
    return chosen


def _judged(
    labels: NDArray[np.int64], proba: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Give the rows that have probabilities: labels, probabilities, positions."""
    labels, p = np.asarray(labels, dtype=np.int64), np.asarray(proba, dtype=np.float64)
    if p.ndim != 2 or len(p) != len(labels):
        raise SampleError(f"probabilities have shape {p.shape} for {len(labels)} labels; give (row, class)")
    if len(labels) and not 0 <= labels.min() <= labels.max() < p.shape[1]:
        raise SampleError(f"labels run from {labels.min()} to {labels.max()}, probabilities have {p.shape[1]} classes; give "
                          "class indices 0..K-1")  # fmt: skip
    rows = np.flatnonzero(~np.isnan(p).any(axis=1))
    if not len(rows):
        raise SampleError(f"none of the {len(labels)} rows has probabilities; cross-validate with keep_proba=True")
    return labels[rows], p[rows], rows
