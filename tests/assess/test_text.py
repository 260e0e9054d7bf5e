"""Assessments as text tables."""

from __future__ import annotations

import pytest

from landweave.assess import AssessOptions, assess_counts, assess_map, assess_without_reference, format_assessment
from landweave.assess.document import Assessment, CrossValidationScores, CrossValidationSummary


def _by_title(assessment: Assessment):
    return {table.title: table for table in format_assessment(assessment)}


@pytest.fixture
def counted(tmp_path):
    (tmp_path / "c.csv").write_text("m,a,b,mapped_area_px\na,66,9,200000\nb,3,322,9800000\n")
    return assess_counts(tmp_path / "c.csv", pixel_area_m2=900)


def test_areas_are_hectares_with_half_widths(counted):
    table = _by_title(counted)["Areas"]
    a = counted.areas[0]
    assert table.columns == ("class", "mapped ha", "estimated ha", "1.96 se", "from", "to")
    assert table.rows[0] == ("a", "18000", *(f"{v:.0f}" for v in (a.area_ha, a.ci95_ha, a.lower_ha, a.upper_ha)))
    assert table.rows[-1][:3] == ("total", "900000", "900000")


def test_every_row_has_a_cell_per_column(counted, product, draw_simple):
    for assessment in (counted, assess_map(product, draw_simple(kind="none")), assess_without_reference(product)):
        for table in format_assessment(assessment):
            assert {len(row) for row in table.rows} == {len(table.columns)}


def test_without_a_design_only_mapped_areas_are_shown_with_the_reason(product, draw_simple):
    table = _by_title(assess_map(product, draw_simple(kind="none")))["Areas"]
    assert table.columns == ("class", "mapped ha")
    assert "no stated probability design" in table.note


def test_accuracies_have_intervals_only_where_the_design_gives_them(counted, product, draw_simple):
    overall = dict(_by_title(counted)["Accuracy"].rows)["overall accuracy"]
    found = counted.overall_accuracy
    assert overall == f"{found.value:.3f} ({found.lower:.3f} to {found.upper:.3f})"
    plain = dict(_by_title(assess_map(product, draw_simple(kind="none")))["Accuracy"].rows)["overall accuracy"]
    assert " (se 0." in plain


def test_the_normal_interval_is_written_with_plus_and_minus(tmp_path):
    (tmp_path / "c.csv").write_text("m,a,b,mapped_area_px\na,66,9,200000\nb,3,322,9800000\n")
    made = assess_counts(tmp_path / "c.csv", pixel_area_m2=900, options=AssessOptions(interval="normal"))
    overall = dict(_by_title(made)["Accuracy"].rows)["overall accuracy"]
    assert overall == f"{made.overall_accuracy.value:.3f} +- {1.96 * made.overall_accuracy.se:.3f}"


def test_the_matrix_has_totals(counted):
    assert _by_title(counted)["Error matrix (samples)"].rows[-1] == ("total", "69", "331", "400")


def test_cross_validation_shows_learnable_classes_beside_all():
    scores = CrossValidationScores(
        overall_accuracy=0.835, macro_f1=0.6, overall_accuracy_learnable=0.94, macro_f1_learnable=0.8, n_folds=5, n_repeats=1,
        n_samples=9, n_tested=9, classes_in_one_block=["Forest"],
    )  # fmt: skip
    a = Assessment(basis="cross-validation", cross_validation=CrossValidationSummary(spatial=scores))
    table = _by_title(a)["Cross-validation"]
    assert table.rows == (("spatial folds", "0.835", "0.600"), ("spatial folds, learnable classes", "0.940", "0.800"))
    assert "Forest" in table.note


def test_an_assessment_without_anything_has_no_tables():
    assert format_assessment(Assessment(basis="cross-validation")) == []
