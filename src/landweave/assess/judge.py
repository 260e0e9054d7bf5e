"""Judge a map, or predictions on held-out samples: the stage `assess`.

Receives a `MapProduct` and reference samples; hands on an `Assessment`. Nothing here looks at how the map was made, only at
what the reference's design allows to be said.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.checks import check_independence, check_map, check_sample
from landweave.assess.document import (
    Assessment,
    Baseline,
    Basis,
    CrossValidationSummary,
    DesignSummary,
    Estimate,
    Intervals,
    LeftOut,
)
from landweave.assess.estimation import Estimation, Evidence, estimate_from
from landweave.assess.gather import column_texts, gather_evidence, mapped_areas
from landweave.assess.options import AssessOptions
from landweave.assess.places import check_independent
from landweave.assess.tables import (
    count_baselines,
    make_areas,
    make_classes,
    make_design,
    make_estimate,
    make_intervals,
    make_kappa,
    make_matrix,
)
from landweave.errors import AssessmentError
from landweave.types import MapProduct, SampleTable

__all__ = ["assess_held_out", "assess_map", "assess_without_reference"]

logger = logging.getLogger(__name__)

_BASIS: dict[Basis, str] = {
    "reference-sample": "Judged on a reference sample that took no part in training the model.",
    "held-out": "Judged on samples that were held out of training; they come from the same source as the training data and "
    "share its gaps.",
    "counts": "Computed from the counts of an error matrix as given.",
    "cross-validation": "No reference sample was given: only the model's cross-validation on its own training samples is "
    "known, and the map itself has not been judged.",
}


@dataclass(frozen=True)
class _Case:
    """One assessment in the making: what is judged, on which rows, from which basis."""

    samples: SampleTable
    product: MapProduct | None
    predicted: NDArray[np.int64] | None
    training: SampleTable | None
    basis: Basis
    title: str
    options: AssessOptions


def assess_map(
    product: MapProduct, reference: SampleTable, *, training: SampleTable | None = None,
    options: AssessOptions | None = None, title: str = "",
) -> Assessment:  # fmt: skip
    """Judge a map on a reference sample, with the estimator that the sample's design calls for.

    Args:
        product: The map.
        reference: Reference samples, in any crs. Where some rows have the purpose "reference", only those judge and the rows
            with the purpose "train" count as training rows.
        training: The rows that trained the model, to check that the reference is independent of them.
        options: Options.
        title: For people.

    Returns:
        The assessment: accuracies always, areas with intervals where the design is a probability design.

    Raises:
        AssessmentError: If no row lies on the map, rows trained the model, or rows contradict the design.
        LegendError: If map and reference share no class name.
    """
    judged, trained = _by_purpose(reference, training)
    return _assess(_Case(judged, product, None, trained, "reference-sample", title, options or AssessOptions()))


def assess_held_out(
    held_out: SampleTable, *, product: MapProduct | None = None, predicted: NDArray[Any] | None = None,
    training: SampleTable | None = None, options: AssessOptions | None = None, title: str = "",
) -> Assessment:  # fmt: skip
    """Judge a map, or a model's predictions, on samples that were held out of training.

    Args:
        held_out: The samples, whatever their column `purpose` says.
        product: The map. Without one there are no areas.
        predicted: Class indices (n,) in the order of `held_out.legend` that the model gave to the samples' features, -1 for
            none; the map is read at the samples where they are not given.
        training: The rows that trained the model.
        options: Options.
        title: For people.

    Raises:
        AssessmentError: If neither a map nor predictions are given, their number differs from the samples', or as `assess_map`.
    """
    if product is None and predicted is None:
        raise AssessmentError("held-out samples need something to judge; give product=MapProduct or predicted=class indices")
    indices = None
    if predicted is not None:
        indices = np.asarray(predicted, dtype=np.int64)
        if indices.shape != (len(held_out),):
            raise AssessmentError(f"predicted has shape {indices.shape}, but there are {len(held_out)} held-out samples; give "
                                  "one class index per row")  # fmt: skip
    return _assess(_Case(held_out, product, indices, training, "held-out", title, options or AssessOptions()))


def assess_without_reference(
    product: MapProduct | None = None, *, cross_validation: CrossValidationSummary | None = None,
    baselines: dict[str, Baseline] | None = None, title: str = "",
) -> Assessment:  # fmt: skip
    """Describe a map that no reference sample judges: mapped areas, and the model's cross-validation if known."""
    why = ("No reference sample with a probability design was given, so that neither the map's accuracy nor an area with an "
           "interval can be estimated; the areas are those mapped, which carry the map's errors.")  # fmt: skip
    assessment = Assessment(
        basis="cross-validation", basis_note=_BASIS["cross-validation"], title=title, areas_why=why,
        design=DesignSummary(estimator="none", estimator_note="No reference sample."), intervals=Intervals(why=why),
        overall_accuracy=Estimate(why=why), macro_f1=Estimate(why=why), baselines=baselines or {},
        cross_validation=cross_validation or CrossValidationSummary(),
    )  # fmt: skip
    if product is not None:
        mapped_ha, mapped_px = mapped_areas(product, product.legend)
        assessment.areas = make_areas(product.legend, mapped_ha, mapped_px, None, why)
        _add_totals(assessment, product, mapped_ha)
    return assessment


