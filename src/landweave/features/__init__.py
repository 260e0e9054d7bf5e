"""Array functions: series and their gaps, spectral indices, temporal metrics, corruptions."""

from landweave.features.corruptions import BandRanges, corrupt, list_corruptions
from landweave.features.indices import SpectralIndex, compute_index, get_index, list_indices
from landweave.features.series import apply_missing, count_valid_steps, fill_linear
from landweave.features.temporal import TEMPORAL_METRICS, compute_temporal

__all__ = [
    "TEMPORAL_METRICS",
    "BandRanges",
    "SpectralIndex",
    "apply_missing",
    "compute_index",
    "compute_temporal",
    "corrupt",
    "count_valid_steps",
    "fill_linear",
    "get_index",
    "list_corruptions",
    "list_indices",
]
