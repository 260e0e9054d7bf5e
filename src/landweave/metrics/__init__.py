"""Arrays in, numbers out: scores, design-based estimators of accuracy and area, intervals."""

from landweave.metrics.accuracy import kappa, matrix_parts, score_baseline, score_matrix, score_parts
from landweave.metrics.area import (
    DesignEstimates,
    Estimated,
    estimate_clusters,
    estimate_simple,
    estimate_strata,
    estimate_stratified,
)
from landweave.metrics.confusion import ConfusionCounter, count_by_group, count_confusion, count_parts
from landweave.metrics.intervals import bootstrap_scores, effective_n, make_interval, wilson_interval, z_value

__all__ = [
    "ConfusionCounter",
    "DesignEstimates",
    "Estimated",
    "bootstrap_scores",
    "count_by_group",
    "count_confusion",
    "count_parts",
    "effective_n",
    "estimate_clusters",
    "estimate_simple",
    "estimate_strata",
    "estimate_stratified",
    "kappa",
    "make_interval",
    "matrix_parts",
    "score_baseline",
    "score_matrix",
    "score_parts",
    "wilson_interval",
    "z_value",
]
