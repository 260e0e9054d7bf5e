"""Reading a window of a cube: stored values to physical ones, masks, valid ranges, mosaics, indices, composites, filling.

Receives a `CubePlan` and a `Window`; hands on float32 arrays. Every step looks at the window alone, so that a pixel's value
does not depend on the window that it was read in.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube.options import CombineRule
from landweave.cube.plan import CubePlan, DayPlan, FilePlan, LayerPlan, MaskPlan, ScenePlan, StepPlan
from landweave.features.indices import compute_index, get_index
from landweave.features.series import fill_linear
from landweave.grid import Window
from landweave.io._kernels import to_physical
from landweave.io.rasters import read_flags, read_window

__all__ = ["OutsideCount", "combine", "read_plan"]

Array = NDArray[np.float32]
Layers = dict[int, tuple[NDArray[np.generic], NDArray[np.bool_]]]


class OutsideCount:
    """Counts, per (step, band), the observations read and those outside their band's valid range; safe among threads."""

    def __init__(self, *, keep_values: bool = False) -> None:
        self.seen: Counter[tuple[int, str]] = Counter()
        self.outside: Counter[tuple[int, str]] = Counter()
        self.values: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
        self._keep = keep_values
        self._lock = threading.Lock()

    def add(self, key: tuple[int, str], seen: int, outside: int) -> None:
        """Add the counts of one array."""
        with self._lock:
            self.seen[key] += seen
            self.outside[key] += outside

    def keep(self, key: tuple[int, str], stored: NDArray[Any], valid: NDArray[np.bool_], layer: LayerPlan) -> None:
        """Keep the valid values, those outside included, where percentiles will be asked for."""
        if self._keep:
            self.values.setdefault(key, []).append(stored[valid].astype(np.float64) * layer.scale + layer.offset)

    def total(self, band: str) -> tuple[int, int]:
        """Give the observations of a band over all steps: read, and outside."""
        return sum(n for (_, b), n in self.seen.items() if b == band), sum(n for (_, b), n in self.outside.items() if b == band)


