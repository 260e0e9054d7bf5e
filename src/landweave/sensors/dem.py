"""Elevation in metres, from any elevation model."""

from __future__ import annotations

from landweave.sensors.ranges import default_range
from landweave.types import Band, Sensor

__all__ = ["make_sensor"]


def make_sensor() -> Sensor:
    """Make the table of an elevation model; a file of one layer needs no name for it."""
    elevation = Band(
        "elevation", "elevation", scale=1.0, offset=0.0, nodata=-32768, valid_range=default_range("elevation"),
        aliases=("dem", "height", "srtm", "altitude"), unit="m",
    )  # fmt: skip
    return Sensor(
        "dem", "Elevation model, metres", (elevation,),
        source="SRTM Collection User Guide (NASA LP DAAC 2015): int16 metres, voids -32768",
    )  # fmt: skip
