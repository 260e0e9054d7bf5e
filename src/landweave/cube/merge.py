"""Scenes of several sensors in one cube: sources merged, reflectance brought to one sensor's.

Receives scenes by source; hands on merged scenes, and a line per instrument and band. Lines are folded into scale and offset of
the layers, so that reading costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from landweave.cube.options import CubeOptions
from landweave.cube.plan import CubePlan
from landweave.cube.planning import Headers, Lines, find_instrument, plan_cube
from landweave.cube.probe import take_pictures
from landweave.cube.reading import read_plan
from landweave.cube.series_options import HarmoniseOptions
from landweave.errors import CubeError
from landweave.features.harmonise import Instrument, Line, fit_line, published_line
from landweave.grid import GeoBox
from landweave.types import Scene

__all__ = ["find_lines", "merge_sources"]


def merge_sources(
    chosen: Mapping[str, Sequence[Scene]], options: CubeOptions
) -> tuple[dict[str, list[Scene]], list[str]]:  # fmt: skip
    """Put the scenes of the sources named in `merge` together; they keep the bands that all of them have.

    Sentinel-2's band 8A takes the name `nir` where the sources are harmonised, and band 8 is left out: 8A is what Landsat's
    band sees (Claverie et al. 2018, doi:10.1016/j.rse.2018.09.002).

    Raises:
        CubeError: If a source is unknown or merged twice, a name is taken, or the sources share no band.
    """
    left = {n: list(s) for n, s in chosen.items()}
    notes: list[str] = []
    for name, parts in options.merge.items():
        missing = [p for p in parts if p not in left]
        if missing or len(parts) < 2:
            raise CubeError(f"merge: {name}: there is no source {missing[0]!r} to merge; sources: {', '.join(left)}"
                            if missing else f"merge: {name} names {list(parts)}; give two sources or more")  # fmt: skip
        own = {p: [_rename_nir(s) for s in left.pop(p)] if options.harmonise else left.pop(p) for p in parts}
        if name in left:
            raise CubeError(f"merge: {name} is the name of a source, too; give the merged cube another name")
        shared = set.intersection(*({b for s in scenes for b in s.bands} for scenes in own.values()))
        if not shared:
            raise CubeError(f"merge: {name}: the sources {', '.join(parts)} share no band; name their bands alike")
        kept = [replace(s, assets=tuple(a for a in s.assets if a.band in shared)) for scenes in own.values() for s in scenes]
        left[name] = sorted(kept, key=lambda s: (str(s.time_start), s.id))
        notes.append(f"{name}: merged from {', '.join(f'{p} ({len(s)} scenes)' for p, s in own.items())}; bands "
                     f"{', '.join(b for b in dict.fromkeys(kept[0].bands) if b in shared)}.")  # fmt: skip
        notes += _note_disjoint(name, own)
    return left, notes


def _note_disjoint(name: str, own: Mapping[str, Sequence[Scene]]) -> list[str]:
    spans = [(min(str(s.time_start)[:10] for s in v), max(str(s.time_start)[:10] for s in v), k) for k, v in own.items()]
    ordered = sorted(spans)
    return [
        f"{name}: the dates of {a[2]} ({a[0]} to {a[1]}) and {b[2]} ({b[0]} to {b[1]}) do not overlap; a change of sensor and "
        "a change of the land cannot be told apart between them."
        for a, b in pairwise(ordered) if a[1] < b[0]
    ]  # fmt: skip


def _rename_nir(scene: Scene) -> Scene:
    if not scene.sensor.name.startswith(("sentinel-2", "hls-s30")):
        return scene
    if "nir08" not in scene.bands:
        raise CubeError(f"scene {scene.id} has no band 8A (nir08), which stands for Landsat's near infrared; load it, or leave "
                        "out harmonise")  # fmt: skip
    assets = [replace(a, band="nir") if a.band == "nir08" else a for a in scene.assets if a.band != "nir"]
    return replace(scene, assets=tuple(assets))


def find_lines(
    name: str, scenes: Sequence[Scene], headers: Headers, geobox: GeoBox, options: CubeOptions
) -> tuple[Lines, list[str]]:  # fmt: skip
    """Find the line of each instrument and band to the sensor that `harmonise` names.

    Raises:
        CubeError: If an instrument cannot be told, nothing was published for it, or too few days are shared.
    """
    asked = options.harmonise
    if asked is None:
        return {}, []
    found = {find_instrument(s) for s in scenes}
    unknown = [s.id for s in scenes if find_instrument(s) is None]
    if unknown:
        raise CubeError(f"harmonise: the instrument of scene {unknown[0]!r} ({len(unknown)} such) cannot be told from its "
                        "sensor, id and platform; expected Landsat, Sentinel-2A or 2B, or HLS: merge no others")  # fmt: skip
    instruments = sorted(i for i in found if i is not None)
    target = _choose_target(asked, instruments)
    others = [i for i in instruments if i != target]
    if asked.method == "published":
        lines = _published(name, scenes, others, target)
    else:
        lines = _fitted(name, scenes, headers, geobox, options, others, target)
    notes = [
        f"{name}: {band} of {instrument} was taken as {line.slope:.4f} x + {line.intercept:.4f} of {target}"
        + (f" (r2 {line.r2:.3f}, {line.n} pairs)" if line.r2 is not None else "") + f"; {line.source}."
        for (instrument, band), line in lines.items()
    ]  # fmt: skip
    return lines, notes


def _choose_target(asked: HarmoniseOptions, instruments: Sequence[Instrument]) -> Instrument:
    if asked.to == "msi":
        return "msi-b" if "msi-b" in instruments and "msi-a" not in instruments else "msi-a"
    return asked.to


def _published(
    name: str, scenes: Sequence[Scene], others: Sequence[Instrument], target: Instrument
) -> dict[tuple[str, str], Line]:  # fmt: skip
    if any(s.sensor.name == "sentinel-2-l1c" for s in scenes):
        raise CubeError(f"harmonise: {name} holds Sentinel-2 level 1C, the published lines here are of surface reflectance; "
                        "take level 2A, or method: overlap")  # fmt: skip
    lines: dict[tuple[str, str], Line] = {}
    for instrument in others:
        own = [s for s in scenes if find_instrument(s) == instrument]
        for band in dict.fromkeys(a.band for s in own for a in s.assets if s.sensor.get_band(a.band).kind == "reflectance"):
            line = published_line(instrument, target, band)
            if line is None:
                raise CubeError(f"harmonise: no line was published for {band!r} of {instrument} to {target}; leave the band "
                                "out (bands), or take method: overlap")  # fmt: skip
            lines[instrument, band] = line
    return lines


def _fitted(
    name: str, scenes: Sequence[Scene], headers: Headers, geobox: GeoBox, options: CubeOptions, others: Sequence[Instrument],
    target: Instrument,
) -> dict[tuple[str, str], Line]:  # fmt: skip
    """Fit lines to coarse pictures of the days that both instruments saw."""
    asked = options.harmonise or HarmoniseOptions()
    bare = options.model_copy(update={"period": None, "period_days": None, "steps": None, "fill": "none", "layers": (),
                                      "composite": "first", "phenology": None, "bands": None, "indices": ()})  # fmt: skip
    plans = {}
    for instrument in (target, *others):
        own = [s for s in scenes if find_instrument(s) == instrument]
        if not own:
            raise CubeError(f"harmonise: no scene of {name!r} is of {target}; choose a sensor that there is "
                            f"({', '.join(others)}), or method: published")  # fmt: skip
        plans[instrument] = plan_cube(f"{name}, {instrument}", own, headers, geobox, bare)[:2]
    lines: dict[tuple[str, str], Line] = {}
    reference, bands = plans[target]
    for instrument in others:
        plan, _ = plans[instrument]
        pairs = [(i, j) for i, a in enumerate(plan.times_days) for j, b in enumerate(reference.times_days)
                 if abs(a - b) <= asked.max_days]  # fmt: skip
        if not pairs:
            raise CubeError(f"harmonise: {instrument} and {target} share no day within {asked.max_days:g} days in {name!r}; "
                            "raise max_days, or take method: published")  # fmt: skip
        for band in (b for b in plan.bands if b in reference.bands and bands[b].kind == "reflectance"):
            x = _sample(plan, headers, band, [i for i, _ in pairs])
            y = _sample(reference, headers, band, [j for _, j in pairs])
            lines[instrument, band] = fit_line(x, y, min_pairs=asked.min_pairs)
    return lines


def _sample(plan: CubePlan, headers: Headers, band: str, steps: Sequence[int]) -> NDArray[np.float32]:
    """Read a band on coarse pictures of some days, one day after the other."""
    pictures = take_pictures(plan, headers)
    return np.concatenate([read_plan(p, w, steps=[i], bands=[band]).ravel() for i in steps for p, w in pictures])
