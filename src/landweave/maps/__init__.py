"""Maps: a model times a cube, block by block, to finished products that survive any crash.

Receives a `Predictor` and a `CubeSet`; hands on a `MapProduct`.
"""

from __future__ import annotations

from landweave.maps.opening import open_map, read_legend
from landweave.maps.options import MapOptions
from landweave.maps.predict import predict_map, predict_maps

__all__ = ["MapOptions", "open_map", "predict_map", "predict_maps", "read_legend"]
