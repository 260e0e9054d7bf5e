"""An assessment as plain tables for a terminal.

Receives an `Assessment`; hands on titles, column heads and rows of strings, which the command line draws with rich.
"""

from __future__ import annotations

from dataclasses import dataclass

from landweave.assess.area_units import to_unit
from landweave.assess.document import Assessment, CrossValidationScores, Estimate
from landweave.metrics.intervals import z_value

__all__ = ["TextTable", "format_assessment"]

_NONE = "-"


@dataclass(frozen=True)
class TextTable:
    """A table of strings.

    Attributes:
        title: Above it.
        columns: Heads; the first column is text, the others are numbers.
        rows: Cells, as many per row as there are columns.
        note: A sentence below it, or "".
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def format_assessment(assessment: Assessment, *, area_unit: str = "ha") -> list[TextTable]:
    """Format an assessment as tables: areas, accuracies, error matrix, cross-validation; those that it has.

    Areas are in `area_unit` (ha, km2, m2, acre) with 1.96 standard errors and their 95 % interval; accuracies have three digits
    with their interval, or with 1.96 standard errors where that is the interval.
    """
    areas = _areas(assessment, area_unit)
    made = (_overall, _accuracies, _matrix, _cross_validation)
    tables = [areas, *(make(assessment) for make in made)]
    return [table for table in tables if table is not None]


def _area(hectares: float | None, unit: str) -> str:
    if hectares is None:
        return _NONE
    value = to_unit(hectares, unit)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _areas(assessment: Assessment, unit: str) -> TextTable | None:
    if not any(a.mapped_ha is not None for a in assessment.areas):
        return None
    columns: tuple[str, ...] = ("class", f"mapped {unit}", f"estimated {unit}", "1.96 se", "from", "to")
    rows: list[tuple[str, ...]] = []
    for a in assessment.areas:
        numbers = (a.mapped_ha, a.area_ha, a.ci95_ha, a.lower_ha, a.upper_ha)
        rows.append((a.name, *(_area(n, unit) for n in numbers)))
    total = _area(assessment.total_area_ha, unit)
    rows.append(("total", total, total, "", "", ""))
    if assessment.areas_why is not None:
        columns, rows = columns[:2], [row[:2] for row in rows]
    return TextTable("Areas", columns, tuple(rows), assessment.areas_why or assessment.design.estimator_note)


def _share(estimate: Estimate, method: str | None) -> str:
    """Write a share as 0.947 +- 0.018 or 0.947 (0.927 to 0.963) by the interval's method, as 0.947 (se 0.009) without one."""
    if estimate.value is None:
        return _NONE
    if method not in (None, "normal") and estimate.lower is not None and estimate.upper is not None:
        return f"{estimate.value:.3f} ({estimate.lower:.3f} to {estimate.upper:.3f})"
    if estimate.se is None:
        return f"{estimate.value:.3f}"
    spread = f" (se {estimate.se:.3f})" if method is None else f" +- {z_value() * estimate.se:.3f}"
    return f"{estimate.value:.3f}{spread}"


def _accuracies(assessment: Assessment) -> TextTable | None:
    if not assessment.classes:
        return None
    how = assessment.intervals.method
    rows = [
        (c.name, _share(c.users, how), _share(c.producers, how), _share(c.f1, how), _share(c.iou, how))
        for c in assessment.classes
    ]
    return TextTable("Accuracy by class", ("class", "user's", "producer's", "F1", "IoU"), tuple(rows))


def _overall(assessment: Assessment) -> TextTable | None:
    if assessment.overall_accuracy.value is None:
        return None
    how = assessment.intervals.method
    rows = [
        ("overall accuracy", _share(assessment.overall_accuracy, how)),
        ("macro-F1", _share(assessment.macro_f1, how)),
    ]
    if assessment.kappa is not None:
        rows.append(("kappa", f"{assessment.kappa:.3f}"))
    rows.append(("samples", f"{assessment.n_used} of {assessment.n_samples}"))
    return TextTable("Accuracy", ("score", "value"), tuple(rows), assessment.basis_note)


def _matrix(assessment: Assessment) -> TextTable | None:
    matrix = assessment.error_matrix
    if matrix is None:
        return None
    named = zip(matrix.row_names, matrix.counts, strict=True)
    rows = [(name, *(f"{n:g}" for n in row), f"{sum(row):g}") for name, row in named]
    sums = [sum(column) for column in zip(*matrix.counts, strict=True)]
    rows.append(("total", *(f"{n:g}" for n in sums), f"{sum(sums):g}"))
    columns = ("map \\ reference", *matrix.column_names, "total")
    return TextTable("Error matrix (samples)", columns, tuple(rows), "Rows are map classes, columns reference classes.")


def _cross_validation(assessment: Assessment) -> TextTable | None:
    section = assessment.cross_validation
    rows = []
    for name, scores in (("random folds", section.random), ("spatial folds", section.spatial)):
        if scores is not None:
            rows += _fold_rows(name, scores)
    if not rows:
        return None
    for name, baseline in assessment.baselines.items():
        overall = _NONE if baseline.overall_accuracy is None else f"{baseline.overall_accuracy:.3f}"
        rows.append((f"baseline: {name}", overall, f"{baseline.macro_f1:.3f}"))
    lonely = section.spatial.classes_in_one_block if section.spatial is not None else []
    said = f"Classes in one block, which spatial folds cannot learn: {', '.join(lonely)}." if lonely else ""
    return TextTable("Cross-validation", ("folds", "overall accuracy", "macro-F1"), tuple(rows), said)


def _fold_rows(name: str, scores: CrossValidationScores) -> list[tuple[str, str, str]]:
    def cell(value: float | None, se: float | None) -> str:
        return _share(Estimate(value=value, se=se), None)

    rows = [(name, cell(scores.overall_accuracy, scores.overall_accuracy_se), cell(scores.macro_f1, scores.macro_f1_se))]
    if scores.classes_in_one_block:
        overall = cell(scores.overall_accuracy_learnable, scores.overall_accuracy_learnable_se)
        macro = cell(scores.macro_f1_learnable, scores.macro_f1_learnable_se)
        rows.append((f"{name}, learnable classes", overall, macro))
    return rows