class _Reader:
    """Reads files on one window; a file that several steps share is read once, with all the layers they need."""

    def __init__(self, plan: CubePlan, window: Window, files: Iterable[FilePlan], bands: frozenset[str]) -> None:
        self.geobox, self.window, self.bands, self.decimate = plan.geobox, window, bands, plan.decimate
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

    def read(self, plan: FilePlan) -> Layers:
        layers = self._held.get(plan.key)
        if layers is None:
            order = sorted(self._wanted[plan.key])
            values, valid = read_window(
                plan.path, order, plan.place(self.geobox), self.window, resampling=plan.resampling, nodata=plan.nodata, src_crs=plan.crs,
                decimate=self.decimate,
            )  # fmt: skip
            layers = self._held[plan.key] = {n: (values[i], valid[i]) for i, n in enumerate(order)}
        self._release(plan)
        return layers

    def skip(self, plan: FilePlan) -> None:
        """Go without a file that was registered."""
        self._release(plan)

    def _release(self, plan: FilePlan) -> None:
        self._uses[plan.key] -= 1
        if self._uses[plan.key] == 0:
            self._held.pop(plan.key, None)

    def read_mask(self, mask: MaskPlan) -> NDArray[np.bool_]:
        """Tell where a mask says clear; a mask that grows is looked at on its own grid, with a margin around the window."""
        if mask.dilate_px == 0 or self.decimate:  # a coarse look does without the growth
            stored, valid = self.read(mask.file)[mask.file.layers[0].layer]
            return valid & _is_clear(stored, mask)
        file = mask.file

        def grow(stored: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
            unclear = valid & ~_is_clear(stored, mask)
            return valid & ~dilate(unclear, mask.dilate_px)

        return read_flags(
            file.path, file.layers[0].layer, file.place(self.geobox), self.window, grow, margin_px=mask.dilate_px, nodata=file.nodata,
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


def _widen(valid_range: tuple[float, float]) -> tuple[float, float]:
    """Give the range with slack for rounding, so that 10000 * 1e-4 is still 1."""
    low, high = valid_range
    slack = 1e-6 * max((abs(v) for v in valid_range if np.isfinite(v)), default=0.0)
    return low - slack, high + slack


def _read_scene(
    scene: ScenePlan, reader: _Reader, out: Array, bands: Sequence[str], step: int, count: OutsideCount | None
) -> None:
    """Put a scene's values into `out` (band, y, x); bands that the scene lacks become NaN."""
    missing = set(bands)
    clear: NDArray[np.bool_] | None = None
    for mask in scene.masks:
        clear = reader.read_mask(mask) if clear is None else clear & reader.read_mask(mask)
    no_use = count is None and clear is not None and not clear.any()  # nowhere clear: the bands need not be read
    for plan in scene.files:
        wanted = [entry for entry in plan.layers if entry.band in reader.bands]
        if no_use and wanted:
            reader.skip(plan)
            continue
        layers = reader.read(plan) if wanted else {}
        for entry in wanted:
            stored, valid = layers[entry.layer]
            valid = valid if clear is None else valid & clear
            target = out[bands.index(entry.band)]
            seen, outside = to_physical(stored, valid, entry.scale, entry.offset, *_widen(entry.valid_range), target)
            missing.discard(entry.band)
            if count is not None:
                count.add((step, entry.band), seen, outside)
                count.keep((step, entry.band), stored, valid, entry)
    for band in missing:
        out[bands.index(band)] = np.nan


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
    n = (~np.isnan(data)).sum(axis=0)
    if rule == "mean":
        total = np.nansum(data, axis=0, dtype=np.float64)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan).astype(np.float32)
    data.sort(axis=0)  # NaN last
    low = np.take_along_axis(data, np.maximum(n - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(data, np.minimum(n // 2, len(stack) - 1)[None], axis=0)[0]
    return np.where(n > 0, (low + high) * np.float32(0.5), np.float32(np.nan))


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
        _read_scene(scene, reader, out, bands, step, count)
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
    scenes = [x for d in step.days for x in d.scenes if x.touches(reader.window)]
    if len(scenes) == 1 and held == list(bands):  # the common case writes where the values are to be
        _read_scene(scenes[0], reader, out, held, i, count)
        return
    days = [_read_day(plan, day, reader, i, count) for day in step.days]
    made = [_add_indices(plan, d, held, bands) for d in days if d is not None]
    out[...] = combine(made, plan.composite) if made else np.float32(np.nan)


def _plan_files(steps: Iterable[StepPlan], window: Window) -> Iterable[FilePlan]:
    for step in steps:
        for day in step.days:
            for scene in day.scenes:
                if scene.touches(window):
                    yield from scene.files
                    yield from (m.file for m in scene.masks)


def read_plan(
    plan: CubePlan, window: Window, *, steps: Sequence[int] | None = None, bands: Sequence[str] | None = None,
    count: OutsideCount | None = None,
) -> Array:  # fmt: skip
    """Read a window of a cube.

    Args:
        plan: The cube.
        window: Pixels of its grid; what lies outside is NaN.
        steps: Positions of the time steps wanted; all by default. Filling sees all steps, whichever are wanted.
        bands: Bands wanted, in order; all by default.
        count: Collects the observations outside their valid range.

    Returns:
        float32 (time, band, y, x), NaN where there is no valid observation.

    Raises:
        SourceError: If a file cannot be read; names it.
    """
    wanted = list(plan.bands if bands is None else bands)
    stored = frozenset(s for b in wanted for s in ((b,) if b in plan.stored else get_index(b).bands))
    chosen = list(range(len(plan.steps)) if steps is None or plan.fill else steps)
    reader = _Reader(plan, window, _plan_files((plan.steps[i] for i in chosen), window), stored)
    out = np.empty((len(chosen), len(wanted), window.height, window.width), dtype=np.float32)
    for k, i in enumerate(chosen):
        _read_step(plan, i, wanted, reader, out[k], count)
    if plan.fill and not plan.is_static:
        out = fill_linear(out, plan.times_days)
        out = out if steps is None else out[list(steps)]
    return out
