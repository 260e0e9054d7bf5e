"""The grid: covering bounds, windows and blocks, nesting, and what a pixel measures on the ellipsoid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from landweave.errors import GridError
from landweave.grid import (
    GeoBox,
    Window,
    crs_of,
    geobox_of,
    is_nested,
    make_geobox,
    metres_per_pixel,
    pixel_area_m2,
    resolve_crs,
    split_blocks,
    to_coords,
    window_geobox,
)

# Albers on GRS80 without a name, as in CBERS-4 AWFI tiles, whose pixels measure 63.9981 x 63.9992 m
ALBERS = ("+proj=aea +lat_0=-12 +lon_0=-54 +lat_1=-2 +lat_2=-22 +x_0=5000000 +y_0=10000000 +ellps=GRS80 +units=m +no_defs")
ODD = GeoBox((11, 7), Affine(63.998119, 0, 6021435.617, 0, -63.999203, 10062157.4009), resolve_crs(ALBERS))
COORD = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(left=COORD, bottom=COORD, width=st.floats(1, 1e5), height=st.floats(1, 1e5), resolution=st.floats(0.5, 5000))
def test_grid_covers_its_bounds_by_less_than_a_pixel(
    left: float, bottom: float, width: float, height: float, resolution: float
) -> None:
    geobox = make_geobox((left, bottom, left + width, bottom + height), "EPSG:32633", resolution)
    box, slack = geobox.boundingbox, 1e-5 * resolution
    assert left - resolution - slack <= box.left <= left + slack
    assert left + width - slack <= box.right <= left + width + resolution + slack
    assert bottom - resolution - slack <= box.bottom <= bottom + slack
    assert bottom + height - slack <= box.top <= bottom + height + resolution + slack


@settings(max_examples=50, deadline=None)
@given(row=st.integers(-500, 500), col=st.integers(-500, 500), resolution=st.sampled_from([10.0, 30.0, 0.00025]))
def test_bounds_on_the_lattice_give_the_grid_back(row: int, col: int, resolution: float) -> None:
    geobox = make_geobox((col * resolution, row * resolution, (col + 9) * resolution, (row + 5) * resolution), 4326, resolution)
    assert tuple(geobox.shape) == (5, 9)
    assert make_geobox(tuple(geobox.boundingbox), geobox.crs, resolution) == geobox


@pytest.mark.parametrize(("bounds", "resolution", "message"), [
    ((0, 0, 1, 1), 0, "resolution is 0; give a positive pixel size"),
    ((0, 0, 1, 1), (10, -10), r"resolution is \(10, -10\)"),
    ((5, 0, 1, 1), 1, "bounds .* are empty; .* axis order swapped"),
])  # fmt: skip
def test_impossible_grids_are_refused(bounds: tuple[float, ...], resolution: float, message: str) -> None:
    with pytest.raises(GridError, match=message):
        make_geobox(bounds, "EPSG:32633", resolution)  # type: ignore[arg-type]


def test_unreadable_crs_is_refused_with_an_example() -> None:
    with pytest.raises(GridError, match="cannot read a crs from 'EPSG:notacode'; give an EPSG code such as EPSG:32633"):
        resolve_crs("EPSG:notacode")


def test_grid_without_crs_is_refused_where_one_is_needed() -> None:
    with pytest.raises(GridError, match="grid of 4 x 3 pixels has no crs"):
        crs_of(GeoBox((4, 3), Affine(1, 0, 0, 0, -1, 0), None))


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 70), cols=st.integers(1, 70), block_px=st.integers(1, 40))
def test_blocks_tile_the_grid_exactly_once(rows: int, cols: int, block_px: int) -> None:
    seen = np.zeros((rows, cols), dtype=int)
    for window in split_blocks((rows, cols), block_px):
        assert window.clip((rows, cols)) == window
        seen[window.slices] += 1
    assert (seen == 1).all()


def test_block_size_of_zero_is_refused() -> None:
    with pytest.raises(GridError, match="block size is 0 px; give at least 1"):
        list(split_blocks((3, 3), 0))


@settings(max_examples=50, deadline=None)
@given(st.builds(Window, *[st.integers(-20, 20)] * 2, *[st.integers(1, 30)] * 2), st.integers(1, 7))
def test_scaled_window_is_the_smallest_that_covers(window: Window, ratio: int) -> None:
    coarse = window.scale(ratio)
    assert 0 <= window.row - coarse.row * ratio < ratio
    assert 0 <= coarse.row_end * ratio - window.row_end < ratio
    assert 0 <= window.col - coarse.col * ratio < ratio
    assert 0 <= coarse.col_end * ratio - window.col_end < ratio


def test_padded_window_clips_back_to_the_grid() -> None:
    assert Window(0, 2, 4, 4).pad(3) == Window(-3, -1, 10, 10)
    assert Window(0, 2, 4, 4).pad(3).clip((5, 6)) == Window(0, 0, 5, 6)
    assert Window(9, 9, 4, 4).clip((5, 6)).height == 0


def test_window_geobox_reaches_past_the_edge() -> None:
    geobox = make_geobox((0, 0, 100, 100), "EPSG:32633", 10)
    assert tuple(window_geobox(geobox, Window(-2, -1, 3, 4)).boundingbox) == (-10, 90, 30, 120)


@pytest.mark.parametrize("geobox", [ODD, make_geobox((15.1, 45.2, 15.3, 45.3), "EPSG:4326", 1 / 3601)])
def test_coordinates_give_the_grid_back_exactly(geobox: GeoBox) -> None:
    cube = xr.DataArray(np.zeros(geobox.shape), dims=("y", "x"), coords=to_coords(geobox))
    assert geobox_of(cube).affine == geobox.affine
    assert geobox_of(cube) == geobox
    assert float(cube.x[0]) == pytest.approx(geobox.affine.c + geobox.affine.a / 2, abs=1e-9)


def test_cube_without_a_grid_is_refused() -> None:
    with pytest.raises(GridError, match=r"cube has no grid: .* write it with write_cube"):
        geobox_of(xr.DataArray(np.zeros((2, 2)), dims=("y", "x")))


@pytest.mark.parametrize("ratio", [1, 2, 3, 6])
def test_grids_of_shared_origin_and_whole_ratio_are_nested(ratio: int) -> None:
    fine = make_geobox((0, 0, 600, 600), "EPSG:32633", 10)
    coarse = GeoBox((60 // ratio, 60 // ratio), fine.affine @ Affine.scale(ratio), fine.crs)
    assert is_nested(coarse, fine) == ratio


@pytest.mark.parametrize("affine", [
    Affine(15, 0, 0, 0, -15, 600), Affine(20, 0, 5, 0, -20, 600), Affine(20, 0, 0, 0, -30, 600), Affine(5, 0, 0, 0, -5, 600),
])  # fmt: skip
def test_other_grids_are_not_nested(affine: Affine) -> None:
    fine = make_geobox((0, 0, 600, 600), "EPSG:32633", 10)
    assert is_nested(GeoBox((20, 20), affine, fine.crs), fine) is None
    assert is_nested(GeoBox((60, 60), fine.affine, resolve_crs("EPSG:32634")), fine) is None


@settings(max_examples=20, deadline=None)
@given(south=st.floats(-80, 75), west=st.floats(-170, 170))
def test_geographic_pixel_areas_sum_to_the_zone_on_the_ellipsoid(south: float, west: float) -> None:
    geobox = make_geobox((west, south, west + 2, south + 2), "EPSG:4326", 0.05)
    box = geobox.boundingbox
    ring_lon = np.concatenate([np.linspace(box.left, box.right, 800), np.linspace(box.right, box.left, 800)])
    ring_lat = np.concatenate([np.full(800, box.bottom), np.full(800, box.top)])
    expected = abs(Geod(ellps="WGS84").polygon_area_perimeter(ring_lon, ring_lat)[0])
    # parallels are approximated by 800 geodesics, hence the tolerance
    assert pixel_area_m2(geobox).sum() == pytest.approx(expected, rel=1e-6)


def test_pixel_areas_of_the_globe_sum_to_the_ellipsoid() -> None:
    globe = make_geobox((-180, -90, 180, 90), "EPSG:4326", 1.0)
    assert pixel_area_m2(globe).sum() == pytest.approx(5.10065621724e14, rel=1e-10)  # WGS 84 surface, m2


def test_utm_pixel_area_follows_the_scale_factor() -> None:
    centre = make_geobox((499_950, 5_000_000, 500_050, 5_000_100), "EPSG:32633", 10)
    assert pixel_area_m2(centre).mean() == pytest.approx(100 / 0.9996**2, rel=1e-5)


def test_area_of_a_pixel_does_not_depend_on_the_window() -> None:
    geobox = make_geobox((300_000, 5_000_000, 400_000, 5_090_000), "EPSG:3395", 500)
    whole, window = pixel_area_m2(geobox), Window(30, 41, 17, 23)
    assert np.array_equal(pixel_area_m2(geobox, window), whole[window.slices])


def test_pixel_areas_match_geodesic_polygons_in_between_the_lattice(rng: np.random.Generator) -> None:
    geobox = GeoBox((900, 1100), ODD.affine, ODD.crs)
    whole = pixel_area_m2(geobox)
    for row, col in zip(rng.integers(0, 900, 5), rng.integers(0, 1100, 5), strict=True):
        one = pixel_area_m2(window_geobox(geobox, Window(int(row), int(col), 1, 1)))
        assert whole[row, col] == pytest.approx(one[0, 0], rel=1e-6)


def test_metres_per_pixel_shrink_with_the_parallel() -> None:
    x, y = metres_per_pixel(make_geobox((10, 59.9, 10.2, 60.1), "EPSG:4326", 0.001))
    assert x == pytest.approx(111320 * np.cos(np.radians(60)) / 1000, rel=5e-3)
    assert y == pytest.approx(111.4, rel=5e-3)


@pytest.mark.real
def test_world_mercator_units_squared_are_half_too_large(real_data: Path) -> None:
    with rasterio.open(real_data / "s2_lulc_py" / "s2image.tif") as src:
        geobox = GeoBox((src.height, src.width), Affine(*src.transform[:6]), resolve_crs(src.crs))
    units = abs(geobox.affine.a * geobox.affine.e) * geobox.shape[0] * geobox.shape[1]
    assert units / pixel_area_m2(geobox).sum() == pytest.approx(1.53, abs=0.01)
