from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.vrt import WarpedVRT

from landweave.errors import GridError, SourceError
from landweave.grid import Window, make_geobox, window_geobox
from landweave.io.rasters import METHODS, close_rasters, read_info, read_window

UTM = "EPSG:32633"
ORIGIN = Affine(10, 0, 500_000, 0, -10, 5_000_000)
Write = Callable[..., str]
GRIDS = {
    "finer": (UTM, 3.7),
    "half": (UTM, 20.0),
    "coarser": (UTM, 47.0),
    "next zone": ("EPSG:32634", 10.0),
    "degrees": ("EPSG:4326", 0.00031),
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(
        data: np.ndarray, *, crs: str | None = UTM, transform: Affine = ORIGIN, name: str = "a.tif", **more: object
    ) -> str:
        data = data if data.ndim == 3 else data[None]
        path = tmp_path / name
        close_rasters()
        with rasterio.open(
            path, "w", driver="GTiff", count=data.shape[0], height=data.shape[1], width=data.shape[2], dtype=data.dtype,
            crs=crs, transform=transform, **more,
        ) as dst:  # fmt: skip
            dst.write(data)
        return str(path)

    return make


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = np.random.default_rng(7)
    data = rng.integers(1, 2000, (2, 90, 80)).astype(np.uint16)
    data[:, rng.random((90, 80)) < 0.1] = 0
    path = tmp_path_factory.mktemp("rasters") / "scene.tif"
    with rasterio.open(path, "w", driver="GTiff", count=2, height=90, width=80, dtype="uint16", crs=UTM, transform=ORIGIN,
                       nodata=0, tiled=True, blockxsize=16, blockysize=16) as dst:  # fmt: skip
        dst.write(data)
    return str(path)


@lru_cache
def grid_over(path: str, crs: str, resolution: float) -> GeoBox:
    box = read_info(path).geobox.extent.to_crs(crs).boundingbox
    return make_geobox((box.left, box.bottom, box.right, box.top), crs, resolution)


@lru_cache
def read_whole(path: str, grid: str, method: str) -> tuple[np.ndarray, np.ndarray]:
    return read_window(path, [1, 2], grid_over(path, *GRIDS[grid]), Window(-9, -9, 130, 130), resampling=method)


def warp(path: str, geobox: GeoBox, method: str) -> np.ndarray:
    height, width = geobox.shape
    how = rasterio.enums.Resampling[method]
    target = {"crs": geobox.crs.to_wkt(), "transform": geobox.affine, "height": height, "width": width}
    with rasterio.open(path) as src, WarpedVRT(src, resampling=how, tolerance=1e-9, **target) as vrt:
        return np.asarray(vrt.read(1))


def test_info_tells_what_the_file_says(write: Write) -> None:
    path = write(np.zeros((3, 4), np.int16), nodata=-9999)
    with rasterio.open(path, "r+") as dst:
        dst.descriptions, dst.scales, dst.offsets = ("red",), (1e-4,), (-0.1,)
    info = read_info(path)
    assert (info.descriptions, info.scales, info.offsets, info.nodata) == (("red",), (1e-4,), (-0.1,), (-9999,))


def test_info_takes_scale_one_and_offset_zero_as_not_stated(write: Write) -> None:
    info = read_info(write(np.zeros((3, 4), np.int16)))
    assert (info.scales, info.offsets, info.nodata) == ((None,), (None,), (None,))


def test_a_shared_lattice_is_read_as_it_is(scene: str) -> None:
    info = read_info(scene)
    values, valid = read_window(scene, [2, 1], info.geobox, Window(5, 6, 20, 30))
    with rasterio.open(scene) as src:
        stored = src.read([2, 1])[:, 5:25, 6:36]
    np.testing.assert_array_equal(values, stored)
    np.testing.assert_array_equal(valid, stored != 0)


def test_outside_the_file_is_not_valid(scene: str) -> None:
    geobox = read_info(scene).geobox
    values, valid = read_window(scene, [1], geobox, Window(-4, 70, 10, 20))
    assert values.shape == (1, 10, 20)
    assert not valid[:, :4].any()
    assert not valid[:, :, 10:].any()
    assert valid[:, 4:, :10].any()


def test_a_window_far_away_is_empty(scene: str) -> None:
    far = make_geobox((900_000, 1_000_000, 900_100, 1_000_100), UTM, 7)
    assert not read_window(scene, [1], far, Window(0, 0, 5, 5), resampling="bilinear")[1].any()


@given(
    grid=st.sampled_from(sorted(GRIDS)), method=st.sampled_from(METHODS), row=st.integers(-9, 60), col=st.integers(-9, 60),
    height=st.integers(1, 40), width=st.integers(1, 40),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_any_window_is_the_crop_of_the_whole(
    scene: str, grid: str, method: str, row: int, col: int, height: int, width: int
) -> None:
    geobox = grid_over(scene, *GRIDS[grid])
    window = Window(row, col, height, width)
    all_values, all_valid = read_whole(scene, grid, method)
    values, valid = read_window(scene, [1, 2], geobox, window, resampling=method)
    crop = np.s_[:, row + 9 : row + 9 + height, col + 9 : col + 9 + width]
    np.testing.assert_array_equal(valid, all_valid[crop])
    np.testing.assert_array_equal(values[valid], all_values[crop][valid])


@pytest.mark.parametrize("grid", sorted(GRIDS))
def test_nearest_agrees_with_gdal(scene: str, grid: str) -> None:
    geobox = grid_over(scene, *GRIDS[grid])
    values, valid = read_window(scene, [1], geobox, Window(0, 0, *geobox.shape))
    expected = warp(scene, geobox, "nearest")
    # positions interpolated to 0.005 px put a few centres beside a pixel's edge on its other side
    assert (np.where(valid[0], values[0], 0) == expected).mean() > 0.99


@pytest.mark.parametrize(
    ("grid", "method"), [("finer", "bilinear"), ("finer", "cubic"), ("next zone", "bilinear"), ("half", "average")]
)
def test_interpolation_agrees_with_gdal(write: Write, rng: np.random.Generator, grid: str, method: str) -> None:
    path = write(rng.normal(size=(60, 60)).astype(np.float32))
    geobox = grid_over(path, *GRIDS[grid])
    values, valid = read_window(path, [1], geobox, Window(0, 0, *geobox.shape), resampling=method)
    expected = warp(path, geobox, method)
    inner = np.s_[4:-4, 4:-4]
    ok = valid[0][inner]
    # 0.01 of a standard deviation: positions are interpolated to 0.005 px
    assert np.abs(values[0][inner] - expected[inner])[ok].max() < 0.02


def test_average_is_the_mean_of_the_pixels_below(write: Write) -> None:
    path = write(np.arange(16, dtype=np.float32).reshape(4, 4))
    half = GeoBox((2, 2), ORIGIN @ Affine.scale(2), UTM)
    values, valid = read_window(path, [1], half, Window(0, 0, 2, 2), resampling="average")
    assert valid.all()
    assert values[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_average_needs_half_of_the_pixel_to_be_valid(write: Write) -> None:
    data = np.array([[1, 2, 5, 0], [0, 0, 0, 0]], np.uint8)
    half = GeoBox((1, 2), ORIGIN @ Affine.scale(2), UTM)
    values, valid = read_window(write(data, nodata=0), [1], half, Window(0, 0, 1, 2), resampling="average")
    assert valid[0].tolist() == [[True, False]]
    assert values[0, 0, 0] == 1.5


def test_mode_is_the_commonest_class_and_keeps_the_dtype(write: Write) -> None:
    data = np.array([[7, 7, 3, 9], [7, 2, 9, 3]], np.uint8)
    half = GeoBox((1, 2), ORIGIN @ Affine.scale(2), UTM)
    values, _ = read_window(write(data), [1], half, Window(0, 0, 1, 2), resampling="mode")
    assert values.dtype == np.uint8
    assert values[0].tolist() == [[7, 3]]


def test_bilinear_leaves_invalid_neighbours_out(write: Write) -> None:
    data = np.array([[10, 0], [10, 0]], np.uint8)
    fine = GeoBox((4, 4), ORIGIN @ Affine.scale(0.5), UTM)
    values, valid = read_window(write(data, nodata=0), [1], fine, Window(0, 0, 4, 4), resampling="bilinear")
    assert valid[0].tolist() == [[True, True, False, False]] * 4
    assert set(values[0][valid[0]]) == {10}


def test_a_south_up_file_is_only_turned(write: Write, rng: np.random.Generator) -> None:
    data = rng.normal(size=(5, 6)).astype(np.float32)
    path = write(data, transform=Affine(10, 0, 500_000, 0, 10, 5_000_000 - 50))
    north_up = GeoBox((5, 6), ORIGIN, UTM)
    values, _ = read_window(path, [1], north_up, Window(0, 0, 5, 6), resampling="cubic")
    np.testing.assert_array_equal(values[0], data[::-1])


def test_each_layer_has_its_own_marker(write: Write) -> None:
    path = write(np.array([[[0, 1]], [[255, 0]]], np.uint8), name="a.vrt.tif")
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><NoDataValue>{marker}</NoDataValue><SimpleSource><SourceFilename>{path}'
        f"</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i, marker in ((1, 0), (2, 255))
    )
    text = (f'<VRTDataset rasterXSize="2" rasterYSize="1"><SRS>{UTM}</SRS><GeoTransform>500000,10,0,5000000,0,-10'
            f"</GeoTransform>{bands}</VRTDataset>")  # fmt: skip
    vrt = Path(path).with_name("two.vrt")
    vrt.write_text(text)
    _, valid = read_window(str(vrt), [1, 2], GeoBox((1, 2), ORIGIN, UTM), Window(0, 0, 1, 2))
    assert valid[:, 0].tolist() == [[False, True], [False, True]]


def test_nan_and_a_rounded_marker_of_a_float_file_are_not_valid(write: Write) -> None:
    path = write(np.array([[1, np.nan, 3.4e38]], np.float32))
    _, valid = read_window(path, [1], GeoBox((1, 3), ORIGIN, UTM), Window(0, 0, 1, 3), nodata=3.4e38)
    assert valid[0, 0].tolist() == [True, False, False]


def test_a_stated_crs_stands_in_for_a_missing_one(write: Write) -> None:
    path = write(np.ones((3, 3), np.uint8), crs=None)
    geobox = GeoBox((3, 3), ORIGIN, UTM)
    with pytest.raises(GridError, match="has no crs; state it in the recipe"):
        read_window(path, [1], geobox, Window(0, 0, 3, 3))
    assert read_window(path, [1], geobox, Window(0, 0, 3, 3), src_crs=UTM)[1].all()


def test_much_coarser_pixels_are_read_in_parts(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    geobox = grid_over(scene, *GRIDS["coarser"])
    window = Window(0, 0, *geobox.shape)
    whole = read_window(scene, [1], geobox, window, resampling="average")
    monkeypatch.setattr("landweave.io.rasters._MAX_VALUES", 500)
    parts = read_window(scene, [1], geobox, window, resampling="average")
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads_read_the_same(scene: str) -> None:
    geobox = grid_over(scene, *GRIDS["next zone"])
    window, found = Window(3, 4, 30, 30), []
    threads = [threading.Thread(target=lambda: found.append(read_window(scene, [1], geobox, window)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[0], other) for other in found)


def test_a_decimated_look_comes_near_the_whole(write: Write) -> None:
    data = np.add.outer(np.arange(400), np.arange(400)).astype(np.float32)
    path = write(data)
    coarse = GeoBox((20, 20), ORIGIN @ Affine.scale(20), UTM)
    values, valid = read_window(path, [1], coarse, Window(0, 0, 20, 20), decimate=True)
    assert valid.all()
    assert np.abs(values[0] - data[10::20, 10::20]).max() < 40


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.tif does not exist"):
        read_info(tmp_path / "gone.tif")


def test_a_file_that_is_no_raster_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.tif").write_text("hello")
    with pytest.raises(SourceError, match=r"note\.tif is not a raster that GDAL can open"):
        read_info(tmp_path / "note.tif")


def test_a_truncated_file_is_named(write: Write, rng: np.random.Generator) -> None:
    path = Path(write(rng.integers(0, 255, (300, 300)).astype(np.uint8), tiled=True, blockxsize=64, blockysize=64))
    whole = path.read_bytes()
    path.with_name("cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cannot read .*cut\.tif \(truncated or corrupt\?\)"):
        read_window(str(path.with_name("cut.tif")), [1], GeoBox((300, 300), ORIGIN, UTM), Window(0, 0, 300, 300))


def test_an_unknown_method_lists_the_known_ones(scene: str) -> None:
    with pytest.raises(ValueError, match="known: nearest, bilinear, cubic, average, mode"):
        read_window(scene, [1], read_info(scene).geobox, Window(0, 0, 1, 1), resampling="lanczos")


def test_window_grids_agree_with_windows(scene: str) -> None:
    geobox = grid_over(scene, *GRIDS["half"])
    window = Window(7, 3, 12, 15)
    by_window, _ = read_window(scene, [1], geobox, window)
    by_grid, _ = read_window(scene, [1], window_geobox(geobox, window), Window(0, 0, 12, 15))
    np.testing.assert_array_equal(by_window, by_grid)
