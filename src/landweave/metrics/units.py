"""Design-based estimates unit by unit: any design, references that are shares of classes, domains, combinations of areas.

Receives a `UnitSample` (class on the map, shares of the reference, weight, stratum, cluster of every unit); hands on the same
estimates as `area`, which serves the plain designs from counts. Variances are those of linearised residuals (Sarndal, Swensson
and Wretman 1992, section 5.5), summed up within clusters and compared within strata.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.area import DesignEstimates, Estimated, make_estimates
from landweave.metrics.intervals import z_value

__all__ = ["UnitSample", "combine_areas", "estimate_difference", "estimate_ratio", "estimate_units", "make_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class UnitSample:
    """A designed sample of n units and K classes.

    Attributes:
        map_index: Class on the map (n,), -1 where it has none.
        reference: Shares of the reference classes (n, K), each row summing to 1: a single 1 for a plain label, the label's
            probabilities, or the votes of several labellers.
        weight: Area that each unit stands for (n,), in any unit: stratum area / units drawn, or 1 / inclusion probability.
        stratum: Stratum of the first stage (n,), 0..H-1.
        psu: Primary sampling unit (n,), numbered over all strata; None where each unit is its own.
        fraction: Share of the first-stage units that was drawn (H,), for the finite population correction; zeros leave it out.
        within: Share of its cluster's units that was drawn (n,), for the second stage's part of the variance, which counts
            only as far as `fraction` is above 0; None leaves it out.
        post: Post-stratum (n,) whose known size the weights add up to; residuals are then centred within it.
        order: Position along the path through a systematic sample (n,); where given, variances are those of successive
            differences.
    """

    map_index: Ints
    reference: Floats
    weight: Floats
    stratum: Ints
    psu: Ints | None = None
    fraction: Floats | None = None
    within: Floats | None = None
    post: Ints | None = None
    order: Ints | None = None

    def __post_init__(self) -> None:
        n = len(self.map_index)
        for name in ("reference", "weight", "stratum", "psu", "within", "post", "order"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise AssessmentError(f"{name} has {len(value)} rows, map_index {n}; give one per sample unit")
        if not (np.isfinite(self.weight) & (self.weight > 0)).all():
            bad = self.weight[~(np.isfinite(self.weight) & (self.weight > 0))][0]
            raise AssessmentError(f"a sample unit has the weight {bad:g}; weights are finite and above 0")
        sums = self.reference.sum(axis=1)
        # a hundredth: interpreters' percentages are rounded
        if len(sums) and (np.abs(sums - 1).max() > 0.01 or (self.reference < 0).any()):
            raise AssessmentError(f"the reference shares of a unit add up to {sums[np.argmax(np.abs(sums - 1))]:g}; they are "
                                  "0 or more and add up to 1")  # fmt: skip

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return int(self.reference.shape[1])

    @property
    def groups(self) -> Ints:
        """First-stage unit of every row (n,), numbered from 0."""
        if self.psu is None:
            return np.arange(len(self.map_index))
        return np.unique(self.psu, return_inverse=True)[1].astype(np.int64)


def make_shares(class_index: NDArray[Any], n_classes: int) -> Floats:
    """Turn plain labels (n,) into shares (n, K) with a single 1 per row."""
    index = np.asarray(class_index, dtype=np.int64)
    if len(index) and (index.min() < 0 or index.max() >= n_classes):
        raise AssessmentError(f"reference classes run from {index.min()} to {index.max()}; expected 0 to {n_classes - 1}")
    return np.eye(n_classes)[index]


def estimate_units(sample: UnitSample, *, domain: Bools | None = None) -> DesignEstimates:
    """Estimate accuracies and area shares from single units.

    Every figure is a ratio of weighted totals; units outside the domain, or without a class on the map, add nothing to either
    total but stay in the sample, so that the chance of how many units fell into the domain is in the standard errors
    (Sarndal, Swensson and Wretman 1992, section 10.3).

    Args:
        sample: The sample.
        domain: Units of the part to estimate for (n,); all by default. Shares are then those of the domain's area.

    Raises:
        AssessmentError: If no unit lies in the domain and on the map, or there are fewer than two first-stage units.
    """
    inside = (sample.map_index >= 0) & (np.ones(len(sample.map_index), dtype=bool) if domain is None else domain)
    if not inside.any():
        raise AssessmentError(f"none of the {len(inside)} sample units lies in the domain and on the map; nothing can be "
                              "estimated for it")  # fmt: skip
    k, m = sample.n_classes, sample.map_index[inside]
    part, weight = sample.reference[inside], sample.weight[inside] / sample.weight[inside].sum()
    cells, counts = np.zeros((k, k)), np.zeros((k, k))
    np.add.at(cells, m, part * weight[:, None])
    np.add.at(counts, m, part)

    def variance(z: Floats) -> tuple[Floats, Bools]:
        e = np.zeros((len(inside), len(z)))
        e[inside] = _residuals(z, m, part) / sample.weight[inside].sum()
        span = z.reshape(len(z), -1).max(axis=1) - z.reshape(len(z), -1).min(axis=1)
        return _variance(e, span / sample.weight[inside].sum(), sample, int(inside.sum()))

    return make_estimates(cells, counts, variance)


def _residuals(z: Floats, map_index: Ints, shares: Floats) -> Floats:
    """Mean residual of each unit over its shares: z (M, K, K), map class (n,), shares (n, K) -> (n, M)."""
    made = np.empty((len(map_index), len(z)))
    for i in range(z.shape[1]):
        here = map_index == i
        made[here] = shares[here] @ z[:, i, :].T
    return made


def estimate_ratio(top: Floats, bottom: Floats, sample: UnitSample, *, reach: float = 0.0) -> Estimated:
    """Estimate ratios of totals, sum(w y) / sum(w x), of any quantity (Sarndal et al. 1992, section 5.6).

    Args:
        top: y of every unit (n, M).
        bottom: x of every unit (n, M).
        sample: Weights and design of the units.
        reach: By how much y of single units can differ at most (1 for shares of classes). Where no unit shows any difference,
            it makes the bound of the standard error, which is 0 without it.

    Returns:
        M ratios with their standard errors; NaN where a denominator is 0. Not cut to 0..1.
    """
    w = sample.weight[:, None]
    y, x = (w * top).sum(axis=0), (w * bottom).sum(axis=0)
    known = x != 0
    value = np.divide(y, x, out=np.full(len(y), np.nan), where=known)
    scale = np.where(known, x, 1)
    e = np.where(known, top - np.where(known, value, 0) * bottom, 0) / scale
    span = np.maximum(e.max(axis=0) - e.min(axis=0), reach / np.abs(scale))
    v, bound = _variance(e, span, sample, len(top))
    n = (bottom != 0).sum(axis=0).astype(np.float64)
    return Estimated(value, np.where(known, np.sqrt(v), np.nan), n, bound & known)


def combine_areas(sample: UnitSample, coefficients: NDArray[Any], *, domain: Bools | None = None) -> Estimated:
    """Estimate linear combinations of the classes' area shares, such as gain minus loss, with the covariances in the errors.

    Args:
        sample: The sample.
        coefficients: Coefficients of the K classes (M, K).
        domain: Units of the part to estimate for (n,); all by default.

    Returns:
        M combinations as shares of the (domain's) classified area; times that area they are areas. They may be negative.
    """
    inside = (sample.map_index >= 0) & (np.ones(len(sample.map_index), dtype=bool) if domain is None else domain)
    c = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    if c.shape[1] != sample.n_classes:
        raise AssessmentError(f"coefficients have {c.shape[1]} columns; expected one per class, {sample.n_classes}")
    top = np.where(inside[:, None], sample.reference @ c.T, 0)
    ones = np.broadcast_to(inside[:, None], top.shape).astype(np.float64)
    return estimate_ratio(top, ones, sample, reach=float(np.abs(c).max()))


def estimate_difference(a: UnitSample, b: UnitSample) -> tuple[DesignEstimates, DesignEstimates, DesignEstimates]:
    """Estimate how two maps differ, judged on the same units: the errors they share cancel out.

    The variance is that of the difference of both maps' linearised residuals at each unit, so that no covariance has to be
    guessed (for overall accuracy the paired comparison of Stehman 1997, doi:10.1016/S0034-4257(96)00176-9; Foody 2004,
    doi:10.14358/PERS.70.5.627 on why pairs must not be compared as if they were independent).

    Args:
        a: The sample with the classes of the first map.
        b: The same units with the classes of the second map.

    Returns:
        Figures of the first map, of the second, and first minus second (values between -1 and 1).

    Raises:
        AssessmentError: If the two are not the same units.
    """
    if len(a.map_index) != len(b.map_index) or not np.array_equal(a.reference, b.reference):
        raise AssessmentError(f"the two samples have {len(a.map_index)} and {len(b.map_index)} units or other references; "
                              "judge both maps on the same rows")  # fmt: skip
    both = (a.map_index >= 0) & (b.map_index >= 0)
    a, b = (replace(s, map_index=np.where(both, s.map_index, -1)) for s in (a, b))
    first, second = _influences(a), _influences(b)
    made: dict[str, Any] = {}
    for name, (value, e, reach) in first.items():
        other, f, reach_b = second[name]
        # where the maps differ at no unit, the most that one could have differed by bounds the error
        span = np.maximum(reach, reach_b)
        v, bound = _variance(e - f, span, a, int(both.sum()))
        known = ~np.isnan(value) & ~np.isnan(other)
        n = np.full(len(value), both.sum(), dtype=np.float64)
        made[name] = Estimated(value - other, np.where(known, np.sqrt(v), np.nan), n, bound & known)
    for name in ("overall", "macro_f1"):
        one = made[name]
        made[name] = Estimated(one.value[0], one.se[0], one.n[0], one.is_bound[0])
    ours, theirs = estimate_units(a), estimate_units(b)
    return ours, theirs, DesignEstimates(proportions=ours.proportions - theirs.proportions, **made)


def _influences(sample: UnitSample) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Value (M,), linearised residual per unit (n, M) and its possible range (M,) of every figure, caught on their way."""
    inside = sample.map_index >= 0
    total = sample.weight[inside].sum()
    caught: list[tuple[Floats, Floats]] = []

    def catch(z: Floats) -> tuple[Floats, Bools]:
        e = np.zeros((len(inside), len(z)))
        e[inside] = _residuals(z, sample.map_index[inside], sample.reference[inside]) / total
        flat = z.reshape(len(z), -1)
        caught.append((e, (flat.max(axis=1) - flat.min(axis=1)) / total))
        return np.zeros(len(z)), np.zeros(len(z), dtype=bool)

    k = sample.n_classes
    cells, counts = np.zeros((k, k)), np.zeros((k, k))
    np.add.at(cells, sample.map_index[inside], sample.reference[inside] * (sample.weight[inside] / total)[:, None])
    np.add.at(counts, sample.map_index[inside], sample.reference[inside])
    made = make_estimates(cells, counts, catch)
    names = ("overall", "users", "producers", "f1", "iou", "macro_f1", "area")  # the order in which they are made
    return {name: (np.atleast_1d(getattr(made, name).value), *got) for name, got in zip(names, caught, strict=True)}


def _variance(e: Floats, span: Floats, sample: UnitSample, n_used: int) -> tuple[Floats, Bools]:
    """Variance of the weighted totals of residuals e (n, M), and where it is a bound.

    A stratum with one first-stage unit gets the largest that it can have, (range / 2)^2; where nothing varies at all, the
    variance is w (1 - w) range^2 / n with w = q^2 / (n + q^2), q = 1.96, as in `area.estimate_strata`.
    """
    u = sample.weight[:, None] * _centred(e, sample)
    groups = sample.groups
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        raise AssessmentError(f"sample has {n_groups} first-stage unit; a variance needs at least 2")
    v, single = _successive(u, sample) if sample.order is not None else _between(u, span, sample)
    total = sample.weight.sum()
    w = z_value() ** 2 / (n_used + z_value() ** 2)
    flat = v <= (1e-12 * span * total) ** 2
    return np.where(flat, w * (1 - w) * (span * total) ** 2 / n_used, v), flat | single


def _centred(e: Floats, sample: UnitSample) -> Floats:
    """Take the weighted mean of its post-stratum from each residual: a known size has no sampling error."""
    if sample.post is None:
        return e
    post = np.unique(sample.post, return_inverse=True)[1]
    sums, weights = np.zeros((post.max() + 1, e.shape[1])), np.bincount(post, sample.weight)
    np.add.at(sums, post, sample.weight[:, None] * e)
    return np.asarray(e - (sums / weights[:, None])[post])


def _between(u: Floats, span: Floats, sample: UnitSample) -> tuple[Floats, Bools]:
    """Variance between first-stage units within strata, plus the second stage's part where it is asked for.

    V = sum_h (1 - f_h) n_h / (n_h - 1) sum_c (t_c - mean t)^2
      + sum_h f_h sum_c (1 - g_c) m_c / (m_c - 1) sum_i (u_i - mean u)^2
    (two-stage simple random sampling, Cochran 1977, chapters 10 and 11, written with weights); without f it is the ultimate
    cluster variance.
    """
    groups = sample.groups
    n_groups = int(groups.max()) + 1
    totals = np.zeros((n_groups, u.shape[1]))
    np.add.at(totals, groups, u)
    stratum = np.zeros(n_groups, dtype=np.int64)
    stratum[groups] = sample.stratum
    h = int(stratum.max()) + 1
    f = np.zeros(h) if sample.fraction is None else np.clip(sample.fraction, 0, 1)
    n = np.bincount(stratum, minlength=h)
    squares = _squares(totals, stratum, h)
    v = ((1 - f) * n / np.maximum(n - 1, 1))[:, None] * squares
    # a single first-stage unit shows no variance: the weight of its stratum times half the range bounds its deviation
    lone = (n == 1)[:, None] & (span > 0)
    weight = np.bincount(sample.stratum, sample.weight, minlength=h)
    v = np.where(lone, ((1 - f) * weight**2)[:, None] * span**2 / 4, v).sum(axis=0)
    if sample.within is not None and sample.psu is not None:
        m = np.bincount(groups)
        g = np.zeros(n_groups)
        g[groups] = np.clip(sample.within, 0, 1)
        second = (f[stratum] * (1 - g) * m / np.maximum(m - 1, 1))[:, None] * _squares(u, groups, n_groups)
        v = v + second.sum(axis=0)
    return v, lone.any(axis=0)


def _squares(values: Floats, group: Ints, n_groups: int) -> Floats:
    """Sum of squared deviations from the group's mean: values (n, M) -> (G, M)."""
    n = np.maximum(np.bincount(group, minlength=n_groups), 1)[:, None]
    mean = np.zeros((n_groups, values.shape[1]))
    np.add.at(mean, group, values)
    d = values - (mean / n)[group]
    made = np.zeros((n_groups, values.shape[1]))
    np.add.at(made, group, d**2)
    return made


def _successive(u: Floats, sample: UnitSample) -> tuple[Floats, Bools]:
    """Variance from differences of neighbours along the path: V = (1 - f) n / (2 (n - 1)) sum (u_k - u_(k-1))^2.

    The estimator SD1 of Ash 2014 (Survey Methodology 40, 47-59), v2 of Wolter 2007 (Introduction to variance estimation,
    section 8.2): it profits from the evenness of a systematic sample, but is right only where neighbours are alike at random.
    """
    order = np.argsort(np.asarray(sample.order), kind="stable")
    n = len(order)
    f = 0.0 if sample.fraction is None else float(np.clip(sample.fraction[0], 0, 1))
    v = (1 - f) * n / (2 * (n - 1)) * (np.diff(u[order], axis=0) ** 2).sum(axis=0)
    return v, np.zeros(u.shape[1], dtype=bool)
