"""Coarse bands of a source with the detail of its fine ones: each group of bands is read on its own pixels, then sharpened.

Receives a `CubePlan` and options; hands on windows of the sharpened bands. Reads what it needs around a window itself, past
the grid's edge too, so that no pixel depends on the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube.plan import CubePlan, FilePlan, ScenePlan, StepPlan
from landweave.cube.reading import read_plan
from landweave.cube.spatial_options import SharpenOptions
from landweave.errors import BandError, GridError
from landweave.features.sharpening import sharpen_bands, sharpen_margin
from landweave.grid import GeoBox, Window, resolve_crs
from landweave.io.rasters import RasterInfo

__all__ = ["SharpenPlan", "plan_sharpen", "read_sharp"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Group:
    """Bands of one pixel size: how many fine pixels to a coarse one, the lattice's offset, and the plan on coarse pixels."""

    bands: tuple[str, ...]
    ratio: int
    offset: tuple[int, int]
    plan: CubePlan


@dataclass(frozen=True)
class SharpenPlan:
    """Which bands are sharpened by which, and how."""

    options: SharpenOptions
    groups: tuple[_Group, ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """The sharpened bands."""
        return tuple(b for g in self.groups for b in g.bands)


def plan_sharpen(
    plan: CubePlan, headers: Mapping[str, RasterInfo], options: SharpenOptions
) -> tuple[SharpenPlan | None, list[str]]:  # fmt: skip
    """Find the coarse lattices of the bands to sharpen.

    Returns:
        The plan, None where the cube has none of the bands, and notes.

    Raises:
        BandError: If a guide is missing.
        GridError: If a band's pixels are no whole multiple of the cube's, or do not start on one of its pixels.
    """
    wanted = [b for b in options.bands if b in plan.stored]
    if not wanted:
        return None, []
    missing = [b for b in options.guides if b not in plan.stored]
    if missing:
        raise BandError(f"sharpen: guide {missing[0]!r} is not among the bands of {plan.name!r}: {', '.join(plan.stored)}")
    found: dict[tuple[int, int, int], list[str]] = {}
    for band in wanted:
        found.setdefault(_find_lattice(plan, headers, band), []).append(band)
    groups = []
    for (ratio, row, col), bands in sorted(found.items()):
        if ratio > 1:
            groups.append(_Group(tuple(bands), ratio, (row, col), _coarsen(plan, ratio, (row, col))))
    if not groups:
        return None, [f"{plan.name}: the bands to sharpen have the cube's pixels already and were left as they are."]
    told = "; ".join(f"{', '.join(g.bands)} ({g.ratio} pixels to one)" for g in groups)
    return SharpenPlan(options, tuple(groups)), [f"{plan.name}: sharpened by {', '.join(options.guides)}: {told}."]


def _find_lattice(plan: CubePlan, headers: Mapping[str, RasterInfo], band: str) -> tuple[int, int, int]:
    """Give ratio and offset (row, column) of the coarse lattice of a band's first file in the cube's crs."""
    a = plan.geobox.affine
    for step in plan.steps:
        for scene in (x for d in step.days for x in d.scenes):
            for file in scene.files:
                if not any(entry.band == band for entry in file.layers):
                    continue
                own = headers[file.path].geobox
                b = own.affine
                crs = resolve_crs(file.crs) if file.crs else own.crs
                ratio = round(b.a / a.a)
                col, row = ~a @ (b.c, b.f)
                near = abs(b.a - ratio * a.a) < 1e-6 * a.a and abs(b.e - ratio * a.e) < 1e-6 * abs(a.e)
                whole = abs(col - round(col)) < 1e-3 and abs(row - round(row)) < 1e-3
                if crs == plan.geobox.crs and ratio >= 1 and near and whole:
                    return ratio, -(-round(row) % ratio), -(-round(col) % ratio)
                raise GridError(f"sharpen: pixels of {file.path} ({b.a:g}) do not nest on the cube's ({a.a:g}); give the cube "
                                "the crs, lattice and finest pixel size of the sensor's own files")  # fmt: skip
    raise BandError(f"sharpen: no file of {plan.name!r} holds the band {band!r}")


def _coarsen(plan: CubePlan, ratio: int, offset: tuple[int, int]) -> CubePlan:
    """Put a plan on a lattice of larger pixels that starts `offset` (row, column; 0 or negative) from the grid's corner."""
    row, col = offset
    affine = plan.geobox.affine @ Affine.translation(col, row) @ Affine.scale(ratio)
    shape = (-(-(plan.geobox.shape[0] - row) // ratio), -(-(plan.geobox.shape[1] - col) // ratio))

    def move(scene: ScenePlan) -> ScenePlan:
        f = scene.footprint
        shifted = Window(f.row - row - ratio, f.col - col - ratio, f.height + 2 * ratio, f.width + 2 * ratio)
        files = tuple(_scale_shift(f, ratio) for f in scene.files)
        masks = tuple(replace(m, file=_scale_shift(m.file, ratio)) for m in scene.masks)
        return replace(scene, files=files, masks=masks, footprint=shifted.scale(ratio))

    def move_step(step: StepPlan) -> StepPlan:
        return replace(step, days=tuple(replace(d, scenes=tuple(move(s) for s in d.scenes)) for d in step.days))

    return replace(plan, geobox=GeoBox(shape, affine, plan.geobox.crs), steps=tuple(move_step(s) for s in plan.steps))


def _scale_shift(file: FilePlan, ratio: int) -> FilePlan:
    return replace(file, shift=(file.shift[0] / ratio, file.shift[1] / ratio))


def read_sharp(
    plan: CubePlan, sharpen: SharpenPlan, bands: Sequence[str], window: Window, steps: Sequence[int] | None
) -> dict[str, Array]:  # fmt: skip
    """Read a window of sharpened bands.

    Args:
        plan: The cube on its own pixels.
        sharpen: How its coarse bands are sharpened.
        bands: The ones that are wanted.
        window: Pixels of the grid.
        steps: Positions of the time steps; all by default.

    Returns:
        Band -> float32 (time, y, x).
    """
    made: dict[str, Array] = {}
    for group in sharpen.groups:
        own = [b for b in group.bands if b in bands]
        if not own:
            continue
        row, col = group.offset
        outer = Window(window.row - row, window.col - col, window.height, window.width).scale(group.ratio)
        outer = outer.pad(sharpen_margin(sharpen.options.window))
        fine = Window(*(n * group.ratio for n in (outer.row, outer.col, outer.height, outer.width)))
        fine = Window(fine.row + row, fine.col + col, fine.height, fine.width)
        coarse = read_plan(group.plan, outer, steps=steps, bands=own)
        guides = read_plan(plan, fine, steps=steps, bands=list(sharpen.options.guides))
        top, left = window.row - fine.row, window.col - fine.col
        cut = (..., slice(top, top + window.height), slice(left, left + window.width))
        each = [_sharpen(c, g, group.ratio, sharpen.options)[cut] for c, g in zip(coarse, guides, strict=True)]
        values = np.stack(each)
        made |= {b: np.ascontiguousarray(values[:, i]) for i, b in enumerate(own)}
    return made


def _sharpen(coarse: Array, guides: Array, ratio: int, options: SharpenOptions) -> Array:
    return sharpen_bands(coarse, guides, ratio=ratio, window=options.window, method=options.method)
