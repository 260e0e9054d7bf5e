"""The time axis of models: seasons of a cube by day offset, and the description of a cube as model inputs.

Receives a `CubeSet`; hands on one that holds a season's steps, or `ModelInput` records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landweave.errors import CubeError
from landweave.grid import geobox_of, metres_per_pixel
from landweave.types import CubeSet, ModelInput, Season

__all__ = ["make_inputs", "season_windows", "select_season"]


def _starts(season: Season, years: range) -> Iterator[date]:
    month, day = (int(v) for v in season.start.split("-"))
    for year in years:
        try:
            yield date(year, month, day)
        except ValueError:  # 29 February exists in leap years only: the day after 28 February
            yield date(year, 3, 1)


def match_steps(
    times: NDArray[np.datetime64], season: Season, start: date
) -> tuple[NDArray[np.int64], list[str]]:
    """Find the date nearest to the middle of each step of a season.

    Args:
        times: Middle of each date of the cube.
        season: Table of steps.
        start: First day of the season.

    Returns:
        Position of the nearest date per step, and a line for each step whose nearest date is off by more than half the
        step's length, or is the nearest of an earlier step, too.
    """
    origin = np.datetime64(datetime.combine(start, datetime.min.time()), "ns")
    days = (times.astype("datetime64[ns]") - origin) / np.timedelta64(1, "D")
    picks: list[int] = []
    off: list[str] = []
    for step in season.steps:
        middle = (step.from_day + step.to_day) / 2
        i = int(np.argmin(np.abs(days - middle)))
        distance = abs(float(days[i] - middle))
        line = f"step of {start + timedelta(days=middle)}: nearest date {times[i].astype('datetime64[D]')}"
        if distance > (step.to_day - step.from_day) / 2:
            off.append(f"{line} is {distance:.1f} days off")
        elif i in picks:
            off.append(f"{line} is that of an earlier step, too")
        picks.append(i)
    return np.array(picks, dtype=np.int64), off


def select_season(cubes: CubeSet, season: Season, start: date) -> CubeSet:
    """Keep, of every cube with time, the date nearest to each step of a season that begins on `start`.

    The dates that stay are in the order of the season's steps; static cubes stay as they are.

    Raises:
        CubeError: If the nearest date of a step is off by more than half the step; lists such steps.
    """
    chosen: dict[str, xr.DataArray] = {}
    for name, cube in cubes.cubes.items():
        if "time" not in cube.dims:
            chosen[name] = cube
            continue
        times = cube["time"].values
        picks, off = match_steps(times, season, start)
        if off:
            shown = "; ".join(off[:5]) + (f"; and {len(off) - 5} more" if len(off) > 5 else "")
            can = ", ".join(str(d) for d in season_windows(cubes, season)) or "none"
            raise CubeError(
                f"cube {name!r} cannot serve the season of {start}: {shown}. It can serve those that start on: {can}; where "
                "single dates lack, period_days makes the cube regular, with gaps"
            )
        chosen[name] = cube.isel(time=picks)
    return replace(cubes, cubes=chosen)


def season_windows(cubes: CubeSet, season: Season) -> list[date]:
    """List the first days of the seasons that every cube with time can serve."""
    timed = [c["time"].values for c in cubes.cubes.values() if "time" in c.dims]
    if not timed:
        return []
    first = min(int(str(t[0])[:4]) for t in timed) - 3
    last = max(int(str(t[-1])[:4]) for t in timed) + 1
    return [d for d in _starts(season, range(first, last + 1)) if all(not match_steps(t, season, d)[1] for t in timed)]


def make_inputs(cubes: CubeSet, *, season: Season | None = None) -> tuple[ModelInput, ...]:
    """Describe the cubes as the inputs of a model.

    Args:
        cubes: The cubes, all steps or those of one season.
        season: The season that binds the model to day offsets; without it the model is bound to the cube's dates.

    Returns:
        One input per cube, in order.
    """
    made = []
    for name, cube in cubes.cubes.items():
        grid = geobox_of(cube)
        timed = "time" in cube.dims
        dates = tuple(str(t.astype("datetime64[D]")) for t in cube["time"].values) if timed and season is None else None
        steps = len(season.steps) if timed and season is not None else cube.sizes["time"] if timed else None
        made.append(ModelInput(
            name=name, bands=tuple(map(str, cube["band"].values)), kinds=tuple(map(str, cube["kind"].values)),
            resolution=(abs(grid.affine.a), abs(grid.affine.e)), metres=metres_per_pixel(grid), n_steps=steps, dates=dates,
            season=season if timed else None,
        ))  # fmt: skip
    return tuple(made)
