"""What is read at once: windows and groups of bands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube, parts, reading
from landweave.cube.backend import find_reader
from landweave.cube.parts import group_bands, split_window
from landweave.cube.plan import CubePlan
from landweave.grid import Window
from landweave.io.rasters import read_stored
from landweave.types import Asset, Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
WHOLE = Window(0, 0, 8, 8)


@pytest.fixture
def bands_apart(write: Write, make_scene: Make, make_mask: Callable[..., Any], rng: np.random.Generator) -> list[Scene]:
    """Three days of red and nir in files of their own, with a mask, in one month."""
    from dataclasses import replace

    made = []
    for k in range(3):
        paths = [write(rng.integers(500, 4000, (1, 8, 8)).astype(np.int16)) for _ in range(2)]
        scene = make_scene(paths[0], ["red"], day=f"2020-05-{3 + k:02d}", id=f"s{k}",
                           mask=make_mask(write((rng.random((8, 8)) < 0.2).astype(np.uint8))))  # fmt: skip
        made.append(replace(scene, assets=tuple(Asset(n, p) for n, p in zip(("red", "nir"), paths, strict=True))))
    return made


def plan_of(scenes: list[Scene], **more: Any) -> CubePlan:
    options = CubeOptions(**{"period": "month", "fill": "none", **more})
    return find_reader(load_cube(scenes, options=options)["main"]).plan  # type: ignore[union-attr]


def test_bands_are_read_in_turn_where_all_days_of_all_take_much(bands_apart: list[Scene], monkeypatch: Any) -> None:
    plan = plan_of(bands_apart)
    assert group_bands(plan, ["red", "nir"], [0], WHOLE) == [["red", "nir"]]
    monkeypatch.setattr(parts, "_GROUP_BYTES", 4 * 3 * 64)
    assert group_bands(plan, ["red", "nir"], [0], WHOLE) == [["red"], ["nir"]]


def test_bands_that_belong_together_stay_together(
    bands_apart: list[Scene], write: Write, make_scene: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_BYTES", 1)
    with_index = plan_of(bands_apart, indices=("ndvi",))
    assert group_bands(with_index, ["red", "nir", "ndvi"], [0], WHOLE) == [["red", "nir", "ndvi"]]
    assert group_bands(plan_of(bands_apart, composite="medoid"), ["red", "nir"], [0], WHOLE) == [["red", "nir"]]
    one_file = [make_scene(write(np.full((2, 8, 8), 900, np.int16)), day=f"2020-05-{d:02d}") for d in (3, 9)]
    assert group_bands(plan_of(one_file), ["red", "nir"], [0], WHOLE) == [["red", "nir"]]


def test_masks_are_read_once_for_all_groups(bands_apart: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    cube = load_cube(bands_apart, options=CubeOptions(period="month", fill="none"))["main"]
    whole = cube.values
    monkeypatch.setattr(parts, "_GROUP_BYTES", 1)
    read: list[str] = []
    monkeypatch.setattr(reading, "read_stored", lambda path, *a, **k: read.append(path) or read_stored(path, *a, **k))
    np.testing.assert_array_equal(cube.values, whole)
    assert len(read) == len(set(read)) == 9  # three days of red, nir and mask


@pytest.mark.parametrize(("held", "n_parts"), [(3 * 8 * 8 * 4, 1), (3 * 8 * 8 * 4 - 1, 4)])
def test_a_window_is_cut_where_its_days_take_too_much(
    bands_apart: list[Scene], held: int, n_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_STACK_BYTES", held)
    monkeypatch.setattr(parts, "_SIDES", (4,))
    found = split_window(plan_of(bands_apart), WHOLE, [0], ["red", "nir"])
    assert len(found) == n_parts
    assert sum(w.height * w.width for w in found) == 64
