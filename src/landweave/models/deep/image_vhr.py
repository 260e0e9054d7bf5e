"""A fine image and a satellite series in one network: a U-Net over the image, a U-TAE over the series, joined at the encoder.

After the two branches of U-T&T (Garioud et al. 2023, arXiv:2305.14467): what the series branch found is added to every level of
the image's encoder, once place by place ("cropped") and once as the mean of the whole chip ("collapsed"). Other than there, the
series covers the chip alone rather than a wider patch around it, and has no loss of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.deep.image_parts import CubeStem, ImageNetwork, resize_like
from landweave.models.deep.image_series import Utae
from landweave.models.deep.image_unet import UNetBody
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

__all__ = ["SeriesBridge", "VhrSeries", "build"]


class SeriesBridge(nn.Module):
    """Bring features of the series branch to every level of the image's encoder."""

    def __init__(self, n_in: int, widths: Sequence[int], *, dropout: float) -> None:
        super().__init__()
        self.cropped = nn.ModuleList(nn.Conv2d(n_in, w, 1) for w in widths)
        self.collapsed = nn.ModuleList(
            nn.Sequential(nn.Linear(n_in, 2 * n_in), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * n_in, w)) for w in widths
        )  # fmt: skip

    def forward(self, series: Tensor, levels: Sequence[Tensor]) -> list[Tensor]:
        """Add features (batch, n_in, y, x) of any pixel size to each level."""
        whole = series.mean(dim=(-2, -1))
        return [
            level + resize_like(place(series), level) + mean(whole)[:, :, None, None]
            for level, place, mean in zip(levels, self.cropped, self.collapsed, strict=True)
        ]  # fmt: skip


class VhrSeries(ImageNetwork):
    """U-Net over all but one input, which is the series that a U-TAE follows on its own, usually coarser, grid."""

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        followed = _choose_series(context, p["series"])
        at = context.inputs.index(followed)
        ratio = context.ratios[at]
        rest = [(i, r) for i, r in zip(context.inputs, context.ratios, strict=True) if i is not followed]
        self.stem = CubeStem([i for i, _ in rest], [r for _, r in rest], p["width"], hidden=p["stem_width"])
        self.body = UNetBody(p["width"], p["depth"], dropout=p["dropout"])
        series = {"width": p["series_width"], "depth": p["series_depth"], "n_heads": p["n_heads"], "key_size": p["key_size"]}
        self.series = Utae(replace(context, params=series, inputs=(followed,), ratios=(1,), n_classes=p["series_width"]))
        self.stride = math.lcm(2 ** p["depth"], ratio * 2 ** p["series_depth"])
        widths = [p["width"] * 2**level for level in range(p["depth"] + 1)]
        self.bridge = SeriesBridge(p["series_width"], widths, dropout=p["dropout"])
        self.head = nn.Conv2d(p["width"], context.n_classes, 1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        levels = self.body.encode(self.stem(inputs))
        logits: Tensor = self.head(self.body.decode(self.bridge(torch.relu(self.series(inputs)), levels)))
        return logits


def _choose_series(context: ChipContext, name: str) -> ModelInput:
    """Find the series: the one of that name, or of "auto" the coarsest with dates, the longest of several."""
    told = ", ".join(f"{i.name} ({i.n_steps or 'no'} dates)" for i in context.inputs)
    dated = [(r, (i.n_steps or 0) * len(i.bands), i) for i, r in zip(context.inputs, context.ratios, strict=True)
             if (i.n_steps or 0) > 1 and name in ("auto", i.name)]  # fmt: skip
    if not dated or len(context.inputs) < 2:
        wanted = "a series" if name == "auto" else f"the series {name!r}"
        raise ModelError(f"vhr-series joins an image and {wanted} of several dates, and "
                         f"there are {told}; add the source, or take utae or unet")  # fmt: skip
    return max(dated, key=lambda d: d[:2])[2]


def build(context: ChipContext) -> VhrSeries:
    """Make the network with random weights."""
    return VhrSeries(context)
