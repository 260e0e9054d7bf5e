"""Mapped areas of classes in zones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from landweave.assess.zone_areas import measure_zones
from landweave.errors import AssessmentError


def test_a_raster_of_codes_partitions_the_mapped_area(product, land, tmp_path):
    zones = np.where(np.arange(80) < 30, 7, 9).astype(np.uint8)[None].repeat(60, axis=0)
    with rasterio.open(product.files["map"]) as src:
        profile = src.profile
    with rasterio.open(tmp_path / "zones.tif", "w", **profile) as dst:
        dst.write(zones, 1)
    made = measure_zones(product, product.legend, tmp_path / "zones.tif")
    assert made.names == ("7", "9")
    expected = [np.bincount(land.mapped[zones == z], minlength=3) / 100 for z in (7, 9)]
    np.testing.assert_allclose(made.area_ha, expected, rtol=0.002)  # 10 m pixels in UTM are off by up to 0.08 %
    assert made.at(np.array([[0, 0], [59, 79]])).tolist() == [0, 1]


def test_zones_must_be_polygons_with_a_name(product, tmp_path):
    gpd.GeoDataFrame({"name": ["p"]}, geometry=[shapely.Point(500_100, 5_000_100)], crs=32633).to_file(tmp_path / "p.gpkg")
    with pytest.raises(AssessmentError, match="holds Point; zones are polygons"):
        measure_zones(product, product.legend, tmp_path / "p.gpkg")
    box = shapely.box(500_000, 5_000_000, 500_100, 5_000_100)
    gpd.GeoDataFrame({"code": [1]}, geometry=[box], crs=32633).to_file(tmp_path / "b.gpkg")
    with pytest.raises(AssessmentError, match=r"has no column 'name' to name the zones by \(columns: code\)"):
        measure_zones(product, product.legend, tmp_path / "b.gpkg")
