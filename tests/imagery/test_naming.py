"""Layers get their bands by name, never by position."""

from __future__ import annotations

import pytest

from landweave.errors import BandError
from landweave.imagery.naming import match_name, name_layers, name_of_file
from landweave.io.rasters import read_info
from landweave.sensors import get_sensor

TM, OLI, S2 = (get_sensor(n) for n in ("landsat-tm-c2-l2", "landsat-oli-c2-l2", "sentinel-2-l2a"))


@pytest.fixture
def info(write_raster, tmp_path):
    def make(*descriptions, count=None):
        return read_info(write_raster(tmp_path / "x.tif", count or len(descriptions), descriptions=descriptions))

    return make


@pytest.mark.parametrize(("text", "sensor", "name"), [
    ("B1_dn", TM, "blue"), ("band 7 reflectance", TM, "swir22"), ("band 6 temperature", TM, "lwir"),
    ("Resize (ETM+ Meta (Band 4):L71119038_MTL.txt) (0.825000 Micrometers)", TM, "nir"),
    ("LC08_L2SP_193027_20200704_20200913_02_T1_SR_B4", OLI, "red"), ("B8A", S2, "nir08"),
    ("T32TPS_20240830_B8A_20m", S2, "nir08"),
    ("rededge1", S2, "rededge071"), ("red or nir", S2, None), ("B99", S2, None), ("infrared", S2, None),
])  # fmt: skip
def test_name_is_found_as_whole_words(text, sensor, name):
    assert match_name(text, sensor) == name


def test_descriptions_decide_not_positions(info):
    assert name_layers(info("B8", "B4", "B2"), S2, None) == {1: "nir", 2: "red", 3: "blue"}


def test_layer_that_the_sensor_does_not_know_is_left_out(info):
    assert name_layers(info("B4", "my own", "B8"), S2, None) == {1: "red", 3: "nir"}


def test_wavelength_names_a_layer(info):
    assert name_layers(info("x (0.66 Micrometers)", "y (2202 nm)"), S2, None) == {1: "red", 2: "swir22"}


def test_counting_descriptions_are_no_names(info):
    with pytest.raises(
        BandError, match=r"none of its 3 layers has a name.*'Band_1', 'Band_2', 'Band_3'.*`layers: .*--bands blue"
    ):
        name_layers(info("Band_1", "Band_2", "Band_3"), TM, None)


def test_unnamed_layers_tell_how_to_name_them(info):
    with pytest.raises(BandError, match=r"descriptions: none, none\. Name them in order with `layers:"):
        name_layers(info(count=2), get_sensor("generic"), None)


def test_generic_takes_descriptions_as_they_are(info):
    assert name_layers(info("Red", "Forest height", "VV"), get_sensor("generic"), None) == {
        1: "red",
        2: "forest_height",
        3: "vv",
    }


def test_list_names_layers_and_skips_null(info):
    assert name_layers(info(count=3), S2, ["B04", None, "cloudy"]) == {1: "red", 3: "cloudy"}


def test_list_of_another_length_is_refused(info):
    with pytest.raises(BandError, match=r"has 3 layers \(none, none, none\), but `layers:` \(--bands\) names 2: red, nir"):
        name_layers(info(count=3), S2, ["red", "nir"])


def test_mapping_names_by_description(info):
    assert name_layers(info("Rot", "B8", "?"), S2, {"rot": "red"}) == {1: "red", 2: "nir"}


def test_mapping_of_an_absent_description_is_refused(info):
    with pytest.raises(BandError, match=r"no layer described 'Rouge'; its descriptions are 'Rot', 'B8'"):
        name_layers(info("Rot", "B8"), S2, {"Rouge": "red"})


def test_two_layers_of_one_name_are_refused(info):
    with pytest.raises(BandError, match=r"layer 1 \(B4\), layer 2 \(red\) are all red; say which one"):
        name_layers(info("B4", "red"), S2, None)


def test_one_layer_of_a_sensor_of_one_band_needs_no_name(info):
    assert name_layers(info("s04_w050_1arc_v3"), get_sensor("dem"), None) == {1: "elevation"}


def test_file_name_holds_a_band():
    assert name_of_file("022024_2018-08-29_2018-09-13_EVI.tif", get_sensor("cbers4-awfi")) == "evi"
    assert name_of_file("LC08_L2SP_SR_B5.TIF", OLI) == "nir"
