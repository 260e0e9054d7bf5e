"""Encoders of series by attention over time: transformer, temporal attention encoder (TAE) and its light form (L-TAE).

Every encoder takes (row, step, band) and a mask (row, step), and gives (row, n_out); steps with mask 0 are never seen.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from landweave.models.deep.series_views import SeriesView

__all__ = ["LightTemporalAttention", "TemporalAttention", "TransformerEncoder", "day_encoding"]

NEVER = -1e4
"""Score of a step that is not observed: exp of it is 0 in float32, and a row without any step stays finite."""


def day_encoding(days: tuple[float, ...], width: int, period: float = 1000.0) -> Tensor:
    """Give sines and cosines of the day (step, width) at wavelengths growing to `period` (Vaswani et al. 2017, section 3.5).

    As in Garnot and Landrieu 2020 (arXiv:2007.00586, eq. 2) the day takes the place of the position.
    """
    angle = torch.tensor(days)[:, None] / period ** (2 * (torch.arange(width) // 2) / width)
    even = torch.arange(width) % 2 == 0
    return torch.where(even, angle.sin(), angle.cos()).float()


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """Give the softmax over the last axis of what is valid (1), 0 elsewhere and where nothing is valid."""
    return (scores + (1 - valid) * NEVER).softmax(dim=-1) * valid


class _Embed(nn.Module):
    """Bands to `width` features, with the day added."""

    def __init__(self, view: SeriesView, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(view.n_bands, width), nn.LayerNorm(width))
        self.register_buffer("days", day_encoding(view.days, width))

    def forward(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.project(x) + self.get_buffer("days")
        return encoded


class LightTemporalAttention(nn.Module):
    """L-TAE (Garnot and Landrieu 2020, arXiv:2007.00586): one learnt query per head, features dealt out to the heads.

    Head h: a_h = softmax(q_h . K_h e / sqrt(d_k)) over the steps, o_h = sum_t a_h(t) e_h(t) (eq. 3 and 4), then a perceptron.
    """

    def __init__(
        self, view: SeriesView, *, width: int = 64, n_heads: int = 8, key_width: int = 8, hidden: int = 64, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.n_heads, self.key_width, self.n_out = n_heads, key_width, hidden
        self.embed = _Embed(view, width)
        self.keys = nn.Linear(width, n_heads * key_width)
        self.query = nn.Parameter(torch.randn(n_heads, key_width) * math.sqrt(2 / key_width))
        self.out = nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        e = self.embed(x)
        n, steps, width = e.shape
        keys = self.keys(e).reshape(n, steps, self.n_heads, self.key_width)
        scores = (keys * self.query).sum(dim=-1).transpose(1, 2) / math.sqrt(self.key_width)
        attention = masked_softmax(scores, valid[:, None, :])
        parts = e.reshape(n, steps, self.n_heads, width // self.n_heads).permute(0, 2, 1, 3)
        pooled = torch.matmul(attention[:, :, None, :], parts).reshape(n, width)
        encoded: Tensor = self.norm(self.out(pooled))
        return encoded


class TemporalAttention(nn.Module):
    """TAE (Garnot et al. 2020, arXiv:1911.07757): each head's query is the mean of its queries over the steps (eq. 5 to 7)."""

    def __init__(
        self, view: SeriesView, *, width: int = 32, n_heads: int = 4, key_width: int = 8, hidden: int = 64, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.n_heads, self.key_width, self.n_out = n_heads, key_width, hidden
        self.embed = _Embed(view, width)
        self.keys = nn.Linear(width, n_heads * key_width)
        self.queries = nn.Linear(width, n_heads * key_width)
        self.out = nn.Sequential(nn.Linear(n_heads * width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        e = self.embed(x)
        shape = (-1, e.shape[1], self.n_heads, self.key_width)
        queries = self.queries(e).reshape(shape) * valid[:, :, None, None]
        query = queries.sum(dim=1) / valid.sum(dim=1).clamp_min(1)[:, None, None]
        scores = (self.keys(e).reshape(shape) * query[:, None]).sum(dim=-1).transpose(1, 2) / math.sqrt(self.key_width)
        pooled = torch.matmul(masked_softmax(scores, valid[:, None, :]), e)
        encoded: Tensor = self.out(pooled.flatten(1))
        return encoded


class _Block(nn.Module):
    """One layer of a transformer, norms first (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        n, steps, width = x.shape
        parts = self.project(self.first(x)).reshape(n, steps, 3, self.n_heads, width // self.n_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(width // self.n_heads)
        mixed = torch.matmul(masked_softmax(scores, valid[:, None, None, :]), v).transpose(1, 2).reshape(n, steps, width)
        x = x + self.drop(self.out(mixed))
        encoded: Tensor = x + self.drop(self.dense(self.second(x)))
        return encoded


class TransformerEncoder(nn.Module):
    """Self-attention over the observed steps (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), then their mean.

    For satellite series as in Russwurm and Koerner 2020 (doi:10.1016/j.isprsjprs.2020.06.006).
    """

    def __init__(
        self, view: SeriesView, *, width: int = 48, n_heads: int = 4, depth: int = 2, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.n_out = width
        self.embed = _Embed(view, width)
        self.blocks = nn.ModuleList([_Block(width, n_heads, dropout) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        e = self.embed(x)
        for block in self.blocks:
            e = block(e, valid)
        encoded: Tensor = (self.norm(e) * valid[:, :, None]).sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp_min(1)
        return encoded
