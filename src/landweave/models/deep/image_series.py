"""Networks for series of images: U-TAE, and 3-D U-Net and ConvLSTM to compare it with.

The cube with the most values per pixel is the series that they follow through time; all other cubes join at full size by a
per-pixel stem. Dates without a single valid pixel near by have no weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, Normaliser, make_norm
from landweave.models.inputs import step_days
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

__all__ = ["ConvLstm", "SeriesNetwork", "UNet3D", "Utae", "build_convlstm", "build_unet3d", "build_utae"]


class SeriesNetwork(ImageNetwork):
    """Base: the series date by date, the other cubes beside it, and the head."""

    def __init__(self, context: ChipContext, width: int) -> None:
        super().__init__(context)
        self.followed = _find_series(context.inputs, context.ratios)
        others = [(i, r) for i, r in zip(context.inputs, context.ratios, strict=True) if i is not self.followed]
        self.normalise = Normaliser(self.followed)
        n_in = len(self.followed.bands) + 1
        self.date_stem = nn.Sequential(nn.Conv2d(n_in, width, 1), make_norm(width), nn.ReLU())
        self.others = CubeStem([i for i, _ in others], [r for _, r in others], width) if others else None
        self.join = ConvBlock(2 * width if others else width, width)
        self.head = nn.Conv2d(width, context.n_classes, 1)

    def dates(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Give features (batch, time, width, y, x) and validity (batch, time, 1, y, x) of the series."""
        values, valid = self.normalise(inputs)
        n, steps = values.shape[:2]
        made = self.date_stem(torch.cat([values, valid], dim=2).flatten(0, 1))
        return split_dates(made, n, steps) * valid, valid

    def finish(self, x: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Join what the series gave (batch, width, y, x) with the other cubes; gives logits."""
        joined = x if self.others is None else torch.cat([x, self.others(inputs)], dim=1)
        logits: Tensor = self.head(self.join(joined))
        return logits


def _find_series(inputs: tuple[ModelInput, ...], ratios: tuple[int, ...]) -> ModelInput:
    known = [i for i, r in zip(inputs, ratios, strict=True) if r == 1 and (i.n_steps or 0) > 1]
    if not known:
        told = ", ".join(f"{i.name} ({i.n_steps or 'no'} dates, ratio {r})" for i, r in zip(inputs, ratios, strict=True))
        raise ModelError(f"a network for image series needs a cube with several dates on the finest grid; there are {told}. "
                         "Take unet or segformer")  # fmt: skip
    return max(known, key=lambda i: (i.n_steps or 0) * len(i.bands))


def split_dates(x: Tensor, n: int, steps: int) -> Tensor:
    """Split the first axis of (batch * time, ...) again; `unflatten` would fix the batch when it is exported."""
    return x.reshape(n, steps, *x.shape[1:])


def _mean_over_time(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid).sum(dim=1) / valid.sum(dim=1).clamp_min(1)


class Utae(SeriesNetwork):
    """U-TAE (Garnot and Landrieu 2021, arXiv:2107.07933): one encoder for all dates, attention over time where it is coarsest.

    The masks of the L-TAE's heads (arXiv:2007.00586, eq. 1 and 2: one learnt query per head, keys from the features with the
    day's sinusoids) weight the dates at every finer level, too, each head its share of the channels.
    """

    days: Tensor

    def __init__(self, context: ChipContext) -> None:
        p = context.params
        width, depth = p["width"], p["depth"]
        super().__init__(context, width)
        self.stride, self.n_heads, self.key_size = 2**depth, p["n_heads"], p["key_size"]
        widths = [width * 2 ** min(level, 2) for level in range(depth + 1)]
        if any(w % self.n_heads for w in widths):
            raise ModelError(f"width {width} is no multiple of n_heads {self.n_heads}; give a width such as {4 * self.n_heads}")
        self.down = nn.ModuleList(ConvBlock(widths[max(0, i - 1)], w) for i, w in enumerate(widths))
        self.up = nn.ModuleList(ConvBlock(widths[i + 1] + w, w) for i, w in enumerate(widths[:-1]))
        self.keys = nn.Conv2d(widths[-1], self.n_heads * self.key_size, 1)
        self.query = nn.Parameter(torch.randn(self.n_heads, self.key_size) / math.sqrt(self.key_size))
        self.register_buffer("days", encode_days(step_days(self.followed), widths[-1]))

    def attend(self, x: Tensor, valid: Tensor) -> Tensor:
        """Give the weight of each date (batch, head, time, y, x) at the coarsest level."""
        n, steps = x.shape[:2]
        keyed = self.keys((x + self.days[None, :, :, None, None]).flatten(0, 1))
        keyed = keyed.reshape(n, steps, self.n_heads, self.key_size, *x.shape[3:])
        scores = (keyed * self.query[None, None, :, :, None, None]).sum(dim=3) / math.sqrt(self.key_size)
        scores = scores - 1e4 * (1 - valid)  # a cell without any date weights all alike
        weights: Tensor = scores.softmax(dim=1).transpose(1, 2)
        return weights

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x, valid = self.dates(inputs)
        n, steps = x.shape[:2]
        flat, known, levels = x.flatten(0, 1), valid.flatten(0, 1), []
        for level, block in enumerate(self.down):
            flat = block(flat if level == 0 else functional.max_pool2d(flat, 2))
            known = known if level == 0 else functional.max_pool2d(known, 2)
            levels.append(split_dates(flat, n, steps))
        weights = self.attend(levels[-1], split_dates(known, n, steps))
        made = self._pool(levels[-1], weights)
        for level in range(len(self.up) - 1, -1, -1):
            weights = _double(weights)
            made = functional.interpolate(made, scale_factor=2.0, mode="nearest")
            made = self.up[level](torch.cat([made, self._pool(levels[level], weights)], dim=1))
        return self.finish(made, inputs)

    def _pool(self, x: Tensor, weights: Tensor) -> Tensor:
        """Weight the dates of (batch, time, channel, y, x), each head its share of the channels."""
        n, steps, channels = x.shape[:3]
        grouped = x.reshape(n, steps, self.n_heads, channels // self.n_heads, *x.shape[3:]).transpose(1, 2)
        return (grouped * weights.unsqueeze(3)).sum(dim=2).flatten(1, 2)


def _double(weights: Tensor) -> Tensor:
    n, heads = weights.shape[:2]
    larger = functional.interpolate(weights.flatten(0, 1), scale_factor=2.0, mode="bilinear", align_corners=False)
    return split_dates(larger, n, heads)


def encode_days(days: np.ndarray[tuple[int], np.dtype[np.float64]], width: int) -> Tensor:
    """Encode days since the first as sinusoids (time, width), with periods from 6 to 6000 days (Vaswani et al. 2017)."""
    since = torch.from_numpy(np.asarray(days - days.min(), dtype=np.float64))
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(1000.0) / width))
    angles = since[:, None] * rates[None]
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width].float()


class UNet3D(SeriesNetwork):
    """3-D U-Net (Rustowicz et al. 2019 for crops; Cicek et al. 2016, arXiv:1606.06650): space and time convolved together."""

    def __init__(self, context: ChipContext) -> None:
        p = context.params
        width, depth = p["width"], p["depth"]
        super().__init__(context, width)
        self.stride = 2**depth
        widths = [width * 2 ** min(level, 2) for level in range(depth + 1)]
        self.down = nn.ModuleList(_cubic(widths[max(0, i - 1)], w) for i, w in enumerate(widths))
        self.up = nn.ModuleList(_cubic(widths[i + 1] + w, w) for i, w in enumerate(widths[:-1]))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x, valid = self.dates(inputs)
        made, seen = x.transpose(1, 2), []
        for level, block in enumerate(self.down):
            made = block(made if level == 0 else functional.max_pool3d(made, (1, 2, 2)))
            seen.append(made)
        for level in range(len(self.up) - 1, -1, -1):
            made = functional.interpolate(made, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
            made = self.up[level](torch.cat([made, seen[level]], dim=1))
        return self.finish(_mean_over_time(made.transpose(1, 2), valid), inputs)


def _cubic(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(n_in, n_out, 3, padding=1, bias=False), make_norm(n_out), nn.ReLU())


class ConvLstm(SeriesNetwork):
    """Convolutional LSTM (Shi et al. 2015, arXiv:1506.04214, eq. 3 without peepholes) at half size, over all dates in order."""

    def __init__(self, context: ChipContext) -> None:
        width = context.params["width"]
        super().__init__(context, width)
        self.stride, self.hidden = 2, 2 * width
        self.shrink = ConvBlock(width, self.hidden)
        self.gates = nn.Conv2d(2 * self.hidden, 4 * self.hidden, 3, padding=1)
        self.widen = ConvBlock(self.hidden + width, width)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x, valid = self.dates(inputs)
        n, steps = x.shape[:2]
        small = split_dates(self.shrink(functional.max_pool2d(x.flatten(0, 1), 2)), n, steps)
        known = split_dates(functional.max_pool2d(valid.flatten(0, 1), 2), n, steps)
        hidden = torch.zeros_like(small[:, 0])
        cell = torch.zeros_like(hidden)
        for step in range(self.followed.n_steps or 1):
            gate = self.gates(torch.cat([small[:, step], hidden], dim=1))
            i, f, o, g = gate.chunk(4, dim=1)
            new = (f + 1).sigmoid() * cell + i.sigmoid() * g.tanh()
            seen = known[:, step]  # a date without observation changes nothing
            cell = seen * new + (1 - seen) * cell
            hidden = seen * (o.sigmoid() * new.tanh()) + (1 - seen) * hidden
        large = functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
        return self.finish(self.widen(torch.cat([large, _mean_over_time(x, valid)], dim=1)), inputs)


def build_utae(context: ChipContext) -> Utae:
    """Make a U-TAE with random weights."""
    return Utae(context)


def build_unet3d(context: ChipContext) -> UNet3D:
    """Make a 3-D U-Net with random weights."""
    return UNet3D(context)


def build_convlstm(context: ChipContext) -> ConvLstm:
    """Make a ConvLSTM with random weights."""
    return ConvLstm(context)
