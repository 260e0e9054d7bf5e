"""Does a model fit the cube it is asked to map? Bands, resolution, dates and the range of values, against the card."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.grid import Window, geobox_of, metres_per_pixel
from landweave.legend import Legend, suggest_name
from landweave.models.band_order import find_order
from landweave.types import CubeSet, ModelCard, ModelInput

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_inputs", "check_legend"]

PROBE_PX = 64
"""Side of each of the four windows that are looked at; a grid of up to twice as much is read whole."""
RESOLUTION_TOLERANCE = 0.1
FACTORS = (10000.0, 1000.0, 255.0, 100.0, 0.01, 0.001, 0.0001)
"""Ratios between the cube's values and the training data's that have a common cause: an unstated or doubled scale."""


def check_inputs(card: ModelCard, cubes: CubeSet) -> list[str]:
    """Check a cube against the card of the model that is to map it; reads four small windows.

    Args:
        card: The model's card.
        cubes: The cube, with the steps of one season where the model is bound to a season.

    Returns:
        Warnings, one sentence each: bands whose median lies outside the 1st to 99th percentile of the training data, bands that
        look exchanged, optional inputs that are absent, inputs whose resolution the training table did not state.

    Raises:
        ModelError: If a band is missing, the pixel size on the ground differs by more than a tenth, steps or dates differ, or
            a band's median lies outside ten times the training span; the message names the fix.
    """
    notes = []
    for spec in card.inputs:
        if spec.name not in cubes.cubes:
            if spec.required:
                raise ModelError(f"model reads the cube {spec.name!r}, there is {', '.join(cubes.cubes) or 'none'}; "
                                 f"name the imagery source {spec.name!r} in the recipe")  # fmt: skip
            notes.append(f"Optional input {spec.name!r} is absent and is treated as not observed.")
            continue
        cube = cubes[spec.name]
        _check_bands(spec, cube)
        notes += _check_resolution(spec, cube)
        _check_steps(spec, cube)
    return notes + _check_values(card, cubes)


def _check_bands(spec: ModelInput, cube: xr.DataArray) -> None:
    has = [str(b) for b in cube["band"].values]
    if has == list(spec.bands):
        return
    missing = [b for b in spec.bands if b not in has]
    if missing:
        near = suggest_name(missing[0], [b for b in has if b not in spec.bands])
        hint = f" ({near!r} looks like it)" if near else ""
        raise ModelError(f"cube {spec.name!r} lacks the band {missing[0]!r}{hint}: the model reads {', '.join(spec.bands)}, "
                         f"the cube has {', '.join(has)}; name the bands with layers or bands in the recipe, or with "
                         f"--bands {','.join(spec.bands)}")  # fmt: skip
    raise ModelError(f"cube {spec.name!r} has the bands {', '.join(has)}, the model reads {', '.join(spec.bands)}; "
                     f"set cube: bands to [{', '.join(spec.bands)}]")  # fmt: skip


def _check_resolution(spec: ModelInput, cube: xr.DataArray) -> list[str]:
    if spec.metres is None:
        return [f"The training table of input {spec.name!r} states no pixel size, so that the cube's cannot be compared."]
    found = metres_per_pixel(geobox_of(cube))
    for axis, mine, theirs in zip("xy", found, spec.metres, strict=True):
        if abs(mine / theirs - 1) > RESOLUTION_TOLERANCE:
            raise ModelError(f"cube {spec.name!r} has pixels of {mine:.4g} m in {axis}, the model was trained on {theirs:.4g}; "
                             f"set the cube's resolution to that of the training cube "
                             f"({', '.join(f'{r:g}' for r in spec.resolution or spec.metres)})")  # fmt: skip
    return []


def _check_steps(spec: ModelInput, cube: xr.DataArray) -> None:
    steps = cube.sizes.get("time")
    if steps != spec.n_steps:
        raise ModelError(f"cube {spec.name!r} has {_steps(steps)}, the model was trained on {_steps(spec.n_steps)}"
                         f"{_listing(spec, cube)}; choose the same period and steps with start, end and period_days"
                         f"{', or the season of the model' if spec.season else ''}")  # fmt: skip
    if spec.dates is None or steps is None:
        return
    wanted = np.array([date.fromisoformat(d[:10]).toordinal() for d in spec.dates])
    days = np.array([date.fromisoformat(str(t)[:10]).toordinal() for t in cube["time"].values])
    half = np.median(np.diff(wanted)) / 2 if len(wanted) > 1 else 16.0
    off = np.flatnonzero(np.abs(days - wanted) > half)
    if off.size:
        shown = ", ".join(f"{spec.dates[i][:10]} (cube: {date.fromordinal(int(days[i]))})" for i in off[:5])
        more = f" and {off.size - 5} more" if off.size > 5 else ""
        raise ModelError(f"dates of cube {spec.name!r} are off by more than half a step ({half:g} days): the model expects "
                         f"{shown}{more}; map the same dates, or train with a season, which other years share")  # fmt: skip


def _steps(n: int | None) -> str:
    return "no time" if n is None else f"{n} time step{'s' if n != 1 else ''}"


def _listing(spec: ModelInput, cube: xr.DataArray) -> str:
    has = [str(t)[:10] for t in cube["time"].values] if "time" in cube.coords and cube["time"].ndim else []
    if not has or not spec.dates:
        return ""
    return f" (cube {has[0]} .. {has[-1]}, model {spec.dates[0][:10]} .. {spec.dates[-1][:10]})"


def _windows(shape: tuple[int, int]) -> list[Window]:
    if max(shape) <= 2 * PROBE_PX:
        return [Window(0, 0, *shape)]
    places = ((0.25, 0.3), (0.3, 0.75), (0.7, 0.25), (0.75, 0.7))
    found = {Window(int(shape[0] * r), int(shape[1] * c), PROBE_PX, PROBE_PX).clip(shape) for r, c in places}
    return sorted(found)


def _check_values(card: ModelCard, cubes: CubeSet) -> list[str]:
    from landweave.cube import read_blocks  # heavy, and listing or loading models needs none of it

    specs = [i for i in card.inputs if i.name in cubes.cubes]
    seen: dict[str, list[NDArray[np.float32]]] = {i.name: [] for i in specs}
    for window in _windows((*cubes.geobox.shape,)):
        for name, block in read_blocks(cubes, window, names=list(seen)).items():
            seen[name].append(np.moveaxis(block.interior, -3, -1).reshape(-1, block.interior.shape[-3]))
    notes = []
    for spec in specs:
        values = np.concatenate(seen[spec.name])
        for band, column in zip(spec.bands, values.T, strict=True):
            key, valid = f"{spec.name}.{band}", column[~np.isnan(column)]
            if key in card.p01 and valid.size:
                notes += _compare_span(key, float(np.median(valid)), card.p01[key], card.p99[key])
        notes += _check_order(spec, card, values)
    return notes


def _check_order(spec: ModelInput, card: ModelCard, values: NDArray[np.float32]) -> list[str]:
    trained = card.band_statistics.get(spec.name)
    order = find_order(trained, values) if trained is not None else None
    if order is None:
        return []
    moved = [f"{spec.bands[at]} for {band}" for at, band in zip(order, spec.bands, strict=True) if spec.bands[at] != band]
    return [f"The bands of {spec.name!r} look exchanged: values are much more like the training data with {', '.join(moved)}. "
            "Check the order of layers or bands against the files."]  # fmt: skip


def _compare_span(key: str, median: float, p01: float, p99: float) -> list[str]:
    width, middle = p99 - p01, (p01 + p99) / 2
    reach = max(width, 1e-6 * max(abs(p01), abs(p99)))
    if p01 <= median <= p99:
        return []
    span = f"the training data's 1st to 99th percentile is {p01:.4g} to {p99:.4g}"
    if abs(median - middle) > 5 * reach:
        factor = next((f for f in FACTORS if middle * median > 0 and 1 / 3 < median / middle / f < 3), None)
        hint = (f"the values look like x {factor:g} of the training data; set scale: {1 / factor:g} for this source" if factor
                else "state the scale, offset and nodata of this source as they were in training")  # fmt: skip
        raise ModelError(f"median of {key} is {median:.4g}, {span}; {hint}")
    return [f"Median of {key} is {median:.4g}, {span}: the model has seen little of the kind."]


def check_legend(card: ModelCard, legend: Legend) -> None:
    """Check that a model maps the classes of a legend: the same codes with the same names, in any order.

    Raises:
        ModelError: If they differ; lists the classes that one has and the other lacks.
    """
    mine, theirs = _classes(card.legend), _classes(legend)
    if mine == theirs:
        return
    only_model, only_legend = sorted(mine - theirs), sorted(theirs - mine)
    raise ModelError(f"model {card.model!r} was trained for another legend: it has {_named(only_model)} that the legend lacks, "
                     f"the legend has {_named(only_legend)} that the model lacks; train a model for this legend, or take the "
                     "model's own (legend.json in its folder)")  # fmt: skip


def _classes(legend: Legend) -> set[tuple[int, str]]:
    return {(c.code, c.name) for c in legend}


def _named(classes: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{code} {name}" for code, name in classes[:6]) + (", ..." if len(classes) > 6 else "") or "none"
