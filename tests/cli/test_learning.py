"""`landweave curve`, `leaks` and `levels`."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.io.tables import read_samples, write_samples


@pytest.fixture
def samples(done):
    return done.folder / "out" / "samples.parquet"


def test_curves_by_sample_and_place_are_drawn(cli, samples, tmp_path):
    code, told = cli("curve", samples, "--folds", 2, "--sizes", "8,16", "--out", tmp_path / "c.csv", "--picture",
                     tmp_path / "c.svg")  # fmt: skip
    assert code == 0, told
    table = pd.read_csv(tmp_path / "c.csv")
    assert table.groupby("curve")["size"].apply(list).to_dict() == {"by place": [8, 16], "by sample": [8, 16]}
    assert "macro-F1 at new places" in (tmp_path / "c.svg").read_text()


def test_labelling_is_played_in_several_orders(cli, samples, tmp_path):
    code, told = cli("curve", samples, "--count", "label", "--folds", 2, "--sizes", "6,9,12", "--model", "nearest-centroid",
                     "--out", tmp_path / "c.csv")  # fmt: skip
    assert code == 0, told
    table = pd.read_csv(tmp_path / "c.csv")
    assert set(table["curve"]) == {"random", "margin"}
    assert sorted(set(table["size"])) == [6, 9, 12]


def test_a_split_of_ours_does_not_leak(cli, samples):
    code, told = cli("leaks", samples, "--folds", 2, "--buffer-m", 50)
    assert code == 0, told
    assert "No leaks" in told


def test_a_split_made_elsewhere_is_refused_where_it_leaks(cli, samples, tmp_path):
    table = read_samples(samples)
    doubled = table.frame.assign(fold=np.arange(len(table)) % 2)
    copy = doubled.assign(fold=1 - doubled["fold"], sample_id=doubled["sample_id"] + len(table))
    frame = gpd.GeoDataFrame(pd.concat([doubled, copy], ignore_index=True), crs=table.frame.crs)
    write_samples(replace(table, frame=frame), tmp_path / "twice.parquet")
    code, told = cli("leaks", tmp_path / "twice.parquet", "--fold-column", "fold")
    assert code == 2
    assert "2 of 2 folds leak" in told
    code, told = cli("leaks", tmp_path / "twice.parquet", "--fold-column", "part")
    assert code == 2
    assert "have no column 'part'" in told


def test_a_reference_on_training_places_is_refused(cli, samples):
    code, told = cli("leaks", samples, "--against", samples)
    assert code == 2
    assert "test rows on a place that trains" in told


def test_scores_rise_from_level_to_level(cli, tmp_path, samples):
    oak, pine = ({"code": i, "name": name, "parent": "wood"} for i, name in ((1, "oak"), (2, "pine")))
    (tmp_path / "legend.json").write_text(json.dumps([oak, pine, {"code": 3, "name": "sea"}]))
    codes = np.repeat(np.array([1, 2, 3], np.uint8), 10)[None].repeat(10, axis=0)
    with rasterio.open(tmp_path / "m.tif", "w", driver="GTiff", width=30, height=10, count=1, dtype="uint8", nodata=255,
                       crs="EPSG:32633", transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
        dst.write(codes, 1)
    points = gpd.points_from_xy(500_005 + 10 * np.arange(30), np.full(30, 4_999_955.0), crs="EPSG:32633")
    said = ["oak"] * 15 + ["pine"] * 5 + ["sea"] * 10  # five of the ten pines are oaks
    gpd.GeoDataFrame({"label": said}, geometry=points).to_file(tmp_path / "p.gpkg")
    from landweave.io.rasters import read_info
    from landweave.samples import SampleOptions, import_reference

    table = import_reference(SampleOptions(reference=str(tmp_path / "p.gpkg")), geobox=read_info(tmp_path / "m.tif").geobox)
    write_samples(table, tmp_path / "p.parquet")
    code, told = cli("levels", tmp_path / "m.tif", "--reference", tmp_path / "p.parquet")
    assert code == 0, told
    assert "0 3 83.3" in told
    assert "1 2 100.0" in told


def test_a_map_without_hierarchy_says_so(cli, done):
    out = done.folder / "out"
    code, told = cli("levels", out, "--reference", out / "samples.parquet")
    assert code == 2
    assert "name a nomenclature that has" in told
