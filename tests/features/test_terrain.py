"""Terrain measures on surfaces whose answers are known, and beside gdaldem."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import BandError, CubeError
from landweave.features.terrain import TERRAIN_MEASURES, Sun, compute_terrain, terrain_margin

LOCAL = [m for m in TERRAIN_MEASURES if m != "twi"]
X, Y = np.meshgrid(np.arange(40) * 30.0, -np.arange(30) * 20.0)
PIXEL = (np.array(30.0), np.array(20.0))


@pytest.fixture(scope="module")
def rough() -> np.ndarray:
    """A rough surface of 60 x 70 pixels with two voids."""
    z = np.random.default_rng(3).normal(size=(60, 70)).cumsum(axis=0).cumsum(axis=1).astype(np.float32)
    z[20, 30] = z[21, 31] = np.nan
    return z


@settings(max_examples=15, deadline=None)
@given(east=st.floats(-2, 2), north=st.floats(-2, 2))
def test_a_plane_has_its_slope_and_aspect_up_to_the_edge(east, north):
    got = compute_terrain(east * X + north * Y, PIXEL, LOCAL)
    steep = np.hypot(east, north)
    np.testing.assert_allclose(got["slope"], np.degrees(np.arctan(steep)), atol=1e-4)
    if steep > 1e-3:
        np.testing.assert_allclose(got["northness"], -north / steep, atol=1e-4)
        np.testing.assert_allclose(got["eastness"], -east / steep, atol=1e-4)
    for name in ("curvature", "plan_curvature", "profile_curvature"):
        np.testing.assert_allclose(got[name], 0, atol=1e-10)


def test_curvatures_of_a_bowl_are_those_of_its_second_derivatives():
    x, y = X - 600, Y + 300
    got = compute_terrain(-(x**2) * 1e-3 - y**2 * 3e-3, PIXEL, ["curvature", "profile_curvature", "plan_curvature"])
    np.testing.assert_allclose(got["curvature"][1:-1, 1:-1], 8e-3, rtol=1e-4)  # 2e-3 + 6e-3, convex
    np.testing.assert_allclose(got["profile_curvature"][15, 2:18], 2e-3, rtol=1e-4)  # along x on the axis
    np.testing.assert_allclose(got["plan_curvature"][15, 2:18], 6e-3, rtol=1e-4)


def test_ground_that_faces_the_sun_is_lit_fully_and_the_other_side_not_at_all():
    sun = Sun(azimuth_deg=90, elevation_deg=30)  # a slope of 60 degrees towards the east stands square to it
    towards = compute_terrain(-np.sqrt(3) * X, PIXEL, ["illumination"], sun=sun)["illumination"]
    away = compute_terrain(np.sqrt(3) * X, PIXEL, ["illumination", "hillshade"], sun=sun)
    np.testing.assert_allclose(towards, 1, atol=1e-6)
    np.testing.assert_allclose(away["illumination"], -0.5, atol=1e-6)
    assert (away["hillshade"] == 0).all()


def test_flat_ground_has_no_direction():
    got = compute_terrain(np.full((4, 5), 7.0), PIXEL, LOCAL)
    assert all((got[m] == 0).all() for m in LOCAL if m not in ("illumination", "hillshade"))


def test_position_ruggedness_and_roughness_of_a_single_peak():
    z = np.zeros((7, 7))
    z[3, 3] = 8
    got = compute_terrain(z, PIXEL, ["tpi", "tri", "roughness"], radius_px=2)
    assert got["tpi"][3, 3] == 8
    assert got["tpi"][3, 4] == pytest.approx(-8 / 24)
    assert got["tri"][3, 3] == pytest.approx(8 * np.sqrt(8))
    assert got["roughness"][2, 2] == 8


def test_voids_stay_voids_and_do_not_spread(rough):
    got = compute_terrain(rough, PIXEL, LOCAL, radius_px=3)
    for name in LOCAL:
        np.testing.assert_array_equal(np.isnan(got[name]), np.isnan(rough), err_msg=name)


@settings(max_examples=10, deadline=None)
@given(row=st.integers(5, 40), col=st.integers(5, 45), radius=st.integers(1, 4))
def test_a_window_with_its_margin_gives_what_the_raster_gives(rough, row, col, radius):
    margin = terrain_margin(LOCAL, radius)
    whole = compute_terrain(rough, PIXEL, LOCAL, radius_px=radius)
    cut = rough[row - margin : row + 12 + margin, col - margin : col + 15 + margin]
    part = compute_terrain(cut, PIXEL, LOCAL, radius_px=radius)
    for name in LOCAL:
        np.testing.assert_array_equal(
            part[name][margin:-margin, margin:-margin], whole[name][row : row + 12, col : col + 15], err_msg=name
        )


def test_an_unknown_measure_lists_what_there_is():
    with pytest.raises(BandError, match="there are slope, northness"):
        compute_terrain(X, PIXEL, ["steepness"])
    with pytest.raises(CubeError, match="compute_wetness"):
        compute_terrain(X, PIXEL, ["twi"])
    with pytest.raises(CubeError, match="at least 1"):
        compute_terrain(X, PIXEL, ["tpi"], radius_px=0)


def _gdaldem(path: Path, what: str, *options: str) -> np.ndarray:
    """Run gdaldem out of the library that rasterio carries."""
    found = list((Path(rasterio.__file__).parent.parent / "rasterio.libs").glob("libgdal*"))
    if not found:
        pytest.skip("rasterio carries no GDAL library of its own here")
    lib = ctypes.CDLL(str(found[0]))
    lib.GDALAllRegister()
    for name in ("GDALOpen", "GDALDEMProcessing", "GDALDEMProcessingOptionsNew"):
        getattr(lib, name).restype = ctypes.c_void_p
    texts = (ctypes.c_char_p * (len(options) + 1))(*[o.encode() for o in options], None)
    settings_ = ctypes.c_void_p(lib.GDALDEMProcessingOptionsNew(texts, None))
    source, out = ctypes.c_void_p(lib.GDALOpen(str(path).encode(), 0)), path.with_name(f"{what}.tif")
    made = lib.GDALDEMProcessing(str(out).encode(), source, what.encode(), None, settings_, None)
    lib.GDALClose(ctypes.c_void_p(made))
    lib.GDALClose(source)
    with rasterio.open(out) as src:
        return np.asarray(src.read(1))


def test_measures_are_those_of_gdaldem(tmp_path):
    z = np.random.default_rng(3).normal(size=(60, 70)).cumsum(axis=0).cumsum(axis=1).astype(np.float32)
    path, inner = tmp_path / "z.tif", np.s_[1:-1, 1:-1]
    shape = {"count": 1, "height": 60, "width": 70, "dtype": "float32", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", transform=Affine(20, 0, 5e5, 0, -20, 5e6), **shape) as dst:
        dst.write(z, 1)
    got = compute_terrain(z, (np.array(20.0), np.array(20.0)), LOCAL)
    aspect = np.radians(_gdaldem(path, "aspect"))
    for name, peer, atol in (
        ("slope", _gdaldem(path, "slope"), 2e-3), ("northness", np.cos(aspect), 1e-4), ("eastness", np.sin(aspect), 1e-4),
        ("tpi", _gdaldem(path, "TPI"), 1e-4), ("tri", _gdaldem(path, "TRI", "-alg", "Riley"), 1e-4),
        ("roughness", _gdaldem(path, "roughness"), 1e-4),
    ):  # fmt: skip  (gdaldem computes in float32)
        np.testing.assert_allclose(got[name][inner], peer[inner], atol=atol, err_msg=name)
