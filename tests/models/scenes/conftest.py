"""Chips in memory: three classes told apart by brightness, and folders and cubes of them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from affine import Affine

from landweave.grid import make_geobox, to_coords
from landweave.legend import Legend
from landweave.models.deep.sampler_cache import Pixels
from landweave.models.scenes import SceneSet
from landweave.types import CubeSet, ModelInput

NAMES = ("crop", "forest", "water")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_scenes():
    """Make `n` chips of `side` pixels and four bands; with `several`, every third chip carries the first label too."""

    def make(n: int = 48, side: int = 16, several: bool = False) -> SceneSet:
        rng = np.random.default_rng(0)
        truth = np.arange(n) % 3
        values = rng.normal(0, 0.02, (n, 4, side, side)) + np.array([[0.1, 0.4], [0.3, 0.1], [0.5, 0.5]])[truth].repeat(2, 1)[
            :, :, None, None]  # fmt: skip
        labels = np.eye(3, dtype=np.int8)[truth]
        if several:
            labels[::3, 1] = 1
        spec = ModelInput(bands=("blue", "green", "red", "nir"), kinds=("reflectance",) * 4)
        names = tuple(f"chip {i}" for i in range(n))
        return SceneSet((spec,), Legend.from_names(NAMES), labels, np.arange(n) // 3, names, side,
                        lambda i: {"main": Pixels.from_values(values[i].astype(np.float32))})  # fmt: skip

    return make


@pytest.fixture
def chip_folder(tmp_path):
    """Write a folder per class with two chips each, side by side on one grid; the last one lacks a corner."""
    for k, name in enumerate(NAMES):
        (tmp_path / "chips" / name).mkdir(parents=True)
        for i in range(2):
            values = np.full((2, 8, 8), 1000 * (k + 1), dtype=np.uint16)
            values[:, :2, :2] = 0
            profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 2, "dtype": "uint16", "nodata": 0,
                       "crs": "EPSG:32633", "transform": Affine(10, 0, 500000 + 80 * i, 0, -10, 5000000 - 400 * k)}  # fmt: skip
            with rasterio.open(tmp_path / "chips" / name / f"{i}.tif", "w", **profile) as dst:
                dst.write(values)
                dst.descriptions = ("red", "nir")
    return tmp_path / "chips"


@pytest.fixture(scope="session")
def cubes() -> CubeSet:
    """Make a static cube of 40 x 56 pixels: three bright columns of fields, a hole on the left."""
    grid = make_geobox((500000, 4999600, 500560, 5000000), "EPSG:32633", 10)
    rng = np.random.default_rng(1)
    level = np.array([0.1, 0.3, 0.5])[np.arange(56) * 3 // 56]
    values = np.stack([level, 0.6 - level])[:, None, :] + rng.normal(0, 0.01, (2, 40, 56))
    values[:, :16, :8] = np.nan
    coords = {"band": ("band", ["red", "nir"]), "kind": ("band", ["reflectance"] * 2), **to_coords(grid)}
    return CubeSet({"main": xr.DataArray(values.astype(np.float32), dims=("band", "y", "x"), coords=coords)}, grid)
