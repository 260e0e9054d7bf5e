"""Light pyramids of our own: FPN and DeepLabV3+, on one small residual encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, make_norm, resize_like
from landweave.models.registry import ChipContext

__all__ = ["FPN", "DeepLab", "Encoder", "build_deeplab", "build_fpn"]


class Encoder(nn.Module):
    """Residual blocks at full size, 1/2, 1/4 and 1/8; the last may be dilated instead of halved."""

    def __init__(self, width: int, *, attention: str = "none", dilate_last: bool = False) -> None:
        super().__init__()
        self.widths = (width, 2 * width, 4 * width, 8 * width)
        self.dilate_last = dilate_last
        self.blocks = nn.ModuleList(
            ConvBlock(self.widths[max(0, i - 1)], w, attention=attention, dilation=2 if dilate_last and i == 3 else 1)
            for i, w in enumerate(self.widths)
        )  # fmt: skip

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give the features of the four levels, finest first."""
        found = []
        for level, block in enumerate(self.blocks):
            halve = level > 0 and not (self.dilate_last and level == 3)
            x = block(functional.max_pool2d(x, 2) if halve else x)
            found.append(x)
        return found


class FPN(ImageNetwork):
    """Feature pyramid (Lin et al. 2017, arXiv:1612.03144) with a head for maps: the levels summed at full size."""

    stride = 8

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        self.stem = CubeStem(context.inputs, context.ratios, p["width"], hidden=p["stem_width"])
        self.encoder = Encoder(p["width"], attention=p["attention"])
        pyramid = 2 * p["width"]
        self.lateral = nn.ModuleList(nn.Conv2d(w, pyramid, 1) for w in self.encoder.widths)
        self.smooth = nn.ModuleList(
            nn.Sequential(nn.Conv2d(pyramid, p["width"], 3, padding=1), make_norm(p["width"]), nn.ReLU())
            for _ in self.encoder.widths
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout2d(p["dropout"]), nn.Conv2d(p["width"], context.n_classes, 1))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        levels = self.encoder(self.stem(inputs))
        down: Tensor | None = None
        total: Tensor | None = None
        for k in range(len(levels) - 1, -1, -1):
            side = self.lateral[k](levels[k])
            down = side if down is None else side + functional.interpolate(down, scale_factor=2.0, mode="nearest")
            part = resize_like(self.smooth[k](down), levels[0])
            total = part if total is None else total + part
        logits: Tensor = self.head(total)
        return logits


class DeepLab(ImageNetwork):
    """DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611): dilated convolutions of several rates, and a short cut at full size.

    The pooled branch of the paper averages over the chip; its group norm sees one pixel per chip and would make it zero, so it
    has none.
    """

    stride = 4

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        width = p["width"]
        self.stem = CubeStem(context.inputs, context.ratios, width, hidden=p["stem_width"])
        self.encoder = Encoder(width, attention=p["attention"], dilate_last=True)
        deep, out = self.encoder.widths[-1], 4 * width
        self.branches = nn.ModuleList([nn.Conv2d(deep, out, 1, bias=False)])
        self.branches.extend(nn.Conv2d(deep, out, 3, padding=r, dilation=r, bias=False) for r in (2, 4, 6))
        self.norms = nn.ModuleList(make_norm(out) for _ in self.branches)
        self.pooled = nn.Conv2d(deep, out, 1)
        self.project = nn.Sequential(
            nn.Conv2d(5 * out, out, 1, bias=False), make_norm(out), nn.ReLU(), nn.Dropout2d(p["dropout"])
        )  # fmt: skip
        self.refine = ConvBlock(out + width, 2 * width)
        self.head = nn.Conv2d(2 * width, context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        levels = self.encoder(self.stem(inputs))
        x = levels[-1]
        parts = [norm(branch(x)).relu() for branch, norm in zip(self.branches, self.norms, strict=True)]
        parts.append(self.pooled(x.mean(dim=(-2, -1), keepdim=True)).relu().expand(-1, -1, *x.shape[-2:]))
        wide = resize_like(self.project(torch.cat(parts, dim=1)), levels[0])
        logits: Tensor = self.head(self.refine(torch.cat([wide, levels[0]], dim=1)))
        return logits


def build_fpn(context: ChipContext) -> FPN:
    """Make an FPN with random weights."""
    return FPN(context)


def build_deeplab(context: ChipContext) -> DeepLab:
    """Make a DeepLabV3+ with random weights."""
    return DeepLab(context)
