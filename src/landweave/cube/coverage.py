"""How well a series covers its area: clean observations in space and time, the longest gap, and a verdict.

Receives cubes; hands on a `Coverage`: figures per date, per area and per pixel. Nothing is filled or composited for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pydantic import Field

from landweave.cube.backend import find_reader
from landweave.cube.extent import project_bounds
from landweave.cube.load import PlanReader
from landweave.cube.reading import read_plan
from landweave.errors import CubeError, GridError
from landweave.grid import GeoBox, Window, crs_of, geobox_of, split_blocks, window_geobox
from landweave.types import CubeSet, Options, Progress, track

__all__ = ["AreaCoverage", "Coverage", "CoverageOptions", "DateCoverage", "Gaps", "assess_coverage"]

Verdict = Literal["high", "low"]
_BLOCK_PX = 512


class CoverageOptions(Options):
    """Thresholds of the verdict, and the size of the areas.

    Sanchez et al. 2024 set the threshold by hand; the defaults here are ours.
    """

    usable_share: float = Field(0.5, gt=0, le=1, description="share of clean pixels from which a date is usable for an area")
    min_spatial: float = Field(0.5, ge=0, le=1, description="mean share of clean pixels from which spatial coverage is high")
    min_temporal: float = Field(0.5, ge=0, le=1, description="share of usable dates from which temporal coverage is high")
    max_gap_days: float = Field(
        60.0, gt=0, description="longest gap of an area's median pixel up to which its temporal coverage is high"
    )
    area_px: int | None = Field(
        None, ge=1, description="side of an area in pixels; by default an eighth of the longer side, at least 16"
    )
    band: str | None = Field(None, description="band that is looked at; by default the first, which shares the scene's mask")


@dataclass(frozen=True, slots=True)
class DateCoverage:
    """One date: day, and the share of pixels with a clean observation, 0..1."""

    date: str
    share: float
    is_usable: bool


@dataclass(frozen=True, slots=True)
class AreaCoverage:
    """One area.

    Attributes:
        name: Row and column of the area, or "all".
        window: Its pixels.
        bbox: West, south, east, north in degrees; None where it cannot be projected.
        spatial: Mean over the dates of the share of clean pixels, 0..1.
        temporal: Share of dates that are usable, 0..1.
        n_usable: Number of usable dates.
        gap_days: Longest gap without a clean observation, median of the pixels; the ends of the series count.
        worst_gap_days: The same of the worst pixel.
        spatial_verdict: high or low, by `min_spatial`.
        temporal_verdict: high or low, by `min_temporal` and `max_gap_days`.
    """

    name: str
    window: Window
    bbox: tuple[float, float, float, float] | None
    spatial: float
    temporal: float
    n_usable: int
    gap_days: float
    worst_gap_days: float
    spatial_verdict: Verdict
    temporal_verdict: Verdict

    @property
    def verdict(self) -> Verdict:
        """High where both verdicts are."""
        return "high" if self.spatial_verdict == self.temporal_verdict == "high" else "low"


@dataclass(frozen=True, slots=True)
class Gaps:
    """What filling would have to make up for.

    Attributes:
        n_steps: Time steps that the values are counted in.
        share: Share of values (pixel, step) without a clean observation in their step, 0..1: what would be filled.
        never: Share of values of pixels without any clean observation, 0..1: what cannot be filled; part of `share`.
    """

    n_steps: int
    share: float
    never: float


@dataclass(frozen=True)
class Coverage:
    """Coverage of one cube.

    Attributes:
        name: Name of the cube.
        geobox: Grid of `share` and `gap_days`.
        dates: Each date, in order.
        whole: The whole grid as one area.
        areas: Square areas, row by row.
        share: Share of dates with a clean observation (y, x), float32 0..1.
        gap_days: Longest gap (y, x), float32 days.
        options: The thresholds.
        gaps: What filling would have to make up for.
    """

    name: str
    geobox: GeoBox
    dates: tuple[DateCoverage, ...]
    whole: AreaCoverage
    areas: tuple[AreaCoverage, ...]
    share: NDArray[np.float32]
    gap_days: NDArray[np.float32]
    options: CoverageOptions
    gaps: Gaps

    def to_rows(self) -> list[tuple[Any, ...]]:
        """Give a table: the whole, then each area; columns as in `COLUMNS`."""
        return [
            (a.name, f"{a.spatial:.1%}", f"{a.temporal:.1%}", a.n_usable, f"{a.gap_days:.0f}", f"{a.worst_gap_days:.0f}",
             a.spatial_verdict, a.temporal_verdict)
            for a in (self.whole, *self.areas)
        ]  # fmt: skip

    def describe_whole(self) -> str:
        """Say the whole's figures."""
        whole = self.whole
        return (
            f"{whole.spatial:.0%} of pixels clean ({whole.spatial_verdict}); {whole.temporal:.0%} of dates usable, "
            f"median gap {whole.gap_days:.0f} days ({whole.temporal_verdict})"
        )

    def describe_thresholds(self) -> str:
        """Say from where coverage is high."""
        o = self.options
        return (
            f"high from {o.min_spatial:.0%} of pixels clean, {o.min_temporal:.0%} of dates usable "
            f"(from {o.usable_share:.0%} clean), "
            f"longest gap of the median pixel up to {o.max_gap_days:g} days"
        )

    def describe_gaps(self) -> str:
        """Say what would be filled."""
        g = self.gaps
        return (
            f"in {g.n_steps} time steps {g.share:.1%} of the values have no clean observation: filling would make them up, but "
            f"for the {g.never:.1%} of pixels without any"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the pixels as plain values for JSON."""

        def plain(area: AreaCoverage) -> dict[str, Any]:
            return {
                "name": area.name, "bbox": area.bbox, "spatial": round(area.spatial, 6), "temporal": round(area.temporal, 6),
                "n_usable": area.n_usable, "gap_days": round(area.gap_days, 3),
                "worst_gap_days": round(area.worst_gap_days, 3), "spatial_verdict": area.spatial_verdict,
                "temporal_verdict": area.temporal_verdict, "verdict": area.verdict,
            }  # fmt: skip

        dates = [{"date": d.date, "share": round(d.share, 6), "is_usable": d.is_usable} for d in self.dates]
        gaps = {"n_steps": self.gaps.n_steps, "share": round(self.gaps.share, 6), "never": round(self.gaps.never, 6)}
        return {"name": self.name, "gaps": gaps, "thresholds": self.options.model_dump(mode="json"), "source": SOURCE,
                "whole": plain(self.whole), "areas": [plain(a) for a in self.areas], "dates": dates}  # fmt: skip


COLUMNS = ("area", "clean in space", "usable dates", "n", "gap, days", "worst", "spatial", "temporal")
"""Columns of `Coverage.to_rows`."""
SOURCE = "after Sanchez et al. 2024, IGARSS, arXiv:2406.18584; the longest gap and the thresholds are Landweave's own"


def assess_coverage(
    cubes: CubeSet, *, name: str | None = None, options: CoverageOptions | None = None,
    steps: Sequence[tuple[Any, Any]] | None = None, progress: Progress | None = None,
) -> Coverage:  # fmt: skip
    """Assess how well the clean observations of a series cover its area in space and time.

    After Sanchez et al. 2024 (arXiv:2406.18584), who count the clean labels of the scene classification per date and per pixel
    and call a region's coverage high or low by a threshold set by hand. An observation is clean where the cube holds a value:
    inside the scene, not nodata, not masked, within the valid range. A lazy cube is looked at before filling.

    Args:
        cubes: The cubes; masks belong into the scenes (`mask:` of a source).
        name: The cube; by default the only one with time.
        options: Thresholds.
        steps: Start and end (exclusive, datetime64) of the steps in which gaps are counted; by default each date is one.
        progress: Told of every block.

    Raises:
        CubeError: If no cube has time, or several have and none is named.
    """
    options = options or CoverageOptions()
    name = _choose(cubes, name)
    cube = cubes[name]
    band = str(cube["band"].values[0]) if options.band is None else options.band
    if band not in cube["band"].values:
        raise CubeError(f"cube {name!r} has no band {band!r}; it has {', '.join(map(str, cube['band'].values))}")
    grid = geobox_of(cube)
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    days = cube["time"].values.astype("datetime64[s]").astype(np.int64) / 86_400
    side = options.area_px or max(-(-max(shape) // 8), 16)
    areas = list(split_blocks(shape, side))
    clean_px = np.zeros((len(areas), len(days)), dtype=np.int64)
    members = _list_members(cube, steps)
    missing, never = 0, 0
    share, gap = (np.empty(shape, dtype=np.float32) for _ in range(2))
    for i, area in enumerate(track(areas, "coverage", len(areas), progress, unit="areas")):
        for part in split_blocks((area.height, area.width), _BLOCK_PX):
            window = Window(area.row + part.row, area.col + part.col, part.height, part.width)
            clean = _read_clean(cube, window, band)
            clean_px[i] += clean.sum(axis=(1, 2))
            missing += sum(int((~clean[own].any(axis=0)).sum()) for own in members)
            never += int((~np.any([clean[own].any(axis=0) for own in members], axis=0)).sum())
            share[window.slices] = clean.mean(axis=0)
            gap[window.slices] = longest_gap(clean, days)
    made = [_judge(f"{a.row // side + 1}-{a.col // side + 1}", a, grid, clean_px[i], gap, options) for i, a in enumerate(areas)]
    whole = _judge("all", Window(0, 0, *shape), grid, clean_px.sum(axis=0), gap, options)
    gaps = Gaps(len(members), missing / (len(members) * math.prod(shape)), never / math.prod(shape))
    return Coverage(name, grid, _dates(cube, clean_px.sum(axis=0) / math.prod(shape), options), whole, tuple(made), share, gap,
                    options, gaps)  # fmt: skip


def _list_members(cube: xr.DataArray, steps: Sequence[tuple[Any, Any]] | None) -> list[NDArray[np.intp]]:
    """List the positions of the dates of each step."""
    times = cube["time"].values
    if steps is None:
        return [np.array([i]) for i in range(len(times))]
    if not steps:
        raise CubeError("no time steps given to count gaps in; give one at least, or leave steps out")
    return [np.flatnonzero((times >= start) & (times < end)) for start, end in steps]


def _choose(cubes: CubeSet, name: str | None) -> str:
    timed = [n for n, c in cubes.cubes.items() if "time" in c.dims]
    if name is None and len(timed) == 1:
        return timed[0]
    if name not in timed:
        said = "no cube is named" if name is None else f"cube {name!r} has no time or does not exist"
        raise CubeError(f"{said}; cubes with time: {', '.join(timed) or 'none'}")
    return name


def _read_clean(cube: xr.DataArray, window: Window, band: str) -> NDArray[np.bool_]:
    """Read where a band has an observation (time, y, x), gaps not filled."""
    reader = find_reader(cube)
    if isinstance(reader, PlanReader) and reader.plan.fill:
        values = read_plan(replace(reader.plan, fill=False), window, bands=[band])[:, 0]
        steps = {s.middle: i for i, s in enumerate(reader.plan.steps)}
        wanted = cube["time"].values.astype("datetime64[us]").tolist()
        return ~np.isnan(values[[steps[t] for t in wanted]])
    rows, cols = window.slices
    return np.asarray(~np.isnan(cube.sel(band=band).isel(y=rows, x=cols).values))


def longest_gap(clean: NDArray[np.bool_], days: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the longest time without a clean observation, from the first date of the series to its last.

    Args:
        clean: (time, y, x).
        days: Days of the dates, increasing.

    Returns:
        Days (y, x); the whole length of the series where nothing is clean.
    """
    last = np.full(clean.shape[1:], days[0])
    longest = np.zeros(clean.shape[1:])
    for i, day in enumerate(days):
        np.maximum(longest, day - last, out=longest, where=clean[i])
        last[clean[i]] = day
    return np.asarray(np.maximum(longest, days[-1] - last), dtype=np.float32)


def _dates(cube: xr.DataArray, shares: NDArray[np.float64], options: CoverageOptions) -> tuple[DateCoverage, ...]:
    names = cube["time"].values.astype("datetime64[D]").astype(str)
    return tuple(DateCoverage(d, float(s), bool(s >= options.usable_share)) for d, s in zip(names, shares, strict=True))


def _judge(
    name: str, window: Window, grid: GeoBox, clean_px: NDArray[np.int64], gap: NDArray[np.float32], options: CoverageOptions
) -> AreaCoverage:  # fmt: skip
    shares = clean_px / (window.height * window.width)
    usable = shares >= options.usable_share
    spatial, temporal, own = float(shares.mean()), float(usable.mean()), gap[window.slices]
    middle = float(np.median(own))
    return AreaCoverage(
        name, window, _bbox(grid, window), spatial, temporal, int(usable.sum()), middle, float(own.max()),
        _say(spatial >= options.min_spatial), _say(temporal >= options.min_temporal and middle <= options.max_gap_days),
    )  # fmt: skip


def _say(is_high: bool) -> Verdict:
    return "high" if is_high else "low"


def _bbox(grid: GeoBox, window: Window) -> tuple[float, float, float, float] | None:
    box = window_geobox(grid, window).extent.boundingbox
    try:
        found = project_bounds((box.left, box.bottom, box.right, box.top), crs_of(grid), CRS("EPSG:4326"))
    except GridError:
        return None
    return tuple(round(v, 6) for v in found)  # type: ignore[return-value]


def list_low(coverages: Sequence[Coverage]) -> list[str]:
    """Name the areas whose coverage is low, as sentences."""
    return [
        f"{c.name}: coverage of area {a.name} is low ({a.spatial:.0%} clean, {a.n_usable} of {len(c.dates)} dates usable, "
        f"longest gap {a.gap_days:.0f} days)"
        for c in coverages for a in c.areas if a.verdict == "low"
    ]  # fmt: skip
