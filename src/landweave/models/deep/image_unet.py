"""U-Net (Ronneberger et al. 2015, arXiv:1505.04597): light, for any number of bands, dates and cubes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork
from landweave.models.registry import ChipContext

__all__ = ["UNet", "UNetBody", "build"]


class UNetBody(nn.Module):
    """Contracting and expanding path over a feature map; each level halves the pixels and doubles the channels."""

    def __init__(self, width: int, depth: int, *, attention: str = "none", dropout: float = 0.0) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            ConvBlock(widths[max(0, i - 1)], w, attention=attention) for i, w in enumerate(widths)
        )  # fmt: skip
        self.up = nn.ModuleList(ConvBlock(b + a, a, attention=attention) for a, b in pairwise(widths))
        self.drop = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Give features (batch, width, y, x)."""
        return self.decode(self.encode(x))

    def encode(self, x: Tensor) -> list[Tensor]:
        """Give the features of the contracting path's levels, finest first."""
        seen: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))
            seen.append(x)
        return seen

    def decode(self, levels: Sequence[Tensor]) -> Tensor:
        """Give features (batch, width, y, x) from those of all levels."""
        x: Tensor = self.drop(levels[-1])
        for level in range(len(self.up) - 1, -1, -1):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[level](torch.cat([x, levels[level]], dim=1))
        return x


class UNet(ImageNetwork):
    """U-Net behind a per-pixel stem."""

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        self.stride = 2 ** p["depth"]
        self.stem = CubeStem(context.inputs, context.ratios, p["width"], hidden=p["stem_width"])
        self.body = UNetBody(p["width"], p["depth"], attention=p["attention"], dropout=p["dropout"])
        self.head = nn.Conv2d(p["width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        logits: Tensor = self.head(self.body(self.stem(inputs)))
        return logits


def build(context: ChipContext) -> UNet:
    """Make the network with random weights."""
    return UNet(context)
