"""SegFormer (Xie et al. 2021, arXiv:2105.15203) of transformers, for any number of bands, dates and cubes.

The encoder mixes a chip at a quarter of its size and coarser; a short cut from the per-pixel stem gives the decoder the full
resolution back, since fields and roads are a few pixels wide here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, resize_like
from landweave.models.registry import ChipContext

__all__ = ["SegFormer", "build"]


class SegFormer(ImageNetwork):
    """Mix transformer encoder of four stages, all-MLP decoder, and the stem's pixels beside it."""

    stride = 32

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        from transformers import SegformerConfig, SegformerModel

        p = context.params
        width = p["width"]
        self.stem = CubeStem(context.inputs, context.ratios, p["stem_width"])
        config = SegformerConfig(
            num_channels=p["stem_width"], hidden_sizes=[width, 2 * width, 4 * width, 4 * width], depths=[p["depth"]] * 4,
            num_attention_heads=[1, 2, 4, 4], sr_ratios=[4, 2, 1, 1], decoder_hidden_size=2 * width,
            drop_path_rate=p["dropout"], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        self.backbone = SegformerModel(config)
        self.lateral = nn.ModuleList(nn.Conv2d(size, 2 * width, 1) for size in config.hidden_sizes)
        self.fuse = ConvBlock(2 * width + p["stem_width"], p["stem_width"])
        self.head = nn.Conv2d(p["stem_width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x = self.stem(inputs)
        states = self.backbone(x, output_hidden_states=True).hidden_states
        parts = [resize_like(layer(s), states[0]) for layer, s in zip(self.lateral, states, strict=True)]
        mixed = resize_like(torch.stack(parts).sum(dim=0).relu(), x)
        logits: Tensor = self.head(self.fuse(torch.cat([mixed, x], dim=1)))
        return logits


def build(context: ChipContext) -> SegFormer:
    """Make the network with random weights."""
    return SegFormer(context)
