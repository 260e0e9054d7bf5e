"""Labels: are they right, who gave them, where more are needed, and where they can be had from older maps.

Receives sample tables, probabilities and products; hands on sample tables, with a list of what was changed and why.
"""

from landweave.label.checking import CheckOptions, check_labels, held_out_proba, make_vectors
from landweave.label.cleaning import CleanAction, CleanedSamples, clean_samples
from landweave.label.confident import confident_joint, confident_thresholds, estimate_joint, find_label_errors
from landweave.label.consensus import Consensus, bayes_risk, dawid_skene, find_consensus, majority_vote
from landweave.label.findings import LabelFinding, LabelReport
from landweave.label.labellers import AgreedSamples, agree_samples, to_votes
from landweave.label.neighbours import check_by_neighbours, find_conflicts, find_outliers
from landweave.label.noise import confusable_classes, plant_noise
from landweave.label.segments import SegmentLabels, read_segments, relabel_by_segments, relabel_samples
from landweave.label.som import SelfOrganisingMap, check_by_map, fit_map

__all__ = [
    "AgreedSamples",
    "CheckOptions",
    "CleanAction",
    "CleanedSamples",
    "Consensus",
    "LabelFinding",
    "LabelReport",
    "SegmentLabels",
    "SelfOrganisingMap",
    "agree_samples",
    "bayes_risk",
    "check_by_map",
    "check_by_neighbours",
    "check_labels",
    "clean_samples",
    "confident_joint",
    "confident_thresholds",
    "confusable_classes",
    "dawid_skene",
    "estimate_joint",
    "find_conflicts",
    "find_consensus",
    "find_label_errors",
    "find_outliers",
    "fit_map",
    "held_out_proba",
    "majority_vote",
    "make_vectors",
    "plant_noise",
    "read_segments",
    "relabel_by_segments",
    "relabel_samples",
    "to_votes",
]
