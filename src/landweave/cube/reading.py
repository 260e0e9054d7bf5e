"""Reading a window of a cube: stored values to physical ones, masks, valid ranges, mosaics, indices, composites, filling.

Receives a `CubePlan` and a `Window`; hands on float32 arrays. Every step looks at the window alone, so that a pixel's value
does not depend on the window that it was read in.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube.compositing import (
    Stack,
    compose,
    compose_layers,
    fill_series,
    layer_names,
    leading_band,
    needed_bands,
    needs_stack,
    uses_clouds,
)
from landweave.cube.converting import MedianDays, Sink, Values
from landweave.cube.options import CombineRule
from landweave.cube.parts import group_bands, split_window, stored_bands
from landweave.cube.plan import CubePlan, DayPlan, FilePlan, LayerPlan, MaskPlan, ScenePlan, StepPlan
from landweave.features.composite import compose_median
from landweave.features.indices import compute_index
from landweave.grid import Window
from landweave.io.rasters import Stored, read_flags, read_stored

__all__ = ["OutsideCount", "combine", "read_plan"]

Array = NDArray[np.float32]
Layers = dict[int, Stored]


class OutsideCount:
    """Counts, per (step, band), the observations read and those outside their band's valid range; safe among threads."""

    def __init__(self, *, keep_values: bool = False) -> None:
        self.seen: Counter[tuple[int, str]] = Counter()
        self.outside: Counter[tuple[int, str]] = Counter()
        self.values: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
        self.gaps: Counter[str] = Counter()
        self._keep = keep_values
        self._lock = threading.Lock()

    def add(self, key: tuple[int, str], seen: int, outside: int) -> None:
        """Add the counts of one array."""
        with self._lock:
            self.seen[key] += seen
            self.outside[key] += outside

    def keep(self, key: tuple[int, str], layer: LayerPlan, found: Stored, clear: NDArray[np.bool_] | None) -> None:
        """Keep the valid values of one layer, those outside included, where percentiles will be asked for."""
        if self._keep:
            stored, valid = found.first()
            valid = valid if clear is None else valid & clear
            self.values.setdefault(key, []).append(stored[valid].astype(np.float64) * layer.scale + layer.offset)

    def add_gaps(self, values: int, gaps: int, left: int) -> None:
        """Add the counts of one filled array: its values, those that were missing, and those that still are."""
        with self._lock:
            self.gaps.update({"values": values, "gaps": gaps, "left": left})

    def total(self, band: str) -> tuple[int, int]:
        """Give the observations of a band over all steps: read, and outside."""
        return sum(n for (_, b), n in self.seen.items() if b == band), sum(n for (_, b), n in self.outside.items() if b == band)


