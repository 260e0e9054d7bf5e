"""`landweave coverage`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from landweave.cli.app import run

RECIPE = """
name: tiny
imagery:
  main: {paths: images, pattern: "{date:%Y%m%d}_{band}.tif", kind: {red: reflectance}, mask: {from: scl}, scale: 0.0001}
cube: {fill: linear}
samples: {reference: points.csv, class_column: class}
"""


def write_images(folder: Path) -> None:
    folder.mkdir()
    grid = {"crs": "EPSG:32633", "transform": Affine(10, 0, 6e5, 0, -10, 5e6), "height": 20, "width": 20, "count": 1}
    for i, day in enumerate(("20200601", "20200615", "20200701")):
        scl = np.full((20, 20), 9 if i == 1 else 4, np.uint8)
        for band, data in (("red", np.full((20, 20), 3000, np.uint16)), ("scl", scl)):
            with rasterio.open(folder / f"{day}_{band}.tif", "w", driver="GTiff", dtype=data.dtype, **grid) as dst:
                dst.write(data, 1)


def test_coverage_of_a_recipe_is_printed_and_written(tmp_path, capsys):
    write_images(tmp_path / "images")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "points.csv").write_text("lon,lat,class\n16,45,a\n")
    assert run(["coverage", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "main: 3 dates, 2020-06-01 to 2020-07-01: coverage is high" in shown
    assert "66.7%" in shown
    told = json.loads((tmp_path / "out" / "coverage-main.json").read_text())
    assert (told["whole"]["n_usable"], told["whole"]["gap_days"]) == (2, 30.0)
    assert "high from 50% of pixels clean, 50% of dates usable (from 50% clean)" in " ".join(shown.split())
    assert (tmp_path / "out" / "coverage-main.svg").read_text().startswith("<svg")


def test_of_many_areas_the_lowest_are_printed(tmp_path, capsys):
    write_images(tmp_path / "images")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "points.csv").write_text("lon,lat,class\n16,45,a\n")
    assert run(["coverage", str(tmp_path / "recipe.yaml"), "--area-px", "4"]) == 0
    assert "the 20 areas with the fewest clean pixels of 25" in " ".join(capsys.readouterr().out.split())
