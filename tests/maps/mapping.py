"""A small landscape, a model that is a plain function of its values, and a process that maps it and can be killed.

Loaded by conftest.py as a module, and run by tests as a script.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from landweave.cube import CubeOptions, load_cube, make_inputs
from landweave.grid import GeoBox, make_geobox
from landweave.io.rasters import close_rasters
from landweave.legend import LandClass, Legend
from landweave.maps import MapOptions, predict_map
from landweave.types import Asset, Band, Block, CubeSet, ModelCard, Scene, Sensor

SENSOR = Sensor("test", "test", (Band("red", "reflectance", 1e-4, 0.0), Band("nir", "reflectance", 1e-4, 0.0)), "test")
LEGEND = Legend((
    LandClass(3, "Forest", "#228833"), LandClass(0, "Water & ice", "#4477aa"), LandClass(17, "Crop", "#ccbb44"),
))  # fmt: skip


def write_scenes(folder: Path, geobox: GeoBox, *, n_dates: int = 2, seed: int = 1) -> list[Scene]:
    """Write smooth fields with a wholly missing corner and scattered missing pixels; one file per date, tiles of 64."""
    rng = np.random.default_rng(seed)
    rows, cols = geobox.shape
    y, x = np.mgrid[:rows, :cols]
    for i in range(n_dates):
        base = np.sin(x / 23 + i) + np.cos(y / 31 - i) + rng.normal(0, 0.3, (rows, cols))
        data = np.stack([2000 + 500 * base, 3000 - 400 * base]).astype(np.uint16)
        data[:, rng.random((rows, cols)) < 0.02] = 0
        data[:, : rows // 3, : cols // 3] = 0
        path = folder / f"scene{i}.tif"
        with rasterio.open(path, "w", driver="GTiff", width=cols, height=rows, count=2, dtype="uint16", nodata=0, tiled=True,
                           blockxsize=64, blockysize=64, compress="deflate", crs=geobox.crs.to_wkt(),
                           transform=geobox.affine) as dst:  # fmt: skip
            dst.write(data)
            dst.descriptions = ("red", "nir")
    return make_scenes(folder, n_dates)


def make_scenes(folder: Path, n_dates: int) -> list[Scene]:
    """Name the files of `write_scenes` as scenes of 30 days each."""
    scenes = []
    for i in range(n_dates):
        path = str(folder / f"scene{i}.tif")
        start = datetime(2020, 1, 1) + timedelta(days=30 * i)
        assets = (Asset("red", path, 1), Asset("nir", path, 2))
        scenes.append(Scene(f"scene{i}", SENSOR, start, start + timedelta(days=30), assets))
    return scenes


def load(scenes: list[Scene]) -> CubeSet:
    """Load scenes as they are."""
    return load_cube(scenes, options=CubeOptions(fill="none"))


class FakeModel:
    """Probabilities as a plain function of the mean over dates; counts its calls."""

    def __init__(self, cubes: CubeSet, *, legend: Legend = LEGEND, sleep_s: float = 0.0, fail_at: int | None = None) -> None:
        self._card = ModelCard(model="fake", inputs=make_inputs(cubes), classes=legend.to_dicts(), params={"depth": 3})
        self._sleep_s, self._fail_at = sleep_s, fail_at
        self.calls = 0

    @property
    def card(self) -> ModelCard:
        return self._card

    def predict_proba(self, blocks: dict[str, Block]) -> Any:
        self.calls += 1
        if self.calls == self._fail_at:
            raise RuntimeError("crash of the test")
        time.sleep(self._sleep_s)
        values = blocks["main"].interior.astype(np.float64)
        n = np.sum(~np.isnan(values[:, 0]), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            red, nir = (np.nansum(values[:, i], axis=0) / n for i in (0, 1))
        return self._to_proba(red, nir)

    def _to_proba(self, red: Any, nir: Any) -> Any:
        scores = np.stack([np.exp(20 * (np.sin(90 * red + i) + nir * i)) for i in range(len(self.card.classes))])
        return (scores / scores.sum(axis=0)).astype(np.float32)


class SegmentModel(FakeModel):
    """The same function of the means of the segment that a pixel belongs to."""

    def predict_proba(self, blocks: dict[str, Block]) -> Any:
        self.calls += 1
        return self._to_proba(*blocks["segments"].interior[:2].astype(np.float64))


def main() -> None:
    """Fork a process that maps for every line (folder of scenes, output) on the standard input; tell of its blocks and end."""
    warm = make_geobox((0, 0, 400, 400), "EPSG:32633", 10)
    with tempfile.TemporaryDirectory() as folder:  # so that the forks need not load compiled kernels each
        cubes = load(write_scenes(Path(folder), warm))
        predict_map(FakeModel(cubes), cubes, Path(folder, "out"))
        close_rasters()
    for line in sys.stdin:
        folder, out = line.split()
        pid = os.fork()
        if pid == 0:
            cubes = load(make_scenes(Path(folder), 2))
            predict_map(FakeModel(cubes, sleep_s=0.02), cubes, out, options=MapOptions(block_px=48),
                        progress=lambda e: print("block", flush=True))  # fmt: skip
            os._exit(0)
        print(f"start {pid}", flush=True)
        print(f"end {os.waitpid(pid, 0)[1]}", flush=True)


if __name__ == "__main__":
    main()
