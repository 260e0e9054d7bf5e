from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError, CubeError
from landweave.types import Scene

ORIGIN = Affine(10, 0, 500_000, 0, -10, 5_000_000)


@pytest.fixture
def series(write: Callable[..., str], make_scene: Callable[..., Scene], rng: np.random.Generator) -> Callable[..., list[Scene]]:
    """Two dates of one landscape, 130 x 140 pixels; the second's file says it lies (rows, columns) further than it does."""
    from scipy.ndimage import gaussian_filter

    land = gaussian_filter(rng.normal(size=(150, 160)), 2)
    land = (1000 + 3000 * (land - land.min()) / np.ptp(land)).astype(np.int16)

    def make(rows: float = 0.0, cols: float = 0.0) -> list[Scene]:
        wrong = ORIGIN @ Affine.translation(cols, rows)
        paths = [write(np.stack([land, land // 2])), write(np.stack([land, land // 2]), transform=wrong)]
        return [make_scene(path, day=day) for path, day in zip(paths, ("2020-06-01", "2020-06-11"), strict=True)]

    return make


BOX = {"bounds": (500_100, 4_998_600, 501_500, 4_999_900)}


def options(**coregister: object) -> CubeOptions:
    return CubeOptions.model_validate({**BOX, "coregister": {"block_px": 64, **coregister}})


def test_a_shifted_scene_is_moved_back_to_the_pixel(series: Callable[..., list[Scene]]) -> None:
    cubes = load_cube(series(2, -3), options=options())
    before, after = cubes["main"].values
    np.testing.assert_array_equal(before, after)
    assert any("1 were moved" in n for n in cubes.notes)


def test_a_part_of_a_pixel_is_found_and_mostly_undone(series: Callable[..., list[Scene]]) -> None:
    scenes = series(0.4, -0.7)
    apart = np.abs(np.subtract(*load_cube(scenes, options=CubeOptions(**BOX))["main"].values)).mean()
    cubes = load_cube(scenes, options=options())
    assert np.abs(np.subtract(*cubes["main"].values)).mean() < 0.3 * apart
    assert any("+0.4" in n and "-0.7" in n for n in cubes.notes)


def test_a_report_alone_leaves_the_scenes(series: Callable[..., list[Scene]]) -> None:
    scenes = series(2, -3)
    cubes = load_cube(scenes, options=options(apply=False))
    np.testing.assert_array_equal(cubes["main"].values, load_cube(scenes, options=CubeOptions(**BOX))["main"].values)
    assert any("largest 3.61 px" in n and "+2.00 rows, -3.00 columns" in n for n in cubes.notes)


def test_scenes_in_place_stay_as_they_are(series: Callable[..., list[Scene]]) -> None:
    cubes = load_cube(series(), options=options(reference="2020-06-11"))
    np.testing.assert_array_equal(cubes["main"].values[0], cubes["main"].values[1])
    assert any("0 were moved" in n for n in cubes.notes)


@pytest.mark.parametrize(("more", "error", "says"), [
    ({"band": "blue"}, BandError, "coregister: 'main' has no band 'blue'; it has red, nir"),
    ({"reference": "2021-01-01"}, CubeError, "no scene of 'main' is of 2021-01-01; its dates are 2020-06-01, 2020-06-11"),
])  # fmt: skip
def test_what_is_not_there_is_said(
    series: Callable[..., list[Scene]], more: dict[str, object], error: type[Exception], says: str
) -> None:  # fmt: skip
    with pytest.raises(error, match=says):
        load_cube(series(), options=options(**more))


def test_a_single_scene_cannot_be_compared(series: Callable[..., list[Scene]]) -> None:
    with pytest.raises(CubeError, match="'main' has one scene, and nothing to compare it with"):
        load_cube(series()[:1], options=options())
