"""Sentinel-2 MSI, level 1C: top-of-atmosphere reflectance; level 2A's bands and the cirrus band."""

from __future__ import annotations

from landweave.sensors import sentinel2_l2a
from landweave.types import Sensor

__all__ = ["make_sensor"]


def make_sensor() -> Sensor:
    """Make the table of Sentinel-2 level 1C."""
    optical = tuple(b for b in sentinel2_l2a.make_sensor().bands if b.kind == "reflectance")
    cirrus = sentinel2_l2a.make_optical((("cirrus", "B10", 1373.5, 31.0, 60.0),))
    return Sensor(
        "sentinel-2-l1c", "Sentinel-2 MSI level 1C, top-of-atmosphere reflectance", (*optical[:10], *cirrus, *optical[10:]),
        source=sentinel2_l2a.BANDS_SOURCE + "; scale: Earth Engine catalogue, COPERNICUS/S2",
        pattern="T{tile}_{date:%Y%m%dT%H%M%S}_{band}.jp2",
    )  # fmt: skip
