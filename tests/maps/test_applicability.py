"""Applicability and unsure pixels of a real per-pixel model, whatever the map was cut into."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.cube import make_inputs, read_blocks
from landweave.errors import MapError, ModelError
from landweave.grid import Window
from landweave.legend import Legend
from landweave.maps import MapOptions, predict_map
from landweave.maps.tasks import quantise_dissimilarity
from landweave.models import ModelOptions, add_uncertainty, train_model
from landweave.types import Fold, SampleTable

OPTIONS = ModelOptions(name="random-forest", params={"n_estimators": 10}, applicability=True, conformal=True,
                       calibration="temperature")  # fmt: skip


@pytest.fixture
def trained(cubes):
    """A forest of two classes, trained on the brighter half of the cube's pixels: the darker half is new to it."""
    values = read_blocks(cubes, Window(0, 0, *cubes.geobox.shape))["main"].values
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1]).T
    flat = flat[~np.isnan(flat).any(axis=1)]
    flat = flat[flat[:, 0] > np.median(flat[:, 0])][::40][:300]
    names = np.where(flat[:, 0] + np.random.default_rng(1).normal(0, 0.02, len(flat)) > np.median(flat[:, 0]), "bright", "dull")
    inputs = make_inputs(cubes)
    frame = pd.DataFrame(flat, columns=list(inputs[0].feature_names)).assign(**{"class": names, "weight": 1.0})
    points = gpd.points_from_xy(np.arange(len(flat)), np.zeros(len(flat)))
    samples = SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs=4326), Legend.from_names(["bright", "dull"]), inputs)
    rows = np.arange(len(flat))
    folds = [Fold(rows[rows % 4 != f], rows[rows % 4 == f]) for f in range(4)]
    return add_uncertainty(train_model(samples, options=OPTIONS), samples, [folds], options=OPTIONS)


def test_any_block_size_gives_the_same_bytes(trained, cubes, tmp_path):
    made = []
    for block_px, workers in ((37, 2), (64, 1), (512, 1)):
        options = MapOptions(block_px=block_px, applicability=True, unsure_error=0.2)
        product = predict_map(trained, cubes, tmp_path / str(block_px), options=options, workers=workers)
        made.append([product.files[n].read_bytes() for n in ("map", "proba", "uncertainty", "applicability")])
    assert made[0] == made[1] == made[2]


def test_the_layer_is_the_dissimilarity_of_the_pixels(trained, cubes, tmp_path):
    product = predict_map(trained, cubes, tmp_path / "out", options=MapOptions(block_px=64, applicability=True))
    ratio = trained.predict_dissimilarity(read_blocks(cubes, Window(0, 0, *cubes.geobox.shape)))
    with rasterio.open(product.files["applicability"]) as src:
        stored = src.read(1)
        assert (src.nodata, src.scales) == (255, (0.01,))
    np.testing.assert_array_equal(stored, quantise_dissimilarity(ratio))
    assert 0.05 < (stored[stored != 255] > 100).mean() < 0.95
    np.testing.assert_array_equal(stored == 255, np.isnan(ratio))


def test_pixels_below_the_threshold_are_unsure_and_counted(trained, cubes, tmp_path):
    product = predict_map(trained, cubes, tmp_path / "out", options=MapOptions(unsure_error=0.13))
    proba = trained.predict_proba(read_blocks(cubes, Window(0, 0, *cubes.geobox.shape)))
    expected = proba.max(axis=0) < np.float32(trained.unsure_below(0.13))
    with rasterio.open(product.files["map"]) as src:
        np.testing.assert_array_equal(src.read(1) == 254, expected)
    assert product.count_px[254] == expected.sum() > 0


def test_what_is_just_outside_is_stored_outside():
    ratio = np.array([[0.996, 1.0, 1.0001, 7.0, np.nan]], np.float32)
    assert quantise_dissimilarity(ratio).tolist() == [[100, 100, 101, 250, 255]]


def test_models_without_these_say_so(model, cubes, trained, tmp_path):
    with pytest.raises(MapError, match="has no area of applicability"):
        predict_map(model, cubes, tmp_path / "a", options=MapOptions(applicability=True))
    with pytest.raises(MapError, match="cannot tell which pixels are unsure"):
        predict_map(model, cubes, tmp_path / "b", options=MapOptions(unsure_error=0.1))
    with pytest.raises(ModelError, match="out of reach"):
        predict_map(trained, cubes, tmp_path / "c", options=MapOptions(unsure_error=0.0001))
