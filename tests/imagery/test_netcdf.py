"""netCDF files: variables become bands, the time axis dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError, GridError, SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.io.rasters import close_rasters

WKT_CRS = "EPSG:32631"


@pytest.fixture
def write(tmp_path):
    """Write a netCDF of 4 x 5 pixels at 10 m with variables B2 and B3 over 3 dates and a static elevation."""
    from pyproj import CRS

    def make(*, units="days since 1990-01-01", calendar="proleptic_gregorian", crs=True) -> Path:
        close_rasters()
        y, x = 5_612_395.0 - 10 * np.arange(4), 664_765.0 + 10 * np.arange(5)
        steps = np.arange(60).reshape(3, 4, 5).astype(np.int16) * 100
        variables = {name: (("t", "y", "x"), steps + i) for i, name in enumerate(("B2", "B3"))}
        variables["elevation"] = (("y", "x"), np.full((4, 5), 170, dtype=np.int16))
        t = ("t", [11170, 11201, 11231], {"units": units, "calendar": calendar})
        named = {n: (n, v, {"standard_name": f"projection_{n}_coordinate", "units": "m"}) for n, v in (("y", y), ("x", x))}
        data = xr.Dataset(variables, {"t": t, **named})
        if crs:
            data["crs"] = ((), 0, {"crs_wkt": CRS(WKT_CRS).to_wkt(), "spatial_ref": CRS(WKT_CRS).to_wkt()})
            for name in ("B2", "B3", "elevation"):
                data[name].attrs["grid_mapping"] = "crs"
        data["B2"].attrs["long_name"] = "S2-L2A-B02"
        data["B3"].attrs["long_name"] = "S2-L2A-B03"
        path = tmp_path / f"cube-{units[:3]}-{calendar[:3]}-{crs}.nc"
        data.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
        return path

    return make


def test_variables_are_bands_and_their_axis_gives_the_dates(write):
    scenes = find_scenes(SourceOptions(paths=str(write()), sensor="sentinel-2-l2a", scale=1e-4, offset=0))
    assert [s.bands for s in scenes] == [("blue", "green")] * 3
    assert [str(s.time_start.date()) for s in scenes] == ["2020-08-01", "2020-09-01", "2020-10-01"]
    cube = load_cube(scenes)["main"]
    np.testing.assert_allclose(cube.values[:, 0].ravel(), np.arange(60) / 100, atol=1e-6)


def test_dated_and_static_variables_are_sources_of_their_own(write):
    path = str(write())
    sources = {"s2": SourceOptions(paths=path, layers={"b3": "green"}, kind="other"),
               "dem": SourceOptions(paths=path, layers={"elevation": "elevation"}, static=True, kind="elevation")}  # fmt: skip
    cubes = load_cube({n: find_scenes(o) for n, o in sources.items()}, options=CubeOptions())
    assert cubes["s2"].shape == (3, 1, 4, 5)
    assert (cubes["dem"].values == 170).all()


def test_time_may_count_hours(write):
    scenes = find_scenes(SourceOptions(paths=str(write(units="hours since 1990-01-01T00:00:00Z")), layers={"B2": "blue"}))
    assert [str(s.time_start.date()) for s in scenes] == ["1991-04-11", "1991-04-12", "1991-04-13"]


@pytest.mark.parametrize(("more", "message"), [
    ({"units": "months since 1990-01-01"}, "months since"), ({"calendar": "noleap"}, "noleap"),
])  # fmt: skip
def test_an_axis_that_is_no_calendar_date_is_refused(write, more, message):
    with pytest.raises(SceneError, match=message):
        find_scenes(SourceOptions(paths=str(write(**more))))


def test_what_cannot_be_used_says_why(write, tmp_path):
    with pytest.raises(BandError, match=r"none of the variables .*B2.* with a time axis is a band of"):
        find_scenes(SourceOptions(paths=str(write()), sensor="sentinel-1-rtc"))
    with pytest.raises(GridError, match="has no crs"):
        find_scenes(SourceOptions(paths=str(write(crs=False))))
    (tmp_path / "cut.nc").write_bytes(write().read_bytes()[:200])
    with pytest.raises(SourceError, match=r"cut\.nc cannot be read as netCDF"):
        find_scenes(SourceOptions(paths=str(tmp_path / "cut.nc")))


@pytest.mark.real
@pytest.mark.parametrize(("name", "steps", "shape", "vv"), [
    ("WORLDCEREAL-INPUTS-10m_belgium_good_32631_2020-08-30_2022-03-03.nc", 20, (50, 48), "VV"),
    ("worldcereal_preprocessed_inputs.nc", 12, (100, 100), "S1-SIGMA0-VV"),
])  # fmt: skip
def test_worldcereal_cubes_open_as_cubes(real_data, name, steps, shape, vv):
    path = str(real_data / "worldcereal" / name)
    sources = {
        "s2": SourceOptions(paths=path, sensor="sentinel-2-l2a", nodata=65535, scale=1e-4, offset=0),
        "s1": SourceOptions(paths=path, layers={vv: "vv"}, nodata=65535, kind="other"),
        "dem": SourceOptions(paths=path, layers={"elevation": "elevation"}, static=True, nodata=65535, kind="elevation"),
    }
    cubes = load_cube({n: find_scenes(o) for n, o in sources.items()}, options=CubeOptions(indices=["ndvi"]))
    assert cubes["s2"].shape == (steps, 10, *shape)
    ndvi = cubes["s2"].sel(band="ndvi").values
    assert 0.2 < np.nanmedian(ndvi) < 0.9
    assert cubes["dem"].dims == ("band", "y", "x")
