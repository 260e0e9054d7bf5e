from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from landweave.errors import CubeError, SourceError
from landweave.grid import Window, resolve_crs, to_coords
from landweave.io.zarr_store import ENCODINGS, GroupSpec, ZarrWriter, decode, encode, plan_groups, read_store

# an unnamed Albers on GRS80 with pixels that are not quite square, as CBERS-4 cubes have it
ALBERS = "+proj=aea +lat_1=-2 +lat_2=-22 +lat_0=-12 +lon_0=-54 +x_0=5000000 +y_0=10000000 +ellps=GRS80 +units=m +no_defs"
AFFINE = rasterio.Affine(63.998080140533446, 0, 778451.531706024, 0, -63.99920894639137, -1435954.4775823874)


def make(crs: str = ALBERS, *, static: bool = False) -> xr.DataArray:
    geobox = GeoBox((7, 9), AFFINE, resolve_crs(crs))
    values = np.random.default_rng(3).integers(-1000, 9000, (2, 3, 7, 9)).astype(np.float32) * np.float32(1e-4)
    values[:, :, 2, 3:5] = np.nan
    coords = {"band": ["red", "nir", "ndvi"], "kind": ("band", ["reflectance", "reflectance", "index"]), **to_coords(geobox)}
    if static:
        return xr.DataArray(values[0], dims=("band", "y", "x"), coords=coords)
    times = np.array(["2018-12-25", "2019-01-08"], "datetime64[ns]")
    day = np.timedelta64(1, "D")
    coords |= {"time": times, "time_start": ("time", times - 6 * day), "time_end": ("time", times + 7 * day)}
    return xr.DataArray(values, dims=("time", "band", "y", "x"), coords=coords)


def store(path: Path, **cubes: xr.DataArray) -> Path:
    writer = ZarrWriter(path, cubes, plan_groups(cubes), {"notes": []})
    for name, cube in cubes.items():
        writer.write(name, Window(0, 0, cube.sizes["y"], cube.sizes["x"]), cube.values)
    writer.finish(["made by a test"])
    return path


def test_xarray_reads_values_and_coordinates_back(tmp_path: Path) -> None:
    cube = make()
    ds = xr.open_zarr(store(tmp_path / "c.zarr", main=cube), group="reflectance", chunks=None)
    assert ds["reflectance"].dims == ("time", "band", "y", "x")
    np.testing.assert_allclose(ds["reflectance"].values, cube.values[:, :2], atol=1e-7)
    assert ds["band"].values.tolist() == ["red", "nir"]
    for name in ("time", "time_start", "time_end"):
        np.testing.assert_array_equal(ds[name].values, cube[name].values)


# rioxarray 0.19 multiplies transforms with *, which affine 3 deprecates
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_rioxarray_finds_crs_and_transform(tmp_path: Path) -> None:
    ds = xr.open_zarr(store(tmp_path / "c.zarr", main=make()), group="index", chunks=None, decode_coords="all")
    assert resolve_crs(ds.rio.crs) == resolve_crs(ALBERS)
    assert ds.rio.transform() == AFFINE


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_rioxarray_opens_it_through_gdal(tmp_path: Path) -> None:
    path, cube = store(tmp_path / "c.zarr", main=make()), make()
    opened = rioxarray.open_rasterio(f'ZARR:"{path}":/reflectance/reflectance', masked=True, mask_and_scale=True)
    assert resolve_crs(opened.rio.crs) == resolve_crs(ALBERS)  # type: ignore[union-attr]
    np.testing.assert_allclose(opened.values, cube.values[:, :2].reshape(4, 7, 9), atol=1e-7)  # type: ignore[union-attr]


