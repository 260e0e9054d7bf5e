"""Files for interpreters, and theirs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import geopandas as gpd
import pandas as pd
import pytest

from landweave.errors import SampleError
from landweave.io.interpreters import read_answers, write_ceo, write_places
from landweave.legend import Legend

LEGEND = Legend.from_names(["forest", "crop & fallow"])


@pytest.fixture
def places():
    table = {"place": [1, 2, 3], "lon": [10.5, 11.0, 12.25], "lat": [-3.0, -2.5, -2.0]}
    table |= {"class": [None] * 3, "labeller": [None] * 3}
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs="EPSG:4326")


def test_a_geopackage_comes_with_a_form_of_the_classes(places, tmp_path):
    files = write_places(tmp_path / "points.gpkg", places, LEGEND)
    assert [f.name for f in files] == ["points.gpkg", "points.qml"]
    assert gpd.read_file(files[0])["place"].tolist() == [1, 2, 3]
    root = ET.parse(files[1]).getroot()
    field = root.find("fieldConfiguration/field[@name='class']/editWidget[@type='ValueMap']")
    assert [o.get("value") for o in field.iter("Option") if o.get("value")] == ["forest", "crop & fallow"]
    assert root.find("renderer-v2").get("type") == "singleSymbol"


def test_collect_earth_online_gets_the_columns_it_asks_for(places, tmp_path):
    plots, samples = write_ceo(tmp_path / "points", places)
    assert plots.read_text().splitlines()[:2] == ["LON,LAT,PLOTID", "10.50000000,-3.00000000,1"]
    assert samples.read_text().splitlines()[0] == "LON,LAT,PLOTID,SAMPLEID"
    assert (plots.name, samples.name) == ("points.ceo-plots.csv", "points.ceo-samples.csv")


def test_answers_of_several_files_are_told_apart_by_labeller_or_file(places, tmp_path):
    filled = places.assign(**{"class": ["forest", "crop & fallow", None]})
    filled.to_file(tmp_path / "anna.gpkg")
    pd.DataFrame({"plotid": [1, 2], "email": ["b@x", ""], "Land cover?": ["forest", "forest"]}).to_csv(tmp_path / "ceo.csv")
    got = pd.concat([read_answers([tmp_path / "anna.gpkg"]), read_answers([tmp_path / "ceo.csv"], class_column="Land cover?")])
    assert got["labeller"].tolist() == ["anna", "anna", "anna", "b@x", "ceo"]
    assert got["place"].tolist() == [1, 2, 3, 1, 2]


def test_what_was_written_as_csv_is_read_back(places, tmp_path):
    (file,) = write_places(tmp_path / "points.csv", places.assign(**{"class": "forest"}), LEGEND)
    assert read_answers([file])["class"].tolist() == ["forest"] * 3


def test_files_without_the_columns_are_refused(places, tmp_path):
    pd.DataFrame({"id": [1], "class": ["forest"]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SampleError, match=r"has no column place or plotid \(columns: id, class\); name it with place_column"):
        read_answers([tmp_path / "a.csv"])
    with pytest.raises(SampleError, match="has no column 'x'; it has id, class"):
        read_answers([tmp_path / "a.csv"], place_column="x")
    with pytest.raises(SampleError, match="has 'forest' in the column 'class'; expected the whole number of a place"):
        read_answers([tmp_path / "a.csv"], place_column="class")
    with pytest.raises(SampleError, match="no file of answers is given"):
        read_answers([])


def test_other_endings_are_refused(places, tmp_path):
    with pytest.raises(SampleError, match=r"written as .gpkg or .csv, but points.shp ends in .shp"):
        write_places(tmp_path / "points.shp", places, LEGEND)
