"""Ends of intervals that do not follow from a standard error: bootstrap percentiles, and limits recovered from the strata.

Receives replicated matrices or the sample by units; hands on estimates that carry their own ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.options import AssessOptions
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.area import DesignEstimates
from landweave.metrics.recovered import StratumLimits, recover_intervals, recover_ratios, recover_sums
from landweave.metrics.resample import percentile_interval
from landweave.metrics.units import UnitSample

__all__ = ["RECOVERED", "Ends", "recover_ends", "replicate_ends", "with_ends"]

Ends = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Figure -> lower and upper ends."""

RECOVERED: tuple[StratumLimits, ...] = ("midp", "jeffreys")
"""Intervals that are put together from the strata's own limits."""

_SCORES: dict[str, ScoreName] = {
    "overall": "overall_accuracy", "users": "users", "producers": "producers", "f1": "f1", "iou": "iou", "macro_f1": "macro_f1"
}  # fmt: skip


def replicate_ends(matrices: NDArray[np.float64]) -> Ends:
    """Give the percentile intervals of replicated matrices (draws, K, K)."""
    made = {name: percentile_interval(score_matrix(matrices, score)) for name, score in _SCORES.items()}
    return made | {"area": percentile_interval(matrices.sum(axis=1))}


def recover_ends(sample: UnitSample, limits: StratumLimits) -> Ends:
    """Give the intervals recovered from strata: of all figures but macro-F1.

    With strata that are not the map's classes (or classes that share a post-stratum) accuracies of classes are ratios of two
    sums over strata. Where some units have no class on the map areas are ratios too, and there are no such ends.
    """
    k, reference = sample.n_classes, sample.reference.argmax(axis=1)
    h = int(sample.stratum.max()) + 1
    inside = sample.map_index >= 0
    class_of = [np.unique(sample.map_index[sample.stratum == i]) for i in range(h)]
    sizes = np.bincount(sample.stratum, sample.weight, minlength=h)
    if inside.all() and all(len(c) == 1 for c in class_of) and len({int(c[0]) for c in class_of}) == h:
        counts, mapped = np.zeros((k, k)), np.zeros(k)
        np.add.at(counts, (sample.map_index, reference), 1)
        mapped[[int(c[0]) for c in class_of]] = sizes
        return recover_intervals(counts, mapped, limits=limits)
    if not inside.all():
        return {}  # shares of the classified area are then ratios, not sums
    n = np.bincount(sample.stratum, minlength=h)
    hits = np.bincount(sample.stratum, sample.map_index == reference, minlength=h)
    cells = np.zeros((h, k, k))
    np.add.at(cells, (sample.stratum, sample.map_index, reference), 1)
    lower, upper = recover_sums(np.column_stack([cells.sum(axis=1), hits]), sizes, n, limits=limits)
    return {"area": (lower[:k], upper[:k]), "overall": (lower[k], upper[k]), **recover_ratios(cells, sizes, limits=limits)}


def with_ends(
    estimates: DesignEstimates, ends: Mapping[str, Ends], options: AssessOptions, unseen: float = 0.0
) -> DesignEstimates:
    """Give each figure the ends of the method that the options choose for it, widened by the share of area that was not seen.

    Args:
        estimates: The figures.
        ends: Method -> its ends.
        options: `interval` counts for accuracies, `area_interval` for areas.
        unseen: Share of the area in strata without a sample.
    """
    made: dict[str, Any] = {}
    for name in (*_SCORES, "area"):
        chosen = ends.get(options.area_interval if name == "area" else options.interval, {})
        if name in chosen:
            gap = unseen if name in ("overall", "area") else 0.0
            lower, upper = chosen[name]
            made[name] = replace(getattr(estimates, name), lower=np.clip(lower - gap, 0, 1), upper=np.clip(upper + gap, 0, 1))
    return replace(estimates, **made)
