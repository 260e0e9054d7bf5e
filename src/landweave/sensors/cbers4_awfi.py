"""CBERS-4 AWFI as in the cubes of the Brazil Data Cube: surface reflectance and two indices."""

from __future__ import annotations

from landweave.sensors.ranges import INDEX_RANGE, REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["make_sensor"]

# common name, band, first and last wavelength nm
_TABLE = (
    ("blue", "BAND13", 450.0, 520.0), ("green", "BAND14", 520.0, 590.0), ("red", "BAND15", 630.0, 690.0),
    ("nir", "BAND16", 770.0, 890.0),
)  # fmt: skip


def make_sensor() -> Sensor:
    """Make the table of CBERS-4 AWFI."""
    optical = tuple(
        Band(
            name, "reflectance", scale=1e-4, offset=0.0, nodata=-9999, valid_range=REFLECTANCE_RANGE,
            center_nm=(low + high) / 2, width_nm=high - low, resolution_m=64.0, aliases=(band, f"B{band[4:]}"),
        )
        for name, band, low, high in _TABLE
    )  # fmt: skip
    indices = tuple(
        Band(name, "index", scale=1e-4, offset=0.0, nodata=-9999, valid_range=INDEX_RANGE, resolution_m=64.0)
        for name in ("ndvi", "evi")
    )
    return Sensor(
        "cbers4-awfi", "CBERS-4 AWFI, surface reflectance and indices", (*optical, *indices),
        source="edges and pixel: NASA NSSDCA, CBERS-4 (2014-079A); coding (int16 x 10000, -9999): configuration of the R "
        "package sits for the Brazil Data Cube's collection CB4-16D-2 (cube: Ferreira et al. 2020, doi:10.3390/rs12244033)",
        pattern="{tile}_{start:%Y-%m-%d}_{end:%Y-%m-%d}_{band}.tif",
    )  # fmt: skip
