"""Networks rounded to 8 bits: nearly the same classes, and the card says how nearly."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr

from landweave.errors import MissingExtraError, ModelError
from landweave.grid import make_geobox, to_coords
from landweave.legend import Legend
from landweave.models import QuantiseOptions, load_model, make_chip_model, quantise_model, save_model
from landweave.types import CubeSet, ModelCard, ModelInput

pytest.importorskip("onnx", reason="networks are rounded with the package onnx")


@pytest.fixture(scope="module")
def cubes():
    geobox = make_geobox((500000, 5000000, 501600, 5001600), "EPSG:32633", 10)
    y, x = np.mgrid[:160, :160]
    rng = np.random.default_rng(4)
    values = np.stack([np.sin(x / 11), np.cos(y / 7)]) * 0.2 + rng.normal(0.3, 0.05, (2, 160, 160))
    values[:, :40, :100] = np.nan
    cube = xr.DataArray(values.astype(np.float32), dims=("band", "y", "x"),
                        coords={"band": ["red", "nir"], **to_coords(geobox)})  # fmt: skip
    return CubeSet({"main": cube}, geobox)


@pytest.fixture(scope="module")
def model(chip_network):
    inputs = (ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2),)
    classes = Legend.from_names(("forest", "water", "crop")).to_dicts()
    card = ModelCard(model="toy", inputs=inputs, classes=classes, chip_size_px=32, stride_px=16, batch_shape=(2, 32, 32))
    return make_chip_model(card, chip_network(inputs, 32, is_unet=True), (0, 1, 2))


@pytest.fixture(scope="module")
def rounded(model, cubes):
    return quantise_model(model, cubes, options=QuantiseOptions(n_chips=6, n_held_out=8))


def test_the_card_states_the_agreement_on_other_chips(rounded):
    scores = rounded.card.metrics["quantisation"]
    assert 0.9 < scores["agreement"] <= 1
    assert scores["class_agreement_min"] <= scores["agreement"]
    assert 0 < scores["mean_difference"] < scores["largest_difference"] < 0.5
    assert scores["n_chips"] == 8
    assert 8 * 32 * 32 * 0.5 <= scores["n_pixels"] <= 8 * 32 * 32
    assert rounded.card.lineage["quantised_from"]


def test_weights_are_stored_in_8_bits_and_the_folder_loads(rounded, model, tmp_path):
    import onnx

    kinds = {t.data_type for t in onnx.load_from_string(rounded.content).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    loaded = load_model(save_model(rounded, tmp_path / "model8"))
    assert loaded.checksum == rounded.checksum != model.checksum


def test_the_same_seed_gives_the_same_network(model, cubes, rounded):
    again = quantise_model(model, cubes, options=QuantiseOptions(n_chips=6, n_held_out=8))
    assert again.card.metrics == rounded.card.metrics
    assert again.content == rounded.content


def test_too_few_chips_are_told(model, cubes):
    with pytest.raises(ModelError, match=r"has \d+ chips of 32 px without overlap .* and 32 \+ 32 are asked for; ask for"):
        quantise_model(model, cubes)


def test_other_models_are_told(cubes, model):
    class Other:
        card = model.card.model_copy(update={"model": "forest"})

    with pytest.raises(ModelError, match="model forest is no network on chips"):
        quantise_model(Other(), cubes)


def test_without_onnx_the_extra_is_named(model, cubes, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'needs the package onnx: pip install "landweave\[deep\]"'):
        quantise_model(model, cubes, options=QuantiseOptions(n_chips=2, n_held_out=2))
