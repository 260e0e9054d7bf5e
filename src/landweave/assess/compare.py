"""Which of two maps is better, judged on one reference sample.

Receives two map products and one sample; hands on a `MapComparison`. The same places judge both, so that what is hard for both
maps cancels out and a small difference can be told.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from landweave.assess.designs import find_strata, find_weights
from landweave.assess.document import Estimate
from landweave.assess.estimation import Evidence
from landweave.assess.gather import column_texts, gather_evidence
from landweave.assess.options import AssessOptions
from landweave.assess.tables import make_estimate
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.metrics.area import DesignEstimates, Estimated
from landweave.metrics.intervals import z_value
from landweave.metrics.units import UnitSample, estimate_difference, make_shares
from landweave.types import Document, MapProduct, SampleTable

__all__ = ["ClassDifference", "Difference", "MapComparison", "compare_maps"]


class Difference(Document):
    """A figure of two maps and how they differ.

    Attributes:
        first: Of the first map.
        second: Of the second map.
        difference: First minus second, -1..1, with its standard error and 95 % interval.
        p_value: Of no difference at all, two-sided, by the normal distribution; null where undefined.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float | None = None


class ClassDifference(Document):
    """Differences of one class."""

    name: str
    users: Difference
    producers: Difference
    f1: Difference
    iou: Difference


class MapComparison(Document):
    """Two maps on one sample.

    Attributes:
        n: Samples that lie on both maps.
        only_first_right: Samples that only the first map has right.
        only_second_right: Samples that only the second map has right.
        overall_accuracy: Of both maps, and their difference.
        macro_f1: Likewise.
        classes: By class, of those that both legends share or the reference has.
        note: How the estimates were made.
    """

    n: int
    only_first_right: int
    only_second_right: int
    overall_accuracy: Difference
    macro_f1: Difference
    classes: list[ClassDifference]
    note: str


def compare_maps(
    first: MapProduct, second: MapProduct, reference: SampleTable, *, options: AssessOptions | None = None
) -> MapComparison:
    """Estimate how two maps differ in accuracy, with the interval of the paired difference.

    Every unit keeps the weight of its design, whichever map drew the strata; a simple or systematic sample is not
    post-stratified, as that could favour one of the maps.

    Args:
        first: A map.
        second: Another map of the same classes, on any grid.
        reference: Labelled samples with a probability design.
        options: Options; `interval` counts for the two maps' own figures.

    Raises:
        AssessmentError: If the sample has no probability design, or fewer than two samples lie on both maps.
        LegendError: If a map and the reference share no class name.
    """
    options = options or AssessOptions()
    if options.interval == "midp":
        options = options.model_copy(update={"interval": "logit"})
    if options.interval in ("bootstrap", "jeffreys"):
        raise AssessmentError(f"compared maps have no {options.interval} intervals; choose normal, wilson or logit (interval)")
    labelled = reference.select(column_texts(reference, "class") != "")
    if labelled.design.kind == "none":
        raise AssessmentError("the reference sample has no probability design, so that the difference of the maps has no "
                              "interval; draw a sample with draw_design")  # fmt: skip
    a, _ = gather_evidence(labelled, product=first)
    b, _ = gather_evidence(labelled, product=second)
    names = [*a.classes.names, *(n for n in b.classes.names if n not in a.classes.names)]
    one, other = _units(a, names), _units(b, names)
    both = (one.map_index >= 0) & (other.map_index >= 0)
    if both.sum() < 2:
        raise AssessmentError(f"{int(both.sum())} of {len(both)} samples lie on both maps; a comparison needs at least 2")
    ours, theirs, apart = estimate_difference(one, other)
    truth = one.reference.argmax(axis=1)
    right_a, right_b = both & (one.map_index == truth), both & (other.map_index == truth)
    return MapComparison(
        n=int(both.sum()), only_first_right=int((right_a & ~right_b).sum()), only_second_right=int((right_b & ~right_a).sum()),
        overall_accuracy=_difference(ours.overall, theirs.overall, apart.overall, options),
        macro_f1=_difference(ours.macro_f1, theirs.macro_f1, apart.macro_f1, options),
        classes=[_of_class(i, n, ours, theirs, apart, options) for i, n in enumerate(names)],
        note=(f"Paired on {int(both.sum())} places of a {labelled.design.kind} sample with the weights of its design; the "
              "variance is that of the difference at each place (Stehman 1997, doi:10.1016/S0034-4257(96)00176-9)."),
    )  # fmt: skip


def _units(evidence: Evidence, names: list[str]) -> UnitSample:
    """Write the sample out by the design it was drawn with, in the common order of classes."""
    to = _positions(evidence.classes, names)
    n = len(evidence.map_index)
    shares = make_shares(to[evidence.reference_index], len(names))
    index = np.where(evidence.outside, -1, to[np.maximum(evidence.map_index, 0)])
    zeros = np.zeros(n, dtype=np.int64)
    kind = evidence.design.kind
    if kind == "stratified":
        stratum = find_strata(evidence)
        sizes = np.array([s.area_ha for s in evidence.design.strata])
        return UnitSample(index, shares, (sizes / np.maximum(np.bincount(stratum, minlength=len(sizes)), 1))[stratum], stratum)
    if kind == "cluster":
        psu = np.unique(evidence.psu, return_inverse=True)[1].astype(np.int64)
        return UnitSample(index, shares, find_weights(evidence), zeros, psu)
    return UnitSample(index, shares, np.ones(n), zeros)


def _positions(classes: Legend, names: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array([names.index(n) for n in classes.names], dtype=np.int64)


def _of_class(
    i: int, name: str, ours: DesignEstimates, theirs: DesignEstimates, apart: DesignEstimates, options: AssessOptions
) -> ClassDifference:
    made = {
        what: _difference(getattr(ours, what), getattr(theirs, what), getattr(apart, what), options, i)
        for what in ("users", "producers", "f1", "iou")
    }
    return ClassDifference(name=name, **made)


def _difference(
    ours: Estimated, theirs: Estimated, apart: Estimated, options: AssessOptions, index: int | None = None
) -> Difference:
    method = options.interval
    at: tuple[int, ...] = () if index is None else (index,)
    value, se, n = float(apart.value[at]), float(apart.se[at]), round(float(apart.n[at]))
    made = Estimate(n=n, why="one of the maps does not allow the figure")
    p = None
    if np.isfinite(value) and np.isfinite(se):
        half = z_value() * se
        why = "the maps differ at no place; the error is an upper bound" if bool(apart.is_bound[at]) else None
        made = Estimate(value=value, se=se, lower=max(-1.0, value - half), upper=min(1.0, value + half), n=n, why=why)
        p = 2 * (1 - NormalDist().cdf(abs(value) / se)) if se > 0 else None
    return Difference(
        first=make_estimate(ours, index, method=method), second=make_estimate(theirs, index, method=method), difference=made,
        p_value=p,
    )  # fmt: skip
