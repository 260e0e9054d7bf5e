"""Confusion counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landweave.errors import AssessmentError
from landweave.metrics import confusion
from landweave.metrics.confusion import ConfusionCounter, count_by_group, count_confusion, count_parts

PAIRS = arrays(np.int16, st.tuples(st.just(2), st.integers(0, 60)), elements=st.integers(-1, 3))


def test_rows_are_predictions_and_columns_reference():
    counts = count_confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert counts.tolist() == [[1, 1], [0, 1]]


@given(PAIRS)
@settings(max_examples=40, deadline=None)
def test_pairs_with_nodata_on_either_side_are_in_no_cell(pairs):
    predicted, reference = pairs
    assert count_confusion(predicted, reference, 4).sum() == ((predicted >= 0) & (reference >= 0)).sum()


def test_chunks_do_not_change_the_counts(monkeypatch, rng):
    predicted, reference = rng.integers(-1, 5, (2, 40, 30))
    whole = count_confusion(predicted, reference, 5)
    monkeypatch.setattr(confusion, "_CHUNK", 7)
    assert (count_confusion(predicted, reference, 5) == whole).all()


def test_counter_adds_blocks_up_to_the_whole(rng):
    predicted, reference = rng.integers(-1, 4, (2, 100))
    counter, other = ConfusionCounter(4), ConfusionCounter(4)
    counter.update(predicted[:33], reference[:33])
    other.update(predicted[33:], reference[33:])
    counter.merge(other)
    assert (counter.counts == count_confusion(predicted, reference, 4)).all()


def test_counters_of_other_legends_do_not_merge():
    with pytest.raises(AssessmentError, match="3 and 4 classes cannot be merged"):
        ConfusionCounter(3).merge(ConfusionCounter(4))


def test_groups_add_up_to_the_whole(rng):
    predicted, reference, group = rng.integers(-1, 4, 200), rng.integers(-1, 4, 200), rng.integers(0, 6, 200)
    by_group = count_by_group(group, predicted, reference, n_groups=6, n_classes=4)
    assert (by_group.sum(axis=0) == count_confusion(predicted, reference, 4)).all()
    assert (by_group[2] == count_confusion(predicted[group == 2], reference[group == 2], 4)).all()


def test_parts_are_the_diagonal_and_margins_of_each_group(rng):
    predicted, reference, group = rng.integers(-1, 4, 200), rng.integers(-1, 4, 200), rng.integers(0, 6, 200)
    matrix = count_by_group(group, predicted, reference, n_groups=6, n_classes=4)
    parts = count_parts(group, predicted, reference, n_groups=6, n_classes=4)
    assert (parts[:, 0] == np.diagonal(matrix, axis1=1, axis2=2)).all()
    assert (parts[:, 1] == matrix.sum(axis=2)).all()
    assert (parts[:, 2] == matrix.sum(axis=1)).all()


def test_an_index_beyond_the_classes_is_named():
    with pytest.raises(AssessmentError, match="class index 3 occurs but there are 3 classes"):
        count_confusion(np.array([3]), np.array([0]), 3)


def test_shapes_have_to_match():
    with pytest.raises(AssessmentError, match=r"shape \(2,\), reference classes \(3,\)"):
        count_confusion(np.zeros(2, int), np.zeros(3, int), 1)


def test_probabilities_are_not_taken_for_classes():
    with pytest.raises(AssessmentError, match="dtype float64; give whole class indices"):
        count_confusion(np.zeros(2), np.zeros(2, int), 1)
