"""Numbers in words: what a map shows, how good it is, and which number answers which question.

Receives an `Assessment`; hands on plain sentences and formatted figures for the report. It computes nothing but differences
of what the document states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from landweave.assess.document import Assessment, CrossValidationScores, Estimate

__all__ = [
    "Banner",
    "KeyFigure",
    "area_text",
    "count_text",
    "describe_areas",
    "describe_matrix",
    "find_banners",
    "find_key_figures",
    "join_names",
    "percent",
    "summarise",
]

GAP_POINTS = 0.02
"""A difference between random and spatial folds above this is said in a banner."""

_THIN = "\u202f"  # narrow no-break space: groups digits the same way for readers of every language
_DESIGNED = ("stratified", "post-stratified", "strata-other-than-map", "simple", "cluster")


@dataclass(frozen=True)
class KeyFigure:
    """A number with the question that it answers.

    Attributes:
        value: Formatted ("87.3 %").
        spread: How sure it is ("95 % interval 84.1 to 90.5 %"), or empty.
        question: In the words of a layman.
        answer: What the number means, and what it does not.
        share: The value as 0..1, for a bar.
        low: Lower end for the bar, if there is an interval.
        high: Upper end likewise.
        kind: Style of the card: the map itself, places between samples, new places, new places without the classes that
            stand in one block.
    """

    value: str
    spread: str
    question: str
    answer: str
    share: float
    low: float | None = None
    high: float | None = None
    kind: Literal["map", "random", "spatial", "learnable"] = "map"


@dataclass(frozen=True)
class Banner:
    """Something that a reader must not miss."""

    level: Literal["warn", "note"]
    title: str
    text: str


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as a percentage; an absent one is a dash, and nothing short of all is rounded up to 100 %."""
    if value is None:
        return "\u2013"
    text = f"{100 * value:.{digits}f}"
    if value < 1.0 and float(text) >= 100.0:
        return f"more than {100 - 10.0**-digits:.{digits}f}\u00a0%"
    return f"{text}\u00a0%"


def count_text(value: float) -> str:
    """Write a count with grouped digits; shared labels keep one decimal."""
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace(",", _THIN)


def area_text(area_ha: float | None) -> str:
    """Write hectares with grouped digits and about four significant ones; an absent area is a dash."""
    if area_ha is None:
        return "\u2013"
    digits = 0 if abs(area_ha) >= 1000 or area_ha == 0 else 1 if abs(area_ha) >= 10 else 2
    return f"{area_ha:,.{digits}f}".replace(",", _THIN)


