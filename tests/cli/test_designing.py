"""From `landweave design` through answers to judging, zones and comparison."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely


@pytest.fixture
def maps(tmp_path):
    """A map, its truth and a later map of 60 x 80 pixels with two classes."""
    rng = np.random.default_rng(2)
    truth = np.where(np.arange(80) < 50, 1, 2).astype(np.uint8)[None].repeat(60, axis=0)
    mapped = np.where(rng.random(truth.shape) < 0.1, 3 - truth, truth).astype(np.uint8)
    later = mapped.copy()
    later[10:16, 10:16] = 2
    (tmp_path / "legend.json").write_text('[{"code": 1, "name": "forest"}, {"code": 2, "name": "crop"}]')
    for name, values in (("map", mapped), ("truth", truth), ("later", later)):
        shape = {"height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", **shape, crs="EPSG:32633",
                           transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
            dst.write(values, 1)
    return tmp_path, truth


@pytest.fixture
def labelled(maps, cli):
    """A drawn sample that two interpreters labelled with the truth."""
    folder, truth = maps
    code, _ = cli("design", folder / "map.tif", "--n", 80, "--min-per-stratum", 30, "--out", folder / "points.gpkg", "--ceo")
    assert code == 0
    places = gpd.read_file(folder / "points.gpkg").to_crs(32633)
    row, col = ((5_000_000 - places.geometry.y) // 10).astype(int), ((places.geometry.x - 500_000) // 10).astype(int)
    names = np.array(["", "forest", "crop"])[truth[row, col]]
    for who in ("anna", "ben"):
        pd.DataFrame({"place": places["place"], "class": names}).to_csv(folder / f"{who}.csv", index=False)
    code, text = cli("answers", folder / "points.samples.parquet", folder / "anna.csv", folder / "ben.csv", "--out",
                     folder / "reference.parquet")  # fmt: skip
    assert code == 0
    assert "answers from 2 labellers" in text
    return folder


def test_a_plan_is_printed_and_nothing_drawn_without_out(maps, cli):
    code, text = cli("design", maps[0] / "map.tif", "--half-width", "0.05", "--accuracy", "0.9", "--accuracy", "crop=0.7")
    assert code == 0
    assert "Overall accuracy is to be expected to +- 5.0 points" in text
    assert "Nothing was drawn; give --out FILE to draw." in text


def test_what_interpreters_get_does_not_show_the_map(labelled):
    places = gpd.read_file(labelled / "points.gpkg")
    assert {"stratum", "inclusion_probability", "group"}.isdisjoint(places.columns)
    assert (labelled / "points.ceo-samples.csv").read_text().startswith("LON,LAT,PLOTID,SAMPLEID\n")


def test_a_map_is_judged_by_the_design_of_its_sample(labelled, cli):
    code, text = cli("assess", "--map", labelled / "map.tif", "--reference", labelled / "reference.parquet")
    assert code == 0
    assert "A stratified random sample whose strata are the classes" in text


def test_zones_have_their_own_areas(labelled, cli):
    boxes = [shapely.box(500_000, 4_999_400, 500_400, 5_000_000), shapely.box(500_400, 4_999_400, 500_800, 5_000_000)]
    gpd.GeoDataFrame({"name": ["west", "east"]}, geometry=boxes, crs=32633).to_file(labelled / "zones.gpkg")
    code, text = cli("zones", labelled / "map.tif", "--reference", labelled / "reference.parquet", "--zones",
                     labelled / "zones.gpkg", "--unit", "km2", "--out", labelled / "zones.json")  # fmt: skip
    assert code == 0
    assert "estimated km2" in text
    assert (labelled / "zones.json").is_file()


def test_two_maps_are_compared(labelled, cli):
    code, text = cli("compare", labelled / "truth.tif", labelled / "map.tif", "--reference", labelled / "reference.parquet")
    assert code == 0
    assert "Only the first map is right at" in text


def test_change_gets_a_buffer_and_a_map_of_change_to_judge(maps, cli):
    folder, _ = maps
    code, text = cli("design", folder / "map.tif", "--changed-to", folder / "later.tif", "--buffer-px", 2, "--n", 60, "--out",
                     folder / "change.csv")  # fmt: skip
    assert code == 0
    assert "buffer" in text
    assert (folder / "change.change.tif").is_file()


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--kind", "stratified"], "the size of the sample is not given; give n, half_width"),
        (["--n", "50", "--accuracy", "forest"], "--accuracy has 'forest' where a number belongs"),
        (["--n", "50", "--target-se", "0.2"], "--target-se is '0.2'; give it as CLASS=NUMBER"),
    ],
)
def test_mistakes_are_told(maps, cli, args, match):
    code, text = cli("design", maps[0] / "map.tif", *args)
    assert code == 2
    assert match in " ".join(text.replace("│", " ").split())
