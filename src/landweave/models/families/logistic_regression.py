"""Multinomial logistic regression with an L2 penalty on standardised features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {"C": 1.0, "max_iter": 2000, "tol": 1e-4}


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(**params, class_weight=class_weight, random_state=seed)
    return Pipeline([("scale", StandardScaler()), ("model", model)])


def export(estimator: Any) -> Engine:
    """Take over the coefficients."""
    from landweave.models.dense import Front, SoftmaxEngine

    scale, model = estimator.named_steps["scale"], estimator.named_steps["model"]
    return SoftmaxEngine.from_head(Front.from_layers(scale.mean_, scale.scale_), model.coef_, model.intercept_)


register_model(ModelFamily(
    name="logistic-regression", title="Logistic regression", make=make, export=export, defaults=DEFAULTS,
    weight_param="model__sample_weight", fit_cost="low", predict_cost="low",
    source="Cox 1958, doi:10.1111/j.2517-6161.1958.tb00292.x",
))  # fmt: skip
