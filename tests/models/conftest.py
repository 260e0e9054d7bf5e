"""Sample tables and blocks made by hand."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from landweave.grid import Window, make_geobox
from landweave.legend import Legend
from landweave.types import Block, Fold, ModelInput, SampleTable

NAMES = ("forest", "water", "crop")


def _table(features: np.ndarray, names: list[str], spec: ModelInput, legend: Legend) -> SampleTable:
    n = len(features)
    frame = pd.DataFrame(features, columns=list(spec.feature_names))
    frame["sample_id"], frame["class"], frame["weight"], frame["purpose"] = np.arange(n), names, 1.0, "train"
    frame["time_start"], frame["time_end"] = pd.Timestamp("2020-01-01"), pd.Timestamp("2020-12-31")
    points = gpd.points_from_xy(10 + np.arange(n) / 1000, 50 + np.arange(n) / 2000)
    return SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs="EPSG:4326"), legend, (spec,))


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., SampleTable]:
    """Make a table of noisy class means: `counts` rows per class, `n_steps` dates (None: static), a share of NaN."""

    def make(
        counts: tuple[int, ...] = (40, 40, 40), n_steps: int | None = 4, bands: tuple[str, ...] = ("red", "nir"),
        gaps: float = 0.0, noise: float = 0.05, seed: int = 1,
    ) -> SampleTable:  # fmt: skip
        rng = np.random.default_rng(seed)
        spec = ModelInput(bands=bands, kinds=("reflectance",) * len(bands), n_steps=n_steps, metres=(10.0, 10.0))
        truth = np.repeat(np.arange(len(counts)), counts)
        means = np.random.default_rng(7).uniform(0.1, 0.5, (len(counts), len(spec.feature_names)))
        values = (means[truth] + rng.normal(0, noise, (len(truth), means.shape[1]))).astype(np.float32)
        values[rng.random(values.shape) < gaps] = np.nan
        legend = Legend.from_names(NAMES[: len(counts)] if len(counts) <= 3 else [f"class {k}" for k in range(len(counts))])
        return _table(values, [legend.names[k] for k in truth], spec, legend)

    return make


@pytest.fixture(scope="session")
def make_block() -> Callable[..., Block]:
    """Put an array (..., y, x) on a grid of 10 m pixels as a block whose interior begins at (row, col)."""

    def make(values: np.ndarray, *, row: int = 0, col: int = 0, halo_px: int = 0, pixel: float = 10.0) -> Block:
        height, width = values.shape[-2] - 2 * halo_px, values.shape[-1] - 2 * halo_px
        left, top = 600000 + (col - halo_px) * pixel, 5000000 - (row - halo_px) * pixel
        bounds = (left, top - values.shape[-2] * pixel, left + values.shape[-1] * pixel, top)
        return Block(values.astype(np.float32), Window(row, col, height, width), halo_px, make_geobox(bounds, 32633, pixel))

    return make


@pytest.fixture(scope="session")
def deal_folds() -> Callable[..., list[list[Fold]]]:
    """Deal rows out to k folds in turn, `repeats` times."""

    def deal(n: int, k: int = 4, repeats: int = 1) -> list[list[Fold]]:
        rows = np.arange(n)
        one = [Fold(rows[rows % k != f], rows[rows % k == f]) for f in range(k)]
        return [one] * repeats

    return deal
