"""Small reference files, grids, cubes and sample tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from landweave.cube import CubeOptions, load_cube
from landweave.grid import GeoBox, make_geobox
from landweave.imagery import SourceOptions, find_scenes
from landweave.legend import Legend
from landweave.samples import SampleOptions
from landweave.samples._rows import make_frame
from landweave.types import CubeSet, ModelInput, SampleTable

CRS = "EPSG:32722"
LEFT, TOP = 600_000, 9_100_000


@pytest.fixture
def geobox() -> GeoBox:
    """40 rows x 50 columns of 10 m."""
    return make_geobox((LEFT, TOP - 400, LEFT + 500, TOP), CRS, 10)


@pytest.fixture
def at() -> Callable[..., Any]:
    """Coordinates of a (fractional) column and row of the grid."""
    return lambda col, row: (LEFT + 10 * col, TOP - 10 * row)


@pytest.fixture
def square(at) -> Callable[..., Any]:
    """Polygon that covers the columns and rows from..to (exclusive)."""
    return lambda col0, row0, col1, row1: shapely.box(*at(col0, row1), *at(col1, row0))


@pytest.fixture
def write_places(tmp_path: Path) -> Callable[..., str]:
    """Write geometries and columns to a file; gives its path."""

    def write(geometry: list[Any], name: str = "places.gpkg", crs: Any = CRS, **columns: Any) -> str:
        path = tmp_path / name
        frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_file(path)
        return str(path)

    return write


@pytest.fixture
def write_raster(tmp_path: Path, geobox: GeoBox) -> Callable[..., str]:
    """Write (layer, y, x) values on the grid; gives the path."""

    def write(values: np.ndarray, name: str = "raster.tif", **profile: Any) -> str:
        values = values[None] if values.ndim == 2 else values
        path = tmp_path / name
        shape = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
        defaults = {"driver": "GTiff", "crs": CRS, "transform": geobox.affine}
        with rasterio.open(path, "w", **shape, **defaults | profile) as file:
            file.write(values)
        return str(path)

    return write


@pytest.fixture
def make_cubes(write_raster) -> Callable[..., CubeSet]:
    """Load a static cube with one band per layer of the values."""

    def make(values: np.ndarray, bands: list[str], **options: Any) -> CubeSet:
        path = write_raster(values, nodata=-9999)
        source = SourceOptions(paths=path, layers=bands, static=True, kind="other", **options)
        return load_cube({"main": find_scenes(source)}, options=CubeOptions())

    return make


@pytest.fixture
def make_samples() -> Callable[..., SampleTable]:
    """Make a table from longitudes, latitudes and classes."""

    def make(lonlat: np.ndarray, classes: list[str], features: np.ndarray | None = None, **columns: Any) -> SampleTable:
        frame = make_frame({"class": classes, **columns}, gpd.points_from_xy(*np.asarray(lonlat).T), "EPSG:4326")
        legend = Legend.from_names(sorted(set(classes)))
        if features is None:
            return SampleTable(frame, legend)
        spec = ModelInput(bands=tuple(f"b{i}" for i in range(features.shape[1])), kinds=("other",) * features.shape[1])
        for i, name in enumerate(spec.feature_names):
            frame[name] = features[:, i].astype(np.float32)
        return SampleTable(frame, legend, (spec,))

    return make


@pytest.fixture
def options() -> Callable[..., SampleOptions]:
    """Make sample options for a reference file."""
    return lambda path, **more: SampleOptions(reference=str(path), **more)
