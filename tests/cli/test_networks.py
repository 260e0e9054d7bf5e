"""`landweave quantise` and `landweave seams`, and a network mapped by the command line."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from landweave.cube import write_cube
from landweave.grid import make_geobox, to_coords
from landweave.legend import Legend
from landweave.models import load_model, make_chip_model, save_model
from landweave.types import CubeSet, ModelCard, ModelInput


@pytest.fixture(scope="module")
def network(chip_network, tmp_path_factory):
    """A folder with a network on chips of 32 px, `model`, and a cube, `cube.zarr`, of 192 x 192."""
    folder = tmp_path_factory.mktemp("network")
    geobox = make_geobox((500000, 5000000, 501920, 5001920), "EPSG:32633", 10)
    y, x = np.mgrid[:192, :192]
    values = np.stack([np.sin(x / 11), np.cos(y / 7)]) * 0.2 + np.random.default_rng(4).normal(0.3, 0.05, (2, 192, 192))
    coords = {"band": ["red", "nir"], "kind": ("band", ["reflectance"] * 2), **to_coords(geobox)}
    cube = xr.DataArray(values.astype(np.float32), dims=("band", "y", "x"), coords=coords)
    write_cube(CubeSet({"main": cube}, geobox), folder / "cube.zarr")
    inputs = (ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2),)
    classes = Legend.from_names(("forest", "water", "crop")).to_dicts()
    card = ModelCard(model="toy", inputs=inputs, classes=classes, chip_size_px=32, stride_px=8)
    save_model(make_chip_model(card, chip_network(inputs, 32, is_unet=True), (0, 1, 2)), folder / "model")
    return folder


def test_a_network_is_mapped_and_its_seams_measured(cli, network, tmp_path):
    assert cli("predict", network / "model", network / "cube.zarr", "--out", tmp_path / "map")[0] == 0
    code, text = cli("seams", tmp_path / "map")
    assert code == 0
    assert "steps of 8 px" in text
    assert "95 % interval" in text


def test_a_network_is_rounded_and_mapped(cli, network, tmp_path):
    pytest.importorskip("onnx", reason="networks are rounded with the package onnx")
    code, text = cli("quantise", network / "model", "--cube", network / "cube.zarr", "--out", tmp_path / "model8",
                     "--chips", "6", "--held-out", "6")  # fmt: skip
    assert code == 0, text
    assert "agreement" in text
    assert load_model(tmp_path / "model8").card.metrics["quantisation"]["agreement"] > 0.9
    assert cli("predict", tmp_path / "model8", network / "cube.zarr", "--out", tmp_path / "map")[0] == 0


def test_the_map_of_another_model_has_no_steps(cli, done):
    code, text = cli("seams", done.folder / "out")
    assert code == 2
    assert "give stride_px" in " ".join(text.split())


def test_per_pixel_models_are_not_rounded(cli, done, tmp_path):
    cube = done.folder / "out" / "cube.zarr"
    code, text = cli("quantise", done.folder / "out" / "model", "--cube", cube, "--out", tmp_path / "model8")
    assert code == 2
    assert "is no network on chips" in " ".join(text.split())
