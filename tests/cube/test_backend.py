from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landweave.cube import load_cube
from landweave.cube.backend import LazyCube, find_reader
from landweave.grid import Window, geobox_of
from landweave.types import Scene


@pytest.fixture
def cube(write: Callable[..., str], make_scene: Callable[..., Scene], coded: Callable[..., np.ndarray]) -> xr.DataArray:
    days = ("2020-01-05", "2020-02-05", "2020-03-05")
    return load_cube([make_scene(write(coded()), day=d) for d in days])["main"]


def test_a_cube_is_a_plain_dataarray_with_its_grid(cube: xr.DataArray) -> None:
    assert (cube.dims, cube.dtype, cube.shape) == (("time", "band", "y", "x"), np.float32, (3, 2, 12, 15))
    assert geobox_of(cube).crs.epsg == 32633
    assert cube["x"].values[0] == 500_005
    assert cube["time"].values[0] == np.datetime64("2020-01-05")
    assert (cube["time_end"].values >= cube["time_start"].values).all()


def test_nothing_is_read_before_it_is_indexed(cube: xr.DataArray, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Window] = []
    reader = find_reader(cube)
    read = reader.read  # type: ignore[union-attr]
    monkeypatch.setattr(reader, "read", lambda window, *rest: seen.append(window) or read(window, *rest))
    part = cube.isel(y=slice(2, 6), x=slice(3, 9))
    assert not seen
    assert part.values.shape == (3, 2, 4, 6)
    assert seen == [Window(2, 3, 4, 6)]


def draw_key(size: int) -> st.SearchStrategy[object]:
    bound = st.integers(-size, size - 1)
    # xarray itself fails on an empty slice with a negative step
    slices = st.slices(size).filter(lambda s: (s.step or 1) > 0 or len(range(*s.indices(size))) > 0)
    return st.one_of(bound, slices, st.lists(bound, min_size=1, max_size=4))


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_indexing_agrees_with_numpy(cube: xr.DataArray, data: st.DataObject) -> None:
    whole = cube.values
    keys = [data.draw(draw_key(size)) for size in cube.shape]
    picked = cube.isel(dict(zip(cube.dims, keys, strict=True))).values
    expected = whole
    for axis in range(3, -1, -1):
        key = keys[axis]
        at = (slice(None),) * axis
        expected = expected[(*at, np.array(key) if isinstance(key, list) else key)]
    np.testing.assert_array_equal(picked, expected)


def test_a_pickled_cube_reads_the_same(cube: xr.DataArray) -> None:
    again = pickle.loads(pickle.dumps(cube))
    assert isinstance(find_reader(again), type(find_reader(cube)))
    np.testing.assert_array_equal(again.values, cube.values)


def test_threads_read_the_same(cube: xr.DataArray) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cube.isel(y=slice(1, 9)).values, range(8)))
    assert all(np.array_equal(found[0], other) for other in found)


def test_a_cube_in_memory_has_no_reader(cube: xr.DataArray) -> None:
    assert find_reader(cube.copy(data=cube.values)) is None


def test_an_empty_selection_reads_nothing(cube: xr.DataArray) -> None:
    assert cube.isel(y=slice(4, 4)).values.shape == (3, 2, 0, 15)


def test_static_cubes_have_no_time() -> None:
    class Ones:
        def read(self, window: Window, steps: list[int], bands: list[int]) -> np.ndarray:
            return np.ones((len(steps), len(bands), window.height, window.width), np.float32)

    assert LazyCube(Ones(), (2, 5, 6)).shape == (2, 5, 6)  # type: ignore[arg-type]
