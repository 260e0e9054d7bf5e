from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize

from landweave.grid import GeoBox, make_geobox
from landweave.samples.polygons import find_spans, sample_polygons

GRID = make_geobox((0, 0, 300, 200), "EPSG:32633", 10)


def pixels(polygon, grid: GeoBox = GRID) -> np.ndarray:
    spans = find_spans(polygon, grid)
    inside = np.zeros(tuple(grid.shape), dtype=np.uint8)
    np.add.at(inside, spans.pick(np.arange(len(spans))), 1)
    return inside


@st.composite
def blobs(draw):
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
    radius = rng.uniform(3, 120, len(angles))
    centre = rng.uniform((-50, -50), (350, 250))
    return shapely.Polygon(centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None])


@settings(max_examples=60, deadline=None)
@given(blobs())
def test_pixels_are_those_that_gdal_finds(polygon):
    wanted = rasterize([(polygon, 1)], out_shape=tuple(GRID.shape), transform=GRID.affine, dtype="uint8")
    assert (pixels(polygon) == wanted).all()


def test_holes_are_respected():
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(30, 30, 70, 70))
    assert pixels(ring).sum() == 100 - 16


def test_neighbours_share_no_pixel_and_leave_none_out():
    # the border runs through pixel centres
    left, right = shapely.box(0, 0, 55, 200), shapely.box(55, 0, 300, 200)
    assert (pixels(left) + pixels(right) == 1).all()


def test_a_polygon_outside_the_grid_has_no_pixel():
    assert pixels(shapely.box(1000, 1000, 2000, 2000)).sum() == 0
    assert pixels(shapely.box(-100, -100, 1000, 1000)).all()


def test_the_cap_draws_without_repeating(rng):
    series = gpd.GeoSeries([shapely.box(0, 0, 300, 200)], crs="EPSG:32633")
    made = sample_polygons(series, GRID, max_per_polygon=40, rng=rng)
    assert len(set(zip(made.x, made.y, strict=True))) == 40
    assert made.n_inside[0] == 600


def test_the_same_seed_draws_the_same_pixels():
    series = gpd.GeoSeries([shapely.box(0, 0, 300, 200)] * 2, crs="EPSG:32633")
    a, b = (sample_polygons(series, GRID, max_per_polygon=5, rng=np.random.default_rng(3)) for _ in range(2))
    assert (a.x == b.x).all()
    assert (a.x[:5] != a.x[5:]).any()


def test_a_polygon_without_a_centre_gives_its_own_point(rng):
    small = shapely.box(11, 11, 13, 13)
    made = sample_polygons(gpd.GeoSeries([small], crs="EPSG:32633"), GRID, max_per_polygon=None, rng=rng)
    assert made.sub_pixel.tolist() == [True]
    assert small.contains(shapely.Point(made.x[0], made.y[0]))
