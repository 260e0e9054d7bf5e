"""Design-based estimates of accuracy and area from a reference sample drawn with known probabilities.

Receives counts of sample units by stratum and by cell of the error matrix (axis -2 map, axis -1 reference) and the strata's
sizes; hands on shares with standard errors. One engine serves every design: each figure is a ratio of totals over the cells,
and its variance is that of its linearised residual per sample unit (Sarndal, Swensson and Wretman 1992, sections 5.5 and 5.6;
Stehman 2014, eq. 25-28). For strata that are the map's classes this gives the formulas of Olofsson et al. exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.intervals import z_value

__all__ = [
    "DesignEstimates",
    "Estimated",
    "estimate_clusters",
    "estimate_simple",
    "estimate_strata",
    "estimate_stratified",
    "make_estimates",
]

Floats = NDArray[np.float64]
VarianceOf = Callable[[Floats], tuple[Floats, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Estimated:
    """Estimates of one kind.

    Attributes:
        value: Shares 0..1, per class (K,) or a single one (); NaN where undefined.
        se: Standard errors, same shape; NaN where `value` is. Never 0.
        n: Sample units in the denominator, same shape.
        is_bound: True where the sample shows too little to compute `se` from, which is then an upper bound (see
            `estimate_strata`).
        lower: Lower end of a 95 % interval that does not follow from `se` (bootstrap percentiles); None, or NaN where it does.
        upper: Upper end of it.
    """

    value: Floats
    se: Floats
    n: Floats
    is_bound: NDArray[np.bool_]
    lower: Floats | None = None
    upper: Floats | None = None


@dataclass(frozen=True)
class DesignEstimates:
    """Everything that a designed sample says about a map; K classes, all shares of the classified area.

    Attributes:
        proportions: Estimated error matrix (K map, K reference); sums to 1.
        overall: Overall accuracy.
        users: User's accuracy by class (1 - commission).
        producers: Producer's accuracy by class (1 - omission).
        f1: 2 p_kk / (p_k. + p_.k) by class.
        iou: p_kk / (p_k. + p_.k - p_kk) by class.
        macro_f1: Mean of F1 over the classes that occur in the reference.
        area: Share of the area by reference class; sums to 1.
    """

    proportions: Floats
    overall: Estimated
    users: Estimated
    producers: Estimated
    f1: Estimated
    iou: Estimated
    macro_f1: Estimated
    area: Estimated


def estimate_stratified(
    counts: NDArray[Any], mapped_area: NDArray[Any], *, n_units: NDArray[Any] | None = None
) -> DesignEstimates:
    """Estimate from a stratified random sample whose strata are the map's classes.

    Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015): cells p_ij = W_i n_ij / n_i. (eq. 4), overall, user's and producer's
    accuracies (eq. 1-3) with variances (eq. 5-7), area shares (eq. 9) with standard errors (eq. 10); F1 and IoU by
    linearisation. Also for a simple random or systematic sample post-stratified by map class (Olofsson et al. 2013,
    doi:10.1016/j.rse.2012.10.031), where the standard errors are those given the counts per class.

    Args:
        counts: Sample units (K map, K reference), the same classes in the same order on both axes. A class that is not on
            the map has a row of zeros and area 0.
        mapped_area: Mapped area of each class (K,), in any unit.
        n_units: Mapped pixels of each class (K,), for the finite population correction; left out when not given.

    Returns:
        The estimates. Times the total area, `area.value` and `area.se` (eq. 11) are areas.

    Raises:
        AssessmentError: If shapes or signs do not fit, a mapped class has no sample, or a sampled one no area.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2:
        raise AssessmentError(f"counts have shape {counts.shape}; expected (K map classes, K reference classes)")
    n_classes = counts.shape[0]
    cells = np.zeros((n_classes, *counts.shape))
    cells[np.arange(n_classes), np.arange(n_classes)] = counts
    possible = np.zeros(cells.shape, dtype=bool)
    possible[np.arange(n_classes), np.arange(n_classes)] = True
    return estimate_strata(cells, mapped_area, n_units=n_units, possible=possible)


