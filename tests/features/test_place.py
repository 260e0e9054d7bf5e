"""Encodings of place, and distances to vector features along the ellipsoid."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from pyproj import Geod
from shapely import LineString, Point, box

from landweave.errors import SourceError
from landweave.features.place import NearestFeature, encode_harmonics, encode_sine_cosine, harmonic_names

WGS84 = Geod(ellps="WGS84")


@pytest.fixture
def nearest():
    """Make the index of features given in degrees."""
    return lambda *shapes, crs="EPSG:4326": NearestFeature(gpd.GeoDataFrame(geometry=list(shapes), crs=crs), (15.0, 46.0))


def test_the_date_line_is_one_place():
    west, east = (encode_sine_cosine(np.array([lon]), np.array([10.0])) for lon in (-180.0, 180.0))
    for name in west:
        assert west[name] == pytest.approx(east[name], abs=1e-7)


def test_harmonics_are_orthonormal_over_the_sphere():
    z, weights = np.polynomial.legendre.leggauss(12)
    lon, z_grid = np.meshgrid(np.arange(24) * 15.0, z)
    values = np.stack([v.ravel() for v in encode_harmonics(lon, np.degrees(np.arcsin(z_grid)), degree=5).values()])
    area = np.repeat(weights * 2 * np.pi / 24, 24)
    np.testing.assert_allclose((values * area) @ values.T, np.eye(35), atol=1e-6)


def test_harmonics_are_those_of_scipy():
    from scipy.special import sph_harm_y

    lon, lat = np.array([15.0, -70.0]), np.array([46.0, -20.0])
    got = encode_harmonics(lon, lat, degree=4)
    assert tuple(got) == harmonic_names(4)
    peer = sph_harm_y(3, 2, np.radians(90 - lat), np.radians(lon))  # order 2: no sign
    np.testing.assert_allclose(got["sh3_c2"], np.sqrt(2) * peer.real, rtol=1e-5)
    np.testing.assert_allclose(got["sh3_s2"], np.sqrt(2) * peer.imag, rtol=1e-5)


def test_distance_to_points_is_the_geodesic_to_the_nearest(nearest):
    rng = np.random.default_rng(1)
    at = rng.uniform((14, 45), (16, 47), (30, 2))
    lon, lat = rng.uniform(14, 16, 50), rng.uniform(45, 47, 50)
    every = np.array([[WGS84.inv(x, y, *p)[2] for p in at] for x, y in zip(lon, lat, strict=True)])
    got = nearest(*(Point(p) for p in at)).measure(lon, lat)
    np.testing.assert_allclose(got, every.min(axis=1), rtol=1e-4)


def test_distance_to_a_meridian_is_measured_square_to_it(nearest):
    got = nearest(LineString([(15, 44), (15, 48)])).measure(np.array([15.001, 15.1, 15.0]), np.array([46.0, 46.0, 46.3]))
    across = [WGS84.inv(15, 46, 15 + d, 46)[2] for d in (0.001, 0.1)]
    np.testing.assert_allclose(got[:2], across, rtol=1e-6)  # the foot lies 4 m off the parallel at 7.7 km
    assert got[2] < 0.1


def test_inside_a_polygon_the_distance_is_0_and_outside_it_is_to_the_edge(nearest):
    got = nearest(box(14.9, 45.9, 15.1, 46.1)).measure(np.array([15.0, 15.2]), np.array([46.0, 46.0]))
    assert got[0] == 0
    assert got[1] == pytest.approx(WGS84.inv(15.1, 46, 15.2, 46)[2], rel=1e-5)


def test_the_files_crs_makes_no_difference(nearest):
    line = gpd.GeoSeries([LineString([(14.8, 45.9), (15.3, 46.2)])], crs="EPSG:4326").segmentize(0.001)
    lon, lat = np.array([15.0, 15.4]), np.array([46.3, 45.8])
    other = nearest(line.to_crs("EPSG:32633").iloc[0], crs="EPSG:32633").measure(lon, lat)
    np.testing.assert_allclose(nearest(line.iloc[0]).measure(lon, lat), other, rtol=1e-6)


def test_features_without_shape_are_refused(nearest):
    with pytest.raises(SourceError, match="look at the file's crs"):
        nearest(None)
