"""What other commands left in a run's folder, as the report shows it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from landweave.assess import write_report
from landweave.assess.document import Assessment, ReliabilitySummary
from landweave.assess.explain import ClassChange, Explanation, GroupImportance, PartialDependence, ShapGroup, ShapSummary
from landweave.assess.extras import Extras, read_extras, view_extras
from landweave.assess.robustness import Robustness, RobustnessRow
from landweave.assess.wording import LANGUAGES, get_words
from landweave.errors import AssessmentError

WORDS = get_words("en")


def row(case, severity, drop):
    return RobustnessRow(case=case, severity=severity, n=400, overall_accuracy=0.9 - drop, macro_f1=0.8, accuracy_drop=drop,
                         f1_drop=drop, no_answer=0.0)  # fmt: skip


ROBUSTNESS = Robustness(rows=(row("clean", None, 0.0), row("blur", 1, 0.01), row("blur", 2, 0.02), row("haze", 1, 0.3),
                              row("missing band s2.red (median instead)", None, 0.1)))  # fmt: skip
EXPLANATION = Explanation(
    model="random-forest", classes=["a", "b"], overall_accuracy=0.9, n_tested=100, n_folds=5, n_repeats=1,
    importance=[GroupImportance(kind="band", name="red", drop=0.12, se=0.01, n_features=2)],
    shap=ShapSummary(unit="probability", n_rows=50, rule="r", groups=[
        ShapGroup(kind="band", name="red", strength=0.2, by_class=[0.1, 0.3], classes=["b", "a"])]),
)  # fmt: skip
CURVES = """size,overall_accuracy,overall_accuracy_low,overall_accuracy_high,macro_f1,curve
80,0.88,0.86,0.9,0.8,by place
20,0.7,0.68,0.72,0.6,by place
40,0.8,0.78,0.82,0.7,by place
40,0.8,0.78,0.82,0.7,margin
"""
COVERAGE = {
    "name": "s2", "dates": [{"date": "2023-01-05", "share": 0.9, "is_usable": True},
                            {"date": "2023-03-05", "share": 0.1, "is_usable": False}],
    "whole": {"name": "whole", "spatial": 0.6, "temporal": 0.5, "gap_days": 59.0, "worst_gap_days": 60.0, "verdict": "low"},
    "areas": [], "thresholds": {"usable_share": 0.4, "min_spatial": 0.5, "min_temporal": 0.6, "max_gap_days": 45.0},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, value in (("robustness.json", ROBUSTNESS.model_dump(mode="json")), ("coverage-s2.json", COVERAGE),
                        ("explain.json", EXPLANATION.model_dump(mode="json"))):  # fmt: skip
        (tmp_path / name).write_text(json.dumps(value))
    (tmp_path / "curve.csv").write_text(CURVES)
    return tmp_path


@pytest.fixture
def assessment():
    found = ReliabilitySummary(confidence=[0.6, 0.9], accuracy=[0.5, 0.95], n=[50, 50], ece_before=0.09, ece=0.04,
                               ece_lower=0.02, ece_upper=0.06)  # fmt: skip
    return Assessment(basis="cross-validation", reliability=found)


def test_a_folder_without_results_shows_nothing(tmp_path):
    assert read_extras(tmp_path) == Extras()
    made = view_extras(Extras(), Assessment(basis="cross-validation"), None, None, WORDS)
    assert not any(made[k] for k in ("reliability", "robustness", "coverage", "explanation", "learning"))


def test_everything_in_the_folder_stands_in_the_report_of_every_language(folder, assessment, tmp_path):
    for language in LANGUAGES:
        path = write_report(tmp_path / f"{language}.html", assessment=assessment, language=language, extras=read_extras(folder))
        text = path.read_text()
        for part in ("reliability", "coverage", "robustness", "explain", "learning"):
            assert f'<section id="{part}">' in text
        assert get_words(language).say("robustness.title") in text.replace("&#39;", "'")


def test_robustness_names_the_worst_case_and_puts_it_first(folder):
    view = view_extras(read_extras(folder), Assessment(basis="cross-validation"), None, None, get_words("es"))["robustness"]
    assert [b["name"] for b in view["bars"]] == ["bruma", "falta la banda s2.red (mediana en su lugar)", "desenfoque"]
    assert "«bruma»: 30,0 puntos" in view["text"]
    assert view["bars"][0]["rows"][0]["width"] == 100


def test_accuracies_under_corruption_have_intervals(folder):
    view = view_extras(read_extras(folder), Assessment(basis="cross-validation"), None, None, WORDS)["robustness"]
    assert view["table"][0][4] == "95 % interval 86.7\u00a0% to 92.6\u00a0%"


def test_conformal_coverage_is_told_with_its_interval(assessment):
    found = {"error_rate": 0.1, "coverage": 0.88, "coverage_se": 0.01, "set_size": 1.4}
    card = SimpleNamespace(lineage={}, metrics={"conformal": found})
    lines = view_extras(Extras(), assessment, card, None, WORDS)["reliability"]["lines"]
    assert "4.0\u00a0% (95 % interval 2.0\u00a0% to 6.0\u00a0%)" in lines[0]
    assert "held it in 88.0\u00a0% (95 % interval 86.0\u00a0% to 90.0\u00a0%)" in lines[2]


def test_dates_stand_where_their_day_is(folder):
    (view,) = view_extras(read_extras(folder), Assessment(basis="cross-validation"), None, None, WORDS)["coverage"]
    assert [b[0] for b in view["bars"]] == ["2023-01-05", "2023-03-05"]
    assert view["bars"][0][3] == 0
    assert "coverage is low" in view["text"]
    assert "high from 50\u00a0% of clean pixels and 60\u00a0% of usable dates (each at least 40\u00a0% clean)" in view["text"]
    assert "at most 45 days" in view["text"]


def test_the_learning_curve_says_whether_it_still_rises(folder):
    found = read_extras(folder)
    (view,) = view_extras(found, Assessment(basis="cross-validation"), None, None, WORDS)["learning"]
    assert "From 20 to 80 training places" in view["text"]
    assert "still rises" in view["text"]
    assert "<polyline" in view["picture"]


def test_shap_is_shown_in_points_with_the_class_that_is_moved_most(folder):
    view = view_extras(read_extras(folder), Assessment(basis="cross-validation"), None, None, WORDS)["explanation"]
    assert view["shap"]["kinds"]["Bands"] == [("red", 100.0, "20.00", "b")]
    none = EXPLANATION.model_copy(update={"shap": None, "shap_why": "svm"})
    told = view_extras(Extras(explanation=none), Assessment(basis="cross-validation"), None, None, WORDS)["explanation"]
    assert "not made of trees" in told["shap"]["text"]


def test_partial_dependence_and_changes_of_class_are_shown():
    curve = PartialDependence(feature="red_t00", values=[0.1, 0.3], proba=[[0.8, 0.2], [0.3, 0.7]])
    change = ClassChange(row=0, predicted="a", nearest="b", kind="band", group="red", becomes="b", moved_sd=1.0)
    made = EXPLANATION.model_copy(update={"partial_dependence": [curve], "changes": [change]})
    view = view_extras(Extras(explanation=made), Assessment(basis="cross-validation"), None, None, WORDS)["explanation"]
    assert "red_t00" in view["curves"][0]
    assert [name for name, _ in view["key"]] == ["a", "b"]
    assert view["changes"] == [("a", "1", "100\xa0%", "band red", "b")]


def test_a_curve_of_other_columns_is_refused(tmp_path):
    (tmp_path / "curve.csv").write_text("n,score\n1,2\n")
    with pytest.raises(AssessmentError, match="has the columns n, score; make it with landweave curve"):
        read_extras(tmp_path)


def test_a_file_of_another_version_is_refused(tmp_path):
    (tmp_path / "robustness.json").write_text('{"lines": []}')
    with pytest.raises(AssessmentError, match="make it anew with landweave robustness"):
        read_extras(tmp_path)
