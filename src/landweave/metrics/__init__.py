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
from landweave.metrics.assisted import estimate_assisted, estimate_regression
from landweave.metrics.confusion import ConfusionCounter, count_by_group, count_confusion, count_parts
from landweave.metrics.intervals import bootstrap_scores, effective_n, make_interval, wilson_interval, z_value
from landweave.metrics.recovered import jeffreys_interval, recover_intervals, recover_sums
from landweave.metrics.resample import bootstrap_matrices, percentile_interval
from landweave.metrics.units import (
    UnitSample,
    combine_areas,
    estimate_difference,
    estimate_ratio,
    estimate_units,
    make_shares,
)

__all__ = [
    "ConfusionCounter",
    "DesignEstimates",
    "Estimated",
    "UnitSample",
    "bootstrap_matrices",
    "bootstrap_scores",
    "combine_areas",
    "count_by_group",
    "count_confusion",
    "count_parts",
    "effective_n",
    "estimate_assisted",
    "estimate_clusters",
    "estimate_difference",
    "estimate_ratio",
    "estimate_regression",
    "estimate_simple",
    "estimate_strata",
    "estimate_stratified",
    "estimate_units",
    "jeffreys_interval",
    "kappa",
    "make_interval",
    "make_shares",
    "matrix_parts",
    "percentile_interval",
    "recover_intervals",
    "recover_sums",
    "score_baseline",
    "score_matrix",
    "score_parts",
    "wilson_interval",
    "z_value",
]
