"""From estimates to the tables of an `Assessment`: matrix, classes, areas; NaN becomes null with its reason.

Receives `Estimation` and mapped areas; hands on the document's parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.document import (
    Baseline,
    ClassAccuracy,
    ClassArea,
    DesignSummary,
    Estimate,
    Intervals,
    MatrixTable,
)
from landweave.assess.ends import RECOVERED
from landweave.assess.estimation import Estimation
from landweave.assess.options import AssessInterval
from landweave.errors import LegendError
from landweave.legend import LandClass, Legend
from landweave.metrics.accuracy import kappa, score_baseline
from landweave.metrics.area import Estimated
from landweave.metrics.intervals import IntervalMethod, make_interval, z_value
from landweave.types import Design

__all__ = [
    "count_baselines",
    "make_areas",
    "make_baselines",
    "make_classes",
    "make_design",
    "make_estimate",
    "make_intervals",
    "make_kappa",
    "make_matrix",
    "merge_legends",
]

_BOUND = ("the sample shows too little variation to compute a standard error (no error seen, or a stratum with a single "
          "sample); this one is an upper bound")  # fmt: skip


def merge_legends(map_legend: Legend, reference: Legend, used: set[str]) -> Legend:
    """Append to the map's classes those that stand only in the reference, under free codes where theirs are taken.

    Args:
        map_legend: The map's classes.
        reference: The reference's classes.
        used: Names that occur among the reference rows; others are not appended.

    Raises:
        LegendError: If the two have no class name in common.
    """
    if not used & set(map_legend.names):
        raise LegendError(f"reference classes {', '.join(sorted(used))} and map classes {', '.join(map_legend.names)} have no "
                          "name in common; rename the classes of the reference, or map them with a crosswalk")  # fmt: skip
    classes = list(map_legend)
    for extra in reference:
        if extra.name in used and extra.name not in map_legend.names:
            taken = {c.code for c in classes} | {254, 255, 65534, 65535}
            code = extra.code if extra.code not in taken else next(i for i in range(1, 65534) if i not in taken)
            classes.append(LandClass(code, extra.name, extra.color, None, extra.definition))
    return Legend(tuple(classes))


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def make_estimate(
    estimated: Estimated, index: int | None = None, *, method: AssessInterval | None, why: str | None = None
) -> Estimate:
    """Take one figure (of class `index`, or the single one); without a method it has no interval."""
    at: Any = () if index is None else index
    value, se, n = float(estimated.value[at]), float(estimated.se[at]), round(float(estimated.n[at]))
    if math.isnan(value):
        return Estimate(n=n, why=why or "no reference sample to compute it from")
    lower = upper = math.nan
    if method is not None:
        lower, upper = (float(end) for end in make_ends(estimated, method, at))
    if math.isnan(se):
        why = "the scatter cannot be told from so few samples"
    elif bool(estimated.is_bound[at]):
        why = _BOUND
    return Estimate(value=value, se=_number(se), lower=_number(lower), upper=_number(upper), n=n, why=why)


def make_ends(estimated: Estimated, method: AssessInterval, at: Any = ...) -> tuple[Any, Any]:
    """Give the ends of 95 % intervals.

    Those of `bootstrap`, `midp` and `jeffreys` come with the estimate; where there are none the first gives way to the normal
    interval (as it does where the error is a bound, of which replicates know nothing), the others to the logit one.
    """
    value, se = np.asarray(estimated.value[at]), np.asarray(estimated.se[at])
    instead: dict[AssessInterval, IntervalMethod] = {"bootstrap": "normal", "midp": "logit", "jeffreys": "logit"}
    lower, upper = make_interval(value, se, method=instead.get(method, method))  # type: ignore[arg-type]
    if method not in instead or estimated.lower is None or estimated.upper is None:
        return lower, upper
    drawn = np.isfinite(estimated.lower[at]) & np.isfinite(estimated.upper[at])
    if method == "bootstrap":
        drawn &= ~np.asarray(estimated.is_bound[at])
    # a percentile interval of a skew share may leave the estimate itself outside by a hair
    return (np.where(drawn, np.minimum(estimated.lower[at], value), lower),
            np.where(drawn, np.maximum(estimated.upper[at], value), upper))  # fmt: skip


def make_classes(
    estimation: Estimation, classes: Legend, counts: NDArray[np.float64], method: AssessInterval
) -> list[ClassAccuracy]:
    """Make the accuracies by class; `counts` (K map, K reference) tells why one is undefined."""
    used = method if estimation.has_interval else None
    e = estimation.estimates
    made = []
    for i, c in enumerate(classes):
        no_row = f"no sample is mapped as {c.name!r}" if counts[i].sum() == 0 else None
        no_column = f"no reference sample is {c.name!r}" if counts[:, i].sum() == 0 else None
        neither = f"{no_row} and {no_column}" if no_row and no_column else None
        users = make_estimate(e.users, i, method=used, why=no_row)
        producers = make_estimate(e.producers, i, method=used, why=no_column)
        f1, iou = make_estimate(e.f1, i, method=used, why=neither), make_estimate(e.iou, i, method=used, why=neither)
        made.append(
            ClassAccuracy(code=c.code, name=c.name, color=c.color, users=users, producers=producers, f1=f1, iou=iou)
        )
    return made


def make_matrix(estimation: Estimation, classes: Legend, counts: NDArray[np.float64]) -> MatrixTable:
    """Make the error matrix, rows map and columns reference, both in the order of `classes`."""
    codes, names = list(classes.codes), list(classes.names)
    return MatrixTable(
        counts=counts.tolist(), proportions=estimation.estimates.proportions.tolist(), row_codes=codes, row_names=names,
        column_codes=codes, column_names=names,
    )  # fmt: skip


def make_areas(
    classes: Legend, mapped_ha: NDArray[np.float64] | None, mapped_px: NDArray[np.float64] | None,
    estimated: Estimated | None, why: str | None, method: AssessInterval = "midp",
) -> list[ClassArea]:  # fmt: skip
    """Make the areas by class; mapped ones alone where nothing is estimated, with the reason.

    Half-widths are 1.96 standard errors (Olofsson et al. 2014, eq. 11); ends are those of the method, cut to 0 and the total.
    """
    ends = None if estimated is None or why is not None else make_ends(estimated, method)
    total = None if mapped_ha is None else float(mapped_ha.sum())
    made = []
    for i, c in enumerate(classes):
        area = ClassArea(code=c.code, name=c.name, color=c.color, why=why)
        if mapped_ha is not None and total:
            area.mapped_ha, area.mapped_share = float(mapped_ha[i]), float(mapped_ha[i] / total)
        if mapped_px is not None:
            area.mapped_px = int(mapped_px[i])
        if estimated is not None and why is None and total:
            share, half = float(estimated.value[i]), z_value() * float(estimated.se[i])
            area.area_ha, area.area_share, area.se_ha = share * total, share, float(estimated.se[i]) * total
            area.ci95_ha = half * total
            if ends is not None:
                area.lower_ha, area.upper_ha = float(ends[0][i]) * total, float(ends[1][i]) * total
            area.why = _BOUND if bool(estimated.is_bound[i]) else None
        made.append(area)
    return made


def make_design(design: Design, estimation: Estimation) -> DesignSummary:
    """Say how the sample was drawn and which estimator follows."""
    return DesignSummary(
        kind=design.kind, note=design.note, unit=design.unit, strata=list(design.strata),
        strata_checksum=design.strata_checksum, map_is_strata=estimation.map_is_strata, estimator=estimation.estimator,
        estimator_note=estimation.note,
    )  # fmt: skip


def make_intervals(
    estimation: Estimation, method: AssessInterval, area_method: AssessInterval = "midp"
) -> Intervals:
    """Say how standard errors and intervals were made (logit where the design has no limits of strata), or why not."""
    if estimation.has_interval:
        e = estimation.estimates
        method, area_method = (
            "logit" if asked in RECOVERED and made.lower is None else asked
            for asked, made in ((method, e.overall), (area_method, e.area))
        )
        shown = None if estimation.areas_why is not None else area_method
        return Intervals(method=method, area_method=shown, se_method=estimation.se_method)
    return Intervals(se_method=estimation.se_method, why=estimation.areas_why)


def make_kappa(estimation: Estimation, scores: Sequence[str]) -> float | None:
    """Compute kappa from the estimated proportions where it is asked for and defined."""
    return _number(float(kappa(estimation.estimates.proportions))) if "kappa" in scores else None


def make_baselines(truth: NDArray[Any], n_classes: int, *, of: str = "the training samples") -> dict[str, Baseline]:
    """Score the two classifiers that look at no pixel: "majority" and "prior".

    Args:
        truth: Class index of every sample (n,); negative ones do not count.
        n_classes: Number of classes.
        of: Which samples these are, for the note.

    Raises:
        AssessmentError: If there is no sample.
    """
    return count_baselines(np.bincount(truth[truth >= 0], minlength=n_classes), of=of)


def count_baselines(class_counts: NDArray[Any], *, of: str) -> dict[str, Baseline]:
    """Score the baselines on samples with these class counts (K,); see `make_baselines`."""
    majority, prior = score_baseline(class_counts, "majority"), score_baseline(class_counts, "prior")
    return {
        "majority": Baseline(**majority, note=f"Always answers the commonest class of {of}."),
        "prior": Baseline(**prior, note=f"Answers at random, in the classes' shares of {of}."),
    }
