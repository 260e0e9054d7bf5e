"""Conformal sets as a layer of the map: what stands in the file, and that blocks never change it."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from pydantic import ValidationError

from landweave.cube import make_inputs, read_blocks
from landweave.errors import MapError, ModelError
from landweave.grid import Window
from landweave.io.files import read_json
from landweave.legend import Legend
from landweave.maps import MapOptions, SmoothOptions, open_map, predict_map
from landweave.maps.sets import sample_features
from landweave.models import ModelOptions, add_uncertainty, train_model
from landweave.types import Fold, SampleTable

OPTIONS = ModelOptions(name="random-forest", params={"n_estimators": 10}, conformal=True, calibration="temperature")


@pytest.fixture
def trained(cubes):
    """A forest of two classes that are hard to tell apart, with held-out scores."""
    values = read_blocks(cubes, Window(0, 0, *cubes.geobox.shape))["main"].values
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1]).T
    flat = flat[~np.isnan(flat).any(axis=1)][::70][:300]
    rng = np.random.default_rng(1)
    names = np.where(flat[:, 0] + rng.normal(0, 0.03, len(flat)) > np.median(flat[:, 0]), "bright", "dull")
    inputs = make_inputs(cubes)
    frame = pd.DataFrame(flat, columns=list(inputs[0].feature_names)).assign(**{"class": names, "weight": 1.0})
    points = gpd.points_from_xy(np.arange(len(flat)), np.zeros(len(flat)))
    samples = SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs=4326), Legend.from_names(["bright", "dull"]), inputs)
    rows = np.arange(len(flat))
    folds = [Fold(rows[rows % 4 != f], rows[rows % 4 == f]) for f in range(4)]
    return add_uncertainty(train_model(samples, options=OPTIONS), samples, [folds], options=OPTIONS)


@pytest.mark.parametrize("shift", [False, True])
def test_any_block_size_gives_the_same_bytes(trained, cubes, tmp_path, shift):
    made = []
    for block_px, workers in ((37, 2), (64, 1), (512, 1)):
        options = MapOptions(block_px=block_px, conformal_error=0.1, conformal_shift=shift, smooth=SmoothOptions(window_px=5))
        product = predict_map(trained, cubes, tmp_path / str(block_px), options=options, workers=workers)
        made.append([product.files[n].read_bytes() for n in ("map", "sets")])
    assert made[0] == made[1] == made[2]


def test_the_file_holds_the_sets_of_the_model(trained, cubes, tmp_path):
    product = predict_map(trained, cubes, tmp_path / "out", options=MapOptions(block_px=64, conformal_error=0.1))
    proba = trained.predict_proba(read_blocks(cubes, Window(0, 0, *cubes.geobox.shape)))
    inside = trained.conformal.predict_sets(proba.reshape(2, -1).T, 0.1).T.reshape(proba.shape)
    with rasterio.open(product.files["sets"]) as src:
        stored = src.read()
        assert src.descriptions == ("set size", "bright", "dull")
        assert json.loads(src.tags()["LANDWEAVE_SETS"])["error_rate"] == 0.1
        assert (src.nodata, src.overviews(1) is not None) == (255, True)
    known = ~np.isnan(proba[0])
    np.testing.assert_array_equal(stored[1:, known], inside[:, known])
    np.testing.assert_array_equal(stored[0, known], inside.sum(axis=0)[known])
    assert (stored[:, ~known] == 255).all()
    assert 0.02 < (stored[0, known] == 2).mean() < 0.98


def test_sets_stand_in_item_and_lineage_and_are_found_again(trained, cubes, tmp_path):
    product = predict_map(trained, cubes, tmp_path / "out", options=MapOptions(conformal_error=0.1))
    item, lineage = read_json(product.files["item"]), read_json(product.files["lineage"])
    assert [b["name"] for b in item["assets"]["sets"]["raster:bands"]] == ["set size", "bright", "dull"]
    assert "sets.tif" in [o["path"] for o in lineage["stages"][-1]["outputs"]]
    assert open_map(tmp_path / "out").files["sets"].name == "sets.tif"
    assert product.files["sets"].stat().st_size < product.files["proba"].stat().st_size


def test_weights_change_sets_only_where_the_map_differs(trained, cubes):
    features = sample_features(trained, cubes)
    assert len(features) > 200
    plain, weighted = trained.set_rule(0.1), trained.set_rule(0.1, map_features=features)
    assert plain.shift is None
    assert weighted.shift is not None
    assert weighted.shift.weigh(trained.conformal.held_out.features).mean() == pytest.approx(1, abs=0.1)


def test_models_without_held_out_scores_say_so(model, cubes, tmp_path):
    with pytest.raises(MapError, match=r"needs a model trained with model\.conformal: true"):
        predict_map(model, cubes, tmp_path / "a", options=MapOptions(conformal_error=0.1))


def test_a_shift_needs_a_rate():
    with pytest.raises(ValidationError, match=r"give a rate such as 0\.1"):
        MapOptions(conformal_shift=True)


def test_an_old_model_says_to_train_again(trained, cubes):
    from dataclasses import replace

    old = replace(trained, conformal=replace(trained.conformal, held_out=None))
    with pytest.raises(ModelError, match="but not their features and folds; train it again"):
        old.set_rule(0.1, map_features=sample_features(trained, cubes))


def test_coverage_is_kept_for_any_rate(trained):
    for rate in (0.05, 0.2):
        found = trained.conformal.cover(rate)
        assert found.coverage == pytest.approx(1 - rate, abs=0.06)
        assert found.n == 300