@dataclass
class _Workspace:
    """What the groups of bands of one window share.

    Attributes:
        clear: Where each scene is clear, by its identity; None where there is a single group.
        stack: Memory for the days of a step: fresh memory costs more than what is written to it.
    """

    clear: dict[int, NDArray[np.bool_] | None] | None = None
    stack: Array = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def days(self, shape: tuple[int, ...]) -> Array:
        """Give an array of any content, good until the next one is asked for."""
        size = math.prod(shape)
        if self.stack.size < size:
            self.stack = np.empty(size, dtype=np.float32)
        return self.stack[:size].reshape(shape)

    def keys(self, shape: tuple[int, ...]) -> NDArray[np.uint16]:
        """Give the same memory as numbers of 16 bits."""
        size = math.prod(shape)
        return self.days((-(-size // 2),)).view(np.uint16)[:size].reshape(shape)


class _Reader:
    """Reads files on one window; a file that several steps share is read once, with all the layers they need."""

    def __init__(
        self, plan: CubePlan, window: Window, files: Iterable[FilePlan], bands: frozenset[str], space: _Workspace
    ) -> None:  # fmt: skip
        self.geobox, self.window, self.bands, self.decimate = plan.geobox, window, bands, plan.decimate
        self.space = space
        self._wanted: dict[tuple[object, ...], set[int]] = {}
        self._uses: dict[tuple[object, ...], int] = {}
        self._held: dict[tuple[object, ...], Layers] = {}
        # a mask that grows is registered, too, but read apart: nothing is held for it
        for file in files:
            layers = self._layers(file)
            if layers:
                self._wanted.setdefault(file.key, set()).update(layers)
                self._uses[file.key] = self._uses.get(file.key, 0) + 1

    def _layers(self, plan: FilePlan) -> list[int]:
        return [entry.layer for entry in plan.layers if entry.band in self.bands or entry.band == ""]

    def read(self, plan: FilePlan, room: NDArray[np.uint16] | None = None) -> Layers:
        layers = self._held.get(plan.key)
        if layers is None:
            order = sorted(self._wanted[plan.key])
            if len(order) > 1 or self._uses[plan.key] > 1:  # what is held for another step must not lie in one step's memory
                room = None
            found = read_stored(
                plan.path, order, plan.place(self.geobox), self.window, resampling=plan.resampling, nodata=plan.nodata,
                src_crs=plan.crs, decimate=self.decimate, room=room,
            )  # fmt: skip
            layers = self._held[plan.key] = {n: found.layer(i) for i, n in enumerate(order)}
        self._release(plan)
        return layers

    def skip(self, plan: FilePlan) -> None:
        """Go without a file that was registered."""
        self._release(plan)

    def _release(self, plan: FilePlan) -> None:
        self._uses[plan.key] -= 1
        if self._uses[plan.key] == 0:
            self._held.pop(plan.key, None)

    def read_clear(self, scene: ScenePlan) -> NDArray[np.bool_] | None:
        """Tell where all masks of a scene say clear; None where it has none."""
        held = self.space.clear
        if held is not None and id(scene) in held:
            return held[id(scene)]
        clear: NDArray[np.bool_] | None = None
        for mask in scene.masks:
            clear = self.read_mask(mask) if clear is None else clear & self.read_mask(mask)
        if held is not None:
            held[id(scene)] = clear
        return clear

    def read_mask(self, mask: MaskPlan) -> NDArray[np.bool_]:
        """Tell where a mask says clear; a mask that grows is looked at on its own grid, with a margin around the window."""
        if mask.dilate_px == 0 or self.decimate:  # a coarse look does without the growth
            stored, valid = self.read(mask.file)[mask.file.layers[0].layer].first()
            return valid & _is_clear(stored, mask)
        file = mask.file

        def grow(stored: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
            unclear = valid & ~_is_clear(stored, mask)
            return valid & ~dilate(unclear, mask.dilate_px)

        return read_flags(
            file.path, file.layers[0].layer, file.place(self.geobox), self.window, grow, margin_px=mask.dilate_px,
            nodata=file.nodata, src_crs=file.crs,
        )  # fmt: skip

    def read_unclear(self, mask: MaskPlan) -> NDArray[np.bool_]:
        """Tell where a mask says that there is cloud or shadow; nodata is neither."""
        file = mask.file

        def find(stored: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
            unclear = valid & ~_is_clear(stored, mask)
            return dilate(unclear, mask.dilate_px) if mask.dilate_px else unclear

        return read_flags(
            file.path, file.layers[0].layer, self.geobox, self.window, find, margin_px=mask.dilate_px, nodata=file.nodata,
            src_crs=file.crs,
        )  # fmt: skip


def _is_clear(stored: NDArray[Any], mask: MaskPlan) -> NDArray[np.bool_]:
    clear = np.ones(stored.shape, dtype=bool)
    if mask.bits:
        whole = np.nan_to_num(stored).astype(np.int64) if stored.dtype.kind == "f" else stored
        clear = (whole & sum(1 << b for b in mask.bits)) == 0
    return clear & np.isin(stored, mask.clear) if mask.clear else clear


def dilate(flags: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Let true pixels grow by `radius_px` in all eight directions, as Fmask does (Zhu and Woodcock 2012, section 3.3).

    Args:
        flags: (y, x).
        radius_px: Pixels that are added on each side; the window is a square of side 2 * radius_px + 1.
    """
    from scipy.ndimage import maximum_filter

    grown = maximum_filter(flags.view(np.uint8), size=2 * radius_px + 1, mode="constant", cval=0)
    return np.asarray(grown.view(bool))


def _read_scene(
    scene: ScenePlan, reader: _Reader, sink: Sink, bands: Sequence[str], step: int, count: OutsideCount | None
) -> None:
    """Put a scene's layers into a sink, which is told of the bands that the scene lacks."""
    missing = set(bands)
    clear = reader.read_clear(scene)
    no_use = count is None and clear is not None and not clear.any()  # nowhere clear: the bands need not be read
    for plan in scene.files:
        wanted = [entry for entry in plan.layers if entry.band in reader.bands]
        if no_use and wanted:
            reader.skip(plan)
            continue
        layers = reader.read(plan, sink.room(bands.index(wanted[0].band))) if wanted else {}
        for entry in wanted:
            found = layers[entry.layer]
            seen, outside = sink.put(bands.index(entry.band), found, clear, entry)
            missing.discard(entry.band)
            if count is not None:
                count.add((step, entry.band), seen, outside)
                count.keep((step, entry.band), entry, found, clear)
    for band in missing:
        sink.leave(bands.index(band))


def combine(stack: Sequence[Array], rule: CombineRule) -> Array:
    """Make one array of several of one shape: the first or last valid value, or the mean or median of the valid ones."""
    if len(stack) == 1:
        return stack[0]
    if rule in ("first", "last"):
        ordered = list(stack) if rule == "first" else list(stack)[::-1]
        out = ordered[0].copy()
        for other in ordered[1:]:
            np.copyto(out, other, where=np.isnan(out))
        return out
    data = np.stack(stack)
    if rule == "median":
        return compose_median(data)
    n = (~np.isnan(data)).sum(axis=0)
    total = np.nansum(data, axis=0, dtype=np.float64)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan).astype(np.float32)


def _read_day(
    plan: CubePlan, day: DayPlan, reader: _Reader, step: int, count: OutsideCount | None
) -> Array | None:  # fmt: skip
    """Mosaic a day's scenes: (stored band, y, x) of the bands that are wanted, or None where no scene touches the window."""
    bands = [b for b in plan.stored if b in reader.bands]
    made: list[Array] = []
    for scene in day.scenes:
        if not scene.touches(reader.window):
            continue
        out = np.empty((len(bands), reader.window.height, reader.window.width), dtype=np.float32)
        _read_scene(scene, reader, Values(out), bands, step, count)
        made.append(out)
        if plan.mosaic == "first" and len(made) > 1:
            made = [combine(made, "first")]
    return combine(made, plan.mosaic) if made else None


def _add_indices(plan: CubePlan, values: Array, stored: Sequence[str], bands: Sequence[str]) -> Array:
    if list(stored) == list(bands):
        return values
    named = {name: values[i] for i, name in enumerate(stored)}
    return np.stack([
        named[b] if b in plan.stored else np.asarray(compute_index(b, named), dtype=np.float32) for b in bands
    ])  # fmt: skip


def _read_step(plan: CubePlan, i: int, bands: Sequence[str], reader: _Reader, out: Array, count: OutsideCount | None) -> None:
    """Fill `out` (band, y, x) with one step."""
    step = plan.steps[i]
    held = [b for b in plan.stored if b in reader.bands]
    days = [s for s in ([x for x in d.scenes if x.touches(reader.window)] for d in step.days) if s]
    if held == list(bands) and days and all(len(scenes) == 1 for scenes in days):
        if len(days) == 1:  # the common case writes where the values are to be
            _read_scene(days[0][0], reader, Values(out), held, i, count)
            return
        if plan.composite == "median":
            _read_median([scenes[0] for scenes in days], reader, out, held, i, count)
            return
    stack = _read_stack(plan, i, bands, reader, count)
    out[...] = compose(plan, step, stack) if stack is not None else np.float32(np.nan)


def _read_median(
    scenes: Sequence[ScenePlan], reader: _Reader, out: Array, bands: Sequence[str], step: int, count: OutsideCount | None
) -> None:  # fmt: skip
    """Write the median of days of a single scene each into `out` (band, y, x)."""
    days = MedianDays(reader.space.keys((len(bands), len(scenes), *out.shape[1:])))
    for days.day, scene in enumerate(scenes):
        _read_scene(scene, reader, days, bands, step, count)
    days.compose(out)


def _read_stack(plan: CubePlan, i: int, bands: Sequence[str], reader: _Reader, count: OutsideCount | None) -> Stack | None:
    """Read the days of one step that touch the window, or None where none does."""
    held = [b for b in plan.stored if b in reader.bands]
    is_plain = held == list(bands)
    days = [d for d in plan.steps[i].days if any(s.touches(reader.window) for s in d.scenes)]
    if not days:
        return None
    values = reader.space.days((len(days), len(bands), reader.window.height, reader.window.width))
    for k, day in enumerate(days):
        scenes = [s for s in day.scenes if s.touches(reader.window)]
        if is_plain and len(scenes) == 1:
            _read_scene(scenes[0], reader, Values(values[k]), held, i, count)
        else:
            mosaic = _read_day(plan, day, reader, i, count)
            values[k] = np.nan if mosaic is None else _add_indices(plan, mosaic, held, bands)
    stack = Stack(tuple(bands), values, np.array([d.day for d in days]))
    if uses_clouds(plan):
        stack.cloud_px = np.stack([_measure_clouds(plan, d, reader) for d in days])
    return stack


def _measure_clouds(plan: CubePlan, day: DayPlan, reader: _Reader) -> Array:
    """Distance of each pixel to the nearest cloud of a day in pixels, up to the distance from which it matters no more."""
    from scipy.ndimage import distance_transform_edt

    most = plan.series.compositing.cloud_distance_px
    around = reader.window.pad(most)
    wide = _Reader(plan, around, (), frozenset(), _Workspace())
    unclear = np.zeros((around.height, around.width), dtype=bool)
    for scene in day.scenes:
        if scene.touches(around):
            for mask in scene.masks:
                unclear |= wide.read_unclear(mask)
    if not unclear.any():
        return np.full((reader.window.height, reader.window.width), most, dtype=np.float32)
    distance = distance_transform_edt(~unclear)[most:-most, most:-most]
    return np.asarray(np.minimum(distance, most), dtype=np.float32)


def _plan_files(steps: Iterable[StepPlan], window: Window, *, has_masks: bool) -> Iterable[FilePlan]:
    for step in steps:
        for day in step.days:
            for scene in day.scenes:
                if scene.touches(window):
                    yield from scene.files
                    yield from (m.file for m in scene.masks if has_masks)


def read_plan(
    plan: CubePlan, window: Window, *, steps: Sequence[int] | None = None, bands: Sequence[str] | None = None,
    count: OutsideCount | None = None,
) -> Array:  # fmt: skip
    """Read a window of a cube.

    Args:
        plan: The cube.
        window: Pixels of its grid; what lies outside is NaN.
        steps: Positions of the time steps wanted; all by default. Filling sees all steps, whichever are wanted.
        bands: Bands wanted, out of `plan.outputs` or `plan.stored`, in order; all outputs by default.
        count: Collects the observations outside their valid range, and what was filled.

    Returns:
        float32 (time, band, y, x), NaN where there is no valid observation.

    Raises:
        SourceError: If a file cannot be read; names it.
    """
    wanted = list(plan.outputs if bands is None else bands)
    base = [b for b in plan.bands if set(plan.columns(b)) & set(wanted)]
    base += [b for b in wanted if b in plan.stored and b not in plan.bands]  # the probe looks at what indices are made of
    if "filled" in wanted or (needs_stack(plan) and not base):
        base = list(plan.bands)
    chosen = list(range(len(plan.steps)) if steps is None or plan.fill else steps)
    names = needed_bands(plan, base)
    parts = split_window(plan, window, chosen, names)
    n_steps = len(plan.steps) if steps is None else len(steps)
    out = np.empty((n_steps, len(wanted), window.height, window.width), dtype=np.float32)
    for part in parts:
        values, columns, layers = _read_part(plan, part, chosen, names, count)
        if len(parts) == 1 and columns == wanted and len(values) == n_steps:
            return values
        rows, cols = (slice(a - o, b - o) for a, b, o in
                      ((part.row, part.row_end, window.row), (part.col, part.col_end, window.col)))  # fmt: skip
        for k, name in enumerate(wanted):
            made = values[:, columns.index(name)] if name in columns else layers[name]
            out[:, k, rows, cols] = made if len(made) == n_steps else made[list(steps or ())]
    return out


def _read_part(
    plan: CubePlan, window: Window, chosen: Sequence[int], names: Sequence[str], count: OutsideCount | None
) -> tuple[Array, list[str], dict[str, Array]]:  # fmt: skip
    """Read, composite and fill one part: values (time, column, y, x), the columns' names, and layers (time, y, x)."""
    groups = group_bands(plan, names, chosen, window)
    columns = [c for group in groups for b in group for c in plan.columns(b)]
    out = np.empty((len(chosen), len(columns), window.height, window.width), dtype=np.float32)
    size, start = (len(chosen), window.height, window.width), {"filled": 0.0, "observations": 0.0}
    layers = {n: np.full(size, start.get(n, np.nan), np.float32) for n in layer_names(plan)}
    space, at = _Workspace({} if len(groups) > 1 else None), 0
    for n, group in enumerate(groups):
        files = _plan_files((plan.steps[i] for i in chosen), window, has_masks=n == 0)
        reader = _Reader(plan, window, files, stored_bands(plan, group), space)
        end = at + sum(len(plan.columns(b)) for b in group)
        for k, i in enumerate(chosen):
            _read_group(plan, i, group, reader, out[k, at:end], {n: v[k] for n, v in layers.items()}, count)
        at = end
    if plan.fill and not plan.is_static:
        _fill(plan, out, layers, columns, count)
    return out, columns, layers


def _read_group(
    plan: CubePlan, i: int, bands: Sequence[str], reader: _Reader, out: Array, layers: dict[str, Array],
    count: OutsideCount | None,
) -> None:  # fmt: skip
    """Fill `out` (column, y, x), and the layers (y, x) where the bands are those that these tell of, with one step."""
    if not needs_stack(plan):
        _read_step(plan, i, bands, reader, out, count)
        return
    stack = _read_stack(plan, i, bands, reader, count)
    if stack is None:
        out[...] = np.nan
        return
    out[...] = compose(plan, plan.steps[i], stack)
    if leading_band(plan) in bands:
        for name, layer in compose_layers(plan, stack, tuple(layers)).items():
            layers[name][...] = layer


def _fill(plan: CubePlan, values: Array, layers: dict[str, Array], columns: Sequence[str], count: OutsideCount | None) -> None:
    """Fill `values` (time, column, y, x) in place, one column after the other, and the layer that tells of it."""
    weights = layers["observations"] if plan.series.filling.weighted else None
    own = {c for b in plan.bands for c in plan.columns(b)} & set(columns)
    gaps = left = 0
    for k, name in enumerate(columns):
        given = values[:, k : k + 1]
        filled = fill_series(plan, given, weights)
        if name in own:
            gap, still = np.isnan(given[:, 0]), np.isnan(filled[:, 0])
            gaps, left = gaps + int(gap.sum()), left + int(still.sum())
            if "filled" in layers:
                layers["filled"] += gap & ~still
        values[:, k : k + 1] = filled
    if "filled" in layers:
        layers["filled"] /= np.float32(len(own))
    if count is not None:
        count.add_gaps(len(own) * values[:, 0].size, gaps, left)
