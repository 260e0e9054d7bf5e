"""Labels: are they right, who gave them, where more are needed, and where they can be had from older maps.

Receives sample tables, probabilities and products; hands on sample tables, with a list of what was changed and why.
"""

from landweave.label.active import choose_batch, committee_disagreement, information_density, uncertainty
from landweave.label.checking import CheckOptions, check_labels, held_out_proba, make_vectors
from landweave.label.cleaning import CleanAction, CleanedSamples, clean_samples
from landweave.label.confident import confident_joint, confident_thresholds, estimate_joint, find_label_errors
from landweave.label.consensus import Consensus, bayes_risk, dawid_skene, find_consensus, majority_vote
from landweave.label.crosswalks import Crosswalk, crosswalk_between, make_crosswalk
from landweave.label.curves import CurveOptions, LabelCurve, play_labelling
from landweave.label.findings import LabelFinding, LabelReport
from landweave.label.hierarchy import (
    Level,
    LevelScore,
    aggregate_index,
    aggregate_samples,
    levels_of,
    score_levels,
)
from landweave.label.labellers import AgreedSamples, agree_answers, agree_samples, import_labelled, to_votes
from landweave.label.loop import (
    ProposeOptions,
    Refit,
    add_labels,
    export_places,
    import_answers,
    options_of,
    propose_places,
    refit_model,
    score_places,
    train_committee,
)
from landweave.label.neighbours import check_by_neighbours, find_conflicts, find_outliers
from landweave.label.noise import confusable_classes, plant_noise
from landweave.label.products import Product, ProductOptions, agree_products, sample_products, stable_core
from landweave.label.segments import SegmentLabels, read_segments, relabel_by_segments, relabel_samples
from landweave.label.som import SelfOrganisingMap, check_by_map, fit_map
from landweave.label.unlabelled import PseudoOptions, add_pseudo_labels, draw_pool, self_train, spread_labels

__all__ = [
    "AgreedSamples",
    "CheckOptions",
    "CleanAction",
    "CleanedSamples",
    "Consensus",
    "Crosswalk",
    "CurveOptions",
    "LabelCurve",
    "LabelFinding",
    "LabelReport",
    "Level",
    "LevelScore",
    "Product",
    "ProductOptions",
    "ProposeOptions",
    "PseudoOptions",
    "Refit",
    "SegmentLabels",
    "SelfOrganisingMap",
    "add_labels",
    "add_pseudo_labels",
    "aggregate_index",
    "aggregate_samples",
    "agree_answers",
    "agree_products",
    "agree_samples",
    "bayes_risk",
    "check_by_map",
    "check_by_neighbours",
    "check_labels",
    "choose_batch",
    "clean_samples",
    "committee_disagreement",
    "confident_joint",
    "confident_thresholds",
    "confusable_classes",
    "crosswalk_between",
    "dawid_skene",
    "draw_pool",
    "estimate_joint",
    "export_places",
    "find_conflicts",
    "find_consensus",
    "find_label_errors",
    "find_outliers",
    "fit_map",
    "held_out_proba",
    "import_answers",
    "import_labelled",
    "information_density",
    "levels_of",
    "majority_vote",
    "make_crosswalk",
    "make_vectors",
    "options_of",
    "plant_noise",
    "play_labelling",
    "propose_places",
    "read_segments",
    "refit_model",
    "relabel_by_segments",
    "relabel_samples",
    "sample_products",
    "score_levels",
    "score_places",
    "self_train",
    "spread_labels",
    "stable_core",
    "to_votes",
    "train_committee",
    "uncertainty",
]
