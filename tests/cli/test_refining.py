"""The commands on finished maps."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import box

from landweave.grid import make_geobox
from landweave.io.cog import write_cog
from landweave.legend import Legend
from landweave.maps import MapOptions
from landweave.maps.products import make_specs

LEGEND = Legend.from_names(["Forest", "Maize", "Wheat"])
GEOBOX = make_geobox((500000, 5000000, 500800, 5000600), "EPSG:32633", 10)


@pytest.fixture
def map_folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Patches of three classes with salt, and their probabilities."""
    y, x = np.mgrid[:60, :80]
    index = ((y // 20 + x // 20) % 3).astype(np.int64)
    salt = rng.random(index.shape) < 0.1
    index[salt] = rng.integers(0, 3, int(salt.sum()))
    proba = np.where(np.arange(3)[:, None, None] == index, 150, 50).astype(np.uint8)
    specs = make_specs(LEGEND, MapOptions(uncertainty=False))
    folder = tmp_path / "map"
    write_cog(folder / "map.tif", GEOBOX, lambda w: LEGEND.to_codes(index)[(None, *w.slices)], specs["map"])
    write_cog(folder / "proba.tif", GEOBOX, lambda w: proba[(slice(None), *w.slices)], specs["proba"])
    return folder


def changes(path: Path) -> int:
    with rasterio.open(path) as src:
        return int((np.diff(src.read(1).astype(int)) != 0).sum())


@pytest.mark.parametrize("command", [["smooth"], ["smooth", "--method", "median", "--window", "3"],
                                     ["filter", "--majority", "3", "--mmu", "6"], ["filter", "--sieve", "6"]])  # fmt: skip
def test_maps_become_calmer_and_areas_are_shown(cli, map_folder, tmp_path, command):
    code, text = cli(*command, map_folder, "--out", tmp_path / "out")
    assert code == 0
    assert "before, ha after, ha Forest" in text
    assert changes(tmp_path / "out" / "map.tif") < changes(map_folder / "map.tif") / 2


def test_classes_fall_together(cli, map_folder, tmp_path):
    pairs = ["--parent", "Maize=Cropland", "--parent", "Wheat=Cropland"]
    code, text = cli("aggregate", map_folder, "-o", tmp_path / "out", *pairs)
    assert code == 0
    assert "Cropland" in text
    assert "Wheat" not in text


def test_segments_and_edges_need_imagery(cli, map_folder, tmp_path):
    for command in (["segment"], ["smooth", "--method", "edge"]):
        code, text = cli(*command, map_folder, "-o", tmp_path / "out")
        assert code == 2
        assert "--guide" in text


def test_imagery_guides(cli, map_folder, tmp_path):
    y, x = np.mgrid[:60, :80]
    image = tmp_path / "image.tif"
    with rasterio.open(image, "w", driver="GTiff", width=80, height=60, count=1, dtype="float32", crs="EPSG:32633",
                       transform=GEOBOX.affine) as dst:  # fmt: skip
        dst.write(((y // 20 + x // 20) % 3).astype(np.float32)[None] / 3)
        dst.descriptions = ("nir",)
    for command in (["segment", "--size", "50"], ["smooth", "--method", "edge"]):
        code, _ = cli(*command, map_folder, "-o", tmp_path / command[0], "--guide", image)
        assert code == 0
        assert changes(tmp_path / command[0] / "map.tif") < changes(map_folder / "map.tif")


def test_years_polygons_and_zones(cli, map_folder, tmp_path):
    assert cli("smooth", map_folder, "-o", tmp_path / "later")[0] == 0
    code, text = cli("smooth-years", map_folder, tmp_path / "later", "-o", tmp_path / "years", "--forbid", "Forest=Maize")
    assert (code, text.count("Mapped areas.")) == (0, 2)
    assert cli("vectorize", map_folder, "-o", tmp_path / "map.gpkg", "--simplify", "1")[0] == 0
    assert set(gpd.read_file(tmp_path / "map.gpkg")["class"]) == set(LEGEND.names)
    zones = gpd.GeoDataFrame({"name": ["west"]}, geometry=[box(500000, 5000000, 500405, 5000600)], crs="EPSG:32633")
    zones.to_file(tmp_path / "zones.gpkg")
    code, text = cli("zonal", map_folder, tmp_path / "zones.gpkg", "-o", tmp_path / "zones.parquet")
    assert code == 0
    assert "west 24.3" in text
    assert pd.read_parquet(tmp_path / "zones.parquet")["name"].tolist() == ["west"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["smooth", "--window", "4"], "window_px is 4; give an odd number"),
    (["filter"], "no filter is asked for"),
    (["filter", "--mmu", "1"], "mmu_px: Input should be greater than or equal to 2"),
    (["aggregate", "--parent", "Maize"], "'Maize' is no pair of class names"),
])  # fmt: skip
def test_mistakes_end_with_2_and_one_sentence(cli, map_folder, tmp_path, arguments, message):
    code, text = cli(*arguments, map_folder, "--out", tmp_path / "out")
    assert code == 2
    assert message in text
