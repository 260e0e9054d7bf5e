"""Features of labelled places from cubes: each row gets exactly the values of the map's pixel under it.

Receives samples and a `CubeSet`; hands on samples with feature columns. Places are read block by block, so that every part of
a file is read once and memory stays bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube import make_inputs, read_blocks, select_season
from landweave.errors import CubeError, SampleError
from landweave.grid import Window
from landweave.samples._rows import is_open, join_rejected, list_rejected
from landweave.samples.reference import pixel_of
from landweave.types import Block, CubeSet, ModelInput, Progress, ProgressEvent, SampleTable, Season, feature_names

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["extract_samples", "season_starts"]

_HALF_YEAR = 183
"""Labels that start further apart, in days, are of different years."""
_BLOCK_VALUES = 16 * 2**20
"""Values of one block that are held at a time (64 MiB as float32)."""


def extract_samples(
    samples: SampleTable, cubes: CubeSet, *, season: Season | None = None, progress: Progress | None = None
) -> SampleTable:
    """Read the features of every sample from the pixel under it.

    Args:
        samples: Labelled places; features that they already have are replaced.
        cubes: The cubes, on nested grids. A coarser one gives the value of its pixel that the output pixel's centre falls in.
        season: With it, each row is aligned by day offset to the season that its own time window names; without it, every
            row gets all dates of the cubes.
        progress: Told about blocks.

    Returns:
        The samples that have a valid observation in every required cube, with one float32 column per feature
        (`types.feature_names`); the others are in `rejected` with their reason.

    Raises:
        SampleError: If no sample has an observation, the season needs a time that a row does not state, or labels are of
            several years and there is no season.
        CubeError: If the cubes can serve none of the seasons that rows name; lists the dates.
        SourceError: If a file cannot be read; names it.
    """
    inputs = make_inputs(cubes, season=season)
    names = list(feature_names(inputs))
    row, col = pixel_of(samples.frame, cubes.geobox)
    inside = (row >= 0) & (col >= 0) & (row < cubes.geobox.shape[0]) & (col < cubes.geobox.shape[1])
    reasons = np.full(len(samples), None, dtype=object)
    reasons[~inside] = "lies outside the grid"
    features = np.full((len(samples), len(names)), np.nan, dtype=np.float32)
    served: dict[date | None, CubeSet] = {None: cubes}
    if season is None:
        _check_one_time(samples.frame, cubes)
        reasons[inside & ~_meets_time(samples.frame, cubes)] = "its label is of a time that the cube does not cover"
        jobs: dict[date | None, NDArray[np.int64]] = {None: np.flatnonzero(is_open(reasons))}
    else:
        jobs = _jobs_by_season(samples.frame, season, inside)
        served = _serve_seasons(cubes, season, jobs, reasons)
    # blocks of all seasons count towards the progress of one stage
    plans = [(chosen, _plan(jobs[start], row, col, len(names))) for start, chosen in served.items()]
    total, done = sum(len(p) for _, p in plans), 0
    for chosen, plan in plans:
        for window, rows in plan:
            blocks = read_blocks(chosen, window)
            features[rows] = _pick(blocks, [i.name for i in inputs], chosen, row[rows], col[rows])
            done += 1
            if progress is not None:
                progress(ProgressEvent("samples", done, total))
    _mark_nodata(reasons, features, inputs)
    return _with_features(samples, features, names, reasons, inputs)


def _mark_nodata(reasons: NDArray[Any], features: NDArray[np.float32], inputs: Sequence[ModelInput]) -> None:
    """Give a reason to the rows that lack every value of a cube that models require."""
    at = 0
    for spec in inputs:
        width = len(spec.feature_names)
        if spec.required:
            of = f" of {spec.name}" if len(inputs) > 1 else ""
            missing = np.isnan(features[:, at : at + width]).all(axis=1)
            reasons[is_open(reasons) & missing] = f"lies on nodata{of} (no valid observation)"
        at += width


def _with_features(
    samples: SampleTable, features: NDArray[np.float32], names: list[str], reasons: NDArray[Any], inputs: Sequence[ModelInput]
) -> SampleTable:
    import geopandas as gpd
    import pandas as pd

    keep = is_open(reasons)
    if not keep.any():
        counts = {r: int(np.sum(reasons == r)) for r in dict.fromkeys(reasons)}
        told = "; ".join(f"{r} ({n})" for r, n in counts.items())
        raise SampleError(f"none of the {len(samples)} samples has features: {told}{_tell_times(samples.frame, inputs)}. Check "
                          "the area, the dates and the nodata of the imagery")  # fmt: skip
    old = samples.frame.drop(columns=[c for c in samples.feature_names if c in samples.frame.columns])
    kept = old[keep].reset_index(drop=True)
    table = pd.DataFrame(features[keep], columns=names)
    frame = gpd.GeoDataFrame(pd.concat([kept, table], axis=1), geometry="geometry", crs=old.crs)
    rejected = join_rejected(samples.rejected, list_rejected(old[~keep], reasons[~keep]))
    return replace(samples, frame=frame, inputs=tuple(inputs), rejected=rejected)


def _tell_times(frame: gpd.GeoDataFrame, inputs: Sequence[ModelInput]) -> str:
    starts, ends = frame["time_start"].dropna(), frame["time_end"].dropna()
    dates = sorted(d[:10] for i in inputs for d in i.dates or ())
    if not len(starts) or not len(ends) or not dates:
        return ""
    return f"; the labels are of {starts.min().date()} to {ends.max().date()}, the cube of {dates[0]} to {dates[-1]}"


def _plan(
    rows: NDArray[np.int64], row: NDArray[np.int64], col: NDArray[np.int64], n_features: int
) -> list[tuple[Window, NDArray[np.int64]]]:
    """Group rows by block of the grid, and cut each block to the places in it."""
    side = 2 ** int(np.clip(np.log2(max(_BLOCK_VALUES / max(n_features, 1), 1)) / 2, 5, 11))
    by_block: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in rows:
        by_block[int(row[i]) // side, int(col[i]) // side].append(int(i))
    plan = []
    for _, members in sorted(by_block.items()):
        at = np.array(members, dtype=np.int64)
        top, left = int(row[at].min()), int(col[at].min())
        plan.append((Window(top, left, int(row[at].max()) - top + 1, int(col[at].max()) - left + 1), at))
    return plan


def _pick(
    blocks: dict[str, Block], order: list[str], cubes: CubeSet, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Take the values of pixels out of blocks: (pixel, feature) in the order of the inputs."""
    parts = []
    for name in order:
        block = blocks[name]
        ratio = round(block.geobox.affine.a / cubes.geobox.affine.a)
        r, c = row // ratio - block.window.row + block.halo_px, col // ratio - block.window.col + block.halo_px
        values = block.values[..., r, c]
        parts.append(values.reshape(-1, len(row)).T)
    return np.concatenate(parts, axis=1)


