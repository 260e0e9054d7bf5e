"""Joint counts of the codes of two rasters, block by block: the fast way to an error matrix of whole maps.

Receives stored codes (uint8) of two rasters on one grid, as they come out of the files; hands on counts of every pair of codes,
from which the matrix of any classes, with any codes for nodata, is taken without looking at a pixel again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError

__all__ = ["CodeCounter", "count_codes"]

N_CODES = 256


def count_codes(predicted: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.int64]:
    """Count the pairs of codes of two uint8 arrays.

    Releases the interpreter's lock, so that threads count at the same time.

    Args:
        predicted: Codes of the map, uint8 of any shape.
        reference: Codes of the reference, uint8 of the same shape.

    Returns:
        Counts (256 predicted, 256 reference); nodata codes are counted like any other.

    Raises:
        AssessmentError: If shapes differ or an array is not uint8.
    """
    from landweave.metrics.code_kernels import count_pairs

    predicted, reference = np.asarray(predicted), np.asarray(reference)
    if predicted.shape != reference.shape:
        raise AssessmentError(f"predicted codes have shape {predicted.shape}, reference codes {reference.shape}; "
                              "give two rasters on one grid")  # fmt: skip
    for what, array in (("predicted", predicted), ("reference", reference)):
        if array.dtype != np.uint8:
            raise AssessmentError(f"{what} codes have dtype {array.dtype}; count_codes takes uint8, for other whole numbers "
                                  "use count_confusion with class indices")  # fmt: skip
    counts: NDArray[np.int64] = count_pairs(np.ascontiguousarray(predicted).ravel(), np.ascontiguousarray(reference).ravel())
    return counts


class CodeCounter:
    """Adds up joint counts of codes over blocks that arrive one after the other.

    Attributes:
        counts: int64 (256 predicted, 256 reference) so far.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros((N_CODES, N_CODES), dtype=np.int64)

    def update(self, predicted: NDArray[Any], reference: NDArray[Any]) -> None:
        """Add the pairs of one block; see `count_codes`."""
        self.counts += count_codes(predicted, reference)

    def merge(self, other: CodeCounter) -> None:
        """Add what another worker has counted."""
        self.counts += other.counts

    def result(self, codes: Sequence[int]) -> NDArray[np.int64]:
        """Give the error matrix of some classes; pairs with any other code (nodata, unsure) on either side are left out.

        Args:
            codes: Class codes 0..255 in the order of the matrix (K).

        Returns:
            Counts (K predicted, K reference).

        Raises:
            AssessmentError: If a code is not in 0..255 or stands twice.
        """
        at = np.asarray(codes, dtype=np.int64)
        if len(set(at.tolist())) != len(at) or ((at < 0) | (at >= N_CODES)).any():
            raise AssessmentError(
                f"class codes {at.tolist()} do not name classes of a uint8 raster; give each code 0..255 once"
            )
        return self.counts[np.ix_(at, at)]
