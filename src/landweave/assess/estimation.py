"""From the sampling design to the estimator: which formulas a reference sample allows, and why.

Receives class indices at the reference places with the design; hands on estimates with the sentences that explain them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.document import Estimator
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.area import (
    DesignEstimates,
    Estimated,
    estimate_clusters,
    estimate_simple,
    estimate_strata,
    estimate_stratified,
)
from landweave.metrics.confusion import count_by_group, count_parts
from landweave.metrics.intervals import bootstrap_scores
from landweave.types import Design

__all__ = ["DESIGN_SE", "Estimation", "Evidence", "estimate_from"]

_OLOFSSON = "Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015"
_STEHMAN = "Stehman 2014, doi:10.1080/01431161.2014.930207"


@dataclass(frozen=True)
class Evidence:
    """What a reference sample shows about a map.

    Attributes:
        classes: The map's classes, then those that stand only in the reference; K in all.
        map_index: Class that the map has at each sample (n,), -1 where it has none.
        reference_index: Class of the reference (n,).
        mapped_ha: Mapped area of each class (K,); None where there is no map.
        mapped_px: Mapped pixels of each class (K,), likewise.
        design: How the sample was drawn.
        map_checksum: sha256 of the map; None where there is no map.
        stratum: Name of each sample's stratum (n,), "" where it has none.
        psu: Primary sampling unit of each sample (n,), "" where it has none.
        probability: Inclusion probability (n,), NaN where unknown.
        group: Samples of one group are alike (n,): a polygon, a spatial block.
    """

    classes: Legend
    map_index: NDArray[np.int64]
    reference_index: NDArray[np.int64]
    mapped_ha: NDArray[np.float64] | None
    mapped_px: NDArray[np.float64] | None
    design: Design
    map_checksum: str | None
    stratum: NDArray[np.str_]
    psu: NDArray[np.str_]
    probability: NDArray[np.float64]
    group: NDArray[Any]

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Samples that the map has no class for (n,)."""
        return self.map_index < 0

    def count(self, group: NDArray[np.int64] | None = None, n_groups: int = 1) -> NDArray[np.float64]:
        """Count samples by group and cell, (n_groups, K map, K reference)."""
        at = np.zeros(len(self.map_index), dtype=np.int64) if group is None else group
        counts = count_by_group(at, self.map_index, self.reference_index, n_groups=n_groups, n_classes=len(self.classes))
        return counts.astype(np.float64)


@dataclass(frozen=True)
class Estimation:
    """Estimates and what has to be said about them.

    Attributes:
        estimates: The figures; areas are NaN where `areas_why` is set.
        estimator: Its name in the document.
        note: Why this estimator.
        has_interval: Whether standard errors stand for a probability design.
        se_method: How standard errors were made.
        map_is_strata: Whether the design's strata are the assessed map; None where they come from no map.
        areas_why: Why there is no estimated area.
        warnings: What a reader has to know.
    """

    estimates: DesignEstimates
    estimator: Estimator
    note: str
    has_interval: bool
    se_method: str | None = None
    map_is_strata: bool | None = None
    areas_why: str | None = None
    warnings: tuple[str, ...] = field(default=())


def estimate_from(evidence: Evidence, options: AssessOptions) -> Estimation:
    """Choose the estimator that the design calls for, and apply it.

    Raises:
        AssessmentError: If no sample has a class on the map, or the rows contradict the stated design (an unknown stratum, no
            primary sampling unit).
    """
    if evidence.outside.all():
        raise AssessmentError(f"none of the {len(evidence.map_index)} reference samples has a class on the map; all are "
                              "outside it, on nodata or on 'unsure'")  # fmt: skip
    kind = evidence.design.kind
    if kind == "none":
        return _plain(evidence, options, _no_design(evidence.design))
    if evidence.mapped_ha is None:
        return _plain(evidence, options, "There is no map here, only predictions at the samples, and so no area to estimate.")
    if kind in ("simple", "systematic"):
        return _simple(evidence, options)
    if kind == "stratified":
        return _stratified(evidence, options)
    return _clusters(evidence, options)


