"""Scenes from a CSV table."""

from __future__ import annotations

from datetime import datetime

import pytest

from landweave.errors import BandError, SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes


@pytest.fixture
def find(write_raster, tmp_path):
    write_raster(tmp_path / "a.tif", 2, descriptions=["B4", "B8"])
    write_raster(tmp_path / "b.tif")

    def run(text, **options):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return find_scenes(SourceOptions(table=tmp_path / "t.csv", **options))

    return run


def test_rows_of_one_time_are_one_scene(find):
    (scene,) = find("path,band,layer,time_start\na.tif,red,1,2020-05-01\na.tif,nir,2,2020-05-01\nb.tif,swir16,,2020-05-01\n")
    assert [(a.band, a.layer) for a in scene.assets] == [("red", 1), ("nir", 2), ("swir16", 1)]
    assert (scene.time_start, scene.time_end) == (datetime(2020, 5, 1), datetime(2020, 5, 2))


def test_end_without_time_of_day_is_inclusive(find):
    (scene,) = find("path,band,time_start,time_end\nb.tif,ndvi,2020-05-01,2020-05-16\n", sensor="modis-mod13q1")
    assert scene.time_end == datetime(2020, 5, 17)


def test_empty_band_takes_the_files_names(find):
    assert find("path,time_start\na.tif,2020-05-01\n", sensor="sentinel-2-l2a")[0].bands == ("red", "nir")


def test_scene_and_coding_may_be_stated(find):
    scenes = find("path,band,scene,scale,cloud\na.tif,red,one,0.5,7\nb.tif,red,two,,\n")
    assert [s.id for s in scenes] == ["one", "two"]
    assert (scenes[0].assets[0].scale, scenes[0].assets[0].offset) == (0.5, 0.0)
    assert scenes[0].properties == {"cloud": "7"}


@pytest.mark.parametrize(("text", "error", "message"), [
    ("file\na.tif\n", SourceError, r"has the columns \['file'\]; it needs `path`"),
    ("path,band\n", SourceError, "has no rows"),
    ("path,band,layer\na.tif,red,3\n", SourceError, r"line 2: layer is 3, but .*a\.tif has layers 1 to 2"),
    ("path,band,layer\na.tif,red,x\n", SourceError, "line 2: 'x' is no number"),
    ("path,band,time_start\na.tif,red,May\n", SourceError, "line 2: time 'May' to '' is no ISO date"),
    ("path,band,time_start,time_end\na.tif,red,2020-05-02,2020-04-01\n", SceneError, "is before time_start"),
    ("path,band\nb.tif,\n", BandError, "line 2: `band` is empty and .* does not name its layers"),
    ("path,band\nc.tif,red\n", SourceError, r"c\.tif does not exist"),
])  # fmt: skip
def test_mistake_names_its_line(find, text, error, message):
    with pytest.raises(error, match=message):
        find(text)


def test_dated_sensor_needs_a_time(find):
    with pytest.raises(SceneError, match="line 2: time_start is empty, and scenes of sentinel-2-l2a have a date"):
        find("path,band\nb.tif,red\n", sensor="sentinel-2-l2a")


def test_missing_table_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"no\.csv does not exist; give a CSV file with the columns path, band"):
        find_scenes(SourceOptions(table=tmp_path / "no.csv"))
