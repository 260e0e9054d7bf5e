from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import check_by_neighbours, find_conflicts, find_outliers
from landweave.label.neighbours import nearest_rows


def test_nearest_rows_are_those_of_other_groups():
    x = np.array([[0.0], [0.1], [1.0], [5.0]], dtype=np.float32)
    near, distance = nearest_rows(x, np.array([0, 0, 1, 2]), 2)
    assert near[0].tolist() == [2, 3]
    assert distance[0] == pytest.approx([1, 5], rel=1e-5)


def test_too_few_rows_of_other_groups_are_refused():
    with pytest.raises(SampleError, match="4 rows, 3 of them in one group, do not give 2 neighbours"):
        nearest_rows(np.zeros((4, 1), np.float32), np.array([0, 0, 0, 1]), 2)


def test_planted_errors_are_found(features, noisy, truth):
    labels, wrong = noisy
    found = check_by_neighbours(features, labels, np.arange(len(labels)), n_classes=3)
    hit = found.suspect & wrong
    assert hit.sum() >= 0.9 * wrong.sum()
    assert hit.sum() >= 0.9 * found.suspect.sum()
    assert (found.suggested[hit] == truth[hit]).all()


def test_a_wrong_polygon_is_not_excused_by_its_own_pixels(features, truth):
    labels, groups = truth.copy(), np.arange(len(truth))
    polygon = np.flatnonzero(truth == 1)[:12]
    labels[polygon], groups[polygon] = 2, 1000
    features[polygon] = features[polygon[0]] + np.arange(12, dtype=np.float32)[:, None] / 1000  # pixels of one field
    assert check_by_neighbours(features, labels, groups, n_classes=3).suspect[polygon].all()
    assert not check_by_neighbours(features, labels, np.arange(len(truth)), n_classes=3).suspect[polygon].all()


def test_a_row_among_another_class_is_an_outlier(features, truth):
    labels = truth.copy()
    odd = np.flatnonzero(truth == 1)[:2]
    labels[odd] = 2
    found = find_outliers(features, labels, np.arange(len(labels)))
    assert found.suspect[odd].all()
    assert (found.suggested[odd] == 1).all()
    assert found.suspect.sum() < 0.15 * len(labels)


def test_small_classes_are_left_unjudged(features, truth):
    labels = np.where(np.arange(len(truth)) < 5, 0, np.where(truth == 0, 1, truth))
    found = find_outliers(features, labels, np.arange(len(labels)))
    assert np.isnan(found.score[:5]).all()
    assert "5 rows of small classes not judged" in found.note


def test_the_minority_of_a_place_is_in_conflict():
    found = find_conflicts(np.array([7, 7, 7, 8, 9, 9]), np.array([0, 0, 1, 1, 0, 2]), n_classes=3)
    assert found.suspect.tolist() == [False, False, True, False, True, True]
    assert found.suggested.tolist() == [-1, -1, 0, -1, -1, -1]
    assert np.isnan(found.score[3])
    assert found.score[2] == pytest.approx(2 / 3)
