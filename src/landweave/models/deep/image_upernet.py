"""UPerNet (Xiao et al. 2018, arXiv:1807.10221) over backbones of transformers: ConvNeXt, Swin, DINOv2, for any cubes.

Pooling at fixed shares of the chip makes the network one of a single size: the one it was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, make_norm, resize_like
from landweave.models.registry import ChipContext

__all__ = ["UPerNet", "build"]

BACKBONES = ("convnext", "swin", "dinov2")


def _make_backbone(name: str, channels: int, width: int, depth: int) -> tuple[nn.Module, list[int]]:
    """Make a small backbone with random weights; gives it and the channels of its feature maps."""
    import transformers

    hf: Any = transformers  # whose configurations take more keywords than their annotations list

    stages = ["stage1", "stage2", "stage3"]
    widths = [width, 2 * width, 4 * width]
    if name == "convnext":
        config: Any = hf.ConvNextConfig(num_channels=channels, hidden_sizes=widths, depths=[depth] * 3, num_stages=3,
                                        patch_size=4, out_features=stages)  # fmt: skip
        return hf.ConvNextBackbone(config), widths
    if name == "swin":
        config = hf.SwinConfig(num_channels=channels, embed_dim=width, depths=[2] * 3, num_heads=[2, 4, 8], window_size=4,
                               patch_size=4, image_size=64, out_features=stages)  # fmt: skip
        return hf.SwinBackbone(config), widths
    config = hf.Dinov2Config(num_channels=channels, hidden_size=4 * width, num_hidden_layers=2 * depth, num_attention_heads=4,
                             patch_size=4, image_size=64, out_features=[f"stage{2 * depth}"], mlp_ratio=2)  # fmt: skip
    return hf.Dinov2Backbone(config), [4 * width] * 3


class UPerNet(ImageNetwork):
    """Pyramid pooling over the coarsest map, a feature pyramid down to 1/4, and the stem's pixels for full size."""

    stride = 16
    dynamic_size = False

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        if p["backbone"] not in BACKBONES:
            raise ModelError(f"no backbone named {p['backbone']!r}; choose among {', '.join(BACKBONES)}")
        self.is_plain = p["backbone"] == "dinov2"
        self.stem = CubeStem(context.inputs, context.ratios, p["stem_width"])
        self.backbone, widths = _make_backbone(p["backbone"], p["stem_width"], p["width"], p["depth"])
        side = 2 * p["width"]
        self.pools = nn.ModuleList(nn.Sequential(nn.Conv2d(widths[-1], side, 1), nn.ReLU()) for _ in (1, 2, 4))
        self.bottom = ConvBlock(widths[-1] + 3 * side, side)
        self.lateral = nn.ModuleList(nn.Sequential(nn.Conv2d(w, side, 1), make_norm(side), nn.ReLU()) for w in widths[:-1])
        self.fuse = ConvBlock(3 * side, side)
        self.refine = ConvBlock(side + p["stem_width"], p["stem_width"])
        self.head = nn.Conv2d(p["stem_width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x = self.stem(inputs)
        maps = list(self.backbone(x).feature_maps)
        if self.is_plain:  # one map at 1/4: the pyramid of Li et al. 2022 (arXiv:2203.16527), by pooling alone
            maps = [maps[-1], functional.avg_pool2d(maps[-1], 2), functional.avg_pool2d(maps[-1], 4)]
        deep = maps[-1]
        pooled = [deep]
        for scale, conv in zip((1, 2, 4), self.pools, strict=True):
            kernel = max(1, int(deep.shape[-1]) // scale)  # of one size: exported as a constant
            pooled.append(resize_like(conv(functional.avg_pool2d(deep, kernel)), deep))
        levels = [self.bottom(torch.cat(pooled, dim=1))]
        for layer, features in zip(reversed(self.lateral), reversed(maps[:-1]), strict=True):
            levels.append(layer(features) + resize_like(levels[-1], features))
        merged = self.fuse(torch.cat([resize_like(level, levels[-1]) for level in levels], dim=1))
        logits: Tensor = self.head(self.refine(torch.cat([resize_like(merged, x), x], dim=1)))
        return logits


def build(context: ChipContext) -> UPerNet:
    """Make the network with random weights."""
    return UPerNet(context)
