"""Token-level fusion of imagery and height, or of any cubes: each cube its own tokens, fusion tokens between them.

After the benchmark of RGB and height (GAMUS, arXiv:2305.14914), whose intermediary fusion weights the tokens of both place by
place; the layers here are our own. Which cube was listened to can be asked for (`gates`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, enlarge, make_norm, resize_like
from landweave.models.registry import ChipContext

__all__ = ["FusionBlock", "TokenFusion", "build"]


class FusionBlock(nn.Module):
    """A fusion token per place attends to the tokens of every cube there, then to other places, and tells the cubes."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Conv2d(width, width, 1) for _ in range(3))
        self.far_query, self.far_key, self.far_value = (nn.Conv2d(width, width, 1) for _ in range(3))
        self.norm, self.far_norm, self.last_norm = (make_norm(width) for _ in range(3))
        self.tell = nn.Conv2d(width, width, 1)
        wide = 2 * width
        self.feed = nn.Sequential(nn.Conv2d(width, wide, 1), nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.GELU(),
                                  nn.Conv2d(wide, width, 1))  # fmt: skip

    def weigh(self, fused: Tensor, tokens: Tensor, known: Tensor) -> Tensor:
        """Give the weight (batch, cube, head, y, x) of each cube's token at each place; one that saw nothing has none."""
        n, cubes = tokens.shape[:2]
        keys = self._heads(self.key(tokens.flatten(0, 1))).reshape(n, cubes, self.n_heads, -1, *tokens.shape[-2:])
        queries = self._heads(self.query(self.norm(fused))).unsqueeze(1)
        scores = (keys * queries).sum(dim=3) / math.sqrt(tokens.shape[2] / self.n_heads)
        weights: Tensor = (scores - 1e4 * (1 - known)).softmax(dim=1)
        return weights

    def forward(self, fused: Tensor, tokens: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Give fusion tokens (batch, width, y, x) and tokens (batch, cube, width, y, x); `known` is (batch, cube, 1, y, x)."""
        n, cubes, width = tokens.shape[:3]
        weights = self.weigh(fused, tokens, known)
        values = self._heads(self.value(tokens.flatten(0, 1))).reshape(n, cubes, self.n_heads, -1, *tokens.shape[-2:])
        near = (values * weights.unsqueeze(3)).sum(dim=1).reshape(n, width, *tokens.shape[-2:])
        fused = fused + near
        fused = fused + self._look_around(self.far_norm(fused))
        fused = fused + self.feed(self.last_norm(fused))
        return fused, tokens + self.tell(fused).unsqueeze(1)

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], self.n_heads, x.shape[1] // self.n_heads, *x.shape[-2:])

    def _look_around(self, x: Tensor) -> Tensor:
        """Attend to places at half size (spatial reduction of arXiv:2102.12122)."""
        small = functional.avg_pool2d(x, 2)
        query, key, value = (self._heads(f(a)).flatten(3) for f, a in
                             ((self.far_query, x), (self.far_key, small), (self.far_value, small)))  # fmt: skip
        weights = (query.transpose(2, 3) @ key / math.sqrt(key.shape[2])).softmax(dim=-1)
        return (weights @ value.transpose(2, 3)).transpose(2, 3).reshape(x.shape)


class TokenFusion(ImageNetwork):
    """One token per cube and 4 x 4 pixels, fused block by block; the pixels of the stems join again at full size."""

    stride = 8

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        width = p["width"]
        if len(context.inputs) < 2:
            raise ModelError(f"token-fusion joins cubes and there is one ({context.inputs[0].name}); add another source "
                             "(elevation: `cube: {terrain: ...}`), or take segformer")  # fmt: skip
        if width % p["n_heads"]:
            raise ModelError(f"width {width} is no multiple of n_heads {p['n_heads']}; give a width such as {8 * p['n_heads']}")
        pairs = zip(context.inputs, context.ratios, strict=True)
        self.stems = nn.ModuleList(CubeStem([i], [r], p["stem_width"]) for i, r in pairs)
        self.tokenise = nn.ModuleList(
            nn.Sequential(nn.Conv2d(p["stem_width"], width, 3, stride=2, padding=1), make_norm(width), nn.ReLU(),
                          nn.Conv2d(width, width, 3, stride=2, padding=1), make_norm(width)) for _ in context.inputs
        )  # fmt: skip
        self.start = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.blocks = nn.ModuleList(FusionBlock(width, p["n_heads"]) for _ in range(p["depth"]))
        self.pixels = nn.Conv2d(p["stem_width"] * len(context.inputs), p["stem_width"], 1)
        self.join = ConvBlock(width + p["stem_width"], p["stem_width"])
        self.head = nn.Sequential(nn.Dropout2d(p["dropout"]), nn.Conv2d(p["stem_width"], context.n_classes, 1))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        seen = [stem(inputs) for stem in self.stems]
        tokens, known = self._tokens(seen, inputs)
        fused = self.start + (tokens * known).sum(dim=1) / known.sum(dim=1).clamp_min(1)
        for block in self.blocks:
            fused, tokens = block(fused, tokens, known)
        pixels = self.pixels(torch.cat(seen, dim=1))
        logits: Tensor = self.head(self.join(torch.cat([resize_like(fused, pixels), pixels], dim=1)))
        return logits

    def gates(self, inputs: Mapping[str, Tensor]) -> dict[str, float]:
        """Give the mean weight of each cube in the first block, over places and heads; they sum to 1."""
        tokens, known = self._tokens([stem(inputs) for stem in self.stems], inputs)
        fused = self.start + (tokens * known).sum(dim=1) / known.sum(dim=1).clamp_min(1)
        first: FusionBlock = next(m for m in self.blocks if isinstance(m, FusionBlock))
        means = first.weigh(fused, tokens, known).mean(dim=(0, 2, 3, 4))
        return {spec.name: float(w) for spec, w in zip(self.inputs, means, strict=True)}

    def _tokens(self, seen: list[Tensor], inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Give tokens (batch, cube, width, y, x), and (batch, cube, 1, y, x): 1 where any pixel or date was observed."""
        made = torch.stack([layer(x) for layer, x in zip(self.tokenise, seen, strict=True)], dim=1)
        known = []
        for spec, ratio in zip(self.inputs, self.ratios, strict=True):
            valid = inputs[f"{spec.name}_valid"]
            valid = valid.unsqueeze(1) if spec.n_steps is None else valid.amax(dim=1, keepdim=True)
            known.append(functional.max_pool2d(enlarge(valid, ratio), 4).ceil())
        return made, torch.stack(known, dim=1)


def build(context: ChipContext) -> TokenFusion:
    """Make the network with random weights."""
    return TokenFusion(context)
