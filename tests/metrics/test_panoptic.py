"""Panoptic quality, against a published example and figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics.panoptic import PanopticCounter


def _score(predicted, reference, n_classes):
    counter = PanopticCounter(n_classes)
    counter.update(predicted, reference)
    return counter.result()


def test_example_of_torchmetrics_is_reproduced():
    # torchmetrics 1.0 documentation, PanopticQuality: classes 0 and 1 are things, 6 and 7 stuff; PQ 0.5463
    predicted = np.array([
        [[6, 0], [0, 0], [6, 0], [6, 0]], [[0, 0], [0, 0], [6, 0], [0, 1]], [[0, 0], [0, 0], [6, 0], [0, 1]],
        [[0, 0], [7, 0], [6, 0], [1, 0]], [[0, 0], [7, 0], [7, 0], [7, 0]],
    ])  # fmt: skip
    reference = np.array([
        [[6, 0], [0, 1], [6, 0], [0, 1]], [[0, 1], [0, 1], [6, 0], [0, 1]], [[0, 1], [0, 1], [6, 0], [1, 0]],
        [[0, 1], [7, 0], [1, 0], [1, 0]], [[0, 1], [7, 0], [7, 0], [7, 0]],
    ])  # fmt: skip
    found = _score((predicted[..., 0], predicted[..., 1]), (reference[..., 0], reference[..., 1]), 8)
    assert found.mean_pq == pytest.approx(0.5463, abs=5e-5)
    assert np.isnan(found.pq[2:6]).all()


def test_quality_worked_by_hand():
    # segment of 4 matched by 3 of its pixels (IoU .75), one missed, one invented: SQ .75, RQ 1 / (1 + 1/2 + 1/2), PQ .375
    reference = np.array([1, 1, 1, 1, 2, 2, 0, 0])
    predicted = np.array([5, 5, 5, 0, 0, 0, 7, 7])
    found = _score((np.where(predicted > 0, 0, -1), predicted), (np.where(reference > 0, 0, 1), reference), 2)
    assert (found.sq[0], found.rq[0], found.pq[0]) == (0.75, 0.5, 0.375)


def test_segments_of_another_class_do_not_match():
    ones = np.ones(4, dtype=int)
    found = _score((np.zeros(4, dtype=int), ones), (ones, ones), 2)
    assert found.rq.tolist() == [0.0, 0.0]
    assert found.mean_pq == 0.0


def test_pixels_without_reference_cost_nothing():
    # five pixels, two of them nodata: the union is three; the second prediction lies on nodata and is no false positive
    predicted = np.array([1, 1, 1, 1, 1, 2, 2])
    reference = np.array([1, 1, 1, 0, 0, 0, 0])
    found = _score((np.zeros(7, dtype=int), predicted), (np.where(reference > 0, 0, -1), reference), 1)
    assert (found.pq[0], found.sq[0], found.rq[0]) == (1.0, 1.0, 1.0)


def test_numbers_of_instances_do_not_matter(rng):
    instance, classes = rng.integers(0, 6, (20, 20)), rng.integers(0, 3, (20, 20))
    found = _score((classes, instance * 1000 - 7), (classes, 5 - instance), 3)
    assert found.mean_pq == 1.0


def test_images_and_workers_add_up(rng):
    images = [(rng.integers(0, 2, (4, 8, 8)), rng.integers(0, 3, (4, 8, 8))) for _ in range(2)]
    whole, first, second = PanopticCounter(2), PanopticCounter(2), PanopticCounter(2)
    for i, (c, n) in enumerate(images):
        whole.update((c[0] * 0 + c[1], n[0]), (c[1], n[0] // 2))
        (first, second)[i].update((c[1], n[0]), (c[1], n[0] // 2))
    first.merge(second)
    assert first.result().mean_pq == whole.result().mean_pq


def test_wrong_input_is_refused():
    a = np.zeros(3, dtype=int)
    with pytest.raises(AssessmentError, match="both of map and reference"):
        PanopticCounter(1).update((a, a), (a, a[:2]))
    with pytest.raises(AssessmentError, match="class index 1 occurs"):
        PanopticCounter(1).update((a + 1, a), (a, a))
    with pytest.raises(AssessmentError, match="use one legend"):
        PanopticCounter(1).merge(PanopticCounter(2))
