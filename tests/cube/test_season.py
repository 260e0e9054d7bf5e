from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube, make_inputs, season_windows, select_season
from landweave.errors import CubeError
from landweave.types import CubeSet, Scene, Season, SeasonStep

SEASON = Season(start="09-14", length_days=64, steps=tuple(SeasonStep(from_day=i, to_day=i + 16) for i in range(0, 64, 16)))
Build = Callable[..., CubeSet]


@pytest.fixture
def build(write: Callable[..., str], make_scene: Callable[..., Scene], coded: Callable[..., np.ndarray]) -> Build:
    def make(days: Sequence[date], **options: object) -> CubeSet:
        path = write(coded(1, 4, 4))
        scenes = [make_scene(path, ["red"], str(d)) for d in days]
        terrain = [make_scene(write(np.ones((4, 4), np.int16)), ["elevation"], None)]
        return load_cube({"main": scenes, "terrain": terrain}, options=CubeOptions(**options))  # type: ignore[arg-type]

    return make


def every(start: date, days: float, n: int) -> list[date]:
    return [start + timedelta(days=days * i) for i in range(n)]


def test_the_nearest_date_of_each_step_is_taken(build: Build) -> None:
    cubes = build(every(date(2019, 9, 1), 8, 15))
    chosen = select_season(cubes, SEASON, date(2019, 9, 14))["main"]
    assert chosen["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2019-09-25", "2019-10-11", "2019-10-27", "2019-11-12",
    ]  # fmt: skip
    np.testing.assert_array_equal(chosen.values, cubes["main"].sel(time=chosen["time"]).values)


def test_two_years_share_one_axis(build: Build) -> None:
    cubes = build([*every(date(2018, 9, 22), 16, 4), *every(date(2019, 9, 21), 16, 4)])
    for start in (date(2018, 9, 14), date(2019, 9, 14)):
        assert select_season(cubes, SEASON, start)["main"].sizes["time"] == 4
    assert season_windows(cubes, SEASON) == [date(2018, 9, 14), date(2019, 9, 14)]


def test_static_cubes_stay(build: Build) -> None:
    cubes = build(every(date(2019, 9, 22), 16, 4))
    assert select_season(cubes, SEASON, date(2019, 9, 14))["terrain"] is cubes["terrain"]


def test_dates_off_by_more_than_half_a_step_are_listed(build: Build) -> None:
    cubes = build([*every(date(2019, 9, 22), 16, 3), date(2020, 1, 1)])
    with pytest.raises(CubeError, match=r"season of 2019-09-14: step of 2019-11-09: nearest date 2019-10-24 is 16\.0 days off"):
        select_season(cubes, SEASON, date(2019, 9, 14))


def test_one_date_does_not_serve_two_steps(build: Build) -> None:
    cubes = build([date(2019, 9, 30), date(2019, 10, 26), date(2019, 11, 10)])
    with pytest.raises(CubeError, match=r"step of 2019-10-08: nearest date 2019-09-30 is that of an earlier step"):
        select_season(cubes, SEASON, date(2019, 9, 14))


def test_the_error_names_the_seasons_that_can_be_served(build: Build) -> None:
    cubes = build(every(date(2019, 9, 22), 16, 4))
    with pytest.raises(CubeError, match=r"It can serve those that start on: 2019-09-14; where single dates lack, period_days"):
        select_season(cubes, SEASON, date(2018, 9, 14))


def test_a_missing_date_of_a_regular_cube_is_a_gap(build: Build) -> None:
    days = every(date(2019, 9, 18), 16, 4)
    cubes = build([*days[:2], days[3]], period_days=16)
    chosen = select_season(cubes, SEASON, date(2019, 9, 14))["main"].values
    assert np.isnan(chosen).all(axis=(1, 2, 3)).tolist() == [False, False, True, False]


def test_a_start_on_29_february_becomes_1_march(build: Build) -> None:
    season = SEASON.model_copy(update={"start": "02-29"})
    cubes = build(every(date(2019, 3, 9), 16, 4))
    assert season_windows(cubes, season) == [date(2019, 3, 1)]


def test_inputs_are_bound_to_dates(build: Build) -> None:
    main, terrain = make_inputs(build(every(date(2019, 9, 22), 16, 2)))
    assert (main.bands, main.kinds, main.n_steps, main.resolution) == (("red",), ("reflectance",), 2, (10, 10))
    assert main.dates == ("2019-09-22", "2019-10-08")
    assert (terrain.n_steps, terrain.dates, terrain.season) == (None, None, None)
    assert main.metres == pytest.approx((10, 10), rel=1e-3)


def test_inputs_are_bound_to_a_season(build: Build) -> None:
    main, terrain = make_inputs(build(every(date(2019, 9, 1), 8, 15)), season=SEASON)
    assert (main.n_steps, main.dates, main.season) == (4, None, SEASON)
    assert terrain.season is None
