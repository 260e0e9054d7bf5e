from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube
from landweave.errors import CubeError
from landweave.types import Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
Coded = Callable[..., np.ndarray]


def test_values_times_10000_say_which_scale_to_state(write: Write, make_scene: Make, coded: Coded) -> None:
    path = write(coded().astype(np.float32))
    message = (r"100\.0 % of the sampled values .* outside its valid range -0\.2\.\.1\.6 \(1st, 50th and 99th percentile: .*"
               r"look like value x 10000: state .* scale \(0\.0001\)")  # fmt: skip
    with pytest.raises(CubeError, match=message):
        load_cube([make_scene(path)])


def test_few_outside_are_told(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded(1, 40, 40)
    data[0, 0, :4] = 30000
    notes = load_cube([make_scene(write(data), ["red"])]).notes
    assert notes == ("main: red: 0.25 % of the sampled values lie outside its valid range -0.2..1.6; such values are taken as "
                     "nodata.",)  # fmt: skip


def test_more_than_a_hundredth_outside_is_an_error(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded(1, 40, 40)
    data[0, :2] = 30000
    with pytest.raises(CubeError, match=r"5\.0 % of the sampled values in 1 dates .* set cube: out_of_range: nodata"):
        load_cube([make_scene(write(data), ["red"])])


def test_out_of_range_can_be_taken_as_nodata(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded(1, 40, 40)
    data[0, :20] = 30000
    cube = load_cube([make_scene(write(data), ["red"])], options=CubeOptions(out_of_range="nodata"))["main"]
    assert np.isnan(cube.values).mean() == 0.5


def test_one_wrong_date_among_many_is_found(write: Write, make_scene: Make, coded: Coded) -> None:
    from datetime import date, timedelta

    days = [str(date(2020, 1, 1) + timedelta(days=i)) for i in range(120)]
    good = [make_scene(write(coded(1, 4, 4)), ["red"], d) for d in days]
    bad = make_scene(write(np.full((1, 4, 4), 30000, np.int16)), ["red"], "2021-01-01")
    with pytest.raises(CubeError, match=r"100\.0 % of the sampled values on 2021-01-01"):
        load_cube([*good, bad])


def test_values_below_a_mask_do_not_count(
    write: Write, make_scene: Make, make_mask: Callable[..., object], coded: Coded
) -> None:  # fmt: skip
    data, clouds = coded(1, 20, 20), np.zeros((20, 20), np.uint8)
    data[0, :5], clouds[:5] = 30000, 4
    assert load_cube([make_scene(write(data), ["red"], mask=make_mask(write(clouds)))]).notes == ()


def test_a_cube_without_a_valid_pixel_is_refused(write: Write, make_scene: Make) -> None:
    scene = make_scene(write(np.full((2, 5, 5), -9999, np.int16)))
    with pytest.raises(CubeError, match=r"no pixel of cube 'main' is valid on any date \(bands red, nir; 1 files"):
        load_cube([scene])


def test_a_single_valid_corner_is_enough(write: Write, make_scene: Make) -> None:
    data = np.full((1, 300, 300), -9999, np.int16)
    data[0, 298, 1] = 3000
    assert np.isfinite(load_cube([make_scene(write(data), ["red"])])["main"].values).sum() == 1


def test_large_files_without_overviews_are_looked_at_in_windows(
    write: Write, make_scene: Make, coded: Coded, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("landweave.cube.probe._SMALL_PX", 100)
    data = coded(1, 300, 300)
    data[0, 150:] = 30000
    with pytest.raises(CubeError, match=r"50\.0 % of the sampled values"):
        load_cube([make_scene(write(data), ["red"])])
