"""Several revisits of one place, understood one by one and fused in latent space: one encoder for every date, one decoder.

Unlike U-TAE each level is fused by itself, and by means that do not depend on the number of dates. The day of each date steers
its features (FiLM), so that the encoder knows the season of what it sees.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.image_metadata import Film
from landweave.models.deep.image_series import SeriesNetwork, encode_days, split_dates
from landweave.models.deep.image_unet import UNetBody
from landweave.models.inputs import step_days
from landweave.models.registry import ChipContext

__all__ = ["Revisits", "build"]

FUSIONS = ("mean", "max", "attention")
_DAY_WIDTH = 16


class Revisits(SeriesNetwork):
    """U-Net whose encoder sees one date at a time; its levels are fused over the dates before the decoder."""

    days: Tensor

    def __init__(self, context: ChipContext) -> None:
        p = context.params
        super().__init__(context, p["width"])
        if p["fuse"] not in FUSIONS:
            raise ModelError(f"fuse is {p['fuse']!r}; choose among {', '.join(FUSIONS)}")
        self.fuse, self.stride = p["fuse"], 2 ** p["depth"]
        self.body = UNetBody(p["width"], p["depth"], dropout=p["dropout"])
        self.steer = Film(_DAY_WIDTH, p["width"])
        widths = [p["width"] * 2**level for level in range(p["depth"] + 1)]
        self.score = nn.ModuleList(nn.Conv2d(w, 1, 1) for w in widths) if self.fuse == "attention" else None
        self.register_buffer("days", encode_days(step_days(self.followed), _DAY_WIDTH))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        x, valid = self.dates(inputs)
        n, steps = x.shape[:2]
        days = (self.days[None] + 0 * x[:, :, :1, 0, 0]).flatten(0, 1)
        steered = self.steer(x.flatten(0, 1), days) * valid.flatten(0, 1)
        known, fused = valid.flatten(0, 1), []
        for number, level in enumerate(self.body.encode(steered)):
            known = known if number == 0 else functional.max_pool2d(known, 2)
            fused.append(self._fuse(number, split_dates(level, n, steps), split_dates(known, n, steps)))
        return self.finish(self.body.decode(fused), inputs)

    def _fuse(self, number: int, x: Tensor, valid: Tensor) -> Tensor:
        """Fuse (batch, time, channel, y, x) over the dates that saw the place; 0 where none did."""
        if self.fuse == "mean":
            return (x * valid).sum(dim=1) / valid.sum(dim=1).clamp_min(1)
        if self.fuse == "max":
            return (x - 1e4 * (1 - valid)).amax(dim=1) * valid.amax(dim=1)
        scores = split_dates(self.score[number](x.flatten(0, 1)), *x.shape[:2]) if self.score is not None else x[:, :, :1]
        weights = (scores - 1e4 * (1 - valid)).softmax(dim=1)
        return (x * weights).sum(dim=1) * valid.amax(dim=1)


def build(context: ChipContext) -> Revisits:
    """Make the network with random weights."""
    return Revisits(context)
