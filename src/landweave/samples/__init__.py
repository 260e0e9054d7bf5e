"""Reference data to tables: import, extract, check, split, draw designs."""

from landweave.samples._rows import set_aside
from landweave.samples.blocks import block_of, block_size_of, blocks_per_class, classes_in_one_block
from landweave.samples.check import SampleCheck, SampleReport, check_samples
from landweave.samples.design import Strata, draw_design, plan_design
from landweave.samples.design_change import ChangeStrata, make_change_strata
from landweave.samples.design_plan import DesignPlan
from landweave.samples.design_size import size_for_areas, size_for_overall, size_for_share
from landweave.samples.extract import extract_samples
from landweave.samples.interpreting import Consensus, collect_answers, hide_map, majority_vote, number_places
from landweave.samples.knndm import DistanceMatch, match_distances, split_knndm
from landweave.samples.leaks import Leak, check_leaks, find_leaks, folds_of_column, join_sides
from landweave.samples.options import DesignOptions, DrawOptions, SampleOptions, SplitOptions, StratumOptions
from landweave.samples.reference import import_reference
from landweave.samples.series import import_series
from landweave.samples.split import hold_out, resolve_split, split_random, split_resamples, split_spatial
from landweave.samples.thinning import thin_folds
from landweave.samples.variogram import BlockSuggestion, Variogram, fit_variogram, suggest_block_size

__all__ = [
    "BlockSuggestion",
    "ChangeStrata",
    "Consensus",
    "DesignOptions",
    "DesignPlan",
    "DistanceMatch",
    "DrawOptions",
    "Leak",
    "SampleCheck",
    "SampleOptions",
    "SampleReport",
    "SplitOptions",
    "Strata",
    "StratumOptions",
    "Variogram",
    "block_of",
    "block_size_of",
    "blocks_per_class",
    "check_leaks",
    "check_samples",
    "classes_in_one_block",
    "collect_answers",
    "draw_design",
    "extract_samples",
    "find_leaks",
    "fit_variogram",
    "folds_of_column",
    "hide_map",
    "hold_out",
    "import_reference",
    "import_series",
    "join_sides",
    "majority_vote",
    "make_change_strata",
    "match_distances",
    "number_places",
    "plan_design",
    "resolve_split",
    "set_aside",
    "size_for_areas",
    "size_for_overall",
    "size_for_share",
    "split_knndm",
    "split_random",
    "split_resamples",
    "split_spatial",
    "suggest_block_size",
    "thin_folds",
]
