"""Options of the cubes that Landweave makes itself: terrain from an elevation model, place, and segments.

Receives what a recipe says under `cube: terrain`, `cube: place` and `cube: segments`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from landweave.errors import BandError
from landweave.features.place import SINE_COSINE, harmonic_names
from landweave.features.segment_statistics import check_measures
from landweave.features.segments import SegmentOptions
from landweave.features.terrain import get_measure
from landweave.types import Options

__all__ = ["PlaceOptions", "SegmentCubeOptions", "TerrainOptions"]


class TerrainOptions(Options):
    """Measures of an elevation model; a plain list of them will do where the rest keeps its defaults."""

    measures: tuple[str, ...] = Field(
        min_length=1, description="slope, northness, eastness, illumination, hillshade, curvature, profile_curvature, "
        "plan_curvature, tpi, tri, roughness, twi",
    )  # fmt: skip
    source: str | None = Field(None, description="source with the elevation; by default the only one that has any")
    sun_azimuth_deg: float = Field(315.0, ge=0, lt=360, description="of illumination and hillshade, clockwise from north")
    sun_elevation_deg: float = Field(45.0, gt=0, le=90, description="of illumination and hillshade, above the horizon")
    radius_px: int = Field(1, ge=1, le=50, description="tpi looks at a square of 2 * radius_px + 1 pixels of the elevation")
    max_wetness_px: int = Field(
        50_000_000, ge=1, description="twi is computed on the whole elevation model at once, at 90 bytes per pixel; larger "
        "models are refused",
    )  # fmt: skip
    folder: Path | None = Field(None, description="where the measures are kept; by default the user's cache folder")

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"measures": value} if isinstance(value, list | tuple) else value

    @field_validator("measures")
    @classmethod
    def _measures_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for name in value:
                get_measure(name)
        except BandError as err:
            raise ValueError(str(err)) from err
        if len(set(value)) < len(value):
            raise ValueError(f"measures {', '.join(value)} name one twice")
        return value


class PlaceOptions(Options):
    """Bands that say where a pixel is."""

    encodings: tuple[Literal["sine_cosine", "harmonics"], ...] = Field(
        (), description="sine_cosine: sine and cosine of longitude and latitude; harmonics: spherical harmonics"
    )
    degree: int = Field(4, ge=1, le=40, description="highest degree of the harmonics; there are degree * (degree + 2) of them")
    distances: dict[str, Path] = Field(
        default_factory=dict, description="vector files by name (rivers: rivers.gpkg); the band distance_rivers holds "
        "metres to the nearest feature",
    )  # fmt: skip
    max_distance_m: float | None = Field(None, gt=0, description="distances beyond are set to this one")

    @model_validator(mode="after")
    def _has_bands(self) -> PlaceOptions:
        if not self.bands:
            raise ValueError("place has neither encodings nor distances; give one, or leave place out")
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands in order: encodings as listed, then distances."""
        own = {"sine_cosine": SINE_COSINE, "harmonics": harmonic_names(self.degree)}
        return (*(b for e in self.encodings for b in own[e]), *(f"distance_{name}" for name in self.distances))


class SegmentCubeOptions(SegmentOptions):
    """Bands that measure the segment a pixel belongs to: `red_mean`, `red_std`, `area_px`."""

    source: str | None = Field(
        None, description="source that segments are cut from; by default the only one with the output grid's pixels"
    )
    bands: tuple[str, ...] | None = Field(None, min_length=1, description="bands measured; by default all of the source")
    by: tuple[str, ...] | None = Field(
        None, min_length=1, description="bands that segments are cut by, as their mean over time; by default those measured"
    )
    statistics: tuple[str, ...] = Field(
        ("mean", "std"), description="of each band's values in a segment: mean, std, min, max, median, percentiles p1 to p99"
    )
    shapes: tuple[str, ...] = Field(
        ("area_px",), description="area_px, perimeter_px, compactness, elongation, rectangularity"
    )
    range: tuple[float, float] | dict[str, tuple[float, float]] | None = Field(
        None, description="values that count as 0 and 1 when segments are cut, one pair or one per band; by default 0..0.6 for "
        "reflectance, -1..1 for indices, -30..0 dB for backscatter; the same for training and mapping",
    )  # fmt: skip
    window_px: int = Field(512, ge=64, le=1024, description="side of the windows that are segmented one by one")

    @model_validator(mode="after")
    def _measures_exist(self) -> SegmentCubeOptions:
        try:
            check_measures(self.statistics, self.shapes)
        except BandError as err:
            raise ValueError(str(err)) from err
        for low, high in self.range.values() if isinstance(self.range, dict) else (self.range or (0, 1),):
            if not high > low:
                raise ValueError(f"range is {low:g}..{high:g}; give the lower value first")
        return self
