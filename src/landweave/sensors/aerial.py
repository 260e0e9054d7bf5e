"""Aerial photographs with three or four bands: counts of a frame camera, red, green, blue and near infrared."""

from __future__ import annotations

from landweave.types import Band, Sensor

__all__ = ["make_sensor"]

_TABLE = (("red", ("R",)), ("green", ("G",)), ("blue", ("B",)), ("nir", ("N", "nir1", "infrared")))


def make_sensor() -> Sensor:
    """Make the table of an aerial camera.

    Counts are neither reflectance nor comparable between flights, so that bands are of kind `other`; a recipe whose images
    are calibrated states `kind: reflectance` with their scale. 0 is no marker: dark pixels have it.
    """
    bands = tuple(Band(name, "other", valid_range=(0.0, 65535.0), aliases=names, unit="counts") for name, names in _TABLE)
    return Sensor(
        "aerial-rgbn", "Aerial photograph, red, green, blue and near infrared counts", bands,
        source="common names: STAC eo extension 2.0.0; cameras differ in their bands' edges, so that no centres are stated",
    )  # fmt: skip
