"""How a network was trained, as pictures for the report: loss and held-out score epoch by epoch.

Receives a model card, whose lineage keeps the curves of the trainer; hands on inline SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from landweave.assess.wording import Words
from landweave.types import ModelCard

__all__ = ["draw_training", "view_training"]

_SIZE = (420.0, 170.0, 52.0, 12.0, 34.0)  # width, height, left, top, bottom
_SCORES = ("macro_f1", "map_macro", "rmse")
"""Scores that decide which epoch is kept, by the name that the trainer monitors."""


def view_training(card: ModelCard | None, words: Words) -> dict[str, Any] | None:
    """Give the template's values: a sentence, and a picture each of the losses and of the held-out scores.

    Networks that are means of several show all of their curves. None for a model without curves.
    """
    members = [] if card is None else _find_members(card.lineage)
    if not members:
        return None
    losses = [m["curve"]["loss"] for m in members]
    name = next((s for s in _SCORES if s in members[0]["curve"]), None)
    best = [int(m["best_epoch"]) for m in members]
    pictures = [(words.say("training.loss"), draw_training(losses, best, words.say("training.loss"), words))]
    if name is not None:
        label = words.say("training.score", name=name.replace("_", "-"))
        pictures.append((label, draw_training([m["curve"][name] for m in members], best, label, words)))
    text = words.say("training.text", n=words.count(max(len(c) for c in losses)), best=words.count(best[0] + 1))
    return {"text": text, "pictures": pictures}


def _find_members(lineage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Find the trainings in a card: one per member of a series network, one of an image network."""
    network, training = lineage.get("network"), lineage.get("training")
    found = list(network.get("members", ())) if isinstance(network, Mapping) else []
    found += [training] if isinstance(training, Mapping) else []
    return [m for m in found if isinstance(m.get("curve"), Mapping) and len(m["curve"].get("loss", ())) > 1]


def draw_training(curves: Sequence[Sequence[float]], best: Sequence[int], label: str, words: Words) -> Markup:
    """Draw values over epochs, with a dot at the epoch whose weights were kept.

    Args:
        curves: Values of each member (epoch,).
        best: Epoch kept of each member, from 0.
        label: What the values are, for people who do not see the picture.
        words: Language.
    """
    width, height, left, top, bottom = _SIZE
    n = max(len(c) for c in curves)
    low, high = min(min(c) for c in curves), max(max(c) for c in curves)
    span = (high - low) or 1.0

    def x(epoch: float) -> float:
        return left + (width - left - 20) * epoch / max(n - 1, 1)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - low) / span)

    parts = []
    for value in (low, (low + high) / 2, high):
        parts.append(f'<line class="lw-grid" x1="{left}" x2="{width - 20}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text class="lw-small" x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">'
                     f"{words.fixed(value, 2)}</text>")  # fmt: skip
    for curve, kept in zip(curves, best, strict=True):
        line = " ".join(f"{x(k):.1f},{y(v):.1f}" for k, v in enumerate(curve))
        parts.append(f'<polyline points="{line}" fill="none" stroke="var(--spatial)" stroke-width="2"/>')
        if kept < len(curve):
            parts.append(f'<circle cx="{x(kept):.1f}" cy="{y(curve[kept]):.1f}" r="4" fill="var(--spatial)"/>')
    parts += [f'<text class="lw-small" x="{x(epoch):.1f}" y="{height - bottom + 14}" text-anchor="middle">{epoch + 1}</text>'
              for epoch in (0, n - 1)]  # fmt: skip
    head = Markup('<svg class="lw-chart" viewBox="0 0 {} {}" role="img" aria-label="{}" style="width:100%;max-width:{}px">')
    foot = Markup('<text class="lw-axis" x="{}" y="{}" text-anchor="middle">{}</text></svg>')
    # every part is made of numbers alone
    return (head.format(width, height, label, width) + Markup("".join(parts))
            + foot.format((left + width) / 2, height - 4, words.say("training.epoch")))  # fmt: skip
