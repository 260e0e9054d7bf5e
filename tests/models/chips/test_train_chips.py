"""Image networks from labels to a map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.cube import read_blocks
from landweave.errors import ModelError, SampleError
from landweave.grid import Window
from landweave.models import ModelOptions, load_model, save_model
from landweave.models.deep.chip_options import list_params, read_params
from landweave.models.deep.train_chips import train_chips

PARAMS = {"chip_size_px": 16, "chips_per_epoch": 24, "epochs": 12, "width": 8, "depth": 1, "stem_width": 8, "patience": None,
          "learning_rate": 0.02, "batch_size": 4, "ema": 0.0, "validation_share": 0}  # fmt: skip


def options_of(**params) -> ModelOptions:
    return ModelOptions(name="unet", params={**PARAMS, **params}, seed=1)


@pytest.fixture(scope="module")
def trained(land):
    """Train once on the left half."""
    labels = land[1].keep(np.arange(96)[None] < 48)
    return train_chips(*[land[0], labels], options=options_of())


def predict(model, cubes):
    return model.predict_proba(read_blocks(cubes, Window(0, 0, 96, 96), halo_px=model.card.context_px))


def test_the_other_half_is_mapped(trained, land):
    proba = predict(trained.model, land[0])
    right = land[1].index[:, 56:]
    known = ~np.isnan(proba[0, :, 56:])
    assert (proba[:, :, 56:].argmax(axis=0)[known] == right[known]).mean() > 0.9
    assert known.mean() > 0.9


def test_card_says_what_was_trained_on(trained):
    card = trained.model.card
    assert (card.chip_size_px, card.stride_px, card.missing) == (16, 8, "mask")
    assert card.n_samples["water"] > 0
    assert set(card.p01) == {"s2.red", "s2.nir", "dem.height"}
    assert card.lineage["training"]["sizes"] == "dynamic, multiple of 2"
    assert trained.parity < 1e-4


def test_saved_model_maps_the_same(trained, land, tmp_path):
    again = load_model(save_model(trained.model, tmp_path / "model"))
    np.testing.assert_array_equal(predict(again, land[0]), predict(trained.model, land[0]))


def test_the_same_seed_gives_the_same_network(land):
    short = options_of(epochs=1, chips_per_epoch=8)
    a, b = (train_chips(*land, options=short).model.content for _ in range(2))
    assert a == b


def test_class_without_training_label_is_never_mapped(land, caplog):
    index = np.where(land[1].index == 2, -1, land[1].index).astype(np.int16)
    short = options_of(epochs=1, chips_per_epoch=8, validation_share=0)
    made = train_chips(land[0], replace(land[1], index=index), options=short)
    assert "no training label of crop: the network never maps it" in caplog.text
    proba = predict(made.model, land[0])
    assert np.nanmax(proba[2]) == 0


@pytest.mark.parametrize(("params", "message"), [
    ({"chip_size_px": 18, "depth": 3}, "it takes multiples of 8 px, at least 16; set chip_size_px to 24"),
    ({"chip_size_px": 8, "depth": 3}, "at least 16; set chip_size_px to 16"),
    ({"dropuot": 0.1}, "unet has no parameter 'dropuot'; did you mean 'dropout'"),
    ({"scale": 3.0}, "parameter scale is 3.0"),
    ({"loss": "dise"}, "no loss named 'dise'; did you mean 'dice'"),
])  # fmt: skip
def test_wrong_parameters_are_named(land, params, message):
    with pytest.raises(ModelError, match=message):
        train_chips(*land, options=options_of(**params))


def test_one_class_is_not_enough(land):
    index = np.where(land[1].index == 0, 0, -1).astype(np.int16)
    with pytest.raises(ModelError, match=r"training labels hold 1 class \(water\); a network needs at least two"):
        train_chips(land[0], replace(land[1], index=index), options=options_of())


def test_nothing_labelled_is_refused(land):
    empty = replace(land[1], index=np.full((96, 96), -1, np.int16))
    with pytest.raises(SampleError, match="no labelled pixel to draw chips from"):
        train_chips(land[0], empty, options=options_of(validation_share=0))


def test_a_family_of_rows_sees_no_chips(land):
    with pytest.raises(ModelError, match="random-forest is trained on rows of features, not on chips"):
        train_chips(*land, options=ModelOptions(name="random-forest"))


def test_weights_of_another_network_are_refused(land, tmp_path):
    with pytest.raises(Exception, match=r"holds no model\.safetensors"):
        train_chips(*land, options=options_of(weights=str(tmp_path)))


def test_parameters_go_to_who_takes_them():
    made = read_params(list_params({"width": 4}, epochs=3, cache_mb=9, jitter=0.5, blend="none"), {"width": 4}, seed=7)
    assert made.network == {"width": 4}
    assert (made.train.epochs, made.train.seed, made.sampler.seed) == (3, 7, 7)
    assert (made.sampler.cache_mb, made.augment.jitter, made.chips.blend) == (9, 0.5, "none")
