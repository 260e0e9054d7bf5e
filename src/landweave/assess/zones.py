"""Estimates for parts of a map: provinces, watersheds, any zones, each with its own interval.

Receives a map product, its reference sample and zones (a vector layer, a raster of codes, or a column of the samples); hands on
a `ZoneTable`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.assess.designs import find_post_strata, find_strata, make_units
from landweave.assess.document import ClassAccuracy, ClassArea, Estimate
from landweave.assess.estimation import Estimation, Evidence
from landweave.assess.gather import column_texts, gather_evidence
from landweave.assess.options import AssessOptions
from landweave.assess.tables import make_areas, make_classes, make_estimate
from landweave.assess.zone_areas import ZoneAreas, measure_zones
from landweave.errors import AssessmentError
from landweave.metrics.area import DesignEstimates, Estimated, estimate_strata
from landweave.metrics.units import UnitSample, estimate_ratio, estimate_units
from landweave.types import Document, MapProduct, SampleTable

__all__ = ["ZoneAssessment", "ZoneTable", "assess_zones"]

Sums = Literal["zone", "whole"]


class ZoneAssessment(Document):
    """What the sample says about one zone.

    Attributes:
        name: The zone.
        n: Reference samples in it that lie on the map.
        area_ha: Its classified area; null where zones are a column, whose areas nothing tells.
        overall_accuracy: Share of its area mapped right.
        classes: Accuracies by class.
        areas: Areas by class.
        why: Why there are no estimates; null where there are.
    """

    name: str
    n: int
    area_ha: float | None = None
    overall_accuracy: Estimate = Field(default_factory=Estimate)
    classes: list[ClassAccuracy] = Field(default_factory=list)
    areas: list[ClassArea] = Field(default_factory=list)
    why: str | None = None


class ZoneTable(Document):
    """Estimates of all zones.

    Attributes:
        zones: One per zone, in order of name.
        estimator_note: How the estimates were made.
        sums_note: What adds up to what.
        outside: Samples that lie in no zone.
    """

    zones: list[ZoneAssessment]
    estimator_note: str
    sums_note: str
    outside: int = 0


@dataclass(frozen=True)
class _Case:
    evidence: Evidence
    zone: NDArray[np.int64]
    areas: ZoneAreas | None
    options: AssessOptions
    sums: Sums


def assess_zones(
    product: MapProduct, reference: SampleTable, zones: str | Path, *, name_column: str | None = None,
    options: AssessOptions | None = None, sums: Sums = "zone",
) -> ZoneTable:  # fmt: skip
    """Estimate accuracies and areas for every zone of a partition.

    A zone is a domain of the sample: how many samples fell into it is chance, and that is in its errors (Sarndal, Swensson and
    Wretman 1992, chapter 10). Where the strata are the map's classes, or the sample is simple or systematic, each zone is
    post-stratified by the mapped areas of its classes, which are known; otherwise its shares are ratios of weighted totals. A
    zone with fewer than two samples gets no estimate and the reason.

    Args:
        product: The map.
        reference: Labelled reference samples with a probability design.
        zones: A vector layer of polygons, a raster of whole numbers, or the name of a column of the samples.
        name_column: Column of the polygons that names the zones; found by name by default.
        options: Options.
        sums: `zone` makes the class areas of a zone add up to its area (which is known), at the price that the zones' areas of
            a class do not quite add up to the estimate for the whole; `whole` makes these add up (weighted totals), at the
            price of wider intervals and zone totals that are estimates.

    Raises:
        AssessmentError: If the sample has no probability design, or no sample lies in a zone.
        SourceError: If the zones cannot be read.
    """
    options = options or AssessOptions()
    labelled = reference.select(column_texts(reference, "class") != "")
    evidence, _ = gather_evidence(labelled, product=product, labels=options.labels)
    if evidence.design.kind == "none":
        raise AssessmentError("the reference sample has no probability design, so that nothing can be estimated for zones "
                              "either; draw a sample with draw_design")  # fmt: skip
    if str(zones) in labelled.frame.columns:
        texts = column_texts(labelled, str(zones))
        names = sorted(set(texts.tolist()) - {""})
        zone, areas = np.array([names.index(t) if t else -1 for t in texts.tolist()], dtype=np.int64), None
    else:
        areas = measure_zones(product, evidence.classes, zones, name_column=name_column)
        zone, names = areas.at(evidence.place), list(areas.names)
    if not (zone >= 0).any():
        raise AssessmentError(f"none of the {len(zone)} samples lies in a zone of {zones}; check the crs of the zones")
    case = _Case(evidence, zone, areas, options, sums)
    made = [_one(case, i, name) for i, name in enumerate(names)]
    return ZoneTable(zones=made, estimator_note=_note(case), sums_note=_sums_note(case), outside=int((zone < 0).sum()))


def _one(case: _Case, index: int, name: str) -> ZoneAssessment:
    evidence, here = case.evidence, case.zone == index
    n = int((here & ~evidence.outside).sum())
    mapped = None if case.areas is None else case.areas.area_ha[index]
    total = None if mapped is None else float(mapped.sum())
    made = ZoneAssessment(name=name, n=n, area_ha=total)
    by_weight = case.sums == "whole" or mapped is None
    if n < 2:
        made.why = f"{n} reference sample{'s' if n != 1 else ''} in the zone: too few to estimate from"
        if not by_weight or n == 0:
            return made
        made.areas = _areas(case, here, mapped, None)
        return made
    estimates = _estimate(case, here, mapped)
    classes, options = evidence.classes, case.options
    counts = _keep(evidence, here).count()[0]
    estimation = Estimation(estimates, "plain", "", True)
    made.overall_accuracy = make_estimate(estimates.overall, method=_method(options.interval))
    made.classes = make_classes(estimation, classes, counts, _method(options.interval))
    made.areas = _areas(case, here, mapped, None if by_weight else estimates.area)
    return made


def _areas(
    case: _Case, here: NDArray[np.bool_], mapped: NDArray[np.float64] | None, area: Estimated | None
) -> list[ClassArea]:
    """Areas of a zone: its shares times its area, or (without shares) weighted totals of the whole."""
    evidence = case.evidence
    whole = mapped if area is not None else evidence.mapped_ha
    made = make_areas(evidence.classes, whole, None, area or _weighted(case, here), None, _method(case.options.area_interval))
    total = None if mapped is None else float(mapped.sum())
    for entry, a in zip(made, mapped if mapped is not None else [None] * len(made), strict=True):
        entry.mapped_ha = None if a is None else float(a)
        entry.mapped_share = None if a is None or not total else float(a) / total
        entry.area_share = None if entry.area_ha is None or not total else entry.area_ha / total
    return made


def _method(method: str) -> Literal["normal", "wilson", "logit"]:
    """Give the method that zones can have: logit for the default, which needs a sum over whole strata."""
    if method == "midp":
        return "logit"
    if method in ("bootstrap", "jeffreys"):
        raise AssessmentError(f"zones have no {method} intervals; choose normal, wilson or logit (interval, area_interval)")
    return method  # type: ignore[return-value]


def _keep(evidence: Evidence, rows: NDArray[np.bool_]) -> Evidence:
    """Keep some rows of the evidence."""
    cut = {
        name: getattr(evidence, name)[rows]
        for name in ("map_index", "reference_index", "stratum", "psu", "probability", "group", "shares", "alternate", "place")
        if getattr(evidence, name) is not None
    }
    return replace(evidence, **cut)


def _is_by_class(case: _Case) -> bool:
    """Whether samples of one map class within a zone are a simple random sample of it."""
    evidence = case.evidence
    if case.areas is None or evidence.shares is not None or evidence.design.kind == "cluster":
        return False
    if evidence.design.kind != "stratified":
        return True
    strata = evidence.design.strata
    codes = {c.code: i for i, c in enumerate(evidence.classes)}
    of = np.array([codes.get(s.code, -2) if s.code is not None else -2 for s in strata])
    same = evidence.design.strata_checksum is not None and evidence.design.strata_checksum == evidence.map_checksum
    return same and bool((of[find_strata(evidence)] == evidence.map_index).all())


def _estimate(case: _Case, here: NDArray[np.bool_], mapped: NDArray[np.float64] | None) -> DesignEstimates:
    if not _is_by_class(case) or mapped is None:
        sample, kept = _units(case)
        return estimate_units(sample, domain=here[kept])
    part = _keep(case.evidence, here & ~case.evidence.outside)
    counts = part.count()[0]
    k = len(mapped)
    # a class that is mapped in the zone by a sliver, but sampled there, keeps its samples
    known = np.where((mapped <= 0) & (counts.sum(axis=1) > 0), 1e-9 * mapped.sum(), mapped)
    post = find_post_strata(counts.sum(axis=1), known)
    cells = np.zeros((k, k, k))
    cells[post, np.arange(k)] = counts
    possible = np.broadcast_to((post == np.arange(k)[:, None])[:, :, None], cells.shape)
    return estimate_strata(cells, np.bincount(post, known, k), possible=possible)


def _units(case: _Case) -> tuple[UnitSample, NDArray[np.bool_]]:
    """Write the sample out unit by unit, with the rows that it kept."""
    evidence = case.evidence
    kept = ~evidence.outside if evidence.design.kind in ("simple", "systematic") else np.ones(len(case.zone), dtype=bool)
    return make_units(evidence, case.options), kept


def _weighted(case: _Case, here: NDArray[np.bool_]) -> Estimated:
    """Shares of the whole classified area that are a class and in the zone: these add up over the zones."""
    sample, kept = _units(case)
    inside = sample.map_index >= 0
    top = np.where((inside & here[kept])[:, None], sample.reference, 0)
    bottom = np.broadcast_to(inside[:, None], top.shape).astype(np.float64)
    return estimate_ratio(top, bottom, sample, reach=1.0)


def _note(case: _Case) -> str:
    if case.areas is None or case.sums == "whole":
        return "Areas are weighted totals of the samples in each zone, with the chance of how many fell into it in the errors."
    if _is_by_class(case):
        return ("Each zone is post-stratified by the mapped areas of its classes (those with under two samples in common), "
                "given how many samples fell into it.")  # fmt: skip
    return ("Each zone is a domain of the sample: ratios of weighted totals, with the chance of how many samples fell into it "
            "in the errors (Sarndal, Swensson and Wretman 1992, chapter 10).")  # fmt: skip


def _sums_note(case: _Case) -> str:
    if case.areas is None:
        return "The zones' own areas are not known; the areas of a class add up over all zones to the estimate for the whole."
    if case.sums == "whole":
        return "The areas of a class add up over all zones to the estimate for the whole; within a zone to an estimate."
    return "The class areas of a zone add up to its classified area; over the zones they come near the estimate for the whole."
