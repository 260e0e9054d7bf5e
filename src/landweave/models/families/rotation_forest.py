"""Rotation forest with principal-component, sparse random or complete random rotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {
    "n_estimators": 50, "rotation": "pca", "subset_size": 3, "share": 0.75, "max_features": "sqrt", "max_depth": None,
    "min_samples_leaf": 1, "min_weight_fraction_leaf": 0.0, "bootstrap": False,
}  # fmt: skip


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from landweave.models.rotation_forest import RotationForest

    return RotationForest(**params, class_weight=class_weight, random_state=seed)


def export(estimator: Any) -> Engine:
    """Pack trees and rotations."""
    engine: Engine = estimator.to_engine()
    return engine


register_model(ModelFamily(
    name="rotation-forest", title="Rotation forest", make=make, export=export, defaults=DEFAULTS,
    fit_cost="medium", predict_cost="medium", source="Rodriguez, Kuncheva and Alonso 2006, doi:10.1109/TPAMI.2006.211",
))  # fmt: skip
