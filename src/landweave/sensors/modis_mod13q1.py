"""MODIS MOD13Q1 and MYD13Q1: 16-day vegetation indices and reflectances at 250 m."""

from __future__ import annotations

from landweave.sensors.ranges import INDEX_RANGE, REFLECTANCE_RANGE
from landweave.types import Band, Sensor

__all__ = ["make_sensor"]

# common name, name in the product, other names (the last one Earth Engine's), first and last wavelength nm
_TABLE = (
    ("blue", "250m 16 days blue reflectance", ("B03", "blue_reflectance", "sur_refl_b03"), 459.0, 479.0),
    ("red", "250m 16 days red reflectance", ("B01", "red_reflectance", "sur_refl_b01"), 620.0, 670.0),
    ("nir", "250m 16 days NIR reflectance", ("B02", "NIR_reflectance", "sur_refl_b02"), 841.0, 876.0),
    ("swir22", "250m 16 days MIR reflectance", ("mir", "mir_reflectance", "sur_refl_b07"), 2105.0, 2155.0),
)


def _keys(long_name: str) -> tuple[str, str]:
    """Give a layer's name as the HDF file has it, and as STAC catalogues write it as an asset's key."""
    return long_name, long_name.replace(" ", "_")


def make_sensor() -> Sensor:
    """Make the table of MOD13Q1, version 6.1."""
    indices = tuple(
        Band(
            name, "index", scale=1e-4, offset=0.0, nodata=-3000, valid_range=INDEX_RANGE, resolution_m=250.0,
            aliases=_keys(f"250m 16 days {name.upper()}"),
        )
        for name in ("ndvi", "evi")
    )  # fmt: skip
    optical = tuple(
        Band(
            name, "reflectance", scale=1e-4, offset=0.0, nodata=-1000, valid_range=REFLECTANCE_RANGE,
            center_nm=(low + high) / 2, width_nm=high - low, resolution_m=250.0, aliases=(*_keys(long_name), *others),
        )
        for name, long_name, others, low, high in _TABLE
    )  # fmt: skip
    doy = Band(
        "doy", "other", nodata=-1, valid_range=(1, 366), resolution_m=250.0, unit="day of year",
        aliases=(*_keys("250m 16 days composite day of the year"), "DayOfYear"),
    )  # fmt: skip
    rank = Band(
        "reliability",
        "mask",
        nodata=-1,
        resolution_m=250.0,
        unit="rank",
        aliases=(*_keys("250m 16 days pixel reliability"), "pixel_reliability", "SummaryQA"),
    )  # 0 good, 1 marginal, 2 snow or ice, 3 cloudy
    return Sensor(
        "modis-mod13q1", "MODIS MOD13Q1, 16-day vegetation indices at 250 m", (*indices, *optical, doy, rank),
        source="scales, centres, quality: Earth Engine catalogue, MODIS/061/MOD13Q1 (doi:10.5067/MODIS/MOD13Q1.061); fill "
        "values: configuration of the R package sits, MOD13Q1-6; ranks: LP DAAC, MOD13Q1 QA; edges but for band 7 are nominal",
    )  # fmt: skip
