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
from landweave.metrics.boundary import BoundaryCounter, BoundaryScores, find_boundary
from landweave.metrics.calibration import calibration_error, reliability
from landweave.metrics.change import ChangeCounter, ChangeScores, score_binary_change, score_scs, score_sek
from landweave.metrics.codes import CodeCounter, count_codes
from landweave.metrics.confusion import ConfusionCounter, count_by_group, count_confusion, count_parts
from landweave.metrics.intervals import bootstrap_scores, effective_n, make_interval, wilson_interval, z_value
from landweave.metrics.multilabel import MultilabelCounter, MultilabelScores, average_precision
from landweave.metrics.ordinal import score_ordinal
from landweave.metrics.panoptic import PanopticCounter, PanopticScores
from landweave.metrics.recovered import (
    jeffreys_interval,
    midp_interval,
    recover_intervals,
    recover_ratios,
    recover_sums,
)
from landweave.metrics.regression import RegressionCounter, RegressionScores, score_regression
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
    "BoundaryCounter",
    "BoundaryScores",
    "ChangeCounter",
    "ChangeScores",
    "CodeCounter",
    "ConfusionCounter",
    "DesignEstimates",
    "Estimated",
    "MultilabelCounter",
    "MultilabelScores",
    "PanopticCounter",
    "PanopticScores",
    "RegressionCounter",
    "RegressionScores",
    "UnitSample",
    "average_precision",
    "bootstrap_matrices",
    "bootstrap_scores",
    "calibration_error",
    "combine_areas",
    "count_by_group",
    "count_codes",
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
    "find_boundary",
    "jeffreys_interval",
    "kappa",
    "make_interval",
    "make_shares",
    "matrix_parts",
    "midp_interval",
    "percentile_interval",
    "recover_intervals",
    "recover_ratios",
    "recover_sums",
    "reliability",
    "score_baseline",
    "score_binary_change",
    "score_matrix",
    "score_ordinal",
    "score_parts",
    "score_regression",
    "score_scs",
    "score_sek",
    "wilson_interval",
    "z_value",
]
