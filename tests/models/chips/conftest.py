"""A small striped landscape in memory: an optical series, a static layer on coarser pixels, labels of every pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from landweave.grid import make_geobox, to_coords
from landweave.legend import Legend
from landweave.models.deep.labels import LabelGrid
from landweave.types import CubeSet

LEGEND = Legend.from_names(["water", "forest", "crop"])


def _cube(values: np.ndarray, geobox, bands: tuple[str, ...], kind: str) -> xr.DataArray:
    coords = {"band": ("band", list(bands)), "kind": ("band", [kind] * len(bands)), **to_coords(geobox)}
    dims = ("band", "y", "x")
    if values.ndim == 4:
        dims = ("time", *dims)
        days = np.datetime64("2020-03-01", "ns") + np.arange(len(values)) * np.timedelta64(60, "D")
        coords |= {"time": days, "time_start": ("time", days), "time_end": ("time", days)}
    return xr.DataArray(values.astype(np.float32), dims=dims, coords=coords)


@pytest.fixture(scope="session")
def make_land() -> Callable[..., tuple[CubeSet, LabelGrid]]:
    """Make cubes and labels: vertical stripes of three classes, `side` pixels, a share of missing observations."""

    def make(side: int = 96, gaps: float = 0.1, seed: int = 0) -> tuple[CubeSet, LabelGrid]:
        rng = np.random.default_rng(seed)
        fine = make_geobox((500_000, 5_000_000, 500_000 + side * 10, 5_000_000 + side * 10), "EPSG:32633", 10)
        coarse = make_geobox(tuple(fine.boundingbox.bbox), "EPSG:32633", 20)
        truth = np.broadcast_to(np.arange(side)[None] // 8 % 3, (side, side)).astype(np.int16)
        means = rng.uniform(0.1, 0.6, (3, 2, 2))  # class, time, band
        optical = np.moveaxis(means[truth], (0, 1), (2, 3)) + rng.normal(0, 0.02, (2, 2, side, side))
        optical[np.broadcast_to((rng.random((2, 1, side, side)) < gaps), optical.shape)] = np.nan
        height = 100 + rng.normal(0, 5, (1, side // 2, side // 2))
        series, static = _cube(optical, fine, ("red", "nir"), "reflectance"), _cube(height, coarse, ("height",), "elevation")
        return CubeSet({"s2": series, "dem": static}, fine), LabelGrid(truth.copy(), LEGEND, fine)

    return make


@pytest.fixture(scope="session")
def land(make_land) -> tuple[CubeSet, LabelGrid]:
    """Give the landscape of 96 pixels."""
    return make_land()
