"""Support vector machine with an RBF kernel (Cortes and Vapnik 1995), fitted by libsvm inside scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {"C": 10.0, "gamma": "scale", "n_folds": 5}


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from landweave.models.svm import ProbabilitySVC

    return ProbabilitySVC(**params, class_weight=class_weight, random_state=seed)


def export(estimator: Any) -> Engine:
    """Take over support vectors and sigmoids."""
    engine: Engine = estimator.to_engine()
    return engine


register_model(ModelFamily(
    name="svm", title="Support vector machine (RBF)", make=make, export=export, defaults=DEFAULTS,
    fit_cost="low", predict_cost="high", source="Cortes and Vapnik 1995, doi:10.1007/BF00994018",
))  # fmt: skip
