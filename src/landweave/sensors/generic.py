"""Any sensor: every band name is taken, and values are what the file and the recipe say."""

from __future__ import annotations

from landweave.sensors.ranges import default_range
from landweave.types import Band, Sensor

__all__ = ["COMMON_OPTICAL", "make_sensor"]

COMMON_OPTICAL = (
    "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075", "rededge078", "nir",
    "nir08", "nir09", "cirrus", "swir16", "swir22", "pan",
)  # fmt: skip
"""Optical common names of the STAC eo extension 2.0."""

_INDICES = ("ndvi", "evi", "evi2", "savi", "ndwi", "mndwi", "ndbi", "nbr", "ndmi", "bsi", "gndvi")


def make_sensor() -> Sensor:
    """Make the open sensor.

    Bands of light and indices are of kind `other` here, as nothing is known of their unit (counts, reflectance x 10000):
    a recipe that states `kind: reflectance` gets reflectance's valid range with it.
    """
    light = tuple(Band(name, "other", unit="unknown") for name in (*COMMON_OPTICAL, *_INDICES))
    radar = tuple(Band(name, "backscatter", unit="unknown") for name in ("vv", "vh", "hh", "hv"))
    elevation = Band(
        "elevation", "elevation", valid_range=default_range("elevation"), aliases=("dem",), unit="m",
    )  # fmt: skip
    return Sensor(
        "generic", "Any sensor (bands named by the file or the recipe)", (*light, *radar, elevation),
        source="common names: STAC eo extension 2.0.0, section Common Band Names", is_open=True,
    )  # fmt: skip
