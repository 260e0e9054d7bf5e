"""Two encoders for two sensors, each on its own grid, joined level by level before one decoder.

After the two-branch networks of optical and radar imagery of different pixel sizes: the coarser cubes are never enlarged
before they have been understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, resize_like
from landweave.models.deep.image_pyramids import Encoder
from landweave.models.registry import ChipContext

__all__ = ["DualUNet", "build"]


class DualUNet(ImageNetwork):
    """Fine cubes in one encoder, coarser ones (or, if all are alike, all but the first) in the other."""

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        pairs = list(zip(context.inputs, context.ratios, strict=True))
        if len(pairs) < 2:
            raise ModelError(f"dual-unet joins two sensors and there is one cube ({pairs[0][0].name}); add another source, or "
                             "take unet")  # fmt: skip
        coarse = [pair for pair in pairs if pair[1] > 1] or pairs[1:]
        fine = [pair for pair in pairs if pair not in coarse]
        base = min(r for _, r in coarse)
        self.stride = 8 * base
        self.stems = nn.ModuleList([
            CubeStem([i for i, _ in fine], [r for _, r in fine], p["width"], hidden=p["stem_width"]),
            CubeStem([i for i, _ in coarse], [r // base for _, r in coarse], p["width"], hidden=p["stem_width"]),
        ])  # fmt: skip
        self.encoders = nn.ModuleList(Encoder(p["width"], attention=p["attention"]) for _ in range(2))
        widths = (p["width"], 2 * p["width"], 4 * p["width"], 8 * p["width"])
        self.join = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths)
        self.up = nn.ModuleList(ConvBlock(b + a, a, attention=p["attention"]) for a, b in pairwise(widths))
        self.drop = nn.Dropout2d(p["dropout"])
        self.head = nn.Conv2d(p["width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        fine, coarse = (encoder(stem(inputs)) for stem, encoder in zip(self.stems, self.encoders, strict=True))
        levels = [join(torch.cat([a, resize_like(b, a)], dim=1)) for join, a, b in zip(self.join, fine, coarse, strict=True)]
        x = self.drop(levels[-1])
        for level in range(len(self.up) - 1, -1, -1):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[level](torch.cat([x, levels[level]], dim=1))
        logits: Tensor = self.head(x)
        return logits


def build(context: ChipContext) -> DualUNet:
    """Make the network with random weights."""
    return DualUNet(context)
