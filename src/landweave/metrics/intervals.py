"""Confidence intervals of shares, and bootstraps of scores over whole spatial blocks.

Receives estimates with standard errors, or class indices with block numbers; hands on interval ends and standard errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import ScoreName, score_parts
from landweave.metrics.draws import draw_totals

__all__ = ["IntervalMethod", "bootstrap_scores", "effective_n", "make_interval", "wilson_interval", "z_value"]

IntervalMethod = Literal["normal", "wilson", "logit"]
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]

_EDGE = 1e-12
"""Shares whose p (1 - p) is below this are 0 or 1 but for rounding."""


def z_value(level: float = 0.95) -> float:
    """Give the two-sided standard normal quantile of a confidence level.

    At 0.95 it is 1.96 exactly, as in the field's papers and tables, so that published half-widths come out to their last
    digit (the fourth digit of one in Olofsson et al. 2014 differs with 1.95996).

    Raises:
        AssessmentError: If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise AssessmentError(f"confidence level is {level!r}; give a share between 0 and 1 such as 0.95")
    return 1.96 if level == 0.95 else NormalDist().inv_cdf(0.5 + level / 2)


def effective_n(value: NDArray[Any], se: NDArray[Any]) -> NDArray[np.float64]:
    """Give the size of a simple random sample that would have the standard error `se` at the share `value`.

    n_eff = p (1 - p) / se^2 (Korn and Graubard 1998, Survey Methodology 24, 193-201). NaN where p is 0 or 1 or se is 0.
    """
    p, s = np.asarray(value, dtype=np.float64), np.asarray(se, dtype=np.float64)
    usable = (p > 0) & (p < 1) & (s > 0)
    result: NDArray[np.float64] = np.full(np.broadcast_shapes(p.shape, s.shape), np.nan)
    np.divide(p * (1 - p), s**2, out=result, where=usable)
    return result


def wilson_interval(value: NDArray[Any], n: NDArray[Any], level: float = 0.95) -> Bounds:
    """Compute Wilson's score interval of a share.

    Wilson 1927, doi:10.1080/01621459.1927.10502953; with an effective sample size for a complex design (Korn and Graubard
    1998). Inside 0..1, and of positive width even at a share of 0 or 1.

    Args:
        value: Share.
        n: Sample size, which may be an effective one and need not be whole.
        level: Confidence level.

    Returns:
        Lower and upper ends; NaN where `n` is 0 or NaN.
    """
    p, size, z = np.asarray(value, dtype=np.float64), np.asarray(n, dtype=np.float64), z_value(level)
    size = np.where(size > 0, size, np.nan)
    centre = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
    # rounding must neither leave 0..1 nor leave the estimate itself outside
    return np.clip(np.minimum(centre - half, p), 0, 1), np.clip(np.maximum(centre + half, p), 0, 1)


def make_interval(value: NDArray[Any], se: NDArray[Any], *, method: IntervalMethod = "normal", level: float = 0.95) -> Bounds:
    """Compute the interval of a share from its standard error.

    `normal` is p +- z se, cut to 0..1 (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015, section 5.2); `wilson` uses the
    effective sample size; `logit` is symmetric on the logit scale (se by the delta method, se / (p (1 - p))). At a share of
    exactly 0 or 1 all three are the normal one, because `metrics.area` gives such a share the standard error with which
    p +- z se is Wilson's limit.

    Args:
        value: Shares, NaN where undefined.
        se: Standard errors, NaN where undefined.
        method: Which interval.
        level: Confidence level.

    Returns:
        Lower and upper ends, 0 <= lower <= value <= upper <= 1; NaN where value or se is.

    Raises:
        AssessmentError: If no method has that name.
    """
    p, s, z = np.asarray(value, dtype=np.float64), np.asarray(se, dtype=np.float64), z_value(level)
    normal = np.clip(p - z * s, 0, 1), np.clip(p + z * s, 0, 1)
    if method == "normal":
        return normal
    inner = (p * (1 - p) > _EDGE) & (s > 0)
    q, s = np.where(inner, p, 0.5), np.where(inner, s, 0.5)
    if method == "wilson":
        other = wilson_interval(q, effective_n(q, s), level)
    elif method == "logit":
        middle, half = np.log(q / (1 - q)), z * s / (q * (1 - q))
        other = 1 / (1 + np.exp(np.minimum(half - middle, 700))), 1 / (1 + np.exp(np.minimum(-half - middle, 700)))
    else:
        raise AssessmentError(f"no interval method named {method!r}; known: normal, wilson, logit")
    return np.where(inner, other[0], normal[0]), np.where(inner, other[1], normal[1])


def bootstrap_scores(
    parts: NDArray[np.float64], scores: Sequence[ScoreName], *, draws: int = 1000, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Bootstrap scores by drawing whole groups (spatial blocks, polygons) with replacement.

    Samples of one block are alike, so that drawing single samples would make the scores look far more certain than they are
    (Davison and Hinkley 1997, section 3.8; Roberts et al. 2017, doi:10.1111/ecog.02881 for blocks).

    Args:
        parts: Per group counts (G, 3, K) of `confusion.count_parts`, or (G, repeats, 3, K), whose scores are averaged.
        scores: Names of scores.
        draws: Number of draws.
        rng: Generator.

    Returns:
        Score name -> (draws,) or (draws, K). NaN where a draw leaves a score undefined. Standard errors are their
        `nanstd(axis=0, ddof=1)`.

    Raises:
        AssessmentError: If there are fewer than two groups or draws.
    """
    n_groups = parts.shape[0]
    if n_groups < 2 or draws < 2:
        raise AssessmentError(f"a bootstrap of {draws} draws from {n_groups} groups has no spread; it needs at least 2 of each")
    drawn = draw_totals(parts.reshape(n_groups, -1), size=n_groups, draws=draws, rng=rng).reshape(draws, *parts.shape[1:])
    result: dict[str, NDArray[np.float64]] = {}
    for name in scores:
        score = score_parts(drawn, name)
        result[name] = score.mean(axis=1) if parts.ndim == 4 else score
    return result
