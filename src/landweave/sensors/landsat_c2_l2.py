"""Landsat Collection 2, level 2: surface reflectance and temperature.

TM and ETM+ (Landsat 4, 5, 7) number their bands otherwise than OLI (Landsat 8, 9): band 4 is near infrared on the former and
red on the latter. There is a table for each; `landsat-c2-l2` knows common names only, and `find_scenes` takes the table that
the platform in a file's name calls for.
"""

from __future__ import annotations

from dataclasses import replace

from landweave.sensors.ranges import REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["QA_PIXEL_BITS", "QA_RADSAT_BITS", "make_oli", "make_sensor", "make_tm"]

QA_PIXEL_BITS = {
    "fill": 0, "dilated_cloud": 1, "cirrus": 2, "cloud": 3, "cloud_shadow": 4, "snow": 5, "clear": 6, "water": 7,
}  # fmt: skip
"""Bits of QA_PIXEL (the higher ones hold confidences, two bits each)."""

QA_RADSAT_BITS = (0, 1, 2, 3, 4, 5, 6)
"""Bits of QA_RADSAT that are set where band 1 to 7 is saturated (dropped pixels and terrain occlusion have higher ones)."""

_SCALE, _OFFSET = 2.75e-5, -0.2
_ST_SCALE, _ST_OFFSET = 0.00341802, 149.0
_SOURCE = (
    "scale, offset, fill: USGS FAQ 'How do I use a scale factor with Landsat Level-2 science products?'; bits of QA_PIXEL "
    "and QA_RADSAT, edges of OLI and TIRS: Earth Engine catalogue, LANDSAT/LC08/C02/T1_L2 (after USGS LSDS-1619); edges of "
    "TM: USGS band designations; ETM+'s differ in nir (770-900 nm) and swir22 (2090-2350 nm)"
)
_PATTERN = "{platform}_{level}_{tile}_{date:%Y%m%d}_{processed}_{collection}_{tier}_{band}.tif"

# common name, number, first and last wavelength nm (TM: Landsat 4 and 5); centre and width are their middle and difference
_TM = (
    ("blue", 1, 450.0, 520.0), ("green", 2, 520.0, 600.0), ("red", 3, 630.0, 690.0), ("nir", 4, 760.0, 900.0),
    ("swir16", 5, 1550.0, 1750.0), ("swir22", 7, 2080.0, 2350.0),
)  # fmt: skip
_OLI = (
    ("coastal", 1, 435.0, 451.0), ("blue", 2, 452.0, 512.0), ("green", 3, 533.0, 590.0), ("red", 4, 636.0, 673.0),
    ("nir", 5, 851.0, 879.0), ("swir16", 6, 1566.0, 1651.0), ("swir22", 7, 2107.0, 2294.0),
)  # fmt: skip


def _number_names(prefix: str, number: int) -> tuple[str, ...]:
    return (f"{prefix}_B{number}", f"B{number}", f"B{number:02d}", f"band{number}", f"{prefix}_band{number}")


def _reflectance(table: tuple[tuple[str, int, float, float], ...]) -> tuple[Band, ...]:
    return tuple(
        Band(
            name, "reflectance", scale=_SCALE, offset=_OFFSET, nodata=0, valid_range=REFLECTANCE_RANGE,
            center_nm=(low + high) / 2, width_nm=high - low, resolution_m=30.0,
            aliases=(*_number_names("SR", number), *(("nir08",) if name == "nir" else ())),  # as catalogues call it
        )
        for name, number, low, high in table
    )  # fmt: skip


def _others(thermal: int, low: float, high: float) -> tuple[Band, ...]:
    lwir = Band(
        "lwir11" if thermal == 10 else "lwir", "temperature", scale=_ST_SCALE, offset=_ST_OFFSET, nodata=0,
        valid_range=(150.0, 373.0), center_nm=(low + high) / 2, width_nm=high - low, resolution_m=30.0,
        aliases=_number_names("ST", thermal), unit="K",
    )  # fmt: skip
    radsat = Band("qa_radsat", "mask", resolution_m=30.0, aliases=("radsat_qa",), unit="bits")
    return lwir, Band("qa_pixel", "mask", nodata=1, resolution_m=30.0, aliases=("pixel_qa",), unit="bits"), radsat


def make_tm() -> Sensor:
    """Make the table of Landsat 4 and 5 TM and Landsat 7 ETM+."""
    bands = (*_reflectance(_TM), *_others(6, 10_400.0, 12_500.0))
    return Sensor("landsat-tm-c2-l2", "Landsat 4-7 TM/ETM+ Collection 2 level 2", bands, _SOURCE, _PATTERN)


def make_oli() -> Sensor:
    """Make the table of Landsat 8 and 9 OLI/TIRS."""
    bands = (*_reflectance(_OLI), *_others(10, 10_600.0, 11_190.0))
    return Sensor("landsat-oli-c2-l2", "Landsat 8-9 OLI/TIRS Collection 2 level 2", bands, _SOURCE, _PATTERN)


def make_sensor() -> Sensor:
    """Make the table for a mixture of Landsats: bands of OLI by common name alone, as numbers mean different bands."""
    bands = tuple(
        replace(b, aliases=tuple(a for a in b.aliases if not a[-1].isdigit())) for b in make_oli().bands if b.name != "lwir11"
    )
    return Sensor("landsat-c2-l2", "Landsat 4-9 Collection 2 level 2 (platform from the file's name)", bands, _SOURCE, _PATTERN)
