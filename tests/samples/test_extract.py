from __future__ import annotations

from datetime import date

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from shapely import Point

from landweave.cube import CubeOptions, load_cube, read_blocks
from landweave.errors import CubeError, SampleError
from landweave.grid import Window, make_geobox, to_coords
from landweave.imagery import SourceOptions, find_scenes
from landweave.samples import extract_samples, import_reference
from landweave.samples._rows import make_frame
from landweave.samples.extract import season_starts
from landweave.samples.reference import pixel_of
from landweave.types import CubeSet, Season, SeasonStep

SEASON = Season(start="09-01", length_days=60, steps=(SeasonStep(from_day=0, to_day=30), SeasonStep(from_day=30, to_day=60)))


@pytest.fixture
def values(rng) -> np.ndarray:
    made = rng.random((2, 40, 50)).astype(np.float32)
    made[:, 0, 0], made[0, 1, 1] = -9999, -9999
    return made


@pytest.fixture
def places(write_places, options, geobox, at):
    shapes = [Point(at(c + 0.3, r + 0.6)) for r, c in ((0, 0), (1, 1), (20, 30), (39, 49))]
    return import_reference(options(write_places(shapes, label=list("abab"))), geobox=geobox)


def test_every_row_has_the_values_of_its_pixel(places, values, make_cubes, geobox):
    made = extract_samples(places, make_cubes(values, ["red", "nir"]))
    row, col = pixel_of(made.frame, geobox)
    np.testing.assert_array_equal(made.to_features()[1:], values[:, row, col].T[1:])
    assert np.isnan(made.frame["red"][0])
    assert not np.isnan(made.frame["nir"][0])


def test_rows_on_nodata_are_rejected_with_the_reason(places, values, make_cubes):
    made = extract_samples(places, make_cubes(values, ["red", "nir"]))
    assert len(made) == 3
    assert made.rejected[["sample_id", "reason"]].to_numpy().tolist() == [[0, "lies on nodata (no valid observation)"]]


def test_features_are_those_of_the_map_whatever_the_blocks(places, values, make_cubes, monkeypatch):
    cubes = make_cubes(values, ["red", "nir"])
    whole = extract_samples(places, cubes)
    monkeypatch.setattr("landweave.samples.extract._BLOCK_VALUES", 1)
    np.testing.assert_array_equal(extract_samples(places, cubes).to_features(), whole.to_features())
    block = read_blocks(cubes, Window(20, 30, 1, 1))["main"]
    np.testing.assert_array_equal(whole.to_features()[1], block.values[:, 0, 0])


def test_each_block_is_read_once(values, make_cubes, write_places, options, geobox, at, monkeypatch):
    shapes = [Point(at(c + 0.5, r + 0.5)) for r in range(40) for c in range(50)]
    samples = import_reference(options(write_places(shapes, label=["a", "b"] * 1000)), geobox=geobox)
    monkeypatch.setattr("landweave.samples.extract._BLOCK_VALUES", 2 * 32 * 32)
    seen = []
    extract_samples(samples, make_cubes(values, ["red", "nir"]), progress=seen.append)
    assert [(e.done, e.total) for e in seen] == [(i, 4) for i in (1, 2, 3, 4)]


def test_a_coarser_cube_gives_the_pixel_around(places, values, make_cubes):
    cubes = make_cubes(values, ["red", "nir"])
    grid = make_geobox(tuple(cubes.geobox.boundingbox), cubes.geobox.crs, 20)
    coords = to_coords(grid) | {"band": ["elevation"], "kind": ("band", ["elevation"])}
    coarse = xr.DataArray(np.arange(20.0 * 25).reshape(1, 20, 25), dims=("band", "y", "x"), coords=coords)
    made = extract_samples(places, CubeSet({"s2": cubes["main"], "dem": coarse}, cubes.geobox))
    assert made.feature_names == ("s2.red", "s2.nir", "dem.elevation")
    assert made.frame["dem.elevation"].tolist() == [0, 10 * 25 + 15, 19 * 25 + 24]
    assert made.rejected["reason"].tolist() == ["lies on nodata of s2 (no valid observation)"]


