"""Array functions: series and their gaps, composites, spectral indices, terrain, place, temporal metrics, corruptions."""

from landweave.features.composite import (
    compose_geomedian,
    compose_median,
    compose_percentiles,
    compose_weighted_mean,
    find_medoid,
)
from landweave.features.corruptions import BandRanges, corrupt, list_corruptions
from landweave.features.harmonic import HarmonicFit, fit_harmonic
from landweave.features.harmonise import Line, fit_line, list_lines, published_line
from landweave.features.indices import SpectralIndex, compute_index, find_indices, get_index, list_indices
from landweave.features.phenology import find_season
from landweave.features.place import encode_harmonics, encode_sine_cosine
from landweave.features.radar import (
    compute_radar_index,
    gamma0_from_sigma0,
    list_radar_indices,
    normalise_incidence,
    to_db,
    to_linear,
)
from landweave.features.registration import agree, estimate_shift, shift_by_blocks
from landweave.features.segment_statistics import SEGMENT_SHAPES, segment_features, segment_statistics
from landweave.features.segments import SegmentOptions, segment_block, segment_window
from landweave.features.series import apply_missing, count_valid_steps, fill_linear
from landweave.features.sharpening import pansharpen, sharpen_bands
from landweave.features.smoothing import fill_gaps, smooth_savgol, smooth_whittaker
from landweave.features.speckle import estimate_enl, filter_speckle, filter_temporal
from landweave.features.temporal import TEMPORAL_METRICS, compute_temporal
from landweave.features.terrain import TERRAIN_MEASURES, compute_terrain
from landweave.features.texture import TEXTURE_MEASURES, compute_texture, quantise
from landweave.features.wetness import compute_wetness

__all__ = [
    "SEGMENT_SHAPES",
    "TEMPORAL_METRICS",
    "TERRAIN_MEASURES",
    "TEXTURE_MEASURES",
    "BandRanges",
    "HarmonicFit",
    "Line",
    "SegmentOptions",
    "SpectralIndex",
    "agree",
    "apply_missing",
    "compose_geomedian",
    "compose_median",
    "compose_percentiles",
    "compose_weighted_mean",
    "compute_index",
    "compute_radar_index",
    "compute_temporal",
    "compute_terrain",
    "compute_texture",
    "compute_wetness",
    "corrupt",
    "count_valid_steps",
    "encode_harmonics",
    "encode_sine_cosine",
    "estimate_enl",
    "estimate_shift",
    "fill_gaps",
    "fill_linear",
    "filter_speckle",
    "filter_temporal",
    "find_indices",
    "find_medoid",
    "find_season",
    "fit_harmonic",
    "fit_line",
    "gamma0_from_sigma0",
    "get_index",
    "list_corruptions",
    "list_indices",
    "list_lines",
    "list_radar_indices",
    "normalise_incidence",
    "pansharpen",
    "published_line",
    "quantise",
    "segment_block",
    "segment_features",
    "segment_statistics",
    "segment_window",
    "sharpen_bands",
    "shift_by_blocks",
    "smooth_savgol",
    "smooth_whittaker",
    "to_db",
    "to_linear",
]
