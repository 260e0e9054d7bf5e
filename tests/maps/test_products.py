"""The files of a map as other software sees them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rio_cogeo import cog_validate

from landweave.grid import make_geobox
from landweave.io.stac import validate_item
from landweave.maps import MapOptions, predict_map
from landweave.maps.products import find_interval


@pytest.fixture(scope="module")
def product(mapping, tmp_path_factory):
    """A map of 700 x 1100 pixels, large enough for overviews."""
    tmp_path = tmp_path_factory.mktemp("product")
    cubes = mapping.load(mapping.write_scenes(tmp_path, make_geobox((0, 0, 11000, 7000), "EPSG:32633", 10), n_dates=1))
    return predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=MapOptions(block_px=512))


@pytest.mark.parametrize("name", ["map", "proba", "uncertainty"])
def test_rasters_are_valid_cogs_with_overviews(product, name):
    assert cog_validate(product.files[name], strict=True) == (True, [], [])
    with rasterio.open(product.files[name]) as src:
        assert src.overviews(1) == [2, 4]
        assert src.block_shapes[0] == (512, 512)


def test_overviews_of_classes_hold_no_class_that_is_not_there(product):
    with rasterio.open(product.files["map"], overview_level=0) as src:
        assert set(np.unique(src.read(1))) <= {0, 3, 17, 255}


def test_gdal_reads_colour_table_category_names_and_nodata(product, tmp_path):
    with rasterio.open(product.files["map"]) as src:
        assert src.nodata == 255
        assert src.colormap(1)[3] == (0x22, 0x88, 0x33, 255)
        assert src.colorinterp[0].name == "palette"
    rasterio.shutil.copy(product.files["map"], tmp_path / "map.vrt", driver="VRT")  # a VRT says what GDAL saw
    names = [c.text for c in ET.parse(tmp_path / "map.vrt").findall(".//CategoryNames/Category")]
    assert {i: n for i, n in enumerate(names) if n} == {0: "Water & ice", 3: "Forest", 17: "Crop"}


def test_gdal_reads_names_and_scales_of_the_probabilities(product):
    with rasterio.open(product.files["proba"]) as src:
        assert src.descriptions == ("Forest", "Water & ice", "Crop")
        assert (src.scales, src.nodata, src.dtypes[0]) == ((0.004,) * 3, 255, "uint8")
        values = src.read(masked=True).astype(float)
    # each class is rounded to a step of 0.004
    assert np.abs(values.sum(axis=0) * 0.004 - 1).max() <= 0.0061


def test_rasters_carry_no_time(product):
    with rasterio.open(product.files["map"]) as src:
        assert set(src.tags()) == {"AREA_OR_POINT", "LANDWEAVE_LEGEND"}


def test_the_item_is_valid_and_its_assets_are_there(product):
    item = json.loads(product.files["item"].read_text())
    assert validate_item(item) == []
    assert {"map", "proba", "uncertainty", "style", "model"} == set(item["assets"])
    for asset in item["assets"].values():
        assert (product.folder / asset["href"]).is_file()
    assert item["properties"]["start_datetime"] == "2020-01-01T00:00:00Z"


def test_imagery_without_a_date_gets_no_item_and_says_so(mapping, cubes, tmp_path, caplog):
    from dataclasses import replace

    static = replace(cubes, cubes={"main": cubes["main"].isel(time=0, drop=True)})
    assert find_interval(static) is None
    model = mapping.FakeModel(static)
    model.predict_proba = lambda blocks: np.full((3, *blocks["main"].interior.shape[-2:]), 1 / 3, dtype=np.float32)
    with caplog.at_level("INFO", logger="landweave"):
        product = predict_map(model, static, tmp_path / "out", inputs={"a": "b"}, options=MapOptions(block_px=512))
    assert "item" not in product.files
    assert "needs a date and the imagery has none" in caplog.text
