"""Numbers in words: what a map shows, how good it is, and which number answers which question.

Receives an `Assessment`; hands on plain sentences and formatted figures for the report. It computes nothing but differences
of what the document states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from landweave.assess.document import Assessment, CrossValidationScores, CrossValidationSummary, Estimate
from landweave.assess.wording import ENGLISH, Words

__all__ = [
    "DESIGNED",
    "Banner",
    "KeyFigure",
    "describe_areas",
    "describe_matrix",
    "find_banners",
    "find_key_figures",
    "summarise",
]

GAP_POINTS = 0.02
"""A difference between random and spatial folds above this is said in a banner."""

DESIGNED = ("stratified", "post-stratified", "strata-other-than-map", "simple", "cluster")
"""Estimators that speak about the whole area."""


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


def summarise(assessment: Assessment, words: Words = ENGLISH) -> str:
    """Say in two or three sentences what the map is and how good; the headline of the report."""
    parts = [_what(assessment, words), _how_good(assessment, words)]
    return " ".join(p for p in parts if p)


def _what(a: Assessment, words: Words) -> str:
    if not a.areas or a.total_area_ha is None:
        return ""
    km2 = a.total_area_ha / 100
    large = km2 >= 100 and words.area_unit == "ha"
    size = f"{words.count(round(km2))}\u00a0km\u00b2" if large else words.size(a.total_area_ha)
    largest = max(a.areas, key=lambda c: c.area_ha if c.area_ha is not None else c.mapped_ha or 0.0)
    share = largest.area_share if largest.area_share is not None else largest.mapped_share
    if share is None:
        return words.say("what.map", size=size, n=len(a.areas))
    return words.say("what.map_largest", size=size, n=len(a.areas), name=largest.name, share=words.percent(share, 0))


def _how_good(a: Assessment, words: Words) -> str:
    overall = a.overall_accuracy
    if overall.value is not None and a.basis != "cross-validation":
        share = words.percent(overall.value, 0)
        if a.design.estimator not in DESIGNED:
            return words.say("good.plain", share=share, n=words.count(a.n_used))
        if overall.lower is None:
            return words.say("good.designed", share=share)
        low = f"{100 * overall.lower:.0f}"
        return words.say("good.designed_interval", share=share, low=low, high=words.percent(overall.upper, 0))
    told = {k: words.percent(s.overall_accuracy, 0) for k, s in _kinds(a.cross_validation).items()}
    if not told:
        return words.say("good.unknown")
    kind = "both" if len(told) > 1 else next(iter(told))
    judged = words.say("good.map_unjudged" if a.areas else "good.no_map")
    return f"{words.say(f'good.folds_{kind}', **told)} {judged}"


def _kinds(scores: CrossValidationSummary) -> dict[str, CrossValidationScores]:
    pairs = {"random": scores.random, "spatial": scores.spatial}
    return {k: s for k, s in pairs.items() if s is not None}


def find_key_figures(assessment: Assessment, words: Words = ENGLISH) -> list[KeyFigure]:
    """List the overall scores (at most four), each with the question that it answers."""
    figures = []
    overall = assessment.overall_accuracy
    if overall.value is not None and assessment.basis != "cross-validation":
        figures.append(_map_figure(assessment, overall, overall.value, words))
    scores = assessment.cross_validation
    if scores.random is not None:
        figures.append(_fold_figure(scores.random, "random", words))
    if scores.spatial is not None:
        figures += [_fold_figure(scores.spatial, "spatial", words), *_learnable_figure(scores.spatial, words)]
    return figures


def _learnable_figure(s: CrossValidationScores, words: Words) -> list[KeyFigure]:
    if not s.classes_in_one_block or s.overall_accuracy_learnable is None:
        return []
    value, se = s.overall_accuracy_learnable, s.overall_accuracy_learnable_se
    return [KeyFigure(
        words.percent(value), _fold_spread(se, s.macro_f1_learnable, words), words.say("figure.learnable.question"),
        words.say("figure.learnable.answer", names=words.join(s.classes_in_one_block)), value,
        None if se is None else max(0.0, value - se), None if se is None else min(1.0, value + se), "learnable",
    )]  # fmt: skip


def _map_figure(a: Assessment, overall: Estimate, value: float, words: Words) -> KeyFigure:
    ends = {"low": words.percent(overall.lower), "high": words.percent(overall.upper)}
    spread = words.say("figure.interval", **ends) if overall.lower is not None else ""
    kind = "designed" if a.design.estimator in DESIGNED else "plain"
    return KeyFigure(words.percent(value), spread, words.say(f"figure.{kind}.question"), words.say(f"figure.{kind}.answer"),
                     value, overall.lower, overall.upper)  # fmt: skip


def _fold_figure(s: CrossValidationScores, kind: Literal["random", "spatial"], words: Words) -> KeyFigure:
    se = s.overall_accuracy_se
    low, high = (None, None) if se is None else (max(0.0, s.overall_accuracy - se), min(1.0, s.overall_accuracy + se))
    pieces = words.say("pieces.groups" if s.block_size_m is None else "pieces.blocks")
    return KeyFigure(words.percent(s.overall_accuracy), _fold_spread(se, s.macro_f1, words),
                     words.say(f"figure.{kind}.question"), words.say(f"figure.{kind}.answer", pieces=pieces),
                     s.overall_accuracy, low, high, kind)  # fmt: skip


def _fold_spread(se: float | None, macro_f1: float | None, words: Words) -> str:
    f1 = words.percent(macro_f1)
    return words.say("figure.f1", f1=f1) if se is None else words.say("figure.spread", se=words.fixed(100 * se, 1), f1=f1)


def find_banners(assessment: Assessment, words: Words = ENGLISH) -> list[Banner]:
    """List what a reader has to know before using a number, the gravest first."""
    found = [*_gap_banner(assessment, words), *_block_banner(assessment, words), *_baseline_banner(assessment, words)]
    outside = assessment.applicability
    if outside is not None and outside.outside_share is not None and outside.outside_px:
        found.append(Banner("warn" if outside.outside_share > 0.05 else "note",
                            words.say("banner.outside.title", share=words.percent(outside.outside_share)),
                            words.say("banner.outside.text", area=words.size(outside.outside_ha))))  # fmt: skip
    if assessment.areas_why and assessment.basis != "cross-validation":
        found.append(Banner("note", words.say("banner.counted.title"), _sentence(assessment.areas_why, words)))
    return found + [Banner("note", words.say("banner.warning.title"), _sentence(w, words)) for w in assessment.warnings]


def _sentence(text: str, words: Words) -> str:
    text = words.translate(text.strip())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _gap_banner(a: Assessment, words: Words) -> list[Banner]:
    random, spatial = a.cross_validation.random, a.cross_validation.spatial
    if random is None or spatial is None:
        return []
    gap, f1_gap = random.overall_accuracy - spatial.overall_accuracy, random.macro_f1 - spatial.macro_f1
    if max(gap, f1_gap) <= GAP_POINTS:
        return []
    what, size = ("overall_accuracy", gap) if gap > GAP_POINTS else ("macro_f1", f1_gap)
    title = words.say("banner.gap.title", points=f"{100 * size:.0f}", what=words.say(what))
    text = words.say("banner.gap.text", **_pair("random", random.overall_accuracy, random.macro_f1, words),
                     **_pair("spatial", spatial.overall_accuracy, spatial.macro_f1, words))  # fmt: skip
    return [Banner("warn", title, text)]


def _pair(name: str, accuracy: float | None, macro_f1: float | None, words: Words) -> dict[str, str]:
    return {name: words.percent(accuracy), f"{name}_f1": words.percent(macro_f1)}


def _block_banner(a: Assessment, words: Words) -> list[Banner]:
    spatial, random = a.cross_validation.spatial, a.cross_validation.random
    if spatial is None or not spatial.classes_in_one_block:
        return []
    many = "one" if len(spatial.classes_in_one_block) == 1 else "many"
    told = {"names": words.join(spatial.classes_in_one_block), "n": len(spatial.classes_in_one_block)}
    text = [words.say(f"banner.block.text_{many}", **told)]
    if spatial.overall_accuracy_learnable is not None:
        scores = _pair("spatial", spatial.overall_accuracy_learnable, spatial.macro_f1_learnable, words)
        if random is not None and random.overall_accuracy_learnable is not None:
            scores |= _pair("random", random.overall_accuracy_learnable, random.macro_f1_learnable, words)
        text.append(words.say("banner.block.others_both" if "random" in scores else "banner.block.others", **scores))
    text.append(words.say(f"banner.block.collect_{many}"))
    return [Banner("warn", words.say(f"banner.block.title_{many}", **told), " ".join(text))]


def _baseline_banner(a: Assessment, words: Words) -> list[Banner]:
    majority = a.baselines.get("majority")
    scores = a.cross_validation.spatial or a.cross_validation.random
    if majority is None or majority.overall_accuracy is None or scores is None:
        return []
    if scores.overall_accuracy > majority.overall_accuracy:
        return []
    told = {"model": words.percent(scores.overall_accuracy), "majority": words.percent(majority.overall_accuracy)}
    return [Banner("warn", words.say("banner.baseline.title"), words.say("banner.baseline.text", **told))]


def describe_areas(assessment: Assessment, words: Words = ENGLISH) -> str:
    """Say where the areas come from and whether they may be quoted with an interval."""
    if not assessment.areas:
        return ""
    if any(c.area_ha is not None for c in assessment.areas):
        return f"{words.say('areas.estimated')} {words.translate(assessment.design.estimator_note)}".strip()
    why = assessment.areas_why
    return f"{words.say('areas.counted')} {_sentence(why, words) if why else words.say('areas.no_reference')}"


def describe_matrix(assessment: Assessment, words: Words = ENGLISH) -> str:
    """Say how the error matrix is to be read and what it rests on."""
    text = words.say("matrix.read_area" if assessment.design.estimator in DESIGNED else "matrix.read_samples")
    return f"{text} {_sentence(assessment.basis_note, words)}" if assessment.basis_note else text
