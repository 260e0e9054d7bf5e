"""Batches of chips for the trainer, and the scores of a network on validation chips.

Receives a `ChipSampler`; hands on `trainer.Batch`es, augmented, read ahead by one thread while the network computes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import ConfusionCounter
from landweave.models.deep import parallel
from landweave.models.deep.augment_chips import augment_chips
from landweave.models.deep.chip_options import ChipAugmentation
from landweave.models.deep.sampler import Chip, ChipPlace, ChipSampler
from landweave.models.deep.trainer import Batch

__all__ = ["ChipBatches", "collate", "score_chips"]


def collate(chips: Sequence[Chip], column_of: NDArray[np.int64]) -> tuple[dict[str, Tensor], Tensor]:
    """Put chips into tensors as networks take them.

    Args:
        chips: Chips of one sampler.
        column_of: Column of each class_index, -1 for a class that the network has no column for.

    Returns:
        `<input>` and `<input>_valid`, and the target (batch, y, x) as columns, -1 ignored.
    """
    inputs = {}
    for name in chips[0].inputs:
        inputs[name] = torch.from_numpy(np.stack([c.inputs[name].values for c in chips]))
        inputs[f"{name}_valid"] = torch.from_numpy(np.stack([c.inputs[name].valid for c in chips]).astype(np.float32))
    target = np.stack([c.target for c in chips]).astype(np.int64)
    return inputs, torch.from_numpy(np.where(target < 0, -1, column_of[target]))


class ChipBatches:
    """Training batches, in an order that (seed, epoch) alone decides."""

    def __init__(
        self, sampler: ChipSampler, column_of: NDArray[np.int64], *, batch_size: int, augmentation: ChipAugmentation,
        column_weight: NDArray[np.float64] | None = None,
    ) -> None:  # fmt: skip
        """Take the sampler of the training labels; `column_weight` weights the pixels of each column's class."""
        self.sampler, self.batch_size, self.augmentation = sampler, batch_size, augmentation
        self._column_of = column_of
        self._weight = None if column_weight is None else torch.from_numpy(np.append(column_weight, 0.0)).float()

    def __len__(self) -> int:
        """Batches per epoch and process."""
        return -(-len(self.sampler) // (self.batch_size * parallel.world_size()))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch; of several processes, each gets every n-th one."""
        places = self.sampler.plan(number)
        size, world = self.batch_size, parallel.world_size()
        starts = [s * size for s in range(-(-len(places) // size))][parallel.rank() :: world]
        starts = (starts + starts[:1])[: len(self)]  # every process gives as many as `len` says

        def read(start: int) -> list[Chip]:
            return [self.sampler.read(p) for p in places[start : start + size]]

        for start, chips in _read_ahead(starts, read):
            yield self._make(chips, np.random.default_rng([self.sampler.options.seed, number, start]))

    def _make(self, chips: list[Chip], rng: np.random.Generator) -> Batch:
        inputs, target = collate(chips, self._column_of)
        inputs, target = augment_chips(inputs, target, self.sampler.inputs, self.augmentation, rng)
        shown = ", ".join(f"({c.place.row}, {c.place.col})" for c in chips[:4])
        name = f"chips at (row, col) {shown}{', ...' if len(chips) > 4 else ''}"
        return Batch(inputs, target, None if self._weight is None else self._weight[target], name)


def _read_ahead(starts: Sequence[int], read: Any, *, depth: int = 2) -> Iterator[tuple[int, list[Chip]]]:
    """Read in another thread, at most `depth` batches ahead; an error there is raised here."""
    made: queue.Queue[tuple[int, Any]] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: tuple[int, Any]) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        for start in starts:
            try:
                item = (start, read(start))
            except Exception as err:  # handed to the thread that waits for it
                put((-1, err))
                return
            if not put(item):
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in starts:
            start, chips = made.get()
            if isinstance(chips, Exception):
                raise chips
            yield start, chips
    finally:
        stop.set()
        thread.join()


def score_chips(
    network: nn.Module, sampler: ChipSampler, places: Sequence[ChipPlace], column_of: NDArray[np.int64], *, batch_size: int
) -> dict[str, float]:
    """Score a network on the labelled pixels of chips: overall accuracy, macro-F1 and mean IoU over the classes that occur."""
    n_columns = int(column_of.max()) + 1
    counter = ConfusionCounter(n_columns)
    device = next(network.parameters()).device
    for start in range(0, len(places), batch_size):
        chips = [sampler.read(p) for p in places[start : start + batch_size]]
        inputs, target = collate(chips, column_of)
        logits = network({k: v.to(device) for k, v in inputs.items()})
        if not bool(torch.isfinite(logits).all()):
            return {"overall_accuracy": float("nan"), "macro_f1": float("nan"), "mean_iou": float("nan")}
        counter.update(logits.argmax(dim=1).cpu().numpy(), target.numpy())
    iou = np.asarray(score_matrix(counter.counts, "iou"))[counter.counts.sum(axis=0) > 0]
    return {
        "overall_accuracy": float(score_matrix(counter.counts, "overall_accuracy")),
        "macro_f1": float(score_matrix(counter.counts, "macro_f1")), "mean_iou": float(iou.mean()),
    }  # fmt: skip
