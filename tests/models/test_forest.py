"""Packed forests answer as scikit-learn's do, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from landweave.errors import ModelError
from landweave.models.forest import ForestEngine, pack_trees, round_down


@pytest.fixture(scope="module", params=["grown", "shallow", "extra"])
def fitted(request):
    rng = np.random.default_rng(3)
    # few distinct values: many ties between classes and at thresholds
    X = rng.integers(0, 6, (300, 5)).astype(np.float32) / 3
    y = rng.integers(0, 4, 300)
    kind = ExtraTreesClassifier if request.param == "extra" else RandomForestClassifier
    return kind(12, max_depth=3 if request.param == "shallow" else None, random_state=0).fit(X, y)


@settings(max_examples=6, deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 600), st.just(5)), elements=st.integers(-2, 8).map(lambda v: v / 3)))
def test_probabilities_and_classes_equal_those_of_scikit_learn(fitted, X):
    X = X.astype(np.float32)
    engine = ForestEngine.from_sklearn(fitted)
    np.testing.assert_array_equal(engine.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(fitted.classes_[engine.predict_column(X)], fitted.predict(X))


def test_gaps_go_the_way_that_the_trees_learnt(rng):
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = (X[:, 0] + np.isnan(X[:, 1]) > 0).astype(int)
    X[rng.random(X.shape) < 0.2] = np.nan
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    engine = ForestEngine.from_sklearn(forest)
    np.testing.assert_array_equal(engine.predict_proba(X), forest.predict_proba(X))
    np.testing.assert_array_equal(engine.predict_column(X), forest.predict(X))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6, width=32))
def test_rounded_threshold_splits_float32_values_alike(threshold, x):
    assert (np.float32(x) <= round_down(np.array([threshold]))[0]) == (float(x) <= threshold)


def test_weights_restore_the_same_engine(fitted, rng):
    engine = ForestEngine.from_sklearn(fitted)
    again = ForestEngine.from_weights(engine.to_weights())
    X = rng.random((50, 5)).astype(np.float32)
    np.testing.assert_array_equal(engine.predict_proba(X), again.predict_proba(X))


def test_too_many_features_are_refused():
    tree = type("Tree", (), {"n_features": 40000})()
    with pytest.raises(ModelError, match="40000 features cannot be packed; the most is 32767"):
        pack_trees([tree], 2)
