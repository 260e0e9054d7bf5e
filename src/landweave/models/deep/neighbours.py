"""Nearest neighbours among remembered features, as a layer that can be exported: what frozen features know without training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Neighbours"]

_TEMPERATURE = 0.07
"""Of the votes' weights exp(similarity / temperature), as in Wu et al. 2018 (arXiv:1805.01978, section 3.4)."""


class Neighbours(nn.Module):
    """Votes of the k remembered features with the highest cosine similarity; as many are remembered of every class."""

    bank: Tensor
    classes: Tensor
    count: Tensor

    def __init__(self, width: int, n_classes: int, memory: int, *, k: int) -> None:
        super().__init__()
        self.per_class = max(1, memory // n_classes)
        self.k = min(k, self.per_class)
        self.n_classes = n_classes
        self.register_buffer("bank", torch.zeros(n_classes * self.per_class, width))
        self.register_buffer("classes", torch.zeros(n_classes * self.per_class, n_classes))
        self.register_buffer("count", torch.zeros(n_classes, dtype=torch.long))

    def add(self, features: Tensor, target: Tensor) -> None:
        """Remember labelled pixels of (batch, channel, y, x), evenly over each batch, until a class is full.

        Args:
            features: Of every pixel.
            target: class column (batch, y, x), -1 without label.
        """
        rows = functional.normalize(features.movedim(1, -1)[target >= 0], dim=-1)
        labels = target[target >= 0]
        for column in range(self.n_classes):
            mine = rows[labels == column]
            free = min(self.per_class - int(self.count[column]), max(1, self.per_class // 8), len(mine))
            if free <= 0:
                continue
            at = column * self.per_class + int(self.count[column])
            self.bank[at : at + free] = mine[torch.linspace(0, len(mine) - 1, free).long()]
            self.classes[at : at + free, column] = 1
            self.count[column] += free

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (batch, class, y, x): the logarithm of the votes."""
        n = x.shape[0]
        rows = functional.normalize(x.flatten(2).transpose(1, 2), dim=-1)
        known = self.classes.amax(dim=1)
        similar = rows @ self.bank.T - 2 * (1 - known)  # empty places come last
        best, at = similar.topk(self.k, dim=-1)
        weights = (best / _TEMPERATURE).softmax(dim=-1)
        votes = (self.classes[at] * weights.unsqueeze(-1)).sum(dim=2)
        return (votes + 1e-4).log().transpose(1, 2).reshape(n, self.n_classes, *x.shape[-2:])
