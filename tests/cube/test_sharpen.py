from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from pydantic import ValidationError

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError, GridError
from landweave.features.sharpening import average, sharpen_bands
from landweave.types import Scene

FINE = Affine(10, 0, 500_000, 0, -10, 5_000_000)
COARSE = FINE @ Affine.scale(2)
SHARPEN = {"bands": ["nir"], "guides": ["red", "evi"]}


@pytest.fixture
def fields(rng: np.random.Generator) -> np.ndarray:
    """Three bands x 10000 (3, 60, 64) that share the edges of fields."""
    kinds = np.kron(rng.integers(0, 5, (15, 16)), np.ones((4, 4), dtype=int))
    return (rng.uniform(1000, 5000, (3, 5))[:, kinds] + rng.normal(0, 50, (3, 60, 64))).astype(np.int16)


@pytest.fixture
def make(
    fields: np.ndarray, write: Callable[..., str], make_scene: Callable[..., Scene]
) -> Callable[..., list[Scene]]:  # fmt: skip
    """A scene whose red and evi have pixels of 10 m, and nir of 20 m."""

    def build(coarse: Affine = COARSE, **more: object) -> list[Scene]:
        nir = average(fields[2:].astype(np.float32), 2).round().astype(np.int16)
        fine = make_scene(write(fields[:2]), bands=("red", "evi"), day=None)
        low = make_scene(write(nir, transform=coarse, **more), bands=("nir",), day=None)
        return [replace(fine, assets=(*fine.assets, *low.assets))]

    return build


def test_a_coarse_band_gets_the_detail_of_the_fine_ones(make: Callable[..., list[Scene]], fields: np.ndarray) -> None:
    truth = fields[2] / 1e4
    plain = load_cube(make())["main"].sel(band="nir").values
    cubes = load_cube(make(), options=CubeOptions.model_validate({"sharpen": SHARPEN}))
    sharp = cubes["main"].sel(band="nir").values
    assert np.abs(sharp - truth)[8:-8, 8:-8].mean() < 0.6 * np.abs(plain - truth)[8:-8, 8:-8].mean()
    assert any("sharpened by red, evi: nir (2 pixels to one)" in n for n in cubes.notes)


def test_the_middle_is_what_the_array_function_gives(make: Callable[..., list[Scene]], fields: np.ndarray) -> None:
    cube = load_cube(make(), options=CubeOptions.model_validate({"sharpen": SHARPEN}))["main"]
    coarse = average(fields[2:].astype(np.float32), 2).round() * np.float32(1e-4)
    wanted = sharpen_bands(coarse, fields[:2] * np.float32(1e-4), ratio=2)[0]
    np.testing.assert_allclose(cube.sel(band="nir").values[16:-16, 16:-16], wanted[16:-16, 16:-16], atol=1e-5)


@pytest.mark.parametrize("bounds", [None, (500_110, 4_999_530, 500_530, 4_999_910)])
def test_any_window_holds_the_bytes_of_the_whole(make: Callable[..., list[Scene]], bounds: object) -> None:
    options = CubeOptions.model_validate({"sharpen": SHARPEN, "bounds": bounds, "indices": ["ndvi"]})
    cube = load_cube(make(), options=options)["main"]
    whole = cube.values
    for row, col, size in ((0, 0, 5), (7, 11, 9), (25, 30, 13)):
        part = cube.isel(y=slice(row, row + size), x=slice(col, col + size)).values
        np.testing.assert_array_equal(part, whole[:, row : row + size, col : col + size])
    red, _, nir, ndvi = whole
    np.testing.assert_allclose(ndvi, (nir - red) / (nir + red), rtol=1e-5)


def test_a_cube_cut_at_odd_pixels_has_the_same_values(make: Callable[..., list[Scene]]) -> None:
    whole = load_cube(make(), options=CubeOptions.model_validate({"sharpen": SHARPEN}))["main"].values
    cut = CubeOptions.model_validate({"sharpen": SHARPEN, "bounds": (500_110, 4_999_530, 500_530, 4_999_910)})
    np.testing.assert_array_equal(load_cube(make(), options=cut)["main"].values, whole[:, 9:47, 11:53])


@pytest.mark.parametrize(("sharpen", "error", "says"), [
    ({**SHARPEN, "guides": ["blue"]}, BandError, "guide 'blue' is not among the bands of 'main': "),
    ({**SHARPEN, "bands": ["swir16"]}, BandError, "sharpen: no source has the band 'swir16'"),
])  # fmt: skip
def test_missing_bands_are_named(
    make: Callable[..., list[Scene]], sharpen: object, error: type[Exception], says: str
) -> None:  # fmt: skip
    with pytest.raises(error, match=says):
        load_cube(make(), options=CubeOptions.model_validate({"sharpen": sharpen}))


def test_pixels_that_do_not_nest_are_refused(make: Callable[..., list[Scene]]) -> None:
    odd = FINE @ Affine.translation(0.4, 0) @ Affine.scale(2)
    with pytest.raises(GridError, match=r"pixels of .* \(20\) do not nest on the cube's \(10\)"):
        load_cube(make(odd), options=CubeOptions.model_validate({"sharpen": SHARPEN}))


def test_a_band_is_coarse_or_a_guide() -> None:
    with pytest.raises(ValidationError, match="bands and guides share red"):
        CubeOptions.model_validate({"sharpen": {"bands": ["red"], "guides": ["red"]}})
