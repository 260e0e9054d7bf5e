"""Intervals that hold for rare classes too: Jeffreys' interval in each stratum, put together over the strata.

Receives the counts of a sample by stratum; hands on the ends of intervals. The standard error of a rare class is small by luck
where the large strata happen to show none of its omissions, and value +- 1.96 se then leaves the truth out far too often; here
every stratum contributes what its sample cannot exclude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError

__all__ = ["jeffreys_interval", "recover_intervals", "recover_sums"]

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]


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


def recover_sums(counts: NDArray[Any], sizes: NDArray[Any], n: NDArray[Any], *, level: float = 0.95) -> Ends:
    """Compute intervals of sums over strata of size times share; see `recover_intervals`.

    Args:
        counts: Units of each stratum that have each property (H, M).
        sizes: Sizes of the strata (H,).
        n: Units drawn in each (H,).
        level: Confidence level.

    Returns:
        Lower and upper ends (M,) of the shares of the whole.
    """
    size, drawn = np.asarray(sizes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    used = (drawn > 0) & (size > 0)
    w = size[used] / size[used].sum()
    x = np.asarray(counts, dtype=np.float64)[used]
    low, high = jeffreys_interval(x, drawn[used][:, None], level)
    _, lower, upper = _sum(w, x / drawn[used][:, None], low, high, np.ones(x.shape, dtype=bool))
    return lower, upper


def recover_intervals(counts: NDArray[Any], mapped_area: NDArray[Any], *, level: float = 0.95) -> dict[str, Ends]:
    """Compute intervals by recovering variances from the strata's own limits.

    A sum of independent parts has the limits est -+ sqrt(sum (part - its limit)^2) (the method of variance estimates recovery:
    Zou and Donner 2008, doi:10.1002/sim.3095), with Jeffreys' limits for the share of each stratum. Producer's accuracy, F1 and
    IoU of a class grow with what is right in its own stratum and shrink with what the other strata omit; the same rule is
    applied to these two parts.

    Args:
        counts: Sample units (K map classes = strata, K reference classes).
        mapped_area: Size of each stratum (K,).
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
    low, high = jeffreys_interval(n_kj, n[:, None], level)
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
