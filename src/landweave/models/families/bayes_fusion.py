"""A classifier per source of imagery, fused by Bayes' rule; see `landweave.models.bayes_fusion`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, FitContext, ModelFamily, register_model

DEFAULTS = {
    "sources": None, "base": "random-forest", "base_params": None, "prior": "training", "reliability": None, "floor": 0.01,
}  # fmt: skip


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight) -> Any:
    """Make the unfitted classifier of a single source: all columns."""
    from landweave.models.bayes_fusion import BayesFusion

    own = {k: v for k, v in params.items() if k != "sources"}
    return BayesFusion(**own, class_weight=class_weight, random_state=seed)


def make_for(context: FitContext) -> Any:
    """Make the unfitted classifier with the columns of each source."""
    from landweave.models.bayes_fusion import group_columns

    made = make(context.params, 0, context.seed, context.class_weight)
    columns = group_columns(context.inputs, context.params["sources"], context.missing)
    return made.set_params(columns={name: found.tolist() for name, found in columns.items()})


def export(estimator: Any) -> Engine:
    """Pack the classifiers of all sources."""
    engine: Engine = estimator.to_engine()
    return engine


register_model(ModelFamily(
    name="bayes-fusion", title="Bayesian fusion of a forest per source", make=make, export=export, defaults=DEFAULTS,
    handles_nan=True, fit_cost="low", predict_cost="medium", make_for=make_for,
    source="Kittler et al. 1998, doi:10.1109/34.667881; Lee, Richards and Swain 1987, IEEE TGRS 25, 283-293",
))  # fmt: skip
