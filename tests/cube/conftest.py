"""Helpers of the cube room: small rasters on disk and scenes made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landweave.io.rasters import close_rasters
from landweave.types import Asset, Band, Scene, SceneMask, Sensor

UTM = "EPSG:32633"
ORIGIN = Affine(10, 0, 500_000, 0, -10, 5_000_000)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write (layer, y, x) or (y, x) to a GeoTIFF; returns its path."""
    made: list[str] = []

    def make(data: np.ndarray, *, crs: str | None = UTM, transform: Affine = ORIGIN, **more: object) -> str:
        close_rasters()
        layers = data if data.ndim == 3 else data[None]
        path = str(tmp_path / f"file{len(made)}.tif")
        shape = {"count": layers.shape[0], "height": layers.shape[1], "width": layers.shape[2], "dtype": layers.dtype}
        with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **more) as dst:
            dst.write(layers)
        made.append(path)
        return path

    return make


@pytest.fixture
def sensor() -> Sensor:
    """A sensor with two reflectance bands coded x 10000, an index, radar and elevation."""
    coded = {"scale": 1e-4, "nodata": -9999.0}
    return Sensor("toy", "Toy", (
        Band("red", "reflectance", valid_range=(-0.2, 1.6), **coded),
        Band("nir", "reflectance", valid_range=(-0.2, 1.6), **coded),
        Band("evi", "index", valid_range=(-1.5, 1.5), **coded),
        Band("vv", "backscatter"), Band("elevation", "elevation"), Band("clear", "mask"),
    ), source="test", is_open=True)  # fmt: skip


@pytest.fixture
def make_scene(sensor: Sensor) -> Callable[..., Scene]:
    """Make a scene of one file whose layers are `bands`; `day` None is static, `span` its length in days."""

    def make(path: str, bands: Sequence[str] = ("red", "nir"), day: str | None = "2020-06-01", **more: object) -> Scene:
        span = timedelta(days=float(more.pop("span", 0)))  # type: ignore[arg-type]
        stated = more.pop("stated", {})
        start = datetime.fromisoformat(day) if day else None
        assets = tuple(Asset(b, path, i + 1, **stated) for i, b in enumerate(bands))  # type: ignore[arg-type]
        name = str(more.pop("id", f"{Path(path).stem}-{day}"))
        return Scene(name, sensor, start, start and start + span, assets, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_mask() -> Callable[..., SceneMask]:
    """Say that a layer of a file tells where a scene is clear."""

    def make(path: str, clear: tuple[int, ...] = (0,), layer: int = 1) -> SceneMask:
        return SceneMask(Asset("clear", path, layer), clear)

    return make


@pytest.fixture
def coded(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """Make int16 layers x 10000 within 0.05..0.5."""

    def make(layers: int = 2, height: int = 12, width: int = 15) -> np.ndarray:
        return rng.integers(500, 5000, (layers, height, width)).astype(np.int16)

    return make
