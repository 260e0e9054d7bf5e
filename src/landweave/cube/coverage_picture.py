"""A coverage as one picture: where the dates are clean, how long the gaps are, and a bar per date.

Receives a `Coverage`; hands on an SVG, which needs nothing from outside.
"""

from __future__ import annotations

import base64
from html import escape

import numpy as np
from numpy.typing import NDArray

from landweave.cube.coverage import Coverage
from landweave.io.png import encode_png, paint

__all__ = ["draw_coverage"]

# light = many clean dates, short gaps; lightness falls steadily, so that it also reads in grey
_SHARE_RAMP = ("#2b1242", "#642454", "#a33a4a", "#d4663f", "#f0a050", "#fbd58b", "#fff7e0")
_GAP_RAMP = tuple(reversed(_SHARE_RAMP))
_USABLE, _OTHER, _INK, _SOFT = "#226e6e", "#b2bebe", "#1d2429", "#5a666d"
_PAGE, _EDGE, _PANEL, _BARS = 840, 40, 368, 110
_MOST_PX = 720
_TICKS = 6


def draw_coverage(coverage: Coverage) -> str:
    """Draw the share of clean dates (left), the longest gap (right), each with its scale, and below a bar per date.

    A bar's height is the share of clean pixels of its date, placed by day; dark ones are usable, the dashed line is where a
    date becomes so. The verdict and its thresholds stand on top.
    """
    rows, cols = coverage.share.shape
    scale = _PANEL / max(rows, cols)
    width, height = cols * scale, rows * scale
    longest, right = max(float(coverage.gap_days.max()), 1.0), _PAGE - _EDGE - _PANEL
    limit = coverage.options.max_gap_days
    top, dates = 128.0, coverage.dates
    under = top + height
    span = "one date" if len(dates) == 1 else f"{len(dates)} dates, {dates[0].date} to {dates[-1].date}"
    parts = [
        _text(_EDGE, 40, f"{coverage.name}: coverage is {coverage.whole.verdict}", size=22, bold=True),
        _text(_EDGE, 62, f"{span}: {coverage.describe_whole()}", size=12),
        _text(_EDGE, 80, coverage.describe_thresholds(), size=12, color=_SOFT),
        _text(_EDGE, top - 12, "Share of clean dates", bold=True),
        _text(right, top - 12, "Longest gap without a clean date", bold=True),
        _raster(coverage.share, 1.0, _SHARE_RAMP, (_EDGE, top, width, height)),
        _raster(coverage.gap_days, longest, _GAP_RAMP, (right, top, width, height)),
        _legend(_EDGE, under + 10, "share", _SHARE_RAMP, [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]),
        _legend(right, under + 10, "gap", _GAP_RAMP, _gap_marks(limit, longest)),
        _bars(coverage, under + 92),
    ]
    page = under + 92 + _BARS + 40
    title = escape(f"{coverage.name}: coverage is {coverage.whole.verdict}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_PAGE} {page:.0f}" width="{_PAGE}" height="{page:.0f}" '
        f'role="img" aria-label="{title}" font-family="system-ui, sans-serif">\n<title>{title}</title>\n'
        f'<rect width="{_PAGE}" height="{page:.0f}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _gap_marks(limit: float, longest: float) -> list[tuple[float, str]]:
    """Give the gap's ticks: none, the limit where it is on the scale, the longest."""
    marks = [(0.0, "0"), (1.0, f"{longest:.0f} days")]
    if 0.15 <= limit / longest <= 0.75:  # nearer the ends its label would lie on theirs
        marks.insert(1, (limit / longest, f"limit {limit:g}"))
    return marks


def _text(
    x: float, y: float, text: str, *, size: int = 13, bold: bool = False, color: str = _INK, anchor: str = "start"
) -> str:
    weight = ' font-weight="600"' if bold else ""
    style = f'font-size="{size}" fill="{color}" text-anchor="{anchor}"{weight}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _raster(values: NDArray[np.float32], high: float, ramp: tuple[str, ...], box: tuple[float, float, float, float]) -> str:
    """Draw a raster, its pixels kept square and sharp."""
    step = -(-max(values.shape) // _MOST_PX)
    data = base64.b64encode(encode_png(paint(values[step // 2 :: step, step // 2 :: step], 0.0, high, ramp)[..., :3])).decode()
    x, y, width, height = (f"{v:.1f}" for v in box)
    where = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return (
        f'<image {where} preserveAspectRatio="none" style="image-rendering: pixelated" href="data:image/png;base64,{data}"/>'
        f'<rect {where} fill="none" stroke="{_OTHER}"/>'
    )


def _legend(x: float, y: float, name: str, ramp: tuple[str, ...], marks: list[tuple[float, str]]) -> str:
    """Draw a scale of colours; marks are places 0..1 with what they say."""
    stops = "".join(f'<stop offset="{i / (len(ramp) - 1):.4f}" stop-color="{c}"/>' for i, c in enumerate(ramp))
    out = [
        f'<defs><linearGradient id="ramp-{name}">{stops}</linearGradient></defs>',
        f'<rect x="{x}" y="{y:.1f}" width="{_PANEL}" height="10" fill="url(#ramp-{name})" stroke="{_OTHER}"/>',
    ]
    for place, label in marks:
        at = x + place * _PANEL
        anchor = "start" if place == 0 else "end" if place == 1 else "middle"
        out += [f'<path d="M{at:.1f} {y + 10:.1f}v4" stroke="{_INK}"/>', _text(at, y + 28, label, size=12, anchor=anchor)]
    return "".join(out)


def _bars(coverage: Coverage, y: float) -> str:
    """Draw a bar per date, placed by day, with an axis of shares, the line of usable dates and days below."""
    days = np.array([d.date for d in coverage.dates], dtype="datetime64[D]")
    number = days.astype(np.int64)
    left, base = _EDGE + 40, y + _BARS
    room, length = _PAGE - _EDGE - left - 4, max(int(number[-1] - number[0]), 1)
    line = base - _BARS * coverage.options.usable_share
    out = [
        _text(_EDGE, y - 12, f"Clean pixels by date; dark: usable ({coverage.whole.n_usable} of {len(days)})", bold=True),
        *(
            _text(left - 8, base - _BARS * share + 4, f"{share:.0%}", size=12, color=_SOFT, anchor="end")
            for share in (0, 0.5, 1)
        ),
        f'<path d="M{left} {base:.1f}H{_PAGE - _EDGE}" stroke="{_INK}"/>',
    ]
    for day, date in zip(number, coverage.dates, strict=True):
        at, tall = left + room * int(day - number[0]) / length, max(_BARS * date.share, 1.0)
        color = _USABLE if date.is_usable else _OTHER
        out.append(f'<rect x="{at:.1f}" y="{base - tall:.1f}" width="4" height="{tall:.1f}" fill="{color}">'
                   f"<title>{date.date}: {date.share:.0%}</title></rect>")  # fmt: skip
    out.append(f'<path d="M{left} {line:.1f}H{_PAGE - _EDGE}" stroke="{_INK}" stroke-dasharray="4 3"/>')
    n = min(_TICKS, length + 1) if len(days) > 1 else 1
    for i in range(n):
        share = i / max(n - 1, 1)
        at = left + room * share + 2
        day = days[0] + np.timedelta64(round(length * share), "D")
        anchor = "start" if i == 0 else "end" if i == n - 1 else "middle"
        out += [f'<path d="M{at:.1f} {base:.1f}v4" stroke="{_INK}"/>', _text(at, base + 20, str(day), size=12, anchor=anchor)]
    return "".join(out)
