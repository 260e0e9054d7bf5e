"""Small series, their context and networks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from landweave.models import get_model
from landweave.models.inputs import prepare_features
from landweave.models.registry import FitContext
from landweave.types import ModelInput

QUICK = {"epochs": 8, "min_batches": 6, "batch_size": 16, "learning_rate": 0.02, "ema": 0.8, "validation_share": 0.2}
VIEWS = (
    ModelInput(name="optical", bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=6, required=False),
    ModelInput(name="radar", bands=("vv",), kinds=("backscatter",), n_steps=4, required=False),
    ModelInput(name="terrain", bands=("elevation",), kinds=("elevation",), required=False),
)


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    """Parameters of a training that takes a fraction of a second."""
    return QUICK


@pytest.fixture(scope="session")
def views() -> tuple[ModelInput, ...]:
    """Three inputs: six steps of two bands, four of one, a static one."""
    return VIEWS


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Make rows of three classes as `prepare_features` gives them with `mask`: class mean per band, gaps, hidden inputs."""

    def make(
        n: int = 90, inputs: tuple[ModelInput, ...] = VIEWS, gaps: float = 0.1, hide: tuple[str, ...] = (), seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        target = np.arange(n) % 3
        parts = []
        for spec in inputs:
            width = len(spec.feature_names)
            values = target[:, None] * np.linspace(0.2, 0.4, width) + rng.normal(0, 0.2, (n, width))
            values[rng.random(values.shape) < gaps] = np.nan
            parts.append(np.full_like(values, np.nan) if spec.name in hide else values)
        flat = np.concatenate(parts, axis=1).astype(np.float32)
        return prepare_features(flat, inputs, missing="mask", min_valid_steps=1)[0], target.astype(np.int64)

    return make


@pytest.fixture(scope="session")
def make_context() -> Callable[..., FitContext]:
    """Make the context of a family for the three inputs."""

    def make(name: str, params: dict[str, Any], inputs: tuple[ModelInput, ...] = VIEWS, **changes: Any) -> FitContext:
        context = FitContext(get_model(name).complete(params), inputs, "mask", 0, None, 3)
        return FitContext(**{**vars(context), **changes})

    return make
