"""Trainings that start from a model folder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load

from landweave.errors import ModelError, SourceError
from landweave.models import ModelOptions, load_model, save_model
from landweave.models.deep.labels import LabelGrid
from landweave.models.deep.train_chips import train_chips

PARAMS = {"chip_size_px": 16, "chips_per_epoch": 8, "epochs": 1, "width": 8, "depth": 1, "stem_width": 8, "patience": None,
          "batch_size": 4, "ema": 0.0, "validation_share": 0}  # fmt: skip


def train(land, name="unet", **params):
    return train_chips(*land, options=ModelOptions(name=name, params={**PARAMS, **params}, seed=1)).model


@pytest.fixture(scope="module")
def first(land, tmp_path_factory):
    """Save a model after some epochs."""
    return save_model(train(land, epochs=6, learning_rate=0.02), tmp_path_factory.mktemp("first") / "model")


def test_training_goes_on_where_the_other_ended(land, first):
    again = load(train(land, weights=str(first), learning_rate=1e-9, weight_decay=0.0).weights)
    for name, tensor in load(load_model(first).weights).items():
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=1e-6)


def test_small_weights_are_kept_unless_told_otherwise(land, first, tmp_path):
    assert load_model(first).weights is not None
    bare = save_model(train(land, keep_weights=False), tmp_path / "bare")
    assert not (bare / "weights.safetensors").exists()
    with pytest.raises(SourceError, match=r"holds unet without torch weights, .*; train it with keep_weights: true"):
        train(land, weights=str(bare))


def test_other_classes_start_the_last_layer_anew(land, first, caplog):
    cubes, labels = land
    two = LabelGrid(labels.index.clip(max=1), labels.legend, labels.geobox)
    train((cubes, two), weights=str(first))
    assert "tells other classes apart: head.bias, head.weight start anew" in caplog.text


@pytest.mark.parametrize(("params", "message"), [
    ({"width": 16}, r"does not fit unet with these parameters and cubes: .* is \(8,.*expected \(16"),
    ({"depth": 2}, "is lacking"),
    ({"name": "fpn", "depth": None}, "it is unet, expected fpn"),
])  # fmt: skip
def test_differences_are_listed(land, first, params, message):
    name = params.pop("name", "unet")
    own = {k: v for k, v in {**PARAMS, **params}.items() if v is not None}
    with pytest.raises(ModelError, match=message):
        train_chips(*land, options=ModelOptions(name=name, params={**own, "weights": str(first)}))


def test_other_bands_are_listed(land, first):
    cubes, labels = land
    fewer = replace(cubes, cubes={**cubes.cubes, "s2": cubes.cubes["s2"].isel(band=[1])})
    with pytest.raises(ModelError, match=r"s2 had red, nir \(2 dates\), here nir \(2 dates\)"):
        train((fewer, labels), weights=str(first))


def test_inputs_may_be_optional(land):
    model = train(land, optional_inputs=["dem"])
    assert [i.required for i in model.card.inputs] == [True, False]
    with pytest.raises(ModelError, match="optional_inputs names 's3', and the cubes are s2, dem"):
        train(land, optional_inputs=["s3"])
