"""Encoders without an idea of time: the perceptron over all steps, and the small one of a static input."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from landweave.models.deep.series_views import SeriesView

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    """Dense layers with batch norm over all steps and bands, the mask beside them (Rumelhart et al. 1986)."""

    def __init__(self, view: SeriesView, *, width: int = 128, depth: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        self.n_out = width
        sizes = [view.n_steps * (view.n_bands + 1), *[width] * depth]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Encode."""
        encoded: Tensor = self.layers(torch.cat([(x * valid[:, :, None]).flatten(1), valid], dim=1))
        return encoded
