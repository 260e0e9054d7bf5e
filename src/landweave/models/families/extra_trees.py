"""Extremely randomised trees (Geurts et al. 2006), fitted by scikit-learn, predicted by our own kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {
    "n_estimators": 100, "max_depth": None, "max_features": "sqrt", "min_samples_leaf": 1, "min_samples_split": 2,
    "max_leaf_nodes": None, "criterion": "gini", "ccp_alpha": 0.0,
}  # fmt: skip


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(**params, class_weight=class_weight, random_state=seed, n_jobs=1)


def export(estimator: Any) -> Engine:
    """Pack the fitted trees."""
    from landweave.models.forest import ForestEngine

    return ForestEngine.from_sklearn(estimator)


register_model(ModelFamily(
    name="extra-trees", title="Extremely randomised trees", make=make, export=export, defaults=DEFAULTS, handles_nan=True,
    fit_cost="low", predict_cost="low", source="Geurts, Ernst and Wehenkel 2006, doi:10.1007/s10994-006-6226-1",
))  # fmt: skip
