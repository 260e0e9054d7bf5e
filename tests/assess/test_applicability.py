from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from landweave.assess import summarise_applicability
from landweave.grid import make_geobox, pixel_area_m2


@pytest.fixture
def layer(tmp_path):
    geobox = make_geobox((500000, 0, 501000, 600), "EPSG:32633", 10)
    stored = np.full((60, 100), 80, np.uint8)
    stored[:, 50:], stored[:10] = 101, 255
    path = tmp_path / "applicability.tif"
    with rasterio.open(path, "w", driver="GTiff", width=100, height=60, count=1, dtype="uint8", nodata=255,
                       crs=geobox.crs.to_wkt(), transform=geobox.affine) as dst:  # fmt: skip
        dst.write(stored, 1)
    return SimpleNamespace(files={"applicability": path}, geobox=geobox)


def test_the_area_outside_is_geodesic_and_leaves_nodata_out(layer):
    found = summarise_applicability(layer)
    area = pixel_area_m2(layer.geobox)[10:, 50:].sum() / 1e4
    assert (found.outside_px, found.total_px, found.threshold) == (2500, 5000, None)
    assert found.outside_ha == pytest.approx(area)
    assert found.outside_share == pytest.approx(0.5, abs=1e-4)


def test_a_map_without_the_layer_has_no_summary(product):
    assert summarise_applicability(replace(product, files={"map": product.files["map"]})) is None
