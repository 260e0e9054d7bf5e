"""Saved and loaded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, load_model, save_model, train_model


@pytest.fixture(scope="module")
def model(make_samples):
    return train_model(make_samples(), options=ModelOptions(params={"n_estimators": 4}))


def test_folder_holds_card_legend_and_weights(model, tmp_path):
    folder = save_model(model, tmp_path / "model")
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "legend.json", "weights.npz"]
    assert json.loads((folder / "legend.json").read_text())[0]["name"] == "forest"


def test_loaded_model_is_the_same(model, make_samples, tmp_path):
    again = load_model(save_model(model, tmp_path / "model"))
    assert again.card.model_copy(update={"lineage": {}}) == model.card.model_copy(update={"lineage": {}})
    X = make_samples(seed=5).to_features()
    np.testing.assert_array_equal(again.predict_features(X), model.predict_features(X))


def test_saving_again_replaces_with_the_same_bytes(model, tmp_path):
    first = {p.name: p.read_bytes() for p in save_model(model, tmp_path / "model").iterdir()}
    again = save_model(load_model(tmp_path / "model"), tmp_path / "model")
    assert {p.name: p.read_bytes() for p in again.iterdir()} == first


def test_only_our_models_are_saved(tmp_path):
    with pytest.raises(ModelError, match="cannot save a object"):
        save_model(object(), tmp_path / "model")
