"""What the dates of several sources say about each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube, open_cube, write_cube
from landweave.cube.dates import note_disjoint_dates
from landweave.types import CubeSet, Scene

Load = Callable[..., CubeSet]


@pytest.fixture
def load(write: Callable[..., str], make_scene: Callable[..., Scene]) -> Load:
    """Load two sources on the dates given; None is a static one."""

    def make(**sources: tuple[str | None, ...]) -> CubeSet:
        data = np.full((1, 8, 8), 3000, np.int16)
        named = {n: [make_scene(write(data), ["red"], d) for d in dates] for n, dates in sources.items()}
        return load_cube(named, options=CubeOptions())

    return make


def test_sources_of_disjoint_dates_are_said(load: Load) -> None:
    cubes = note_disjoint_dates(load(late=("2020-08-01", "2020-08-15"), early=("2020-06-15", "2020-06-01")))
    assert [c.sizes["time"] for c in cubes.cubes.values()] == [2, 2]
    assert cubes.notes[-1].startswith(
        "late (2020-08-01 to 2020-08-15) begins after early (2020-06-01 to 2020-06-15) has ended: what differs"
    )  # fmt: skip


def test_sources_that_meet_and_static_ones_are_not(load: Load) -> None:
    cubes = load(a=("2020-06-01", "2020-07-01"), b=("2020-07-01", "2020-08-01"), dem=(None,))
    assert note_disjoint_dates(cubes) is cubes


def test_the_note_is_kept_with_the_cube(load: Load, tmp_path: object) -> None:
    cubes = note_disjoint_dates(load(a=("2020-06-01",), b=("2020-08-01",)))
    assert any("has ended" in n for n in open_cube(write_cube(cubes, f"{tmp_path}/cube.zarr")).notes)
