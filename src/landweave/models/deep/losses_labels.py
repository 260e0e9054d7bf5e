"""Losses of chips that carry several labels at once: logits and 0/1 targets (batch, class); NaN in the target is unknown."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.losses import Loss, register_loss

__all__ = ["Asymmetric", "BinaryCrossEntropy"]


class _Labels(Loss):
    """Mean over the known labels, weighted by chip."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the mean of `each`."""
        if target.shape != output.shape:
            raise ModelError(f"targets have shape {tuple(target.shape)}, logits {tuple(output.shape)}; several labels need 0 "
                             "or 1 for every chip and class")  # fmt: skip
        known = torch.isfinite(target).to(output.dtype)
        values = self.each(output, target.nan_to_num(0.0)) * known
        share = known if weight is None else known * weight.reshape(-1, 1)
        return (values * share).sum() / share.sum().clamp_min(1e-12)


class BinaryCrossEntropy(_Labels):
    """Binary cross-entropy; with `counts` of the labels' chips and their `total`, rare labels' positives weigh (total - n) / n.

    At most `most`, or a label seen once would outweigh all others.
    """

    def __init__(self, counts: Sequence[int] | None = None, total: int | None = None, most: float = 10.0) -> None:
        super().__init__()
        self.positive: Tensor | None
        if counts is None or total is None:
            self.register_buffer("positive", None)
        else:
            n = torch.as_tensor(list(counts), dtype=torch.float32)
            self.register_buffer("positive", ((total - n) / n.clamp_min(1.0)).clamp(1.0 / most, most))

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per chip and label."""
        return functional.binary_cross_entropy_with_logits(output, target, reduction="none", pos_weight=self.positive)


class Asymmetric(_Labels):
    """Asymmetric loss (Ridnik et al. 2021, arXiv:2009.14119, eq. 5 to 7).

    A present label costs -(1 - p)^positive log p, an absent one -q^negative log(1 - q) with q = max(p - margin, 0).
    """

    def __init__(self, positive: float = 0.0, negative: float = 4.0, margin: float = 0.05) -> None:
        super().__init__()
        self.gain, self.loss, self.margin = positive, negative, margin

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per chip and label."""
        p = output.sigmoid()
        q = (p - self.margin).clamp_min(0.0)
        present = (1 - p) ** self.gain * functional.logsigmoid(output)
        absent = q**self.loss * (1 - q).clamp_min(1e-8).log()
        return -(target * present + (1 - target) * absent)


register_loss("bce", BinaryCrossEntropy)
register_loss("asymmetric", Asymmetric)
