"""ESA WorldCover 10 m (2020 v100, 2021 v200): a land-cover map used as a layer."""

from __future__ import annotations

from landweave.types import Band, Sensor

__all__ = ["make_sensor"]


def make_sensor() -> Sensor:
    """Make the table of WorldCover; codes are those of the nomenclature `esa-worldcover`."""
    classes = Band("map", "other", scale=1.0, offset=0.0, nodata=0, valid_range=(10, 100), resolution_m=10.0, unit="class",
                   aliases=("ESA_WORLDCOVER_10M_MAP", "worldcover", "classification"))  # fmt: skip
    return Sensor(
        "esa-worldcover", "ESA WorldCover land cover at 10 m", (classes,),
        source="codes: Earth Engine catalogue, ESA/WorldCover/v200; Zanaga et al. 2022, ESA WorldCover 10 m 2021 v200, "
        "doi:10.5281/zenodo.7254221; 0 as nodata: Euro Data Cube, readme of its WorldCover collection",
    )  # fmt: skip
