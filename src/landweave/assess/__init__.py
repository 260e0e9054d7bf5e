"""Map x reference -> error matrix, accuracy, areas with intervals, and the report."""

from landweave.assess.applicability import summarise_applicability
from landweave.assess.assisted import AssistedAreas, assess_assisted
from landweave.assess.compare import MapComparison, compare_maps
from landweave.assess.counts import assess_counts
from landweave.assess.cross_validation import summarise_cross_validation
from landweave.assess.document import (
    Assessment,
    Baseline,
    CrossValidationScores,
    CrossValidationSummary,
    assessment_schema,
    read_assessment,
    write_assessment,
)
from landweave.assess.extras import Extras, read_extras
from landweave.assess.held_out_models import HeldOutModels, train_held_out
from landweave.assess.judge import assess_held_out, assess_map, assess_without_reference
from landweave.assess.methods import write_methods
from landweave.assess.options import AssessOptions
from landweave.assess.places import find_dependent
from landweave.assess.reliability import draw_reliability, summarise_reliability
from landweave.assess.report import write_report
from landweave.assess.robustness import Robustness, RobustnessRow, assess_robustness
from landweave.assess.scoring import RasterScores, score_rasters
from landweave.assess.shapley import measure_shap
from landweave.assess.tables import make_baselines
from landweave.assess.text import TextTable, format_assessment
from landweave.assess.zones import ZoneAssessment, ZoneTable, assess_zones

__all__ = [
    "AssessOptions",
    "Assessment",
    "AssistedAreas",
    "Baseline",
    "CrossValidationScores",
    "CrossValidationSummary",
    "Extras",
    "HeldOutModels",
    "MapComparison",
    "RasterScores",
    "Robustness",
    "RobustnessRow",
    "TextTable",
    "ZoneAssessment",
    "ZoneTable",
    "assess_assisted",
    "assess_counts",
    "assess_held_out",
    "assess_map",
    "assess_robustness",
    "assess_without_reference",
    "assess_zones",
    "assessment_schema",
    "compare_maps",
    "draw_reliability",
    "find_dependent",
    "format_assessment",
    "make_baselines",
    "measure_shap",
    "read_assessment",
    "read_extras",
    "score_rasters",
    "summarise_applicability",
    "summarise_cross_validation",
    "summarise_reliability",
    "train_held_out",
    "write_assessment",
    "write_methods",
    "write_report",
]
