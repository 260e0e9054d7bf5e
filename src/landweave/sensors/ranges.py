"""Valid ranges that several sensors share, and why they are where they are."""

from __future__ import annotations

import math

from landweave.types import BandKind

__all__ = ["INDEX_RANGE", "REFLECTANCE_RANGE", "default_range"]

REFLECTANCE_RANGE = (-0.2, 1.6)
"""Span of Landsat Collection 2's coding (DN 1 is -0.2, DN 65455 is 1.6). Atmospheric correction gives small negative values
over water and shadow; bright cloud, snow and slopes that face the sun exceed 1. DN and values x 10000 fall far outside."""

INDEX_RANGE = (-1.5, 1.5)
"""A normalised difference of positive reflectances lies in -1..1 and EVI over land in about -0.2..1; over cloud, snow and
shadow EVI has a pole, so that products hold a few outliers of either sign, which are no observation of the surface."""

_DEFAULTS: dict[BandKind, tuple[float, float]] = {
    "reflectance": REFLECTANCE_RANGE,
    "index": INDEX_RANGE,
    "elevation": (-500.0, 9000.0),  # metres: below the Dead Sea's shore (-430) to above Everest (8849)
}


def default_range(kind: BandKind) -> tuple[float, float]:
    """Give the valid range of a kind of band, in its physical unit; unlimited where the unit is open."""
    return _DEFAULTS.get(kind, (-math.inf, math.inf))
