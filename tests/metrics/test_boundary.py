"""Boundary F1, against distances taken pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import pairwise_distances

from landweave.errors import AssessmentError
from landweave.metrics.boundary import BoundaryCounter, find_boundary


@pytest.fixture
def maps(rng):
    """A map and a reference of three classes in patches (50, 60), with a hole in the reference."""
    field = gaussian_filter(rng.standard_normal((50, 60)), 4)
    cuts = np.quantile(field, [0.3, 0.7])
    reference = np.digitize(field, cuts)
    predicted = np.digitize(field + 0.3 * gaussian_filter(rng.standard_normal((50, 60)), 2), cuts)
    reference[20:25, 30:33] = -1
    return predicted, reference


def _score(predicted, reference, **options):
    counter = BoundaryCounter(3, **options)
    counter.update(predicted, reference)
    return counter


def test_boundary_is_inside_the_class_and_neither_at_nodata_nor_at_the_edge():
    classes = np.array([[0, 0, 0], [0, 1, 0], [0, 0, -1]])
    assert find_boundary(classes, 1).sum() == 1
    assert find_boundary(classes, 0).astype(int).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]


def test_counts_are_those_of_all_distances(maps):
    predicted, reference = np.where(maps[1] < 0, -1, maps[0]), maps[1]
    counts = _score(*maps, tolerance_px=1.5).counts
    for c in range(3):
        p, r = (np.argwhere(find_boundary(a, c)) for a in (predicted, reference))
        near = pairwise_distances(p, r) <= 1.5
        assert counts[:, c].tolist() == [len(p), near.any(axis=1).sum(), len(r), near.any(axis=0).sum()]


def test_shift_within_the_tolerance_costs_nothing_and_beyond_it_all():
    reference = np.zeros((20, 20), dtype=int)
    reference[:, 10:] = 1
    shifted = np.roll(reference, 2, axis=1)
    shifted[:, :2] = 0
    assert _score(shifted, reference, tolerance_px=2).result().mean_f1 == 1.0
    assert _score(shifted, reference, tolerance_px=1.9).result().mean_f1 == 0.0


def test_blocks_with_a_margin_give_the_counts_of_the_whole(maps):
    whole, parts = _score(*maps, tolerance_px=2), [BoundaryCounter(3, tolerance_px=2) for _ in range(2)]
    predicted, reference = maps
    parts[0].update(predicted[:28], reference[:28], halo_px=(0, 3, 0, 0))
    parts[1].update(predicted[22:], reference[22:], halo_px=(3, 0, 0, 0))
    parts[0].merge(parts[1])
    assert np.array_equal(parts[0].counts, whole.counts)


def test_class_without_boundary_on_one_side_scores_zero_and_on_both_none():
    reference = np.zeros((6, 6), dtype=int)
    predicted = reference.copy()
    predicted[2:4, 2:4] = 1
    f1 = _score(predicted, reference).result().f1
    assert f1[:2].tolist() == [0.0, 0.0]
    assert np.isnan(f1[2])


def test_wrong_input_is_refused():
    with pytest.raises(AssessmentError, match=r"two blocks \(y, x\) on one grid"):
        BoundaryCounter(2).update(np.zeros(4, dtype=int), np.zeros(4, dtype=int))
    with pytest.raises(AssessmentError, match="make them alike"):
        BoundaryCounter(2).merge(BoundaryCounter(2, tolerance_px=3))
