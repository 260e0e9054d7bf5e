"""Harmonized Landsat Sentinel-2 (HLS) version 2.0: nadir BRDF-adjusted surface reflectance at 30 m on MGRS tiles."""

from __future__ import annotations

from landweave.sensors import landsat_c2_l2, sentinel2_l2a
from landweave.sensors.ranges import REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["FMASK_BITS", "make_l30", "make_s30"]

FMASK_BITS = {"cirrus": 0, "cloud": 1, "adjacent": 2, "cloud_shadow": 3, "snow": 4, "water": 5}
"""Bits of HLS's Fmask layer; bits 6 and 7 hold the aerosol level, 255 is no observation."""

_SOURCE = (
    "bands and bits of Fmask (bit 0, cirrus, is reserved and unused): Earth Engine catalogue, NASA/HLS/HLSL30/v002 and "
    "HLSS30/v002 (doi:10.5067/HLS/HLSL30.002, HLSS30.002); x 10000, -9999 and 255 of Fmask: as the files state them in "
    "their tags, and as the data card of hls-classification (huggingface.co, ZiyunPOLYU) repeats them from HLS v2 files; "
    "centres and widths: those of the instruments"
)
# common name -> HLS's name of the OLI band
_L30 = {"coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "nir": "B05", "swir16": "B06", "swir22": "B07"}


def _band(like: Band, code: str, others: tuple[str, ...] = ()) -> Band:
    return Band(
        like.name, "reflectance", scale=1e-4, offset=0.0, nodata=-9999, valid_range=REFLECTANCE_RANGE,
        center_nm=like.center_nm, width_nm=like.width_nm, resolution_m=30.0, aliases=(code, *others),
    )  # fmt: skip


def _fmask() -> Band:
    return Band("fmask", "mask", nodata=255, resolution_m=30.0, unit="bits")


def make_l30() -> Sensor:
    """Make the table of HLSL30 (Landsat 8 and 9); its band numbers are OLI's."""
    oli = landsat_c2_l2.make_oli()
    bands = [_band(oli.get_band(name), code, ("nir08",) if name == "nir" else ()) for name, code in _L30.items()]
    cirrus = Band(
        "cirrus", "reflectance", scale=1e-4, offset=0.0, nodata=-9999, valid_range=REFLECTANCE_RANGE, center_nm=1373.5,
        width_nm=21.0, resolution_m=30.0, aliases=("B09",),
    )  # fmt: skip
    thermal = [
        Band(name, "temperature", scale=0.01, offset=0.0, nodata=-9999, valid_range=(-120.0, 100.0), center_nm=(low + high) / 2,
             width_nm=high - low, resolution_m=30.0, aliases=(code,), unit="degrees C")
        for name, code, low, high in (("lwir11", "B10", 10_600.0, 11_190.0), ("lwir12", "B11", 11_500.0, 12_510.0))
    ]  # fmt: skip
    title = "HLS L30 (Landsat 8-9), adjusted surface reflectance at 30 m"
    return Sensor("hls-l30", title, (*bands, cirrus, *thermal, _fmask()), _SOURCE)


def make_s30() -> Sensor:
    """Make the table of HLSS30 (Sentinel-2); its band numbers are MSI's."""
    bands = [_band(b, b.aliases[0], b.aliases[1:]) for b in sentinel2_l2a.make_sensor().bands if b.kind == "reflectance"]
    cirrus = _band(sentinel2_l2a.make_optical((("cirrus", "B10", 1373.5, 29.0, 60.0),))[0], "B10")
    title = "HLS S30 (Sentinel-2), adjusted surface reflectance at 30 m"
    return Sensor("hls-s30", title, (*bands[:10], cirrus, *bands[10:], _fmask()), _SOURCE)
