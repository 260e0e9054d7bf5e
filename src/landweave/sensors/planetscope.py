"""PlanetScope surface reflectance: the eight bands of SuperDove and the four of the Doves before it."""

from __future__ import annotations

from landweave.sensors.ranges import REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["make_four", "make_sensor"]

_SOURCE = (
    "SuperDove: Planet's table of centres and widths (443 (20), 490 (50), 531 (36), ...), as repeated in public code; edges: "
    "Planet support, '8-band asset: band order, wavelengths, and metadata'; PS2: 455-515, 500-590, 590-670, 780-860 nm after "
    "Planet's docs (PS2.SD, 464-517, 547-585, 650-682, 846-888 nm, has no table here); band names, 0 is blank, UDM2: "
    "docs.planet.com, PSScene; x 10000: Planet support, 'How is the Surface Reflectance product provided?'"
)
# common name, Planet's name, centre nm, width nm
_EIGHT = (
    ("coastal", "coastal_blue", 443.0, 20.0), ("blue", "blue", 490.0, 50.0), ("green05", "green_i", 531.0, 36.0),
    ("green", "green", 565.0, 36.0), ("yellow", "yellow", 610.0, 20.0), ("red", "red", 665.0, 31.0),
    ("rededge071", "rededge", 705.0, 15.0), ("nir", "nir", 865.0, 40.0),
)  # fmt: skip
# PS2: first and last wavelength nm
_FOUR = (("blue", 455.0, 515.0), ("green", 500.0, 590.0), ("red", 590.0, 670.0), ("nir", 780.0, 860.0))


def _optical(name: str, alias: str, center: float, width: float) -> Band:
    return Band(
        name, "reflectance", scale=1e-4, offset=0.0, nodata=0, valid_range=REFLECTANCE_RANGE, center_nm=center, width_nm=width,
        resolution_m=3.0, aliases=() if alias == name else (alias,),
    )  # fmt: skip


def _mask() -> Band:
    """Make the first layer of UDM2, which says where a pixel is clear (1)."""
    return Band("clear", "mask", resolution_m=3.0, aliases=("udm2_clear",), unit="1 is clear")


def make_sensor() -> Sensor:
    """Make the table of SuperDove (PSB.SD, since 2020)."""
    bands = (*(_optical(*row) for row in _EIGHT), _mask())
    return Sensor("planetscope-8b", "PlanetScope SuperDove, surface reflectance, 8 bands", bands, _SOURCE)


def make_four() -> Sensor:
    """Make the table of the four-band Doves (PS2)."""
    bands = (*(_optical(n, n, (low + high) / 2, high - low) for n, low, high in _FOUR), _mask())
    return Sensor("planetscope-4b", "PlanetScope Dove, surface reflectance, 4 bands", bands, _SOURCE)
