"""Series of three classes on a plane, in groups, with a known share of wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from landweave.label import plant_noise
from landweave.legend import Legend
from landweave.types import SAMPLE_COLUMNS, ModelInput, SampleTable

NAMES = ("crop", "forest", "water")
STEPS = 6


def make_series(classes: np.ndarray, rng: np.random.Generator, spread: float = 0.08) -> np.ndarray:
    """NDVI and NIR of six dates: crops have a peak, forest is high, water low."""
    t = np.linspace(0, 1, STEPS)
    ndvi = np.stack([0.2 + 0.6 * np.exp(-(((t - 0.5) / 0.2) ** 2)), np.full(STEPS, 0.8), np.full(STEPS, -0.1)])
    values = np.stack([ndvi, 0.5 * ndvi + 0.1], axis=2)[classes]
    return (values + rng.normal(0, spread, values.shape)).reshape(len(classes), -1).astype(np.float32)


def make_table(features: np.ndarray | None, classes: np.ndarray, lonlat: np.ndarray, **columns: Any) -> SampleTable:
    n = len(classes)
    spec = ModelInput(bands=("ndvi", "nir"), kinds=("index", "reflectance"), n_steps=STEPS)
    data: dict[str, Any] = {
        "sample_id": np.arange(n), "class": np.array(NAMES)[classes], "time_start": np.datetime64("2020-01-01", "ms"),
        "time_end": np.datetime64("2021-01-01", "ms"), "group": [f"g{i // 2}" for i in range(n)], "stratum": None, "psu": None,
        "inclusion_probability": np.nan, "purpose": "train", "weight": 1.0, "labeller": None, "sub_pixel": False,
        "polygon_id": -1,
    } | columns  # fmt: skip
    assert list(data) == list(SAMPLE_COLUMNS)
    if features is not None:
        data |= {name: features[:, i] for i, name in enumerate(spec.feature_names)}
    frame = gpd.GeoDataFrame(data, geometry=gpd.points_from_xy(*lonlat.T), crs="EPSG:4326")
    return SampleTable(frame, Legend.from_names(NAMES), () if features is None else (spec,))


@pytest.fixture
def table() -> Callable[..., SampleTable]:
    """Make a table from features, classes, coordinates and columns."""
    return make_table


@pytest.fixture
def truth(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.repeat([0, 1, 2], 60))


@pytest.fixture
def features(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return make_series(truth, rng)


@pytest.fixture
def clean(truth: np.ndarray, features: np.ndarray, rng: np.random.Generator) -> SampleTable:
    """180 rows with right labels, over two degrees."""
    return make_table(features, truth, rng.uniform(0, 2, (len(truth), 2)))


@pytest.fixture
def noisy(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which 10 % are wrong, and which."""
    return plant_noise(truth, 0.1, rng, n_classes=3)


@pytest.fixture
def doubtful(clean: SampleTable, noisy: tuple[np.ndarray, np.ndarray]) -> SampleTable:
    """The rows of `clean` with the labels of `noisy`."""
    return make_table(clean.to_features(), noisy[0], clean.to_xy("EPSG:4326"))
