"""Nearest class centroid in standardised features; the simplest baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS: dict[str, Any] = {}


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier; it knows no class weights (the registry entry says so)."""
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("model", NearestCentroid(**params))])


def export(estimator: Any) -> Engine:
    """Take over the centroids; probabilities are the softmax of the negative Euclidean distances."""
    import numpy as np

    from landweave.models.dense import CentroidEngine

    scale, model = estimator.named_steps["scale"], estimator.named_steps["model"]
    return CentroidEngine(scale.mean_, scale.scale_, np.ascontiguousarray(model.centroids_, dtype=np.float64))


register_model(ModelFamily(
    name="nearest-centroid", title="Nearest centroid", make=make, export=export, defaults=DEFAULTS, weight_param=None,
    fit_cost="low", predict_cost="low", source="Tibshirani et al. 2002, doi:10.1073/pnas.082099299 (without shrinkage)",
))  # fmt: skip
