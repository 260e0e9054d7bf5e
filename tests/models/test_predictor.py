"""Blocks to probabilities: shape, order, nodata."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, train_model
from landweave.models.predictor import round_proba
from landweave.types import Predictor


@pytest.fixture(scope="module")
def model(make_samples):
    return train_model(make_samples(), options=ModelOptions(params={"n_estimators": 9}, min_valid_steps=2))


@pytest.fixture
def block(make_block, rng):
    values = rng.uniform(0.1, 0.5, (4, 2, 8, 9))
    values[:, :, 3, 4] = np.nan  # nothing valid
    values[1:, 0, 3, 5] = np.nan  # one valid date
    values[1, 0, 3, 6] = np.nan  # a gap to fill
    return make_block(values, halo_px=1)


def test_model_is_a_predictor(model):
    assert isinstance(model, Predictor)
    assert model.card.context_px == 0


def test_probabilities_cover_the_interior_in_legend_order(model, block):
    proba = model.predict_proba({"main": block})
    assert proba.shape == (3, 6, 7)
    assert proba.dtype == np.float32
    rows = np.moveaxis(block.interior, (0, 1), (2, 3)).reshape(42, 8)
    np.testing.assert_array_equal(proba.reshape(3, -1).T, model.predict_features(rows))


def test_nodata_in_is_nodata_out(model, block):
    proba, index = model.predict_proba({"main": block}), model.predict_index({"main": block})
    nodata = np.isnan(proba).all(axis=0)
    assert np.argwhere(nodata).tolist() == [[2, 3], [2, 4]]
    np.testing.assert_array_equal(index == -1, nodata)
    np.testing.assert_array_equal(np.isnan(proba).any(axis=0), nodata)


def test_class_only_agrees_with_the_probabilities(model, block):
    proba, index = model.predict_proba({"main": block}), model.predict_index({"main": block})
    valid = index >= 0
    np.testing.assert_array_equal(proba.argmax(axis=0)[valid], index[valid])


def test_rounding_keeps_the_best_class():
    proba = np.array([[0.5 - 1e-12, 0.5 + 1e-12], [0.25, 0.75]])
    rounded = round_proba(proba)
    assert rounded.argmax(axis=1).tolist() == [1, 1]
    np.testing.assert_allclose(rounded, proba, atol=1e-7)


def test_rows_of_another_length_are_an_error(model):
    with pytest.raises(ModelError, match=r"6 columns, the model was trained on 8 \(red_t00, nir_t00"):
        model.predict_features(np.zeros((2, 6), np.float32))
