"""Reference data to tables: import, extract, check, split, draw designs."""

from landweave.samples._rows import set_aside
from landweave.samples.blocks import block_of, block_size_of, blocks_per_class, classes_in_one_block
from landweave.samples.check import SampleCheck, SampleReport, check_samples
from landweave.samples.design import Strata, draw_design
from landweave.samples.extract import extract_samples
from landweave.samples.options import DesignOptions, DrawOptions, SampleOptions, SplitOptions, StratumOptions
from landweave.samples.reference import import_reference
from landweave.samples.series import import_series
from landweave.samples.split import hold_out, split_random, split_resamples, split_spatial

__all__ = [
    "DesignOptions",
    "DrawOptions",
    "SampleCheck",
    "SampleOptions",
    "SampleReport",
    "SplitOptions",
    "Strata",
    "StratumOptions",
    "block_of",
    "block_size_of",
    "blocks_per_class",
    "check_samples",
    "classes_in_one_block",
    "draw_design",
    "extract_samples",
    "hold_out",
    "import_reference",
    "import_series",
    "set_aside",
    "split_random",
    "split_resamples",
    "split_spatial",
]
