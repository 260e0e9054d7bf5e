"""Units that areas are shown in; documents always hold hectares."""

from __future__ import annotations

from typing import Literal

from landweave.errors import AssessmentError

__all__ = ["AREA_SYMBOLS", "AREA_UNITS", "AreaUnit", "to_unit"]

AreaUnit = Literal["ha", "km2", "m2", "acre"]

AREA_UNITS: dict[str, float] = {"ha": 1.0, "km2": 0.01, "m2": 10_000.0, "acre": 1 / 0.40468564224}
"""Units per hectare; the international acre is 4046.8564224 square metres."""

AREA_SYMBOLS: dict[str, str] = {"ha": "ha", "km2": "km\u00b2", "m2": "m\u00b2", "acre": "acres"}
"""How a unit is written behind a number, in every language of the report."""


def to_unit(hectares: float, unit: str) -> float:
    """Convert hectares to another unit.

    Raises:
        AssessmentError: If the unit is unknown.
    """
    if unit not in AREA_UNITS:
        raise AssessmentError(f"no unit of area named {unit!r}; known: {', '.join(AREA_UNITS)}")
    return hectares * AREA_UNITS[unit]
