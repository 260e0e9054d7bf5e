"""What is measured of segments.

Receives imagery (band, y, x) and segment numbers (see `features.segments`); hands on tables by segment and bands of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landweave.errors import GridError

__all__ = ["segment_features", "segment_statistics"]


def segment_statistics(image: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Measure every segment: the mean and the standard deviation of each band, and its size.

    Args:
        image: (band, y, x); NaN is left out.
        labels: Segment numbers (y, x), -1 for none.

    Returns:
        The segments' numbers in order, and float32 (segment, 2 bands + 1): means, standard deviations (divisor n), pixels.

    Raises:
        GridError: If the imagery is on other pixels.
    """
    if image.ndim != 3 or image.shape[1:] != labels.shape:
        raise GridError(f"imagery of shape {image.shape} does not lie on segments of {labels.shape}; give (band, y, x) of the "
                       "same pixels")  # fmt: skip
    known = labels >= 0
    numbers, inverse = np.unique(labels[known], return_inverse=True)
    n = len(numbers)
    means, deviations = [], []
    for band in image.astype(np.float64):
        values = band[known]
        seen = ~np.isnan(values)
        count = np.maximum(np.bincount(inverse[seen], minlength=n), 1)
        mean = np.bincount(inverse[seen], weights=values[seen], minlength=n) / count
        apart = np.bincount(inverse[seen], weights=(values[seen] - mean[inverse[seen]]) ** 2, minlength=n) / count
        empty = np.bincount(inverse[seen], minlength=n) == 0
        means.append(np.where(empty, np.nan, mean))
        deviations.append(np.where(empty, np.nan, np.sqrt(apart)))
    sizes = np.bincount(inverse, minlength=n).astype(np.float64)
    return numbers, np.stack([*means, *deviations, sizes], axis=1).astype(np.float32)


def segment_features(image: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give every pixel the statistics of its segment, as features for object-based mapping.

    Args:
        image: (band, y, x); NaN is left out.
        labels: Segment numbers (y, x), -1 for none. Whole segments: take windows of the anchored lattice.

    Returns:
        float32 (2 bands + 1, y, x) in the order of `segment_statistics`; NaN where there is no segment.
    """
    numbers, table = segment_statistics(image, labels)
    out = np.full((table.shape[1], *labels.shape), np.nan, dtype=np.float32)
    known = labels >= 0
    out[:, known] = table[np.searchsorted(numbers, labels[known])].T
    return out
