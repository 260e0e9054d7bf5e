from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.errors import SampleError, SourceError
from landweave.io.vectors import list_vector_layers, read_table, read_vectors, write_gpkg


@pytest.fixture
def places() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"class": ["a", "b"]}, geometry=gpd.points_from_xy([1, 2], [3, 4]), crs="EPSG:4326")


def test_a_geopackage_comes_back(places, tmp_path):
    path = write_gpkg(tmp_path / "p.gpkg", places, layer="one")
    assert list_vector_layers(path) == ["one"]
    assert read_vectors(path)["class"].tolist() == ["a", "b"]
    assert not list(tmp_path.glob("*.part*"))


def test_several_layers_must_be_named(places, tmp_path):
    path = tmp_path / "p.gpkg"
    places.to_file(path, layer="one")
    places[:1].to_file(path, layer="two")
    with pytest.raises(SourceError, match=r"has 2 layers; say which with layer: \(one of one, two\)"):
        read_vectors(path)
    with pytest.raises(SourceError, match=r"no layer 'three'; it has one, two"):
        read_vectors(path, layer="three")
    with pytest.raises(SourceError, match=r"no layer 5; it has 2, numbered from 0"):
        read_vectors(path, layer=5)
    assert len(read_vectors(path, layer="two")) == len(read_vectors(path, layer=1)) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.geojson does not exist"):
        read_vectors(tmp_path / "gone.geojson")


def test_a_truncated_file_is_named(places, tmp_path):
    path = tmp_path / "p.gpkg"
    path.write_bytes(b"SQLite format 3\x00 and no more")
    with pytest.raises(SourceError, match=r"p\.gpkg is not a vector file that GDAL can open"):
        read_vectors(path)
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"p\.parquet is not a parquet file"):
        read_vectors(tmp_path / "p.parquet")


def test_a_raster_is_no_vector(tmp_path):
    profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8", "crs": "EPSG:4326",
               "transform": rasterio.Affine(0.1, 0, 5, 0, -0.1, 7)}  # fmt: skip
    with rasterio.open(tmp_path / "r.tif", "w", **profile) as file:
        file.write(np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(SourceError, match=r"r\.tif is not a vector file"):
        read_vectors(tmp_path / "r.tif")


def test_a_file_without_rows_is_an_error(places, tmp_path):
    places[:0].to_file(tmp_path / "p.gpkg")
    with pytest.raises(SourceError, match=r"p\.gpkg holds no rows"):
        read_vectors(tmp_path / "p.gpkg")


def test_a_table_without_geometry_layer_is_an_error(tmp_path):
    import pyogrio

    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), tmp_path / "t.gpkg")
    with pytest.raises(SourceError, match=r"has no layer with geometry"):
        read_vectors(tmp_path / "t.gpkg")


def test_a_crs_that_contradicts_the_file_is_an_error(places, tmp_path):
    places.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(SampleError, match=r"says that its crs is WGS 84, the recipe says EPSG:3857"):
        read_vectors(tmp_path / "p.parquet", crs="EPSG:3857")
    assert len(read_vectors(tmp_path / "p.parquet", crs="EPSG:4326")) == 2


@pytest.mark.parametrize("header", ["lon,lat", "Longitude,Latitude", "lng,lat"])
def test_degrees_are_known_by_the_name_of_their_columns(header, tmp_path):
    (tmp_path / "p.csv").write_text(f"{header},class\n10.5,50,a\n")
    frame = read_vectors(tmp_path / "p.csv")
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry[0].x == 10.5


def test_other_coordinates_need_names_and_a_crs(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("east\tnorth\tclass\n600005\t9100000\ta\n")
    with pytest.raises(SampleError, match=r"no longitude and latitude columns \(columns: east, north, class\)"):
        read_vectors(path)
    with pytest.raises(SampleError, match=r"has no crs; state the one"):
        read_vectors(path, lon_column="east", lat_column="north")
    with pytest.raises(SampleError, match=r"has no column 'nord'; it has east, north, class"):
        read_vectors(path, lon_column="east", lat_column="nord")
    assert read_vectors(path, lon_column="east", lat_column="north", crs="EPSG:32722").geometry[0].x == 600005


def test_plain_parquet_gets_its_places_from_columns(tmp_path):
    pd.DataFrame({"lon": [1.0], "lat": [2.0]}).to_parquet(tmp_path / "p.parquet")
    assert read_vectors(tmp_path / "p.parquet").geometry[0].y == 2


def test_a_geo_column_that_is_no_geojson_is_an_error(tmp_path):
    (tmp_path / "p.csv").write_text('class,.geo\na,"not json"\n')
    with pytest.raises(SourceError, match=r"\.geo column that is not GeoJSON"):
        read_vectors(tmp_path / "p.csv")


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x81a,b\n")
    with pytest.raises(SourceError, match=r"t\.csv is not a table that can be read"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(SourceError, match=r"e\.csv is not a table"):
        read_table(tmp_path / "e.csv")
