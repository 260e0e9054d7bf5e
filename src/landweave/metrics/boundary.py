"""Boundary F1: whether the edges of a map's classes lie where the reference's do, within a tolerance.

Receives class indices of blocks with a margin; hands on precision, recall and F1 per class from counts of boundary pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide, _nan_mean

__all__ = ["BoundaryCounter", "BoundaryScores", "find_boundary"]


@dataclass(frozen=True)
class BoundaryScores:
    """Scores per class (K,); F1 is NaN for a class without boundary on both sides, precision and recall on theirs.

    Attributes:
        precision: Share of the predicted boundary that has true boundary within the tolerance.
        recall: Share of the true boundary that has predicted boundary within it.
        f1: Their harmonic mean; 0 where only one side has a boundary.
        mean_f1: Mean F1 over the classes that have a boundary.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    mean_f1: float


def find_boundary(classes: NDArray[Any], class_index: int) -> NDArray[np.bool_]:
    """Find the pixels of a class that touch another class above, below, left or right.

    Args:
        classes: Class indices (y, x); negative is nodata. Neither nodata nor the array's edge makes a boundary.
        class_index: Which class.

    Returns:
        True on its boundary, which is one pixel wide and inside the class.
    """
    inside, other = classes == class_index, (classes >= 0) & (classes != class_index)
    touches = np.zeros(classes.shape, dtype=bool)
    touches[1:] |= other[:-1]
    touches[:-1] |= other[1:]
    touches[:, 1:] |= other[:, :-1]
    touches[:, :-1] |= other[:, 1:]
    found: NDArray[np.bool_] = inside & touches
    return found


class BoundaryCounter:
    """Adds up boundary pixels that found their counterpart, over blocks.

    The boundary F1 of Csurka et al. 2013 (doi:10.5244/C.27.32), with the counts of all blocks pooled rather than a mean over
    images. Blocks that overlap by a margin of at least the tolerance plus one pixel give the counts of the whole raster.

    Attributes:
        n_classes: Number of classes K.
        tolerance_px: Largest distance between the centres of boundary pixels, Euclidean, in pixels.
        counts: int64 (4, K): predicted boundary, its part near true boundary, true boundary, its part near predicted.
    """

    def __init__(self, n_classes: int, *, tolerance_px: float = 2.0) -> None:
        self.n_classes, self.tolerance_px = n_classes, tolerance_px
        self.counts: NDArray[np.int64] = np.zeros((4, n_classes), dtype=np.int64)

    def update(self, predicted: NDArray[Any], reference: NDArray[Any], *, halo_px: int | tuple[int, int, int, int] = 0) -> None:
        """Add one block.

        Args:
            predicted: Class indices (y, x); negative is nodata. A pixel that is nodata on either side is so on both.
            reference: Class indices (y, x).
            halo_px: Margin that is looked at but not counted: one number, or top, bottom, left, right.

        Raises:
            AssessmentError: If the shapes differ or are not (y, x).
        """
        predicted, reference = np.asarray(predicted), np.asarray(reference)
        if predicted.shape != reference.shape or predicted.ndim != 2:
            raise AssessmentError(f"predicted classes have shape {predicted.shape}, reference classes {reference.shape}; "
                                  "give two blocks (y, x) on one grid")  # fmt: skip
        top, bottom, left, right = (halo_px,) * 4 if isinstance(halo_px, int) else halo_px
        rows, cols = predicted.shape
        interior = (slice(top, rows - bottom), slice(left, cols - right))
        valid = (predicted >= 0) & (reference >= 0)
        p, r = np.where(valid, predicted, -1), np.where(valid, reference, -1)
        for c in range(self.n_classes):
            mine, true = find_boundary(p, c), find_boundary(r, c)
            for row, here, there in ((0, mine, true), (2, true, mine)):
                near = here & self._near(there)
                self.counts[row, c] += np.count_nonzero(here[interior])
                self.counts[row + 1, c] += np.count_nonzero(near[interior])

    def merge(self, other: BoundaryCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted other classes or with another tolerance.
        """
        if (other.n_classes, other.tolerance_px) != (self.n_classes, self.tolerance_px):
            mine, its = (self.n_classes, self.tolerance_px), (other.n_classes, other.tolerance_px)
            raise AssessmentError(f"counters with (classes, tolerance_px) {mine} and {its} cannot be merged; make them alike")
        self.counts += other.counts

    def result(self) -> BoundaryScores:
        """Give the scores so far."""
        n_p, hit_p, n_r, hit_r = self.counts.astype(np.float64)
        precision, recall = _divide(hit_p, n_p), _divide(hit_r, n_r)
        a, b = np.nan_to_num(precision), np.nan_to_num(recall)
        f1 = np.where(n_p + n_r > 0, np.nan_to_num(_divide(2 * a * b, a + b)), np.nan)
        return BoundaryScores(precision, recall, f1, float(_nan_mean(f1)))

    def _near(self, boundary: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if not boundary.any():
            return np.zeros(boundary.shape, dtype=bool)
        near: NDArray[np.bool_] = distance_transform_edt(~boundary) <= self.tolerance_px
        return near
