"""Small pictures as SVG, without a drawing library: lines over a number, and places coloured by a number.

Receives numbers; hands on text that any browser shows, with its colours inside. Every text from outside is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "draw_lines", "draw_places"]

_COLORS = ("#0b6e99", "#b0601a", "#3d7a3a", "#8a3b8f", "#a3262a", "#555555")
_RAMP = ("#2166ac", "#92c5de", "#f7d06b", "#e0762f", "#a50026")
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 640.0, 380.0, 62.0, 34.0, 50.0, 150.0


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: Written at its end.
        x: Where its points stand.
        y: Their values.
        low: Lower end of a band around it; none by default.
        high: Upper end.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = field(default=())
    high: Sequence[float] = field(default=())


def draw_lines(lines: Sequence[Line], *, title: str, x_label: str, y_label: str) -> str:
    """Draw lines with their names at their ends, a dot at every point, and bands where they have them."""
    xs = [v for line in lines for v in line.x]
    ys = [v for line in lines for v in (*line.y, *line.low, *line.high)]
    x_low, x_high = _span(xs)
    y_ticks = _ticks(*_span(ys))
    y_low, y_high = min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys))
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> str:
        return (f"{_LEFT + wide * (x - x_low) / (x_high - x_low):.1f},"
                f"{_TOP + high * (1 - (y - y_low) / (y_high - y_low)):.1f}")  # fmt: skip

    parts = _frame(title, x_label, y_label, (wide, high))
    for tick in y_ticks:
        y = float(at(x_low, tick).split(",")[1])
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + wide}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{tick:g}", anchor="end"))
    for tick in _ticks(x_low, x_high):
        parts.append(_text(float(at(tick, y_low).split(",")[0]), _TOP + high + 18, f"{tick:g}"))
    ends = _spread_labels([float(at(line.x[-1], line.y[-1]).split(",")[1]) for line in lines])
    for i, line in enumerate(lines):
        color = _COLORS[i % len(_COLORS)]
        if len(line.low):
            ring = [at(a, b) for a, b in zip(line.x, line.high, strict=True)]
            ring += [at(a, b) for a, b in zip(line.x, line.low, strict=True)][::-1]
            parts.append(f'<polygon points="{" ".join(ring)}" fill="{color}" fill-opacity=".15"/>')
        points = [at(a, b) for a, b in zip(line.x, line.y, strict=True)]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{color}"/>' for p in points]
        parts.append(_text(_LEFT + wide + 10, ends[i] + 4, line.name, anchor="start", color=color))
    return _svg(parts, title)


def draw_places(lonlat: NDArray[np.floating], values: NDArray[np.floating], *, title: str, label: str) -> str:
    """Draw places coloured by a value, the highest on top; north is up, degrees are scaled to be equally long.

    Args:
        lonlat: Longitude and latitude (place, 2) in degrees.
        values: Of each place (place,); NaN is left out.
        title: Over the picture.
        label: What the colours mean.
    """
    known = ~np.isnan(values)
    at, value = np.asarray(lonlat, dtype=np.float64)[known], np.asarray(values, dtype=np.float64)[known]
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    parts = _frame(title, "longitude", "latitude", (wide, high))
    if not len(at):
        return _svg(parts, title)
    middle, squeeze = (at.min(axis=0) + at.max(axis=0)) / 2, math.cos(math.radians(float(at[:, 1].mean())))
    size = np.maximum(np.ptp(at, axis=0) * [squeeze, 1], 1e-6)
    scale = min((wide - 20) / size[0], (high - 20) / size[1])
    x = _LEFT + wide / 2 + (at[:, 0] - middle[0]) * squeeze * scale
    y = _TOP + high / 2 - (at[:, 1] - middle[1]) * scale
    for i, k in ((0, 0), (1, -1)):
        edge = sorted(at[:, 0])[k]
        parts.append(_text(_LEFT + wide / 2 + (edge - middle[0]) * squeeze * scale, _TOP + high + 18, f"{edge:.2f}"))
        edge = sorted(at[:, 1])[-1 if i else 0]
        parts.append(_text(_LEFT - 8, _TOP + high / 2 - (edge - middle[1]) * scale + 4, f"{edge:.2f}", anchor="end"))
    low, top = float(value.min()), float(value.max())
    for i in np.argsort(value, kind="stable"):
        part = (value[i] - low) / (top - low) if top > low else 0.0
        parts.append(f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="3.4" fill="{_ramp(float(part))}" fill-opacity=".85"/>')
    for i, step in enumerate(np.linspace(1, 0, 5)):
        parts.append(f'<circle cx="{_LEFT + wide + 20}" cy="{_TOP + 24 + 22 * i}" r="6" fill="{_ramp(float(step))}"/>')
        parts.append(_text(_LEFT + wide + 34, _TOP + 28 + 22 * i, f"{low + step * (top - low):.2f}", anchor="start"))
    parts.append(_text(_LEFT + wide + 12, _TOP + 8, label, anchor="start"))
    return _svg(parts, title)


def _ramp(part: float) -> str:
    at = min(max(part, 0.0), 1.0) * (len(_RAMP) - 1)
    i = min(int(at), len(_RAMP) - 2)
    pair = [[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in _RAMP[i : i + 2]]
    mixed = [round(a + (b - a) * (at - i)) for a, b in zip(*pair, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((k * power for k in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)] or [low, high]


def _spread_labels(y: list[float], gap: float = 15.0) -> list[float]:
    """Move labels apart that would overlap, from the top down."""
    made, last = list(y), -math.inf
    for i in sorted(range(len(y)), key=lambda k: y[k]):
        made[i] = max(y[i], last + gap)
        last = made[i]
    return made


def _frame(title: str, x_label: str, y_label: str, size: tuple[float, float]) -> list[str]:
    wide, high = size
    middle = _TOP + high / 2
    return [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{wide}" height="{high}" fill="none" stroke="#bbb"/>',
        _text(_LEFT, 20, title, anchor="start", size=15),
        _text(_LEFT + wide / 2, _HEIGHT - 10, x_label),
        f'<text transform="translate(14,{middle}) rotate(-90)" text-anchor="middle" font-size="12">{escape(y_label)}</text>',
    ]


def _text(x: float, y: float, text: str, *, anchor: str = "middle", color: str = "#222", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}">{escape(text)}</text>'


def _svg(parts: Sequence[str], title: str) -> str:
    label = escape(title, {'"': "&quot;"})
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" '
            f'height="{_HEIGHT:g}" role="img" aria-label="{label}" font-family="sans-serif" fill="#222">'
            + "".join(parts) + "</svg>\n")  # fmt: skip
