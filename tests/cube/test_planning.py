from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube
from landweave.cube.planning import make_periods
from landweave.errors import BandError, CubeError, SceneError
from landweave.types import Asset, Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
Coded = Callable[..., np.ndarray]


def test_periods_restart_on_the_first_of_january() -> None:
    periods = make_periods(date(2018, 8, 29), date(2019, 8, 28), CubeOptions(period_days=16))
    starts = [str(s.date()) for s, _ in periods]
    assert starts[:2] == ["2018-08-29", "2018-09-14"]
    assert ("2018-12-19", "2019-01-01") in [(str(s.date()), str(e.date())) for s, e in periods]
    assert len(periods) == 23


def test_stated_steps_are_taken_as_they_are() -> None:
    steps = (date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1))
    periods = make_periods(date(2020, 1, 1), date(2020, 3, 1), CubeOptions(steps=steps))
    assert periods == [(datetime(2020, 1, 1), datetime(2020, 2, 1)), (datetime(2020, 2, 1), datetime(2020, 3, 1))]


def test_an_empty_period_is_a_gap_and_is_told(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day=d) for d in ("2020-01-05", "2020-02-20")]
    cubes = load_cube(scenes, options=CubeOptions(period_days=16))
    assert np.isnan(cubes["main"].values).all(axis=(1, 2, 3)).tolist() == [False, True, True, False]
    assert any("2 periods hold none" in n for n in cubes.notes)


def test_dates_are_cut_to_start_and_end(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day=d) for d in ("2020-03-05", "2020-01-05", "2020-02-05")]
    cube = load_cube(scenes, options=CubeOptions(start=date(2020, 1, 5), end=date(2020, 2, 5)))["main"]
    assert cube["time"].values.astype("datetime64[D]").astype(str).tolist() == ["2020-01-05", "2020-02-05"]


def test_no_overlap_in_time_lists_the_dates(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day=d) for d in ("2020-03-05", "2020-01-05")]
    with pytest.raises(CubeError, match="between 2021-01-01 and the end; available dates: 2020-01-05, 2020-03-05"):
        load_cube(scenes, options=CubeOptions(start=date(2021, 1, 1)))


def test_dated_and_static_scenes_do_not_mix(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded())), make_scene(write(coded(1)), ["elevation"], None)]
    with pytest.raises(CubeError, match="give the static layers as a source of their own"):
        load_cube(scenes)


def test_a_band_twice_in_one_scene_names_the_files(write: Write, make_scene: Make, coded: Coded) -> None:
    scene = make_scene(write(coded()))
    object.__setattr__(scene, "assets", (*scene.assets, Asset("red", write(coded()))))
    with pytest.raises(SceneError, match=r"band 'red' twice \(.*file0.tif, .*file1.tif\); keep one"):
        load_cube([scene])


def test_a_layer_beyond_the_last_is_named(write: Write, make_scene: Make, coded: Coded) -> None:
    with pytest.raises(BandError, match="has 2 layers, band 'vv' asks for layer 3"):
        load_cube([make_scene(write(coded()), ["red", "nir", "vv"])])


def test_two_periods_with_one_middle_are_refused(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day="2020-01-05", span=10), make_scene(write(coded()), day="2020-01-06", span=8)]
    with pytest.raises(CubeError, match=r"stand for the same middle date .*give period_days"):
        load_cube(scenes)


def test_mosaicked_days_are_told(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day=f"2020-01-05T10:0{i}", id=str(i)) for i in range(2)]
    assert any("mosaicked on 1 of 1 days (rule: first)" in n for n in load_cube(scenes).notes)


def test_bands_are_kept_in_the_order_asked_for(write: Write, make_scene: Make, coded: Coded) -> None:
    cube = load_cube([make_scene(write(coded()))], options=CubeOptions(bands=("nir", "red")))["main"]
    assert cube["band"].values.tolist() == ["nir", "red"]