def _no_design(design: Design) -> str:
    note = f" ({design.note.rstrip('.')})" if design.note else ""
    return (f"The reference sample has no stated probability design{note}: its places were not drawn so that they stand for "
            "the whole map, and no area or interval can be estimated from them. The areas are those mapped, which carry the "
            "map's errors.")  # fmt: skip


_TOLERATED_GAP = 0.01
"""Largest share of the area without a sample that estimates may be made beside; its worst effect is added to the errors."""

DESIGN_SE = "design-based, from the linearised residuals of the estimator"


def _simple(evidence: Evidence, options: AssessOptions) -> Estimation:
    counts, mapped = evidence.count()[0], _mapped(evidence)
    said = "A systematic sample has no unbiased variance; that of a simple random sample is used, which is usually too large."
    warnings = (said,) if evidence.design.kind == "systematic" else ()
    if counts.sum() < 2:
        note = "A single sample, taken as it is."
        estimates = estimate_simple(counts, outside=float(evidence.outside.sum()))
        return Estimation(estimates, "simple", note, True, DESIGN_SE, warnings=warnings)
    post = _post_strata(counts.sum(axis=1), mapped)
    merged = [c.name for i, c in enumerate(evidence.classes) if mapped[i] > 0 and (post == post[i]).sum() > 1]
    k = len(evidence.classes)
    # every map class goes into the post-stratum that it belongs to, with the area of all its classes
    cells = np.zeros((k, k, k))
    cells[post, np.arange(k)] = counts
    sizes, units = np.bincount(post, mapped, k), evidence.mapped_px
    n_units = np.bincount(post, units, k) if options.finite_population and units is not None else None
    possible = np.broadcast_to((post == np.arange(k)[:, None])[:, :, None], cells.shape)
    estimates = estimate_strata(cells, sizes, n_units=n_units, possible=possible)
    note = ("A simple random or systematic sample, post-stratified by map class, which makes use of the mapped areas "
            f"({_OLOFSSON}; Olofsson et al. 2013, doi:10.1016/j.rse.2012.10.031)."
            + (f" {_listed(merged)} form one post-stratum, as some have under two samples." if merged else ""))  # fmt: skip
    return Estimation(estimates, "post-stratified", note, True, DESIGN_SE, warnings=warnings)


