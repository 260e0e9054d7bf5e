"""The report: everything known about a map in one HTML file that needs nothing else, for laymen first and experts after.

Receives the assessment and whatever else exists (map, samples, model card, check, lineage); hands on a path. Pictures are
inline, every text from outside is escaped, and the same inputs give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from landweave.assess import sentences
from landweave.assess.area_units import AreaUnit
from landweave.assess.charts import draw_matrix, draw_places, draw_series
from landweave.assess.document import Assessment, ClassArea, CrossValidationScores, Estimate
from landweave.assess.extras import Extras, view_extras
from landweave.assess.methods import write_methods
from landweave.assess.pictures import MAX_BYTES, draw_map, draw_uncertainty, ramp_css
from landweave.assess.wording import Language, Words, get_words
from landweave.io.files import write_text
from landweave.types import MapProduct, ModelCard, SampleTable, coarsen_footprint

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["CheckLine", "CheckedSamples", "write_report"]

_NO_COLOR = "#8a8f8d"
_BANDS_SHOWN = 3
# times and host names stand in lineage.json alone, so that the same run gives the same report
_VOLATILE = ("host", "started", "finished", "created", "seconds", "peak", "platform", "mtime", "workers", "command")
_FILES_SHOWN = 40


@runtime_checkable
class CheckLine(Protocol):
    """One thing that was looked at in the samples."""

    @property
    def name(self) -> str:
        """Short name."""
        ...

    @property
    def passed(self) -> bool:
        """False asks for attention."""
        ...

    @property
    def message(self) -> str:
        """What was found."""
        ...


@runtime_checkable
class CheckedSamples(Protocol):
    """What `check_samples` hands on, as far as the report reads it."""

    @property
    def checks(self) -> Sequence[CheckLine]:
        """The things that were looked at."""
        ...


def write_report(
    path: Path | str, *, assessment: Assessment, product: MapProduct | None = None, samples: SampleTable | None = None,
    card: ModelCard | None = None, check: CheckedSamples | None = None, lineage: Mapping[str, Any] | None = None,
    title: str = "", show_places: bool = True, seasons: Mapping[str, MapProduct] | None = None,
    language: Language = "en", no_locations: bool = False, area_unit: AreaUnit = "ha", extras: Extras | None = None,
) -> Path:  # fmt: skip
    """Write the report as one self-contained HTML file of at most 2 MB.

    Args:
        path: Where to write.
        assessment: The numbers.
        product: The map; adds its picture, legend and uncertainty.
        samples: Training or reference samples; adds counts, places and, with features, how each class looks.
        card: The model's card.
        check: What `check_samples` found.
        lineage: Versions, inputs and checksums; times and host names in it are left out.
        title: Heading; the assessment's own by default.
        show_places: False keeps the coordinates of the samples out of the report. They are also left out where the card
            gives no footprint, since such a model must not tell where it was trained.
        seasons: Start date -> map, where there are several; adds a small picture and the mapped areas of each.
        language: Language of the page. Sentences of the assessment that have no key in the table stay English.
        no_locations: Leave the places of the samples out and round the training area outward to whole degrees.
        area_unit: Unit of areas.
        extras: What other commands left in the run's folder: robustness, coverage of the dates, explanation, learning curve.

    Returns:
        The path.

    Raises:
        AssessmentError: If there are no sentences in that language.
        SourceError: If the map cannot be read.
        DiskFullError: If the disk fills.
    """
    words, series, record = get_words(language, area_unit), dict(seasons or {}), lineage or {}
    colors = _colors(assessment, product or next(iter(series.values()), None), samples)
    told = show_places and not no_locations and (card is None or card.footprint is not None)
    context = {
        "title": title or assessment.title or words.say("untitled"), "a": assessment, "words": words,
        "headline": sentences.summarise(assessment, words), "figures": sentences.find_key_figures(assessment, words),
        "banners": sentences.find_banners(assessment, words), "map": _map_view(product), "seasons": _season_view(series),
        "areas": _area_view(assessment.areas, colors), "areas_text": sentences.describe_areas(assessment, words),
        "matrix": _matrix_view(assessment, words), "folds": _fold_view(assessment, words), "places_told": told, "card": card,
        "classes": [(c, colors.get(c.name, _NO_COLOR)) for c in assessment.classes],
        "samples": _sample_view(samples, colors, product, words, places=told),
        "card_rows": _card_rows(card, words, coarse=no_locations),
        "checks": [*assessment.checks, *(check.checks if check is not None else ())],
        "lineage": _lineage_view(record or (card.lineage if card is not None else {}), words),
        "methods": write_methods(record, card, assessment, language=language),
        "unit": words.say(f"unit.{area_unit}"), "x": view_extras(extras or Extras(), assessment, card, product, words),
        "attribution": str((record.get("recipe") or {}).get("attribution") or "").rstrip("."),
    }  # fmt: skip
    html = _environment(words).get_template("report.html.j2").render(context)
    write_text(path, html)
    return Path(path)


def _environment(words: Words) -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return (resources.files("landweave.assess") / "templates" / name).read_text(encoding="utf-8")

    environment = Environment(loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters.update(percent=words.percent, area=words.area, size=words.size, count=words.count, fixed=words.fixed,
                               said=words.translate, place=words.place,
                               interval=lambda estimate: _interval(estimate, words))  # fmt: skip
    environment.globals["t"] = words.say
    return environment


def _interval(estimate: Estimate, words: Words) -> str:
    """Write the interval of a share, its standard error where there is no interval, or nothing."""
    if estimate.lower is not None and estimate.upper is not None:
        return f"{100 * estimate.lower:.0f}\u2013{100 * estimate.upper:.0f}"
    return f"\u00b1\u202f{words.fixed(100 * estimate.se, 1)}" if estimate.se is not None else ""


def _colors(assessment: Assessment, product: MapProduct | None, samples: SampleTable | None) -> dict[str, str]:
    """Class name -> colour: from the samples, then the map's legend, then the assessment, the last one winning."""
    colors: dict[str, str] = {}
    for legend in (samples.legend if samples is not None else None, product.legend if product is not None else None):
        colors.update({c.name: c.color for c in legend or ()})
    colors.update({c.name: c.color for c in assessment.areas if c.color is not None})
    colors.update({c.name: c.color for c in assessment.classes if c.color is not None})
    return colors


