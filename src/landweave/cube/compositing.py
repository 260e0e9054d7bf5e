"""The days of one period become one value per band; gaps over time are filled.

Receives stacks of one window; hands on arrays of the same window. Every pixel is computed from its own days (and, for the cloud
score, from clouds within a stated distance, read with that margin), so that the window cannot matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from landweave.cube.plan import CubePlan, StepPlan
from landweave.features.composite import (
    compose_geomedian,
    compose_median,
    compose_percentiles,
    compose_weighted_mean,
    find_best,
    find_medoid,
    pick_days,
    score_cloud_distance,
    score_date,
    score_opacity,
)
from landweave.features.harmonic import fit_harmonic
from landweave.features.indices import compute_index, get_index
from landweave.features.phenology import find_season
from landweave.features.series import fill_linear
from landweave.features.smoothing import fill_gaps, smooth_savgol, smooth_whittaker

__all__ = [
    "SIMPLE_RULES", "Stack", "compose", "compose_layers", "fill_series", "is_by_band", "layer_names", "leading_band",
    "needed_bands", "needs_stack", "uses_clouds",
]  # fmt: skip

Array = NDArray[np.float32]

SIMPLE_RULES = frozenset({"first", "last", "mean", "median"})
"""Rules that treat every band by itself and need no dates."""
_JOINT_RULES = frozenset({"medoid", "geomedian"})
_SCORED_RULES = frozenset({"best-pixel", "weighted-mean"})


@dataclass
class Stack:
    """The days of one step in one window.

    Attributes:
        names: Bands, stored ones and indices.
        values: (day, band, y, x).
        days: Middle of each day since 1970-01-01.
        cloud_px: Distance to the nearest cloud in pixels (day, y, x), where the rule scores it.
        season: First and last day of each pixel's season, where the cube has one.
        chosen: Position of the day chosen (y, x), where the rule chooses one.
    """

    names: Sequence[str]
    values: Array
    days: NDArray[np.float64]
    cloud_px: Array | None = None
    season: tuple[Array, Array] | None = None
    chosen: NDArray[np.int16] | None = None

    def band(self, name: str) -> Array:
        """Values of one band (day, y, x)."""
        return self.values[:, list(self.names).index(name)]


def uses_clouds(plan: CubePlan) -> bool:
    """Tell whether the composite scores the distance to clouds."""
    return plan.composite in _SCORED_RULES and plan.series.compositing.cloud_weight > 0


def needs_stack(plan: CubePlan) -> bool:
    """Tell whether a step must be computed from its stack even where it holds a single scene."""
    is_simple = plan.composite in SIMPLE_RULES and plan.series.phenology is None
    return not plan.is_static and not (is_simple and not layer_names(plan))


def is_by_band(plan: CubePlan) -> bool:
    """Tell whether every band is composited by itself."""
    return not plan.is_static and plan.composite in SIMPLE_RULES | {"percentile"} and plan.series.phenology is None


def layer_names(plan: CubePlan) -> tuple[str, ...]:
    """Name the layers that reading makes: those of the cube, and the observations where they weigh the filling."""
    is_weighted = plan.fill and plan.series.filling.weighted
    return tuple(dict.fromkeys((*plan.series.layers, *(("observations",) if is_weighted else ()))))


def needed_bands(plan: CubePlan, wanted: Sequence[str]) -> list[str]:
    """Give the bands that must be read for some of the cube's bands: those that a rule looks at join in."""
    if not needs_stack(plan):
        return list(wanted)
    more: list[str] = []
    if plan.composite in _JOINT_RULES:
        more += plan.series.joint
    if plan.composite == "max-ndvi":
        more.append("ndvi")
    if plan.composite in _SCORED_RULES and plan.series.compositing.opacity_band:
        more.append(plan.series.compositing.opacity_band)
    if plan.series.phenology is not None:
        more.append(plan.series.phenology.band)
    if plan.composite in _SCORED_RULES or layer_names(plan):
        more.append(leading_band(plan))
    return list(dict.fromkeys([*wanted, *more]))


def _limit_to_season(plan: CubePlan, stack: Stack) -> None:
    """Leave only the days of each pixel's own season; a pixel without one keeps all."""
    options = plan.series.phenology
    if options is None:
        return
    start, end = find_season(
        stack.band(options.band), stack.days, amplitude_share=options.amplitude_share, min_amplitude=options.min_amplitude,
        smoothness=options.smoothness,
    )  # fmt: skip
    stack.season = (start, end)
    for day, values in zip(stack.days, stack.values, strict=True):
        values[:, (day < start) | (day > end)] = np.nan  # comparisons with NaN are false


def _days_since(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1)).total_seconds() / 86_400


def _scores(plan: CubePlan, step: StepPlan, stack: Stack) -> NDArray[np.float64]:
    """Score each day and pixel, as the weighted sum of the scores of date, cloud distance and haze."""
    given = plan.series.compositing
    if step.start is None or step.end is None:
        return np.ones((len(stack.days), *stack.values.shape[2:]))
    length, middle = _days_since(step.end) - _days_since(step.start), _days_since(step.start) / 2 + _days_since(step.end) / 2
    target = middle
    if given.target_day is not None:  # of the years around, the one nearest to the period
        years = range(step.start.year - 1, step.end.year + 2)
        days = [_days_since(datetime(y, 1, 1)) + given.target_day - 0.5 for y in years]
        target = min(days, key=lambda d: abs(d - middle))
    date = score_date(stack.days, target=target, sigma_days=given.sigma_days or length / 4)
    scores = np.broadcast_to(given.date_weight * date[:, None, None], (len(date), *stack.values.shape[2:])).copy()
    if stack.cloud_px is not None:
        scores += given.cloud_weight * score_cloud_distance(stack.cloud_px, required_px=given.cloud_distance_px)
    if given.opacity_band is not None:
        low, high = given.opacity_range
        hazy = score_opacity(stack.band(given.opacity_band), clear=low, hazy=high)
        scores += given.opacity_weight * np.nan_to_num(hazy, nan=0.0)
    return scores


