"""Terrain as a cube: on the elevation model's own pixels, then brought onto the grid."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from landweave.cube import CubeOptions, list_sources, load_cube
from landweave.errors import BandError, CubeError

ROWS, COLS = np.mgrid[:60, :80]


@pytest.fixture
def load(write, make_scene, tmp_path):
    """Load a cube of an elevation model and the measures asked for."""

    def make(data=None, measures=("slope", "northness"), *, day=None, transform=None, more=None, **terrain):
        data = (100 + 3.0 * ROWS).astype(np.float32) if data is None else data
        path = write(data, **({"transform": transform} if transform else {}), **(more or {}))
        options = {"measures": measures, "folder": tmp_path / "kept", **terrain}
        return lambda **cube: load_cube(
            {"dem": [make_scene(path, ("elevation",), day)]}, options=CubeOptions(terrain=options, **cube)
        )

    return make


def test_measures_are_bands_of_a_static_cube(load):
    cubes = load()()
    np.testing.assert_allclose(cubes["terrain"].values[0], np.degrees(np.arctan(0.3)), atol=0.02)  # UTM: 10.003 m on the ground
    np.testing.assert_allclose(cubes["terrain"].values[1], 1)
    assert list(cubes["terrain"].band.values) == ["slope", "northness"]


def test_a_list_of_measures_will_do():
    assert CubeOptions(terrain=["slope", "twi"]).terrain.measures == ("slope", "twi")
    with pytest.raises(ValueError, match="there are slope, northness"):
        CubeOptions(terrain=["steepness"])


def test_slope_is_measured_on_the_models_own_pixels_in_degrees_too(load):
    size = 1 / 3600
    cubes = load((30.0 * COLS).astype(np.float32), transform=Affine(size, 0, 15, 0, -size, 60), more={"crs": "EPSG:4326"})()
    across = 111_320 * np.cos(np.radians(59.99)) * size  # metres along the parallel, sphere
    np.testing.assert_allclose(cubes["terrain"].values[0], np.degrees(np.arctan(30 / across)), atol=0.2)


def test_a_coarser_cube_averages_measures_of_fine_pixels(load):
    z = (20 * np.abs(ROWS % 2 - 0.5) * (COLS % 7)).astype(np.float32)
    make = load(z, ("tri",))
    fine, coarse = make()["terrain"].values[0], make(resolution=20)["terrain"].values[0]
    np.testing.assert_allclose(coarse, fine.reshape(30, 2, 40, 2).mean(axis=(1, 3)), rtol=1e-5)


def test_where_the_cube_lies_makes_no_difference(load):
    z = np.random.default_rng(1).normal(size=(60, 80)).cumsum(axis=0).astype(np.float32) + 100
    make = load(z, ("slope", "tpi", "twi"), radius_px=4)
    whole = make()["terrain"]
    part = make(bounds=(500_200, 4_999_500, 500_500, 4_999_900))["terrain"]
    np.testing.assert_array_equal(part.values, whole.values[:, 10:50, 20:50])


def test_measures_are_computed_once_and_kept(load, tmp_path):
    make = load()
    path = list_sources(make()["terrain"])[0]
    before = (tmp_path / "kept").stat().st_mtime_ns
    assert list_sources(make()["terrain"]) == (path,)
    assert (tmp_path / "kept").stat().st_mtime_ns == before
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_tiles_with_markers_of_their_own_are_one_model(write, make_scene, tmp_path):
    z = (100 + 3.0 * ROWS).astype(np.float32)
    z[5, 5], z[50, 50] = -32767, -9999
    paths = [write(z[:30], nodata=-32767), write(z[30:], nodata=-9999, transform=Affine(10, 0, 500_000, 0, -10, 4_999_700))]
    scenes = {"dem": [make_scene(p, ("elevation",), None) for p in paths]}
    options = CubeOptions(terrain={"measures": ["slope"], "folder": tmp_path / "kept"})
    slope = load_cube(scenes, options=options)["terrain"].values[0]
    assert np.argwhere(np.isnan(slope)).tolist() == [[5, 5], [50, 50]]
    np.testing.assert_allclose(slope[~np.isnan(slope)], np.degrees(np.arctan(0.3)), atol=0.02)


def test_an_undeclared_marker_is_no_cliff(write, make_scene, tmp_path):
    from landweave.sensors import get_sensor
    from landweave.types import Asset, Scene

    z = np.full((60, 80), 250, dtype=np.float32)
    z[:20] = -9999
    scenes = {"dem": [Scene("dem", get_sensor("dem"), None, None, (Asset("elevation", write(z)),))]}
    options = CubeOptions(terrain={"measures": ["slope"], "folder": tmp_path})
    with pytest.raises(CubeError, match=r"33.3 % of the sampled values .* -500..9000"):
        load_cube(scenes, options=options)
    slope = load_cube(scenes, options=options.model_copy(update={"out_of_range": "nodata"}))["terrain"].values[0]
    assert (slope[20:] == 0).all()
    assert np.isnan(slope[:20]).all()


def test_terrain_without_one_static_elevation_is_refused(load, write, make_scene):
    red = {"main": [make_scene(write(np.ones((1, 20, 20), dtype=np.int16)), ("red",))]}
    with pytest.raises(BandError, match="none has it"):
        load_cube(red, options=CubeOptions(terrain=["slope"]))
    with pytest.raises(CubeError, match="static: true"):
        load(day="2020-06-01")()
    with pytest.raises(BandError, match="source 'srtm' has no band of kind elevation; dem have it"):
        load(source="srtm")()


def test_wetness_of_a_model_too_large_for_memory_is_refused(load):
    with pytest.raises(CubeError, match=r"4,800 pixels .* max_wetness_px is 1,000"):
        load(measures=["twi"], max_wetness_px=1000)()


def test_a_source_of_the_cubes_own_name_is_refused(write, make_scene):
    scenes = {"terrain": [make_scene(write(np.ones((20, 20), dtype=np.float32)), ("elevation",), None)]}
    with pytest.raises(CubeError, match="name it otherwise"):
        load_cube(scenes, options=CubeOptions(terrain=["slope"]))