def _post_strata(n: NDArray[np.float64], mapped: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the post-stratum of each class (K,): its own, or a common one for those with fewer than two samples.

    Where even those together have fewer than two, the class with the largest mapped area joins them.
    """
    post = np.arange(len(n))
    thin = (mapped > 0) & (n < 2)
    if thin.any() and n[thin].sum() < 2:
        thin[np.argmax(np.where(thin, -1, mapped))] = True
    post[thin] = np.argmax(thin)
    return post


def _mapped(evidence: Evidence) -> NDArray[np.float64]:
    if evidence.mapped_ha is None:
        raise AssessmentError("areas need a map; give the map product that the samples are compared with")
    return evidence.mapped_ha


def _stratified(evidence: Evidence, options: AssessOptions) -> Estimation:
    design = evidence.design
    index, strata_of = _stratum_index(evidence), [s.name for s in design.strata]
    same = None if design.strata_checksum is None else design.strata_checksum == evidence.map_checksum
    sizes = np.array([s.area_ha for s in design.strata])
    units = np.array([s.size_px for s in design.strata], dtype=np.float64) if options.finite_population else None
    if same and _is_one_to_one(evidence, index):
        return _olofsson(evidence, options)
    gap = _find_gap(strata_of, np.bincount(index, minlength=len(sizes)), sizes)
    if gap.share > _TOLERATED_GAP:
        return _plain(evidence, options, gap.why, same)
    outside = np.bincount(index[evidence.outside], minlength=len(sizes)).astype(np.float64)
    estimates = estimate_strata(evidence.count(index, len(sizes)), gap.sizes, outside=outside, n_units=units)
    note = _why_other(evidence, same)
    return Estimation(gap.widen(estimates), "strata-other-than-map", note, True, DESIGN_SE, same, warnings=gap.warnings)


def _why_other(evidence: Evidence, same: bool | None) -> str:
    if same is None:
        why = "The strata do not come from a map"
    elif same:
        why = "The strata come from this map but are not its classes one by one"
    else:
        drawn, judged = evidence.design.strata_checksum or "", evidence.map_checksum or ""
        why = f"The strata were made from another map (checksum {drawn[:12]}) than the one judged ({judged[:12]})"
    return f"{why}, so that the estimator for strata other than the map is used ({_STEHMAN})."


def _stratum_index(evidence: Evidence) -> NDArray[np.int64]:
    known = {s.name: i for i, s in enumerate(evidence.design.strata)}
    wrong = sorted(set(evidence.stratum.tolist()) - set(known))
    if wrong:
        raise AssessmentError(f"the column stratum holds {wrong[0] or 'empty'!r}, which the design does not list; its strata "
                              f"are {', '.join(known) or 'none'}; correct the rows or the design")  # fmt: skip
    return np.array([known[s] for s in evidence.stratum.tolist()], dtype=np.int64)


def _is_one_to_one(evidence: Evidence, index: NDArray[np.int64]) -> bool:
    """Tell whether each stratum is one map class and every sample stands in the stratum of the class it is mapped as."""
    by_code = {c.code: i for i, c in enumerate(evidence.classes)}
    by_name = {c.name: i for i, c in enumerate(evidence.classes)}
    class_of = [by_code.get(s.code, -2) if s.code is not None else by_name.get(s.name, -2) for s in evidence.design.strata]
    return len(set(class_of)) == len(class_of) and bool((np.array(class_of)[index] == evidence.map_index).all())


def _olofsson(evidence: Evidence, options: AssessOptions) -> Estimation:
    counts, mapped = evidence.count()[0], _mapped(evidence)
    gap = _find_gap(evidence.classes.names, counts.sum(axis=1), mapped)
    if gap.share > _TOLERATED_GAP:
        return _plain(evidence, options, gap.why, True)
    note = f"A stratified random sample whose strata are the classes of this map ({_OLOFSSON})."
    units = evidence.mapped_px if options.finite_population else None
    estimates = gap.widen(estimate_stratified(counts, gap.sizes, n_units=units))
    return Estimation(estimates, "stratified", note, True, DESIGN_SE, True, warnings=gap.warnings)


@dataclass(frozen=True)
class _Gap:
    """Strata without a usable sample: their share of the area, and the sizes of the others (0 for the empty ones)."""

    names: tuple[str, ...]
    share: float
    sizes: NDArray[np.float64]

    @property
    def why(self) -> str:
        return (f"No usable reference sample lies in {_listed(self.names)} ({self.share:.1%} of the area), so that nothing is "
                "known about that part of the map and no area of the whole can be estimated; draw samples there.")  # fmt: skip

    @property
    def warnings(self) -> tuple[str, ...]:
        said = (f"No usable reference sample lies in {_listed(self.names)} ({self.share:.2%} of the area). It counts as like "
                "the rest, and the errors of areas and overall accuracy are widened by that share.")  # fmt: skip
        return (said,) if self.names else ()

    def widen(self, estimates: DesignEstimates) -> DesignEstimates:
        """Add to areas and overall accuracy the most that the empty strata can change them by."""

        def wider(e: Estimated) -> Estimated:
            return Estimated(e.value, np.sqrt(e.se**2 + self.share**2), e.n, e.is_bound)

        return replace(estimates, overall=wider(estimates.overall), area=wider(estimates.area)) if self.names else estimates


def _find_gap(names: Sequence[str], n: NDArray[Any], sizes: NDArray[np.float64]) -> _Gap:
    empty = (sizes > 0) & (n == 0)
    share = float(sizes[empty].sum() / sizes.sum())
    return _Gap(tuple(name for name, e in zip(names, empty, strict=True) if e), share, np.where(empty, 0.0, sizes))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _clusters(evidence: Evidence, options: AssessOptions) -> Estimation:
    if (evidence.psu == "").any():
        raise AssessmentError(f"the design is a cluster sample but {int((evidence.psu == '').sum())} rows have no psu; name "
                              "the primary sampling unit of every row in the column psu")  # fmt: skip
    names, index = np.unique(evidence.psu, return_inverse=True)
    if len(names) < 2:
        why = f"The cluster sample has a single primary sampling unit ({str(names[0])!r}), which shows no variance."
        return _plain(evidence, options, why)
    known = np.isfinite(evidence.probability) & (evidence.probability > 0)
    if known.any() and not known.all():
        raise AssessmentError(f"{int((~known).sum())} of {len(known)} rows have no inclusion_probability; give it for all rows "
                              "of the cluster sample, or for none where it does not vary")  # fmt: skip
    weights = 1 / evidence.probability if known.all() else np.ones(len(known))
    first = np.zeros(len(names), dtype=np.int64)
    first[index[::-1]] = np.arange(len(index))[::-1]
    if not np.allclose(weights, weights[first][index]):
        raise AssessmentError(f"inclusion_probability varies within a psu (from {evidence.probability.min():g} to "
                              f"{evidence.probability.max():g} over the sample); give one value per psu")  # fmt: skip
    counts = evidence.count(index.astype(np.int64), len(names))
    outside = np.bincount(index[evidence.outside], minlength=len(names)).astype(np.float64)
    estimates = estimate_clusters(counts, weights[first], outside=outside)
    note = (f"A sample of {len(names)} clusters; variances are those between clusters (Stehman 1997, "
            "doi:10.1016/S0034-4257(96)00176-9).")  # fmt: skip
    return Estimation(estimates, "cluster", note, True, "design-based, between clusters")


_PLAIN: tuple[ScoreName, ...] = ("overall_accuracy", "users", "producers", "f1", "iou", "macro_f1")


def _plain(evidence: Evidence, options: AssessOptions, why: str, map_is_strata: bool | None = None) -> Estimation:
    """Score the sample as it is; standard errors say how the scores would scatter with other groups, not other maps."""
    counts = evidence.count()[0]
    groups, index = np.unique(evidence.group[~evidence.outside], return_inverse=True)
    m, r = evidence.map_index[~evidence.outside], evidence.reference_index[~evidence.outside]
    k = len(evidence.classes)
    drawn: dict[str, NDArray[np.float64]] = {}
    if len(groups) >= 2:
        parts = count_parts(index, m, r, n_groups=len(groups), n_classes=k)
        rng = np.random.default_rng(options.seed)
        drawn = bootstrap_scores(parts, _PLAIN, draws=options.bootstrap_draws, rng=rng)
    made = {name: _described(counts, name, drawn.get(name)) for name in _PLAIN}
    nothing = np.full(k, np.nan)
    area = Estimated(nothing, nothing, np.zeros(k), np.zeros(k, dtype=bool))
    estimates = DesignEstimates(
        proportions=counts / counts.sum(), overall=made["overall_accuracy"], users=made["users"], f1=made["f1"],
        producers=made["producers"], iou=made["iou"], macro_f1=made["macro_f1"], area=area,
    )  # fmt: skip
    what = "group" if len(groups) < counts.sum() else "sample"
    se_method = f"bootstrap of {len(groups)} {what}s, {options.bootstrap_draws} draws" if drawn else None
    note = "Plain shares of the sample; they describe these samples, not the whole map."
    return Estimation(estimates, "plain", note, False, se_method, map_is_strata, why)


def _described(counts: NDArray[np.float64], name: ScoreName, drawn: NDArray[np.float64] | None) -> Estimated:
    value = score_matrix(counts, name)
    row, col, both = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    n = {"users": row, "producers": col, "f1": row + col - both, "iou": row + col - both}.get(name, counts.sum())
    se = np.full(value.shape, np.nan)
    if drawn is not None:
        known = ~np.isnan(drawn)
        times = known.sum(axis=0)
        mean = np.where(known, drawn, 0).sum(axis=0) / np.maximum(times, 1)
        squares = np.where(known, drawn - mean, 0.0) ** 2
        se = np.sqrt(squares.sum(axis=0) / np.maximum(times - 1, 1))
        # a score that never varied shows that the sample is too small to tell, not that it is certain
        se = np.where((times > 1) & (se > 1e-12) & ~np.isnan(value), se, np.nan)
    return Estimated(value, se, np.asarray(n, dtype=np.float64), np.zeros(value.shape, dtype=bool))