# --- the sections ----------------------------------------------------------------------------------------------------------


def _season_view(seasons: Mapping[str, MapProduct]) -> dict[str, Any] | None:
    """Small pictures of the maps of several seasons and a table of mapped areas, classes by seasons."""
    if not seasons:
        return None
    budget = MAX_BYTES // len(seasons)
    legend = next(iter(seasons.values())).legend
    rows = [(c, [m.area_ha.get(c.code, 0.0) for m in seasons.values()]) for c in legend]
    return {"pictures": [(start, draw_map(m, max_bytes=budget)) for start, m in seasons.items()], "rows": rows}


def _map_view(product: MapProduct | None) -> dict[str, Any] | None:
    if product is None or "map" not in product.files:
        return None
    total = sum(product.area_ha.get(code, 0.0) for code in product.legend.codes)
    rows = [{"name": c.name, "color": c.color, "definition": c.definition, "ha": product.area_ha.get(c.code, 0.0),
             "share": product.area_ha.get(c.code, 0.0) / total if total else 0.0} for c in product.legend]  # fmt: skip
    return {
        "picture": draw_map(product), "rows": rows, "unsure_ha": product.area_ha.get(product.legend.unsure, 0.0),
        "nodata_ha": product.area_ha.get(product.legend.nodata, 0.0),
        "uncertainty": draw_uncertainty(product) if "uncertainty" in product.files else None, "ramp": ramp_css(),
        "size": product.geobox.shape, "checksum": product.checksum,
    }  # fmt: skip


