"""Charts of the report as inline SVG: the error matrix, the series of each class, where the samples stand.

Receives documents and sample tables; hands on markup that takes its text colour from the page, so that it reads in light and
dark and on paper. Every text from outside is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from landweave.assess.document import MatrixTable
from landweave.assess.pictures import nice_length
from landweave.assess.wording import ENGLISH, Words
from landweave.types import ModelInput, SampleTable

__all__ = ["ClassSeries", "SeriesChart", "draw_matrix", "draw_places", "draw_series", "nice_ticks", "summarise_series"]

_CELL, _ROW = 66, 50
_CHAR = 7.6  # mean width of a 14 px character of a sans-serif face
_LABEL_MAX = 24
_PLOT = (280, 158, 34, 8, 10, 30)  # width, height, margins left, right, top, bottom of a small chart
_PLACES_MAX = 6000
_Axis = Callable[[float], float]


@dataclass(frozen=True)
class ClassSeries:
    """How one class looks in one band: mean and 10th to 90th percentile per step, NaN where nothing was observed."""

    name: str
    n: int
    mean: NDArray[np.float64]
    p10: NDArray[np.float64]
    p90: NDArray[np.float64]


@dataclass(frozen=True)
class SeriesChart:
    """Small charts of one band (over time) or one input (over bands), one per class."""

    title: str
    charts: tuple[Markup, ...]
    note: str


def nice_ticks(low: float, high: float, n: int = 4) -> list[float]:
    """Give about `n` round values within [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((k * power for k in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _short(name: str) -> str:
    return name if len(name) <= _LABEL_MAX else name[: _LABEL_MAX - 1] + "\u2026"


def draw_matrix(matrix: MatrixTable, words: Words = ENGLISH) -> Markup:
    """Draw the error matrix: counts, shares below them, agreement green, confusion orange, by the share of the row."""
    counts = np.array(matrix.counts, dtype=np.float64)
    shares = np.array(matrix.proportions, dtype=np.float64) if matrix.proportions is not None else None
    left = 14 + _CHAR * max(len(_short(n)) for n in matrix.row_names)
    top = 40 + 0.72 * _CHAR * max(len(_short(n)) for n in matrix.column_names)
    width, height = left + _CELL * counts.shape[1] + 0.75 * (top - 40), top + _ROW * counts.shape[0] + 8
    weight = shares if shares is not None else counts
    row_sum = weight.sum(axis=1, keepdims=True)
    strength = np.divide(weight, row_sum, out=np.zeros_like(weight), where=row_sum > 0)
    parts = [_column_label(name, left + _CELL * (j + 0.5), top) for j, name in enumerate(matrix.column_names)]
    parts.append(f'<text class="lw-axis" x="{left:.0f}" y="14">{words.say("matrix.reference")} \u2192</text>'
                 f'<text class="lw-axis" x="{left - 8:.0f}" y="{top - 6:.0f}" text-anchor="end">'
                 f"{words.say('matrix.map')} \u2193</text>")  # fmt: skip
    for i, name in enumerate(matrix.row_names):
        y = top + _ROW * i
        parts.append(f'<text x="{left - 8:.0f}" y="{y + _ROW / 2 + 4:.0f}" text-anchor="end">'
                     f"<title>{escape(name)}</title>{escape(_short(name))}</text>")  # fmt: skip
        for j in range(counts.shape[1]):
            agrees = matrix.row_codes[i] == matrix.column_codes[j]
            share = None if shares is None else float(shares[i, j])
            parts.append(_cell(left + _CELL * j, y, float(counts[i, j]), share, float(strength[i, j]), words, agrees=agrees))
    label = words.say("matrix.alt", rows=len(matrix.row_names), columns=len(matrix.column_names))
    return _svg(width, height, parts, label, css="lw-matrix", scale_down=False)


def _column_label(name: str, x: float, top: float) -> str:
    return (f'<text transform="translate({x - 4:.0f},{top - 8:.0f}) rotate(-46)">'
            f"<title>{escape(name)}</title>{escape(_short(name))}</text>")  # fmt: skip


def _cell(x: float, y: float, count: float, share: float | None, strength: float, words: Words, *, agrees: bool) -> str:
    kind = "lw-agree" if agrees else "lw-confuse"
    box = (f'<rect x="{x + 1:.0f}" y="{y + 1:.0f}" width="{_CELL - 2}" height="{_ROW - 2}" rx="4" class="{kind}" '
           f'fill-opacity="{0.75 * math.sqrt(strength):.2f}"/>')  # fmt: skip
    frame = f'<rect x="{x + 1:.0f}" y="{y + 1:.0f}" width="{_CELL - 2}" height="{_ROW - 2}" rx="4" class="lw-cell"/>'
    faint = "" if count > 0 else ' opacity="0.35"'
    middle = x + _CELL / 2
    told = share if count > 0 else None
    base = y + _ROW / 2 + (5 if told is None else -1)
    text = f'<text x="{middle:.0f}" y="{base:.0f}" text-anchor="middle"{faint}>{words.count(count)}</text>'
    if told is not None:
        text += f'<text class="lw-small" x="{middle:.0f}" y="{base + 15:.0f}" text-anchor="middle">{words.percent(told)}</text>'
    return box + frame + text


def _svg(width: float, height: float, parts: Sequence[str], label: str, *, css: str, scale_down: bool = True) -> Markup:
    size = "" if scale_down else f' width="{width:.0f}" height="{height:.0f}"'
    return Markup(f'<svg class="lw-chart {css}" viewBox="0 0 {width:.0f} {height:.0f}"{size} role="img" '
                  f'aria-label="{escape(label)}">{"".join(parts)}</svg>')  # fmt: skip


# --- how the classes look --------------------------------------------------------------------------------------------------


def summarise_series(samples: SampleTable, source: ModelInput, names: Sequence[str]) -> dict[str, list[ClassSeries]]:
    """Summarise the features of one input by class.

    Args:
        samples: Table with features.
        source: One of its inputs.
        names: The feature columns of that input, in C order of (time, band).

    Returns:
        Band -> classes in legend order that have samples, each over the steps of that band (one step when static).
    """
    steps = source.n_steps or 1
    values = samples.frame[list(names)].to_numpy(dtype=np.float64).reshape(len(samples), steps, len(source.bands))
    owner = samples.to_class_index()
    result: dict[str, list[ClassSeries]] = {}
    for b, band in enumerate(source.bands):
        classes = [(name, values[owner == i, :, b]) for i, name in enumerate(samples.legend.names)]
        result[band] = [ClassSeries(name, len(v), *_spread(v)) for name, v in classes if len(v)]
    return result


def _spread(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, 10th and 90th percentile of each column over its finite values."""
    rows = []
    for column in values.T:
        seen = column[np.isfinite(column)]
        rows.append((seen.mean(), *np.percentile(seen, (10, 90))) if len(seen) else (np.nan, np.nan, np.nan))
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], table[:, 1], table[:, 2]


def draw_series(samples: SampleTable, colors: Mapping[str, str], words: Words = ENGLISH) -> list[SeriesChart]:
    """Draw how each class looks: a chart per band over time, or per static input over its bands; in grey the other classes."""
    charts: list[SeriesChart] = []
    start = 0
    for source in samples.inputs:
        size = len(source.feature_names)
        summary = summarise_series(samples, source, samples.feature_names[start : start + size])
        start += size
        if source.n_steps is not None and source.n_steps > 1:
            labels = _step_labels(source, words)
            bands = sorted(source.bands, key=lambda b: source.kinds[source.bands.index(b)] != "index")  # indices tell most
            charts += [_chart(band, summary[band], labels, colors, words) for band in bands]
        else:
            for kind in dict.fromkeys(source.kinds):  # kinds differ in unit, so that each has its own axis
                bands = [b for b, k in zip(source.bands, source.kinds, strict=True) if k == kind]
                title = bands[0] if len(bands) == 1 else f"{source.name}: {kind}"
                charts.append(_chart(title, _over_bands([summary[b] for b in bands]), list(enumerate(bands)), colors, words))
    return charts


def _over_bands(bands: Sequence[list[ClassSeries]]) -> list[ClassSeries]:
    return [ClassSeries(c.name, c.n, *(np.concatenate([getattr(b[i], k) for b in bands]) for k in ("mean", "p10", "p90")))
            for i, c in enumerate(bands[0])]  # fmt: skip


def _step_labels(source: ModelInput, words: Words) -> list[tuple[int, str]]:
    """Three to five labelled steps: months, with the year where the series is longer than one."""
    steps = source.n_steps or 1
    at = sorted({round(k * (steps - 1) / 4) for k in range(5)})
    days: list[date] | None = None
    if source.dates is not None:
        days = [date.fromisoformat(d[:10]) for d in source.dates]
    elif source.season is not None:
        month, day = (int(p) for p in source.season.start.split("-"))
        first = date(2001, month, 28 if (month, day) == (2, 29) else day)  # any common year: only months are shown
        days = [first + timedelta(days=(s.from_day + s.to_day) // 2) for s in source.season.steps]
    if days is None:
        return [(i, str(i + 1)) for i in at]
    long = (days[-1] - days[0]).days > 400 and source.dates is not None
    return [(i, words.month(days[i], year=long)) for i in at]


def _chart(
    title: str, classes: list[ClassSeries], labels: list[tuple[int, str]], colors: Mapping[str, str], words: Words
) -> SeriesChart:
    lows, highs = np.concatenate([c.p10 for c in classes]), np.concatenate([c.p90 for c in classes])
    if not np.isfinite(lows).any():
        return SeriesChart(title, (), words.say("series.none"))
    low, high = float(np.nanmin(lows)), float(np.nanmax(highs))
    pad = 0.05 * (high - low) or 0.5
    drawn = tuple(_panel(c, classes, (low - pad, high + pad), labels, colors.get(c.name, "#777777"), words) for c in classes)
    return SeriesChart(title, drawn, "")


def _panel(
    one: ClassSeries, all_of: list[ClassSeries], limits: tuple[float, float], labels: list[tuple[int, str]], color: str,
    words: Words,
) -> Markup:  # fmt: skip
    width, height, left, right, top, bottom = _PLOT
    steps = len(one.mean) - 1
    crowded = sum(len(label) for _, label in labels) * 6 > width - left  # then every other label moves down a line

    def x(step: float) -> float:
        return left + (width - left - right) * (step / steps if steps else 0.5)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (limits[1] - value) / (limits[1] - limits[0])

    parts = [f'<line class="lw-grid" x1="{left}" x2="{width - right}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
             f'<text class="lw-small" x="{left - 5}" y="{y(t) + 3:.1f}" text-anchor="end">{words.localise(f"{t:g}")}</text>'
             for t in nice_ticks(*limits)]  # fmt: skip
    for k, (step, label) in enumerate(labels):
        anchor = "middle" if not steps else "start" if step == 0 else "end" if step == steps else "middle"
        base = height - 14 + (11 if crowded and k % 2 else 0)
        parts.append(f'<text class="lw-small" x="{x(step):.1f}" y="{base}" text-anchor="{anchor}">{escape(label)}</text>')
    if not steps:
        return _svg(width, height, [*parts, *_single(one, all_of, x(0), y, color)], _series_label(one, words), css="lw-series")
    parts += [f'<path class="lw-other" d="{_line(c.mean, x, y)}"/>' for c in all_of if c is not one]
    parts += [f'<path d="{d}" fill="{escape(color)}" fill-opacity="0.28"/>' for d in _bands(one, x, y)]
    parts.append(f'<path d="{_line(one.mean, x, y)}" fill="none" stroke="{escape(color)}" stroke-width="2.4" '
                 'stroke-linejoin="round" stroke-linecap="round"/>')  # fmt: skip
    return _svg(width, height, parts, _series_label(one, words), css="lw-series")


def _series_label(one: ClassSeries, words: Words) -> str:
    return words.say("series.alt", name=one.name, n=one.n)


def _single(one: ClassSeries, all_of: list[ClassSeries], x: float, y: _Axis, color: str) -> list[str]:
    """A single value: a bar from the 10th to the 90th percentile, a dot at the mean, grey dots for the other classes."""
    parts = [f'<circle class="lw-other" cx="{x + 26:.1f}" cy="{y(float(c.mean[0])):.1f}" r="3"/>'
             for c in all_of if c is not one and np.isfinite(c.mean[0])]  # fmt: skip
    if np.isfinite(one.mean[0]):
        low, mean, high = (y(float(v[0])) for v in (one.p10, one.mean, one.p90))
        parts.append(f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{escape(color)}" stroke-width="9" opacity="0.35"/>'
                     f'<circle cx="{x:.1f}" cy="{mean:.1f}" r="5" fill="{escape(color)}"/>')  # fmt: skip
    return parts


def _line(values: NDArray[np.float64], x: _Axis, y: _Axis) -> str:
    path, pen_up = [], True
    for i, value in enumerate(values):
        if not np.isfinite(value):
            pen_up = True
            continue
        path.append(f"{'M' if pen_up else 'L'}{x(i):.1f} {y(value):.1f}")
        pen_up = False
    return "".join(path)


def _bands(one: ClassSeries, x: _Axis, y: _Axis) -> list[str]:
    """Closed outlines of the percentile band, one per unbroken run of steps."""
    runs: list[list[int]] = []
    for i in np.flatnonzero(np.isfinite(one.p10)):
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(int(i))
        else:
            runs.append([int(i)])
    outlines = []
    for run in runs:
        upper = [f"{x(i):.1f} {y(one.p90[i]):.1f}" for i in run]
        lower = [f"{x(i):.1f} {y(one.p10[i]):.1f}" for i in reversed(run)]
        outlines.append("M" + "L".join(upper + lower) + "Z")
    return outlines


# --- where the samples stand -----------------------------------------------------------------------------------------------


def draw_places(samples: SampleTable, colors: Mapping[str, str], *, bbox: tuple[float, float, float, float] | None,
                words: Words = ENGLISH) -> Markup:  # fmt: skip
    """Draw the places of the samples in their class colours, north up, with the map's extent as a dashed frame.

    Args:
        samples: The table; places on the same half pixel of the drawing are drawn once per class.
        colors: Class name -> "#rrggbb".
        bbox: Extent of the map in degrees (west, south, east, north), if there is one.
        words: Language of the label.
    """
    lonlat, names = samples.to_xy("EPSG:4326"), samples.frame["class"].to_numpy()
    known = np.isfinite(lonlat).all(axis=1)
    lonlat, names = lonlat[known], names[known]
    corners = np.array([bbox[:2], bbox[2:]]) if bbox is not None else lonlat[:0]
    every = np.vstack([lonlat, corners])
    (west, south), (east, north) = every.min(axis=0), every.max(axis=0)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05)
    span_x, span_y = max((east - west) * squeeze, 1e-4), max(north - south, 1e-4)
    scale = min(620 / span_x, 420 / span_y)
    width, height = max(span_x * scale, 160) + 24, max(span_y * scale, 90) + 24 + 26
    px = np.round(12 + (lonlat[:, 0] - west) * squeeze * scale, 1)
    py = np.round(12 + (north - lonlat[:, 1]) * scale, 1)
    parts = []
    if bbox is not None:
        x0, y0 = 12 + (bbox[0] - west) * squeeze * scale, 12 + (north - bbox[3]) * scale
        parts.append(f'<rect class="lw-extent" x="{x0:.1f}" y="{y0:.1f}" width="{(bbox[2] - bbox[0]) * squeeze * scale:.1f}" '
                     f'height="{(bbox[3] - bbox[1]) * scale:.1f}"/>')  # fmt: skip
    for name in samples.legend.names:
        dots = sorted(set(zip(px[names == name].tolist(), py[names == name].tolist(), strict=True)))
        path = "".join(f"M{x:g} {y:g}h0" for x, y in dots[:: max(1, len(dots) // _PLACES_MAX)])
        parts.append(f'<path class="lw-dot lw-rim" d="{path}"/>'
                     f'<path class="lw-dot" d="{path}" stroke="{escape(colors.get(name, "#777777"))}"/>')  # fmt: skip
    parts.append(_places_scale(width, height, span_x * 111.32 / (span_x * scale)))
    return _svg(width, height, parts, words.say("samples.places_alt", n=len(samples)), css="lw-places", scale_down=True)


def _places_scale(width: float, height: float, km_per_px: float) -> str:
    metres = nice_length(0.25 * width * km_per_px * 1000)
    px = metres / 1000 / km_per_px
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    y = height - 9
    return (f'<path class="lw-scale" d="M12 {y - 5:.0f}v5h{px:.1f}v-5"/><text class="lw-small" x="{18 + px:.1f}" y="{y:.0f}">'
            f"{label}</text>")  # fmt: skip
