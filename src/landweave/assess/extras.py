"""What other commands left in a run's folder for its report: robustness, coverage of the dates, explanation, learning curve.

Receives files of the folder; hands on what the template shows, with every sentence in the report's language.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import ValidationError

from landweave.assess.dependence import ChangeSummary, draw_dependence, summarise_changes
from landweave.assess.document import Assessment
from landweave.assess.explain import Explanation
from landweave.assess.pictures import draw_layer, ramp_css
from landweave.assess.reliability import draw_reliability
from landweave.assess.robustness import Robustness, RobustnessRow
from landweave.assess.training_curve import view_training
from landweave.assess.wording import Words
from landweave.errors import AssessmentError
from landweave.io.files import read_json
from landweave.legend import Legend
from landweave.metrics.intervals import wilson_interval, z_value
from landweave.types import MapProduct, ModelCard

__all__ = ["LEARNING_FILE", "Extras", "read_extras", "view_extras"]

LEARNING_FILE = "curve.csv"
_PICTURE_BYTES = 70_000
"""Size of each picture of the dates' coverage: two per input, beside map and uncertainty of up to 0.55 MB."""
_SCORES = ("size", "overall_accuracy", "overall_accuracy_low", "overall_accuracy_high", "macro_f1")
_COVERAGES = 3
_INSTEAD = " (median instead)"
_GROUPS = 12
_CURVES = 6
_BAR_REACH = 98.5
"""Per cent of the width at which the bar of the last date begins."""
_CURVE = (420.0, 200.0, 46.0, 10.0, 34.0)  # width, height, left, top, bottom


@dataclass(frozen=True)
class Extras:
    """Results beside the assessment, each None or empty where its command was not run.

    Attributes:
        robustness: Of `landweave robustness`.
        coverage: Of `landweave coverage`: figures and the raster of pixels, by input.
        explanation: Of `landweave explain`.
        learning: Of `landweave curve --out DIR/curve.csv`: what was counted (`sample`, `place`) and rows of size and scores.
    """

    robustness: Robustness | None = None
    coverage: tuple[tuple[Mapping[str, Any], Path], ...] = ()
    explanation: Explanation | None = None
    learning: tuple[tuple[str, Sequence[Mapping[str, float]]], ...] = ()


def read_extras(folder: Path | str) -> Extras:
    """Read what there is in a run's folder.

    Raises:
        SourceError: If a file is not JSON.
        AssessmentError: If it is JSON of another shape; names the command that writes it.
    """
    root = Path(folder)
    robustness, explanation, learning = root / "robustness.json", root / "explain.json", root / LEARNING_FILE
    try:
        return Extras(
            robustness=Robustness.model_validate(read_json(robustness)) if robustness.exists() else None,
            coverage=tuple((read_json(f), f.with_suffix(".tif")) for f in sorted(root.glob("coverage-*.json"))),
            explanation=Explanation.model_validate(read_json(explanation)) if explanation.exists() else None,
            learning=tuple(_read_curves(learning)) if learning.exists() else (),
        )
    except ValidationError as err:
        raise AssessmentError(f"{root} holds a {err.title.lower()} file of another version ({err.error_count()} wrong keys); "
                              "make it anew with landweave robustness or landweave explain") from err  # fmt: skip


def _read_curves(path: Path) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Read the curves by sample and by place; those of orders of asking for labels are another matter."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"curve", *_SCORES} <= set(rows[0]):
        raise AssessmentError(f"{path} has the columns {', '.join(rows[0])}; make it with landweave curve SAMPLES --out {path}")
    for by in ("sample", "place"):
        own = [{name: float(row[name]) for name in _SCORES} for row in rows if row["curve"] == f"by {by}"]
        if len(own) > 1:
            yield by, sorted(own, key=lambda row: row["size"])


def view_extras(
    extras: Extras, assessment: Assessment, card: ModelCard | None, product: MapProduct | None, words: Words
) -> dict[str, Any]:
    """Give the template's values; each None or empty where there is no result."""
    return {
        "reliability": _reliability(assessment, card, words), "robustness": _robustness(extras.robustness, words),
        "coverage": [_coverage(c, pixels, product, words) for c, pixels in extras.coverage[:_COVERAGES]],
        "explanation": _explanation(extras.explanation, words, product),
        "learning": [_learning(by, rows, words) for by, rows in extras.learning],
        "training": view_training(card, words),
        "ramp": ramp_css(),
    }  # fmt: skip