def _area_view(areas: Sequence[ClassArea], colors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the area chart, with positions as per cent of the widest bar or interval."""
    reach = [v for c in areas for v in (c.upper_ha, c.area_ha, c.mapped_ha) if v is not None]
    top = max(reach, default=0.0) * 1.02 or 1.0

    def at(value: float | None) -> float | None:
        return None if value is None else round(100 * value / top, 2)

    rows = []
    for c in areas:
        estimated = c.area_ha is not None
        rows.append({
            "c": c, "color": c.color or colors.get(c.name, _NO_COLOR), "low": at(c.lower_ha), "high": at(c.upper_ha),
            "bar": at(c.area_ha if estimated else c.mapped_ha), "mapped": at(c.mapped_ha) if estimated else None,
        })  # fmt: skip
    return rows


def _matrix_view(assessment: Assessment, words: Words) -> dict[str, Any] | None:
    matrix = assessment.error_matrix
    if matrix is None or not matrix.counts:
        return None
    counts = matrix.counts
    return {
        "picture": draw_matrix(matrix, words), "text": sentences.describe_matrix(assessment, words), "m": matrix,
        "row_sums": [sum(row) for row in counts], "column_sums": [sum(column) for column in zip(*counts, strict=True)],
        "total": sum(map(sum, counts)),
    }  # fmt: skip


def _fold_view(assessment: Assessment, words: Words) -> dict[str, Any] | None:
    """Columns of the cross-validation table: random, spatial, and spatial over the classes that can be learnt there."""
    folds = assessment.cross_validation
    if folds.random is None and folds.spatial is None:
        return None
    columns = [_fold_column(words, "random", s) for s in [folds.random] if s is not None]
    if folds.spatial is not None:
        columns.append(_fold_column(words, "spatial", folds.spatial))
        if folds.spatial.classes_in_one_block and folds.spatial.overall_accuracy_learnable is not None:
            columns.append(_learnable_column(folds.spatial, words))
    columns += [_fold_column(words, "knndm", s) for s in [folds.knndm] if s is not None]
    both = folds.random is not None and folds.spatial is not None
    names = [c.name for c in (folds.random or folds.spatial or _nothing()).classes]
    by_class = [(name, _score(folds.random, name), _score(folds.spatial, name)) for name in names]
    gap = folds.random.overall_accuracy - folds.spatial.overall_accuracy if folds.random and folds.spatial else None
    return {"columns": columns, "baselines": assessment.baselines, "by_class": by_class, "both": both, "gap": gap}


def _nothing() -> CrossValidationScores:
    return CrossValidationScores(overall_accuracy=0.0, macro_f1=0.0, n_folds=0, n_repeats=0, n_samples=0, n_tested=0)


def _score(scores: CrossValidationScores | None, name: str) -> Any:
    return next((c for c in scores.classes if c.name == name), None) if scores is not None else None


def _fold_column(words: Words, kind: str, s: CrossValidationScores) -> dict[str, Any]:
    return {"title": words.say(f"folds.{kind}"), "kind": kind, "s": s, "accuracy": s.overall_accuracy,
            "accuracy_se": s.overall_accuracy_se, "f1": s.macro_f1, "f1_se": s.macro_f1_se,
            "classes": len([c for c in s.classes if c.n]) or None}  # fmt: skip


def _learnable_column(s: CrossValidationScores, words: Words) -> dict[str, Any]:
    left = len([c for c in s.classes if c.n and c.is_learnable]) or None
    return {"title": words.say("folds.learnable"), "kind": "learnable", "s": s,
            "accuracy": s.overall_accuracy_learnable, "accuracy_se": s.overall_accuracy_learnable_se,
            "f1": s.macro_f1_learnable, "f1_se": s.macro_f1_learnable_se, "classes": left}  # fmt: skip


def _sample_view(
    samples: SampleTable | None, colors: Mapping[str, str], product: MapProduct | None, words: Words, *, places: bool
) -> dict[str, Any] | None:
    if samples is None:
        return None
    frame = samples.frame
    purposes = sorted(set(frame["purpose"].dropna())) if "purpose" in frame else []
    rows: list[dict[str, Any]] = []
    for name in samples.legend.names:
        own = frame[frame["class"] == name]
        by_purpose = [int((own["purpose"] == p).sum()) for p in purposes] if len(purposes) > 1 else []
        groups = int(own["group"].nunique()) if "group" in own else None
        rows.append({"name": name, "color": colors.get(name, _NO_COLOR), "n": len(own), "groups": groups, "by": by_purpose})
    bbox = _bbox(product) if product is not None else None
    drawn = draw_series(samples, colors, words) if samples.inputs and len(samples) else []
    return {
        "rows": rows, "n": len(samples), "purposes": purposes if len(purposes) > 1 else [], "design": samples.design,
        "rejected": _rejected(samples), "colors": colors,
        "places": draw_places(samples, colors, bbox=bbox, words=words) if places and len(samples) else None,
        "series": drawn[:_BANDS_SHOWN], "more_series": drawn[_BANDS_SHOWN:],
        "names": [n for n in samples.legend.names if (frame["class"] == n).any()],
        "sub_pixel": int(frame["sub_pixel"].sum()) if "sub_pixel" in frame else 0,
    }  # fmt: skip


def _rejected(samples: SampleTable) -> list[tuple[str, int, str]]:
    """Reason, number of rows, and the classes concerned; the most frequent reason first."""
    if samples.rejected is None or not len(samples.rejected):
        return []
    table = samples.rejected
    found = []
    for reason, n in Counter(table["reason"].astype(str)).most_common():
        classes = Counter(table.loc[table["reason"].astype(str) == reason, "class"].astype(str))
        found.append((reason, n, ", ".join(f"{name} {k}" for name, k in classes.most_common())))
    return found


def _bbox(product: MapProduct) -> tuple[float, float, float, float]:
    box = product.geobox.geographic_extent.boundingbox
    return float(box.left), float(box.bottom), float(box.right), float(box.top)


def _card_rows(card: ModelCard | None, words: Words, *, coarse: bool) -> list[tuple[str, str]]:
    if card is None:
        return []
    rows = [(words.say("model.name"), card.title or card.model), (words.say("model.family"), card.model)]
    for source in card.inputs:
        parts = [", ".join(source.bands)]
        if source.n_steps:
            parts.append(words.say("model.dates", n=source.n_steps))
        if source.metres:
            x, y = (words.localise(f"{v:.4g}") for v in source.metres)
            parts.append(words.say("model.pixels", x=x, y=y))
        parts += [] if source.required else [words.say("model.optional")]
        rows.append((words.say("model.input", name=source.name), ", ".join(parts)))
    missing = f"{words.say(f'model.missing.{card.missing}')}; {words.say('model.min_steps', n=card.min_valid_steps)}"
    rows += [(words.say("model.samples"), words.plain(card.n_samples)), (words.say("model.missing"), missing)]
    if card.dates is not None:
        rows.append((words.say("model.training_dates"), words.say("range", low=card.dates[0], high=card.dates[1])))
    if card.footprint is not None:
        box = coarsen_footprint(card.footprint) if coarse else card.footprint
        degrees = ", ".join(f"{words.fixed(v, 0 if coarse else 2)}\u00b0" for v in box)
        rows.append((words.say("model.footprint"), degrees))
    if card.context_px:
        rows.append((words.say("model.context"), f"{card.context_px} px"))
    params = [(words.say("model.parameter", name=k), words.plain(v)) for k, v in card.params.items()]
    return [*rows, *params, (words.say("licence"), card.licence)]


def _lineage_view(lineage: Mapping[str, Any], words: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (name, value): one per stage, one per other mapping, one for what stands alone."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for key, value in lineage.items():
        if key == "stages" and isinstance(value, list | tuple):
            groups.update({f"stage: {stage.get('name', i + 1)}": _flatten(stage, words) for i, stage in enumerate(value)})
        elif isinstance(value, Mapping):
            groups.setdefault(key.replace("_", " "), []).extend(_flatten(value, words))
        else:
            groups.setdefault("run", []).extend(_flatten({key: value}, words))
    return [(name, rows) for name, rows in groups.items() if rows]


def _flatten(value: Mapping[str, Any], words: Words, prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys and values of nested mappings; files as name, size and checksum; times, hosts and empty values left out."""
    rows: list[tuple[str, str]] = []
    for key, entry in value.items():
        name = f"{prefix}{key}"
        if any(word in str(key).lower() for word in _VOLATILE) or entry in (None, "", [], (), {}):
            continue
        if isinstance(entry, Mapping):
            rows += _flatten(entry, words, f"{name}.")
        elif isinstance(entry, list | tuple) and all(isinstance(e, Mapping) and "path" in e for e in entry):
            rows += [(name if i == 0 else "", _file_text(e, words)) for i, e in enumerate(entry[:_FILES_SHOWN])]
            if len(entry) > _FILES_SHOWN:
                rows.append(("", words.say("lineage.more", n=len(entry) - _FILES_SHOWN)))
        else:
            rows.append((name, words.plain(entry)))
    return rows


def _file_text(record: Mapping[str, Any], words: Words) -> str:
    size = f", {words.say('lineage.bytes', n=record['size'])}" if record.get("size") is not None else ""
    checksum = f", sha256 {record['sha256']}" if record.get("sha256") else ""
    return f"{Path(str(record['path'])).name}{size}{checksum}"
