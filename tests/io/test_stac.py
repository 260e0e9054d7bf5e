"""Items fit the STAC schemas, and what does not fit is named."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path

import pytest

from landweave.errors import MapError
from landweave.grid import make_geobox
from landweave.io.stac import add_asset, make_item, validate_item, write_item
from landweave.legend import LandClass, Legend
from landweave.types import MapProduct, ModelCard, ModelInput

LEGEND = Legend((LandClass(1, "Wald (dicht)", "#228833", definition="trees"), LandClass(2, "Wald [dicht]", "#4477aa")))
CARD = ModelCard(
    model="random-forest", title="Wälder 1", params={"max depth": 3, "seed": 0}, classes=LEGEND.to_dicts(),
    inputs=(ModelInput(bands=("red", "nir"), kinds=("reflectance", "reflectance"), n_steps=4),
            ModelInput(name="dem", bands=("elevation",), kinds=("elevation",))),
)  # fmt: skip
YEAR = (datetime(2020, 1, 1), datetime(2021, 1, 1))


def product(crs="EPSG:32633", bounds=(500000, 5000000, 600000, 5100000), resolution=100):
    names = ("map.tif", "proba.tif", "uncertainty.tif", "map.qml")
    files = {k: Path(n) for k, n in zip(("map", "proba", "uncertainty", "style"), names, strict=True)}
    geobox = make_geobox(bounds, crs, resolution)
    return MapProduct(Path(), files, LEGEND, geobox, "ab" * 32, {1: 5, 255: 2}, {1: 5.0, 255: 2.0})


@pytest.fixture
def item():
    return make_item(product(), CARD, interval=YEAR)


def test_the_item_fits_the_schemas_of_stac_and_its_extensions(item):
    assert validate_item(item) == []
    assert len(item["stac_extensions"]) == 4


def test_place_and_time_are_where_and_when_the_map_is(item):
    west, south, east, north = item["bbox"]
    # the central meridian is 15 E, and 45.15 N lies 5000 km from the equator
    assert (west, south) == pytest.approx((15.0, 45.148), abs=0.01)
    assert (east, north) == pytest.approx((16.29, 46.05), abs=0.02)
    assert item["properties"]["end_datetime"] == "2020-12-31T23:59:59Z"
    assert item["properties"]["proj:code"] == "EPSG:32633"
    assert item["properties"]["proj:shape"] == [1000, 1000]


def test_a_crs_without_code_is_told_as_wkt2():
    odd = make_item(product("+proj=aea +lat_0=0 +lon_0=-54 +lat_1=-1 +lat_2=-29 +ellps=GRS80 +units=m",
                            (778451, -1461554, 804051, -1435954), 64), CARD, interval=YEAR)  # fmt: skip
    assert validate_item(odd) == []
    assert odd["properties"]["proj:code"] is None
    assert odd["properties"]["proj:wkt2"].startswith("PROJCRS[")


def test_an_instant_is_one_date():
    item = make_item(product(), CARD, interval=(YEAR[0], YEAR[0]))
    assert item["properties"]["datetime"] == "2020-01-01T00:00:00Z"
    assert validate_item(item) == []


def test_classes_keep_their_names_as_titles_and_get_plain_unique_ones(item):
    classes = item["assets"]["map"]["classification:classes"]
    assert [(c["value"], c["name"], c.get("title")) for c in classes] == [
        (1, "Wald_dicht_1", "Wald (dicht)"), (2, "Wald_dicht_2", "Wald [dicht]"), (255, "nodata", None)]  # fmt: skip
    assert [c["count"] for c in classes] == [5, 0, 2]


def test_the_model_is_described_with_its_inputs(item):
    first, second = item["properties"]["mlm:input"]
    assert (first["bands"], first["input"]["shape"]) == (["red", "nir"], [-1, 4, 2])
    assert second["input"]["dim_order"] == ["batch", "band"]
    assert item["assets"]["model"]["roles"] == ["mlm:model"]


@pytest.mark.parametrize(("at", "value", "said"), [
    (("bbox",), [1], "bbox"),
    (("properties", "datetime"), 5, "datetime"),
    (("properties", "mlm:tasks"), ["guessing"], "mlm:tasks"),
    (("properties", "proj:shape"), [1], "proj:shape"),
    (("assets", "map", "classification:classes", 0, "color_hint"), "red", "color_hint"),
    (("assets", "proba", "raster:bands", 0, "data_type"), "byte", "data_type"),
])  # fmt: skip
def test_what_does_not_fit_is_named(item, at, value, said):
    wrong = copy.deepcopy(item)
    inner = wrong
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    assert any(said in line for line in validate_item(wrong))


def test_a_wrong_item_is_not_written(item, tmp_path):
    item["properties"]["proj:shape"] = [1]
    with pytest.raises(MapError, match=r"does not fit its schemas: properties/proj:shape"):
        write_item(item, tmp_path / "item.json")
    assert list(tmp_path.iterdir()) == []


def test_an_extension_that_does_not_ship_is_named(item):
    item["stac_extensions"].append("https://example.org/v1/schema.json")
    with pytest.raises(MapError, match=r"https://example\.org/v1/schema\.json does not ship"):
        validate_item(item)


def test_a_report_is_added_to_an_item_on_disk(item, tmp_path):
    path = write_item(item, tmp_path / "item.json")
    add_asset(path, "report", {"href": "./report.html", "type": "text/html", "roles": ["metadata"]})
    assert json.loads(path.read_text())["assets"]["report"]["href"] == "./report.html"
