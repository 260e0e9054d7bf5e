"""Encoders of series that read step by step: LSTM and GRU. Observed steps are moved to the front: gaps are never read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landweave.models.deep.series_attention import day_encoding
from landweave.models.deep.series_views import SeriesView

__all__ = ["Gru", "Lstm"]

DAY_WIDTH = 8


class _Recurrent(nn.Module):
    """What both share: the day beside the bands, the state after the last observed step."""

    cell: type[nn.LSTM] | type[nn.GRU]

    def __init__(self, view: SeriesView, *, width: int = 64, depth: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        self.n_out = width
        self.register_buffer("days", day_encoding(view.days, DAY_WIDTH))
        self.register_buffer("order", torch.arange(view.n_steps))
        self.run = self.cell(view.n_bands + DAY_WIDTH, width, num_layers=depth, batch_first=True)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        order = self.get_buffer("order")
        # observed steps keep their order and come first; keys are all different, so the order is definite
        late = order + (1 - valid).to(order.dtype) * order.shape[0]
        at = torch.topk(-late, order.shape[0], dim=1, sorted=True).indices
        days = self.get_buffer("days").expand(x.shape[0], -1, -1)
        series = torch.cat([x, days], dim=2)
        series = series.gather(1, at[:, :, None].expand(-1, -1, series.shape[2]))
        states = self.run(series)[0]
        count = valid.sum(dim=1)
        last = (count.clamp_min(1) - 1).to(torch.int64)
        state = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        encoded: Tensor = self.out(state * (count > 0).to(state.dtype)[:, None])
        return encoded


class Lstm(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735)."""

    cell = nn.LSTM


class Gru(_Recurrent):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078, eq. 5 to 8)."""

    cell = nn.GRU
