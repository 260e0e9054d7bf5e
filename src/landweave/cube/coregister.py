"""Do the scenes of a source lie on each other? Each is compared with a reference scene on the cube's grid, and moved if asked.

Receives a `CubePlan`; hands on one whose files know how far they are shifted, and notes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from landweave.cube.plan import CubePlan, FilePlan, ScenePlan, StepPlan
from landweave.cube.reading import read_plan
from landweave.cube.spatial_options import CoregisterOptions
from landweave.errors import BandError, CubeError
from landweave.features.radar import to_db
from landweave.features.registration import AGREE_PX, BlockShift, Consensus, agree, estimate_shift, spread_blocks
from landweave.types import Band

__all__ = ["SceneShift", "coregister_plan", "describe_shifts"]

log = logging.getLogger(__name__)
GRADIENT_AGREE_PX = 1.0
"""Distance up to which blocks agree where gradients are compared."""


@dataclass(frozen=True, slots=True)
class SceneShift:
    """How a scene lies on the reference: its id, day, and what its blocks agree on; `is_applied` where it was moved."""

    scene: str
    day: str
    shift: Consensus
    is_applied: bool


def coregister_plan(
    plan: CubePlan, bands: Mapping[str, Band], options: CoregisterOptions
) -> tuple[CubePlan, tuple[SceneShift, ...]]:  # fmt: skip
    """Estimate the shift of every scene against a reference scene, and apply it where asked for.

    Blocks spread over the grid are compared by phase correlation; see `features.registration`. A scene without a shift that
    its blocks agree on, or with one below `min_shift_px`, stays as it is.

    Args:
        plan: The cube.
        bands: Its stored bands.
        options: What is compared, and how.

    Returns:
        The plan with the shifts of its files, and a row per scene; the reference comes first, with a shift of 0.

    Raises:
        BandError: If the band is unknown.
        CubeError: If there is a single scene, no scene of the reference's date, or the reference is nowhere valid.
    """
    band = options.band or plan.stored[0]
    if band not in plan.stored:
        raise BandError(f"coregister: {plan.name!r} has no band {band!r}; it has {', '.join(plan.stored)}")
    scenes = [(scene, step) for step in plan.steps for day in step.days for scene in day.scenes]
    if len(scenes) < 2:
        raise CubeError(f"coregister: {plan.name!r} has one scene, and nothing to compare it with; leave coregister out")
    first = _find_reference(plan, scenes, options)
    shape = (int(plan.geobox.shape[0]), int(plan.geobox.shape[1]))
    windows = spread_blocks(shape, options.block_px)
    is_power = bands[band].kind == "backscatter" and bands[band].unit != "dB"
    target = [_read(plan, first, band, w, is_power) for w in windows]
    if all(np.isnan(t).all() for t in target):
        raise CubeError(f"coregister: reference scene {first.id} is nodata in all {len(windows)} blocks; name another date")
    n = len(windows)
    found = [SceneShift(first.id, _day(scenes, first), Consensus(0.0, 0.0, 0.0, n, n, n), False)]
    moves: dict[str, tuple[float, float]] = {}
    for scene, _ in scenes:
        if scene.id == first.id:
            continue
        blocks = []
        for window, reference in zip(windows, target, strict=True):
            moved = _read(plan, scene, band, window, is_power)
            rows, cols, peak = estimate_shift(
                reference, moved, max_shift_px=options.max_shift_px, gradients=options.gradients
            )  # fmt: skip
            blocks.append(BlockShift(window, rows, cols, peak))
        shift = agree(blocks, within_px=GRADIENT_AGREE_PX if options.gradients else AGREE_PX)
        moving = options.apply and shift.is_found and shift.length_px >= options.min_shift_px
        if moving:
            moves[scene.id] = (shift.rows, shift.cols)
        found.append(SceneShift(scene.id, _day(scenes, scene), shift, moving))
    return (_move(plan, moves) if moves else plan), tuple(found)


def _find_reference(
    plan: CubePlan, scenes: Sequence[tuple[ScenePlan, StepPlan]], options: CoregisterOptions
) -> ScenePlan:  # fmt: skip
    if options.reference is None:
        return scenes[0][0]
    wanted = options.reference
    for scene, step in scenes:
        if step.start is not None and step.end is not None and step.start.date() <= wanted <= step.end.date():
            return scene
    days = [_day(scenes, s) for s, _ in scenes]
    raise CubeError(f"coregister: no scene of {plan.name!r} is of {wanted}; its dates are {', '.join(days[:8])}"
                    f"{', ...' if len(days) > 8 else ''}")  # fmt: skip


def _day(scenes: Sequence[tuple[ScenePlan, StepPlan]], scene: ScenePlan) -> str:
    step = next(step for s, step in scenes if s.id == scene.id)
    return "no date" if step.start is None else str(date.fromordinal(step.start.toordinal()))


def _read(plan: CubePlan, scene: ScenePlan, band: str, window: object, is_power: bool) -> NDArray[np.float32]:
    """Read a window of one scene alone; power in decibels, in which shadows count as much as towns."""
    step = plan.steps[0]
    day = replace(step.days[0], scenes=(scene,)) if step.days else None
    days = next(s.days for s in plan.steps if s.days)
    alone = replace(plan, steps=(StepPlan(None, None, (day or replace(days[0], scenes=(scene,)),)),))
    values: NDArray[np.float32] = read_plan(alone, window, bands=[band])[0, 0]  # type: ignore[arg-type]
    return to_db(values) if is_power else values


def _move(plan: CubePlan, moves: Mapping[str, tuple[float, float]]) -> CubePlan:
    def shifted(file: FilePlan, shift: tuple[float, float]) -> FilePlan:
        return replace(file, shift=shift)

    def move(scene: ScenePlan) -> ScenePlan:
        shift = moves.get(scene.id)
        if shift is None:
            return scene
        masks = tuple(replace(m, file=shifted(m.file, shift)) for m in scene.masks)
        margin = int(np.ceil(max(abs(v) for v in shift))) + 1
        return replace(scene, files=tuple(shifted(f, shift) for f in scene.files), masks=masks,
                       footprint=scene.footprint.pad(margin))  # fmt: skip

    steps = tuple(
        replace(s, days=tuple(replace(d, scenes=tuple(move(x) for x in d.scenes)) for d in s.days)) for s in plan.steps
    )
    return replace(plan, steps=steps)


def describe_shifts(name: str, shifts: Sequence[SceneShift]) -> list[str]:
    """Say in notes how the scenes lie on the reference."""
    others = shifts[1:]
    found = [s for s in others if s.shift.is_found]
    lengths = sorted(s.shift.length_px for s in found)
    said = [f"{name}: shifts against {shifts[0].scene} ({shifts[0].day}) were found for {len(found)} of {len(others)} scenes; "
            f"{sum(s.is_applied for s in others)} were moved."]  # fmt: skip
    if lengths:
        worst = max(found, key=lambda s: s.shift.length_px)
        said.append(f"{name}: median shift {lengths[len(lengths) // 2]:.2f} px, largest {worst.shift.length_px:.2f} px: "
                    f"{worst.scene} ({worst.day}), {worst.shift.describe()}.")  # fmt: skip
    return said
