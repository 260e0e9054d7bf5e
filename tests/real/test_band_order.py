"""Exchanged bands of real images: found in every pair, and never where the order is right."""

from __future__ import annotations

import itertools
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize

from landweave.models.band_order import describe_bands, find_order

pytestmark = pytest.mark.real

CASES = (
    ("s2_lulc_py/s2image.tif", "s2_lulc_py/shapefiles/samples.shp", 4),
    ("landsat5-para/rstoolbox_lsat.tif", "landsat5-para/rstoolbox_lsat_training.gpkg", 6),
)


def read(data: Path, image: str, polygons: str, n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the training polygons, and of the whole image, (pixel, band)."""
    with rasterio.open(data / image) as file:
        values = file.read(range(1, n_bands + 1)).astype(float)
        shapes = gpd.read_file(data / polygons).to_crs(file.crs)
        inside = rasterize([(shape, 1) for shape in shapes.geometry], file.shape, transform=file.transform) > 0
        if file.nodata is not None:
            values[values == file.nodata] = np.nan
    return values[:, inside].T, values.reshape(n_bands, -1).T


@pytest.mark.parametrize(("image", "polygons", "n_bands"), CASES)
def test_every_pair_of_exchanged_bands_is_named(real_data, image, polygons, n_bands):
    training, pixels = read(real_data, image, polygons, n_bands)
    trained = describe_bands(training)
    assert find_order(trained, pixels) is None
    for pair in itertools.combinations(range(n_bands), 2):
        order = list(range(n_bands))
        order[pair[0]], order[pair[1]] = pair[1], pair[0]
        assert find_order(trained, pixels[:, order]) == tuple(order), pair