def _ends(low: float, high: float, words: Words) -> str:
    return words.say("interval.of", low=words.percent(max(0.0, low)), high=words.percent(min(1.0, high)))


def _reliability(assessment: Assessment, card: ModelCard | None, words: Words) -> dict[str, Any] | None:
    found = assessment.reliability
    sets = (card.metrics if card is not None else {}).get("conformal", {})
    if found is None:
        return None
    lines = []
    if found.ece is not None:
        ends = f" ({_ends(found.ece_lower, found.ece_upper, words)})" if found.ece_lower is not None and found.ece_upper else ""
        lines.append(words.say("reliability.ece", ece=f"{words.percent(found.ece)}{ends}"))
        if found.ece_before is not None:
            lines.append(words.say("reliability.before", ece=words.percent(found.ece_before)))
    if "coverage" in sets:
        share, se = sets["coverage"], sets.get("coverage_se")
        told = words.percent(share)
        if se is not None:
            told += f" ({_ends(share - z_value() * se, share + z_value() * se, words)})"
        lines.append(words.say("reliability.sets", asked=words.percent(1 - sets.get("error_rate", 0.1), 0), share=told,
                               size=words.fixed(sets.get("set_size", 1.0), 1)))  # fmt: skip
    picture = draw_reliability(found, x_label=words.say("reliability.x"), y_label=words.say("reliability.y"),
                               alt=words.say("reliability.alt"))  # fmt: skip
    return {"picture": picture, "lines": lines, "n": sum(found.n)}


# --- robustness ------------------------------------------------------------------------------------------------------------


def _case_name(case: str, words: Words) -> str:
    """Say a case of the table in the report's language; names of bands, inputs and folders stay."""
    for start in ("missing dates", "missing band", "missing input", "other:"):
        if case.startswith(start):
            rest = case.removeprefix(start).replace(_INSTEAD, words.say("case.instead"))
            return f"{words.say(f'case.{start}')}{rest}"
    return words.phrases.get(f"case.{case}", case)


def _robustness(found: Robustness | None, words: Words) -> dict[str, Any] | None:
    if found is None or not found.rows:
        return None
    clean, others = found.rows[0], found.rows[1:]
    top = max([r.accuracy_drop for r in others if r.accuracy_drop > 0], default=1.0)
    groups: dict[str, list[RobustnessRow]] = {}
    for row in others:
        groups.setdefault(row.case, []).append(row)
    ranked = sorted(groups.values(), key=lambda rows: -max(r.accuracy_drop for r in rows))
    bars = [{"name": _case_name(rows[0].case, words), "rows": [_drop(r, top, words) for r in rows]} for rows in ranked]
    told = {"share": words.percent(clean.overall_accuracy), "interval": _share_ends(clean, words), "n": words.count(clean.n)}
    text = words.say("robustness.clean", **told)
    if ranked:
        worst = max(others, key=lambda r: r.accuracy_drop)
        text += " " + words.say("robustness.worst", case=_case_name(worst.case, words),
                                points=words.fixed(100 * worst.accuracy_drop, 1))  # fmt: skip
    return {"text": text, "bars": bars[:_GROUPS], "table": [_case_row(r, words) for r in found.rows]}


def _share_ends(row: RobustnessRow, words: Words) -> str:
    low, high = wilson_interval(row.overall_accuracy, row.n)  # type: ignore[arg-type]
    return _ends(float(low), float(high), words)


def _drop(row: RobustnessRow, top: float, words: Words) -> dict[str, Any]:
    return {"severity": row.severity, "width": round(100 * max(row.accuracy_drop, 0) / top, 1),
            "points": words.fixed(100 * row.accuracy_drop, 1)}  # fmt: skip


def _case_row(row: RobustnessRow, words: Words) -> tuple[str, ...]:
    return (_case_name(row.case, words), "\u2013" if row.severity is None else str(row.severity), words.count(row.n),
            words.percent(row.overall_accuracy), _share_ends(row, words), words.percent(row.macro_f1),
            words.percent(row.no_answer))  # fmt: skip


