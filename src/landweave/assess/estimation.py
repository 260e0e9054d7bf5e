"""From the sampling design to the estimator: which formulas a reference sample allows, and why.

Receives class indices at the reference places with the design; hands on estimates with the sentences that explain them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.designs import find_post_strata, find_strata, make_units
from landweave.assess.document import Estimator
from landweave.assess.ends import RECOVERED, Ends, recover_ends, replicate_ends, with_ends
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.area import (
    DesignEstimates,
    Estimated,
    estimate_simple,
    estimate_strata,
    estimate_stratified,
)
from landweave.metrics.confusion import count_by_group, count_parts
from landweave.metrics.intervals import bootstrap_scores
from landweave.metrics.resample import bootstrap_matrices
from landweave.metrics.units import estimate_units
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
        shares: Shares of the reference's classes (n, K), where these are to count instead of `reference_index`.
        alternate: Second label (n,), -1 where there is none; None where it is not to count.
        place: Row and column of each sample's pixel on the map (n, 2); None where there is no map.
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
    shares: NDArray[np.float64] | None = None
    alternate: NDArray[np.int64] | None = None
    place: NDArray[np.int64] | None = None

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
        unseen: Share of the area in strata without a sample, by which errors are widened.
        counts: The error matrix's counts (K, K), where they are not those of the plain labels.
    """

    estimates: DesignEstimates
    estimator: Estimator
    note: str
    has_interval: bool
    se_method: str | None = None
    map_is_strata: bool | None = None
    areas_why: str | None = None
    warnings: tuple[str, ...] = field(default=())
    unseen: float = 0.0
    counts: NDArray[np.float64] | None = None


def estimate_from(evidence: Evidence, options: AssessOptions) -> Estimation:
    """Choose the estimator that the design calls for, and apply it.

    Raises:
        AssessmentError: If no sample has a class on the map, or the rows contradict the stated design (an unknown stratum, no
            primary sampling unit).
    """
    if evidence.outside.all():
        raise AssessmentError(f"none of the {len(evidence.map_index)} reference samples has a class on the map; all are "
                              "outside it, on nodata or on 'unsure'")  # fmt: skip
    if evidence.alternate is not None:
        return _either(evidence, options)
    made = _choose(evidence, options)
    return _refine(made, evidence, options) if made.has_interval else _mean_labels(made, evidence)


def _choose(evidence: Evidence, options: AssessOptions) -> Estimation:
    """Apply the estimator of the design to the plain labels."""
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


def _either(evidence: Evidence, options: AssessOptions) -> Estimation:
    """Count agreement with the class or the alternate as right; areas stay those of the class, which no map had a say in."""
    plain = replace(evidence, alternate=None)
    alternate = np.asarray(evidence.alternate)
    taken = (alternate >= 0) & (alternate == evidence.map_index)
    kind = estimate_from(replace(plain, reference_index=np.where(taken, alternate, plain.reference_index)), options)
    strict = estimate_from(plain, options)
    note = (f"{kind.note} Agreement with the reference's class or its alternate counts as right ({int(taken.sum())} of "
            f"{len(taken)} samples agree with the alternate alone); areas go by the class.")  # fmt: skip
    counts = replace(plain, reference_index=np.where(taken, alternate, plain.reference_index)).count()[0]
    return replace(kind, estimates=replace(kind.estimates, area=strict.estimates.area), note=note, counts=counts)


def _mean_labels(made: Estimation, evidence: Evidence) -> Estimation:
    """Say that shares of labels count for nothing where there is no design."""
    if evidence.shares is None:
        return made
    said = "Shares of labels count only with a probability design; the plain shares of the sample go by the class."
    return replace(made, warnings=(*made.warnings, said))


def _refine(made: Estimation, evidence: Evidence, options: AssessOptions) -> Estimation:
    """Redo the estimates unit by unit where counts do not serve, and draw the bootstrap where it is asked for."""
    special = {options.interval, options.area_interval} & {"bootstrap", *RECOVERED}
    successive = evidence.design.kind == "systematic" and options.systematic_variance == "successive"
    if (evidence.shares is None and not successive and not special) or evidence.count().sum() < 2:
        return made
    units = make_units(evidence, options)
    if evidence.shares is not None or successive:
        inside = ~evidence.outside
        counts = None
        if evidence.shares is not None:
            counts = np.zeros((len(evidence.classes),) * 2)
            np.add.at(counts, evidence.map_index[inside], evidence.shares[inside])
        made = replace(made, estimates=_widen(estimate_units(units), made.unseen), counts=counts)
    if successive:
        said = ("The variance is that of successive differences along the lattice (Ash 2014, Survey Methodology 40, 47-59); it "
                "is wrong where the landscape repeats itself with the lattice's step.")  # fmt: skip
        made = replace(made, warnings=(*(w for w in made.warnings if w != _CONSERVATIVE), said),
                       se_method="design-based, from successive differences along the lattice")  # fmt: skip
    ends: dict[str, Ends] = {}
    if "bootstrap" in special:
        rng = np.random.default_rng(options.seed)
        ends["bootstrap"] = replicate_ends(bootstrap_matrices(units, draws=options.bootstrap_draws, rng=rng))
    if evidence.shares is None and not successive and evidence.design.kind != "cluster":
        ends |= {name: recover_ends(units, name) for name in RECOVERED if name in special}
    return replace(made, estimates=with_ends(made.estimates, ends, options, made.unseen))


