"""Augmentation of series in views: what changes a training batch without changing its class. Validation never comes here.

Works on the normalised tensors of `series_views.Front`; what is dropped becomes value 0 and mask 0, as a gap is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Generator, Tensor

from landweave.models.deep.series_views import SeriesView, Views
from landweave.types import Options

__all__ = ["SeriesAugmentation", "augment", "mix"]


class SeriesAugmentation(Options):
    """How much training series are changed; 0 leaves them."""

    date_dropout: float = Field(0.0, ge=0, lt=1, description="Highest share of a row's dates that is hidden; drawn per row.")
    shift_steps: int = Field(0, ge=0, description="Series are moved by up to this many steps, either way; edges become gaps.")
    jitter: float = Field(0.0, ge=0, description="Noise per value, in standard deviations of the band.")
    brightness: float = Field(0.0, ge=0, description="Offset per row and band, in standard deviations of the band.")
    sensor_dropout: float = Field(0.0, ge=0, lt=1, description="Probability that an input is hidden; one is always left.")
    mixup: float = Field(0.0, ge=0, description="Alpha of mixup (arXiv:1710.09412): two rows and their classes are mixed.")
    cutmix: float = Field(0.0, ge=0, le=1, description="Probability that a stretch of dates comes from another row.")

    @property
    def mixes(self) -> bool:
        """Whether rows are mixed, so that the target becomes shares of classes."""
        return self.mixup > 0 or self.cutmix > 0


def augment(inputs: Views, views: Sequence[SeriesView], options: SeriesAugmentation, rng: Generator) -> Views:
    """Change every row of a batch by itself.

    Args:
        inputs: Views of the batch.
        views: What they are.
        options: How much.
        rng: Where the draws come from.
    """
    result = dict(inputs)
    for view in views:
        x, valid = inputs[view.name], inputs[f"{view.name}_valid"]
        n, steps, bands = x.shape
        if options.jitter:
            x = x + options.jitter * torch.randn(x.shape, generator=rng)
        if options.brightness:
            x = x + options.brightness * torch.randn((n, 1, bands), generator=rng)
        if not view.is_static and options.shift_steps:
            x, valid = _shift(x, valid, options.shift_steps, rng)
        if not view.is_static and options.date_dropout:
            share = options.date_dropout * torch.rand((n, 1), generator=rng)
            kept = (torch.rand((n, steps), generator=rng) >= share).float()
            # a row keeps its dates rather than losing all
            valid = torch.where((valid * kept).sum(dim=1, keepdim=True) > 0, valid * kept, valid)
        result[view.name], result[f"{view.name}_valid"] = x * valid[:, :, None], valid
    return _drop_sensors(result, views, options.sensor_dropout, rng) if options.sensor_dropout and len(views) > 1 else result


def _shift(x: Tensor, valid: Tensor, most: int, rng: Generator) -> tuple[Tensor, Tensor]:
    n, steps, bands = x.shape
    moved = torch.arange(steps)[None, :] - torch.randint(-most, most + 1, (n, 1), generator=rng)
    inside = ((moved >= 0) & (moved < steps)).float()
    at = moved.clamp(0, steps - 1)
    return x.gather(1, at[:, :, None].expand(-1, -1, bands)), valid.gather(1, at) * inside


def _drop_sensors(inputs: Views, views: Sequence[SeriesView], share: float, rng: Generator) -> Views:
    """Hide whole views; of those that are there one is always left."""
    there = torch.stack([inputs[f"{v.name}_valid"].amax(dim=1) for v in views], dim=1)
    order = torch.rand(there.shape, generator=rng)
    hidden = (torch.rand(there.shape, generator=rng) < share).float()
    last = (order * there).argmax(dim=1)
    hidden = hidden.scatter(1, last[:, None], 0.0)
    result = dict(inputs)
    for v, view in enumerate(views):
        kept = 1 - hidden[:, v]
        result[view.name] = inputs[view.name] * kept[:, None, None]
        result[f"{view.name}_valid"] = inputs[f"{view.name}_valid"] * kept[:, None]
    return result


def mix(
    inputs: Views, shares: Tensor, views: Sequence[SeriesView], options: SeriesAugmentation, rng: Generator
) -> tuple[Views, Tensor]:
    """Mix every row with another of the batch: mixup (values and masks weighted) or CutMix (a stretch of dates taken over).

    Mixup after Zhang et al. 2018 (arXiv:1710.09412), CutMix after Yun et al. 2019 (arXiv:1905.04899), along time.

    Args:
        inputs: Views of the batch.
        shares: Shares of the classes (row, class).
        views: What the inputs are.
        options: How often and how much.
        rng: Where the draws come from.

    Returns:
        The mixed views and shares.
    """
    n = len(shares)
    other = torch.randperm(n, generator=rng)
    if options.cutmix and float(torch.rand((), generator=rng)) < options.cutmix:
        return _cut(inputs, shares, views, other, rng)
    if not options.mixup:
        return inputs, shares
    seed = int(torch.randint(2**31, (), generator=rng))
    lam = _draw_beta(options.mixup, n, seed)
    result = {k: v * lam.reshape(-1, *[1] * (v.ndim - 1)) + v[other] * (1 - lam).reshape(-1, *[1] * (v.ndim - 1))
              for k, v in inputs.items() if not k.endswith("_valid")}  # fmt: skip
    masks = {k: torch.maximum(v, v[other]) for k, v in inputs.items() if k.endswith("_valid")}
    return {**result, **masks}, shares * lam[:, None] + shares[other] * (1 - lam[:, None])


def _draw_beta(alpha: float, n: int, seed: int) -> Tensor:
    import numpy as np

    drawn = np.random.default_rng(seed).beta(alpha, alpha, n).astype(np.float32)
    return torch.from_numpy(np.maximum(drawn, 1 - drawn))  # the row itself has the larger part


def _cut(inputs: Views, shares: Tensor, views: Sequence[SeriesView], other: Tensor, rng: Generator) -> tuple[Views, Tensor]:
    """Take the same stretch of the season, up to half of it, from another row in every view with time."""
    n = len(shares)
    length = 0.5 * torch.rand((n, 1), generator=rng)
    start = torch.rand((n, 1), generator=rng) * (1 - length)
    result, taken = dict(inputs), torch.zeros(n)
    timed = [v for v in views if not v.is_static]
    for view in timed:
        place = (torch.arange(view.n_steps)[None, :] + 0.5) / view.n_steps
        cut = ((place >= start) & (place < start + length)).float()
        for key in (view.name, f"{view.name}_valid"):
            part = cut if inputs[key].ndim == 2 else cut[:, :, None]
            result[key] = inputs[key] * (1 - part) + inputs[key][other] * part
        taken += cut.mean(dim=1) / len(timed)
    return result, shares * (1 - taken[:, None]) + shares[other] * taken[:, None]
