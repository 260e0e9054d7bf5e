"""Sentinel-1 ground range detected (GRD), calibrated and geocoded by other software: sigma naught."""

from __future__ import annotations

from landweave.types import Band, Sensor

__all__ = ["make_db", "make_sensor"]

_SOURCE = (
    "polarisations, 10 m pixels, decibels as 10 log10, angle from the ellipsoid: Earth Engine catalogue, COPERNICUS/S1_GRD; "
    "sigma0 = DN ** 2 / A ** 2: Miranda and Meadows 2015, Radiometric Calibration of S-1 Level-1 Products (not opened)"
)


def _make(name: str, title: str, valid_range: tuple[float, float], unit: str) -> Sensor:
    bands = tuple(
        Band(pol, "backscatter", nodata=None, valid_range=valid_range, resolution_m=10.0, unit=unit,
             aliases=(f"sigma0_{pol}", f"{pol}_db"))
        for pol in ("vv", "vh", "hh", "hv")
    )  # fmt: skip
    angle = Band("angle", "other", valid_range=(0.0, 90.0), unit="degrees", aliases=("incidence", "localIncidenceAngle"))
    return Sensor(name, title, (*bands, angle), _SOURCE)


def make_sensor() -> Sensor:
    """Make the table of sigma naught as linear power; counts as delivered are neither calibrated nor on a map grid."""
    return _make("sentinel-1-grd", "Sentinel-1 GRD, sigma naught, linear power", (0.0, 1000.0), "1")


def make_db() -> Sensor:
    """Make the table of sigma naught in decibels, as Earth Engine's COPERNICUS/S1_GRD and SNAP write it."""
    return _make("sentinel-1-grd-db", "Sentinel-1 GRD, sigma naught in decibels", (-60.0, 30.0), "dB")
