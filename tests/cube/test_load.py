from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError, GridError, SceneError, SourceError
from landweave.grid import geobox_of, is_nested
from landweave.types import Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
Coded = Callable[..., np.ndarray]


def test_several_sources_share_one_grid(write: Write, make_scene: Make, coded: Coded) -> None:
    relief = np.full((6, 8), 120, np.int16)
    dem = make_scene(write(relief, transform=Affine(20, 0, 500_000, 0, -20, 5_000_000)), ["elevation"], None)
    cubes = load_cube({"optical": [make_scene(write(coded()))], "terrain": [dem]})
    assert cubes["terrain"].dims == ("band", "y", "x")
    assert geobox_of(cubes["terrain"]) == geobox_of(cubes["optical"]) == cubes.geobox
    assert (cubes["terrain"].values == 120).all()


def test_a_source_with_its_own_resolution_stays_on_a_nested_grid(write: Write, make_scene: Make, coded: Coded) -> None:
    radar = np.arange(42, dtype=np.float32).reshape(6, 7)
    path = write(radar, transform=Affine(20, 0, 500_000, 0, -20, 5_000_000))
    sources = {"optical": [make_scene(write(coded(2, 12, 14)))], "radar": [make_scene(path, ["vv"])]}
    cubes = load_cube(sources, options=CubeOptions(resolution={"optical": 10, "radar": 20}))
    assert is_nested(geobox_of(cubes["radar"]), cubes.geobox) == 2
    np.testing.assert_array_equal(cubes["radar"].values[0, 0], radar)


def test_coarser_bands_of_a_source_come_onto_its_grid(write: Write, make_scene: Make, coded: Coded) -> None:
    fine, coarse = make_scene(write(coded(1, 12, 14)), ["red"]), np.full((6, 7), 3000, np.int16)
    other = make_scene(write(coarse, transform=Affine(20, 0, 500_000, 0, -20, 5_000_000)), ["nir"])
    object.__setattr__(fine, "assets", (*fine.assets, *other.assets))
    cube = load_cube([fine])["main"]
    np.testing.assert_allclose(cube.sel(band="nir").values, 0.3, rtol=1e-6)


def test_files_in_another_crs_are_reprojected_and_told(write: Write, make_scene: Make, coded: Coded) -> None:
    home = [make_scene(write(coded()), day=f"2020-01-0{i}") for i in (1, 2)]
    west, north = 20_000, 5_025_000
    data = np.full((1, 400, 400), 3000, np.int16)
    path = write(data, crs="EPSG:32634", transform=Affine(50, 0, west, 0, -50, north))
    away = make_scene(path, ["red"], "2020-01-03")
    cubes = load_cube([*home, away], options=CubeOptions(bands=("red",), extent="intersection"))
    assert cubes.geobox.crs.epsg == 32633
    assert any("1 files were reprojected from EPSG:32634 to EPSG:32633" in n for n in cubes.notes)
    assert np.nanmean(cubes["main"].values[2]) == pytest.approx(0.3)


def test_a_file_without_crs_names_the_remedy(write: Write, make_scene: Make, coded: Coded) -> None:
    path = write(coded(), crs=None)
    with pytest.raises(GridError, match=r"file0\.tif has no crs; state it in the recipe"):
        load_cube([make_scene(path)])
    assert load_cube([make_scene(path, crs="EPSG:32633")]).geobox.crs.epsg == 32633


def test_a_source_that_lies_elsewhere_is_named(write: Write, make_scene: Make, coded: Coded) -> None:
    far = make_scene(write(coded(1), transform=Affine(10, 0, 700_000, 0, -10, 5_000_000)), ["elevation"], None)
    like = write(coded())
    with pytest.raises(GridError, match=r"the files of source 'terrain' do not overlap: the cube's grid at lon 15\.0"):
        load_cube({"main": [make_scene(like)], "terrain": [far]}, options=CubeOptions(like=like))


def test_no_scenes_is_an_error() -> None:
    with pytest.raises(SceneError, match="no scenes in source 'main'; look at its paths"):
        load_cube([])


def test_a_band_that_no_source_has_lists_those_there_are(write: Write, make_scene: Make, coded: Coded) -> None:
    with pytest.raises(BandError, match="no source has the band 'green'; there are red, nir"):
        load_cube([make_scene(write(coded()))], options=CubeOptions(bands=("red", "green")))


def test_an_index_that_cannot_be_computed_is_named(write: Write, make_scene: Make, coded: Coded) -> None:
    with pytest.raises(BandError, match="index 'mndwi' cannot be computed from the bands red, nir"):
        load_cube([make_scene(write(coded()))], options=CubeOptions(indices=("mndwi",)))


def test_a_missing_file_is_named(make_scene: Make, tmp_path: object) -> None:
    with pytest.raises(SourceError, match=r"gone\.tif does not exist"):
        load_cube([make_scene(f"{tmp_path}/gone.tif")])


@pytest.mark.parametrize(("kind", "method", "expected"), [("average", "average", 2.5), ("nearest", "nearest", 4.0)])
def test_resampling_follows_the_kind(write: Write, make_scene: Make, kind: str, method: str, expected: float) -> None:
    data = np.tile(np.array([[1, 2], [3, 4]], np.float32), (4, 4))
    scene = make_scene(write(data), ["vv"])
    options = CubeOptions(resolution=20, resampling={"backscatter": method})
    assert np.unique(load_cube([scene], options=options)["main"].values).tolist() == [expected]


def test_continuous_bands_are_averaged_and_classes_are_not(write: Write, make_scene: Make) -> None:
    data = np.tile(np.array([[1, 2], [3, 4]], np.float32), (2, 4, 4))
    cube = load_cube([make_scene(write(data), ["vv", "classes"])], options=CubeOptions(resolution=20))["main"]
    assert np.unique(cube.sel(band="vv").values).tolist() == [2.5]
    assert np.unique(cube.sel(band="classes").values).tolist() == [4.0]