def estimate_simple(counts: NDArray[Any], *, outside: float = 0.0) -> DesignEstimates:
    """Estimate from a simple random sample without the help of mapped areas.

    Every share is a plain one, with variance p (1 - p) / (n - 1) (Cochran 1977, eq. 3.8, without its finite correction).
    Where the mapped areas are known and every class is sampled, `estimate_stratified` is more precise.

    Args:
        counts: Sample units (K map, K reference).
        outside: Sample units that fell outside the classified area.

    Raises:
        AssessmentError: If shapes or signs do not fit, or there is no sample.
    """
    cells = np.asarray(counts, dtype=np.float64)[None]
    return estimate_strata(cells, np.ones(1), outside=np.array([outside]))


def estimate_strata(
    counts: NDArray[Any], sizes: NDArray[Any], *, outside: NDArray[Any] | None = None, n_units: NDArray[Any] | None = None,
    possible: NDArray[np.bool_] | None = None,
) -> DesignEstimates:  # fmt: skip
    """Estimate from a stratified random sample with any strata.

    Stehman 2014 (doi:10.1080/01431161.2014.930207): with indicator variables y (and x) of a sample unit, overall accuracy,
    areas and cells are stratified means (eq. 3) with the variance of eq. 25-26; user's and producer's accuracies, F1 and IoU
    are ratios of such means (eq. 27) with the variance of the ratio estimator (eq. 28), written through the residual
    z = (y - R x) / X of each sample unit, so that V = sum_h W_h^2 (1 - n_h / N_h) s_h^2(z) / n_h.

    The formulas break down in two cases, which get an upper bound instead of a zero (`is_bound`):
    a stratum with one sample has no variance of its own, and is given the largest that z can have there, (range / 2)^2
    (Popoviciu); and where no stratum shows any variation at all (a class never seen, a map without a single error), the
    variance of each stratum is w (1 - w) range^2 with w = q^2 / (n_h + q^2), q = 1.96, so that value +- 1.96 se ends at
    Wilson's limit for a share of 0 or 1 instead of being of zero width.

    Args:
        counts: Sample units (H strata, K map, K reference).
        sizes: Size of each stratum (H,), in any unit.
        outside: Sample units of each stratum that fell outside the classified area (H,), such as on nodata of the map; the
            estimates are then ratios to the classified area.
        n_units: Units in each stratum (H,), for the finite population correction; left out when not given.
        possible: Which cells can occur in a stratum (H, K, K); all by default. Only the bounds depend on it.

    Raises:
        AssessmentError: If shapes or signs do not fit, a stratum of positive size has no sample, or a sampled one no size.
    """
    counts, sizes = _check_counts(np.asarray(counts, dtype=np.float64), np.asarray(sizes, dtype=np.float64))
    out = np.zeros(len(sizes)) if outside is None else np.asarray(outside, dtype=np.float64)
    n = counts.sum(axis=(1, 2)) + out
    _check_strata(n, sizes)
    used = sizes > 0
    counts, n, out, weights = counts[used], n[used], out[used], sizes[used] / sizes[used].sum()
    finite = np.ones(len(n)) if n_units is None else np.clip(1 - n / np.asarray(n_units, dtype=np.float64)[used], 0, 1)
    allowed = np.ones(counts.shape, dtype=bool) if possible is None else possible[used]
    factor = weights**2 * finite / n
    shares = counts / n[:, None, None]

    def variance(z: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        s2 = _unit_variance(z, shares, out / n) * (n / np.maximum(n - 1, 1))[:, None]
        span = _residual_range(z, allowed, out > 0)
        q2 = z_value() ** 2
        single = (n == 1)[:, None] & (span > 0)
        s2 = np.where(single, span**2 / 4, s2)
        # compared with the square of rounding errors in z
        flat = (s2 <= (1e-12 * span) ** 2).all(axis=0)
        w = (q2 / (n + q2))[:, None]
        s2 = np.where(flat, np.where(single, span**2 / 4, w * (1 - w) * span**2), s2)
        return (factor[:, None] * s2).sum(axis=0), flat | single.any(axis=0)

    cells = np.einsum("h,hij->ij", weights, shares)
    return make_estimates(cells, counts.sum(axis=0), variance)


def estimate_clusters(counts: NDArray[Any], weights: NDArray[Any], *, outside: NDArray[Any] | None = None) -> DesignEstimates:
    """Estimate from a sample of clusters (primary sampling units), however the units within them were chosen.

    Every share is a ratio of weighted totals over clusters, with the variance between the clusters' residual totals taken as
    if clusters had been drawn with replacement, V = C / (C - 1) sum_c (t_c - mean t)^2 (the ultimate cluster variance of
    Hansen, Hurwitz and Madow 1953; for map accuracy Stehman 1997, doi:10.1016/S0034-4257(96)00176-9); it is on the safe side.

    Args:
        counts: Sample units (C clusters, K map, K reference).
        weights: Weight of a unit of each cluster (C,), 1 / inclusion probability; equal ones where it does not vary.
        outside: Sample units of each cluster outside the classified area (C,).

    Raises:
        AssessmentError: If shapes or signs do not fit, or there are fewer than two clusters.
    """
    counts, weights = _check_counts(np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64))
    n_clusters = len(counts)
    out = np.zeros(n_clusters) if outside is None else np.asarray(outside, dtype=np.float64)
    if n_clusters < 2:
        raise AssessmentError(f"sample has {n_clusters} cluster; the variance between clusters needs at least 2")
    total = (weights * (counts.sum(axis=(1, 2)) + out)).sum()
    shares = weights[:, None, None] * counts / total
    n_eff = (counts.sum(axis=(1, 2)) + out > 0).sum()

    def variance(z: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        t = np.einsum("cij,mij->cm", shares, z)
        v = n_clusters / (n_clusters - 1) * ((t - t.mean(axis=0)) ** 2).sum(axis=0)
        span = _residual_range(z, np.ones((1, *counts.shape[1:]), dtype=bool), np.array([out.sum() > 0]))[0]
        w = z_value() ** 2 / (n_eff + z_value() ** 2)
        flat = v <= (1e-12 * span) ** 2
        return np.where(flat, w * (1 - w) * span**2 / n_eff, v), flat

    return make_estimates(shares.sum(axis=0), counts.sum(axis=0), variance)


def _check_counts(counts: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    if counts.ndim != 3 or counts.shape[1] != counts.shape[2] or sizes.shape != counts.shape[:1]:
        raise AssessmentError(f"counts have shape {counts.shape} and sizes {sizes.shape}; expected (H, K map, K reference) "
                              "and (H,), with the same classes in the same order on both sides")  # fmt: skip
    for what, array in (("counts", counts), ("sizes", sizes)):
        if not np.isfinite(array).all() or (array < 0).any():
            bad = array[~(np.isfinite(array) & (array >= 0))].flat[0]
            raise AssessmentError(f"{what} hold {bad:g}; they must be finite and 0 or more")
    if counts.sum() <= 0 or sizes.sum() <= 0:
        raise AssessmentError(f"there are {counts.sum():g} samples in an area of {sizes.sum():g}; both must be above 0")
    return counts, sizes


def _check_strata(n: Floats, sizes: Floats) -> None:
    empty = np.flatnonzero((n == 0) & (sizes > 0))
    if len(empty):
        share = sizes[empty[0]] / sizes.sum()
        raise AssessmentError(f"stratum {empty[0]} holds {share:.2%} of the area and no sample, so that nothing can be said "
                              "about the whole; sample it, or merge it with another stratum before drawing")  # fmt: skip
    void = np.flatnonzero((n > 0) & (sizes == 0))
    if len(void):
        raise AssessmentError(f"stratum {void[0]} holds {n[void[0]]:g} samples and no area; give its size")


def _unit_variance(z: Floats, shares: Floats, outside: Floats) -> Floats:
    """Population-style variance of residuals (M, K, K) among the units of each stratum -> (H, M); outside units have 0."""
    h, k2 = shares.shape[0], shares.shape[1] * shares.shape[2]
    q, flat = shares.reshape(h, k2), z.reshape(-1, k2)
    mean = q @ flat.T
    # centred before squaring: the difference of two large squares would leave rounding where there is no variance
    result = np.empty_like(mean)
    for i in range(h):
        d = flat - mean[i][:, None]
        result[i] = (d**2) @ q[i] + outside[i] * mean[i] ** 2
    return result


def _residual_range(z: Floats, possible: NDArray[np.bool_], has_outside: NDArray[np.bool_]) -> Floats:
    """Range of the residuals (M, K, K) over the cells that can occur in each stratum (H, K, K) -> (H, M)."""
    spans = np.zeros((len(possible), len(z)))
    for i, allowed in enumerate(possible):
        values = z[:, allowed]
        if has_outside[i]:
            values = np.column_stack([values, np.zeros(len(z))])
        spans[i] = values.max(axis=1) - values.min(axis=1)
    return spans


def make_estimates(cells: Floats, counts: Floats, variance_of: VarianceOf) -> DesignEstimates:
    """Turn estimated cells (K, K), whose sum is the classified share, into every figure.

    Each figure is y / x, with `top` and `bottom` telling how much a sample unit in a cell adds to y and x.

    Args:
        cells: Estimated shares (K map, K reference).
        counts: Sample units (K map, K reference), which only tell what each figure rests on.
        variance_of: Takes linearised residuals per cell (M, K, K); gives their variances (M,) and where these are bounds (M,).
    """
    k = len(cells)
    on_map = np.broadcast_to(np.eye(k)[:, :, None], (k, k, k))  # 1 where a cell's map class is the figure's class
    in_reference = np.broadcast_to(np.eye(k)[:, None, :], (k, k, k))
    both, either = on_map * in_reference, np.maximum(on_map, in_reference)
    everything = np.ones((k, k, k))

    def ratio(top: Floats, bottom: Floats) -> tuple[Floats, Floats]:
        y, x = (top * cells).sum(axis=(1, 2)), (bottom * cells).sum(axis=(1, 2))
        known = x > 0
        value = np.divide(y, x, out=np.full(len(y), np.nan), where=known)
        z = np.where(known[:, None, None], top - np.where(known, value, 0)[:, None, None] * bottom, 0)
        return value, z / np.where(known, x, 1)[:, None, None]

    def estimated(value: Floats, z: Floats, domain: Floats) -> Estimated:
        known = ~np.isnan(value)
        v, bound = variance_of(z)
        n = ((domain > 0) * counts).sum(axis=(1, 2))
        # no share has a standard error above 1/2; a bound of a ratio, being linear, may overshoot it
        se = np.where(bound, np.minimum(np.sqrt(v), 0.5), np.sqrt(v))
        return Estimated(np.clip(value, 0, 1), np.where(known, se, np.nan), n, bound & known)

    f1, f1_z = ratio(2 * both, on_map + in_reference)
    known = cells.sum(axis=0) > 0
    one = everything[:1]
    return DesignEstimates(
        proportions=cells / cells.sum(),
        overall=_single(estimated(*ratio(np.eye(k)[None], one), one)),
        users=estimated(*ratio(both, on_map), on_map),
        producers=estimated(*ratio(both, in_reference), in_reference),
        f1=estimated(f1, f1_z, either),
        iou=estimated(*ratio(both, either), either),
        macro_f1=_single(estimated(np.array([f1[known].mean()]), f1_z[known].mean(axis=0, keepdims=True), one)),
        area=estimated(*ratio(in_reference, everything), everything),
    )


def _single(many: Estimated) -> Estimated:
    return Estimated(many.value[0], many.se[0], many.n[0], many.is_bound[0])
