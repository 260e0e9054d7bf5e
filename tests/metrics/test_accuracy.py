"""Scores of error matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import kappa, matrix_parts, score_baseline, score_matrix, score_parts
from landweave.metrics.confusion import count_confusion

MATRICES = arrays(np.float64, (4, 4), elements=st.integers(0, 50).map(float))


def test_scores_agree_with_scikit_learn(rng):
    truth = rng.integers(0, 5, 500)
    predicted = np.where(rng.random(500) < 0.6, truth, rng.integers(0, 5, 500))
    matrix = count_confusion(predicted, truth, 5)
    assert score_matrix(matrix, "overall_accuracy") == pytest.approx(sk.accuracy_score(truth, predicted))
    np.testing.assert_allclose(score_matrix(matrix, "users"), sk.precision_score(truth, predicted, average=None))
    np.testing.assert_allclose(score_matrix(matrix, "producers"), sk.recall_score(truth, predicted, average=None))
    np.testing.assert_allclose(score_matrix(matrix, "f1"), sk.f1_score(truth, predicted, average=None))
    np.testing.assert_allclose(score_matrix(matrix, "iou"), sk.jaccard_score(truth, predicted, average=None))
    assert score_matrix(matrix, "macro_f1") == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert kappa(matrix) == pytest.approx(sk.cohen_kappa_score(truth, predicted))


@given(MATRICES)
@settings(max_examples=50, deadline=None)
def test_shares_stay_within_0_and_1_or_are_undefined(matrix):
    for name in ("overall_accuracy", "users", "producers", "f1", "iou", "macro_f1"):
        score = score_matrix(matrix, name)
        assert (np.isnan(score) | ((score >= 0) & (score <= 1))).all()


@given(MATRICES, st.floats(0.001, 1000))
@settings(max_examples=30, deadline=None)
def test_proportions_score_as_counts_do(matrix, factor):
    for name in ("overall_accuracy", "users", "f1", "macro_f1"):
        np.testing.assert_allclose(score_matrix(matrix * factor, name), score_matrix(matrix, name))


def test_leading_axes_are_free(rng):
    matrices = rng.integers(1, 9, (3, 2, 4, 4))
    assert score_matrix(matrices, "f1").shape == (3, 2, 4)
    assert score_matrix(matrices, "macro_f1")[2, 1] == pytest.approx(float(score_matrix(matrices[2, 1], "macro_f1")))


def test_a_class_never_predicted_counts_with_zero_and_one_without_reference_not_at_all():
    matrix = np.array([[8, 0, 0], [0, 0, 0], [2, 0, 0]])  # class 1 nowhere, class 2 mapped but not in the reference
    assert score_matrix(matrix, "macro_f1") == pytest.approx(16 / 18)
    missed = np.array([[8, 4], [0, 0]])
    assert score_matrix(missed, "macro_f1") == pytest.approx(16 / 20 / 2)


def test_a_class_absent_on_both_sides_is_undefined():
    matrix = np.array([[3, 0], [0, 0]])
    assert np.isnan(score_matrix(matrix, "users")[1])
    assert np.isnan(score_matrix(matrix, "iou")[1])


def test_an_empty_matrix_scores_nothing():
    assert np.isnan(score_matrix(np.zeros((2, 2)), "overall_accuracy"))
    assert np.isnan(kappa(np.zeros((2, 2))))


def test_majority_and_prior_baselines():
    majority, prior = score_baseline(np.array([60, 30, 10]), "majority"), score_baseline(np.array([60, 30, 10]), "prior")
    assert majority["overall_accuracy"] == pytest.approx(0.6)
    assert majority["macro_f1"] == pytest.approx(2 * 0.6 / 1.6 / 3)
    assert prior["overall_accuracy"] == pytest.approx(0.36 + 0.09 + 0.01)
    assert prior["macro_f1"] == pytest.approx(1 / 3)


def test_a_baseline_needs_samples():
    with pytest.raises(AssessmentError, match="hold no sample; a baseline needs at least one"):
        score_baseline(np.zeros(3), "prior")


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(AssessmentError, match=r"shape \(2, 3\); expected"):
        matrix_parts(np.zeros((2, 3)))


def test_negative_counts_are_refused():
    with pytest.raises(AssessmentError, match="holds -1; counts and proportions are 0 or more"):
        matrix_parts(np.array([[1, -1], [0, 1]]))


def test_an_unknown_score_lists_the_known_ones():
    with pytest.raises(AssessmentError, match="no score named 'accuracy'; known: overall_accuracy"):
        score_parts(np.ones((3, 2)), "accuracy")
