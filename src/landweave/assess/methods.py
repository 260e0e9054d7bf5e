"""The Methods paragraph of a map: what was done with which data, written from its lineage, for a paper or an office's report.

Receives lineage, model card and assessment; hands on plain text. What is not known is not mentioned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landweave.assess.document import Assessment
from landweave.assess.wording import Language, Words, get_words
from landweave.types import ModelCard, ModelInput

__all__ = ["write_methods"]

_VERSIONS = ("landweave", "gdal", "numpy", "scikit-learn", "catboost", "rasterio", "pyproj")


def write_methods(
    lineage: Mapping[str, Any], card: ModelCard | None, assessment: Assessment, *, language: Language = "en"
) -> str:
    """Write the Methods paragraph: data, dates, grid, samples, model, validation, design and estimator, software, attribution.

    Args:
        lineage: Content of `lineage.json`; may be empty.
        card: Of the model, if there is one.
        assessment: The numbers.
        language: Language of the paragraph.

    Raises:
        AssessmentError: If there are no sentences in that language.
    """
    words = get_words(language)
    parts = [*_data(lineage, words), *_model(card, words), *_validation(assessment, words), *_judging(assessment, words),
             *_software(lineage, card, words)]  # fmt: skip
    return " ".join(parts)


def _data(lineage: Mapping[str, Any], words: Words) -> list[str]:
    sources = ((lineage.get("recipe") or {}).get("imagery")) or {}
    cube = next((s for s in lineage.get("stages") or () if s.get("name") == "cube"), None)
    n = len((cube or {}).get("inputs") or ())
    if not sources or not n:
        return []
    told = ", ".join(f"{name}: {source.get('sensor', 'generic')}" for name, source in sources.items())
    return [words.say("methods.data", n=words.count(n), sources=told)]


def _model(card: ModelCard | None, words: Words) -> list[str]:
    if card is None:
        return []
    parts = [sentence for source in card.inputs for sentence in _input(source, words)]
    named = {k: n for k, n in card.n_samples.items() if n}
    if named:
        counts = ", ".join(f"{name} {words.count(n)}" for name, n in named.items())
        parts.append(words.say("methods.samples", n=words.count(sum(named.values())), k=len(named), counts=counts))
    model = card.title or card.model
    params = ", ".join(f"{k} {words.plain(v)}" for k, v in card.params.items() if v is not None)
    return [*parts, words.say("methods.model", model=model, params=params) if params
            else words.say("methods.model_plain", model=model)]  # fmt: skip


def _input(source: ModelInput, words: Words) -> list[str]:
    told = {"name": source.name, "bands": ", ".join(source.bands)}
    if source.dates:
        steps = {"n": len(source.dates), "first": source.dates[0][:10], "last": source.dates[-1][:10]}
        parts = [words.say("methods.input_steps", **told, **steps)]
    elif source.season is not None:
        season = {"n": len(source.season.steps), "days": source.season.length_days, "start": source.season.start}
        parts = [words.say("methods.input_season", **told, **season)]
    else:
        parts = [words.say("methods.input", **told)]
    if source.metres is not None:
        x, y = (words.localise(f"{v:.4g}") for v in source.metres)
        parts.append(words.say("methods.cube", x=x, y=y))
    return parts


def _validation(a: Assessment, words: Words) -> list[str]:
    scores = a.cross_validation
    kinds = {"random": scores.random, "spatial": scores.spatial, "knndm": scores.knndm}
    parts = [
        words.say(f"methods.{kind}", folds=s.n_folds, repeats=s.n_repeats, accuracy=words.percent(s.overall_accuracy),
                  f1=words.percent(s.macro_f1))
        for kind, s in kinds.items() if s is not None
    ]  # fmt: skip
    if scores.spatial is not None and scores.spatial.block_size_m is not None:
        parts.append(words.say("methods.blocks", km=words.localise(f"{scores.spatial.block_size_m / 1000:.3g}")))
    return parts


def _judging(a: Assessment, words: Words) -> list[str]:
    overall = a.overall_accuracy
    if a.basis == "cross-validation" or overall.value is None:
        return [words.say("methods.unjudged")]
    judged = words.say("methods.design", n=words.count(a.n_used), kind=words.say(f"design.{a.design.kind}"),
                       estimator=words.say(f"estimator.{a.design.estimator}"))  # fmt: skip
    accuracy = words.percent(overall.value)
    if overall.lower is None or overall.upper is None:
        return [judged, words.say("methods.accuracy", accuracy=accuracy)]
    ends = {"low": words.percent(overall.lower), "high": words.percent(overall.upper)}
    return [judged, words.say("methods.accuracy_interval", accuracy=accuracy, **ends)]


def _software(lineage: Mapping[str, Any], card: ModelCard | None, words: Words) -> list[str]:
    versions: Mapping[str, str] = lineage.get("versions") or (card.lineage.get("versions") if card is not None else None) or {}
    told = ", ".join(f"{name} {versions[name]}" for name in _VERSIONS if name in versions)
    attribution = str((lineage.get("recipe") or {}).get("attribution") or "").rstrip(".")
    return [*([words.say("methods.software", versions=told)] if told else []),
            *([words.say("attribution", text=attribution)] if attribution else [])]  # fmt: skip
