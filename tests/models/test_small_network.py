"""The kernel of small networks: what the layers say, whatever the batch, and errors where they say nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models.engines import load_engine
from landweave.models.small_network import SmallNetworkEngine


def make_engine(sizes, seed=0):
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(o, i)).astype(np.float32), rng.normal(size=o).astype(np.float32))
              for i, o in pairwise(sizes)]  # fmt: skip
    mean, scale = rng.normal(size=sizes[0]), rng.uniform(0.5, 2, sizes[0])
    return SmallNetworkEngine.from_layers(b"", mean, scale, layers), layers


def by_numpy(engine, layers, rows):
    x = (rows.astype(np.float64) - engine.mean) / engine.scale
    for weights, biases in layers[:-1]:
        x = np.maximum(x @ weights.T + biases, 0)
    logits = x @ layers[-1][0].T + layers[-1][1]
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [(10, 48, 32, 8), (3, 5, 3), (1, 1, 2), (7, 9, 4, 5, 6), (6, 13)])
@pytest.mark.parametrize("n", [1, 63, 64, 200])
def test_probabilities_are_those_of_the_layers(sizes, n, rng):
    engine, layers = make_engine(sizes)
    rows = rng.normal(size=(n, sizes[0])).astype(np.float32)
    wanted, found = by_numpy(engine, layers, rows), engine.predict_proba(rows)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    np.testing.assert_array_equal(engine.predict_column(rows), found.argmax(axis=1))


def test_a_pixel_does_not_depend_on_its_batch(rng):
    engine, _ = make_engine((10, 48, 32, 8))
    rows = rng.normal(size=(1000, 10)).astype(np.float32)
    whole = engine.predict_proba(rows)
    for start, end in ((0, 1), (5, 70), (64, 129), (999, 1000)):
        np.testing.assert_array_equal(engine.predict_proba(rows[start:end]), whole[start:end])


def test_what_is_stored_gives_the_same_engine(rng):
    engine, _ = make_engine((4, 6, 3))
    again = load_engine("small-network", engine.to_weights())
    rows = rng.normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.predict_proba(rows), engine.predict_proba(rows))


def test_logits_that_are_not_finite_are_an_error():
    engine, _ = make_engine((2, 4, 3))
    rows = np.full((3, 2), np.float32(3e38))
    for predict in (engine.predict_proba, engine.predict_column):
        with pytest.raises(ModelError, match="NaN or infinite"):
            predict(rows)


def test_no_rows_give_no_classes():
    engine, _ = make_engine((2, 4, 3))
    assert engine.predict_proba(np.empty((0, 2), np.float32)).shape == (0, 3)
    assert engine.predict_column(np.empty((0, 2), np.float32)).shape == (0,)
