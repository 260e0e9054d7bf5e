"""Counts of predicted against true classes: whole arrays, streams of blocks, and by stratum or spatial block.

Receives class indices (0..K-1, anything negative is nodata and counts nowhere); hands on count arrays whose axis -2 is the
map (prediction) and axis -1 the reference (truth).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError

__all__ = ["ConfusionCounter", "count_by_group", "count_confusion", "count_parts"]

_CHUNK = 1 << 20
"""Pairs counted at a time: keeps the int64 cell numbers in the cache and the memory small."""


def _check_pairs(predicted: NDArray[Any], reference: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    predicted, reference = np.asarray(predicted), np.asarray(reference)
    if predicted.shape != reference.shape:
        raise AssessmentError(f"predicted classes have shape {predicted.shape}, reference classes {reference.shape}; "
                              "give one class index per place in both")  # fmt: skip
    for what, array in (("predicted", predicted), ("reference", reference)):
        if array.dtype.kind not in "iu":
            raise AssessmentError(f"{what} classes have dtype {array.dtype}; give whole class indices, -1 for nodata")
    return predicted.ravel(), reference.ravel()


def count_confusion(predicted: NDArray[Any], reference: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    """Count pairs of predicted and true class index.

    Args:
        predicted: Class indices of any shape; negative is nodata.
        reference: Class indices of the same shape; negative is nodata.
        n_classes: Number of classes K.

    Returns:
        Counts (K predicted, K reference). A pair with a negative index on either side is in no cell.

    Raises:
        AssessmentError: If shapes differ, an array is not of whole numbers, or an index is K or more.
    """
    predicted, reference = _check_pairs(predicted, reference)
    counts = np.zeros(n_classes * n_classes, dtype=np.int64)
    for start in range(0, len(predicted), _CHUNK):
        p = predicted[start : start + _CHUNK].astype(np.int64)
        r = reference[start : start + _CHUNK].astype(np.int64)
        valid = (p >= 0) & (r >= 0)
        p, r = p[valid], r[valid]
        top = max(p.max(initial=-1), r.max(initial=-1))
        if top >= n_classes:
            raise AssessmentError(f"class index {top} occurs but there are {n_classes} classes; indices run from 0 to "
                                  f"{n_classes - 1}, nodata is -1")  # fmt: skip
        counts += np.bincount(p * n_classes + r, minlength=n_classes * n_classes)
    return counts.reshape(n_classes, n_classes)


class ConfusionCounter:
    """Adds up a confusion matrix over blocks that arrive one after the other.

    Attributes:
        n_classes: Number of classes K.
        counts: int64 (K predicted, K reference) so far.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.counts: NDArray[np.int64] = np.zeros((n_classes, n_classes), dtype=np.int64)

    def update(self, predicted: NDArray[Any], reference: NDArray[Any]) -> None:
        """Add the pairs of one block; see `count_confusion`."""
        self.counts += count_confusion(predicted, reference, self.n_classes)

    def merge(self, other: ConfusionCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted another number of classes.
        """
        if other.n_classes != self.n_classes:
            raise AssessmentError(f"counters of {self.n_classes} and {other.n_classes} classes cannot be merged; "
                                  "use one legend")  # fmt: skip
        self.counts += other.counts


def count_by_group(
    group: NDArray[Any], predicted: NDArray[Any], reference: NDArray[Any], *, n_groups: int, n_classes: int
) -> NDArray[np.int64]:
    """Count pairs within each stratum, cluster or repeat.

    Args:
        group: Group index 0..G-1 of every pair (n,).
        predicted: Class indices (n,), negative is nodata.
        reference: Class indices (n,), negative is nodata.
        n_groups: Number of groups G.
        n_classes: Number of classes K.

    Returns:
        Counts (G, K predicted, K reference).
    """
    predicted, reference = _check_pairs(predicted, reference)
    valid = (predicted >= 0) & (reference >= 0)
    cell = (group[valid].astype(np.int64) * n_classes + predicted[valid]) * n_classes + reference[valid]
    return np.bincount(cell, minlength=n_groups * n_classes**2).reshape(n_groups, n_classes, n_classes)


def count_parts(
    group: NDArray[Any], predicted: NDArray[Any], reference: NDArray[Any], *, n_groups: int, n_classes: int
) -> NDArray[np.float64]:
    """Count hits, predictions and truths per class within each group: all that accuracy, F1 and IoU need.

    Args:
        group: Group index 0..G-1 of every pair (n,).
        predicted: Class indices (n,), negative is nodata.
        reference: Class indices (n,), negative is nodata.
        n_groups: Number of groups G.
        n_classes: Number of classes K.

    Returns:
        Array (G, 3, K): the matrix's diagonal, row sums (map) and column sums (reference); 3 K numbers a group where the
        matrix itself has K squared.
    """
    predicted, reference = _check_pairs(predicted, reference)
    valid = (predicted >= 0) & (reference >= 0)
    g, p, r = group[valid].astype(np.int64), predicted[valid].astype(np.int64), reference[valid].astype(np.int64)
    hit = p == r
    size = n_groups * n_classes
    parts = [np.bincount(at, minlength=size) for at in (g[hit] * n_classes + p[hit], g * n_classes + p, g * n_classes + r)]
    return np.stack([part.reshape(n_groups, n_classes) for part in parts], axis=1).astype(np.float64)
