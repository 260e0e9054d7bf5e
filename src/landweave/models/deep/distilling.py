"""The student of a distilled model: a small perceptron that learns a teacher's probabilities, as arrays and an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landweave.models.deep.export import check_parity, export_rows
from landweave.models.deep.options import TrainOptions
from landweave.models.deep.trainer import Batch, fit_network, training
from landweave.models.small_network import SmallNetworkEngine
from landweave.types import Progress

if TYPE_CHECKING:
    from landweave.models.distillation import DistillOptions

__all__ = ["train_student"]

BATCH = 1024


class Student(nn.Module):
    """Standardised rows through layers of rectified units to logits (row, class)."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: NDArray[np.float32], scale: NDArray[np.float32], hidden: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("scale", torch.from_numpy(scale))
        sizes = (len(mean), *hidden)
        layers: list[nn.Module] = []
        for i, o in pairwise(sizes):
            layers += [nn.Linear(i, o), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], n_classes))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Give logits (row, class) of `inputs["features"]` (row, feature)."""
        logits: Tensor = self.layers((inputs["features"] - self.mean) / self.scale)
        return logits


class _Probabilities(nn.Module):
    """What is exported: features in, probabilities out."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, features: Tensor) -> Tensor:
        proba: Tensor = self.student({"features": features}).softmax(dim=1)
        return proba


@dataclass(frozen=True)
class _Rows:
    """Training rows in batches, in an order that the epoch alone decides."""

    features: Tensor
    proba: Tensor
    seed: int

    def __len__(self) -> int:
        return -(-len(self.features) // BATCH)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch."""
        order = torch.from_numpy(np.random.default_rng([self.seed, number]).permutation(len(self.features)))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield Batch({"features": self.features[rows]}, self.proba[rows], name=f"rows {start} to {start + len(rows)}")


def train_student(
    features: NDArray[np.float32], proba: NDArray[np.float32], held_out: NDArray[np.bool_], options: DistillOptions,
    progress: Progress | None,
) -> SmallNetworkEngine:  # fmt: skip
    """Train a student and export it.

    The loss is the cross-entropy to the teacher's probabilities (Hinton et al. 2015, arXiv:1503.02531, at temperature 1). A
    twentieth of the rows that are learnt from decides which epoch is kept; the held-out ones are not looked at.

    Args:
        features: (row, feature) as the student sees them.
        proba: The teacher's probabilities (row, class).
        held_out: Rows kept for the comparison.
        options: Size of the network, time, seed.
        progress: Told of every epoch.

    Returns:
        The network as arrays, with its ONNX file: `features` (row, feature) to `proba` (row, class).
    """
    rows = np.flatnonzero(~held_out)
    chosen = np.random.default_rng([options.seed, 3]).permutation(rows)
    judge, learn = chosen[: len(chosen) // 20 + 1], chosen[len(chosen) // 20 + 1 :]
    mean = features[learn].mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = features[learn].std(axis=0, dtype=np.float64).astype(np.float32)
    scale[scale < 1e-12] = 1
    x, best = torch.from_numpy(features[judge]), proba[judge].argmax(axis=1)

    def validate(network: nn.Module) -> dict[str, float]:
        return {"agreement": float((network({"features": x}).argmax(dim=1).numpy() == best).mean())}

    with training(options.seed, options.threads):
        student = Student(mean, scale, options.hidden, proba.shape[1])
    how = TrainOptions(
        epochs=options.epochs, batch_size=BATCH, learning_rate=5e-3, weight_decay=0.0, ema=0.995, patience=None,
        monitor="agreement", max_minutes=options.max_minutes, threads=options.threads, seed=options.seed, device="cpu",
    )  # fmt: skip
    batches = _Rows(torch.from_numpy(features[learn]), torch.from_numpy(proba[learn]), options.seed)
    fit_network(student, train=batches, validate=validate, options=how, progress=progress)
    exported = _Probabilities(student)
    content = export_rows(exported, features.shape[1])
    check_parity(exported, content, features[judge][:2000])
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in student.layers if isinstance(m, nn.Linear)]
    return SmallNetworkEngine.from_layers(content, mean, scale, layers)
