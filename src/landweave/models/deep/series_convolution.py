"""Encoders of series by convolution over time: TempCNN, residual network, InceptionTime.

Gaps are 0 and the mask is one more channel; pooling is over the observed steps.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from landweave.models.deep.series_views import SeriesView

__all__ = ["InceptionTime", "ResNet1d", "TempCnn"]


def _channels(x: Tensor, valid: Tensor) -> Tensor:
    """Give (row, band + 1, step), the mask as the last channel."""
    return torch.cat([x * valid[:, :, None], valid[:, :, None]], dim=2).transpose(1, 2)


def _pool(x: Tensor, valid: Tensor) -> Tensor:
    """Give the mean over observed steps of (row, channel, step)."""
    return (x * valid[:, None, :]).sum(dim=2) / valid.sum(dim=1, keepdim=True).clamp_min(1)


def _conv(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(n_in, n_out, kernel, padding="same", bias=False), nn.BatchNorm1d(n_out))


class TempCnn(nn.Module):
    """Three convolutions over time and a dense layer (Pelletier, Webb and Petitjean 2019, doi:10.3390/rs11050523, fig. 4)."""

    def __init__(
        self, view: SeriesView, *, filters: int = 64, kernel: int = 5, dense: int = 256, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.n_out = dense
        sizes = [view.n_bands + 1, filters, filters, filters]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            layers += [_conv(n_in, n_out, kernel), nn.ReLU(), nn.Dropout(dropout)]
        self.convolve = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Linear(filters * view.n_steps, dense, bias=False), nn.BatchNorm1d(dense), nn.ReLU(), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        encoded: Tensor = self.dense(self.convolve(_channels(x, valid)).flatten(1))
        return encoded


class _Residual(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            _conv(n_in, n_out, 7), nn.ReLU(), _conv(n_out, n_out, 5), nn.ReLU(), _conv(n_out, n_out, 3)
        )
        self.skip = _conv(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.skip(x))


class ResNet1d(nn.Module):
    """Three residual blocks of kernels 7, 5 and 3, mean over time (Wang, Yan and Oates 2017, arXiv:1611.06455, eq. 3).

    The paper's first kernel is 8; an odd one has a step in its middle.
    """

    def __init__(self, view: SeriesView, *, filters: int = 48, dropout: float = 0.2) -> None:
        super().__init__()
        self.n_out = 2 * filters
        self.blocks = nn.Sequential(
            _Residual(view.n_bands + 1, filters), _Residual(filters, 2 * filters), _Residual(2 * filters, 2 * filters)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        encoded: Tensor = self.drop(_pool(self.blocks(_channels(x, valid)), valid))
        return encoded


class _Inception(nn.Module):
    """Convolutions of three lengths and a max-pool side by side, behind a bottleneck."""

    def __init__(self, n_in: int, filters: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.bottleneck = nn.Conv1d(n_in, filters, 1, bias=False)
        self.branches = nn.ModuleList([nn.Conv1d(filters, filters, k, padding="same", bias=False) for k in kernels])
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), nn.Conv1d(n_in, filters, 1, bias=False))
        self.norm = nn.BatchNorm1d(filters * (len(kernels) + 1))

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        joined = torch.cat([*(branch(narrow) for branch in self.branches), self.pooled(x)], dim=1)
        return torch.relu(self.norm(joined))


class InceptionTime(nn.Module):
    """Six inception modules with a skip over every three, mean over time (Fawaz et al. 2020, arXiv:1909.04939, fig. 1 and 2).

    Kernels longer than the series are cut to its length.
    """

    def __init__(self, view: SeriesView, *, filters: int = 16, depth: int = 6, dropout: float = 0.2) -> None:
        super().__init__()
        kernels = tuple(min(k, view.n_steps) | 1 for k in (9, 19, 39))
        wide = 4 * filters
        self.n_out, n_in = wide, view.n_bands + 1
        self.modules_ = nn.ModuleList([_Inception(n_in if d == 0 else wide, filters, kernels) for d in range(depth)])
        self.skips = nn.ModuleList([_conv(n_in if d < 3 else wide, wide, 1) for d in range(2, depth, 3)])
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        kept = series = _channels(x, valid)
        for d, module in enumerate(self.modules_):
            series = module(series)
            if d % 3 == 2:
                kept = series = torch.relu(series + self.skips[d // 3](kept))
        encoded: Tensor = self.drop(_pool(series, valid))
        return encoded
