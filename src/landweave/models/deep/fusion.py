"""Several inputs in one network: where they meet (strategy) and how they are merged.

Strategies after Mena, Arenas and Dengel 2025 (doi:10.1016/j.jag.2025.104823, arXiv:2403.16582) and Mena et al. 2023
(arXiv:2308.05407): `input` joins the bands before one encoder, `feature` the encoded views before one head, `decision` the
probabilities of one head per view, trained as one; `ensemble` trains every view for itself and averages; `hybrid` averages
the heads of the views with the head of the merged features. A single input is a network without fusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.deep.encoders import find_encoder
from landweave.models.deep.losses import Loss
from landweave.models.deep.series_attention import NEVER
from landweave.models.deep.series_dense import Perceptron
from landweave.models.deep.series_views import SeriesView, Views

__all__ = ["MERGES", "STRATEGIES", "EachHead", "FusionNetwork", "Merge", "join_views", "make_encoder"]

STRATEGIES = ("input", "feature", "decision", "ensemble", "hybrid")
MERGES = ("mean", "concat", "attention", "gated")
STATIC_WIDTH = 32


def make_encoder(view: SeriesView, name: str, params: Mapping[str, Any]) -> nn.Module:
    """Make the encoder of a view; a static view gets a small perceptron whatever the encoder.

    Raises:
        ModelError: If the encoder is unknown or its parameters contradict each other.
    """
    info = find_encoder(name)
    if view.is_static:
        return Perceptron(view, width=STATIC_WIDTH, depth=2, dropout=float(params.get("dropout", 0.1)))
    heads, width = params.get("n_heads"), params.get("width")
    if heads is not None and width is not None and width % heads:
        raise ModelError(f"{name}: width {width} is not a multiple of n_heads {heads}; each head takes an equal share")
    module, attribute = info.home
    encoder: nn.Module = getattr(import_module(f"landweave.models.deep.{module}"), attribute)(view, **params)
    return encoder


def join_views(views: Sequence[SeriesView]) -> tuple[SeriesView, tuple[tuple[int, ...], ...]]:
    """Give the joint view of strategy `input`, and for each view the step that stands at each joint step (the nearest day).

    The steps are those of the longest view; each view's mask becomes one more band.
    """
    longest = max(views, key=lambda v: v.n_steps)
    at = tuple(tuple(min(range(v.n_steps), key=lambda s, d=day, v=v: abs(v.days[s] - d)) for day in longest.days)  # type: ignore[misc]
               for v in views)  # fmt: skip
    n_bands = sum(v.n_bands + 1 for v in views)
    return SeriesView("joint", longest.n_steps, n_bands, longest.days, False, 0, True), at


class Merge(nn.Module):
    """Merge features of views (row, view, width) with which views are there (row, view) into (row, n_out).

    mean: over the views that are there. concat: side by side, 0 for what lacks. attention: sum_v a_v z_v with
    a = softmax(u . tanh(W z_v)). gated: the same with a = softmax(W [z_1, ..., z_V]), so that a view's gate sees the others.
    """

    def __init__(self, name: str, n_views: int, width: int) -> None:
        super().__init__()
        if name not in MERGES:
            raise ModelError(f"no merge named {name!r}; known: {', '.join(MERGES)}")
        self.name = name
        self.n_out = width * n_views if name == "concat" else width
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))
        self.gate = nn.Linear(n_views * width, n_views)

    def weigh(self, features: Tensor, present: Tensor) -> Tensor:
        """Give the weight of each view (row, view); they sum to 1 over the views that are there."""
        if self.name in ("mean", "concat"):
            return present / present.sum(dim=1, keepdim=True).clamp_min(1)
        raw = self.score(features)[:, :, 0] if self.name == "attention" else self.gate(features.flatten(1))
        encoded: Tensor = (raw + (1 - present) * NEVER).softmax(dim=1) * present
        return encoded

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Merge."""
        known = features * present[:, :, None]
        if self.name == "concat":
            return known.flatten(1)
        return (known * self.weigh(known, present)[:, :, None]).sum(dim=1)


