"""PALSAR and PALSAR-2 yearly mosaics of JAXA: L-band gamma naught as amplitude."""

from __future__ import annotations

from landweave.types import Band, Sensor

__all__ = ["MASK_CLASSES", "make_sensor"]

MASK_CLASSES = {0: "no data", 50: "ocean and water", 100: "layover", 150: "shadowing", 255: "land"}
"""Values of the mosaic's mask layer."""

_DB = -83.0
"""Calibration factor: gamma naught in dB is 10 log10(DN ** 2) - 83."""


def make_sensor() -> Sensor:
    """Make the table of the mosaic.

    gamma0 in dB is 10 log10(DN ** 2) - 83, which no scale and offset can give; scaled by 10 ** (-83 / 20) the DN are its
    amplitude, the root of linear power.
    """
    radar = tuple(
        Band(pol, "backscatter", scale=10 ** (_DB / 20), offset=0.0, nodata=0, valid_range=(0.0, 30.0), resolution_m=25.0,
             unit="amplitude", aliases=(f"sl_{pol}", f"sigma0_{pol}"))
        for pol in ("hh", "hv")
    )  # fmt: skip
    angle = Band(
        "incidence", "other", nodata=0, valid_range=(0.0, 90.0), resolution_m=25.0, unit="degrees", aliases=("linci", "angle")
    )
    mask = Band("mask", "mask", nodata=0, resolution_m=25.0, unit="class", aliases=("qa",))
    return Sensor(
        "palsar-2-mosaic", "PALSAR and PALSAR-2 yearly mosaic, L-band amplitude", (*radar, angle, mask),
        source="calibration, mask values: Earth Engine catalogue, JAXA/ALOS/PALSAR/YEARLY/SAR_EPOCH (after JAXA EORC's dataset "
        "description 2.1.2); method: Shimada et al. 2014, doi:10.1016/j.rse.2014.04.014",
    )  # fmt: skip
