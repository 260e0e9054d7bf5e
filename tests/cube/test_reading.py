from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landweave.cube import CubeOptions, load_cube, reading
from landweave.cube.reading import combine
from landweave.io.rasters import read_stored
from landweave.types import Scene

Write = Callable[..., str]
Make = Callable[..., Scene]
Coded = Callable[..., np.ndarray]
NAN = np.nan


def values_of(scenes: list[Scene], **options: object) -> np.ndarray:
    return np.asarray(load_cube(scenes, options=CubeOptions(**options))["main"].values)  # type: ignore[arg-type]


def test_stored_values_become_reflectance_by_the_sensor(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded()
    np.testing.assert_allclose(values_of([make_scene(write(data))])[0], data * 1e-4, rtol=1e-6)


def test_float_files_are_not_scaled_by_the_sensor(write: Write, make_scene: Make) -> None:
    data = np.full((2, 4, 5), 0.25, np.float32)
    np.testing.assert_array_equal(values_of([make_scene(write(data))])[0], data)


def test_the_files_tags_win_over_the_sensor(write: Write, make_scene: Make) -> None:
    import rasterio

    path = write(np.full((1, 4, 5), 100, np.int16))
    with rasterio.open(path, "r+") as dst:
        dst.scales, dst.offsets = (0.002,), (0.1,)
    np.testing.assert_allclose(values_of([make_scene(path, ["red"])]), 0.3, rtol=1e-6)


def test_the_recipe_wins_over_the_files_tags(write: Write, make_scene: Make) -> None:
    import rasterio

    path = write(np.full((1, 4, 5), 100, np.int16))
    with rasterio.open(path, "r+") as dst:
        dst.scales = (0.002,)
    scene = make_scene(path, ["red"], stated={"scale": 0.001, "offset": 0.05})
    np.testing.assert_allclose(values_of([scene]), 0.15, rtol=1e-6)


@pytest.mark.parametrize("where", ["sensor", "file", "recipe"])
def test_nodata_becomes_nan_wherever_it_is_stated(write: Write, make_scene: Make, where: str) -> None:
    marker = {"sensor": -9999, "file": 7, "recipe": 42}[where]
    data = np.full((1, 4, 5), 3000, np.int16)
    data[0, 1, 2] = marker
    path = write(data, nodata=7) if where == "file" else write(data)
    scene = make_scene(path, ["red"], stated={"nodata": 42} if where == "recipe" else {})
    assert np.argwhere(np.isnan(values_of([scene])[0, 0])).tolist() == [[1, 2]]


def test_pixels_that_are_not_clear_become_nan(write: Write, make_scene: Make, make_mask: Callable[..., object]) -> None:
    clouds = np.zeros((4, 5), np.uint8)
    clouds[0, :3] = 4
    scene = make_scene(write(np.full((2, 4, 5), 3000, np.int16)), mask=make_mask(write(clouds)))
    gaps = np.isnan(values_of([scene])[0])
    np.testing.assert_array_equal(gaps, np.broadcast_to(clouds == 4, gaps.shape))


def test_bands_are_not_read_where_the_mask_is_nowhere_clear(
    write: Write, make_scene: Make, make_mask: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = np.ones((64, 4), np.uint8)
    clouds[40, 1] = 0  # the one clear pixel
    mask = make_mask(write(clouds))
    cubes = load_cube([make_scene(write(np.full((2, 64, 4), 3000, np.int16)), mask=mask)], options=CubeOptions(fill="none"))
    read: list[str] = []
    monkeypatch.setattr(reading, "read_stored", lambda path, *a, **k: read.append(path) or read_stored(path, *a, **k))
    parts = [cubes["main"].isel(y=slice(at, at + 32)).values for at in (0, 32)]
    assert len(read) == 3  # the mask twice, the bands once
    assert [int(np.isfinite(p).sum()) for p in parts] == [0, 2]


def test_a_coarser_mask_takes_its_nearest_pixel(write: Write, make_scene: Make, make_mask: Callable[..., object]) -> None:
    from affine import Affine

    clouds = np.array([[0, 9], [0, 0]], np.uint8)
    path = write(clouds, transform=Affine(20, 0, 500_000, 0, -20, 5_000_000))
    scene = make_scene(write(np.full((1, 4, 4), 3000, np.int16)), ["red"], mask=make_mask(path))
    assert np.isnan(values_of([scene])[0, 0]).sum() == 4


def test_few_values_out_of_range_become_nan(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded(1, 20, 20)
    data[0, 3, 4] = 32000
    assert np.argwhere(np.isnan(values_of([make_scene(write(data), ["red"])])[0, 0])).tolist() == [[3, 4]]


def test_infinite_values_become_nan(write: Write, make_scene: Make) -> None:
    data = np.ones((1, 20, 20), np.float32)
    data[0, 0, 0] = np.inf
    assert np.isnan(values_of([make_scene(write(data), ["vv"])])[0, 0, 0, 0])


def test_scenes_of_one_solar_day_are_mosaicked(write: Write, make_scene: Make) -> None:
    left, right = np.full((1, 4, 6), 1000, np.int16), np.full((1, 4, 6), 2000, np.int16)
    left[..., 4:], right[..., :2] = -9999, -9999
    scenes = [make_scene(write(left), ["red"], "2020-06-01T10:00"), make_scene(write(right), ["red"], "2020-06-01T10:01")]
    first = values_of(scenes)
    assert first.shape == (1, 1, 4, 6)
    np.testing.assert_allclose(first[0, 0, 0], [0.1, 0.1, 0.1, 0.1, 0.2, 0.2])
    np.testing.assert_allclose(values_of(scenes, mosaic="mean")[0, 0, 0], [0.1, 0.1, 0.15, 0.15, 0.2, 0.2])


def test_the_solar_day_follows_the_longitude(write: Write, make_scene: Make) -> None:
    from affine import Affine

    path = write(np.full((1, 4, 5), 1000, np.int16), crs="EPSG:4326", transform=Affine(0.01, 0, 150, 0, -0.01, -30))
    # at 150 E the sun is ten hours ahead: 23:00 and the next day's 01:00 UTC are one morning
    assert values_of([make_scene(path, ["red"], d) for d in ("2020-06-01T23:00", "2020-06-02T01:00")]).shape[0] == 1


def test_scenes_that_stand_for_one_whole_day_are_mosaicked(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded()), day="2020-06-01", span=1, id=str(i)) for i in range(2)]
    assert values_of(scenes).shape[0] == 1


def test_days_of_a_period_are_composited(write: Write, make_scene: Make) -> None:
    scenes = [
        make_scene(write(np.full((1, 3, 3), value, np.int16)), ["red"], day)
        for value, day in ((1000, "2020-01-02"), (2000, "2020-01-05"), (6000, "2020-01-09"), (3000, "2020-01-20"))
    ]
    cube = values_of(scenes, period_days=16)
    np.testing.assert_allclose(cube[:, 0, 0, 0], [0.2, 0.3])
    np.testing.assert_allclose(values_of(scenes, period_days=16, composite="mean")[:, 0, 0, 0], [0.3, 0.3])


def test_gaps_are_filled_linearly_over_time_when_asked(write: Write, make_scene: Make) -> None:
    made = []
    for value, day in ((1000, "2020-01-01"), (-9999, "2020-01-03"), (3000, "2020-01-05")):
        made.append(make_scene(write(np.full((1, 3, 3), value, np.int16)), ["red"], day))
    assert np.isnan(values_of(made)[1]).all()
    np.testing.assert_allclose(values_of(made, fill="linear")[:, 0, 0, 0], [0.1, 0.2, 0.3], rtol=1e-6)


def test_filling_sees_all_dates_whichever_are_picked(write: Write, make_scene: Make, coded: Coded) -> None:
    made = []
    for day in range(1, 6):
        data = coded(1, 6, 6)
        data[0, day] = -9999
        made.append(make_scene(write(data), ["red"], f"2020-01-0{day}"))
    cube = load_cube(made, options=CubeOptions(fill="linear"))["main"]
    np.testing.assert_array_equal(cube.isel(time=[3, 1]).values, cube.values[[3, 1]])


def test_indices_are_added_as_bands(write: Write, make_scene: Make, coded: Coded) -> None:
    data = coded()
    cube = load_cube([make_scene(write(data))], options=CubeOptions(indices=("ndvi",)))["main"]
    assert cube["band"].values.tolist() == ["red", "nir", "ndvi"]
    assert cube["kind"].values.tolist() == ["reflectance", "reflectance", "index"]
    red, nir = data.astype(float)
    np.testing.assert_allclose(cube.sel(band="ndvi").values[0], (nir - red) / (nir + red), rtol=1e-5, atol=1e-6)


def test_layers_of_one_file_may_be_dates(write: Write, make_scene: Make, coded: Coded) -> None:
    from landweave.types import Asset

    data = coded(3)
    scene = make_scene(write(data), ["red", "b", "c"])
    path = scene.assets[0].path
    dated = [make_scene(path, [], f"2020-0{i + 1}-01", id=f"d{i}") for i in range(3)]
    for i, one in enumerate(dated):
        object.__setattr__(one, "assets", (Asset("red", path, i + 1),))
    np.testing.assert_allclose(values_of(dated)[:, 0], data * 1e-4, rtol=1e-6)


def test_a_band_that_a_scene_lacks_is_missing_there(write: Write, make_scene: Make, coded: Coded) -> None:
    scenes = [make_scene(write(coded(2))), make_scene(write(coded(1)), ["red"], "2020-07-01")]
    cubes = load_cube(scenes)
    assert np.isnan(cubes["main"].sel(band="nir").values[1]).all()
    assert any("some scenes lack nir" in n for n in cubes.notes)


@pytest.fixture
def patchwork(
    write: Write, make_scene: Make, make_mask: Callable[..., object], rng: np.random.Generator
) -> tuple[xr.DataArray, np.ndarray]:
    """Scenes of two zones, half a tile apart, masked, mosaicked, composited, resampled and filled."""
    scenes = []
    for i, (crs, west, north) in enumerate([("EPSG:32633", 500_000, 5_000_000), ("EPSG:32634", 28_350, 5_017_550)] * 3):
        data = rng.integers(500, 5000, (2, 60, 50)).astype(np.int16)
        data[:, rng.random((60, 50)) < 0.2] = -9999
        transform = Affine(10, 0, west + 90 * (i // 2), 0, -10, north)
        clouds = (rng.random((30, 25)) < 0.3).astype(np.uint8)
        mask = make_mask(write(clouds, crs=crs, transform=transform @ Affine.scale(2)))
        day = f"2020-01-{1 + 5 * (i // 2):02d}T0{i}:00"
        scenes.append(make_scene(write(data, crs=crs, transform=transform), day=day, mask=mask, id=str(i)))
    options = CubeOptions(resolution=7, crs="EPSG:32633", period_days=6, composite="mean", fill="linear", indices=("ndvi",))
    cube = load_cube(scenes, options=options)["main"]
    return cube, cube.values


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_pixel_does_not_depend_on_the_window_it_is_read_in(
    patchwork: tuple[xr.DataArray, np.ndarray], data: st.DataObject
) -> None:  # fmt: skip
    cube, whole = patchwork
    rows, cols = (data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, 60))) for n in cube.shape[-2:])
    part = cube.isel(y=slice(rows[0], sum(rows)), x=slice(cols[0], sum(cols))).values
    assert np.isnan(whole).any()
    assert not np.isnan(whole).all(axis=(0, 1)).all()
    np.testing.assert_array_equal(part, whole[..., rows[0] : sum(rows), cols[0] : sum(cols)])


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_combining_arrays_follows_the_rule(data: st.DataObject) -> None:
    seed, n = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(1, 6))
    rng = np.random.default_rng(seed)
    stack = [np.where(rng.random((3, 4)) < 0.4, NAN, rng.normal(size=(3, 4))).astype(np.float32) for _ in range(n)]
    flat = np.stack(stack).reshape(n, -1)
    for pixel in range(12):
        known = flat[:, pixel][~np.isnan(flat[:, pixel])].astype(float)
        expected = {"first": known[:1], "last": known[-1:], "mean": [known.mean()] if known.size else [],
                    "median": [np.median(known)] if known.size else []}  # fmt: skip
        for rule, want in expected.items():
            got = combine(stack, rule).reshape(-1)[pixel]  # type: ignore[arg-type]
            np.testing.assert_allclose(got, want[0] if len(want) else NAN, rtol=1e-6, atol=1e-7)
