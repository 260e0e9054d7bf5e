"""Copernicus DEM (GLO-30 and GLO-90): heights of the surface, buildings and trees included."""

from __future__ import annotations

from landweave.sensors.ranges import default_range
from landweave.types import Band, Sensor

__all__ = ["make_sensor"]


def make_sensor() -> Sensor:
    """Make the table of the Copernicus DEM; a file of one layer needs no name for it."""
    elevation = Band(
        "elevation", "elevation", scale=1.0, offset=0.0, nodata=-32767, valid_range=default_range("elevation"),
        resolution_m=30.0, aliases=("dem", "data", "DSM", "height"), unit="m",
    )  # fmt: skip
    return Sensor(
        "copernicus-dem", "Copernicus DEM, metres above EGM2008", (elevation,),
        source="Copernicus DEM Product Handbook GEO.2018-1988-2 (AIRBUS 2022), sections 1.3 and 2.2: float32 metres, vertical "
        "datum EGM2008, void -32767, water edited flat",
    )  # fmt: skip
