"""Votes by segment: every segment gets one class.

Receives a map's classes and segment numbers (see `features.segments`); hands on classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["vote_by_segment"]


def vote_by_segment(index: NDArray[np.int16], labels: NDArray[np.int64], *, n_classes: int) -> NDArray[np.int16]:
    """Give every pixel of a segment the commonest class among its pixels (the first in the legend among equals).

    Args:
        index: class_index (y, x); -1 has no vote and stays.
        labels: Segment numbers (y, x); pixels of no segment keep their class.
        n_classes: Number of classes.

    Returns:
        int16 (y, x).
    """
    segments, inverse = np.unique(labels, return_inverse=True)
    inverse = inverse.reshape(labels.shape)
    voting = (index >= 0) & (labels >= 0)
    votes = np.bincount(inverse[voting] * n_classes + index[voting], minlength=len(segments) * n_classes)
    winner = votes.reshape(len(segments), n_classes).argmax(axis=1).astype(np.int16)
    return np.where(voting, winner[inverse], index).astype(np.int16)
