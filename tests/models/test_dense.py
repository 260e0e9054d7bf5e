"""Our kernels give what scikit-learn's matrix products give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from landweave.models.dense import CentroidEngine, SoftmaxEngine
from landweave.models.registry import get_model


@pytest.fixture
def rows(rng):
    return rng.normal(size=(101, 6)).astype(np.float32), rng.integers(0, 3, 101)


def fit(name, X, y, **params):
    family = get_model(name)
    return family, family.make(family.complete(params), X.shape[1], 0, None).fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_matches(rows, n_classes):
    X, y = rows[0], rows[1] % n_classes
    family, estimator = fit("logistic-regression", X, y)
    np.testing.assert_allclose(family.export(estimator).predict_proba(X), estimator.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_perceptron_matches_with_every_activation(rows, activation):
    X, y = rows[0].astype(np.float64), rows[1]
    family, estimator = fit("mlp", X, y, hidden_layer_sizes=[7, 5], activation=activation, tol=1e-2)
    engine = family.export(estimator)
    # the same sums in another order: a few units in the last place of float64
    np.testing.assert_allclose(engine.predict_proba(X), estimator.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(engine.predict_column(X), estimator.predict(X))


def test_perceptron_of_two_classes_matches(rows):
    X, y = rows[0].astype(np.float64), rows[1] % 2
    family, estimator = fit("mlp", X, y, hidden_layer_sizes=4, tol=1e-2)
    np.testing.assert_allclose(family.export(estimator).predict_proba(X), estimator.predict_proba(X), atol=1e-12)


def test_centroids_turn_distances_into_probabilities(rows):
    family, estimator = fit("nearest-centroid", *rows)
    engine = family.export(estimator)
    scaled = estimator.named_steps["scale"].transform(rows[0])
    distance = np.linalg.norm(scaled[:, None] - estimator.named_steps["model"].centroids_, axis=2)
    np.testing.assert_allclose(engine.predict_proba(rows[0]), softmax(-distance, axis=1), atol=1e-6)
    np.testing.assert_array_equal(engine.predict_column(rows[0]), estimator.predict(rows[0]))


def test_extreme_values_stay_probabilities(rows):
    family, estimator = fit("logistic-regression", *rows)
    proba = family.export(estimator).predict_proba(np.array([[1e8] * 6, [-1e8] * 6], np.float32))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("engine", [SoftmaxEngine, CentroidEngine])
def test_weights_restore_the_same_engine(rows, engine):
    family, estimator = fit("mlp" if engine is SoftmaxEngine else "nearest-centroid", *rows, **(
        {"tol": 1e-2, "hidden_layer_sizes": [4]} if engine is SoftmaxEngine else {}))  # fmt: skip
    before = family.export(estimator)
    after = engine.from_weights(before.to_weights())
    np.testing.assert_array_equal(before.predict_proba(rows[0]), after.predict_proba(rows[0]))
