"""Mosaics: tiles of one landscape make the map of the whole, virtual or as COG, and disagreements are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landweave.cube import CubeOptions, load_cube
from landweave.errors import GridError, MapError, OutputExistsError, SourceError
from landweave.io.stac import validate_collection
from landweave.legend import LandClass, Legend
from landweave.maps import MosaicOptions, find_tiles, mosaic_maps, open_map, predict_map

TILES = {
    "a": (500000, 5001000, 500800, 5002030), "b": (500700, 5001000, 501500, 5002030), "c": (500000, 5000000, 501500, 5001000),
}  # fmt: skip


@pytest.fixture
def tiles(mapping: Any, scenes: list[Any], tmp_path: Path) -> Path:
    """Three maps of the landscape, two of which overlap by ten columns."""
    for name, bounds in TILES.items():
        cubes = load_cube(scenes, options=CubeOptions(bounds=bounds, fill="none"))
        predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "tiles" / name)
    return tmp_path / "tiles"


def read(path: Path) -> Any:
    with rasterio.open(path) as src:
        return src.read()


def test_virtual_mosaic_of_tiles_is_the_map_of_the_whole(tiles: Path, model: Any, cubes: Any, tmp_path: Path) -> None:
    whole = predict_map(model, cubes, tmp_path / "whole")
    made = mosaic_maps([tiles], tmp_path / "mosaic")
    assert made.geobox == whole.geobox
    assert made.count_px == whole.count_px
    for name in ("map", "proba", "uncertainty"):
        assert np.array_equal(read(made.files[name]), read(whole.files[name]))


def test_tile_index_opens_as_the_same_raster(tiles: Path, tmp_path: Path) -> None:
    made = mosaic_maps([tiles], tmp_path / "mosaic")
    assert np.array_equal(read(tmp_path / "mosaic" / "map.gti.gpkg"), read(made.files["map"]))


def test_cog_mosaic_has_the_virtual_ones_pixels(tiles: Path, tmp_path: Path) -> None:
    virtual = mosaic_maps([tiles], tmp_path / "virtual")
    made = mosaic_maps([tiles], tmp_path / "cog", options=MosaicOptions(cog=True))
    assert made.files["map"].name == "map.tif"
    for name in ("map", "proba", "uncertainty"):
        assert np.array_equal(read(made.files[name]), read(virtual.files[name]))


def test_mosaic_moves_with_its_tiles(tiles: Path, tmp_path: Path) -> None:
    before = mosaic_maps([tiles], tiles / "mosaic").count_px
    shutil.move(tiles, tmp_path / "elsewhere")
    assert open_map(tmp_path / "elsewhere" / "mosaic").count_px == before


def test_collection_names_the_items_and_fits_its_schema(tiles: Path, tmp_path: Path) -> None:
    made = mosaic_maps([tiles], tmp_path / "mosaic", title="Three tiles")
    collection = json.loads(made.files["collection"].read_text())
    assert validate_collection(collection) == []
    items = [link["href"] for link in collection["links"] if link["rel"] == "item"]
    assert sorted((tmp_path / "mosaic" / href).resolve().parent.name for href in items) == ["a", "b", "c"]
    assert {c["value"]: c["count"] for c in collection["assets"]["map"]["classification:classes"]}[3] == made.count_px[3]


def test_overlap_goes_to_the_first_or_last_or_surest(tiles: Path, tmp_path: Path) -> None:
    legend = open_map(tiles / "a").legend
    other = tiles / "a" / "map.tif"
    with rasterio.open(other) as src:
        profile, tags, codes = src.profile, src.tags(), src.read()
    with rasterio.open(other, "w", **{**profile, "driver": "GTiff"}) as dst:
        dst.write(np.where(codes == legend.nodata, legend.nodata, 17).astype("uint8"))
        dst.update_tags(**tags)
    first = read(mosaic_maps([tiles], tmp_path / "first").files["map"])[0]
    last = read(mosaic_maps([tiles], tmp_path / "last", options=MosaicOptions(overlap="last")).files["map"])[0]
    both = (slice(0, 100), slice(71, 79))
    assert set(np.unique(first[both])) <= {17, 255}
    assert {0, 17} <= set(np.unique(last[both]))


def test_surest_takes_the_more_probable_class(tiles: Path, tmp_path: Path) -> None:
    made = mosaic_maps([tiles], tmp_path / "sure", options=MosaicOptions(cog=True, overlap="sure"))
    left, right = (read(tiles / n / "proba.tif") % 255 for n in "ab")
    merged = read(made.files["proba"])[:, :103, 70:80] % 255
    assert np.array_equal(merged.max(axis=0), np.maximum(left.max(axis=0)[:, 70:], right.max(axis=0)[:, :10]))


def test_tiles_in_another_crs_are_brought_onto_the_stated_grid(tiles: Path, tmp_path: Path) -> None:
    made = mosaic_maps([tiles], tmp_path / "lonlat", options=MosaicOptions(cog=True, crs="EPSG:32634", resolution=10))
    before = mosaic_maps([tiles], tmp_path / "own")
    assert made.geobox.crs.epsg == 32634
    for code in before.legend.codes:
        assert made.area_ha[code] == pytest.approx(before.area_ha[code], rel=0.02)


def test_tiles_off_the_lattice_are_an_error_that_names_the_remedy(mapping: Any, tiles: Path, tmp_path: Path) -> None:
    cubes = load_cube(mapping.make_scenes(tmp_path / "in", 2), options=CubeOptions(resolution=15, fill="none"))
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "other")
    with pytest.raises(GridError, match=r"another pixel size \(15 and 10\).*--cog --crs"):
        mosaic_maps([tiles, tmp_path / "other"], tmp_path / "mosaic")


def test_other_legend_is_an_error_that_names_the_code(mapping: Any, cubes: Any, tiles: Path, tmp_path: Path) -> None:
    legend = Legend((LandClass(3, "Bush", "#228833"), LandClass(0, "Water & ice", "#4477aa"), LandClass(17, "Crop", "#ccbb44")))
    predict_map(mapping.FakeModel(cubes, legend=legend), cubes, tmp_path / "other")
    with pytest.raises(MapError, match="code 3 is 'Forest' and 'Bush'"):
        mosaic_maps([tiles, tmp_path / "other"], tmp_path / "mosaic")


def test_mosaic_of_other_tiles_is_not_replaced_unasked(tiles: Path, tmp_path: Path) -> None:
    mosaic_maps([tiles], tmp_path / "mosaic")
    mosaic_maps([tiles], tmp_path / "mosaic")
    with pytest.raises(OutputExistsError, match="mosaic of other tiles; --overwrite"):
        mosaic_maps([tiles / "a"], tmp_path / "mosaic")
    assert mosaic_maps([tiles / "a"], tmp_path / "mosaic", overwrite=True).geobox.shape == (103, 80)


def test_folder_without_maps_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no map"):
        find_tiles([tmp_path])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"overlap": "sure"}, "set cog"),
        ({"cog": True, "crs": "EPSG:32633"}, "crs and resolution go together"),
        ({"cog": True, "crs": "EPSG:32633", "resolution": 10, "like": "a.tif"}, "like gives the grid"),
    ],
)
def test_options_that_contradict_each_other_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MosaicOptions(**wrong)
