from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landweave.cube import CubeOptions, load_cube, read_blocks
from landweave.errors import GridError
from landweave.grid import GeoBox, Window
from landweave.types import CubeSet, Scene


@pytest.fixture
def cubes(write: Callable[..., str], make_scene: Callable[..., Scene], coded: Callable[..., np.ndarray]) -> CubeSet:
    radar = np.arange(42, dtype=np.float32).reshape(6, 7)
    coarse = make_scene(write(radar, transform=Affine(20, 0, 500_000, 0, -20, 5_000_000)), ["vv"])
    relief = make_scene(write(np.ones((12, 14), np.int16)), ["elevation"], None)
    sources = {"optical": [make_scene(write(coded(2, 12, 14)))], "radar": [coarse], "terrain": [relief]}
    return load_cube(sources, options=CubeOptions(resolution={"optical": 10, "radar": 20}))


def test_a_block_holds_every_cube_on_its_own_grid(cubes: CubeSet) -> None:
    blocks = read_blocks(cubes, Window(2, 3, 5, 6))
    assert {n: b.values.shape for n, b in blocks.items()} == {
        "optical": (1, 2, 5, 6), "radar": (1, 1, 3, 4), "terrain": (1, 5, 6),
    }  # fmt: skip
    assert blocks["radar"].window == Window(1, 1, 3, 4)
    assert blocks["optical"].geobox.affine == cubes.geobox.affine @ Affine.translation(3, 2)


def test_the_halo_surrounds_the_interior(cubes: CubeSet) -> None:
    block = read_blocks(cubes, Window(4, 4, 3, 3), halo_px=2, names=["optical"])["optical"]
    whole = cubes["optical"].values
    np.testing.assert_array_equal(block.values, whole[..., 2:9, 2:9])
    np.testing.assert_array_equal(block.interior, whole[..., 4:7, 4:7])


def test_outside_the_grid_is_not_valid(cubes: CubeSet) -> None:
    block = read_blocks(cubes, Window(0, 0, 4, 4), halo_px=3, names=["terrain"])["terrain"]
    assert not block.valid[0, :3].any()
    assert not block.valid[0, :, :3].any()
    assert block.valid[0, 3:, 3:].all()


@given(
    row=st.integers(-5, 15), col=st.integers(-5, 17), height=st.integers(1, 20), width=st.integers(1, 20),
    halo=st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_block_is_the_crop_of_the_padded_whole(
    cubes: CubeSet, row: int, col: int, height: int, width: int, halo: int
) -> None:  # fmt: skip
    block = read_blocks(cubes, Window(row, col, height, width), halo_px=halo, names=["optical"])["optical"]
    padded = np.pad(cubes["optical"].values, ((0, 0), (0, 0), (40, 40), (40, 40)), constant_values=np.nan)
    top, left = row - halo + 40, col - halo + 40
    np.testing.assert_array_equal(block.values, padded[..., top : top + height + 2 * halo, left : left + width + 2 * halo])


def test_a_cube_that_does_not_nest_is_refused(cubes: CubeSet) -> None:
    other = GeoBox((9, 9), Affine(7, 0, 500_000, 0, -7, 5_000_000), "EPSG:32633")
    with pytest.raises(GridError, match=r"cube 'optical' \(pixel 10\) does not nest on the output grid \(pixel 7\)"):
        read_blocks(replace(cubes, geobox=other), Window(0, 0, 2, 2))
