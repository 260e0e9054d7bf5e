"""How many samples a question needs, and how they are best shared out over strata.

Receives sizes of strata and what is guessed about them (the accuracy expected of each class); hands on whole numbers. All
formulas leave the finite population correction out, which is right for maps of millions of pixels and safe for small ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.metrics.intervals import z_value

__all__ = [
    "expect_areas_se",
    "expect_overall_se",
    "expect_shares",
    "share_out",
    "size_for_areas",
    "size_for_overall",
    "size_for_share",
]

Floats = NDArray[np.float64]


def size_for_share(share: float, half_width: float, *, level: float = 0.95, design_effect: float = 1.0) -> int:
    """Give the size of a simple random sample in which a share is known to +- `half_width`: n = z^2 p (1 - p) / d^2.

    Cochran 1977, eq. 4.2. For one stratum it is the size that a user's accuracy needs.

    Args:
        share: The share expected (0.5 is the worst case).
        half_width: Half the width of the interval wanted, as a share.
        level: Its confidence level.
        design_effect: By how much the design's variance exceeds that of simple random sampling: for clusters of m units
            1 + (m - 1) rho, with rho the correlation of units within a cluster (Kish 1965, section 5.4).

    Raises:
        SampleError: If a share or a width lies outside 0..1.
    """
    _check_share("expected share", share)
    _check_share("half-width", half_width)
    return max(2, math.ceil(design_effect * z_value(level) ** 2 * share * (1 - share) / half_width**2 - 1e-9))


def size_for_overall(
    sizes: NDArray[Any], accuracy: NDArray[Any], half_width: float, *, level: float = 0.95, rates: NDArray[Any] | None = None
) -> int:
    """Give the size of a stratified sample in which overall accuracy is known to +- `half_width`.

    n = (sum_h W_h S_h / S(O))^2 with S_h = sqrt(U_h (1 - U_h)) and S(O) = half_width / z (Olofsson et al. 2014,
    doi:10.1016/j.rse.2014.02.015, eq. 13, after Cochran 1977, eq. 5.25) for Neyman's allocation, which needs the fewest; for
    any other with shares r_h of the sample n = sum_h W_h^2 S_h^2 / r_h / S(O)^2.

    Args:
        sizes: Sizes of the strata (H,).
        accuracy: User's accuracy expected in each (H,).
        half_width: Half the width of the interval wanted, as a share.
        level: Its confidence level.
        rates: In what proportions the sample is shared out (H,); Neyman's by default.

    Raises:
        SampleError: If an accuracy or the width lies outside 0..1.
    """
    _check_share("half-width", half_width)
    w, s = _weights(sizes), np.sqrt(_checked_accuracy(accuracy) * (1 - np.asarray(accuracy)))
    target = half_width / z_value(level)
    if rates is None:
        return max(2, math.ceil(float((w * s).sum() / target) ** 2 - 1e-9))
    r = _weights(rates)
    needed = (w * s)[w > 0] ** 2 / r[w > 0]
    return max(2, math.ceil(float(needed.sum()) / target**2 - 1e-9))


def size_for_areas(sizes: NDArray[Any], shares: NDArray[Any], target_se: Mapping[int, float]) -> NDArray[np.int64]:
    """Give the smallest sample, stratum by stratum, with which the areas of some classes reach their target standard errors.

    Minimises sum n_h subject to sum_h W_h^2 S_kh^2 / n_h <= target_k^2 for every class k named, with S_kh^2 = p_kh (1 - p_kh):
    for one class the optimal allocation at equal costs (Cochran 1977, section 5.5), for several the convex programme of Bethel
    1989 (Survey Methodology 15, 47-57), solved by iterating on its multipliers.

    Args:
        sizes: Sizes of the strata (H,).
        shares: Share of each class expected in each stratum (H, K).
        target_se: Class index -> standard error wanted of its area, as a share of the whole.

    Returns:
        Units per stratum (H,), at least 2 where the stratum has a size.

    Raises:
        SampleError: If no target is given or one is not between 0 and 1.
    """
    if not target_se:
        raise SampleError("no target standard error is given; name at least one class with target_se")
    for target in target_se.values():
        _check_share("target standard error", target)
    w, p = _weights(sizes), np.asarray(shares, dtype=np.float64)
    classes = sorted(target_se)
    a = np.array([w**2 * p[:, k] * (1 - p[:, k]) / target_se[k] ** 2 for k in classes])
    alpha = np.full(len(classes), 1 / len(classes))
    n = np.zeros(len(w))
    for _ in range(500):  # each pass shrinks the multipliers of targets that are met with room to spare
        root = np.sqrt(alpha @ a)
        n = root * root.sum()
        met = (a / np.where(n > 0, n, np.inf)).sum(axis=1)
        # in the optimum a target with a positive multiplier is met exactly, and the multipliers add up to 1
        updated = alpha * met**2
        if updated.sum() <= 0:
            break
        updated /= updated.sum()
        if np.abs(updated - alpha).max() < 1e-12:
            break
        alpha = updated
    n *= max(1.0, float((a / np.where(n > 0, n, np.inf)).sum(axis=1).max()))
    return np.asarray(np.where(w > 0, np.maximum(2, np.ceil(n - 1e-9)), 0), dtype=np.int64)


def share_out(n: int, shares: NDArray[Any]) -> NDArray[np.int64]:
    """Make whole numbers of n times the shares (H,), by largest remainders; they add up to n."""
    parts = np.asarray(shares, dtype=np.float64)
    if parts.sum() <= 0:
        raise SampleError(f"the strata's shares of the sample add up to {parts.sum():g}; at least one must be above 0 (is an "
                          "expected accuracy of exactly 0 or 1 given for all of them?)")  # fmt: skip
    exact = n * parts / parts.sum()
    whole = np.floor(exact + 1e-9).astype(np.int64)
    for i in np.lexsort((np.arange(len(exact)), whole - exact))[: n - int(whole.sum())]:
        whole[i] += 1
    return np.asarray(whole, dtype=np.int64)


def expect_shares(sizes: NDArray[Any], accuracy: NDArray[Any]) -> Floats:
    """Guess the share of each class in each stratum (H, H) where strata are map classes: its user's accuracy in its own.

    The errors of a stratum are spread over the other classes in proportion to their mapped sizes. A pilot sample knows better.
    """
    w, u = _weights(sizes), _checked_accuracy(accuracy)
    rest = 1 - w
    made = np.where(rest[:, None] > 0, (1 - u)[:, None] * w[None, :] / np.where(rest > 0, rest, 1)[:, None], 0.0)
    np.fill_diagonal(made, np.where(rest > 0, u, 1.0))
    return np.asarray(made)


def expect_areas_se(sizes: NDArray[Any], shares: NDArray[Any], n: NDArray[Any]) -> Floats:
    """Give the standard errors of the areas (K,) as shares of the whole that a sample of n (H,) units leads one to expect."""
    w, p = _weights(sizes), np.asarray(shares, dtype=np.float64)
    count = np.asarray(n, dtype=np.float64)[:, None]
    v = (w[:, None] ** 2 * p * (1 - p) / np.where(count > 0, count, np.nan))[w > 0].sum(axis=0)
    return np.asarray(np.sqrt(v))


def expect_overall_se(sizes: NDArray[Any], accuracy: NDArray[Any], n: NDArray[Any]) -> float:
    """Give the standard error to expect of overall accuracy from a sample of n (H,) units; NaN where a stratum gets none."""
    w, u = _weights(sizes), _checked_accuracy(accuracy)
    used, count = w > 0, np.asarray(n, dtype=np.float64)
    v = (w**2 * u * (1 - u) / np.where(count > 0, count, np.nan))[used].sum()
    return float(np.sqrt(v))


def _weights(sizes: NDArray[Any]) -> Floats:
    made = np.asarray(sizes, dtype=np.float64)
    if not (made >= 0).all() or made.sum() <= 0:
        raise SampleError(f"strata have the sizes {made.tolist()}; they must be 0 or more, and one above 0")
    return np.asarray(made / made.sum())


def _checked_accuracy(accuracy: NDArray[Any]) -> Floats:
    made = np.asarray(accuracy, dtype=np.float64)
    if not ((made >= 0) & (made <= 1)).all():
        raise SampleError(f"an expected accuracy is {made[~((made >= 0) & (made <= 1))][0]:g}; give shares between 0 and 1")
    return made


def _check_share(what: str, value: float) -> None:
    if not 0 < value < 1:
        raise SampleError(f"{what} is {value:g}; give a share between 0 and 1, such as 0.05 for 5 %")
