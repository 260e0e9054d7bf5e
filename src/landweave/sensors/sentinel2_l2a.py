"""Sentinel-2 MSI, level 2A: surface reflectance."""

from __future__ import annotations

from landweave.sensors.ranges import REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["BANDS_SOURCE", "SCL_CLASSES", "SCL_CLEAR", "SCL_NAMES", "make_optical", "make_sensor"]

# common name, band, centre nm, width nm, resolution m; of Sentinel-2A. Centres of 2B: 442.3, 492.1, 559.0, 665.0, 703.8, 739.1,
# 779.7, 833.0, 864.0, 943.2, 1610.4, 2185.7: at most 3.3 nm away but for B12 (16.7 nm)
_TABLE = (
    ("coastal", "B01", 442.7, 21.0, 60.0),
    ("blue", "B02", 492.7, 66.0, 10.0),
    ("green", "B03", 559.8, 36.0, 10.0),
    ("red", "B04", 664.6, 31.0, 10.0),
    ("rededge071", "B05", 704.1, 15.0, 20.0),
    ("rededge075", "B06", 740.5, 15.0, 20.0),
    ("rededge078", "B07", 782.8, 20.0, 20.0),
    ("nir", "B08", 832.8, 106.0, 10.0),
    ("nir08", "B8A", 864.7, 21.0, 20.0),
    ("nir09", "B09", 945.1, 20.0, 60.0),
    ("swir16", "B11", 1613.7, 91.0, 20.0),
    ("swir22", "B12", 2202.4, 175.0, 20.0),
)
BANDS_SOURCE = (
    "centres of S2A and S2B: data card of Major TOM Core-S2L1C, which repeats ESA's table (blue 492.4 nm there); widths: S2A, "
    "ESA's table as the documentation of gee_acolite repeats it (21, 66, 36, 31, ...)"
)
"""Where centres and widths of MSI come from."""

_OLD_NAMES = {"rededge071": "rededge1", "rededge075": "rededge2", "rededge078": "rededge3"}

SCL_CLASSES = {
    0: "no data", 1: "saturated or defective", 2: "dark area (casted shadow)", 3: "cloud shadow", 4: "vegetation",
    5: "not vegetated", 6: "water", 7: "unclassified", 8: "cloud, medium probability", 9: "cloud, high probability",
    10: "thin cirrus", 11: "snow or ice",
}  # fmt: skip
"""Classes of the scene classification layer (SCL)."""

SCL_NAMES = {
    "saturated": 1, "dark": 2, "shadow": 3, "vegetation": 4, "bare": 5, "water": 6, "unclassified": 7, "cloud_medium": 8,
    "cloud_high": 9, "cirrus": 10, "snow": 11,
}  # fmt: skip
"""Short names of the classes, for recipes."""

SCL_CLEAR = (4, 5, 6, 7, 11)
"""Classes of SCL that are usually kept as clear."""


def make_optical(table: tuple[tuple[str, str, float, float, float], ...]) -> tuple[Band, ...]:
    """Make reflectance bands of rows (common name, band, centre nm, width nm, resolution m), coded as DN / 10000, 0 empty.

    A product of processing baseline 04.00 or later (January 2022) has 1000 added to its DN; its metadata say so, and
    reading a `.SAFE` applies it. Loose files cannot tell, which is why the table states no offset.
    """
    return tuple(
        Band(
            name, "reflectance", scale=1e-4, offset=0.0, nodata=0, valid_range=REFLECTANCE_RANGE, center_nm=center,
            width_nm=width, resolution_m=resolution,
            aliases=tuple(dict.fromkeys((band, band.replace("B0", "B"), *([_OLD_NAMES[name]] if name in _OLD_NAMES else [])))),
        )
        for name, band, center, width, resolution in table
    )  # fmt: skip


def make_sensor() -> Sensor:
    """Make the table of Sentinel-2 level 2A."""
    scl = Band("scl", "mask", nodata=0, resolution_m=20.0, aliases=("SCL",), unit="class")
    return Sensor(
        "sentinel-2-l2a", "Sentinel-2 MSI level 2A, surface reflectance", (*make_optical(_TABLE), scl),
        source=BANDS_SOURCE + "; classes of SCL and scale: Earth Engine catalogue, COPERNICUS/S2_SR "
        "(google/earthengine-catalog); offset of -1000 since baseline 04.00: ESA SentiWiki, S2 Products, as quoted in "
        "openeo-geopyspark-driver issue 1051",
        pattern="T{tile}_{date:%Y%m%dT%H%M%S}_{band}_{size}m.jp2",
    )  # fmt: skip
