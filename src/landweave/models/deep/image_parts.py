"""Parts that image networks share: how cubes become one feature map, convolution blocks, attention over channels and rows.

A network of this package is called with a dict of tensors: per input `name` float32 (batch, time, band, y, x), or (batch, band,
y, x) when static, with 0 for missing values, and `name_valid` float32 0/1 (batch, time, y, x) or (batch, y, x). It gives logits
(batch, class, y, x) on the pixels of the finest input. Group norm throughout: it works for a batch of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.trainer import Batch
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

__all__ = ["Attention", "ConvBlock", "CoordinateAttention", "CubeStem", "ImageNetwork", "SqueezeExcitation", "make_norm"]

Attention = Literal["none", "se", "coordinate"]


class ImageNetwork(nn.Module):
    """Base of networks that see chips.

    Attributes:
        stride: A chip's side must be a multiple of it.
        dynamic_size: Whether the network takes any multiple of the stride (fully convolutional), or the training size alone.
    """

    stride: int = 1
    dynamic_size: bool = True

    def __init__(self, context: ChipContext) -> None:
        super().__init__()
        self.inputs, self.ratios, self.n_classes = context.inputs, context.ratios, context.n_classes

    def set_statistics(self, mean: Mapping[str, Tensor], std: Mapping[str, Tensor]) -> None:
        """Set the mean and standard deviation of each input's bands, by which the network normalises what it is given."""
        for module in self.modules():
            if isinstance(module, Normaliser):
                module.mean.copy_(mean[module.name])
                module.std.copy_(std[module.name])

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        raise NotImplementedError

    def memorise(self, batches: Iterable[Batch]) -> bool:
        """Learn from one pass over the training batches without gradients; False for networks that learn by them."""
        return False

    def finish_training(self) -> None:
        """Bring the trained network into the form that is exported; nothing for most."""


class Normaliser(nn.Module):
    """Values of one input to mean 0 and standard deviation 1 per band; 0 where the pixel is not valid."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: ModelInput) -> None:
        super().__init__()
        self.name, self.is_series = spec.name, spec.n_steps is not None
        self.register_buffer("mean", torch.zeros(len(spec.bands)))
        self.register_buffer("std", torch.ones(len(spec.bands)))

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Give values (batch, time, band, y, x) and validity (batch, time, 1, y, x); a static input has one step."""
        values, valid = inputs[self.name], inputs[f"{self.name}_valid"]
        if not self.is_series:
            values, valid = values.unsqueeze(1), valid.unsqueeze(1)
        valid = valid.unsqueeze(2)
        shape = (1, 1, -1, 1, 1)
        return (values - self.mean.reshape(shape)) / self.std.reshape(shape) * valid, valid


def make_norm(channels: int) -> nn.Module:
    """Give a group norm (Wu and He 2018, arXiv:1803.08494) with groups of about 8 channels."""
    groups = next(g for g in range(max(1, channels // 8), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels)


class CubeStem(nn.Module):
    """All cubes to one feature map on the finest grid, pixel by pixel: what a per-pixel network sees, before space comes in.

    Time steps and bands are laid side by side with one validity layer a step; coarser inputs are enlarged bilinearly; two
    1 x 1 convolutions mix them.
    """

    def __init__(self, inputs: Sequence[ModelInput], ratios: Sequence[int], width: int, *, hidden: int | None = None) -> None:
        super().__init__()
        self.ratios = tuple(ratios)
        self.normalisers = nn.ModuleList(Normaliser(i) for i in inputs)
        n_in = sum((i.n_steps or 1) * (len(i.bands) + 1) for i in inputs)
        hidden = hidden or 2 * width
        self.mix = nn.Sequential(nn.Conv2d(n_in, hidden, 1), make_norm(hidden), nn.ReLU(), nn.Conv2d(hidden, width, 1),
                                 make_norm(width), nn.ReLU())  # fmt: skip

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give features (batch, width, y, x)."""
        parts = []
        for normalise, ratio in zip(self.normalisers, self.ratios, strict=True):
            values, valid = normalise(inputs)
            flat = torch.cat([values, valid], dim=2).flatten(1, 2)
            parts.append(enlarge(flat, ratio))
        mixed: Tensor = self.mix(torch.cat(parts, dim=1))
        return mixed


def enlarge(x: Tensor, ratio: int) -> Tensor:
    """Enlarge (batch, channel, y, x) by a whole factor, bilinearly between pixel centres."""
    return x if ratio == 1 else functional.interpolate(x, scale_factor=float(ratio), mode="bilinear", align_corners=False)


def resize_like(x: Tensor, like: Tensor) -> Tensor:
    """Resize (batch, channel, y, x) to the rows and columns of another tensor, bilinearly between pixel centres."""
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class SqueezeExcitation(nn.Module):
    """Channels weighted by what the whole chip shows (Hu et al. 2018, arXiv:1709.01507, section 3)."""

    def __init__(self, channels: int, *, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.gate = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Give the weighted channels."""
        gated: Tensor = x * self.gate(x.mean(dim=(-2, -1), keepdim=True))
        return gated


class CoordinateAttention(nn.Module):
    """Channels weighted per row and per column (Hou et al. 2021, arXiv:2103.02907, eq. 4 to 9), with group norm."""

    def __init__(self, channels: int, *, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.shared = nn.Sequential(nn.Conv2d(channels, hidden, 1), make_norm(hidden), nn.Hardswish())
        self.rows, self.cols = nn.Conv2d(hidden, channels, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the weighted channels."""
        height = x.shape[-2]
        by_row, by_col = x.mean(dim=-1, keepdim=True), x.mean(dim=-2, keepdim=True).transpose(-1, -2)
        both = self.shared(torch.cat([by_row, by_col], dim=-2))
        rows, cols = both[..., :height, :], both[..., height:, :].transpose(-1, -2)
        gated: Tensor = x * self.rows(rows).sigmoid() * self.cols(cols).sigmoid()
        return gated


_ATTENTION: dict[str, Any] = {"none": nn.Identity, "se": SqueezeExcitation, "coordinate": CoordinateAttention}


def make_attention(name: str, channels: int) -> nn.Module:
    """Make an attention module by name.

    Raises:
        ModelError: If there is none of that name.
    """
    if name not in _ATTENTION:
        raise ModelError(f"attention is {name!r}; choose among {', '.join(_ATTENTION)}")
    made: nn.Module = nn.Identity() if name == "none" else _ATTENTION[name](channels)
    return made


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions with norm, a short cut around them, and attention."""

    def __init__(self, n_in: int, n_out: int, *, attention: str = "none", dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=dilation, dilation=dilation, bias=False), make_norm(n_out), nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=dilation, dilation=dilation, bias=False), make_norm(n_out),
            make_attention(attention, n_out),
        )  # fmt: skip
        self.short = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Give features of the same rows and columns."""
        return functional.relu(self.body(x) + self.short(x))
