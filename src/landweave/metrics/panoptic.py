"""Scores of panoptic segmentation: every pixel has a class and an instance; quality PQ = SQ x RQ.

Receives class indices and instance numbers, image by image (an instance must lie within one image); hands on scores per class.
Stuff is a class whose pixels all have one instance number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide, _nan_mean

__all__ = ["PanopticCounter", "PanopticScores"]


@dataclass(frozen=True)
class PanopticScores:
    """Scores per class (K,), NaN for classes without any segment on either side, and their means over the others.

    Attributes:
        pq: Panoptic quality, SQ x RQ.
        sq: Segmentation quality: mean IoU of matched segments; 0 in the mean where nothing matched.
        rq: Recognition quality: F1 of segments.
        mean_pq: Mean PQ over the classes with segments.
        mean_sq: Mean SQ likewise.
        mean_rq: Mean RQ likewise.
    """

    pq: NDArray[np.float64]
    sq: NDArray[np.float64]
    rq: NDArray[np.float64]
    mean_pq: float
    mean_sq: float
    mean_rq: float


class PanopticCounter:
    """Adds up matched and unmatched segments over images.

    A predicted and a true segment of one class match where their IoU is over 0.5, which no two can do for the same segment
    (Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963, section 4.1): PQ = sum of IoU / (TP + FP / 2 + FN / 2). Pixels without a
    reference are in no union, and a predicted segment that lies for more than half on them is no false positive (section 4.2).

    Attributes:
        n_classes: Number of classes K.
        sums: float64 (4, K): sum of IoU, true positives, false positives, false negatives.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.sums: NDArray[np.float64] = np.zeros((4, n_classes))

    def update(self, predicted: tuple[NDArray[Any], NDArray[Any]], reference: tuple[NDArray[Any], NDArray[Any]]) -> None:
        """Add one image.

        Args:
            predicted: Class indices and instance numbers of one shape; a negative class is no segment.
            reference: True ones likewise; a negative class is nodata.

        Raises:
            AssessmentError: If shapes differ or a class index is K or more.
        """
        shapes = [np.shape(a) for a in (*predicted, *reference)]
        if len(set(shapes)) > 1:
            raise AssessmentError(f"classes and instances have shapes {shapes}; give both of map and reference on one grid")
        p, p_class = self._number(*predicted)
        r, r_class = self._number(*reference)
        pairs, shared = np.unique(p * len(r_class) + r, return_counts=True)
        pair_p, pair_r = np.divmod(pairs, len(r_class))
        p_px, r_px = np.bincount(p, minlength=len(p_class)), np.bincount(r, minlength=len(r_class))
        void = np.bincount(pair_p[pair_r == 0], weights=shared[pair_r == 0], minlength=len(p_class))
        overlap = shared / (p_px[pair_p] - void[pair_p] + r_px[pair_r] - shared).clip(1)
        matched = (overlap > 0.5) & (p_class[pair_p] == r_class[pair_r]) & (p_class[pair_p] >= 0)
        at_p, at_r, iou = pair_p[matched], pair_r[matched], overlap[matched]
        missed = np.setdiff1d(np.arange(1, len(r_class)), at_r)
        extra = np.setdiff1d(np.flatnonzero((p_class >= 0) & (void <= p_px / 2)), at_p)
        for row, classes, weights in ((0, p_class[at_p], iou), (1, p_class[at_p], None),
                                      (2, p_class[extra], None), (3, r_class[missed], None)):  # fmt: skip
            self.sums[row] += np.bincount(classes, weights=weights, minlength=self.n_classes)

    def merge(self, other: PanopticCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted another number of classes.
        """
        if other.n_classes != self.n_classes:
            raise AssessmentError(
                f"counters of {self.n_classes} and {other.n_classes} classes cannot be merged; use one legend"
            )
        self.sums += other.sums

    def result(self) -> PanopticScores:
        """Give the scores so far."""
        iou, tp, fp, fn = self.sums
        rq = _divide(tp, tp + (fp + fn) / 2)
        sq = np.where(np.isnan(rq), np.nan, np.nan_to_num(_divide(iou, tp)))
        pq = sq * rq
        return PanopticScores(pq, sq, rq, float(_nan_mean(pq)), float(_nan_mean(sq)), float(_nan_mean(rq)))

    def _number(self, classes: NDArray[Any], instances: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number the segments 1..S, 0 for no segment; give the number of every pixel and the class of every number."""
        c, i = (np.asarray(a).astype(np.int64).ravel() for a in (classes, instances))
        if c.max(initial=-1) >= self.n_classes:
            raise AssessmentError(f"class index {c.max()} occurs but there are {self.n_classes} classes; indices run from 0 to "
                                  f"{self.n_classes - 1}, nodata is -1")  # fmt: skip
        known = c >= 0
        low = i.min(initial=0)
        span = int(i.max(initial=0)) - int(low) + 1
        keys, number = np.unique(c[known] * span + (i[known] - low), return_inverse=True)
        pixel = np.zeros(c.shape, dtype=np.int64)
        pixel[known] = number + 1
        return pixel, np.concatenate([[-1], keys // span])
