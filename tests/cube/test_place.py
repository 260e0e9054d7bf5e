"""Place as a cube: the same number for a pixel whichever window it is read in."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString

from landweave.cube import CubeOptions, list_sources, load_cube, open_cube, write_cube
from landweave.errors import SourceError

LINE = LineString([(500_055, 4_999_000), (500_055, 5_001_000)])


@pytest.fixture
def load(write, make_scene, tmp_path):
    """Load a cube of 40 x 50 pixels with place; `line` is a river along x = 500055."""
    path = tmp_path / "line.gpkg"
    gpd.GeoDataFrame({"name": ["river"]}, geometry=[LINE], crs="EPSG:32633").to_file(path)
    scene = make_scene(write(np.ones((40, 50), dtype=np.float32)), ("elevation",), None)
    return lambda **place: load_cube([scene], options=CubeOptions(place={"distances": {"river": path}, **place}))


def test_distances_are_metres_on_the_ground(load):
    got = load()["place"].sel(band="distance_river").values
    expected = np.abs(np.arange(50) * 10 + 5 - 55) / 0.9996  # the scale of UTM on its central meridian
    np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=1e-4, atol=1e-3)
    assert load(max_distance_m=100)["place"].values.max() == 100


def test_a_window_gives_what_the_whole_cube_gives(load):
    cube = load(encodings=["sine_cosine", "harmonics"], degree=3)["place"]
    part = cube.isel(y=slice(7, 19), x=slice(11, 30), band=[0, 6, 19]).values
    np.testing.assert_array_equal(part, cube.values[[0, 6, 19], 7:19, 11:30])


def test_place_is_written_with_the_cube_and_names_its_files(load, tmp_path):
    cubes = load(encodings=["sine_cosine"])
    assert list_sources(cubes["place"]) == (str(tmp_path / "line.gpkg"),)
    again = open_cube(write_cube(cubes, tmp_path / "cube.zarr"))
    np.testing.assert_array_equal(again["place"].values, cubes["place"].values)


def test_a_missing_vector_file_is_named(write, make_scene, tmp_path):
    scene = make_scene(write(np.ones((40, 50), dtype=np.float32)), ("elevation",), None)
    options = CubeOptions(place={"distances": {"river": tmp_path / "no.gpkg"}})
    with pytest.raises(SourceError, match=r"no.gpkg does not exist; give a vector file"):
        load_cube([scene], options=options)


def test_place_without_any_band_is_refused():
    with pytest.raises(ValueError, match="neither encodings nor distances"):
        CubeOptions(place={})
