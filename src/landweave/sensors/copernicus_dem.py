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
        source="surface with buildings and trees, water edited flat, vertical datum EGM2008 (EPSG:3855): Earth Engine "
        "catalogue, COPERNICUS/DEM/GLO30; -32767 of voids is nominal, not confirmed against the Product Handbook (files "
        "state their own)",
    )  # fmt: skip
