"""Pictures of what a model answers: class probabilities over the values of one feature, and what would change a class.

Receives the curves and changes of an `Explanation`; hands on inline SVG and rows of a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from landweave.assess.charts import nice_ticks
from landweave.assess.explain import ClassChange, PartialDependence
from landweave.assess.wording import ENGLISH, Words

__all__ = ["ChangeSummary", "draw_dependence", "summarise_changes"]

ChangeSummary = tuple[str, int, float, str, str, str]
"""Class, rows predicted as it, share (0..1) for which one group is enough, kind and name of the commonest one, new class."""

_FRAME = (300.0, 180.0, 38.0, 10.0, 10.0, 34.0)  # width, height, margins left, right, top, bottom
_MOVES = 0.02
"""Classes whose mean probability moves by less than this are drawn thin."""


def draw_dependence(
    curve: PartialDependence, classes: Sequence[str], colors: Mapping[str, str], words: Words = ENGLISH
) -> Markup:
    """Draw the mean probability of each class over the values of a feature; classes that hardly move are thin lines.

    Args:
        curve: Values and probabilities.
        classes: Names in legend order.
        colors: Class name -> "#rrggbb".
        words: Language of the labels.
    """
    width, height, left, right, top, bottom = _FRAME
    first, last = curve.values[0], curve.values[-1]
    highest = max(0.1, *(p for row in curve.proba for p in row))

    def x(value: float) -> float:
        return left + (width - left - right) * ((value - first) / (last - first) if last > first else 0.5)

    def y(p: float) -> float:
        return top + (height - top - bottom) * (1 - p / highest)

    parts = [f'<line class="lw-grid" x1="{left}" x2="{width - right}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
             f'<text class="lw-small" x="{left - 5}" y="{y(t) + 3:.1f}" text-anchor="end">{100 * t:.0f}</text>'
             for t in nice_ticks(0, highest)]  # fmt: skip
    parts += [f'<text class="lw-small" x="{x(t):.1f}" y="{height - bottom + 13}" text-anchor="middle">'
              f"{words.localise(f'{t:g}')}</text>" for t in nice_ticks(first, last, 3)]  # fmt: skip
    for k, name in enumerate(classes):
        own = [row[k] for row in curve.proba]
        parts.append(_line([(x(v), y(p)) for v, p in zip(curve.values, own, strict=True)], name, colors.get(name, "#777777"),
                           2.4 if max(own) - min(own) >= _MOVES else 0.9))  # fmt: skip
    head = Markup('<svg class="lw-chart lw-series" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    foot = Markup('<text class="lw-small" x="{}" y="{}" text-anchor="middle">{}</text></svg>')
    return (head.format(f"{width:.0f}", f"{height:.0f}", words.say("explain.curve_alt", feature=curve.feature))
            + Markup("".join(parts)) + foot.format((left + width - right) / 2, height - 6, curve.feature))  # fmt: skip


def _line(points: Sequence[tuple[float, float]], name: str, color: str, thickness: float) -> str:
    if len(points) == 1:
        (cx, cy), shape = points[0], "circle"
        return f'<{shape} cx="{cx:.1f}" cy="{cy:.1f}" r="4" fill="{escape(color)}"><title>{escape(name)}</title></{shape}>'
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return (f'<polyline points="{path}" fill="none" stroke="{escape(color)}" stroke-width="{thickness}" '
            f'stroke-linejoin="round"><title>{escape(name)}</title></polyline>')  # fmt: skip


def summarise_changes(changes: Sequence[ClassChange], classes: Sequence[str]) -> list[ChangeSummary]:
    """Sum up by predicted class which single group would most often change it, and to what; classes without rows are left out.

    Where no single group changes any row of a class, the last three are empty.
    """
    made = []
    for name in classes:
        own = [c for c in changes if c.predicted == name]
        able = [c for c in own if c.group is not None]
        if not own:
            continue
        kind, group = Counter((str(c.kind), str(c.group)) for c in able).most_common(1)[0][0] if able else ("", "")
        becomes = Counter(str(c.becomes) for c in able).most_common(1)[0][0] if able else ""
        made.append((name, len(own), len(able) / len(own), kind, group, becomes))
    return made
