"""Pictures of rasters: right pixels, scale and north."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.io import MemoryFile

from landweave.assess.pictures import MAX_BYTES, draw_map, encode_png, nice_length
from landweave.grid import GeoBox, make_geobox, resolve_crs
from landweave.legend import LandClass, Legend
from landweave.types import MapProduct

LEGEND = Legend((LandClass(0, "Water", "#0000ff"), LandClass(9, "Forest", "#00ff00")))


def make_product(folder: Path, geobox: GeoBox, codes: np.ndarray) -> MapProduct:
    with rasterio.open(
        folder / "map.tif",
        "w",
        driver="GTiff",
        count=1,
        dtype="uint8",
        height=codes.shape[0],
        nodata=255,
        width=codes.shape[1],
        crs=geobox.crs.to_wkt(),
        transform=Affine(*geobox.affine[:6]),
    ) as out:
        out.write(codes, 1)
    return MapProduct(folder, {"map": folder / "map.tif"}, LEGEND, geobox, "", {}, {})


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # a PNG has no grid
def test_png_gives_its_pixels_back(rng: np.random.Generator) -> None:
    palette = ["#ff0000", "#00ff0080", "#0000ff00"]
    index = rng.integers(0, 3, (5, 7)).astype(np.uint8)
    with MemoryFile(encode_png(index, palette)) as file, file.open() as src:
        stored, colormap = src.read(1), src.colormap(1)
    assert np.array_equal(stored, index)
    assert [colormap[i] for i in range(3)] == [(255, 0, 0, 255), (0, 255, 0, 128), (0, 0, 255, 0)]


@pytest.mark.parametrize(("about", "nice"), [(999, 500), (1000, 1000), (2100, 2000), (0.3, 0.2), (5000, 5000)])
def test_scale_bar_is_round(about: float, nice: float) -> None:
    assert nice_length(about) == pytest.approx(nice)


def test_scale_bar_measures_the_ground_in_world_mercator(tmp_path: Path) -> None:
    geobox = make_geobox((0, 6_000_000, 10_000, 6_010_000), "EPSG:3395", 100)  # scale 1.58 at this latitude
    picture = draw_map(make_product(tmp_path, geobox, np.zeros(geobox.shape, np.uint8)))
    assert picture.bar_label == "1 km"
    assert 1 / picture.bar_share == pytest.approx(10 * np.cos(np.radians(47.5)), rel=0.02)
    assert picture.aspect == pytest.approx(1.0, abs=0.01)


def test_geographic_grid_is_drawn_at_its_ground_shape(tmp_path: Path) -> None:
    geobox = make_geobox((10, 59.5, 11, 60.5), "EPSG:4326", 0.02)
    picture = draw_map(make_product(tmp_path, geobox, np.zeros(geobox.shape, np.uint8)))
    assert picture.aspect == pytest.approx(0.5, abs=0.01)
    assert picture.north_deg == 0.0
    assert picture.corner == "10.50\u00b0\u202fE, 60.00\u00b0\u202fN"


def test_north_arrow_turns_with_the_grid(tmp_path: Path) -> None:
    polar = make_geobox((1_000_000, -1_000_000, 1_010_000, -990_000), "EPSG:3413", 100)  # the meridian of 0 E runs to the right
    assert draw_map(make_product(tmp_path, polar, np.zeros(polar.shape, np.uint8))).north_deg == pytest.approx(-45, abs=1)


def test_south_up_grid_has_north_below(tmp_path: Path) -> None:
    flipped = GeoBox((20, 20), Affine(10, 0, 500_000, 0, 10, 5_000_000), resolve_crs("EPSG:32633"))
    assert abs(draw_map(make_product(tmp_path, flipped, np.zeros((20, 20), np.uint8))).north_deg) == pytest.approx(180, abs=1)


def test_large_noisy_map_is_drawn_small(tmp_path: Path, rng: np.random.Generator) -> None:
    geobox = make_geobox((0, 0, 30_000, 30_000), "EPSG:32633", 10)
    legend = Legend.from_names([str(i) for i in range(16)])
    made = make_product(tmp_path, geobox, rng.integers(1, 17, geobox.shape).astype(np.uint8))
    picture = draw_map(MapProduct(made.folder, made.files, legend, geobox, "", {}, {}))
    assert len(picture.uri) < MAX_BYTES * 4 / 3 + 100
    assert picture.is_coarse
