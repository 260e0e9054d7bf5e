from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr

from landweave.errors import ModelError, OutputExistsError
from landweave.grid import make_geobox, to_coords
from landweave.maps import open_map
from landweave.maps.scenes import map_scenes
from landweave.models import ModelOptions
from landweave.models.scenes import scenes_from_places
from landweave.types import CubeSet

pytest.importorskip("torch")
COLUMNS = {"crop": 500080, "forest": 500280, "water": 500480}


def make_cubes(pixel=10):
    grid = make_geobox((500000, 5000000 - 40 * pixel, 500000 + 56 * pixel, 5000000), "EPSG:32633", pixel)
    level = np.array([0.1, 0.3, 0.5])[np.arange(56) * 3 // 56]
    values = np.stack([level, 0.6 - level])[:, None, :] + np.random.default_rng(1).normal(0, 0.01, (2, 40, 56))
    values[:, :16, :8] = np.nan
    coords = {"band": ("band", ["red", "nir"]), "kind": ("band", ["reflectance"] * 2), **to_coords(grid)}
    return CubeSet({"main": xr.DataArray(values.astype(np.float32), dims=("band", "y", "x"), coords=coords)}, grid)


def train(several=False):
    from landweave.models.deep.train_scenes import SceneSetting, train_scenes

    rng = np.random.default_rng(0)
    names = list(COLUMNS) * 10
    places = np.array([[COLUMNS[n] + rng.integers(-30, 30), 4999800 + rng.integers(-150, 50)] for n in names])
    labels = [(n, "land") if several and n != "water" else (n,) for n in names]
    scenes = scenes_from_places(places, labels, make_cubes(), chip_size_px=8, groups=range(30))
    params = {"width": 8, "epochs": 15, "learning_rate": 0.01, "ema": 0.5, "stride_px": 4, "validation_share": 0.0}
    options = ModelOptions(name="scene-cnn", params=params)
    return train_scenes(scenes, options=options, setting=SceneSetting(several=several)).model


@pytest.fixture(scope="module")
def model():
    return train()


def test_every_step_gets_the_class_of_the_chip_around_it(model, tmp_path):
    made = map_scenes(model, make_cubes(), tmp_path / "map")
    product = open_map(tmp_path / "map")
    with rasterio.open(product.files["map"]) as src:
        codes, size = src.read(1), src.res
    assert codes.shape == made.geobox.shape == (10, 14)
    assert size == (40, 40)
    for name, col in (("crop", 2), ("forest", 6), ("water", 12)):
        assert (codes[4:, col] == product.legend.codes[product.legend.index_of(name)]).mean() > 0.8


def test_steps_without_an_observation_are_nodata(model, tmp_path):
    made = map_scenes(model, make_cubes(), tmp_path)
    with rasterio.open(made.files["proba"]) as src:
        proba = src.read(1)
    assert (proba[:3, 0] == 255).all()
    assert (proba[:, 3:] != 255).all()


def test_a_step_has_the_probabilities_of_its_chip(model, tmp_path):
    cubes = make_cubes()
    made = map_scenes(model, cubes, tmp_path)
    x, y = made.geobox.affine @ (5.5, 4.5)
    alone = model.predict_chips(scenes_from_places(np.array([[x, y]]), None, cubes, chip_size_px=8))[0]
    with rasterio.open(made.files["proba"]) as src:
        np.testing.assert_array_equal(src.read()[:, 4, 5], np.rint(alone * 250))


def test_several_labels_give_a_layer_each_and_no_classes(tmp_path):
    made = map_scenes(train(several=True), make_cubes(), tmp_path)
    assert set(made.files) == {"proba", "lineage"}
    with rasterio.open(made.files["proba"]) as src:
        assert src.descriptions == ("crop", "forest", "land", "water")


def test_other_pixels_than_in_training_are_refused(model, tmp_path):
    with pytest.raises(ModelError, match="pixels of 'main' are 20 m, the network was trained on 10 m"):
        map_scenes(model, make_cubes(20), tmp_path)


def test_a_finished_map_is_kept(model, tmp_path):
    map_scenes(model, make_cubes(), tmp_path)
    with pytest.raises(OutputExistsError, match="--overwrite replaces it"):
        map_scenes(model, make_cubes(), tmp_path)