def join_names(names: Sequence[str]) -> str:
    """Join names with commas and a final "and"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def summarise(assessment: Assessment) -> str:
    """Say in two or three sentences what the map is and how good; the headline of the report."""
    parts = [_what(assessment), _how_good(assessment)]
    return " ".join(p for p in parts if p)


def _what(a: Assessment) -> str:
    if not a.areas or a.total_area_ha is None:
        return ""
    km2 = a.total_area_ha / 100
    size = f"{count_text(round(km2))}\u00a0km\u00b2" if km2 >= 100 else f"{area_text(a.total_area_ha)}\u00a0ha"
    largest = max(a.areas, key=lambda c: c.area_ha if c.area_ha is not None else c.mapped_ha or 0.0)
    share = largest.area_share if largest.area_share is not None else largest.mapped_share
    most = f"; the largest is {largest.name} with {percent(share, 0)}" if share is not None else ""
    return f"The map divides {size} of land into {len(a.areas)} classes{most}."


def _how_good(a: Assessment) -> str:
    overall = a.overall_accuracy
    if overall.value is not None and a.basis != "cross-validation":
        if a.design.estimator in _DESIGNED:
            text = f"About {percent(overall.value, 0)} of its area carries the right class"
            return text + (f" (95 % interval: {_range(overall)})." if overall.lower is not None else ".")
        return (f"It is right at {percent(overall.value, 0)} of the {count_text(a.n_used)} places where it was compared with "
                "the truth; these were not drawn at random, so this is no statement about the whole area.")  # fmt: skip
    random, spatial = a.cross_validation.random, a.cross_validation.spatial
    if random is None and spatial is None:
        return "Nothing has been compared with the truth yet, so nobody knows how good it is."
    where = ((random, "of the samples at places between those that it learnt from"), (spatial, "at new places"))
    told = [f"{percent(s.overall_accuracy, 0)} {place}" for s, place in where if s is not None]
    judged = "The map itself has not been compared with the truth" if a.areas else "No map has been compared with the truth"
    return f"The model names the right class for {' and '.join(told)}. {judged}."


def _range(e: Estimate) -> str:
    return f"{100 * (e.lower or 0.0):.0f} to {percent(e.upper, 0)}"


def find_key_figures(assessment: Assessment) -> list[KeyFigure]:
    """List the overall scores (at most four), each with the question that it answers."""
    figures = []
    overall = assessment.overall_accuracy
    if overall.value is not None and assessment.basis != "cross-validation":
        figures.append(_map_figure(assessment, overall, overall.value))
    scores = assessment.cross_validation
    if scores.random is not None:
        figures.append(_fold_figure(
            scores.random, "random", "How well does the model do between the places it learnt from?",
            "Random folds: scattered samples were hidden, not their neighbours. Silent on other regions."))  # fmt: skip
    if scores.spatial is not None:
        pieces = "groups" if scores.spatial.block_size_m is None else "blocks"
        figures.append(_fold_figure(
            scores.spatial, "spatial", "How well does it do at new places?",
            f"Spatial folds: whole {pieces} were kept from the model. To be quoted before using it elsewhere."))  # fmt: skip
        figures += _learnable_figure(scores.spatial)
    return figures


def _learnable_figure(s: CrossValidationScores) -> list[KeyFigure]:
    if not s.classes_in_one_block or s.overall_accuracy_learnable is None:
        return []
    value, se = s.overall_accuracy_learnable, s.overall_accuracy_learnable_se
    return [KeyFigure(
        percent(value), _fold_spread(se, s.macro_f1_learnable), "And at new places, for the classes that can be learnt there?",
        f"Spatial folds without {join_names(s.classes_in_one_block)}, which no spatial fold can learn.", value,
        None if se is None else max(0.0, value - se), None if se is None else min(1.0, value + se), "learnable",
    )]  # fmt: skip


def _map_figure(a: Assessment, overall: Estimate, value: float) -> KeyFigure:
    spread = f"95 % interval {percent(overall.lower)} to {percent(overall.upper)}" if overall.lower is not None else ""
    if a.design.estimator in _DESIGNED:
        question, answer = "How much of this map is right?", (
            "Estimated from a reference sample drawn by a stated design; it holds for this map and this area.")  # fmt: skip
    else:
        question, answer = "How often is the map right where it was checked?", (
            "A plain share of the reference samples: they were not drawn by a design, so no interval exists.")  # fmt: skip
    return KeyFigure(percent(value), spread, question, answer, value, overall.lower, overall.upper)


def _fold_figure(s: CrossValidationScores, kind: Literal["random", "spatial"], question: str, answer: str) -> KeyFigure:
    se = s.overall_accuracy_se
    low, high = (None, None) if se is None else (max(0.0, s.overall_accuracy - se), min(1.0, s.overall_accuracy + se))
    spread = _fold_spread(se, s.macro_f1)
    return KeyFigure(percent(s.overall_accuracy), spread, question, answer, s.overall_accuracy, low, high, kind)


def _fold_spread(se: float | None, macro_f1: float | None) -> str:
    error = "" if se is None else f"standard error {100 * se:.1f} points; "
    return f"{error}macro-F1 {percent(macro_f1)}"


def find_banners(assessment: Assessment) -> list[Banner]:
    """List what a reader has to know before using a number, the gravest first."""
    found = [*_gap_banner(assessment), *_block_banner(assessment), *_baseline_banner(assessment)]
    outside = assessment.applicability
    if outside is not None and outside.outside_share is not None and outside.outside_px:
        found.append(Banner("warn" if outside.outside_share > 0.05 else "note",
                            f"{percent(outside.outside_share)} of the map lies outside the area of applicability",
                            f"{count_text(round(outside.outside_ha))} ha look unlike anything that the model was trained and "
                            "tested on; no score here speaks for them (applicability.tif shows where)."))  # fmt: skip
    if assessment.areas_why and assessment.basis != "cross-validation":
        found.append(Banner("note", "Areas are counted on the map, not estimated", _sentence(assessment.areas_why)))
    found += [Banner("note", "Before using a number", _sentence(w)) for w in assessment.warnings]
    return found


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _gap_banner(a: Assessment) -> list[Banner]:
    random, spatial = a.cross_validation.random, a.cross_validation.spatial
    if random is None or spatial is None:
        return []
    gap, f1_gap = random.overall_accuracy - spatial.overall_accuracy, random.macro_f1 - spatial.macro_f1
    if max(gap, f1_gap) <= GAP_POINTS:
        return []
    what, size = ("overall accuracy", gap) if gap > GAP_POINTS else ("macro-F1", f1_gap)
    text = (f"Random folds give {percent(random.overall_accuracy)} (macro-F1 {percent(random.macro_f1)}), spatial folds "
            f"{percent(spatial.overall_accuracy)} (macro-F1 {percent(spatial.macro_f1)}). A random fold tests samples whose "
            "neighbours were in the training; only the spatial one tells what to expect at a new place.")  # fmt: skip
    return [Banner("warn", f"Random folds score {100 * size:.0f} points higher in {what} than spatial folds", text)]


def _block_banner(a: Assessment) -> list[Banner]:
    spatial, random = a.cross_validation.spatial, a.cross_validation.random
    if spatial is None or not spatial.classes_in_one_block:
        return []
    names = spatial.classes_in_one_block
    one = len(names) == 1
    text = (f"{join_names(names)} {'stands' if one else 'each stand'} in fewer than two blocks, so that a spatial fold which "
            f"tests {'it' if one else 'them'} has never seen {'it' if one else 'them'} and must fail.")  # fmt: skip
    if spatial.overall_accuracy_learnable is not None:
        text += (f" Over the other classes spatial folds give {percent(spatial.overall_accuracy_learnable)} "
                 f"(macro-F1 {percent(spatial.macro_f1_learnable)})")  # fmt: skip
        if random is not None and random.overall_accuracy_learnable is not None:
            text += (f" where random ones give {percent(random.overall_accuracy_learnable)} "
                     f"(macro-F1 {percent(random.macro_f1_learnable)})")  # fmt: skip
        text += "."
    text += f" Collect samples of {'it' if one else 'them'} in other places before trusting the model there."
    count = "One class" if one else f"{len(names)} classes"
    return [Banner("warn", f"{count} can never be learnt in spatial folds: {join_names(names)}", text)]


def _baseline_banner(a: Assessment) -> list[Banner]:
    majority = a.baselines.get("majority")
    scores = a.cross_validation.spatial or a.cross_validation.random
    if majority is None or majority.overall_accuracy is None or scores is None:
        return []
    if scores.overall_accuracy > majority.overall_accuracy:
        return []
    return [Banner("warn", "The model is no better than always naming the commonest class",
                   f"It scores {percent(scores.overall_accuracy)}, the commonest class alone "
                   f"{percent(majority.overall_accuracy)}.")]  # fmt: skip


def describe_areas(assessment: Assessment) -> str:
    """Say where the areas come from and whether they may be quoted with an interval."""
    if not assessment.areas:
        return ""
    if any(c.area_ha is not None for c in assessment.areas):
        text = ("Estimated from the reference sample, which corrects for the errors of the map. The line is the 95 % interval; "
                "the diamond is what counting pixels on the map would give.")  # fmt: skip
        return f"{text} {assessment.design.estimator_note}".strip()
    return ("Counted on the map, each pixel with its true area on the ellipsoid. There is no interval. "
            + _sentence(assessment.areas_why or "no reference sample was drawn by a design"))  # fmt: skip


def describe_matrix(assessment: Assessment) -> str:
    """Say how the error matrix is to be read and what it rests on."""
    of = "area" if assessment.design.estimator in _DESIGNED else "samples"
    note = f" {_sentence(assessment.basis_note)}" if assessment.basis_note else ""
    return ("A row is what the map says, a column what the reference says. In each cell: the number of samples, and below it "
            f"the share of all {of}. Green cells agree, orange cells are confusions; the stronger, the larger the share of the "
            f"row.{note}")  # fmt: skip