class FusionNetwork(nn.Module):
    """Views in, logits out; with strategy `ensemble` or `hybrid` one set of logits per head while training.

    Args:
        views: The inputs.
        n_outputs: Logits.
        encoder: Name of the encoder of views with time.
        params: Its parameters.
        strategy: One of `STRATEGIES`.
        merge: One of `MERGES`.
        width: Features per view where they are merged.
        dropout: Before the heads.
    """

    def __init__(
        self, views: Sequence[SeriesView], n_outputs: int, *, encoder: str, params: Mapping[str, Any],
        strategy: str = "feature", merge: str = "concat", width: int = 64, dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        if strategy not in STRATEGIES:
            raise ModelError(f"no fusion strategy named {strategy!r}; known: {', '.join(STRATEGIES)}")
        if strategy in ("decision", "ensemble") and merge == "concat" and len(views) > 1:
            raise ModelError(f"merge concat cannot join decisions (strategy {strategy}); use mean, attention or gated")
        self.views, self.strategy = tuple(views), strategy if len(views) > 1 else "feature"
        encoded = list(views)
        if self.strategy == "input":
            joint, at = join_views(views)
            encoded = [joint]
            for v, steps in enumerate(at):
                self.register_buffer(f"steps_{v}", torch.tensor(steps))
        self.encoders = nn.ModuleList([make_encoder(v, encoder, params) for v in encoded])
        sizes = [_width_of(e) for e in self.encoders]
        if len(encoded) == 1:
            self.head = nn.Linear(sizes[0], n_outputs)
            return
        self.projections = nn.ModuleList([nn.Sequential(nn.Linear(s, width), nn.LayerNorm(width), nn.ReLU()) for s in sizes])
        self.merge = Merge("mean" if self.strategy == "ensemble" else merge, len(encoded), width)
        self.drop = nn.Dropout(dropout)
        if self.strategy in ("feature", "hybrid"):
            self.head = nn.Linear(self.merge.n_out, n_outputs)
        if self.strategy in ("decision", "ensemble", "hybrid"):
            self.heads = nn.ModuleList([nn.Linear(width, n_outputs) for _ in encoded])

    def forward(self, inputs: Views) -> Tensor:
        """Give logits (row, class); (row, class, head) while training with strategy `ensemble` or `hybrid`."""
        if len(self.encoders) == 1:
            alone: Tensor = self.head(self.encoders[0](*self._single(inputs)))
            return alone
        features, present = self._encode(inputs)
        if self.strategy == "feature":
            encoded: Tensor = self.head(self.drop(self.merge(features, present)))
            return encoded
        views = torch.stack([head(self.drop(features[:, v])) for v, head in enumerate(self.heads)], dim=2)
        if self.strategy == "hybrid":
            joint = self.head(self.drop(self.merge(features, present)))
            if self.training:
                return torch.cat([views, joint[:, :, None]], dim=2)
            weight = present / present.sum(dim=1, keepdim=True).clamp_min(1)
            weight = torch.cat([weight, torch.ones_like(weight[:, :1])], dim=1)  # the joint head counts as much as all views
            return _log_mix(torch.cat([views, joint[:, :, None]], dim=2), weight)
        if self.strategy == "ensemble" and self.training:
            return views
        return _log_mix(views, self.merge.weigh(features * present[:, :, None], present))

    def weigh(self, inputs: Views) -> Tensor:
        """Give the weight of each view (row, view); with `concat` and `input` the views that are there, equally."""
        if len(self.encoders) == 1:
            present = torch.stack([inputs[f"{v.name}_valid"].amax(dim=1) for v in self.views], dim=1)
            return present / present.sum(dim=1, keepdim=True).clamp_min(1)
        features, present = self._encode(inputs)
        return self.merge.weigh(features * present[:, :, None], present)

    def _encode(self, inputs: Views) -> tuple[Tensor, Tensor]:
        parts, present = [], []
        for view, encoder, project in zip(self.views, self.encoders, self.projections, strict=True):
            valid = inputs[f"{view.name}_valid"]
            parts.append(project(encoder(inputs[view.name], valid)))
            present.append(valid.amax(dim=1))
        return torch.stack(parts, dim=1), torch.stack(present, dim=1)

    def _single(self, inputs: Views) -> tuple[Tensor, Tensor]:
        if self.strategy != "input":
            name = self.views[0].name
            return inputs[name], inputs[f"{name}_valid"]
        parts, masks = [], []
        for v, view in enumerate(self.views):
            at = self.get_buffer(f"steps_{v}")
            mask = inputs[f"{view.name}_valid"].index_select(1, at)
            parts += [inputs[view.name].index_select(1, at), mask[:, :, None]]
            # a static view is there at every step and says nothing about which steps are
            masks += [] if view.is_static else [mask]
        return torch.cat(parts, dim=2), torch.stack(masks or [mask], dim=2).amax(dim=2)


def _width_of(encoder: nn.Module) -> int:
    width: int = encoder.n_out  # type: ignore[assignment]
    return width


def _log_mix(logits: Tensor, weight: Tensor) -> Tensor:
    """Give the logarithm of the weighted mean of probabilities (row, class, head) by weights (row, head)."""
    total = weight.sum(dim=1, keepdim=True)
    weight = torch.where(total > 0, weight / total.clamp_min(1e-6), torch.full_like(weight, 1 / weight.shape[1]))
    return (logits.softmax(dim=1) * weight[:, None, :]).sum(dim=2).clamp_min(1e-12).log()


class EachHead(Loss):
    """A loss of every head (batch, class, head), averaged over the heads; plain logits pass through."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def set_epoch(self, epoch: int, n_epochs: int) -> None:
        """Pass it on."""
        self.loss.set_epoch(epoch, n_epochs)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the mean over the heads."""
        if output.ndim == 2:
            encoded: Tensor = self.loss(output, target, weight)
            return encoded
        return torch.stack([self.loss(output[:, :, h], target, weight) for h in range(output.shape[2])]).mean()
