"""Losses of regions, for maps: dice, Tversky, Lovasz-softmax, weighted boundaries, and cross-entropy with dice or Lovasz.

They take logits (batch, class, y, x) and class_index (batch, y, x); pixels with -1 count nowhere. A class that no pixel of the
batch has is left out of the mean over classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from landweave.models.deep.losses import IGNORED, CrossEntropy, Loss, register_loss

__all__ = ["BoundaryCrossEntropy", "CrossEntropyDice", "CrossEntropyLovasz", "Dice", "Lovasz", "Tversky"]


def _flatten(output: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Give probabilities (pixel, class), classes (pixel,) and weights (pixel,) of the pixels that count."""
    kept = target.reshape(-1) != IGNORED
    proba = output.softmax(dim=1).movedim(1, -1).reshape(-1, output.shape[1])[kept]
    weights = torch.ones_like(proba[:, 0]) if weight is None else weight.reshape(-1)[kept]
    return proba, target.reshape(-1)[kept], weights


class Tversky(Loss):
    """1 - TP / (TP + alpha FP + beta FN), the mean over classes (Salehi et al. 2017, arXiv:1706.05721, eq. 1).

    The sums run over the batch. Above 0.5, `beta` makes omissions dearer than commissions.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the mean over the classes that occur; 0 where nothing is labelled."""
        proba, index, weights = _flatten(output, target, weight)
        if not len(index):
            return output.sum() * 0
        truth = functional.one_hot(index, proba.shape[1]).to(proba.dtype) * weights[:, None]
        hit = (proba * truth).sum(dim=0)
        false = (proba * weights[:, None]).sum(dim=0) - hit
        missed = truth.sum(dim=0) - hit
        score = (hit + 1e-6) / (hit + self.alpha * false + self.beta * missed + 1e-6)
        present = truth.sum(dim=0) > 0
        return (1 - score)[present].mean()


class Dice(Tversky):
    """Soft dice loss: Tversky with alpha = beta = 1/2 (Milletari et al. 2016, arXiv:1606.04797, without the squares)."""

    def __init__(self) -> None:
        super().__init__(alpha=0.5, beta=0.5)


class Lovasz(Loss):
    """Lovasz-softmax, the surrogate of 1 - mean IoU (Berman et al. 2018, arXiv:1705.08790, eq. 9 and algorithm 1)."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the mean over the classes that occur; pixel weights have no place in it and must be None or equal."""
        proba, index, _ = _flatten(output, target, None)
        if not len(index):
            return output.sum() * 0
        losses = []
        for k in torch.unique(index):
            truth = (index == k).to(proba.dtype)
            errors, order = (truth - proba[:, k]).abs().sort(descending=True)
            losses.append((errors * _jaccard_steps(truth[order])).sum())
        return torch.stack(losses).mean()


def _jaccard_steps(truth: Tensor) -> Tensor:
    """Give how much the Jaccard loss grows with each further error, truth sorted by error (algorithm 1)."""
    total = truth.sum()
    intersection = total - truth.cumsum(dim=0)
    union = total + (1 - truth).cumsum(dim=0)
    jaccard = 1 - intersection / union
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


class CrossEntropyDice(Loss):
    """Cross-entropy plus `share` times dice: the first for every pixel, the second for every class."""

    def __init__(self, share: float = 1.0, smoothing: float = 0.0) -> None:
        super().__init__()
        self.share, self.pixels, self.regions = share, CrossEntropy(smoothing), Dice()

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the sum."""
        total: Tensor = self.pixels(output, target, weight) + self.share * self.regions(output, target, weight)
        return total


class CrossEntropyLovasz(Loss):
    """Cross-entropy plus `share` times Lovasz-softmax."""

    def __init__(self, share: float = 1.0, smoothing: float = 0.0) -> None:
        super().__init__()
        self.share, self.pixels, self.regions = share, CrossEntropy(smoothing), Lovasz()

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the sum."""
        total: Tensor = self.pixels(output, target, weight) + self.share * self.regions(output, target, weight)
        return total


class BoundaryCrossEntropy(CrossEntropy):
    """Cross-entropy with weight 1 + strength exp(-d^2 / (2 sigma^2)), d the pixels to the nearest other class.

    The distance term of U-Net's weight map (Ronneberger et al. 2015, arXiv:1505.04597, eq. 2) for classes that touch, with d
    counted as chessboard distance up to 3 sigma. Unlabelled pixels make no boundary.
    """

    def __init__(self, strength: float = 4.0, sigma: float = 1.5, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.strength, self.sigma = strength, sigma

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the weighted mean over labelled pixels."""
        near = self.weigh(target)
        return super().forward(output, target, near if weight is None else near * weight)

    def weigh(self, target: Tensor) -> Tensor:
        """Give the weight of each pixel (batch, y, x)."""
        weights = torch.ones(target.shape, dtype=torch.float32, device=target.device)
        known = (target != IGNORED).float()
        low, high = target.float().unsqueeze(1), target.float().unsqueeze(1)
        low = torch.where(known.unsqueeze(1) > 0, low, torch.full_like(low, 1e6))
        high = torch.where(known.unsqueeze(1) > 0, high, torch.full_like(high, -1e6))
        found = torch.zeros_like(weights, dtype=torch.bool)
        for distance in range(1, max(1, round(3 * self.sigma)) + 1):
            low, high = -functional.max_pool2d(-low, 3, 1, 1), functional.max_pool2d(high, 3, 1, 1)
            is_here = (high != low).squeeze(1) & (known > 0) & ~found
            bonus = self.strength * torch.exp(torch.tensor(-((distance - 1) ** 2) / (2 * self.sigma**2)))
            weights = torch.where(is_here, 1 + bonus, weights)
            found = found | is_here
        return weights


register_loss("boundary", BoundaryCrossEntropy)
register_loss("cross-entropy-dice", CrossEntropyDice)
register_loss("cross-entropy-lovasz", CrossEntropyLovasz)
register_loss("dice", Dice)
register_loss("lovasz", Lovasz)
register_loss("tversky", Tversky)