# --- coverage of the dates -------------------------------------------------------------------------------------------------


def _coverage(found: Mapping[str, Any], pixels: Path, product: MapProduct | None, words: Words) -> dict[str, Any]:
    """One input's dates: bars by day, two pictures, a sentence and a row per area."""
    dates, whole = found["dates"], found["whole"]
    told = {"name": found["name"], "n": words.count(len(dates)), "first": dates[0]["date"], "last": dates[-1]["date"]}
    text = words.say("coverage.dates", **told) + " " + words.say(
        "coverage.whole", clean=words.percent(whole["spatial"], 0), usable=words.percent(whole["temporal"], 0),
        gap=words.fixed(whole["gap_days"]), verdict=words.say(f"coverage.{whole['verdict']}"),
    )  # fmt: skip
    if limits := found.get("thresholds"):
        shares = {k: words.percent(limits[k], 0) for k in ("min_spatial", "min_temporal", "usable_share")}
        text += " " + words.say("coverage.limits", **shares, gap=words.fixed(limits["max_gap_days"]))
    areas = [(a["name"], words.percent(a["spatial"], 0), words.percent(a["temporal"], 0), words.fixed(a["gap_days"]),
              words.say(f"coverage.{a['verdict']}")) for a in found["areas"]]  # fmt: skip
    longest = max([a["worst_gap_days"] for a in (whole, *found["areas"])], default=1.0)
    pictures = []
    if pixels.exists() and product is not None and whole["spatial"] < 1.0:  # a picture of one colour says nothing
        pictures = [(words.say("coverage.share"), draw_layer(pixels, 1, (1.0, 0.0), max_bytes=_PICTURE_BYTES)),
                    (words.say("coverage.gap", days=words.fixed(longest)),
                     draw_layer(pixels, 2, (0.0, max(longest, 1.0)), max_bytes=_PICTURE_BYTES))]  # fmt: skip
    days = [date.fromisoformat(d["date"][:10]).toordinal() for d in dates]
    span = max(days[-1] - days[0], 1)
    bars = [(d["date"], round(100 * d["share"]), d["is_usable"], round(_BAR_REACH * (day - days[0]) / span, 2))
            for d, day in zip(dates, days, strict=True)]  # fmt: skip
    return {"text": text, "bars": bars, "pictures": pictures, "areas": areas if len(areas) > 1 else [], **told}


# --- explanation and learning curve ----------------------------------------------------------------------------------------


def _explanation(found: Explanation | None, words: Words, product: MapProduct | None = None) -> dict[str, Any] | None:
    if found is None or not found.importance:
        return None
    top = max([g.drop for g in found.importance], default=0.0) or 1.0
    kinds = {}
    for kind in ("input", "band", "date"):
        own = [g for g in found.importance if g.kind == kind]
        if own:
            kinds[words.say(f"explain.{kind}")] = [
                (g.name, round(100 * max(g.drop, 0) / top, 1), words.fixed(100 * g.drop, 1),
                 "" if g.se is None else f"±\u202f{words.fixed(100 * z_value() * g.se, 1)}") for g in own[:_GROUPS]
            ]  # fmt: skip
    text = words.say("explain.text", share=words.percent(found.overall_accuracy), n=words.count(found.n_tested))
    colors = {c.name: c.color for c in (product.legend if product is not None else Legend.from_names(found.classes))}
    return {
        "text": text, "kinds": kinds, "shap": _shap(found, words),
        "curves": [draw_dependence(curve, found.classes, colors, words) for curve in found.partial_dependence[:_CURVES]],
        "key": [(name, colors.get(name, "#777777")) for name in found.classes],
        "changes": [_change(change, words) for change in summarise_changes(found.changes, found.classes)],
    }  # fmt: skip


def _change(change: ChangeSummary, words: Words) -> tuple[str, ...]:
    name, n, share, kind, group, becomes = change
    told = f"{words.say(f'explain.one_{kind}')} {group}" if kind else "\u2013"
    return name, words.count(n), words.percent(share, 0), told, becomes or "\u2013"