# --- time ------------------------------------------------------------------------------------------------------------------


def _meets_time(frame: gpd.GeoDataFrame, cubes: CubeSet) -> NDArray[np.bool_]:
    """Tell which rows' time windows meet the cubes' dates; a row without a time meets any."""
    spans = [(c["time_start"].values.min(), c["time_end"].values.max()) for c in cubes.cubes.values() if "time" in c.dims]
    start = frame["time_start"].to_numpy().astype("datetime64[ms]")
    end = frame["time_end"].to_numpy().astype("datetime64[ms]")
    meets = np.ones(len(frame), dtype=bool)
    if spans:
        first, last = min(s[0] for s in spans), max(s[1] for s in spans)
        meets &= np.isnat(start) | (start <= last)
        meets &= np.isnat(end) | (end > first)
    return meets


def _check_one_time(frame: gpd.GeoDataFrame, cubes: CubeSet) -> None:
    """Check that labels of several years do not all get the same dates, which would teach nothing."""
    starts = frame["time_start"].dropna()
    timed = any("time" in c.dims for c in cubes.cubes.values())
    if timed and len(starts) and (starts.max() - starts.min()).days > _HALF_YEAR:
        raise SampleError(f"labels are of {starts.nunique()} times from {starts.min().date()} to {starts.max().date()}, but "
                          "without a season every row would get the same dates; state a season (start, length_days, steps), "
                          "or keep the rows of one year with where")  # fmt: skip


def season_starts(frame: gpd.GeoDataFrame, season: Season) -> list[date | None]:
    """Give the first day of the season that each row's time window names: the one it overlaps longest.

    None where the row states no time. A window without an end is taken for a single day.
    """
    starts = frame["time_start"].to_numpy().astype("datetime64[D]")
    ends = frame["time_end"].to_numpy().astype("datetime64[D]")
    known: dict[tuple[Any, Any], date | None] = {}
    result = []
    for a, b in zip(starts, ends, strict=True):
        key = (a, b)
        if key not in known or np.isnat(a):
            known[key] = None if np.isnat(a) else _season_of(a.item(), None if np.isnat(b) else b.item(), season)
        result.append(known[key])
    return result


def _season_of(start: date, end: date | None, season: Season) -> date:
    end = end or start + timedelta(days=1)
    month, day = (int(v) for v in season.start.split("-"))

    def begin(year: int) -> date:
        return date(year, 3, 1) if (month, day) == (2, 29) and year % 4 else date(year, month, day)

    def overlap(first: date) -> tuple[int, int]:
        last = first + timedelta(days=season.length_days)
        shared = (min(end, last) - max(start, first)).days
        return shared, -abs((first - start).days)

    years = range(start.year - 1 - season.length_days // 365, end.year + 1)
    return max((begin(y) for y in years), key=overlap)


def _jobs_by_season(
    frame: gpd.GeoDataFrame, season: Season, inside: NDArray[np.bool_]
) -> dict[date | None, NDArray[np.int64]]:
    starts = season_starts(frame, season)
    untimed = sum(s is None for s in starts)
    if untimed:
        raise SampleError(f"{untimed} of {len(frame)} samples state no time, but the season starting on {season.start} needs "
                          "one; name start_column or date_column, or give start for all")  # fmt: skip
    jobs: dict[Any, list[int]] = defaultdict(list)
    for i in np.flatnonzero(inside):
        jobs[starts[i]].append(int(i))
    return {k: np.array(v, dtype=np.int64) for k, v in sorted(jobs.items(), key=lambda kv: str(kv[0]))}


def _serve_seasons(
    cubes: CubeSet, season: Season, jobs: dict[date | None, NDArray[np.int64]], reasons: NDArray[Any]
) -> dict[date | None, CubeSet]:
    """Select each season that rows name; rows of a season that the cubes lack are rejected, unless they lack all."""
    served: dict[date | None, CubeSet] = {}
    failed: CubeError | None = None
    for start, rows in jobs.items():
        if start is None:
            continue
        try:
            served[start] = select_season(cubes, season, start)
        except CubeError as err:
            failed = err
            reasons[rows] = f"the cube cannot serve its season, which starts on {start}"
    if failed is not None and not served:
        raise failed
    return served
