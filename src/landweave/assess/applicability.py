"""How much of a map lies outside the area of applicability.

Receives a map with `applicability.tif`; hands on the share for `assessment.json`.
"""

from __future__ import annotations

import rasterio
from rasterio.windows import Window as RioWindow

from landweave.assess.document import ApplicabilitySummary
from landweave.grid import pixel_area_m2, split_blocks
from landweave.types import MapProduct, ModelCard

__all__ = ["summarise_applicability"]

_STEP_PX = 1024
_THRESHOLD = 100
"""Stored value of the threshold (scale 0.01)."""
_NODATA = 255


def summarise_applicability(product: MapProduct, card: ModelCard | None = None) -> ApplicabilitySummary | None:
    """Add up the geodesic area that lies outside; None for a map without `applicability.tif`.

    Args:
        product: The map.
        card: Of its model, for the threshold.
    """
    path = product.files.get("applicability")
    if path is None:
        return None
    outside_px, total_px, outside_m2, total_m2 = 0, 0, 0.0, 0.0
    with rasterio.open(path) as src:
        for window in split_blocks((src.height, src.width), _STEP_PX):
            stored = src.read(1, window=RioWindow(window.col, window.row, window.width, window.height))
            area = pixel_area_m2(product.geobox, window)
            known, outside = stored != _NODATA, (stored > _THRESHOLD) & (stored != _NODATA)
            outside_px, total_px = outside_px + int(outside.sum()), total_px + int(known.sum())
            outside_m2, total_m2 = outside_m2 + float(area[outside].sum()), total_m2 + float(area[known].sum())
    threshold = None if card is None else card.metrics.get("applicability", {}).get("threshold")
    return ApplicabilitySummary(
        outside_px=outside_px, total_px=total_px, outside_ha=outside_m2 / 1e4,
        outside_share=outside_m2 / total_m2 if total_m2 else None, threshold=threshold,
    )  # fmt: skip
