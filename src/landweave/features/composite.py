"""Composites: many days of one pixel become one value per band, by order statistics, by a centre, or by the best day.

Receives stacks (day, ...) with NaN where there is no observation; hands on float32 arrays, or positions of days. Every pixel is
computed from its own values alone, in one order, so that no result depends on its neighbours or on the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from landweave.errors import CubeError
from landweave.features.networks import LANES, network, sort_lanes

__all__ = [
    "compose_geomedian", "compose_median", "compose_percentiles", "compose_weighted_mean", "find_best", "find_medoid",
    "pick_days", "score_cloud_distance", "score_date", "score_opacity",
]  # fmt: skip

Array = NDArray[np.float32]

_LANES = 32
"""Pixels that the joint kernels carry together: 24 days x 6 bands of them stay in the processor's first cache."""


@njit(nogil=True, cache=True, error_model="numpy")
def _quantiles(values: Any, pairs: Any, shares: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Fill `out` (share, pixel) from `values` (day, pixel)."""
    n_days, n_pixels = values.shape
    buffer = np.empty((n_days, LANES), np.float32)
    counts = np.empty(LANES, np.int32)
    none = np.float32(-np.inf)
    for x0 in range(0, n_pixels, LANES):
        lanes = min(LANES, n_pixels - x0)
        counts[:] = 0
        if lanes < LANES:
            buffer[:] = none
        for t in range(n_days):
            source = values[t, x0 : x0 + lanes]
            row = buffer[t]
            for lane in range(lanes):
                value = source[lane]
                valid = value == value
                row[lane] = value if valid else none
                counts[lane] += np.int32(valid)
        sort_lanes(buffer, pairs)
        for k in range(shares.shape[0]):
            share = shares[k]
            for lane in range(lanes):
                n = counts[lane]
                if n == 0:
                    out[k, x0 + lane] = np.nan
                elif share == 0.5:
                    out[k, x0 + lane] = (buffer[(n - 1) // 2, lane] + buffer[n // 2, lane]) * np.float32(0.5)
                else:
                    position = share * (n - 1)
                    below = int(position)
                    low = buffer[n - 1 - below, lane]
                    high = buffer[max(n - 2 - below, 0), lane]
                    out[k, x0 + lane] = low + (high - low) * np.float32(position - below)


def _to_lanes(values: ArrayLike, n_leading: int) -> Array:
    data = np.asarray(values, dtype=np.float32)
    if data.ndim < n_leading or data.shape[0] == 0:
        raise CubeError(f"a stack of shape {data.shape} holds no day; expected (day, ...) with one day at least")
    return np.ascontiguousarray(data).reshape(*data.shape[:n_leading], -1)


def _rank(lanes: Array, pairs: NDArray[np.int64], percents: Sequence[float]) -> Array:
    """Give percentiles (percent, pixel) of (day, pixel)."""
    out = np.empty((len(percents), lanes.shape[1]), dtype=np.float32)
    _quantiles(lanes, pairs, np.array(percents, dtype=np.float64) / 100, out)
    return out


def compose_percentiles(values: ArrayLike, percents: Sequence[float]) -> Array:
    """Compute percentiles over days, ignoring NaN, interpolated linearly (Hyndman and Fan 1996, type 7, numpy's default).

    Args:
        values: (day, ...), NaN where there is no observation.
        percents: Each 0..100; 50 is the mean of the middle two.

    Returns:
        float32 (percent, ...); NaN where no day has an observation.

    Raises:
        CubeError: If there is no day, or a percentage outside 0..100.
    """
    lanes = _to_lanes(values, 1)
    if not percents or not all(0 <= p <= 100 for p in percents):
        raise CubeError(f"percentiles are {list(percents)}; give at least one number from 0 to 100")
    return _rank(lanes, network(len(lanes)), percents).reshape(len(percents), *np.shape(values)[1:])


def compose_median(values: ArrayLike) -> Array:
    """Compute the median over days, ignoring NaN: (day, ...) -> (...); of an even number the mean of the middle two."""
    lanes = _to_lanes(values, 1)
    return _rank(lanes, network(len(lanes), n_ranked=len(lanes) // 2 + 1), (50,)).reshape(np.shape(values)[1:])


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _load_joint(values: Any, x0: int, lanes: int, data: Any, valid: Any) -> None:  # pragma: no cover (compiled)
    """Copy a run of pixels to `data` (day, band, lane); `valid` (day, lane) is 1 where every band has an observation."""
    n_days, n_bands, _ = values.shape
    for t in range(n_days):
        for lane in range(_LANES):
            valid[t, lane] = np.float32(1.0) if lane < lanes else np.float32(0.0)
        for b in range(n_bands):
            for lane in range(lanes):
                if np.isnan(values[t, b, x0 + lane]):
                    valid[t, lane] = np.float32(0.0)
        for b in range(n_bands):
            for lane in range(_LANES):
                data[t, b, lane] = np.float32(0.0)
            for lane in range(lanes):
                if valid[t, lane] > 0:
                    data[t, b, lane] = values[t, b, x0 + lane]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _square_distance(a: Any, b: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Squared distance of two (band, lane) per lane."""
    for lane in range(_LANES):
        out[lane] = np.float32(0.0)
    for k in range(a.shape[0]):
        u = a[k]
        v = b[k]
        for lane in range(_LANES):
            gap = u[lane] - v[lane]
            out[lane] += gap * gap


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _start_at_mean(data: Any, valid: Any, centre: Any, n: Any, active: Any) -> None:  # pragma: no cover (compiled)
    """Begin at the mean; a lane with less than two observations is there already. `n` becomes the number of these."""
    n_days, n_bands, _ = data.shape
    n[:] = np.float32(0.0)
    for t in range(n_days):
        for lane in range(_LANES):
            n[lane] += valid[t, lane]
    for lane in range(_LANES):
        active[lane] = np.float32(1.0) if n[lane] > 1 else np.float32(0.0)
    for b in range(n_bands):
        row = centre[b]
        row[:] = np.float32(0.0)
        for t in range(n_days):
            source = data[t, b]
            for lane in range(_LANES):
                row[lane] += source[lane]
        for lane in range(_LANES):
            row[lane] = row[lane] / max(n[lane], np.float32(1.0))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _sum_weighted(
    data: Any, valid: Any, centre: Any, near: Any, weight: Any, share: Any, here: Any, total: Any
) -> None:  # pragma: no cover (compiled)
    """Sum the observations, weighted by one over their distance; `here` counts those that the centre stands on."""
    n_days, n_bands, _ = data.shape
    tiny, f0 = np.float32(1e-16), np.float32(0.0)
    share[:] = f0
    here[:] = f0
    total[:] = f0
    for t in range(n_days):
        _square_distance(data[t], centre, weight)
        for lane in range(_LANES):
            apart = valid[t, lane] if weight[lane] > near else f0
            here[lane] += valid[t, lane] - apart
            weight[lane] = apart / np.sqrt(max(weight[lane], tiny))
            share[lane] += weight[lane]
        for b in range(n_bands):
            source = data[t, b]
            row = total[b]
            for lane in range(_LANES):
                row[lane] += weight[lane] * source[lane]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _hold_back(
    centre: Any, share: Any, here: Any, total: Any, norm: Any, met: Any, weight: Any
) -> None:  # pragma: no cover (compiled)
    """Find how much observations that the centre stands on hold it back: Vardi and Zhang 2000, equation 2.6.

    `total` becomes Weiszfeld's next centre, `weight` the share 0..1 of the step that is not taken.
    """
    tiny, f0, f1 = np.float32(1e-16), np.float32(0.0), np.float32(1.0)
    norm[:] = f0
    for b in range(centre.shape[0]):
        row = total[b]
        own = centre[b]
        for lane in range(_LANES):
            row[lane] = row[lane] / max(share[lane], tiny)
            pull = share[lane] * (row[lane] - own[lane])
            norm[lane] += pull * pull
    for lane in range(_LANES):
        met[lane] = f1 if here[lane] > 0 else met[lane]
        weight[lane] = min(f1, here[lane] / np.sqrt(max(norm[lane], tiny))) if here[lane] > 0 else f0


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _measure_step(
    centre: Any, step: Any, weight: Any, total: Any, moved: Any, here: Any, norm: Any
) -> None:  # pragma: no cover (compiled)
    """Measure this step, its change since the last one, and their product."""
    f1 = np.float32(1.0)
    moved[:] = np.float32(0.0)
    here[:] = np.float32(0.0)
    norm[:] = np.float32(0.0)
    for b in range(centre.shape[0]):
        row, own, earlier = total[b], centre[b], step[b]
        for lane in range(_LANES):
            now = (f1 - weight[lane]) * (row[lane] - own[lane])
            change = now - earlier[lane]
            moved[lane] += now * now
            here[lane] += now * change
            norm[lane] += change * change


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _choose_mixing(
    turn: int, moved: Any, here: Any, norm: Any, met: Any, last: Any, share: Any
) -> None:  # pragma: no cover (compiled)
    """Choose Anderson's mixing: a step along the line on which the last two would meet.

    Not once an observation was met, where Vardi and Zhang's steps alone are known to descend.
    """
    tiny, f0 = np.float32(1e-16), np.float32(0.0)
    for lane in range(_LANES):
        ahead = here[lane] / max(norm[lane], tiny)
        is_usual = turn > 0 and moved[lane] < last[lane] and met[lane] == 0
        share[lane] = min(max(ahead, np.float32(-10.0)), np.float32(0.5)) if is_usual else f0
        last[lane] = moved[lane]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _take_step(
    centre: Any, step: Any, image: Any, total: Any, weight: Any, share: Any, active: Any
) -> None:  # pragma: no cover (compiled)
    f1 = np.float32(1.0)
    for b in range(centre.shape[0]):
        row, own, earlier, before = total[b], centre[b], step[b], image[b]
        for lane in range(_LANES):
            now = (f1 - weight[lane]) * (row[lane] - own[lane])
            new = own[lane] + now
            own[lane] += active[lane] * (now - share[lane] * (new - before[lane]))
            earlier[lane] = now
            before[lane] = new


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _count_active(active: Any) -> int:  # pragma: no cover (compiled)
    n = 0
    for lane in range(_LANES):
        n += int(active[lane] > 0)
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _geomedians(values: Any, tolerance: Any, most: Any, out: Any) -> int:  # pragma: no cover (compiled)
    """Fill `out` (band, pixel); returns how many pixels were still moving after the last round."""
    n_days, n_bands, n_pixels = values.shape
    f0 = np.float32(0.0)
    data = np.empty((n_days, n_bands, _LANES), np.float32)
    valid = np.empty((n_days, _LANES), np.float32)
    # band, lane: the centre, the sum of weighted observations, the last step, and where it would have led without mixing
    centre, total = np.empty((n_bands, _LANES), np.float32), np.empty((n_bands, _LANES), np.float32)
    step, image = np.zeros((n_bands, _LANES), np.float32), np.zeros((n_bands, _LANES), np.float32)
    n, weight, share = np.empty(_LANES, np.float32), np.empty(_LANES, np.float32), np.empty(_LANES, np.float32)
    here, norm, moved = np.empty(_LANES, np.float32), np.empty(_LANES, np.float32), np.empty(_LANES, np.float32)
    active, last, met = np.empty(_LANES, np.float32), np.empty(_LANES, np.float32), np.empty(_LANES, np.float32)
    near = tolerance * tolerance
    unfinished = 0
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        _load_joint(values, x0, lanes, data, valid)
        _start_at_mean(data, valid, centre, n, active)
        step[:] = f0
        image[:] = f0
        last[:] = f0
        met[:] = f0
        for turn in range(most):
            if _count_active(active) == 0:
                break
            _sum_weighted(data, valid, centre, near, weight, share, here, total)
            _hold_back(centre, share, here, total, norm, met, weight)
            _measure_step(centre, step, weight, total, moved, here, norm)
            _choose_mixing(turn, moved, here, norm, met, last, share)
            _take_step(centre, step, image, total, weight, share, active)
            for lane in range(_LANES):
                active[lane] = active[lane] if moved[lane] > near else f0
        unfinished += _count_active(active)
        for b in range(n_bands):
            for lane in range(lanes):
                out[b, x0 + lane] = centre[b, lane] if n[lane] > 0 else np.float32(np.nan)
    return unfinished


def compose_geomedian(values: ArrayLike, *, tolerance: float = 1e-6, max_iterations: int = 200) -> Array:
    """Compute the geometric median over days: the point with the least sum of distances to the observations of all bands.

    Roberts, Mueller and McIntyre 2017 (doi:10.1109/TGRS.2017.2723896); found by Weiszfeld's iteration from the mean, in the
    form of Vardi and Zhang 2000 (doi:10.1073/pnas.97.4.1423), which does not stick to an observation. A day counts where every
    band has an observation. The iteration of a pixel ends when its step is shorter than the tolerance; as the steps shrink
    geometrically, the distance to the median is then some 2 to 10 times the tolerance.

    Args:
        values: (day, band, ...), NaN where there is no observation; bands on one scale.
        tolerance: Length of the step in units of the values.
        max_iterations: At most so many steps.

    Returns:
        float32 (band, ...); NaN where no day is complete.
    """
    lanes = _to_lanes(values, 2)
    out = np.empty(lanes.shape[1:], dtype=np.float32)
    _geomedians(lanes, np.float32(tolerance), max_iterations, out)
    return out.reshape(np.shape(values)[1:])


@njit(nogil=True, cache=True, error_model="numpy")
def _medoids(values: Any, out: Any) -> None:  # pragma: no cover (compiled)
    n_days, n_bands, n_pixels = values.shape
    data = np.empty((n_days, n_bands, _LANES), np.float32)
    valid = np.empty((n_days, _LANES), np.float32)
    sums = np.empty((n_days, _LANES), np.float32)
    square = np.empty(_LANES, np.float32)
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        _load_joint(values, x0, lanes, data, valid)
        sums[:] = np.float32(0.0)
        for t in range(n_days):
            for s in range(t + 1, n_days):
                _square_distance(data[t], data[s], square)
                for lane in range(_LANES):
                    distance = np.sqrt(square[lane]) * valid[t, lane] * valid[s, lane]
                    sums[t, lane] += distance
                    sums[s, lane] += distance
        for lane in range(lanes):
            best = -1
            for t in range(n_days):
                if valid[t, lane] > 0 and (best < 0 or sums[t, lane] < sums[best, lane]):
                    best = t
            out[x0 + lane] = best


def find_medoid(values: ArrayLike) -> NDArray[np.int16]:
    """Find the medoid: the day whose observation has the least sum of distances to those of all other days.

    Flood 2013 (doi:10.3390/rs5126481). A day counts where every band has an observation; of equal days the first wins.

    Args:
        values: (day, band, ...), NaN where there is no observation; bands on one scale.

    Returns:
        int16 (...): position of the day, -1 where no day is complete.
    """
    lanes = _to_lanes(values, 2)
    out = np.empty(lanes.shape[2], dtype=np.int16)
    _medoids(lanes, out)
    return out.reshape(np.shape(values)[2:])


def find_best(scores: ArrayLike) -> NDArray[np.int16]:
    """Find the day with the highest score: (day, ...) -> int16 (...); -1 where all are NaN, the first of equals."""
    data = np.asarray(scores, dtype=np.float32)
    known = np.where(np.isnan(data), np.float32(-np.inf), data)
    best: NDArray[np.int16] = known.argmax(axis=0).astype(np.int16)
    best[np.isnan(data).all(axis=0)] = -1
    return best


def pick_days(values: ArrayLike, days: NDArray[np.integer[Any]]) -> Array:
    """Take, per pixel, the observation of one day: values (day, band, y, x), days (y, x) -> (band, y, x); NaN for day -1."""
    data = np.asarray(values, dtype=np.float32)
    index = np.broadcast_to(np.maximum(days, 0)[None, None], (1, *data.shape[1:]))
    return np.where(days >= 0, np.take_along_axis(data, index.astype(np.intp), axis=0)[0], np.float32(np.nan))


def compose_weighted_mean(values: ArrayLike, weights: ArrayLike) -> Array:
    """Compute the weighted mean over days, ignoring NaN.

    Args:
        values: (day, band, ...), NaN where there is no observation.
        weights: (day, ...), 0 or more; NaN counts as 0.

    Returns:
        float32 (band, ...); NaN where no observation has a weight above 0.
    """
    data = np.asarray(values, dtype=np.float32)
    given = np.nan_to_num(np.asarray(weights, dtype=np.float64), nan=0.0)
    total = np.zeros(data.shape[1:])
    share = np.zeros(data.shape[1:])
    for day, weight in zip(data, given, strict=True):
        valid = ~np.isnan(day)
        own = np.where(valid, weight[None], 0.0)
        total += own * np.where(valid, day, 0)
        share += own
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, total / share, np.nan).astype(np.float32)


def score_date(days: ArrayLike, *, target: float, sigma_days: float) -> NDArray[np.float64]:
    """Score dates by their distance to a target date: exp(-0.5 (d / sigma)^2), 1 on the target.

    Griffiths et al. 2013 (doi:10.1109/JSTARS.2012.2228167) and White et al. 2014 (doi:10.1080/07038992.2014.945827) use the
    normal density; divided by its peak here, so that every score lies in 0..1.
    """
    distance = (np.asarray(days, dtype=np.float64) - target) / sigma_days
    return np.asarray(np.exp(-0.5 * distance**2))


def score_cloud_distance(distance_px: ArrayLike, *, required_px: float) -> NDArray[np.float64]:
    """Score the distance to the nearest cloud or shadow: 1 / (1 + exp(-0.2 (min(D, D_req) - D_req / 2))).

    White et al. 2014 (doi:10.1080/07038992.2014.945827) with D_min = 0; they require 50 pixels of Landsat.
    """
    near = np.minimum(np.asarray(distance_px, dtype=np.float64), required_px)
    return np.asarray(1 / (1 + np.exp(-0.2 * (near - required_px / 2))))


def score_opacity(opacity: ArrayLike, *, clear: float, hazy: float) -> NDArray[np.float64]:
    """Score haze: 1 up to `clear`, 0 from `hazy` on, a logistic decline between; after White et al. 2014, opacity 0.2 and 0.3.

    Their decline is 1 - 1 / (1 + exp(-0.2 (O - (O_max - O_min) / 2))) on opacity's own scale, which is nearly flat between 0.2
    and 0.3; here the same curve spans the stated range, ten units wide on each side of its middle.
    """
    given = np.asarray(opacity, dtype=np.float64)
    place = (given - (clear + hazy) / 2) / (hazy - clear) * 50
    score = 1 - 1 / (1 + np.exp(-0.2 * np.clip(place, -25, 25)))
    return np.where(given <= clear, 1.0, np.where(given >= hazy, 0.0, score))
