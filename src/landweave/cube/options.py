"""Options of the cube stage: the grid, the bands, and what is done to the values and the dates.

Receives what a recipe says under `cube:`; hands on a checked `CubeOptions`.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from landweave.cube.derived_options import PlaceOptions, SegmentCubeOptions, TerrainOptions
from landweave.cube.grids import find_tile
from landweave.cube.series_options import (
    CompositeOptions,
    CompositeRule,
    FillOptions,
    FillRule,
    HarmoniseOptions,
    Layer,
    PeriodName,
    PhenologyOptions,
)
from landweave.cube.spatial_options import CoregisterOptions, RadarOptions, SharpenOptions, TextureOptions
from landweave.errors import GridError
from landweave.grid import resolve_crs
from landweave.types import BandKind, Options, Season

__all__ = ["CombineRule", "CubeOptions", "Resampling", "default_resampling"]

CombineRule = Literal["first", "last", "mean", "median"]
"""How several observations of one pixel become one: the first or last valid one, or the mean or median of the valid ones."""

Resampling = Literal["nearest", "bilinear", "cubic", "average", "mode"]
"""How pixels of one lattice become pixels of another; see `io.rasters.read_window`."""

_BY_CLASS: frozenset[str] = frozenset({"mask", "other"})


def default_resampling(kind: BandKind, ratio: float) -> Resampling:
    """Give the resampling of a band kind where the options name none.

    Args:
        kind: Kind of band; masks and kinds without a meaning of "in between" take the nearest pixel.
        ratio: Output pixel size over source pixel size; continuous bands are averaged from 2 on, else bilinear.
    """
    if kind in _BY_CLASS:
        return "nearest"
    return "average" if ratio >= 2 else "bilinear"


class CubeOptions(Options):
    """What the cube stage may be told; everything has a default that follows the scenes."""

    like: Path | None = Field(None, description="Raster whose grid the cube takes; not together with crs or resolution.")
    crs: str | None = Field(None, description="Crs of the cube, e.g. EPSG:32633 or WKT; by default the commonest of the files.")
    resolution: float | tuple[float, float] | dict[str, float | tuple[float, float]] | None = Field(
        None, description="Pixel size in crs units, one number or (x, y), or one per source; by default the files' finest.",
    )  # fmt: skip
    tile: str | None = Field(
        None, description="Tile of a grid whose crs and bounds the cube takes, e.g. mgrs:33TWM; see `landweave grid`."
    )
    bounds: tuple[float, float, float, float] | None = Field(
        None, description="Left, bottom, right, top in units of the cube's crs; by default those of the files."
    )
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="West, south, east, north in degrees; the grid covers it. Not together with bounds."
    )
    extent: Literal["union", "intersection"] = Field(
        "union", description="Without bounds: the area that any file covers, or the area that all of them cover."
    )
    bands: tuple[str, ...] | None = Field(None, description="Bands to keep, in this order; by default all of them.")
    indices: tuple[str, ...] = Field((), description="Spectral indices added as bands, e.g. ndvi.")
    terrain: TerrainOptions | None = Field(
        None, description="Measures of the elevation, e.g. [slope, northness, twi], as a static cube named terrain."
    )
    place: PlaceOptions | None = Field(
        None, description="Bands of longitude and latitude and distances to vector features, as a static cube named place."
    )
    segments: SegmentCubeOptions | None = Field(
        None, description="Measures of the segment a pixel belongs to, as a static cube named segments; {} for the defaults."
    )
    coregister: CoregisterOptions | None = Field(
        None, description="Shift of each scene against a reference, reported and applied; {} for the defaults."
    )
    radar: RadarOptions | None = Field(
        None, description="Backscatter: speckle filter, unit, indices, incidence; see docs/radar-and-texture.md."
    )
    texture: TextureOptions | None = Field(None, description="Co-occurrence texture of bands as bands.")
    sharpen: SharpenOptions | None = Field(None, description="Coarse bands with the detail of finer ones of their source.")
    resampling: dict[BandKind, Resampling] = Field(
        default_factory=dict, description="Resampling per kind of band; by default nearest for mask and other, average where "
        "pixels get at least twice as large, else bilinear.",
    )  # fmt: skip
    mosaic: CombineRule = Field("first", description="How scenes of one solar day are put together.")
    start: date | None = Field(None, description="First date to keep.")
    end: date | None = Field(None, description="Last date to keep, inclusive.")
    period_days: int | None = Field(
        None, ge=1, le=366, description="Length of the periods of a regular cube; they restart on 1 January of each year."
    )
    steps: tuple[date, ...] | None = Field(
        None, description="First day of each period of a regular cube, and the last one's end as the final entry; instead of "
        "period_days.",
    )  # fmt: skip
    period: PeriodName | None = Field(
        None, description="Periods of a regular cube by name: dekad, month, season (December-February, ...), year; instead of "
        "period_days.",
    )  # fmt: skip
    composite: CompositeRule = Field("median", description="How the days that fall in one period are put together.")
    compositing: CompositeOptions = Field(default_factory=CompositeOptions, description="Parameters of the composite.")
    phenology: PhenologyOptions | None = Field(
        None, description="Only days within each pixel's own growing season enter a period's composite."
    )
    season: Season | None = Field(None, description="Season the models are bound to; see select_season.")
    fill: FillRule = Field("none", description="Fill gaps over time per pixel and band; linear takes the nearest at the edges.")
    filling: FillOptions = Field(default_factory=FillOptions, description="Parameters of the filling.")
    layers: tuple[Layer, ...] = Field(
        (), description="Bands about the series: filled (share of the bands filled in a step), observations (days that entered "
        "it), day (of the year, of the observation chosen), season_start and season_end (days of the year, with phenology).",
    )  # fmt: skip
    merge: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Sources whose scenes make one cube: {optical: [sentinel2, landsat]}; the bands that "
        "all of them have.",
    )  # fmt: skip
    harmonise: HarmoniseOptions | None = Field(
        None, description="Bring the reflectance of merged sources to one sensor's; see docs/composites-and-series.md."
    )
    out_of_range: Literal["error", "nodata"] = Field(
        "error", description="When more than 1 % of a band's probed values lie outside its valid range: stop, or take them all "
        "as nodata. Fewer always become nodata.",
    )  # fmt: skip

    @field_validator("crs")
    @classmethod
    def _check_crs(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                resolve_crs(value)
            except GridError as err:
                raise ValueError(str(err)) from err
        return value

    @field_validator("tile")
    @classmethod
    def _check_tile(cls, value: str | None) -> str | None:
        try:
            return value if value is None or find_tile(value) else None
        except GridError as err:
            raise ValueError(str(err)) from err

    @field_validator("resolution")
    @classmethod
    def _check_resolution(cls, value: Any) -> Any:
        for one in value.values() if isinstance(value, dict) else [value]:
            pair = (one,) if isinstance(one, int | float) else (one or ())
            if any(not v > 0 for v in pair):
                raise ValueError(f"resolution is {one!r}; give a positive pixel size in crs units")
        return value

    @field_validator("bounds", "bbox")
    @classmethod
    def _check_bounds(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None and not (value[2] > value[0] and value[3] > value[1]):
            raise ValueError(f"bounds {value} are empty; give left, bottom, right, top (is the axis order swapped?)")
        return value

    @field_validator("steps")
    @classmethod
    def _check_steps(cls, value: tuple[date, ...] | None) -> tuple[date, ...] | None:
        if value is not None and (len(value) < 2 or any(b <= a for a, b in pairwise(value))):
            raise ValueError(f"steps are {[str(d) for d in value]}; give at least two dates in increasing order")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.like is not None and (self.crs or self.resolution):
            raise ValueError("like gives crs and resolution; leave out crs and resolution, or leave out like")
        if self.tile and (self.like or self.crs or self.bounds or self.bbox):
            raise ValueError("tile gives crs and bounds; leave out like, crs, bounds and bbox, or leave out tile")
        if self.bounds and self.bbox:
            raise ValueError("bounds and bbox both given; keep one")
        given = [n for n in ("period", "period_days", "steps") if getattr(self, n)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both given; keep one")
        self._check_series(bool(given))
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}; swap them")
        return self

    def _check_series(self, is_regular: bool) -> None:
        """Check what only makes sense together."""
        needs = {"percentile": self.composite == "percentile", "phenology": self.phenology is not None}
        alone = [name for name, is_asked in needs.items() if is_asked and not is_regular]
        if alone:
            raise ValueError(f"{alone[0]} needs periods; give period, period_days or steps")
        if {"season_start", "season_end"} & set(self.layers) and self.phenology is None:
            raise ValueError("layers season_start and season_end come from phenology; give phenology: {}")
        if "filled" in self.layers and self.fill == "none":
            raise ValueError("layer filled needs a fill rule; give fill: linear, whittaker, savitzky-golay or harmonic")
        if "day" in self.layers and self.composite not in ("medoid", "best-pixel", "max-ndvi"):
            raise ValueError(f"layer day is the day chosen, and composite {self.composite} chooses none; take medoid, "
                             "best-pixel or max-ndvi")  # fmt: skip
