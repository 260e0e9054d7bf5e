"""Whether a model's probabilities come true: confidence against accuracy on held-out rows, as data and as a picture.

Receives a model's held-out scores; hands on what stands in `assessment.json`, and an SVG.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from landweave.assess.document import ReliabilitySummary
from landweave.models.conformal import Conformal

__all__ = ["draw_reliability", "summarise_reliability"]

_SIDE, _LEFT, _TOP, _BOTTOM = 260.0, 46.0, 12.0, 40.0


def summarise_reliability(
    held_out: Conformal | None, metrics: Mapping[str, Mapping[str, float]] | None = None, *, n_bins: int = 15
) -> ReliabilitySummary | None:
    """Sort held-out rows by confidence into bins of equal numbers; None for a model without held-out scores.

    Args:
        held_out: The model's, as `add_uncertainty` with `conformal` keeps them: calibrated where the model is.
        metrics: Of the model's card, for the expected calibration error.
        n_bins: Bins; fewer where there are fewer rows.
    """
    if held_out is None or not len(held_out.confidence):
        return None
    order = np.argsort(held_out.confidence, kind="stable")
    parts = np.array_split(order, min(n_bins, len(order)))
    known = dict((metrics or {}).get("calibration", {}))
    return ReliabilitySummary(
        confidence=[float(held_out.confidence[p].mean(dtype=np.float64)) for p in parts],
        accuracy=[float(held_out.correct[p].mean()) for p in parts], n=[len(p) for p in parts],
        ece_before=known.get("ece_before"), ece=known.get("ece_after"), ece_lower=known.get("ece_after_lower"),
        ece_upper=known.get("ece_after_upper"),
    )  # fmt: skip


def draw_reliability(summary: ReliabilitySummary, *, x_label: str, y_label: str, alt: str) -> Markup:
    """Draw accuracy over confidence with the diagonal of a model that keeps its word; the area of a dot is its rows.

    Args:
        summary: What to draw.
        x_label: Words under the horizontal axis (stated probability).
        y_label: Words beside the vertical one (share that was right).
        alt: What the picture shows, for those who do not see it.
    """
    low = min(0.5, *summary.confidence, *summary.accuracy)
    low = float(np.floor(low * 10) / 10)

    def x(value: float) -> float:
        return _LEFT + _SIDE * (value - low) / (1 - low)

    def y(value: float) -> float:
        return _TOP + _SIDE * (1 - (value - low) / (1 - low))

    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="currentColor" '
             'stroke-opacity=".25"/>',
             f'<line x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}" stroke="currentColor" '
             'stroke-opacity=".5" stroke-dasharray="4 4"/>']  # fmt: skip
    for tick in np.arange(low, 1.01, 0.1 if low > 0.45 else 0.2):
        text = f"{100 * tick:.0f}"
        parts.append(f'<text x="{x(tick):.1f}" y="{_TOP + _SIDE + 15:.0f}" text-anchor="middle" font-size="11">{text}</text>')
        parts.append(f'<text x="{_LEFT - 6:.0f}" y="{y(tick) + 4:.1f}" text-anchor="end" font-size="11">{text}</text>')
    most = max(summary.n)
    for c, a, n in zip(summary.confidence, summary.accuracy, summary.n, strict=True):
        radius = 2 + 5 * np.sqrt(n / most)
        parts.append(f'<circle cx="{x(c):.1f}" cy="{y(a):.1f}" r="{radius:.1f}" fill="var(--spatial, #b0601a)" '
                     f'fill-opacity=".75"><title>{100 * c:.0f} % / {100 * a:.0f} % (n = {n})</title></circle>')  # fmt: skip
    middle = _TOP + _SIDE / 2
    parts.append(Markup('<text x="{}" y="{}" text-anchor="middle" font-size="12">{}</text>').format(
        _LEFT + _SIDE / 2, _TOP + _SIDE + 33, x_label))  # fmt: skip
    parts.append(Markup('<text transform="translate(12,{}) rotate(-90)" text-anchor="middle" font-size="12">{}</text>').format(
        middle, y_label))  # fmt: skip
    width, height = _LEFT + _SIDE + 12, _TOP + _SIDE + _BOTTOM
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" fill="currentColor" style="max-width:{}px;width:100%">')
    return head.format(width, height, alt, width) + Markup("".join(parts)) + Markup("</svg>")
