"""Votes by segment."""

from __future__ import annotations

import numpy as np

from landweave.maps.segments import vote_by_segment


def test_the_commonest_class_of_a_segment_wins():
    labels = np.array([[5, 5, 5, 9], [5, 5, 9, 9], [-1, -1, 9, 9]])
    index = np.array([[0, 0, 1, 2], [1, -1, 2, 1], [1, 2, 1, -1]], dtype=np.int16)
    assert vote_by_segment(index, labels, n_classes=3).tolist() == [[0, 0, 0, 1], [0, -1, 1, 1], [1, 2, 1, -1]]
