"""The machine's own class is the most probable one; the sigmoids are Platt's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from landweave.models.svm import ProbabilitySVC, SvmEngine, couple, fit_sigmoid, pair_decisions, vote


@pytest.fixture(params=[2, 4])
def rows(request, rng):
    y = rng.integers(0, request.param, 160)
    return rng.normal(size=(160, 5)) + 0.8 * y[:, None] * [1, 0, -1, 0.5, 0], y


def test_decisions_and_classes_are_those_of_libsvm(rows, rng):
    X, y = rows
    fitted = ProbabilitySVC(C=3.0).fit(X, y)
    new = rng.normal(size=(500, 5)) * 2
    scaled = fitted.scaler_.transform(new)
    np.testing.assert_allclose(fitted.to_engine().decide(new), pair_decisions(fitted.machine_, scaled), atol=1e-10)
    own = SVC(C=3.0, break_ties=True, decision_function_shape="ovr").fit(fitted.scaler_.transform(X), y).predict(scaled)
    np.testing.assert_array_equal(fitted.predict(new), own)


def test_most_probable_class_is_the_voted_one(rows, rng):
    X, y = rows
    fitted = ProbabilitySVC().fit(X, y)
    proba = fitted.predict_proba(rng.normal(size=(2000, 5)) * 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    new = rng.normal(size=(2000, 5)) * 2
    np.testing.assert_array_equal(fitted.predict_proba(new).argmax(axis=1), fitted.to_engine().predict_column(new))


def test_sigmoid_is_the_likeliest_one(rng):
    decisions = rng.normal(size=4000)
    is_first = rng.random(4000) < 1 / (1 + np.exp(-2.0 * decisions + 0.5))
    # within three standard errors of the parameters that drew the labels
    np.testing.assert_allclose(fit_sigmoid(decisions, is_first), (-2.0, 0.5), atol=0.2)


def test_sigmoid_without_rows_of_a_class_is_the_plain_one():
    assert fit_sigmoid(np.array([1.0, 2.0]), np.array([True, True])) == (-1.0, 0.0)


def test_coupling_two_classes_is_the_sigmoid_itself():
    proba = couple(np.array([[0.7]]), np.array([[-1.5, 0.2]]), 2)
    np.testing.assert_allclose(proba[0, 0], 1 / (1 + np.exp(-1.5 * 0.7 + 0.2)))


def test_a_cycle_of_votes_goes_to_the_most_confident():
    # 0 beats 1, 1 beats 2, 2 beats 0 by far
    assert vote(np.array([[0.1, -2.0, 0.1]]), 3).tolist() == [2]


def test_a_class_of_one_row_is_learnt(rng):
    X = np.vstack([rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 4, [[20.0, 20, 20]]])
    y = np.r_[np.zeros(30), np.ones(30), 2]
    assert ProbabilitySVC().fit(X, y).predict([[20, 20, 20]]) == [2]


def test_weights_restore_the_same_engine(rows):
    before = ProbabilitySVC().fit(*rows).to_engine()
    after = SvmEngine.from_weights(before.to_weights())
    np.testing.assert_array_equal(before.predict_proba(rows[0]), after.predict_proba(rows[0]))


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="only one class is present"):
        ProbabilitySVC().fit(np.ones((4, 2)), np.zeros(4))
