"""SHAP values of a model of trees, added up over bands, dates and inputs.

Receives a trained model and its samples; hands on a `ShapSummary`, part of `explain.json`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landweave.assess.explain import ShapGroup, ShapSummary, find_groups
from landweave.models import PixelModel
from landweave.models.inputs import prepare_features
from landweave.models.tree_shap import explain_trees
from landweave.types import ModelInput, SampleTable

__all__ = ["SHAP_RULE", "measure_shap"]

SHAP_RULE = (
    "Path-dependent SHAP values of the trees (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9), the training rows stating "
    "how often a branch is taken; a group's value in a row is the sum over its columns, and its strength the mean absolute "
    "value over rows and classes. They describe the model before calibration, on rows that it was trained on."
)


def measure_shap(model: PixelModel, samples: SampleTable, rows: NDArray[np.int64] | None = None) -> ShapSummary:
    """Say how far each band, date and input moves the model's answers.

    Args:
        model: A trained model of trees: random-forest, extra-trees or catboost.
        samples: The rows that it was trained on; they state how often a branch is taken.
        rows: Positions of the rows to explain; all by default. Rows with too few valid values are left out.

    Raises:
        ModelError: If the model has no trees on the features; permutation importance serves every model.
    """
    features, usable = prepare_features(
        samples.to_features(), samples.inputs, missing=model.card.missing, min_valid_steps=model.card.min_valid_steps
    )
    chosen = np.arange(len(features)) if rows is None else np.asarray(rows, dtype=np.int64)
    chosen = chosen[usable[chosen]]
    found = explain_trees(model.engine, features[chosen], features[usable])
    names = [samples.legend.names[i] for i in model.columns]
    groups = []
    for (kind, name), columns in find_groups(samples.inputs).items():
        own = _columns_of(columns, samples.inputs) if model.card.missing == "mask" else columns
        by_column = np.abs(found.values[:, own].sum(axis=1)).mean(axis=0)
        order = np.argsort(-by_column, kind="stable")
        by_class = np.zeros(len(samples.legend))
        by_class[list(model.columns)] = by_column
        groups.append(ShapGroup(kind=kind, name=name, strength=float(by_column.mean()), by_class=by_class.tolist(),
                                classes=[names[i] for i in order]))  # fmt: skip
    kinds = ("input", "band", "date")
    groups.sort(key=lambda g: (kinds.index(g.kind), -g.strength, g.name))
    return ShapSummary(unit=found.unit, n_rows=len(chosen), groups=groups, rule=SHAP_RULE)


def _columns_of(columns: NDArray[np.int64], inputs: Sequence[ModelInput]) -> NDArray[np.int64]:
    """Give the model's columns of values and masks: at each step of an input the masks follow the values of all its bands."""
    made, first = [], 0
    for source in inputs:
        bands = len(source.bands)
        own = columns[(columns >= first) & (columns < first + len(source.feature_names))] - first
        values = 2 * first + own // bands * 2 * bands + own % bands
        made += [values, values + bands]
        first += len(source.feature_names)
    return np.concatenate(made)