def _choose(plan: CubePlan, step: StepPlan, stack: Stack) -> NDArray[np.int16]:
    """Choose the day of each pixel, among those that have the cube's bands."""
    if plan.composite == "medoid":
        names = plan.series.joint or tuple(b for b in stack.names if b in plan.stored)
        return find_medoid(stack.values[:, [list(stack.names).index(b) for b in names]])
    if plan.composite == "max-ndvi":
        return find_best(stack.band("ndvi"))
    scores = _scores(plan, step, stack)
    return find_best(np.where(np.isnan(stack.band(leading_band(plan))), np.nan, scores))


def leading_band(plan: CubePlan) -> str:
    """Name the band whose gaps stand for those of the cube: bands of a scene share its mask and footprint."""
    return plan.bands[0]


def _compose_geomedian(plan: CubePlan, stack: Stack) -> Array:
    """Geometric median of the reflectance; indices of it; medians of what is left."""
    names, given = list(stack.names), plan.series.compositing
    joint = [names.index(b) for b in plan.series.joint]
    centre = compose_geomedian(
        stack.values[:, joint], tolerance=given.tolerance, max_iterations=given.max_iterations
    )  # fmt: skip
    named = dict(zip(plan.series.joint, centre, strict=True))
    out = np.empty(stack.values.shape[1:], dtype=np.float32)
    for i, name in enumerate(names):
        if name in named:
            out[i] = named[name]
        elif name not in plan.stored and set(get_index(name).bands) <= set(named):
            out[i] = np.asarray(compute_index(name, named), dtype=np.float32)
        else:
            out[i] = compose_median(stack.values[:, i])
    return out


def compose(plan: CubePlan, step: StepPlan, stack: Stack) -> Array:
    """Composite the days of one step.

    Args:
        plan: The cube.
        step: The step.
        stack: Its days; the season and the day chosen are noted in it.

    Returns:
        (column, y, x): one column per band of the stack, or one per band and percentile.
    """
    _limit_to_season(plan, stack)
    values, rule = stack.values, plan.composite
    if rule == "median":
        return compose_median(values)
    if rule == "percentile":
        made = compose_percentiles(values, plan.series.compositing.percentiles)
        return np.ascontiguousarray(made.swapaxes(0, 1)).reshape(-1, *values.shape[2:])
    if rule == "geomedian":
        return _compose_geomedian(plan, stack)
    if rule == "weighted-mean":
        return compose_weighted_mean(values, _scores(plan, step, stack))
    if rule in ("first", "last", "mean"):
        return _compose_simple(values, rule)
    stack.chosen = _choose(plan, step, stack)
    return pick_days(values, stack.chosen)


def _compose_simple(values: Array, rule: str) -> Array:
    if rule == "mean":
        return compose_weighted_mean(values, np.ones((len(values), *values.shape[2:])))
    out = np.full(values.shape[1:], np.nan, dtype=np.float32)
    for day in values if rule == "first" else values[::-1]:
        np.copyto(out, day, where=np.isnan(out))
    return out


def compose_layers(plan: CubePlan, stack: Stack, names: Sequence[str]) -> dict[str, Array]:
    """Make the layers about one step, `filled` apart, which all steps together make."""
    made: dict[str, Array] = {}
    if not names:
        return made
    valid = ~np.isnan(stack.band(leading_band(plan)))
    for name in names:
        if name == "observations":
            made[name] = valid.sum(axis=0).astype(np.float32)
        elif name == "day" and stack.chosen is not None:
            days = np.array([_day_of_year(d) for d in stack.days], dtype=np.float32)
            made[name] = np.where(stack.chosen >= 0, days[np.maximum(stack.chosen, 0)], np.float32(np.nan))
        elif name in ("season_start", "season_end") and stack.season is not None:
            origin = _days_since(datetime(_to_moment(float(stack.days[0])).year, 1, 1)) - 1
            made[name] = (stack.season[name == "season_end"] - np.float32(origin)).astype(np.float32)
    return made


def _to_moment(day: float) -> datetime:
    return datetime.fromisoformat(str(np.datetime64(int(day * 86_400), "s")))


def _day_of_year(day: float) -> int:
    return _to_moment(day).timetuple().tm_yday


def fill_series(plan: CubePlan, values: Array, weights: Array | None = None) -> Array:
    """Fill the gaps of a cube over time by its rule.

    Args:
        plan: The cube.
        values: (time, column, y, x).
        weights: (time, y, x) observations per step, for a weighted Whittaker.
    """
    rule, given, times = plan.series.fill_rule, plan.series.filling, plan.times_days
    if rule == "linear":
        return fill_linear(values, times)
    if rule == "whittaker":
        shared = None if weights is None else np.broadcast_to(weights[:, None], values.shape)
        fitted, _ = smooth_whittaker(values, times, smoothness=given.smoothness, weights=shared)
    elif rule == "savitzky-golay":
        fitted = smooth_savgol(values, times, window=given.window, degree=given.degree, envelope=given.envelope)
    else:
        fitted = fit_harmonic(values, times, harmonics=given.harmonics, has_trend=given.has_trend).fitted
    if given.is_smoothed:
        return fitted
    return fill_gaps(values, fitted, is_clipped=given.is_clipped)
