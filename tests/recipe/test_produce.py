"""Production in tiles: the pixels of the one map, tiles left alone that nothing touches, failures that stay in their tile."""

from __future__ import annotations

import shutil
from collections import Counter

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from landweave.errors import BlocksFailedError, GridError
from landweave.models import load_model
from landweave.recipe import produce_tiles, read_recipe

GRID = "square:EPSG:32633:200"


@pytest.fixture
def started(job, done):
    """The small job with the model of its finished twin."""
    shutil.copytree(done.folder / "out" / "model", job.folder / "model")
    return read_recipe(job.folder / "recipe.yaml"), load_model(job.folder / "model")


def count(production):
    """Tiles by what became of them."""
    return Counter(t.state for t in production.tiles)


def read_over(path, bounds):
    with rasterio.open(path) as src:
        return src.read(1, window=src.window(*bounds).round())


def test_mosaic_of_tiles_has_the_pixels_of_the_one_map(started, done, tmp_path):
    made = produce_tiles(*started, tmp_path, grid=GRID)
    with rasterio.open(done.folder / "out" / "map.tif") as src:
        whole, bounds = src.read(1), src.bounds
    assert np.array_equal(read_over(made.mosaics["EPSG_32633"].files["map"], bounds), whole)
    assert count(made)["made"] == 4


def test_second_run_leaves_tiles_alone_that_no_changed_image_touches(started, job, jobs, tmp_path):
    first = produce_tiles(*started, tmp_path, grid=GRID)
    jobs.write_tif(job.folder / "img" / "20200601.tif", jobs.make_values(5))
    again = produce_tiles(*started, tmp_path, grid=GRID)
    assert count(first)["made"] == count(again)["made"] == 4
    assert count(produce_tiles(*started, tmp_path, grid=GRID))["kept"] == 4


def test_index_lists_every_tile_with_its_folder(started, tmp_path):
    made = produce_tiles(*started, tmp_path, grid=GRID)
    index = gpd.read_file(made.index)
    assert set(index["id"]) == {t.tile.id for t in made.tiles}
    there = [(tmp_path / folder / "map.tif").is_file() for folder in index["folder"]]
    assert there == (index["state"] == "made").tolist()


def test_area_beyond_the_images_gives_empty_tiles(started, tmp_path):
    from shapely import box

    area = gpd.GeoDataFrame(geometry=[box(499_600, 5_000_000, 500_240, 5_000_240)], crs="EPSG:32633")
    area.to_file(tmp_path / "area.gpkg")
    made = produce_tiles(*started, tmp_path / "out", grid=GRID, area=tmp_path / "area.gpkg")
    states = {t.tile.bounds[0]: t.state for t in made.tiles}
    assert states[499_600.0] == "empty"
    assert states[500_000.0] == "made"


def test_tile_that_fails_leaves_the_others_finished(started, job, tmp_path):
    produce_tiles(*started, tmp_path, grid=GRID)
    spoilt = next(p for p in sorted((tmp_path / "tiles").iterdir()))
    (spoilt / "map.tif").write_bytes(b"x")
    job.images[0].touch()
    with pytest.raises(BlocksFailedError, match=r"1 of \d+ tiles failed: square:.*map.tif is changed since"):
        produce_tiles(*started, tmp_path, grid=GRID)
    index = gpd.read_file(tmp_path / "tiles.gpkg")
    assert index["state"].value_counts()[["failed", "made"]].tolist() == [1, 3]


def test_area_without_a_tile_is_an_error(started, tmp_path):
    with pytest.raises(GridError, match="no grid named 'hexagons'"):
        produce_tiles(*started, tmp_path, grid="hexagons:1")


def test_command_prints_what_became_of_the_tiles(started, job, cli, tmp_path):
    code, text = cli("produce", job.folder / "recipe.yaml", "--model", job.folder / "model", "--grid", GRID, "--out", tmp_path)
    assert code == 0
    assert "made" in text
    assert "mosaic EPSG_32633" in text
