"""Maps: a model times a cube, block by block, to finished products that survive any crash; and finished maps refined.

Receives a `Predictor` and a `CubeSet`; hands on a `MapProduct`.
"""

from __future__ import annotations

from landweave.features.segments import SegmentOptions
from landweave.maps.filters import FilterOptions
from landweave.maps.mosaic import MosaicOptions, find_tiles, mosaic_maps
from landweave.maps.opening import open_map, read_legend
from landweave.maps.options import MapOptions
from landweave.maps.predict import predict_map, predict_maps
from landweave.maps.refining import aggregate_map, filter_map, segment_map, sieve_map, smooth_map
from landweave.maps.seams import SeamReport, SeamScore, measure_map_seams, measure_seams
from landweave.maps.smoothing import SmoothOptions
from landweave.maps.temporal import SeriesOptions
from landweave.maps.updating import update_map
from landweave.maps.vectors import VectorOptions, make_polygons, vectorize_map
from landweave.maps.years import smooth_years
from landweave.maps.zones import summarise_zones, zones_of_map

__all__ = [
    "FilterOptions",
    "MapOptions",
    "MosaicOptions",
    "SeamReport",
    "SeamScore",
    "SegmentOptions",
    "SeriesOptions",
    "SmoothOptions",
    "VectorOptions",
    "aggregate_map",
    "filter_map",
    "find_tiles",
    "make_polygons",
    "measure_map_seams",
    "measure_seams",
    "mosaic_maps",
    "open_map",
    "predict_map",
    "predict_maps",
    "read_legend",
    "segment_map",
    "sieve_map",
    "smooth_map",
    "smooth_years",
    "summarise_zones",
    "update_map",
    "vectorize_map",
    "zones_of_map",
]
