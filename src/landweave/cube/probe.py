"""A look at a cube's values before anything is made of it: wrong scale, wrong nodata marker, nothing valid at all.

Receives a `CubePlan`; hands on notes, or raises. Reads a coarse picture of every band and date, not the cube.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube.options import CubeOptions
from landweave.cube.plan import CubePlan, ScenePlan, SeriesPlan, StepPlan
from landweave.cube.reading import OutsideCount, read_plan
from landweave.errors import CubeError
from landweave.grid import GeoBox, Window, split_blocks
from landweave.io.handles import map_files
from landweave.io.rasters import RasterInfo
from landweave.types import Band

__all__ = ["probe_plan", "take_pictures"]

_PICTURE_PX = 96
"""Longest side of the coarse picture."""
_WINDOW_PX = 64
_SMALL_PX = 2048 * 2048
"""Files up to this size are read whole for the picture; larger ones only through overviews."""
_REMEDY = "state the source's scale, offset, nodata or valid_range, or set cube: out_of_range: nodata to leave them out"
_MAX_SHARE = 0.01
_MAX_DATE_SHARE = 0.25
"""Share of a single date's values: unmasked cloud may put some beyond the range, a wrong scale puts nearly all there."""


def probe_plan(plan: CubePlan, bands: Mapping[str, Band], headers: Mapping[str, RasterInfo], options: CubeOptions) -> list[str]:
    """Check a cube's values on a decimated sample.

    Every band and date is sampled on at most 96 x 96 pixels spread over the grid, through overviews; where a large file has
    none, in four windows of 64 x 64 pixels. A band with more than 1 % of its sampled values outside its valid range, or one
    date of it with more than a quarter, is an error; fewer become nodata wherever the cube is read.

    Args:
        plan: The cube.
        bands: Its stored bands.
        headers: Header of every file.
        options: Says whether values out of range are an error.

    Returns:
        Notes on values outside.

    Raises:
        CubeError: If values lie outside, or no pixel of the whole cube is valid.
    """
    count = OutsideCount(keep_values=True)
    plan = _split_days(plan)
    bare = replace(plan, fill=False, composite="first", series=SeriesPlan())
    wanted = [b for b in plan.bands if b in bands]
    if not wanted:  # a cube of indices alone: look at the bands that they are made of
        wanted = list(plan.stored)
    parts = [(picture, window, steps) for picture, window in take_pictures(bare, headers) for steps in _share_files(bare)]
    map_files(lambda part: read_plan(part[0], part[1], steps=part[2], bands=wanted, count=count), parts,
              paths=headers)  # fmt: skip
    if not any(count.seen.values()):
        _find_valid(bare, wanted)
    notes = []
    for name in wanted:
        seen, outside = count.total(name)
        if outside:
            _check_band(plan, bands[name], count, options)
            low, high = bands[name].valid_range
            notes.append(f"{plan.name}: {name}: {100 * outside / seen:.2g} % of the sampled values lie outside its valid range "
                         f"{low:g}..{high:g}; such values are taken as nodata.")  # fmt: skip
    return notes


def _split_days(plan: CubePlan) -> CubePlan:
    """Make every day a step of its own, so that each is judged by itself."""
    return replace(plan, steps=tuple(StepPlan(s.start, s.end, (d,)) for s in plan.steps for d in s.days))


def _share_files(plan: CubePlan) -> list[list[int]]:
    """Group steps, so that neighbours that lie in one file are read together."""
    groups: list[list[int]] = []
    before: set[str] = set()
    for i, step in enumerate(plan.steps):
        own = {f.path for d in step.days for s in d.scenes for f in (*s.files, *(m.file for m in s.masks))}
        if before & own:
            groups[-1].append(i)
            before |= own
        else:
            groups.append([i])
            before = own
    return groups


def take_pictures(plan: CubePlan, headers: Mapping[str, RasterInfo]) -> list[tuple[CubePlan, Window]]:
    """Give a coarse plan of the whole grid, or windows spread over it where large files have no overviews."""
    shape = (*plan.geobox.shape,)
    infos = [headers[p] for p in plan.paths]
    if any(not i.overviews and i.geobox.shape[0] * i.geobox.shape[1] > _SMALL_PX for i in infos):
        return [(plan, w) for w in _spread_windows(shape)]
    factor = max(max(shape) / _PICTURE_PX, 1.0)
    if factor == 1:
        return [(plan, Window(0, 0, *shape))]
    small = (max(int(shape[0] / factor), 1), max(int(shape[1] / factor), 1))
    scale = Affine.scale(shape[1] / small[1], shape[0] / small[0])
    coarse = GeoBox(small, plan.geobox.affine @ scale, plan.geobox.crs)
    steps = tuple(_move_step(s, factor) for s in plan.steps)
    return [(replace(plan, geobox=coarse, steps=steps, decimate=True), Window(0, 0, *small))]


