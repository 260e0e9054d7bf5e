"""Multi-label scores, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from landweave.errors import AssessmentError
from landweave.metrics.multilabel import MultilabelCounter


@pytest.fixture
def table(rng):
    """Scores in the 250 steps of a stored probability, and truths: (200, 4) each."""
    truth = (rng.random((200, 4)) < [0.5, 0.3, 0.1, 0.05]).astype(int)
    scores = np.clip(0.3 * truth + 0.7 * rng.random((200, 4)), 0, 1)
    return np.rint(scores * 250) / 250, truth


def _score(scores, truth, **options):
    counter = MultilabelCounter(truth.shape[1], **options)
    counter.update(scores, truth)
    return counter.result()


def test_average_precisions_are_those_of_scikit_learn(table):
    scores, truth = table
    found = _score(scores, truth)
    assert found.average_precision == pytest.approx(average_precision_score(truth, scores, average=None), abs=1e-12)
    assert found.map_macro == pytest.approx(average_precision_score(truth, scores, average="macro"), abs=1e-12)
    assert found.map_micro == pytest.approx(average_precision_score(truth, scores, average="micro"), abs=1e-12)


def test_f1_is_that_of_scikit_learn(table):
    scores, truth = table
    found, answer = _score(scores, truth, threshold=0.4), scores >= 0.4
    assert found.f1 == pytest.approx(f1_score(truth, answer, average=None), abs=1e-12)
    assert found.f1_macro == pytest.approx(f1_score(truth, answer, average="macro"), abs=1e-12)
    assert found.f1_micro == pytest.approx(f1_score(truth, answer, average="micro"), abs=1e-12)


def test_continuous_scores_are_near_the_exact_figure(rng):
    truth = (rng.random((3000, 1)) < 0.2).astype(int)
    scores = np.clip(0.2 * truth + 0.8 * rng.random((3000, 1)), 0, 1)
    # a bin of 1/4000 ties less than one pair in 3000 on average
    assert _score(scores, truth).map_macro == pytest.approx(average_precision_score(truth, scores), abs=1e-3)


def test_blocks_and_workers_add_up(table):
    scores, truth = table
    first, second = MultilabelCounter(4), MultilabelCounter(4)
    first.update(scores[:70], truth[:70])
    second.update(scores[70:], truth[70:])
    first.merge(second)
    assert first.result().map_micro == _score(scores, truth).map_micro


def test_nodata_of_one_label_leaves_the_others_of_the_row(table):
    scores, truth = table
    scores, truth = scores.copy(), truth.copy()
    truth[:20, 0], scores[20:40, 0] = -1, np.nan
    found = _score(scores, truth)
    assert found.average_precision[0] == pytest.approx(average_precision_score(truth[40:, 0], scores[40:, 0]))
    assert found.average_precision[1] == pytest.approx(average_precision_score(truth[:, 1], scores[:, 1]))


def test_label_that_never_occurs_is_in_no_macro_mean():
    found = _score(np.array([[0.9, 0.8], [0.1, 0.2]]), np.array([[1, 0], [0, 0]]))
    assert np.isnan(found.average_precision[1])
    assert (found.map_macro, found.f1_macro) == (1.0, 1.0)


@pytest.mark.parametrize(("score", "truth"), [(1.2, 1), (-0.1, 0), (0.5, 2)])
def test_values_out_of_range_are_refused(score, truth):
    with pytest.raises(AssessmentError, match=r"expected scores 0\.\.1 and truths 0 or 1"):
        _score(np.array([[score]]), np.array([[truth]]))


def test_shapes_must_agree():
    with pytest.raises(AssessmentError, match=r"expected \(n, 2\)"):
        MultilabelCounter(2).update(np.zeros((3, 2)), np.zeros((3, 1)))


def test_counters_that_differ_cannot_be_merged():
    with pytest.raises(AssessmentError, match="make them alike"):
        MultilabelCounter(2).merge(MultilabelCounter(2, threshold=0.3))
