"""Several families as one model; see `landweave.models.mean`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, FitContext, ModelFamily, register_model

DEFAULTS = {"members": ["random-forest", "svm"]}


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier."""
    from landweave.models.mean import MeanOfModels, read_members

    read_members(params["members"])
    return MeanOfModels(params["members"], class_weight=class_weight, random_state=seed)


def make_for(context: FitContext) -> Any:
    """Make the unfitted classifier, with what its columns are for members that ask."""
    return make(context.params, 0, context.seed, context.class_weight).set_params(context=context)


def export(estimator: Any) -> Engine:
    """Pack the members."""
    engine: Engine = estimator.to_engine()
    return engine


register_model(ModelFamily(
    name="ensemble", title="Mean of several models", make=make, export=export, defaults=DEFAULTS, fit_cost="high",
    predict_cost="high", make_for=make_for, source="Lakshminarayanan et al. 2017, arXiv:1612.01474",
))  # fmt: skip