def _move_step(step: StepPlan, factor: float) -> StepPlan:
    """Put the footprints onto the coarse grid."""
    def move(scene: ScenePlan) -> ScenePlan:
        f = scene.footprint
        row, col = int(f.row // factor) - 1, int(f.col // factor) - 1
        height, width = int(f.row_end // factor) + 2 - row, int(f.col_end // factor) + 2 - col
        return replace(scene, footprint=Window(row, col, height, width))

    return replace(step, days=tuple(replace(d, scenes=tuple(move(s) for s in d.scenes)) for d in step.days))


def _spread_windows(shape: tuple[int, int]) -> list[Window]:
    """Four windows at the quarters of the grid, on multiples of their size so that they straddle no stored block."""
    found = set()
    for fy, fx in ((0.25, 0.3), (0.3, 0.75), (0.7, 0.25), (0.75, 0.7)):
        row, col = (int(n * f) // _WINDOW_PX * _WINDOW_PX for n, f in zip(shape, (fy, fx), strict=True))
        found.add(Window(row, col, _WINDOW_PX, _WINDOW_PX).clip(shape))
    return sorted(found)


def _find_valid(plan: CubePlan, bands: list[str]) -> None:
    """Look through the whole cube for one valid pixel; only needed where the sample has none."""
    for window in split_blocks((*plan.geobox.shape,), 1024):
        for i in range(len(plan.steps)):
            if not np.isnan(read_plan(plan, window, steps=[i], bands=bands)).all():
                return
    files = plan.paths
    raise CubeError(
        f"no pixel of cube {plan.name!r} is valid on any date (bands {', '.join(bands)}; {len(files)} files, first "
        f"{files[0] if files else 'none'}); look at nodata, the mask's clear values, valid_range and the bounds"
    )


def _check_band(plan: CubePlan, band: Band, count: OutsideCount, options: CubeOptions) -> None:
    if options.out_of_range == "nodata":
        return
    seen, outside = count.total(band.name)
    keys = [k for k in count.seen if k[1] == band.name]
    bad = [k for k in keys if count.outside[k] > _MAX_DATE_SHARE * count.seen[k] and count.seen[k] >= 10]
    if outside > _MAX_SHARE * seen:
        values, share, where = [v for k in keys for v in count.values[k]], outside / seen, f"in {len(keys)} dates"
    elif bad:
        values, share = count.values[bad[0]], count.outside[bad[0]] / count.seen[bad[0]]
        where = f"on {np.datetime64(int(plan.steps[bad[0][0]].days[0].day), 'D')}"
    else:
        return
    flat = np.concatenate(values)
    low, high = band.valid_range
    raise CubeError(
        f"band {band.name!r} of {plan.name!r}: {100 * share:.1f} % of the sampled values {where} lie outside its valid range "
        f"{low:g}..{high:g} ({describe_spread(flat)}); {_hint(flat, band) if share > 0.5 else _REMEDY}"
    )


def describe_spread(values: NDArray[np.float64]) -> str:
    """Give the percentiles of finite values for a message."""
    p = np.percentile(values[np.isfinite(values)], (1, 50, 99)) if np.isfinite(values).any() else [np.nan] * 3
    return "1st, 50th and 99th percentile: " + ", ".join(f"{v:g}" for v in p)


def _hint(values: NDArray[np.float64], band: Band) -> str:
    low, high = band.valid_range
    finite = values[np.isfinite(values)]
    for scale, meaning in ((1e-4, "value x 10000"), (1e-2, "per cent"), (1 / 255, "8-bit counts")):
        inside = (finite * scale >= low) & (finite * scale <= high)
        if np.isfinite([low, high]).all() and finite.size and inside.mean() > 0.98:
            return f"they look like {meaning}: state the source's scale ({scale:g}), or its valid_range"
    return _REMEDY
