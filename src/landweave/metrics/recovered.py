"""Intervals that hold for rare classes too: mid-P or Jeffreys' interval in each stratum, put together over the strata.

Receives the counts of a sample by stratum; hands on the ends of intervals. The standard error of a rare class is small by luck
where the large strata happen to show none of its omissions, and value +- 1.96 se then leaves the truth out far too often; here
every stratum contributes what its sample cannot exclude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError

__all__ = ["StratumLimits", "jeffreys_interval", "midp_interval", "recover_intervals", "recover_ratios", "recover_sums"]

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
StratumLimits = Literal["jeffreys", "midp"]
"""Interval of a share within one stratum."""

_HALVINGS = 60
"""Steps of the bisection for mid-P limits: 2^-60 is below the spacing of float64 near 1."""


def jeffreys_interval(count: NDArray[Any], n: NDArray[Any], level: float = 0.95) -> Ends:
    """Compute Jeffreys' interval of a share: quantiles of Beta(x + 1/2, n - x + 1/2), with 0 below and 1 above at the ends.

    Brown, Cai and DasGupta 2001 (doi:10.1214/ss/1009213286, section 4.3), who recommend it beside Wilson's for small samples.

    Args:
        count: Units x that have the property.
        n: Units in all; NaN ends where it is 0.
        level: Confidence level.
    """
    from scipy.special import betaincinv

    x, size = np.broadcast_arrays(np.asarray(count, dtype=np.float64), np.asarray(n, dtype=np.float64))
    known = size > 0
    x, m = np.where(known, x, 0), np.where(known, size, 1)
    tail = (1 - level) / 2
    low = np.where(x <= 0, 0, betaincinv(x + 0.5, m - x + 0.5, tail))
    high = np.where(x >= m, 1, betaincinv(x + 0.5, m - x + 0.5, 1 - tail))
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def midp_interval(count: NDArray[Any], n: NDArray[Any], level: float = 0.95) -> Ends:
    """Compute the mid-P interval of a share: the p at which P(X > x) + P(X = x) / 2 is (1 - level) / 2, and 1 minus it.

    Berry and Armitage 1995 (The Statistician 44, 417-423): the exact binomial interval with half of the observed outcome's
    probability, which takes away most of its excess. It is 0 below and 1 above where no or every unit has the property.

    Args:
        count: Units x that have the property.
        n: Units in all; NaN ends where it is 0.
        level: Confidence level.
    """
    x, size = np.broadcast_arrays(np.asarray(count, dtype=np.float64), np.asarray(n, dtype=np.float64))
    known = size > 0
    pairs, back = np.unique(np.column_stack([x[known], size[known]]), axis=0, return_inverse=True)
    low, high = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    tail = (1 - level) / 2
    low[known] = np.where(pairs[:, 0] <= 0, 0, _solve_midp(pairs, tail))[back.ravel()]
    high[known] = np.where(pairs[:, 0] >= pairs[:, 1], 1, _solve_midp(pairs, 1 - tail))[back.ravel()]
    return low, high


def _solve_midp(pairs: Floats, target: float) -> Floats:
    """Find p with P(X >= x + 1) + P(X = x) / 2 = target for rows (x, n); the left side rises with p."""
    from scipy.special import betainc

    x, n = pairs.T
    low, high = np.zeros(len(x)), np.ones(len(x))
    for _ in range(_HALVINGS):
        p = (low + high) / 2
        reached = np.where(x <= 0, 1, betainc(np.maximum(x, 1), np.maximum(n - x + 1, 1), p))
        passed = np.where(x >= n, 0, betainc(x + 1, np.maximum(n - x, 1), p))
        over = (reached + passed) / 2 > target
        low, high = np.where(over, low, p), np.where(over, p, high)
    return np.asarray((low + high) / 2)


_LIMITS: dict[StratumLimits, Callable[[Any, Any, float], Ends]] = {"jeffreys": jeffreys_interval, "midp": midp_interval}


def recover_sums(
    counts: NDArray[Any], sizes: NDArray[Any], n: NDArray[Any], *, limits: StratumLimits = "midp", level: float = 0.95
) -> Ends:
    """Compute intervals of sums over strata of size times share; see `recover_intervals`.

    Args:
        counts: Units of each stratum that have each property (H, M).
        sizes: Sizes of the strata (H,).
        n: Units drawn in each (H,).
        limits: Interval within a stratum.
        level: Confidence level.

    Returns:
        Lower and upper ends (M,) of the shares of the whole.
    """
    size, drawn = np.asarray(sizes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    used = (drawn > 0) & (size > 0)
    w = size[used] / size[used].sum()
    x = np.asarray(counts, dtype=np.float64)[used]
    low, high = _LIMITS[limits](x, drawn[used][:, None], level)
    _, lower, upper = _sum(w, x / drawn[used][:, None], low, high, np.ones(x.shape, dtype=bool))
    return lower, upper


def recover_intervals(
    counts: NDArray[Any], mapped_area: NDArray[Any], *, limits: StratumLimits = "midp", level: float = 0.95
) -> dict[str, Ends]:
    """Compute intervals by recovering variances from the strata's own limits.

    A sum of independent parts has the limits est -+ sqrt(sum (part - its limit)^2) (the method of variance estimates recovery:
    Zou and Donner 2008, doi:10.1002/sim.3095), with binomial limits for the share of each stratum. Producer's accuracy, F1 and
    IoU of a class grow with what is right in its own stratum and shrink with what the other strata omit; the same rule is
    applied to these two parts.

    Args:
        counts: Sample units (K map classes = strata, K reference classes).
        mapped_area: Size of each stratum (K,).
        limits: Interval within a stratum; mid-P is a few per cent wider than Jeffreys' and keeps the level better.
        level: Confidence level.

    Returns:
        Figure ("overall", "users", "producers", "f1", "iou", "area") -> lower and upper ends, () or (K,), NaN where undefined.

    Raises:
        AssessmentError: If shapes do not fit.
    """
    n_kj, size = np.asarray(counts, dtype=np.float64), np.asarray(mapped_area, dtype=np.float64)
    if n_kj.ndim != 2 or n_kj.shape[0] != n_kj.shape[1] or size.shape != n_kj.shape[:1]:
        raise AssessmentError(f"counts have shape {n_kj.shape}, areas {size.shape}; expected (K map, K reference) and (K,)")
    n = n_kj.sum(axis=1)
    used = (n > 0) & (size > 0)
    w = np.where(used, size, 0) / size[used].sum()
    p = n_kj / np.where(used, n, 1)[:, None]
    low, high = _LIMITS[limits](n_kj, n[:, None], level)
    low, high = np.where(used[:, None], low, p), np.where(used[:, None], high, p)
    right, right_low, right_high = (np.diagonal(x) * w for x in (p, low, high))
    others = ~np.eye(len(n), dtype=bool)
    missed, missed_low, missed_high = _sum(w, p, low, high, others)
    _, area_low, area_high = _sum(w, p, low, high, np.ones_like(others))
    overall = _sum(w, np.diag(np.diagonal(p)), np.diag(np.diagonal(low)), np.diag(np.diagonal(high)), ~others, axis=None)

    def joint(g: Callable[[Floats, Floats], Floats]) -> Ends:
        at = g(right, missed)
        below = np.hypot(at - g(right_low, missed), at - g(right, missed_high))
        above = np.hypot(at - g(right_high, missed), at - g(right, missed_low))
        return np.clip(at - below, 0, 1), np.clip(at + above, 0, 1)

    users = np.where(used, np.diagonal(low), np.nan), np.where(used, np.diagonal(high), np.nan)
    return {
        "overall": (overall[1], overall[2]), "users": users, "area": (area_low, area_high),
        "producers": joint(lambda a, b: _ratio(a, a + b)), "f1": joint(lambda a, b: _ratio(2 * a, w + a + b)),
        "iou": joint(lambda a, b: _ratio(a, w + b)),
    }  # fmt: skip


def recover_ratios(
    cells: NDArray[Any], sizes: NDArray[Any], *, limits: StratumLimits = "midp", level: float = 0.95
) -> dict[str, Ends]:
    """Compute intervals of class figures where strata are not the map's classes, by recovering variances.

    User's and producer's accuracy, F1 and IoU of a class are a / (a + e), a / (a + e), 2 a / (2 a + e) and a / (a + e) of what
    is right, a, and of an error, e: commission, omission, or both. Both are sums over strata with limits as in `recover_sums`;
    a figure grows with a and shrinks with e, so that its lower limit is f - sqrt(x^2 + y^2 - 2 r x y) with x from a's lower
    and y from e's upper limit (Zou and Donner 2008, doi:10.1002/sim.3095, with their correlation r). Units of one stratum are
    right or wrong, never both: within a stratum r = -sqrt(p q / ((1 - p) (1 - q))) (shares of a multinomial).

    Args:
        cells: Sample units (H strata, K map, K reference).
        sizes: Sizes of the strata (H,).
        limits: Interval within a stratum.
        level: Confidence level.

    Returns:
        Figure ("users", "producers", "f1", "iou") -> lower and upper ends (K,), NaN where undefined.
    """
    counts, extent = np.asarray(cells, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    used = (counts.sum(axis=(1, 2)) > 0) & (extent > 0)
    counts, w = counts[used], extent[used] / extent[used].sum()
    n, k = counts.sum(axis=(1, 2)), counts.shape[1]
    right = counts[:, np.arange(k), np.arange(k)]
    commission, omission = counts.sum(axis=2) - right, counts.sum(axis=1) - right

    size = n[:, None]

    def figure(wrong: Floats, times: float) -> Ends:
        ends = (*_LIMITS[limits](right, size, level), *_LIMITS[limits](wrong, size, level))
        return _pair_ends(right / size, wrong / size, ends, w, times)

    both = commission + omission
    return {
        "users": figure(commission, 1), "producers": figure(omission, 1), "f1": figure(both, 2), "iou": figure(both, 1)
    }  # fmt: skip


def _pair_ends(p: Floats, q: Floats, ends: tuple[Floats, ...], w: Floats, times: float) -> Ends:
    """Limits of t a / (t a + e) with a = sum w p and e = sum w q, of shares (H, K) that exclude each other.

    `ends` are the lower and upper ends of p and of q.
    """
    at, (p_low, p_high, q_low, q_high) = w[:, None], ends
    odds = p * q / np.maximum((1 - p) * (1 - q), 1e-12)
    r = -np.sqrt(np.clip(odds, 0, 1))
    a, e = (at * p).sum(axis=0), (at * q).sum(axis=0)
    value = _ratio(times * a, times * a + e)

    def reach(da: Floats, de: Floats, sign: float) -> Floats:
        la, le = np.sqrt(((at * da) ** 2).sum(axis=0)), np.sqrt(((at * de) ** 2).sum(axis=0))
        joint = _ratio((r * at**2 * da * de).sum(axis=0), la * le)
        moved_a, moved_e = np.maximum(a - sign * la, 0), np.maximum(e + sign * le, 0)
        x = value - _ratio(times * moved_a, times * moved_a + e)
        y = value - _ratio(times * a, times * a + moved_e)
        return np.sqrt(np.nan_to_num(x) ** 2 + np.nan_to_num(y) ** 2 - 2 * np.nan_to_num(joint) * np.nan_to_num(x * y))

    below, above = reach(p - p_low, q_high - q, 1), reach(p_high - p, q - q_low, -1)
    return np.clip(value - below, 0, 1), np.clip(value + above, 0, 1)


def _ratio(y: Floats, x: Floats) -> Floats:
    made: Floats = np.full(y.shape, np.nan)
    np.divide(y, x, out=made, where=x > 0)
    return made


def _sum(
    w: Floats, p: Floats, low: Floats, high: Floats, which: NDArray[np.bool_], axis: int | None = 0
) -> tuple[Floats, Floats, Floats]:
    """Weighted sums of shares over the strata, with recovered limits."""
    at = w[:, None]
    total = np.asarray(np.where(which, at * p, 0).sum(axis=axis))
    below = np.sqrt(np.where(which, (at * (p - low)) ** 2, 0).sum(axis=axis))
    above = np.sqrt(np.where(which, (at * (high - p)) ** 2, 0).sum(axis=axis))
    return total, np.clip(total - below, 0, 1), np.clip(total + above, 0, 1)
