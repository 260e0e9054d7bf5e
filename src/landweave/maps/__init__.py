"""Maps: a model times a cube, block by block, to finished products that survive any crash; and finished maps refined.

Receives a `Predictor` and a `CubeSet`; hands on a `MapProduct`.
"""

from __future__ import annotations

from landweave.maps.filters import FilterOptions
from landweave.maps.opening import open_map, read_legend
from landweave.maps.options import MapOptions
from landweave.maps.predict import predict_map, predict_maps
from landweave.maps.refining import aggregate_map, filter_map, sieve_map, smooth_map
from landweave.maps.smoothing import SmoothOptions

__all__ = [
    "FilterOptions",
    "MapOptions",
    "SmoothOptions",
    "aggregate_map",
    "filter_map",
    "open_map",
    "predict_map",
    "predict_maps",
    "read_legend",
    "sieve_map",
    "smooth_map",
]
