"""A U-Net that is told where it is: place (or any other layer that is one value per chip) steers its features.

Receives cubes of which some are metadata (`cube: place`, distances); these are averaged over the chip, not seen as images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.deep.image_parts import CubeStem, ImageNetwork, Normaliser
from landweave.models.deep.image_unet import UNetBody
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

__all__ = ["ChipMean", "Film", "MetadataUNet", "build"]

MERGES = ("film", "concat")


class ChipMean(nn.Module):
    """Mean of each band of some inputs over the observed pixels and dates of a chip, with the share observed."""

    def __init__(self, inputs: Sequence[ModelInput]) -> None:
        super().__init__()
        self.normalisers = nn.ModuleList(Normaliser(i) for i in inputs)
        self.width = sum(len(i.bands) + 1 for i in inputs)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give (batch, width)."""
        parts = []
        for normalise in self.normalisers:
            values, valid = normalise(inputs)
            seen = valid.mean(dim=(1, 3, 4))
            parts += [values.mean(dim=(1, 3, 4)) / seen.clamp_min(1e-6), seen]
        return torch.cat(parts, dim=1)


class Film(nn.Module):
    """Scale and shift each channel by a vector (FiLM, Perez et al. 2018, arXiv:1709.07871, eq. 2); starts as identity."""

    def __init__(self, n_in: int, channels: int) -> None:
        super().__init__()
        self.make = nn.Linear(n_in, 2 * channels)
        nn.init.zeros_(self.make.weight)
        nn.init.zeros_(self.make.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Give (batch, channel, y, x) steered by (batch, n_in)."""
        scale, shift = self.make(told)[:, :, None, None].chunk(2, dim=1)
        steered: Tensor = x * (1 + scale) + shift
        return steered


class _Append(nn.Module):
    """Lay a vector beside the channels of every pixel and mix them."""

    def __init__(self, n_in: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + n_in, channels, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        wide = told[:, :, None, None] + torch.zeros_like(x[:, :1])
        mixed: Tensor = self.mix(torch.cat([x, wide], dim=1))
        return mixed


class MetadataUNet(ImageNetwork):
    """U-Net whose levels are steered by what the metadata inputs say about the chip."""

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        if p["merge"] not in MERGES:
            raise ModelError(f"merge is {p['merge']!r}; choose among {', '.join(MERGES)}")
        names = tuple(p["metadata_inputs"])
        known = [i.name for i in context.inputs]
        if not set(names) <= set(known) or set(names) == set(known) or not names:
            raise ModelError(f"metadata_inputs are {', '.join(names) or 'none'} and the cubes are {', '.join(known)}; name "
                             "some of them, not all (`cube: {place: ...}` makes one of the place)")  # fmt: skip
        seen = [(i, r) for i, r in zip(context.inputs, context.ratios, strict=True) if i.name not in names]
        self.stride = 2 ** p["depth"]
        self.stem = CubeStem([i for i, _ in seen], [r for _, r in seen], p["width"], hidden=p["stem_width"])
        self.body = UNetBody(p["width"], p["depth"], dropout=p["dropout"])
        self.mean = ChipMean([i for i in context.inputs if i.name in names])
        self.told = nn.Sequential(nn.Linear(self.mean.width, p["told_width"]), nn.ReLU())
        kind = Film if p["merge"] == "film" else _Append
        self.steer = nn.ModuleList(kind(p["told_width"], p["width"] * 2**level) for level in range(p["depth"] + 1))
        self.head = nn.Conv2d(p["width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        told = self.told(self.mean(inputs))
        levels = [steer(level, told) for steer, level in zip(self.steer, self.body.encode(self.stem(inputs)), strict=True)]
        logits: Tensor = self.head(self.body.decode(levels))
        return logits


def build(context: ChipContext) -> MetadataUNet:
    """Make the network with random weights."""
    return MetadataUNet(context)
