"""Networks on chips through the mapping engine: the same bytes however the work is cut, and bounded memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from landweave.cube import make_inputs
from landweave.errors import MapError, MissingExtraError, ModelError, OutputExistsError
from landweave.grid import make_geobox
from landweave.maps import MapOptions, predict_map
from landweave.maps.memory import plan_memory
from landweave.models import make_chip_model
from landweave.types import ModelCard


@pytest.fixture
def make_network(mapping, cubes, chip_network):
    def make(chip=12, stride=4, **network):
        card = ModelCard(model="toy-net", inputs=make_inputs(cubes), classes=mapping.LEGEND.to_dicts(), chip_size_px=chip,
                         stride_px=stride, batch_shape=(5, chip, chip), p01={"main.red": 0.1, "main.nir": 0.2},
                         p99={"main.red": 0.3, "main.nir": 0.4})  # fmt: skip
        return make_chip_model(card, chip_network(card.inputs, chip, **network), (0, 1, 2))

    return make


@pytest.mark.parametrize("is_unet", [False, True])
@pytest.mark.parametrize("how", [
    {"block_px": 64}, {"block_px": 128, "workers": 2}, {"block_px": 64, "workers": 3},
    pytest.param({"block_px": 64, "workers": 2, "executor": "processes"}, marks=pytest.mark.slow),
])  # fmt: skip
def test_the_map_is_the_same_however_the_work_is_cut(make_network, cubes, read_products, tmp_path, how, is_unet):
    model, how = make_network(is_unet=is_unet), dict(how)
    predict_map(model, cubes, tmp_path / "whole", options=MapOptions(block_px=1024))
    predict_map(model, cubes, tmp_path / "cut", options=MapOptions(block_px=how.pop("block_px")), **how)
    assert read_products(tmp_path / "cut") == read_products(tmp_path / "whole")


@pytest.mark.parametrize("method", ["bayes", "edge"])
def test_a_smoothed_map_is_the_same_in_any_blocks(make_network, cubes, read_products, tmp_path, method):
    model = make_network()
    for side in (64, 1024):
        options = MapOptions(block_px=side, smooth={"method": method})
        predict_map(model, cubes, tmp_path / str(side), options=options)
    assert read_products(tmp_path / "64") == read_products(tmp_path / "1024")


def test_nodata_in_is_nodata_out(make_network, cubes, tmp_path):
    product = predict_map(make_network(), cubes, tmp_path / "out", options=MapOptions(block_px=64))
    gone = np.isnan(cubes["main"].values).any(axis=1).all(axis=0)
    with rasterio.open(product.files["map"]) as file:
        np.testing.assert_array_equal(file.read(1) == 255, gone)


def test_a_broken_network_names_the_block(make_network, cubes, tmp_path):
    with pytest.raises(ModelError, match=r"toy-net gave NaN or infinite probabilities in the chip .* of the block at row"):
        predict_map(make_network(broken_above=0.3), cubes, tmp_path / "out", options=MapOptions(block_px=64))


@pytest.mark.parametrize(("side", "told"), [
    (48, "looks at 8 px around a block in steps of 4; give at least 64"), (66, "the model steps by 4 px; give a multiple of 4"),
])  # fmt: skip
def test_a_block_size_that_does_not_suit_is_told(make_network, cubes, tmp_path, side, told):
    with pytest.raises(MapError, match=told):
        predict_map(make_network(), cubes, tmp_path / "out", options=MapOptions(block_px=side))


def test_a_halo_larger_than_the_block_is_told(model, cubes):
    card = model.card.model_copy(update={"context_px": 80})
    with pytest.raises(MapError, match=r"block_px is 64, and the model looks at 80 px around a block .* at least 80"):
        plan_memory("4GiB", card, cubes, workers=1, block_px=64)


def test_a_large_network_on_a_large_grid_is_planned_within_two_gib(make_network, cubes, monkeypatch):
    monkeypatch.setattr("landweave.maps.memory.resident_bytes", lambda: 350 * 2**20)
    network = make_network(256, 192)
    card = network.card.model_copy(update={"classes": network.card.classes * 3})
    large = replace(cubes, geobox=make_geobox((500000, 5000000, 609800, 5109800), 32633, 10))
    plan = plan_memory("2GiB", card, large, workers=2, network_bytes=200 * 2**20)
    assert plan.block_px % 192 == 0
    assert plan.block_px >= 16 * 192
    assert plan.base + plan.gdal_cache + plan.n_blocks * plan.block_bytes + 2 * 200 * 2**20 < 2**31


def test_workers_share_two_blocks(make_network, cubes):
    card = make_network().card
    alone = plan_memory("16GiB", card, cubes, workers=8, network_bytes=2**20)
    assert (alone.n_blocks, alone.block_px) == (2, 128)


def test_the_network_counts(make_network, cubes):
    with pytest.raises(MapError, match=r"memory of 2048 MiB is too little.*use fewer workers"):
        plan_memory("2GiB", make_network().card, cubes, workers=8, network_bytes=2**30)


def test_another_runtime_is_another_map(make_network, cubes, tmp_path):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    model = make_network()
    first = predict_map(model, cubes, tmp_path / "out")
    asked = MapOptions(runtime="openvino")
    with pytest.raises(OutputExistsError, match=r"options\.runtime: None -> openvino fp32 cpu"):
        predict_map(model, cubes, tmp_path / "out", options=asked)
    second = predict_map(model, cubes, tmp_path / "other", options=asked)
    with rasterio.open(first.files["proba"]) as a, rasterio.open(second.files["proba"]) as b:
        assert np.abs(a.read().astype(int) - b.read()).max() <= 1  # a level of 1/250: rounding alone


@pytest.mark.parametrize("is_unet", [False, True])
def test_openvino_gives_the_same_in_any_blocks(make_network, cubes, read_products, tmp_path, is_unet):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    model = make_network(is_unet=is_unet)
    for side, workers in ((64, 2), (1024, 1)):
        options = MapOptions(block_px=side, runtime="openvino")
        predict_map(model, cubes, tmp_path / str(side), options=options, workers=workers)
    assert read_products(tmp_path / "64") == read_products(tmp_path / "1024")


def test_augmentation_is_another_map_and_sums_to_one(make_network, cubes, tmp_path):
    product = predict_map(make_network(), cubes, tmp_path / "out", options=MapOptions(augment="dihedral", block_px=1024))
    with rasterio.open(product.files["proba"]) as file:
        sums = file.read().astype(int).sum(axis=0)
    assert set(np.unique(sums)) <= {249, 250, 251, 3 * 255}


@pytest.mark.parametrize(("options", "told"), [
    ({"runtime": "openvino"}, "model fake is no network, so that no runtime"),
    ({"augment": "dihedral"}, "model fake works on single pixels, which have nothing to turn"),
])  # fmt: skip
def test_other_models_take_no_runtime(model, cubes, tmp_path, options, told):
    with pytest.raises(ModelError, match=told):
        predict_map(model, cubes, tmp_path / "out", options=MapOptions(**options))


@pytest.mark.parametrize(("options", "told"), [
    ({"precision": "bf16"}, "computes networks in fp32, not in bf16; use the runtime openvino"),
    ({"device": "cuda"}, r"device is cuda, and this ONNX Runtime has .*; install onnxruntime-gpu, or use the"),
])  # fmt: skip
def test_what_the_runtime_cannot_do_is_told(make_network, cubes, tmp_path, options, told):
    if options.get("device") == "cuda":
        ort = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" in ort.get_available_providers():
            pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(ModelError, match=told):
        predict_map(make_network(), cubes, tmp_path / "out", options=MapOptions(**options))


def test_a_runtime_that_is_not_installed_names_the_extra(make_network, cubes, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r'openvino needs the .* extra: pip install "landweave\[openvino\]"'):
        predict_map(make_network(seed=99), cubes, tmp_path / "out", options=MapOptions(runtime="openvino"))
