"""Numbers in words."""

from __future__ import annotations

import pytest

from landweave.assess.document import (
    Assessment,
    Baseline,
    ClassArea,
    CrossValidationScores,
    CrossValidationSummary,
    DesignSummary,
    Estimate,
)
from landweave.assess.sentences import (
    describe_areas,
    find_banners,
    find_key_figures,
    summarise,
)
from landweave.assess.wording import ENGLISH


def folds(accuracy: float, macro_f1: float | None = None, one_block: tuple[str, ...] = ()) -> CrossValidationScores:
    return CrossValidationScores(
        overall_accuracy=accuracy,
        macro_f1=accuracy if macro_f1 is None else macro_f1,
        n_folds=5,
        n_repeats=1,
        n_samples=100,
        n_tested=100,
        classes_in_one_block=list(one_block),
        overall_accuracy_learnable=0.94 if one_block else None,
    )


def judged(estimator: str, **more: object) -> Assessment:
    overall = (
        Estimate(value=0.947, lower=0.929, upper=0.965, n=640) if estimator == "stratified" else Estimate(value=0.947, n=640)
    )
    return Assessment.model_validate(
        {
            "basis": "reference-sample",
            "overall_accuracy": overall,
            "n_used": 640,
            "design": DesignSummary.model_validate({"estimator": estimator}),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("value", "text"), [(0.9466, "94.7\u00a0%"), (None, "\u2013"), (0.0, "0.0\u00a0%"), (1.0, "100.0\u00a0%")]
)
def test_shares_are_percentages(value: float | None, text: str) -> None:
    assert ENGLISH.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(581385.6, "581\u202f386"), (12.345, "12.3"), (0.125, "0.12"), (0.0, "0"), (None, "\u2013")]
)
def test_areas_keep_about_four_digits(value: float | None, text: str) -> None:
    assert ENGLISH.area(value) == text


def test_nothing_short_of_all_is_called_all() -> None:
    assert (ENGLISH.percent(0.9991, 0), ENGLISH.percent(0.9996)) == ("more than 99\u00a0%", "more than 99.9\u00a0%")


def test_counts_keep_the_decimal_of_shared_labels() -> None:
    assert (ENGLISH.count(1892), ENGLISH.count(0.5)) == ("1\u202f892", "0.5")


def test_names_are_joined_as_people_do() -> None:
    assert [ENGLISH.join(n) for n in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["none", "a", "a and b", "a, b and c"]


def test_designed_sample_speaks_about_the_area() -> None:
    assert "About 95\u00a0% of its area carries the right class (95 % interval: 93 to 96\u00a0%)." in summarise(
        judged("stratified")
    )


def test_opportunistic_sample_does_not() -> None:
    text = summarise(judged("plain"))
    assert "right at 95\u00a0% of the 640 places" in text
    assert "no statement about the whole area" in text


def test_summary_names_the_largest_class() -> None:
    areas = [ClassArea(code=1, name="Pasture", mapped_ha=800, mapped_share=0.8), ClassArea(code=2, name="Water", mapped_ha=200)]
    assert "into 2 classes; the largest is Pasture with 80\u00a0%." in summarise(
        judged("plain", areas=areas, total_area_ha=1000)
    )


def test_cross_validation_alone_says_that_no_map_was_judged() -> None:
    scores = CrossValidationSummary(random=folds(0.96), spatial=folds(0.83))
    text = summarise(Assessment(basis="cross-validation", cross_validation=scores))
    assert "96\u00a0% of the samples at places between those that it learnt from and 83\u00a0% at new places" in text
    assert "No map has been compared" in text


def test_each_score_comes_with_its_question() -> None:
    scores = CrossValidationSummary(random=folds(0.96), spatial=folds(0.83, one_block=("Forest",)))
    figures = find_key_figures(judged("stratified", cross_validation=scores))
    assert [f.kind for f in figures] == ["map", "random", "spatial", "learnable"]
    assert all(f.question.endswith("?") for f in figures)


@pytest.mark.parametrize(
    ("random", "spatial", "titles"),
    [
        (folds(0.96), folds(0.955), []),
        (folds(0.96), folds(0.83), ["Random folds score 13 points higher in overall accuracy than spatial folds"]),
        (folds(0.96, 0.95), folds(0.95, 0.80), ["Random folds score 15 points higher in macro-F1 than spatial folds"]),
    ],
)
def test_gap_is_said_from_two_points_on(
    random: CrossValidationScores, spatial: CrossValidationScores, titles: list[str]
) -> None:
    banners = find_banners(
        Assessment(basis="cross-validation", cross_validation=CrossValidationSummary(random=random, spatial=spatial))
    )
    assert [b.title for b in banners] == titles


def test_classes_in_one_block_are_named() -> None:
    spatial = folds(0.83, one_block=("Forest", "Soy_Fallow"))
    banner = find_banners(Assessment(basis="cross-validation", cross_validation=CrossValidationSummary(spatial=spatial)))[0]
    assert banner.title == "2 classes can never be learnt in spatial folds: Forest and Soy_Fallow"
    assert "Over the other classes spatial folds give 94.0\u00a0%" in banner.text


def test_model_that_learnt_nothing_is_told_off() -> None:
    a = Assessment(
        basis="cross-validation",
        cross_validation=CrossValidationSummary(spatial=folds(0.3)),
        baselines={"majority": Baseline(overall_accuracy=0.31, macro_f1=0.1)},
    )
    assert "no better than always naming the commonest class" in find_banners(a)[0].title


def test_warnings_of_the_assessment_become_banners() -> None:
    a = judged("plain", warnings=["the sample is small"], areas_why="the sample was not drawn by a design")
    assert [b.text for b in find_banners(a)] == ["The sample was not drawn by a design.", "The sample is small."]


def test_mapped_areas_say_why_no_interval_exists() -> None:
    areas = [ClassArea(code=1, name="Water", mapped_ha=10)]
    assert "no interval. The polygons were digitised at will." in describe_areas(
        judged("plain", areas=areas, areas_why="the polygons were digitised at will")
    )
