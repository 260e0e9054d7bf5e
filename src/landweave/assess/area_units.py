"""Units that areas are shown in; documents always hold hectares."""

from __future__ import annotations

from landweave.errors import AssessmentError

__all__ = ["AREA_UNITS", "to_unit"]

AREA_UNITS: dict[str, float] = {"ha": 1.0, "km2": 0.01, "m2": 10_000.0, "acre": 1 / 0.40468564224}
"""Units per hectare; the international acre is 4046.8564224 square metres."""


def to_unit(hectares: float, unit: str) -> float:
    """Convert hectares to another unit.

    Raises:
        AssessmentError: If the unit is unknown.
    """
    if unit not in AREA_UNITS:
        raise AssessmentError(f"no unit of area named {unit!r}; known: {', '.join(AREA_UNITS)}")
    return hectares * AREA_UNITS[unit]
