"""Cubes of real scenes: grids, dates and values that anyone can check with another tool."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from landweave.cube import CubeOptions, load_cube, open_cube, season_windows, select_season, write_cube
from landweave.grid import geobox_of, pixel_area_m2
from landweave.imagery import SourceOptions, find_scenes
from landweave.types import CubeSet, Season, SeasonStep

pytestmark = pytest.mark.real


def load(options: CubeOptions | None = None, **sources: dict[str, object]) -> CubeSet:
    scenes = {name: find_scenes(SourceOptions(**given)) for name, given in sources.items()}  # type: ignore[arg-type]
    return load_cube(scenes, options=options)


def load_cerrado(real_data: Path) -> CubeSet:
    pattern = "{tile}_{start:%Y-%m-%d}_{end:%Y-%m-%d}_{band}.tif"
    return load(main={"paths": str(real_data / "cbers4-cerrado"), "sensor": "cbers4-awfi", "pattern": pattern})


def load_dtwsat(real_data: Path, options: CubeOptions | None = None) -> CubeSet:
    folder = real_data / "modis-matogrosso" / "dtwsat_mato_grosso" / "data"
    paths = [str(folder / f"{b}.tif") for b in ("ndvi", "evi", "red", "nir", "blue", "mir")]
    dates = folder / "timeline"
    source = {"paths": paths, "sensor": "modis-mod13q1", "pattern": "{band}.tif", "layer_dates": dates}
    return load(options, main=source)


def test_cerrado_is_the_files_in_the_order_of_their_periods(real_data: Path) -> None:
    cube = load_cerrado(real_data)["main"]
    assert cube.shape == (23, 2, 400, 400)
    steps = np.diff(cube["time_start"].values).astype("timedelta64[D]").astype(int)
    assert steps.tolist() == [16] * 7 + [13] + [16] * 14  # restarts on 1 January
    with rasterio.open(real_data / "cbers4-cerrado" / "022024_2019-01-01_2019-01-16_NDVI.tif") as src:
        expected = src.read(1) * 1e-4
    got = cube.sel(band="ndvi").isel(time=8).values
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_cerrado_keeps_its_odd_grid_through_the_store(real_data: Path, tmp_path: Path) -> None:
    cubes = load_cerrado(real_data)
    path = write_cube(cubes, tmp_path / "cube.zarr", workers=2)
    stored = open_cube(path)
    with rasterio.open(next((real_data / "cbers4-cerrado").glob("*.tif"))) as src:
        assert tuple(stored.geobox.affine)[:6] == tuple(src.transform)[:6]
    np.testing.assert_array_equal(stored["main"].isel(time=4).values, cubes["main"].isel(time=4).values)
    with rasterio.open(f'ZARR:"{path}":/index/index') as src:
        assert src.count == 46


def test_cerrado_outliers_of_evi_are_counted(real_data: Path) -> None:
    cubes = load_cerrado(real_data)
    assert any("evi" in note and "outside its valid range" in note for note in cubes.notes)
    assert np.nanmax(np.abs(cubes["main"].values)) <= 1.5 + 1e-5


def test_dtwsat_serves_its_seasons(real_data: Path) -> None:
    # the periods restart on 1 January, day 122 from 1 September
    edges = [*range(13, 110, 16), *range(122, 379, 16)]
    steps = tuple(SeasonStep(from_day=a, to_day=b) for a, b in pairwise(edges))
    season = Season(start="09-01", length_days=378, steps=steps)
    cubes = load_dtwsat(real_data)
    assert cubes["main"].shape == (137, 6, 27, 37)
    assert date(2012, 9, 1) not in season_windows(cubes, season)
    # one date of July 2013 is missing in the source: a regular cube has a gap there
    regular = load_dtwsat(real_data, CubeOptions(period_days=16))
    assert [d.year for d in season_windows(regular, season)] == [2007, 2008, 2009, 2010, 2011, 2012]
    assert select_season(regular, season, date(2012, 9, 1))["main"].sizes["time"] == 23


def test_dtwsat_floats_are_not_scaled(real_data: Path) -> None:
    cube = load_dtwsat(real_data)["main"]
    assert 0.3 < float(np.nanmean(cube.sel(band="ndvi").isel(time=0).values)) < 0.9


def test_landsat5_and_its_elevation_share_a_grid(real_data: Path) -> None:
    folder = real_data / "landsat5-para"
    names = ("blue", "green", "red", "nir", "swir16", "thermal", "swir22")
    cubes = load(
        main={"paths": str(folder / "rstoolbox_lsat.tif"), "layers": names, "static": True},
        terrain={"paths": str(folder / "rstoolbox_srtm_lsat.tif"), "layers": ("elevation",), "static": True},
    )
    assert geobox_of(cubes["terrain"]) == cubes.geobox
    relief = cubes["terrain"].values
    water = cubes["main"].sel(band="nir").values < 15
    assert 40 < np.median(relief[0][water]) < np.median(relief[0][~water])  # the reservoir lies below the hills


def test_landsat7_masks_the_clouds_of_2002_alone(real_data: Path) -> None:
    names = ("blue", "green", "red", "nir", "swir16", "swir22", None, "fmask")
    source = {
        "paths": str(real_data / "landsat7_honduras_guatemala" / "LE7*_stack.gtif"), "layers": names, "scale": 1e-4,
        "pattern": "LE7022049{date:%Y%j}EDC{version}_stack.gtif", "nodata": -9999, "mask_band": "fmask", "mask_clear": (0,),
        "kind": "reflectance",
    }  # fmt: skip
    cube = load(main=source)["main"]
    assert cube["time"].values.astype("datetime64[D]").astype(str).tolist() == ["1999-11-18", "2002-04-16"]
    gaps = np.isnan(cube.values).mean(axis=(1, 2, 3))
    assert gaps[0] == 0
    assert 0.2 < gaps[1] < 0.35


def test_world_mercator_pixels_have_their_true_area(real_data: Path) -> None:
    layers = ("blue", "green", "red", "nir")
    cubes = load(main={"paths": str(real_data / "s2_lulc_py" / "s2image.tif"), "layers": layers, "static": True})
    assert 60 < float(pixel_area_m2(cubes.geobox).mean()) < 70  # 99.7 square crs units
    assert 0 < np.isnan(cubes["main"].values).mean() < 0.05


def test_radar_and_optical_of_one_flood_share_a_grid(real_data: Path) -> None:
    folder, day = real_data / "sen1floods11" / "sample", date(2019, 9, 17)
    cubes = load(
        CubeOptions(indices=("mndwi",)),
        s2={"paths": str(folder / "S2" / "*.tif"), "sensor": "sentinel-2-l1c", "date": day},
        s1={"paths": str(folder / "S1" / "*.tif"), "date": day},
    )
    with rasterio.open(next((folder / "Labels").glob("*.tif"))) as src:
        label = src.read(1)
    water = cubes["s2"].sel(band="mndwi").values[0] > 0.2
    both = (water & (label == 1)).sum() / ((water & (label >= 0)) | (label == 1)).sum()
    assert both == pytest.approx(0.72, abs=0.01)  # the figure of the data's README
    vv = cubes["s1"].sel(band="vv").values[0]
    assert np.nanmedian(vv[label == 1]) < np.nanmedian(vv[label == 0]) - 4  # open water is dark to radar, in dB


def test_a_scene_reprojected_there_and_looked_at_again_stays_in_place(real_data: Path) -> None:
    path = str(real_data / "landsat5-para" / "rstoolbox_lsat.tif")
    source = {"paths": path, "layers": ("blue", "green", "red", "nir", "swir16", "thermal", "swir22"), "static": True,
              "bands": ("nir",), "kind": "temperature"}  # fmt: skip
    cubes = load(CubeOptions(crs="EPSG:32623"), main=source)
    home = load(main=source)
    grid, values = cubes.geobox, cubes["main"].values[0]
    rows, cols = np.nonzero(~np.isnan(values))
    x, y = np.array([grid.affine @ (c + 0.5, r + 0.5) for r, c in zip(rows[::97], cols[::97], strict=True)]).T
    x, y = Transformer.from_crs(32623, 32622, always_xy=True).transform(x, y)
    at_cols, at_rows = (np.floor(v).astype(int) for v in ~home.geobox.affine @ (x, y))
    assert np.corrcoef(home["main"].values[0][at_rows, at_cols], values[rows[::97], cols[::97]])[0, 1] > 0.97