def _by_purpose(reference: SampleTable, training: SampleTable | None) -> tuple[SampleTable, SampleTable | None]:
    purpose = reference.frame["purpose"].to_numpy() if "purpose" in reference.frame else np.array([])
    is_reference, is_training = purpose == "reference", purpose == "train"
    if is_reference.any() and is_training.any():
        return reference.select(is_reference), reference.select(is_training) if training is None else training
    return reference, training


def _labelled(case: _Case) -> tuple[_Case, int]:
    """Set the rows aside that nobody has labelled yet, and count them."""
    labelled = column_texts(case.samples, "class") != ""
    if not labelled.any():
        raise AssessmentError(f"the reference has {len(case.samples)} rows and none with a class; label the places of the "
                              "design first, and give at least one labelled place on the map")  # fmt: skip
    if labelled.all():
        return case, 0
    predicted = None if case.predicted is None else case.predicted[labelled]
    return replace(case, samples=case.samples.select(labelled), predicted=predicted), int((~labelled).sum())


def _assess(case: _Case) -> Assessment:
    case, n_unlabelled = _labelled(case)
    geobox = case.product.geobox if case.product is not None else None
    allow = case.options.allow_training_rows
    dependent = np.zeros(len(case.samples), dtype=bool)
    if case.training is not None:
        dependent = check_independent(
            case.samples, case.training, buffer_m=case.options.buffer_m, geobox=geobox, allow=allow
        )
    evidence, reasons = gather_evidence(case.samples, product=case.product, predicted=case.predicted,
                                        labels=case.options.labels)  # fmt: skip
    estimation = estimate_from(evidence, case.options)
    assessment = _write_up(case, evidence, estimation)
    assessment.n_samples += n_unlabelled
    assessment.left_out = _left_out(reasons, case.samples, n_unlabelled)
    n_dependent = None if case.training is None else int(dependent.sum())
    assessment.checks = [
        check_independence(n_dependent, len(case.samples), case.options.buffer_m),
        *check_sample(evidence, assessment.left_out),
    ]
    if case.product is not None:
        assessment.checks += check_map(case.product, evidence)
    assessment.warnings = [*estimation.warnings, *(c.message for c in assessment.checks if not c.passed)]
    logger.info("assessed %d of %d samples: %s", assessment.n_used, assessment.n_samples, estimation.note)
    return assessment


def _write_up(case: _Case, evidence: Evidence, estimation: Estimation) -> Assessment:
    classes, options = evidence.classes, case.options
    counts = evidence.count()[0] if estimation.counts is None else estimation.counts
    method = options.interval if estimation.has_interval else None
    e = estimation.estimates
    assessment = Assessment(
        title=case.title, basis=case.basis, basis_note=_BASIS[case.basis], map_checksum=evidence.map_checksum,
        design=make_design(evidence.design, estimation),
        intervals=make_intervals(estimation, options.interval, options.area_interval),
        n_samples=len(case.samples), n_used=round(float(counts.sum())),
        overall_accuracy=make_estimate(e.overall, method=method), macro_f1=make_estimate(e.macro_f1, method=method),
        error_matrix=make_matrix(estimation, classes, counts),
        classes=make_classes(estimation, classes, counts, options.interval),
        areas=make_areas(classes, evidence.mapped_ha, evidence.mapped_px, e.area, estimation.areas_why,
                         options.area_interval),
        areas_why=estimation.areas_why, kappa=make_kappa(estimation, options.scores),
        baselines=count_baselines(counts.sum(axis=0), of="the reference sample"),
    )  # fmt: skip
    if case.product is not None and evidence.mapped_ha is not None:
        _add_totals(assessment, case.product, evidence.mapped_ha)
    return assessment


def _add_totals(assessment: Assessment, product: MapProduct, mapped_ha: NDArray[np.float64]) -> None:
    assessment.map_checksum = product.checksum
    assessment.total_area_ha = float(mapped_ha.sum())
    assessment.nodata_ha = float(product.area_ha.get(product.legend.nodata, 0.0))
    assessment.unsure_ha = float(product.area_ha.get(product.legend.unsure, 0.0))


def _left_out(reasons: NDArray[np.str_], samples: SampleTable, n_unlabelled: int) -> list[LeftOut]:
    found = Counter(r for r in reasons.tolist() if r)
    if n_unlabelled:
        found["without a label"] = n_unlabelled
    if samples.rejected is not None and len(samples.rejected):
        found.update(f"rejected on import: {r}" for r in samples.rejected["reason"].astype(str))
    return [LeftOut(n=n, reason=reason) for reason, n in sorted(found.items())]
