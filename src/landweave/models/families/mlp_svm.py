"""Perceptron whose last hidden layer feeds a support vector machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {
    "hidden_layer_sizes": (100,), "activation": "relu", "alpha": 1e-3, "learning_rate_init": 1e-3, "max_iter": 1000,
    "tol": 1e-4, "C": 10.0, "gamma": "scale",
}  # fmt: skip


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from landweave.models.mlp_svm import HiddenLayerSVC

    return HiddenLayerSVC(**params, class_weight=class_weight, random_state=seed)


def export(estimator: Any) -> Engine:
    """Take over layers, support vectors and sigmoids."""
    engine: Engine = estimator.to_engine()
    return engine


register_model(ModelFamily(
    name="mlp-svm", title="Perceptron feeding a support vector machine", make=make, export=export, defaults=DEFAULTS,
    fit_cost="medium", predict_cost="high", source="Huang and LeCun 2006, doi:10.1109/CVPR.2006.164 (network features, SVM)",
))  # fmt: skip
