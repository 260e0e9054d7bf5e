"""Scores of change between two dates: binary F1 and IoU, semantic change (SCS with BC and SC), separated kappa (SeK), Fscd.

Receives class indices of both dates, predicted and true, by blocks (negative is nodata: the pixel counts nowhere); hands on
floats from three small matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide, _nan_mean, kappa, matrix_parts, score_matrix
from landweave.metrics.confusion import count_confusion

__all__ = ["ChangeCounter", "ChangeScores", "score_binary_change", "score_scs", "score_sek"]


@dataclass(frozen=True)
class ChangeScores:
    """Scores of change, 0..1 (SeK may be negative); NaN where a score is undefined.

    Attributes:
        precision: Share of the predicted change that is true.
        recall: Share of the true change that is predicted.
        f1: F1 of binary change.
        iou: IoU of binary change.
        bc: Binary change score of SCS, the same IoU.
        sc: Semantic change score of SCS.
        scs: Mean of both.
        miou: Mean of the IoU of change and of no change (SECOND).
        sek: Separated kappa.
        fscd: F1 of changed pixels whose class is right as well.
    """

    precision: float
    recall: float
    f1: float
    iou: float
    bc: float
    sc: float
    scs: float
    miou: float
    sek: float
    fscd: float


def score_binary_change(matrix: NDArray[Any]) -> dict[str, float]:
    """Score change against no change.

    Args:
        matrix: Counts (2 predicted, 2 reference), no change first.

    Returns:
        `precision`, `recall`, `f1`, `iou` of change, and `miou`, the mean of its IoU and that of no change.
    """
    names = {"precision": "users", "recall": "producers", "f1": "f1", "iou": "iou"}
    scores = {ours: float(score_matrix(matrix, theirs)[1]) for ours, theirs in names.items()}  # type: ignore[arg-type]
    return {**scores, "miou": float(score_matrix(matrix, "iou").mean())}


def score_scs(binary: NDArray[Any], changed: NDArray[Any]) -> tuple[float, float, float]:
    """Compute the semantic change segmentation score and its parts.

    BC is the IoU of change over all pixels; SC the mean over classes of the IoU of the later date's classes, over the pixels
    that truly changed, and over the classes that occur there; SCS = (BC + SC) / 2 (Toker et al. 2022, DynamicEarthNet,
    arXiv:2203.12560; classes without a truly changed pixel do not count, as in the authors' published code).

    Args:
        binary: Counts of change (2 predicted, 2 reference), no change first.
        changed: Counts of the later date's classes (K predicted, K reference) over truly changed pixels.

    Returns:
        BC, SC, SCS.
    """
    bc = float(score_matrix(binary, "iou")[1])
    occurs = matrix_parts(changed)[2] > 0
    sc = float(_nan_mean(np.where(occurs, score_matrix(changed, "iou"), np.nan)))
    return bc, sc, (bc + sc) / 2


def score_sek(matrix: NDArray[Any]) -> tuple[float, float]:
    """Compute the separated kappa and the F1 of semantic change.

    SeK = exp(IoU - 1) kappa', with IoU that of change and kappa' Cohen's kappa of the matrix whose cell (no change, no change)
    is set to 0 (Yang et al. 2020, arXiv:2010.05687, the SECOND data set). Fscd is the F1 of the pixels that are changed and of
    the right class: P = sum of q_ii over predicted change, R over true change, i > 0 (Ding et al. 2022, arXiv:2108.06103).

    Args:
        matrix: Counts (1 + K predicted, 1 + K reference), the first class being no change; both dates added up.

    Returns:
        SeK, Fscd.
    """
    q = np.asarray(matrix, dtype=np.float64)
    hit, wrong = np.trace(q[1:, 1:]), q[1:, 1:].sum()
    change_iou = float(_divide(np.asarray(wrong), np.asarray(q.sum() - q[0, 0])))
    without = q.copy()
    without[0, 0] = 0.0
    sek = math.exp(change_iou - 1.0) * float(kappa(without))
    fscd = float(_divide(np.asarray(2 * hit), np.asarray(q[1:, :].sum() + q[:, 1:].sum())))
    return sek, fscd


class ChangeCounter:
    """Adds up what the scores of change need over blocks.

    Attributes:
        n_classes: Number of classes K.
        binary: int64 (2 predicted, 2 reference), no change first.
        changed: int64 (K predicted, K reference): the later date over truly changed pixels.
        separated: int64 (1 + K predicted, 1 + K reference): no change, then the classes of change, of both dates.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.binary: NDArray[np.int64] = np.zeros((2, 2), dtype=np.int64)
        self.changed: NDArray[np.int64] = np.zeros((n_classes, n_classes), dtype=np.int64)
        self.separated: NDArray[np.int64] = np.zeros((n_classes + 1, n_classes + 1), dtype=np.int64)

    def update(self, predicted: tuple[NDArray[Any], NDArray[Any]], reference: tuple[NDArray[Any], NDArray[Any]]) -> None:
        """Add one block.

        Args:
            predicted: Class indices of the earlier and the later date, of one shape; negative is nodata.
            reference: True class indices likewise. A pixel that is nodata in any of the four counts nowhere.

        Raises:
            AssessmentError: If shapes differ or an index is K or more.
        """
        shapes = [np.shape(a) for a in (*predicted, *reference)]
        if len(set(shapes)) > 1:
            raise AssessmentError(
                f"the four class arrays have shapes {shapes}; give both dates of map and reference on one grid"
            )
        p0, p1, r0, r1 = (np.asarray(a).astype(np.int64, copy=False) for a in (*predicted, *reference))
        valid = (p0 >= 0) & (p1 >= 0) & (r0 >= 0) & (r1 >= 0)
        p0, p1, r0, r1 = p0[valid], p1[valid], r0[valid], r1[valid]
        p_moved, r_moved = p0 != p1, r0 != r1
        self.changed += count_confusion(p1[r_moved], r1[r_moved], self.n_classes)
        for p, r in ((p0, r0), (p1, r1)):
            count_confusion(p, r, self.n_classes)  # refuses indices that no class has, before they are moved up by one
            self.separated += count_confusion(np.where(p_moved, p + 1, 0), np.where(r_moved, r + 1, 0), self.n_classes + 1)
        self.binary += count_confusion(p_moved.astype(np.int64), r_moved.astype(np.int64), 2)

    def merge(self, other: ChangeCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted another number of classes.
        """
        if other.n_classes != self.n_classes:
            raise AssessmentError(
                f"counters of {self.n_classes} and {other.n_classes} classes cannot be merged; use one legend"
            )
        self.binary += other.binary
        self.changed += other.changed
        self.separated += other.separated

    def result(self) -> ChangeScores:
        """Give the scores so far."""
        bc, sc, scs = score_scs(self.binary, self.changed)
        sek, fscd = score_sek(self.separated)
        return ChangeScores(**score_binary_change(self.binary), bc=bc, sc=sc, scs=scs, sek=sek, fscd=fscd)
