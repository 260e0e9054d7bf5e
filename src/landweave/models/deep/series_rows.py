"""Training rows of series networks: batches by epoch, and which rows are held out to choose the epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from landweave.models.deep import parallel
from landweave.models.deep.augment_series import SeriesAugmentation, augment, mix
from landweave.models.deep.series_views import SeriesView, Views
from landweave.models.deep.trainer import Batch, hash_seed

__all__ = ["RowBatches", "hold_out", "take_rows"]

log = logging.getLogger(__name__)


def take_rows(views: Views, rows: Tensor) -> Views:
    """Give some rows of every view."""
    return {k: v[rows] for k, v in views.items()}


@dataclass
class RowBatches:
    """Batches of rows; every epoch is drawn from (seed, epoch) alone. None is smaller than `batch_size` unless all rows are.

    Attributes:
        inputs: Views of all rows.
        target: column (long) or value (float) per row.
        weight: Weight per row, None for equal ones.
        views: What the inputs are.
        batch_size: Rows per batch at least; a rest is spread over the batches, so that none has a single row.
        seed: Of order, draws and augmentation.
        balance: Rows are drawn with probability n_k^-balance: 0 as they are, 1 every class as often.
        augmentation: What is done to the rows.
        n_classes: Columns; 0 for regression.
        min_batches: Batches per epoch, nearly, of a table that has fewer: it is passed over several times.
    """

    inputs: Views
    target: Tensor
    weight: Tensor | None
    views: Sequence[SeriesView]
    batch_size: int
    seed: int
    balance: float = 0.0
    augmentation: SeriesAugmentation = field(default_factory=SeriesAugmentation)
    n_classes: int = 0
    min_batches: int = 1

    @property
    def _per_pass(self) -> int:
        return max(1, len(self.target) // self.batch_size)

    def __len__(self) -> int:
        return self._per_pass * max(1, round(self.min_batches / self._per_pass))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch."""
        rng = np.random.default_rng([self.seed, number])
        draws = torch.Generator().manual_seed(hash_seed(self.seed, number, 1 + parallel.rank()))
        for _ in range(len(self) // self._per_pass):
            for part in np.array_split(self._order(rng), self._per_pass):
                yield self._batch(torch.from_numpy(part[parallel.rank() :: parallel.world_size()]), draws)

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        n = len(self.target)
        if not self.balance:
            return rng.permutation(n)
        columns = self.target.numpy()
        chance = np.bincount(columns, minlength=self.n_classes).astype(np.float64)[columns] ** -self.balance
        return rng.choice(n, n, p=chance / chance.sum())

    def _batch(self, rows: Tensor, draws: torch.Generator) -> Batch:
        inputs = augment(take_rows(self.inputs, rows), self.views, self.augmentation, draws)
        target = self.target[rows]
        if self.n_classes and self.augmentation.mixes:
            shares = functional.one_hot(target, self.n_classes).float()
            inputs, target = mix(inputs, shares, self.views, self.augmentation, draws)
        name = f"training rows {', '.join(str(int(r)) for r in rows[:5])}{', ...' if len(rows) > 5 else ''}"
        return Batch(inputs, target, None if self.weight is None else self.weight[rows], name)


def hold_out(
    target: NDArray[np.int64], groups: NDArray[np.int64] | None, share: float, *, seed: int, member: int = 0, n_members: int = 1
) -> NDArray[np.bool_]:
    """Choose rows to hold out of training: whole groups, and never so many that a class has less than half its rows left.

    Members of an ensemble hold out different groups as far as there are enough. Where groups cannot be spared (each holds a
    class nearly alone), rows of each class are held out, which is logged.

    Args:
        target: Column of each row.
        groups: Group of each row (spatial block, polygon); None for none.
        share: Share of the rows to hold out; 0 for none.
        seed: Of the order of the groups.
        member: Number of the member.
        n_members: Members in all.

    Returns:
        True for rows held out.
    """
    held = np.zeros(len(target), dtype=bool)
    if share <= 0:
        return held
    group = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    sizes = np.zeros((int(group.max()) + 1, int(target.max()) + 1), dtype=np.int64)
    np.add.at(sizes, (group, target), 1)
    left, total, taken = sizes.sum(axis=0), sizes.sum(axis=0), 0
    order = np.roll(np.random.default_rng([seed, 17]).permutation(len(sizes)), -(member * len(sizes)) // max(n_members, 1))
    for g in order:
        after = left - sizes[g]
        if taken >= share * len(target):
            break
        if (2 * after >= total).all() and taken + sizes[g].sum() <= 1.5 * share * len(target) + 1:
            left, taken = after, taken + int(sizes[g].sum())
            held |= group == g
    if not held.any() and groups is not None:
        log.warning("no group can be spared for validation, each holds a class nearly alone; rows are held out instead")
        return hold_out(target, None, share, seed=seed, member=member, n_members=n_members)
    return held
