"""The machine sees the last hidden layer."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.models.mlp_svm import HiddenLayerSVC
from landweave.models.svm import pair_decisions


@pytest.fixture
def fitted(rng):
    X, y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
    return HiddenLayerSVC([6, 5], alpha=1.0, random_state=0).fit(X + y[:, None], y), X


def test_decisions_come_from_the_hidden_layer(fitted):
    model, X = fitted
    hidden = model.scaler_.transform(X)
    for weights, bias in zip(model.perceptron_.coefs_[:-1], model.perceptron_.intercepts_[:-1], strict=True):
        hidden = np.maximum(hidden @ weights + bias, 0)
    expected = pair_decisions(model.svm_.machine_, model.svm_.scaler_.transform(hidden))
    np.testing.assert_allclose(model.to_engine().decide(X), expected, atol=1e-9)


def test_class_is_the_most_probable_one(fitted):
    model, X = fitted
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
