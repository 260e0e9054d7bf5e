"""Scores of ordered classes, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error, root_mean_squared_error

from landweave.errors import AssessmentError
from landweave.metrics.confusion import count_confusion
from landweave.metrics.ordinal import score_ordinal


@pytest.fixture
def pairs(rng):
    """Grades 0..4, predicted one off now and then."""
    reference = rng.integers(0, 5, 300)
    return np.clip(reference + rng.integers(-1, 3, 300), 0, 4), reference


def test_scores_are_those_of_scikit_learn(pairs):
    predicted, reference = pairs
    matrix = count_confusion(predicted, reference, 5)
    kappa = cohen_kappa_score(predicted, reference, weights="quadratic")
    assert float(score_ordinal(matrix, "quadratic_kappa")) == pytest.approx(kappa, abs=1e-12)
    assert float(score_ordinal(matrix, "rmse")) == pytest.approx(root_mean_squared_error(reference, predicted), abs=1e-12)
    assert float(score_ordinal(matrix, "mae")) == pytest.approx(mean_absolute_error(reference, predicted), abs=1e-12)
    assert float(score_ordinal(matrix, "bias")) == pytest.approx((predicted - reference).mean(), abs=1e-12)


def test_levels_give_the_errors_their_unit(pairs):
    predicted, reference = pairs
    levels = np.array([0.0, 5.0, 20.0, 50.0, 100.0])
    rmse = score_ordinal(count_confusion(predicted, reference, 5), "rmse", levels=levels)
    assert float(rmse) == pytest.approx(root_mean_squared_error(levels[reference], levels[predicted]), abs=1e-10)


def test_leading_axes_are_kept(pairs):
    matrix = count_confusion(*pairs, 5)
    both = score_ordinal(np.stack([matrix, matrix.T]), "bias")
    assert both[0] == pytest.approx(-both[1])


def test_empty_matrix_has_no_score():
    assert np.isnan(score_ordinal(np.zeros((3, 3)), "rmse"))
    assert np.isnan(score_ordinal(np.zeros((3, 3)), "quadratic_kappa"))


def test_wrong_input_is_refused():
    with pytest.raises(AssessmentError, match="K predicted, K reference"):
        score_ordinal(np.zeros((3, 2)), "rmse")
    with pytest.raises(AssessmentError, match="one level for each"):
        score_ordinal(np.zeros((3, 3)), "rmse", levels=np.zeros(2))
    with pytest.raises(AssessmentError, match="known: rmse, mae"):
        score_ordinal(np.zeros((3, 3)), "tau")
