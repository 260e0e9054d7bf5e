"""Statistics by zones: pixels by the share inside, areas that add up."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import box

from landweave.errors import MapError
from landweave.maps import predict_map
from landweave.maps import zones as module
from landweave.maps.zones import summarise_zones, zones_of_map


@pytest.fixture
def product(model, cubes, tmp_path):
    return predict_map(model, cubes, tmp_path / "map")


def make_zones(*boxes):
    names = [f"zone {i}" for i in range(len(boxes))]
    return gpd.GeoDataFrame({"name": names}, geometry=[box(*b) for b in boxes], crs="EPSG:32633")


def test_zones_that_cut_pixels_add_up_to_the_map(product, monkeypatch):
    zones = make_zones((499000, 4999000, 500733, 5003000), (500733, 4999000, 502000, 5003000))
    table = summarise_zones(product, zones)
    for entry in product.legend:
        assert table[f"{entry.name}_ha"].sum() == pytest.approx(product.area_ha[entry.code], rel=1e-6)
    assert table["unmapped_ha"].sum() == pytest.approx(product.area_ha[255], rel=1e-6)
    assert table[[f"{n}_share" for n in product.legend.names]].sum(axis=1).tolist() == pytest.approx([1, 1])
    monkeypatch.setattr(module, "_MAX_CELLS", 500)
    pd.testing.assert_frame_equal(summarise_zones(product, zones), table, rtol=1e-9)


def test_a_zone_off_the_map_holds_nothing(product):
    table = summarise_zones(product, make_zones((500000, 5000500, 500500, 5001000), (600000, 5000000, 600100, 5000100)))
    assert table["mapped_ha"][1] == 0
    assert pd.isna(table["majority"][1])
    assert pd.isna(table["Crop_share"][1])
    assert table["mean_margin"][0] > 0


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_zones_in_another_crs_are_read_and_the_table_is_written(product, tmp_path, ending):
    make_zones((500100, 5000500, 500900, 5001000)).to_crs("EPSG:4326").to_file(tmp_path / "zones.gpkg")
    zones_of_map(product.folder, tmp_path / "zones.gpkg", tmp_path / f"out.{ending}")
    table = pd.read_parquet(tmp_path / "out.parquet") if ending == "parquet" else pd.read_csv(tmp_path / "out.csv")
    assert table["name"].tolist() == ["zone 0"]
    assert table["mapped_ha"][0] + table["unmapped_ha"][0] == pytest.approx(40, rel=2e-3)  # pixels are .9996 of a square


def test_columns_that_clash_are_renamed(product):
    zones = make_zones((500000, 5000500, 500500, 5001000)).assign(mapped_ha=7)
    assert summarise_zones(product, zones)["zone_mapped_ha"].tolist() == [7]


def test_mistakes_are_named(product, tmp_path):
    with pytest.raises(MapError, match="none of the 1 zones touches"):
        summarise_zones(product, make_zones((0, 0, 1, 1)))
    with pytest.raises(MapError, match="no column 'area'; they have name"):
        summarise_zones(product, make_zones((500000, 5000500, 500500, 5001000)), keep=["area"])
    with pytest.raises(MapError, match=r"must be .parquet or .csv"):
        zones_of_map(product.folder, tmp_path / "zones.gpkg", tmp_path / "out.xlsx")
