"""Options of a simulated landscape, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from landweave.grid import GeoBox
from landweave.legend import Legend
from landweave.types import Options

__all__ = ["SIMULATED_SENSORS", "Landscape", "SimulateOptions"]

SIMULATED_SENSORS = ("sentinel-2-l2a", "sentinel-1-rtc", "dem")
"""Sensors that a landscape can be seen by."""


class SimulateOptions(Options):
    """What to simulate. Every choice is drawn from `seed`; the same options give the same pixels on any number of workers."""

    rows: int = Field(default=700, ge=40, le=12000, description="Rows of the grid")
    cols: int = Field(default=700, ge=40, le=12000, description="Columns of the grid")
    resolution_m: float = Field(default=10.0, ge=2.0, le=60.0, description="Pixel size in metres")
    crs: str = Field(default="EPSG:32633", description="A crs in metres; UTM zones are what the scene is made for")
    lonlat: tuple[float, float] = Field(default=(14.6, 48.6), description="Longitude and latitude of the landscape's middle")
    year: int = Field(default=2023, ge=1990, le=2100, description="First year; the second is the next one")
    n_dates: int = Field(default=10, ge=1, le=72, description="Acquisitions per optical sensor and year")
    n_radar_dates: int | None = Field(default=None, ge=1, le=72, description="Radar acquisitions per year; n_dates by default")
    sensors: tuple[str, ...] = Field(default=SIMULATED_SENSORS, min_length=1, description="Which sensors see the landscape")
    second_year_imagery: bool = Field(default=False, description="Whether the second year is imaged too, not only mapped")
    cloud_cover_pct: float = Field(default=18.0, ge=0, le=90, description="Mean cloud cover of the optical dates, per cent")
    missing_swaths: int = Field(default=1, ge=0, description="Number of optical dates whose swath ends inside the picture")
    radar_looks: float = Field(default=6.0, ge=1, le=200, description="Equivalent number of looks of the radar's speckle")
    change_pct: float = Field(default=2.5, ge=0, le=20, description="Share of the land whose use changes in a year, per cent")
    n_training_polygons: int = Field(default=320, ge=10, description="Training polygons that the surveyor draws")
    label_noise_pct: float = Field(default=3.0, ge=0, le=50, description="Share of training polygons with a wrong class")
    n_reference: int = Field(default=600, ge=10, description="Reference points drawn by the design")
    reference_noise_pct: float = Field(default=0.0, ge=0, le=50, description="Share of reference points with a wrong class")
    design: Literal["simple", "stratified"] = Field(
        default="simple", description="Design of the reference sample; strata are the classes of an older, worse map"
    )
    block_px: int = Field(default=512, ge=64, description="Side of the blocks that are rendered at a time; changes no pixel")
    seed: int = Field(default=7, ge=0, description="Seed of everything")

    @field_validator("sensors")
    @classmethod
    def _known(cls, sensors: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [s for s in sensors if s not in SIMULATED_SENSORS]
        if unknown:
            raise ValueError(f"cannot simulate the sensor {unknown[0]!r}; choose among {', '.join(SIMULATED_SENSORS)}")
        return sensors


@dataclass(frozen=True)
class Landscape:
    """A simulated landscape on disk.

    Attributes:
        folder: Where everything is.
        geobox: Its grid.
        legend: Its classes.
        scenes: Sensor -> image files, in order of date.
        files: "truth", "truth_next", "change", "training", "reference", "reference_design", "legend", "recipe" -> path.
        shares: Class name -> share of the first year's pixels, 0..1.
        options: What it was made from.
    """

    folder: Path
    geobox: GeoBox
    legend: Legend
    scenes: Mapping[str, tuple[Path, ...]]
    files: Mapping[str, Path]
    shares: Mapping[str, float]
    options: SimulateOptions
