"""Networks for rows of features: the same bits for any number of rows, and clear words where the file is another."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models.engines import load_engine
from landweave.models.onnx_engine import OnnxEngine

onnx = pytest.importorskip("onnx", reason="networks of the tests are made with the package onnx")


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(2500, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def engine(row_network):
    return OnnxEngine(row_network(12, 3), 3)


def test_probabilities_are_those_of_the_formula(engine, features):
    proba = engine.predict_proba(features)
    weight, bias = (onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(engine.content).graph.initializer)
    scores = np.exp(np.tanh(features.astype(float)) @ weight + bias)
    np.testing.assert_allclose(proba, scores / scores.sum(axis=1, keepdims=True), atol=1e-6)
    assert proba.dtype == np.float64
    np.testing.assert_array_equal(engine.predict_column(features), proba.argmax(axis=1))


@pytest.mark.parametrize("size", [1, 7, 1000, 1024, 2049])
@pytest.mark.parametrize("start", [0, 333])
def test_rows_have_the_same_bits_in_any_company(engine, features, start, size):
    whole = engine.predict_proba(features)
    np.testing.assert_array_equal(engine.predict_proba(features[start : start + size]), whole[start : start + size])


def test_no_rows_give_no_rows(engine):
    assert engine.predict_proba(np.empty((0, 12), dtype=np.float32)).shape == (0, 3)


def test_an_engine_travels_and_is_stored_whole(engine, features):
    travelled = pickle.loads(pickle.dumps(engine))
    stored = load_engine("onnx", engine.to_weights())
    for other in (travelled, stored):
        np.testing.assert_array_equal(other.predict_proba(features[:10]), engine.predict_proba(features[:10]))


def test_nan_is_an_error_that_tells_the_features(engine, features):
    broken = features[:5].copy()
    broken[3, 2] = np.nan
    with pytest.raises(ModelError, match="infinite probabilities in 1 of 5 rows, first for features that hold NaN themselves"):
        engine.predict_proba(broken)


def test_other_features_are_told(engine, features):
    with pytest.raises(ModelError, match=r"the network cannot compute features \(1024, 11\).*do not belong together"):
        engine.predict_proba(features[:, :11])


def test_a_damaged_file_is_told(engine):
    with pytest.raises(ModelError, match=r"bytes\) cannot be read as ONNX: .*it is damaged"):
        load_engine("onnx", OnnxEngine(engine.content[:200], 3).to_weights())


def test_another_network_is_told_with_what_it_has(row_network):
    with pytest.raises(ModelError, match=r"inputs x float \(any, 4\) and outputs proba .*has the input features"):
        OnnxEngine(row_network(4, 2, name="x"), 2).check()
    with pytest.raises(ModelError, match=r"expected features \(row, feature\) and proba \(row, 5\)"):
        OnnxEngine(row_network(4, 2), 5).check()
