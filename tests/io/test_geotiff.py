from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from landweave.grid import GeoBox, Window, make_geobox, split_blocks
from landweave.io.geotiff import TiffSpec, write_geotiff


@pytest.fixture
def geobox() -> GeoBox:
    return make_geobox((500000, 5000000, 503000, 5004000), "EPSG:32633", 10)


def _blocks(data: np.ndarray, block_px: int) -> Iterator[tuple[Window, np.ndarray]]:
    for window in split_blocks((data.shape[1], data.shape[2]), block_px):
        yield window, data[(slice(None), *window.slices)]


def test_windows_come_back_as_one_named_scaled_tiled_file(tmp_path: Path, geobox: GeoBox, rng: np.random.Generator) -> None:
    data = rng.integers(0, 9999, (2, 400, 300)).astype(np.uint16)
    spec = TiffSpec("uint16", ("red", "scl"), nodata=0, scales=(1e-4, 1.0), tags={"a": "b"})
    with rasterio.open(write_geotiff(tmp_path / "x.tif", geobox, spec, _blocks(data, 128))) as src:
        assert np.array_equal(src.read(), data)
        assert (src.descriptions, src.scales, src.nodata) == (("red", "scl"), (1e-4, 1.0), 0)
        assert src.block_shapes[0] == (256, 256)
        assert (src.crs.to_epsg(), src.transform, src.tags()["a"]) == (32633, geobox.affine, "b")


def test_a_failure_leaves_no_file(tmp_path: Path, geobox: GeoBox) -> None:
    def broken() -> Iterator[tuple[Window, np.ndarray]]:
        yield Window(0, 0, 10, 10), np.zeros((1, 10, 10), np.uint8)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_geotiff(tmp_path / "x.tif", geobox, TiffSpec("uint8", ("a",)), broken())
    assert not list(tmp_path.iterdir())