def _widen(estimates: DesignEstimates, share: float) -> DesignEstimates:
    """Add to areas and overall accuracy the most that strata without a sample can change them by."""
    if share <= 0:
        return estimates

    def wider(e: Estimated) -> Estimated:
        return replace(e, se=np.sqrt(e.se**2 + share**2))

    return replace(estimates, overall=wider(estimates.overall), area=wider(estimates.area))


def _no_design(design: Design) -> str:
    note = f" ({design.note.rstrip('.')})" if design.note else ""
    return (f"The reference sample has no stated probability design{note}: its places were not drawn so that they stand for "
            "the whole map, and no area or interval can be estimated from them. The areas are those mapped, which carry the "
            "map's errors.")  # fmt: skip


_TOLERATED_GAP = 0.01
"""Largest share of the area without a sample that estimates may be made beside; its worst effect is added to the errors."""

_CONSERVATIVE = (
    "A systematic sample has no unbiased variance; that of a simple random sample is used, which is conservative: intervals "
    "are usually too wide."
)

DESIGN_SE = "design-based, from the linearised residuals of the estimator"


def _simple(evidence: Evidence, options: AssessOptions) -> Estimation:
    counts, mapped = evidence.count()[0], _mapped(evidence)
    warnings = (_CONSERVATIVE,) if evidence.design.kind == "systematic" else ()
    if counts.sum() < 2:
        note = "A single sample, taken as it is."
        estimates = estimate_simple(counts, outside=float(evidence.outside.sum()))
        return Estimation(estimates, "simple", note, True, DESIGN_SE, warnings=warnings)
    post = find_post_strata(counts.sum(axis=1), mapped)
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


def _mapped(evidence: Evidence) -> NDArray[np.float64]:
    if evidence.mapped_ha is None:
        raise AssessmentError("areas need a map; give the map product that the samples are compared with")
    return evidence.mapped_ha


def _stratified(evidence: Evidence, options: AssessOptions) -> Estimation:
    design = evidence.design
    index, strata_of = find_strata(evidence), [s.name for s in design.strata]
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
    return Estimation(_widen(estimates, gap.unseen), "strata-other-than-map", note, True, DESIGN_SE, same,
                      warnings=gap.warnings, unseen=gap.unseen)  # fmt: skip


def _why_other(evidence: Evidence, same: bool | None) -> str:
    if same is None:
        why = "The strata do not come from a map"
    elif same:
        why = "The strata come from this map but are not its classes one by one"
    else:
        drawn, judged = evidence.design.strata_checksum or "", evidence.map_checksum or ""
        why = f"The strata were made from another map (checksum {drawn[:12]}) than the one judged ({judged[:12]})"
    return f"{why}, so that the estimator for strata other than the map is used ({_STEHMAN})."


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
    estimates = _widen(estimate_stratified(counts, gap.sizes, n_units=units), gap.unseen)
    return Estimation(estimates, "stratified", note, True, DESIGN_SE, True, warnings=gap.warnings, unseen=gap.unseen)


@dataclass(frozen=True)
class _Gap:
    """Strata without a usable sample: their share of the area, and the sizes of the others (0 for the empty ones)."""

    names: tuple[str, ...]
    share: float
    sizes: NDArray[np.float64]

    @property
    def unseen(self) -> float:
        """Share of the area to widen errors by."""
        return self.share if self.names else 0.0

    @property
    def why(self) -> str:
        return (f"No usable reference sample lies in {_listed(self.names)} ({self.share:.1%} of the area), so that nothing is "
                "known about that part of the map and no area of the whole can be estimated; draw samples there.")  # fmt: skip

    @property
    def warnings(self) -> tuple[str, ...]:
        said = (f"No usable reference sample lies in {_listed(self.names)} ({self.share:.2%} of the area). It counts as like "
                "the rest, and the errors of areas and overall accuracy are widened by that share.")  # fmt: skip
        return (said,) if self.names else ()


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
    names = np.unique(evidence.psu)
    if len(names) < 2:
        why = f"The cluster sample has a single primary sampling unit ({str(names[0])!r}), which shows no variance."
        return _plain(evidence, options, why)
    estimates = estimate_units(make_units(evidence, options))
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
