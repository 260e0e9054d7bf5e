"""Sentinel-1 backscatter, terrain-corrected, as linear power or in decibels."""

from __future__ import annotations

from landweave.types import Band, Sensor

__all__ = ["make_db", "make_sensor"]

_SOURCE = (
    "Small 2011, doi:10.1109/TGRS.2011.2120616 (radiometric terrain correction to gamma0); C-band, 5.405 GHz: Earth Engine "
    "catalogue, COPERNICUS/S1_GRD"
)


def _make(name: str, title: str, valid_range: tuple[float, float], unit: str) -> Sensor:
    bands = tuple(
        Band(
            pol, "backscatter", nodata=None, valid_range=valid_range, resolution_m=10.0, unit=unit,
            aliases=(f"{pol}_db", f"gamma0_{pol}", f"sigma0_{pol}"),
        )
        for pol in ("vv", "vh", "hh", "hv")
    )  # fmt: skip
    return Sensor(name, title, bands, _SOURCE)


def make_sensor() -> Sensor:
    """Make the table of backscatter as linear power.

    Power is never negative; strong corner reflectors in towns reach some hundred, so that values above 1000 and negative
    ones, as a file in decibels holds, are no power.
    """
    return _make("sentinel-1-rtc", "Sentinel-1 backscatter, linear power", (0.0, 1000.0), "1")


def make_db() -> Sensor:
    """Make the table of backscatter in decibels; the noise floor lies near -30 dB, a file of power or counts far above 30."""
    return _make("sentinel-1-rtc-db", "Sentinel-1 backscatter in decibels", (-60.0, 30.0), "dB")
