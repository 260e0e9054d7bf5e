"""Tiles: their names find them again, they cover an area, and published ones lie where their products say."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from landweave.cube import CubeOptions, find_tile, list_tiles, load_cube
from landweave.cube.grids import to_frame
from landweave.errors import GridError

SLOVENIA = (13.4, 45.4, 16.6, 46.9)
EVERY = ("mgrs", "sentinel2", "majortom:50", "quad:9", "square:EPSG:3035:50000", "square:EPSG:32633:40000")


@pytest.mark.parametrize(("name", "crs", "bounds"), [
    # proj:bbox of the STAC item of S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD (stactools pull request 88)
    ("sentinel2:22HBD", "EPSG:32722", (199980, 5790220, 309780, 5900020)),
    ("sentinel2:T22HBD", "EPSG:32722", (199980, 5790220, 309780, 5900020)),
    ("mgrs:33TWM", "EPSG:32633", (500000, 5100000, 600000, 5200000)),
    ("mgrs:31NAA", "EPSG:32631", (100000, 0, 200000, 100000)),
    ("mgrs:32VKM", "EPSG:32632", (200000, 6600000, 300000, 6700000)),  # western Norway is in zone 32
])  # fmt: skip
def test_squares_lie_where_their_products_say(name, crs, bounds):
    tile = find_tile(name)
    assert (tile.crs, tile.bounds) == (crs, bounds)


@settings(max_examples=25, deadline=None)
@given(lon=st.floats(-179, 179), lat=st.floats(-79, 83))
def test_any_place_lies_in_a_square_that_its_name_finds_again(lon, lat):
    tiles = list_tiles("mgrs", (lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01))
    assert tiles
    assert [find_tile(t.id) for t in tiles] == tiles
    shapes = to_frame(tiles, tiles[0].crs)
    point = gpd.GeoSeries.from_xy([lon], [lat], crs=4326).to_crs(tiles[0].crs).iloc[0]
    assert shapes.geometry.buffer(1).contains(point).any()


@pytest.mark.parametrize("grid", EVERY)
def test_tiles_cover_an_area_and_are_found_by_name(grid):
    tiles = list_tiles(grid, SLOVENIA)
    assert [find_tile(t.id) for t in tiles] == tiles
    assert len({t.id for t in tiles}) == len(tiles)
    left = box(*SLOVENIA).buffer(-0.01).difference(to_frame(tiles).union_all())
    assert left.area < 1e-6


@pytest.mark.parametrize("grid", EVERY)
def test_part_of_an_area_has_part_of_its_tiles(grid):
    whole = {t.id for t in list_tiles(grid, SLOVENIA)}
    assert {t.id for t in list_tiles(grid, (14, 45.6, 15, 46.2))} < whole


@pytest.mark.parametrize(("lat", "size_km"), [(0.0, 10), (46.0, 10), (-46.0, 100), (84.9, 10)])
def test_cells_of_major_tom_follow_their_definition(lat, size_km):
    around = list_tiles(f"majortom:{size_km}", (14.999, lat, 15.001, lat + 1e-4))
    n_rows = math.ceil(math.pi * 6378.137 / size_km)  # Francis & Czerkawski 2024, section 3
    row = math.floor(lat * n_rows / 180)
    n_columns = math.ceil(2 * math.pi * 6378.137 * math.cos(math.radians(row * 180 / n_rows)) / size_km)
    col = math.floor(15 * n_columns / 360)
    name = f"{abs(row)}{'U' if row >= 0 else 'D'}_{col}R"
    assert f"majortom:{size_km}:{name}" in [t.id for t in around]


def test_a_quad_is_that_of_web_maps():
    tile = find_tile("quad:1/1/0")  # the north-east quarter of the world
    half = math.pi * 6378137
    np.testing.assert_allclose(tile.bounds, (0, 0, half, half), atol=1e-6)
    assert tuple(tile.to_geobox(tile.resolution).shape) == (256, 256)


def test_neighbours_share_no_pixel_and_leave_none_out():
    a, b = (find_tile(f"square:EPSG:3035:10000:c{c}_r260").to_geobox(10) for c in (450, 451))
    assert a.affine.c + 10 * a.shape[1] == b.affine.c
    assert tuple(a.shape) == (1000, 1000)
    odd = find_tile("square:EPSG:3035:10000:c450_r260").to_geobox(30)
    assert odd.affine.c % 30 == 0


@pytest.mark.parametrize(("name", "message"), [
    ("mgrs:33TIM", "columns of zone 33 are STUVWXYZ"), ("mgrs:61TWM", "zones are 1 to 60"), ("mgrs:33", "e.g. 33TWM"),
    ("mgrs:32XMG", "there is no zone 32X"), ("mgrs:33TWA", "does not reach band T"), ("hexagons:3", "are mgrs, sentinel2"),
    ("majortom:10:5U", "10:435U_120R"), ("majortom:10:0U_9999R", "has columns 2004L to 2003R"),
    ("majortom:10:999U_0R", "beyond 85 degrees"), ("quad:3/9/1", "2 \\*\\* zoom"), ("quad:a", "zoom/x/y"),
    ("square:EPSG:3035:0:c1_r1", "give a positive number"), ("square:EPSG:3035", "column and row"),
])  # fmt: skip
def test_a_name_that_finds_nothing_says_why(name, message):
    with pytest.raises(GridError, match=message):
        find_tile(name)


def test_areas_without_tiles_or_with_far_too_many_are_refused():
    with pytest.raises(GridError, match="give west, south, east, north"):
        list_tiles("mgrs", (16, 46, 14, 45))
    with pytest.raises(GridError, match="more than 100,000 tiles"):
        list_tiles("quad:16", SLOVENIA)
    with pytest.raises(GridError, match="beyond the UTM zones"):
        list_tiles("mgrs", (0, 85, 10, 88))
    with pytest.raises(GridError, match="square:EPSG:3035:100000"):
        list_tiles("square:3035", SLOVENIA)


def test_a_cube_takes_a_tiles_crs_and_bounds(write, make_scene):
    scene = make_scene(write(np.full((1, 100, 100), 5000, dtype=np.int16)), ("red",))
    cubes = load_cube([scene], options=CubeOptions(tile="square:EPSG:32633:500:c1000_r9999"))
    assert cubes.geobox.extent.boundingbox.bbox == (500_000, 4_999_500, 500_500, 5_000_000)
    assert not np.isnan(cubes["main"].values).any()
    with pytest.raises(GridError, match="tile mgrs:10SEG and the files do not overlap"):
        load_cube([scene], options=CubeOptions(tile="mgrs:10SEG", resolution=1000))


def test_a_tile_stands_alone_and_exists():
    with pytest.raises(ValueError, match="tile gives crs and bounds"):
        CubeOptions(tile="mgrs:33TWM", crs="EPSG:3035")
    with pytest.raises(ValueError, match=r"e.g. 33TWM"):
        CubeOptions(tile="mgrs:nowhere")
