from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from landweave.maps import open_map
from landweave.models.scene_model import load_scenes

pytest.importorskip("torch")


def write(path, values, x=500000, y=5000000):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": values.shape[2], "height": values.shape[1], "count": 2, "dtype": "uint16",
               "nodata": 0, "crs": "EPSG:32633", "transform": Affine(10, 0, x, 0, -10, y)}  # fmt: skip
    with rasterio.open(path, "w", **profile) as dst:
        dst.write(values.astype("uint16"))


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0)
    for k, name in enumerate(("crop", "water")):
        for i in range(6):
            write(folder / "chips" / name / f"{i}.tif", rng.normal(1000 + 2000 * k, 100, (2, 8, 8)), 500000 + 3000 * i)
    write(folder / "scene.tif", np.repeat([1000, 3000], 16)[None, None].repeat(2, 0).repeat(16, 1))
    return folder


@pytest.fixture
def model(chips, cli):
    if not (chips / "model").exists():  # trained once
        code, told = cli("train-scenes", chips / "chips", "--bands", "red,nir", "--scale", "0.0001", "--out",
                         chips / "model", "-p", "epochs=2",
                         "-p", "width=4")  # fmt: skip
        assert code == 0, told
        assert "chips of" in told
    return chips / "model"


def test_training_tells_the_score_of_chips_held_out_and_keeps_it_in_the_card(model):
    assert set(load_scenes(model).card.metrics["spatial"]) == {"macro_f1", "overall_accuracy"}


def test_chips_are_labelled_into_a_table(model, chips, cli, tmp_path):
    code, told = cli("predict-scenes", model, chips / "chips", "--bands", "red,nir", "--scale", "0.0001", "--out",
                     tmp_path / "labels.csv")  # fmt: skip
    assert code == 0, told
    table = pd.read_csv(tmp_path / "labels.csv")
    assert list(table.columns) == ["chip", "labels", "p_crop", "p_water"]
    assert len(table) == 12


def test_a_raster_becomes_a_coarse_map(model, chips, cli, tmp_path):
    code, told = cli("predict-scenes", model, chips / "scene.tif", "--bands", "red,nir", "--scale", "0.0001", "--out",
                     tmp_path / "map")  # fmt: skip
    assert code == 0, told
    assert open_map(tmp_path / "map").geobox.shape == (2, 4)


def test_a_network_for_scenes_is_sent_to_its_own_command(model, chips, cli, tmp_path):
    code, told = cli("predict", model, chips / "scene.tif", "--out", tmp_path / "map.tif")
    assert code == 2
    assert "landweave predict-scenes" in told


def test_a_parameter_without_a_value_is_refused(chips, cli, tmp_path):
    code, told = cli("train-scenes", chips / "chips", "--bands", "red,nir", "--scale", "0.0001", "--out", tmp_path,
                     "-p", "epochs")  # fmt: skip
    assert code == 2
    assert "'epochs' is no parameter" in told
