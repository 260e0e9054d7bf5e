"""Composites by period, growing seasons, filled series and their layers in a lazy cube."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube, open_cube, parts, write_cube
from landweave.cube.periods import make_periods
from landweave.errors import BandError, CubeError
from landweave.features.smoothing import fill_gaps, smooth_whittaker
from landweave.types import Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
DAYS = [f"2020-{m:02d}-{d:02d}" for m in range(1, 11) for d in (3, 12, 24)]
RULES = ("median", "percentile", "medoid", "geomedian", "best-pixel", "max-ndvi", "weighted-mean")


@pytest.fixture
def series(write: Write, make_scene: Make, make_mask: Callable, rng: np.random.Generator) -> list[Scene]:
    """A year of red and nir with a moving cloud; the corner pixel is always cloudy."""
    made = []
    for i, day in enumerate(DAYS):
        green = np.exp(-0.5 * ((i - 16) / 5) ** 2)
        red, nir = 1500 - 900 * green, 2000 + 2500 * green
        data = np.stack([np.full((20, 24), red), np.full((20, 24), nir)]) + rng.normal(0, 30, (2, 20, 24))
        cloud = np.zeros((20, 24), dtype=np.uint8)
        cloud[:, (3 * i) % 24 : (3 * i) % 24 + 7] = 1
        cloud[0, 0] = 1
        made.append(make_scene(write(data.astype(np.int16)), day=day, id=f"s{i}", mask=make_mask(write(cloud))))
    return made


@pytest.mark.parametrize("rule", RULES)
def test_a_window_and_a_band_alone_are_the_same(series: list[Scene], rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = ("observations", "filled")
    options = CubeOptions(period="month", composite=rule, indices=("ndvi",), fill="whittaker", layers=layers)
    cube = load_cube(series, options=options)["main"]
    whole = cube.values
    np.testing.assert_array_equal(cube.isel(y=slice(3, 11), x=slice(5, 18)).values, whole[:, :, 3:11, 5:18])
    np.testing.assert_array_equal(cube.isel(band=1).values, whole[:, 1])
    monkeypatch.setattr(parts, "_GROUP_BYTES", 1)
    np.testing.assert_array_equal(cube.values, whole)
    monkeypatch.setattr(parts, "_STACK_BYTES", 1)
    np.testing.assert_array_equal(cube.values, whole)


def test_a_pixel_that_is_always_cloudy_is_nodata_and_counted(series: list[Scene], tmp_path) -> None:
    options = CubeOptions(period="month", fill="linear", layers=("filled", "observations"))
    cubes = open_cube(write_cube(load_cube(series, options=options), tmp_path / "c.zarr"))
    values = cubes["main"]
    assert np.isnan(values.sel(band="red").values[:, 0, 0]).all()
    assert not np.isnan(values.sel(band="red").values[:, 1:]).any()
    note = next(n for n in cubes.notes if "filled over time" in n)
    assert "; 20 had no observations" in note  # ten months, two bands


def test_layers_say_what_was_filled_and_how_many_days_there_were(series: list[Scene]) -> None:
    options = CubeOptions(period_days=10, fill="linear", layers=("filled", "observations"))
    cube = load_cube(series, options=options)["main"]
    filled, seen = cube.sel(band="filled").values, cube.sel(band="observations").values
    inside = np.ones(filled.shape[1:], dtype=bool)
    inside[0, 0] = False
    np.testing.assert_array_equal(filled[:, inside], (seen[:, inside] == 0).astype(np.float32))
    assert cube["kind"].values.tolist() == ["reflectance", "reflectance", "other", "other"]


def test_percentiles_become_bands(series: list[Scene]) -> None:
    options = CubeOptions(period="year", composite="percentile", compositing={"percentiles": (10, 90)})
    cube = load_cube(series, options=options)["main"]
    assert cube["band"].values.tolist() == ["red_p10", "red_p90", "nir_p10", "nir_p90"]
    assert np.nanmean(cube.sel(band="nir_p90")) > np.nanmean(cube.sel(band="nir_p10")) + 0.1


def test_the_best_pixel_is_far_from_clouds_and_near_the_target_day(series: list[Scene]) -> None:
    given = {"target_day": 200, "sigma_days": 10, "cloud_weight": 0}
    options = CubeOptions(period="year", composite="best-pixel", compositing=given, layers=("day",))
    day = load_cube(series, options=options)["main"].sel(band="day").values[0]
    assert np.nanmax(np.abs(day - 200)) < 30
    assert np.isnan(day[0, 0])


def test_only_days_of_the_growing_season_enter_its_composite(series: list[Scene]) -> None:
    plain = load_cube(series, options=CubeOptions(period="year", indices=("ndvi",)))["main"]
    options = CubeOptions(period="year", indices=("ndvi",), phenology={}, layers=("season_start", "season_end"))
    green = load_cube(series, options=options)["main"]
    assert float(np.nanmean(green.sel(band="ndvi"))) > float(np.nanmean(plain.sel(band="ndvi"))) + 0.05
    start, end = (np.nanmedian(green.sel(band=f"season_{w}")) for w in ("start", "end"))
    assert 90 < start < 150 < 200 < end < 260


def test_a_period_longer_than_the_series_is_said(series: list[Scene]) -> None:
    cubes = load_cube(series, options=CubeOptions(period_days=366))
    assert cubes["main"].sizes["time"] == 1
    assert any("longer than the series (295 days" in n for n in cubes.notes)


def test_named_periods_tile_the_calendar() -> None:
    for name, n in (("dekad", 36), ("month", 12), ("season", 5), ("year", 1)):
        periods = make_periods(date(2019, 1, 1), date(2019, 12, 31), CubeOptions(period=name))
        assert len(periods) == n
        assert all(a[1] == b[0] for a, b in pairwise(periods))
    assert [s.day for s, _ in make_periods(date(2020, 2, 1), date(2020, 2, 29), CubeOptions(period="dekad"))] == [1, 11, 21]


def test_rules_name_what_they_lack(series: list[Scene], write: Write, make_scene: Make) -> None:
    bare = [make_scene(write(np.full((2, 8, 8), 900, dtype=np.int16)), day=d) for d in DAYS[:4]]
    with pytest.raises(CubeError, match=r"distance to clouds, and no scene .*cloud_weight: 0"):
        load_cube(bare, options=CubeOptions(period="year", composite="best-pixel"))
    red = [make_scene(write(np.full((1, 8, 8), 900, dtype=np.int16)), ("red",), day=d) for d in DAYS[:4]]
    with pytest.raises(BandError, match=r"looks at 'ndvi', which its bands \(red\) neither hold nor make"):
        load_cube(red, options=CubeOptions(period="year", composite="max-ndvi"))
    with pytest.raises(CubeError, match=r"window is 7 steps, and 'main' has 2"):
        load_cube(series[:6], options=CubeOptions(period="month", fill="savitzky-golay"))


def test_options_that_make_no_sense_together_are_refused() -> None:
    for given, message in (
        ({"composite": "percentile"}, "percentile needs periods"),
        ({"period": "month", "period_days": 10}, "period and period_days both given"),
        ({"layers": ("filled",)}, "layer filled needs a fill rule"),
        ({"layers": ("day",), "period": "year"}, "layer day is the day chosen"),
        ({"filling": {"window": 4}}, "give an odd window"),
    ):
        with pytest.raises(ValueError, match=message):
            CubeOptions(**given)


def test_layers_stand_beside_texture(series: list[Scene]) -> None:
    options = CubeOptions(period="year", layers=("observations",), texture={"bands": ["red"], "measures": ["contrast"]})
    names = load_cube(series, options=options)["main"]["band"].values.tolist()
    assert {"red", "nir", "observations", "red_contrast"} <= set(names)


@pytest.mark.real
def test_filling_tells_hidden_clean_dates_of_slovenia_better_than_the_nearest_date(real_data) -> None:
    folder = real_data / "sentinel2-slovenia"
    clean = np.load(folder / "CLM.npy")[5:, ..., 0] == 0  # the two scenes of one day are among the first dates
    values = np.where(clean, np.load(folder / "NDVI.npy")[5:, ..., 0], np.nan).astype(np.float32)
    stamps = [t[:10] for t in json.loads((folder / "timestamps.json").read_text())][5:]
    days, first = np.unique(np.array(stamps, dtype="datetime64[D]"), return_index=True)
    values, times = values[first], days.astype(np.int64).astype(float)
    hidden = (np.random.default_rng(0).random(values.shape) < 0.2) & ~np.isnan(values)
    seen = np.where(hidden, np.float32(np.nan), values)
    made = fill_gaps(seen, smooth_whittaker(seen, times, smoothness=10.0)[0])
    known = hidden & ~np.isnan(made)
    assert np.sqrt(np.mean((made[known] - values[known]) ** 2)) < 0.12  # the nearest date: 0.13