@pytest.mark.parametrize(("group", "dtype", "scale"), [("reflectance", "int16", 1e-4), ("index", "float32", 1.0)])
def test_gdal_reads_values_scale_nodata_and_grid(tmp_path: Path, group: str, dtype: str, scale: float) -> None:
    path, cube = store(tmp_path / "c.zarr", main=make()), make()
    with rasterio.open(f'ZARR:"{path}":/{group}/{group}') as src:
        assert (src.dtypes[0], src.scales[0]) == (dtype, scale)
        np.testing.assert_allclose(src.transform[:6], AFFINE[:6], rtol=1e-12)
        assert resolve_crs(src.crs) == resolve_crs(ALBERS)
        values = np.ma.masked_invalid(src.read(1, masked=True)).astype(float).filled(np.nan) * src.scales[0]
        first = 0 if group == "reflectance" else 2
        assert src.tags(1)["DIM_band_VALUE"] == cube["band"].values[first]
    np.testing.assert_allclose(values, cube.values[0, first], atol=1e-7)


def test_epsg_codes_and_degrees_survive(tmp_path: Path) -> None:
    path = store(tmp_path / "c.zarr", main=make("EPSG:4326", static=True))
    with rasterio.open(f'ZARR:"{path}":/index/index') as src:
        assert src.crs.to_epsg() == 4326
    assert read_store(path)[0]["main"].geobox.crs.epsg == 4326


def test_groups_are_named_by_kind_and_by_cube_where_two_share_it() -> None:
    names = [g.name for g in plan_groups({"s2 a": make(), "l8": make(static=True).isel(band=[2])})]
    assert names == ["reflectance", "index_s2_a", "index_l8"]


def test_the_reader_gives_windows_of_bands_in_any_order(tmp_path: Path) -> None:
    cube = make()
    reader = read_store(store(tmp_path / "c.zarr", main=cube))[0]["main"].reader
    part = reader.read(Window(1, 2, 4, 5), [1], [2, 0])
    np.testing.assert_allclose(part, cube.values[1:, [2, 0], 1:5, 2:7], atol=1e-7)


def test_notes_and_order_of_bands_are_kept(tmp_path: Path) -> None:
    cubes, about = read_store(store(tmp_path / "c.zarr", main=make(), dem=make(static=True)))
    assert about["notes"] == ["made by a test"]
    assert cubes["main"].bands == ("red", "nir", "ndvi")
    assert cubes["dem"].times is None


def test_a_corrupt_chunk_names_the_store(tmp_path: Path) -> None:
    path = store(tmp_path / "c.zarr", main=make())
    next((path / "index" / "index").glob("0*")).write_bytes(b"\1\2\3")
    with pytest.raises(SourceError, match=r"cannot read index of .*c\.zarr \(truncated or corrupt\?\)"):
        read_store(path)[0]["main"].reader.read(Window(0, 0, 2, 2), [0], [2])


@given(data=st.data(), kind=st.sampled_from(sorted(ENCODINGS)))
@settings(max_examples=40, deadline=None)
def test_encoding_keeps_gaps_and_values_within_half_a_step(data: st.DataObject, kind: str) -> None:
    spec = GroupSpec("g", "main", kind, ("b",), (0,), (1, 1, 4), (1, 1, 4))  # type: ignore[arg-type]
    low, high = (float(np.float32(np.clip(v, -1e4, 1e4))) for v in spec.encoding.limits)
    numbers = st.one_of(st.just(float("nan")), st.floats(low, high, width=32))
    if kind == "mask":
        numbers = st.one_of(st.just(float("nan")), st.integers(0, 254).map(float))
    values = np.array(data.draw(st.lists(numbers, min_size=4, max_size=4)), np.float32).reshape(1, 1, 4)
    again = decode(encode(values, spec), spec.encoding)
    np.testing.assert_array_equal(np.isnan(again), np.isnan(values))
    step = 0 if spec.encoding.dtype == "float32" else spec.encoding.scale / 2 + 1e-6
    assert np.nanmax(np.abs(again - values), initial=0) <= step


def test_a_value_beyond_the_dtype_names_band_and_remedy() -> None:
    spec = GroupSpec("mask", "main", "mask", ("scl",), (0,), (1, 1, 2), (1, 1, 2))
    with pytest.raises(CubeError, match=r"band 'scl' of 'main' holds 300, .* within 0\.\.254; state the source's scale"):
        encode(np.array([[[1, 300]]], np.float32), spec)
