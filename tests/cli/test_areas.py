"""`landweave areas`: assisted by probabilities, added and subtracted."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.cli.areas import parse_sum


@pytest.fixture
def judged(tmp_path, cli):
    """Maps of forest and crop at two dates, and a sample of their change labelled with the truth."""
    rng = np.random.default_rng(2)
    before = np.where(np.arange(80) < 50, 1, 2).astype(np.uint8)[None].repeat(60, axis=0)
    after = before.copy()
    after[10:40, 20:40], after[45:55, 60:70] = 2, 1
    mapped = np.where(rng.random(after.shape) < 0.03, 3 - after, after).astype(np.uint8)
    (tmp_path / "legend.json").write_text('[{"code": 1, "name": "forest"}, {"code": 2, "name": "crop"}]')
    for name, values in (("before", before), ("mapped", mapped)):
        shape = {"height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", **shape, crs="EPSG:32633",
                           transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
            dst.write(values, 1)
    code, told = cli("design", tmp_path / "before.tif", "--changed-to", tmp_path / "mapped.tif", "--buffer-px", 1,
                     "--transitions", "--n", 300, "--min-per-stratum", 60, "--out", tmp_path / "p.gpkg")  # fmt: skip
    assert code == 0, told
    places = gpd.read_file(tmp_path / "p.gpkg").to_crs(32633)
    row, col = ((5_000_000 - places.geometry.y) // 10).astype(int), ((places.geometry.x - 500_000) // 10).astype(int)
    names = np.array(["", "forest", "crop"])
    a, b = names[before[row, col]], names[after[row, col]]
    said = np.where(a == b, "stable", [f"{x} -> {y}" for x, y in zip(a, b, strict=True)])
    pd.DataFrame({"place": places["place"], "class": said}).to_csv(tmp_path / "anna.csv", index=False)
    assert cli("answers", tmp_path / "p.samples.parquet", tmp_path / "anna.csv", "--out", tmp_path / "ref.parquet")[0] == 0
    return tmp_path


def test_net_change_has_its_own_interval(judged, cli):
    code, told = cli("areas", judged / "p.change.tif", "--reference", judged / "ref.parquet", "--net", "--sum",
                     "all change=+forest -> crop,+crop -> forest", "--out", judged / "areas.json")  # fmt: skip
    assert code == 0, told
    made = {one["name"]: one for one in json.loads((judged / "areas.json").read_text())["combined"]}
    assert made["net forest"]["lower_ha"] < -5 < made["net forest"]["upper_ha"]  # 6 ha lost, 1 ha gained
    assert made["net forest"]["area_ha"] == pytest.approx(-made["net crop"]["area_ha"])
    assert made["all change"]["lower_ha"] < 7 < made["all change"]["upper_ha"]


def test_areas_are_assisted_by_probabilities(done, cli):
    out = done.folder / "out"
    code, told = cli("areas", out, "--reference", out / "samples.parquet", "--assisted", "regression")
    assert code == 2
    assert "has no probability design" in told


def test_nothing_asked_for_says_what_can_be(judged, cli):
    code, told = cli("areas", judged / "p.change.tif", "--reference", judged / "ref.parquet")
    assert code == 2
    assert "give --assisted, --sum or --net" in " ".join(told.replace("│", " ").split())


def test_an_unknown_class_lists_the_known(judged, cli):
    code, told = cli("areas", judged / "p.change.tif", "--reference", judged / "ref.parquet", "--sum", "x=+mine")
    assert code == 2
    assert "'x' adds up 'mine'; the classes are" in told


def test_sums_are_read_with_their_signs():
    assert parse_sum("net forest=+gain, -loss,mixed") == ("net forest", {"gain": 1.0, "loss": -1.0, "mixed": 1.0})
