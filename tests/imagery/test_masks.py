"""What clear means in each kind of mask, and how it reaches the cube."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError
from landweave.imagery import MaskOptions, SourceOptions, find_scenes
from landweave.imagery.masks import resolve_mask
from landweave.sensors import get_sensor

S2, OLI, HLS, ANY = (get_sensor(n) for n in ("sentinel-2-l2a", "landsat-oli-c2-l2", "hls-s30", "generic"))


def rule(sensor, **options):
    made = MaskOptions(**{"from": options.pop("source"), **options})
    return resolve_mask(made, sensor, made.source)


@pytest.mark.parametrize(("options", "clear"), [
    ({}, (4, 5, 6, 7, 11)), ({"clear": ["vegetation", "bare", 6]}, (4, 5, 6)), ({"shadows": False}, (2, 3, 4, 5, 6, 7, 11)),
    ({"saturation": False, "clear": [4]}, (1, 4)),
])  # fmt: skip
def test_scl_is_a_list_of_classes(options, clear):
    assert rule(S2, source="scl", **options).clear == clear


@pytest.mark.parametrize(("options", "bits"), [
    ({}, (0, 1, 2, 3, 4)), ({"shadows": False}, (0, 1, 2, 3)), ({"clear": ["cirrus", "snow"]}, (0, 1, 3, 4, 7)),
])  # fmt: skip
def test_qa_pixel_is_bits(options, bits):
    made = rule(OLI, source="qa_pixel", **options)
    assert (made.bits, made.clear, made.nodata) == (bits, (), 1.0)


def test_fmask_is_bits_in_hls_and_codes_elsewhere():
    assert rule(HLS, source="fmask").bits == (0, 1, 2, 3)
    assert rule(ANY, source="Fmask").clear == (0, 1, 3)
    assert rule(ANY, source="fmask", shadows=False).clear == (0, 1, 2, 3)


@pytest.mark.parametrize(("options", "message"), [
    ({"from": "clouds"}, r"mask from 'clouds' has clear None; give the values of that layer that mean clear"),
    ({"from": "csmask"}, "mask from csmask has no folder"),
])
def test_an_incomplete_mask_says_what_lacks(options, message):
    with pytest.raises(ValueError, match=message):
        MaskOptions(**options)


def test_an_unknown_condition_lists_the_known():
    with pytest.raises(ValueError, match="clear names 'forest'; this mask knows saturated, dark, shadow, vegetation"):
        SourceOptions(paths="a.tif", sensor="sentinel-2-l2a", mask={"from": "scl", "clear": ["forest"]})


def write(path, data, size=10.0, origin=(6e5, 5e6)):
    with rasterio.open(
        path, "w", driver="GTiff", height=data.shape[0], width=data.shape[1], count=1, dtype=data.dtype, crs="EPSG:32633",
        transform=Affine(size, 0, origin[0], 0, -size, origin[1]),
    ) as dst:  # fmt: skip
        dst.write(data, 1)


def cube_of(folder, mask, **cube):
    about = {"kind": {"red": "reflectance"}, "scale": 1e-4, "mask": mask}
    options = SourceOptions(paths=str(folder), pattern="{date:%Y%m%d}_{band}.tif", **about)
    return load_cube(find_scenes(options), options=CubeOptions(**cube))["main"]


def test_landsat_bits_and_saturation_mask_a_scene(tmp_path):
    qa, saturated = np.full((6, 6), 21824, np.uint16), np.zeros((6, 6), np.uint16)  # clear land
    qa[0, 0], qa[0, 1], qa[0, 2], saturated[5, 5] = 22280, 1, 30048, 1 << 3  # cloud, fill, snow
    for name, data in (("red", np.full((6, 6), 3000, np.uint16)), ("qa_pixel", qa), ("qa_radsat", saturated)):
        write(tmp_path / f"20200601_{name}.tif", data)
    gaps = np.isnan(cube_of(tmp_path, {"from": "qa_pixel", "saturation": True}).values[0, 0])
    assert np.argwhere(gaps).tolist() == [[0, 0], [0, 1], [5, 5]]


def test_growth_leaves_nodata_as_it_is(tmp_path):
    scl = np.full((12, 12), 4, np.uint8)
    scl[:, :2], scl[6, 8] = 0, 9
    write(tmp_path / "20200601_scl.tif", scl)
    write(tmp_path / "20200601_red.tif", np.full((12, 12), 3000, np.uint16))
    gaps = np.isnan(cube_of(tmp_path, {"from": "scl", "dilate_px": 2}).values[0, 0])
    assert gaps[:, :2].all()
    assert gaps[4:9, 6:11].all()
    assert gaps.sum() == 24 + 25


def test_a_missing_mask_layer_is_named(tmp_path):
    write(tmp_path / "20200601_red.tif", np.full((4, 4), 3000, np.uint16))
    with pytest.raises(BandError, match="mask: scl named, but the files hold red"):
        cube_of(tmp_path, {"from": "scl"})


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A scene in one zone with a coarser mask of another grid, read on a third grid, its clouds grown."""
    folder, rng = tmp_path_factory.mktemp("grown"), np.random.default_rng(3)
    write(folder / "20200601_red.tif", rng.integers(500, 5000, (60, 70)).astype("uint16"))
    clouds = np.where(rng.random((40, 44)) < 0.03, 9, 4).astype("uint8")
    write(folder / "20200601_scl.tif", clouds, 20.0, (6e5 - 33, 5e6 + 41))
    cube = cube_of(folder, {"from": "scl", "dilate_px": 3}, resolution=13)
    return cube, cube.values


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_growth_does_not_depend_on_the_window(grown, data):
    cube, whole = grown
    rows, cols = (data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, 40))) for n in cube.shape[-2:])
    part = cube.isel(y=slice(rows[0], sum(rows)), x=slice(cols[0], sum(cols))).values
    assert 0.1 < np.isnan(whole).mean() < 0.99
    np.testing.assert_array_equal(part, whole[..., rows[0] : sum(rows), cols[0] : sum(cols)])


NO_CLOUDS = find_spec("ukis_csmask") is None or find_spec("onnxruntime") is None


@pytest.mark.skipif(NO_CLOUDS, reason="the extra 'clouds' is not installed")
def test_the_network_finds_a_bright_cloud_over_dark_land(tmp_path, rng):
    land = {"blue": 300, "green": 500, "red": 400, "nir": 3000, "swir16": 1500, "swir22": 800}
    cloud = {"blue": 7000, "green": 7000, "red": 7000, "nir": 7500, "swir16": 5000, "swir22": 4000}
    for band, value in land.items():
        data = (value * rng.normal(1, 0.05, (200, 200))).astype("uint16")
        data[60:120, 60:120] = cloud[band]
        write(tmp_path / f"20200601_{band}.tif", data, 30.0)
    about = {"pattern": "{date:%Y%m%d}_{band}.tif", "sensor": "landsat-c2-l2", "scale": 1e-4}
    mask = {"from": "csmask", "folder": tmp_path / "masks"}
    source = SourceOptions(paths=str(tmp_path / "*.tif"), mask=mask, **about)
    (scene,) = find_scenes(source)
    with rasterio.open(scene.mask.asset.path) as src:
        classes = src.read(1)
    # a flat square with sharp edges is no natural cloud, so that only most of it is found
    assert (classes[70:110, 70:110] == 1).mean() > 0.5
    assert (classes[140:, 140:] == 0).mean() > 0.9
    assert find_scenes(source)[0].mask == scene.mask  # made once