@pytest.fixture
def dated(write_raster):
    """A cube whose red of the n-th date is n everywhere; dates 30 days apart from 2019-09-16 in two years."""
    dates = [date(2019, 9, 16), date(2019, 10, 16), date(2020, 9, 16), date(2020, 10, 16)]
    values = np.stack([np.full((40, 50), i, dtype=np.float32) for i in range(4)])
    path, texts = write_raster(values, "red.tif"), [str(d) for d in dates]
    source = SourceOptions(paths=path, pattern="{band}.tif", layer_dates=texts, kind="other")
    return load_cube({"main": find_scenes(source)}, options=CubeOptions())


def _timed(write_places, options, geobox, at, *spans):
    path = write_places([Point(at(i + 0.5, 5)) for i in range(len(spans))], label=["a", "b"] * (len(spans) // 2),
                        a=[s[0] for s in spans], b=[s[1] for s in spans])  # fmt: skip
    return import_reference(options(path, start_column="a", end_column="b"), geobox=geobox)


def test_each_row_is_aligned_to_its_own_season(dated, write_places, options, geobox, at):
    samples = _timed(write_places, options, geobox, at, ("2019-09-01", "2019-11-01"), ("2020-08-20", "2020-11-01"))
    made = extract_samples(samples, dated, season=SEASON)
    assert made.to_features().tolist() == [[0, 1], [2, 3]]
    assert made.inputs[0].season == SEASON


def test_rows_of_a_season_that_the_cube_lacks_are_rejected(dated, write_places, options, geobox, at):
    samples = _timed(write_places, options, geobox, at, ("2019-09-01", "2019-11-01"), ("2010-09-01", "2010-11-01"))
    made = extract_samples(samples, dated, season=SEASON)
    assert made.rejected["reason"].tolist() == ["the cube cannot serve its season, which starts on 2010-09-01"]


def test_a_cube_that_serves_no_season_is_an_error(dated, write_places, options, geobox, at):
    samples = _timed(write_places, options, geobox, at, ("2010-09-01", "2010-11-01"), ("2010-09-01", "2010-11-01"))
    with pytest.raises(CubeError, match="cannot serve the season of 2010-09-01"):
        extract_samples(samples, dated, season=SEASON)


def test_a_season_needs_the_time_of_every_row(dated, places):
    with pytest.raises(SampleError, match=r"4 of 4 samples state no time.*name start_column"):
        extract_samples(places, dated, season=SEASON)


def test_labels_of_several_years_need_a_season(dated, write_places, options, geobox, at):
    samples = _timed(write_places, options, geobox, at, ("2019-09-01", "2019-11-01"), ("2020-09-01", "2020-11-01"))
    with pytest.raises(SampleError, match="labels are of 2 times from 2019-09-01 to 2020-09-01, but without a season"):
        extract_samples(samples, dated)


def test_labels_of_another_time_are_rejected(dated, write_places, options, geobox, at):
    samples = _timed(write_places, options, geobox, at, ("2010-09-01", "2010-11-01"), ("2010-09-01", "2010-11-01"))
    with pytest.raises(SampleError, match="none of the 2 samples has features: its label is of a time"):
        extract_samples(samples, dated)


def test_samples_on_nodata_alone_are_an_error(places, make_cubes):
    with pytest.raises((SampleError, CubeError), match=r"nodata|nothing valid|no valid"):
        extract_samples(places, make_cubes(np.full((1, 40, 50), -9999, np.float32), ["red"]))


@pytest.mark.parametrize(("start", "end", "season"), [
    ("2019-09-14", "2020-09-01", "2019-09-01"),
    ("2019-08-25", "2019-10-01", "2019-09-01"),
    ("2019-10-15", None, "2019-09-01"),
    ("2020-01-15", "2020-01-16", "2019-09-01"),
    ("2020-08-15", "2020-12-30", "2020-09-01"),
])  # fmt: skip
def test_a_row_names_the_season_it_overlaps_longest(start, end, season):
    times = {"time_start": np.array([start], "datetime64[ms]"), "time_end": np.array([end or "NaT"], "datetime64[ms]")}
    frame = make_frame(times, gpd.points_from_xy([0], [0]), "EPSG:4326")
    assert season_starts(frame, SEASON) == [date.fromisoformat(season)]
