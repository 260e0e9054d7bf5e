"""Recipes with a catalogue: what was found is kept, in the lineage, and read again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landweave.errors import RecipeError
from landweave.recipe import Job, read_recipe
from landweave.recipe.rerun import _take_items
from landweave.recipe.run import make_cube

RECIPE = """
name: small
imagery:
  main:
    catalogue: {url: stac}
cube: {bands: [red]}
samples: {reference: points.csv, class_column: class}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe whose catalogue is a folder with one item."""
    folder = tmp_path / "stac"
    folder.mkdir()
    grid = {"crs": "EPSG:32633", "transform": Affine(10, 0, 6e5, 0, -10, 5e6), "height": 20, "width": 20, "count": 1}
    with rasterio.open(tmp_path / "red.tif", "w", driver="GTiff", dtype="uint16", **grid) as dst:
        dst.write(np.full((1, 20, 20), 2500, "uint16"))
    item = {"type": "Feature", "id": "one", "collection": "sentinel-2-l2a", "properties": {"datetime": "2023-06-01T10:00:00Z"},
            "assets": {"red": {"href": "../red.tif", "type": "image/tiff"}}}  # fmt: skip
    (folder / "item.json").write_text(json.dumps(item))
    (tmp_path / "points.csv").write_text("lon,lat,class\n16,45,a\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def test_items_are_kept_and_stand_in_the_lineage(recipe, tmp_path):
    job = Job(read_recipe(recipe), tmp_path / "out")
    make_cube(job)
    (kept,) = (tmp_path / "out" / "items").glob("main-*.json")
    inputs = {Path(f.path): f.sha256 for f in job.ledger.find("cube").inputs}
    assert inputs[kept]
    (tmp_path / "stac" / "item.json").rename(tmp_path / "stac" / "gone.txt")
    again = Job(read_recipe(recipe), tmp_path / "out")
    assert [s.id for s in again.scenes["main"]] == ["one"]
    assert make_cube(again)["main"].sizes["time"] == 1  # the same identity: the finished cube is opened


def test_a_repeated_run_starts_from_the_items_of_the_earlier_one(recipe, tmp_path):
    job = Job(read_recipe(recipe), tmp_path / "out")
    make_cube(job)
    _take_items(job.ledger.read(), tmp_path / "again")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "stac" / "item.json").write_text("{}")
    again = Job(read_recipe(recipe), tmp_path / "again")
    assert [s.id for s in again.scenes["main"]] == ["one"]


def test_a_missing_catalogue_is_named_with_its_line(recipe):
    recipe.write_text(RECIPE.replace("url: stac", "url: stak"))
    with pytest.raises(RecipeError, match=r"line 5: imagery\.main\.catalogue\.url: .*stak does not exist; did you mean 'stac'"):
        read_recipe(recipe)


def test_an_unknown_key_of_a_catalogue_lists_the_known(recipe):
    recipe.write_text(RECIPE.replace("{url: stac}", "{url: stac, colection: x}"))
    with pytest.raises(RecipeError, match=r"unknown key 'imagery\.main\.catalogue\.colection'; did you mean 'collections'"):
        read_recipe(recipe)
