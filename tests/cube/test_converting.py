"""Days on their way to a median: whole numbers where all days agree, physical values from the first that does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube
from landweave.cube.converting import MedianDays, Values
from landweave.cube.plan import LayerPlan
from landweave.features.composite import compose_median
from landweave.io.rasters import Stored
from landweave.types import Scene

SAME = LayerPlan("red", 1, 1e-4, 0.0, (0.0, 1.0))
SHAPE = (9, 40)


def make_day(rng: np.random.Generator, kind: str) -> Stored:
    if kind == "float":
        return Stored(rng.random((1, *SHAPE), dtype=np.float32), rng.random((1, *SHAPE)) < 0.9)
    values = rng.integers(0, 12_000, (1, *SHAPE)).astype(np.int16 if kind == "int16" else np.uint16)
    return Stored(values, rng.random((1, *SHAPE)) < 0.9 if kind == "edge" else None, [0.0])


CASES = (["uint16"] * 5, ["edge", "uint16", "edge"], ["uint16", "int16", "uint16"], ["float", "uint16"], ["uint16", "float"])


@pytest.mark.parametrize("kinds", CASES)
@pytest.mark.parametrize("is_masked", [False, True])
def test_medians_are_those_of_physical_values(rng: np.random.Generator, kinds: list[str], is_masked: bool) -> None:
    clear = rng.random(SHAPE) < 0.7 if is_masked else None
    days = MedianDays(np.full((1, len(kinds), *SHAPE), 99, np.uint16))
    physical = np.empty((len(kinds), 1, *SHAPE), np.float32)
    for days.day, kind in enumerate(kinds):
        found = make_day(rng, kind)
        assert days.put(0, found, clear, SAME) == Values(physical[days.day]).put(0, found, clear, SAME)
    out = np.empty((1, *SHAPE), np.float32)
    days.compose(out)
    np.testing.assert_array_equal(out, compose_median(physical))


def test_another_scale_and_a_day_without_the_band_are_no_trouble(rng: np.random.Generator) -> None:
    other = LayerPlan("red", 1, 2e-5, 0.1, (0.0, 1.0))
    days, plans = MedianDays(np.full((2, 4, *SHAPE), 99, np.uint16)), [SAME, None, other, None]
    physical = np.empty((4, 2, *SHAPE), np.float32)
    for days.day, plan in enumerate(plans):
        found, values = make_day(rng, "uint16"), Values(physical[days.day])
        for sink in (days, values):
            sink.leave(0) if plan is None else sink.put(0, found, None, plan)
            sink.leave(1)
    out = np.empty((2, *SHAPE), np.float32)
    days.compose(out)
    np.testing.assert_array_equal(out, compose_median(physical))


def test_a_cubes_median(write: Callable[..., str], make_scene: Callable[..., Scene], rng: np.random.Generator) -> None:
    stored = rng.integers(0, 10_000, (5, 2, 12, 15)).astype(np.uint16)
    scenes = [make_scene(write(d), day=f"2020-03-{3 + 5 * i:02d}") for i, d in enumerate(stored)]
    made = load_cube(scenes, options=CubeOptions(period="year", composite="median"))["main"].values[0]
    np.testing.assert_allclose(made, np.median(stored * 1e-4, axis=0), rtol=1e-6)
