"""Multi-layer perceptron on standardised features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, ModelFamily, register_model

DEFAULTS = {
    "hidden_layer_sizes": (100,), "activation": "relu", "alpha": 1e-3, "learning_rate_init": 1e-3, "batch_size": "auto",
    "max_iter": 1000, "tol": 1e-4, "early_stopping": False,
}  # fmt: skip


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier; class weights reach it as row weights."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    layers = params["hidden_layer_sizes"]
    sizes = tuple(layers) if isinstance(layers, list | tuple) else layers
    model = MLPClassifier(**{**params, "hidden_layer_sizes": sizes}, random_state=seed)
    # float64: scikit-learn would train float32 features in float32, which our engine does not
    return Pipeline([("scale", StandardScaler()), ("model", model)])


def export(estimator: Any) -> Engine:
    """Take over the layers."""
    from landweave.models.dense import Front, SoftmaxEngine

    scale, model = estimator.named_steps["scale"], estimator.named_steps["model"]
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    front = Front.from_layers(scale.mean_, scale.scale_, layers[:-1], model.activation)
    return SoftmaxEngine.from_head(front, layers[-1][0].T, layers[-1][1])


register_model(ModelFamily(
    name="mlp", title="Multi-layer perceptron", make=make, export=export, defaults=DEFAULTS,
    weight_param="model__sample_weight", weights_classes_by_row=True, fit_cost="medium", predict_cost="medium",
    source="Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0",
))  # fmt: skip