def _shap(found: Explanation, words: Words) -> dict[str, Any] | None:
    if found.shap is None:
        return {"text": words.say("explain.no_trees"), "kinds": {}} if found.shap_why else None
    kinds = {}
    for kind in ("input", "band", "date"):
        own = sorted((g for g in found.shap.groups if g.kind == kind), key=lambda g: -g.strength)
        top = max([g.strength for g in own], default=0.0) or 1.0
        if own:
            kinds[words.say(f"explain.{kind}")] = [
                (g.name, round(100 * g.strength / top, 1), words.fixed(_in_points(g.strength, found.shap.unit), 2),
                 g.classes[0] if g.classes else "") for g in own[:_GROUPS]
            ]  # fmt: skip
    return {"text": words.say(f"explain.shap_{found.shap.unit}", n=words.count(found.shap.n_rows)), "kinds": kinds}


def _in_points(value: float, unit: str) -> float:
    return 100 * value if unit == "probability" else value


def _learning(by: str, rows: Sequence[Mapping[str, float]], words: Words) -> dict[str, Any]:
    last, before = rows[-1], rows[-2]
    text = words.say(f"learning.{by}", first=words.count(int(rows[0]["size"])), last=words.count(int(last["size"])),
                     low=words.percent(rows[0]["overall_accuracy"]), high=words.percent(last["overall_accuracy"]))  # fmt: skip
    rises = last["overall_accuracy"] - before["overall_accuracy"] > 0.005
    text += " " + words.say("learning.rises" if rises else "learning.flat")
    table = [(words.count(int(r["size"])), words.percent(r["overall_accuracy"]),
              f"{100 * r['overall_accuracy_low']:.1f}\u2013{100 * r['overall_accuracy_high']:.1f}",
              words.percent(r["macro_f1"])) for r in rows]  # fmt: skip
    return {"text": text, "picture": _draw_curve(rows, words), "table": table}


def _draw_curve(rows: Sequence[Mapping[str, float]], words: Words) -> Markup:
    """Draw accuracy over the number of training samples, with the range between repeats."""
    width, height, left, top, bottom = _CURVE
    sizes = [r["size"] for r in rows]
    floor = min(r["overall_accuracy_low"] for r in rows)
    low = max(0.0, int(floor * 10) / 10)

    def x(size: float) -> float:
        return left + (width - left - 20) * (size - sizes[0]) / max(sizes[-1] - sizes[0], 1)

    def y(score: float) -> float:
        return top + (height - top - bottom) * (1 - (score - low) / (1 - low))

    band = " ".join(f"{x(r['size']):.1f},{y(r['overall_accuracy_high']):.1f}" for r in rows)
    band += " " + " ".join(f"{x(r['size']):.1f},{y(r['overall_accuracy_low']):.1f}" for r in reversed(rows))
    line = " ".join(f"{x(r['size']):.1f},{y(r['overall_accuracy']):.1f}" for r in rows)
    parts = [f'<polygon points="{band}" fill="var(--spatial)" fill-opacity=".2"/>',
             f'<polyline points="{line}" fill="none" stroke="var(--spatial)" stroke-width="2.5"/>']  # fmt: skip
    for score in (low, (1 + low) / 2, 1.0):
        parts.append(f'<text class="lw-small" x="{left - 6}" y="{y(score) + 4:.1f}" text-anchor="end">'
                     f"{100 * score:.0f}</text>")  # fmt: skip
        parts.append(f'<line class="lw-grid" x1="{left}" x2="{width - 20}" y1="{y(score):.1f}" y2="{y(score):.1f}"/>')
    for i, size in enumerate(sizes):
        if i in (0, len(sizes) - 1):
            parts.append(f'<text class="lw-small" x="{x(size):.1f}" y="{height - bottom + 14}" text-anchor="middle">'
                         f"{size:.0f}</text>")  # fmt: skip
    head = Markup('<svg class="lw-chart" viewBox="0 0 {} {}" role="img" aria-label="{}" style="width:100%;max-width:{}px">')
    foot = Markup('<text class="lw-axis" x="{}" y="{}" text-anchor="middle">{}</text></svg>')
    return (head.format(width, height, words.say("learning.alt"), width) + Markup("".join(parts))
            + foot.format((left + width) / 2, height - 4, words.say("learning.x")))  # fmt: skip
