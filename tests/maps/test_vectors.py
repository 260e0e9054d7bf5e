"""A map as polygons: areas, mean probabilities, simplified borders, formats."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from landweave.errors import LegendError, MapError, SourceError
from landweave.maps import predict_map
from landweave.maps import vectors as module
from landweave.maps.vectors import VectorOptions, make_polygons, vectorize_map


@pytest.fixture
def product(model, cubes, tmp_path):
    return predict_map(model, cubes, tmp_path / "map")


def test_polygons_add_up_to_the_map_whatever_the_reading_step(product, monkeypatch):
    frame = make_polygons(product)
    for entry in product.legend:
        rows = frame[frame["class"] == entry.name]
        assert rows["area_ha"].sum() == pytest.approx(product.area_ha[entry.code], rel=1e-9)
        assert rows["n_px"].sum() == product.count_px[entry.code]
    assert frame.geometry.area.to_numpy() == pytest.approx(frame["n_px"] * 100)
    monkeypatch.setattr(module, "_STEP_PX", 37)
    again = make_polygons(product)
    assert again.geometry.equals(frame.geometry)
    np.testing.assert_allclose(again["area_ha"], frame["area_ha"], rtol=1e-12)


def test_mean_probability_is_that_of_the_mapped_class(product):
    frame = make_polygons(product)
    with rasterio.open(product.files["proba"]) as src:
        proba, best = src.read() / 250, src.read().max(axis=0) / 250
    assert np.average(frame["mean_proba"], weights=frame["n_px"]) == pytest.approx(best[proba[0] <= 1].mean(), abs=0.002)


def test_simplified_neighbours_neither_part_nor_overlap(product):
    plain, simple = make_polygons(product), make_polygons(product, options=VectorOptions(simplify_px=2))
    assert shapely.coverage_is_valid(simple.geometry.to_numpy())
    count = shapely.get_num_coordinates
    assert count(simple.geometry.to_numpy()).sum() < 0.8 * count(plain.geometry.to_numpy()).sum()
    assert simple.geometry.area.sum() == pytest.approx(plain.geometry.area.sum(), rel=0.02)


@pytest.mark.parametrize("ending", ["gpkg", "parquet", "fgb", "geojson", "pmtiles"])
def test_formats_are_written_and_read_back(product, tmp_path, ending):
    out = vectorize_map(product.folder, tmp_path / "out" / f"map.{ending}", options=VectorOptions(min_px=9, classes=("Crop",)))
    frame = gpd.read_parquet(out) if ending == "parquet" else gpd.read_file(out)
    assert {"class", "code", "area_ha", "mean_proba"} <= set(frame.columns)
    assert set(frame["class"]) == {"Crop"}
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_mistakes_are_named(product, tmp_path):
    with pytest.raises(SourceError, match=r"the ending is .kml, known are .gpkg"):
        vectorize_map(product.folder, tmp_path / "map.kml")
    with pytest.raises(LegendError, match="did you mean 'Crop'"):
        make_polygons(product, options=VectorOptions(classes=("Crops",)))
    with pytest.raises(MapError, match="no patch of 1000000 pixels"):
        make_polygons(product, options=VectorOptions(min_px=1000000))
