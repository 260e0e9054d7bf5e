"""Scores of change, against figures worked by hand from the papers' formulas and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, jaccard_score

from landweave.errors import AssessmentError
from landweave.metrics.change import ChangeCounter, score_sek


@pytest.fixture
def dates(rng):
    """Earlier and later classes (3), predicted and true, with nodata here and there: four arrays of 400."""
    before = rng.integers(0, 3, 400)
    after = np.where(rng.random(400) < 0.3, rng.integers(0, 3, 400), before)

    def disturb(classes):
        return np.where(rng.random(400) < 0.15, rng.integers(-1, 3, 400), classes)

    return (disturb(before), disturb(after)), (before, after)


def _score(predicted, reference, n_classes=3):
    counter = ChangeCounter(n_classes)
    counter.update(predicted, reference)
    return counter


def _valid(predicted, reference):
    keep = (predicted[0] >= 0) & (predicted[1] >= 0)
    return [a[keep] for a in (*predicted, *reference)]


def test_binary_scores_are_those_of_scikit_learn(dates):
    p0, p1, r0, r1 = _valid(*dates)
    found = _score(*dates).result()
    assert found.f1 == pytest.approx(f1_score(r0 != r1, p0 != p1))
    assert found.iou == pytest.approx(jaccard_score(r0 != r1, p0 != p1))
    assert found.miou == pytest.approx(jaccard_score(r0 != r1, p0 != p1, average="macro"))


def test_scs_is_the_mean_of_change_iou_and_class_iou_where_change_is_true(dates):
    p0, p1, r0, r1 = _valid(*dates)
    found, moved = _score(*dates).result(), r0 != r1
    assert found.bc == pytest.approx(jaccard_score(moved, p0 != p1))
    assert found.sc == pytest.approx(jaccard_score(r1[moved], p1[moved], average="macro"))
    assert found.scs == pytest.approx((found.bc + found.sc) / 2)


def test_scs_worked_by_hand():
    # truth changes in pixels 0, 1, 2; the map says so for 0, 1, 3: BC = 2 / 4. Later classes there are 1, 1, 2 and are mapped
    # as 1, 2, 2: IoU of class 1 is 1/2, of class 2 1/2, so SC = 1/2
    reference = np.array([0, 0, 0, 0, 0]), np.array([1, 1, 2, 0, 0])
    predicted = np.array([0, 0, 2, 0, 0]), np.array([1, 2, 2, 1, 0])
    found = _score(predicted, reference).result()
    assert (found.bc, found.sc, found.scs) == (0.5, 0.5, 0.5)


def test_sek_is_kappa_without_the_unchanged_times_the_exponential_of_iou(dates):
    p0, p1, r0, r1 = _valid(*dates)
    p = np.concatenate([np.where(p0 != p1, a + 1, 0) for a in (p0, p1)])
    r = np.concatenate([np.where(r0 != r1, a + 1, 0) for a in (r0, r1)])
    either = (p > 0) | (r > 0)
    expected = cohen_kappa_score(p[either], r[either]) * math.exp(jaccard_score(r > 0, p > 0) - 1)
    assert _score(*dates).result().sek == pytest.approx(expected)


def test_fscd_is_the_micro_f1_of_the_classes_of_change(dates):
    p0, p1, r0, r1 = _valid(*dates)
    p = np.concatenate([np.where(p0 != p1, a + 1, 0) for a in (p0, p1)])
    r = np.concatenate([np.where(r0 != r1, a + 1, 0) for a in (r0, r1)])
    assert _score(*dates).result().fscd == pytest.approx(f1_score(r, p, labels=[1, 2, 3], average="micro"))


def test_sek_worked_by_hand():
    # q without its first cell: rows (0, 1, 0), (1, 2, 1), (0, 0, 5); n 10, agreement .7, chance (1*1 + 4*3 + 5*6) / 100 = .43;
    # IoU of change 8 / 10; Fscd 2 * 7 / (9 + 9)
    sek, fscd = score_sek(np.array([[80, 1, 0], [1, 2, 1], [0, 0, 5]]))
    assert sek == pytest.approx((0.7 - 0.43) / 0.57 * math.exp(0.8 - 1))
    assert fscd == pytest.approx(14 / 18)


def test_perfect_map_has_full_scores(dates):
    _, reference = dates
    found = _score(reference, reference).result()
    assert (found.f1, found.scs, found.fscd) == (1.0, 1.0, 1.0)
    assert found.sek == pytest.approx(1.0)


def test_blocks_and_workers_add_up(dates):
    predicted, reference = dates
    first = _score(tuple(a[:150] for a in predicted), tuple(a[:150] for a in reference))
    first.merge(_score(tuple(a[150:] for a in predicted), tuple(a[150:] for a in reference)))
    assert first.result() == _score(predicted, reference).result()


def test_map_without_change_has_no_change_scores():
    same = np.array([0, 1, 2])
    found = _score((same, same), (same, same)).result()
    assert np.isnan([found.f1, found.scs, found.sek, found.fscd]).all()


def test_wrong_input_is_refused():
    a = np.array([0, 1])
    with pytest.raises(AssessmentError, match="both dates of map and reference"):
        ChangeCounter(2).update((a, a), (a, a[:1]))
    with pytest.raises(AssessmentError, match="indices run from 0 to 1"):
        ChangeCounter(2).update((a, a + 1), (a, a))
    with pytest.raises(AssessmentError, match="use one legend"):
        ChangeCounter(2).merge(ChangeCounter(3))
