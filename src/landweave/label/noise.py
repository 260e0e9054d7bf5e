"""Planted label noise of a known rate, to measure what checks find and what cleaning is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError

__all__ = ["confusable_classes", "plant_noise"]


def confusable_classes(labels: NDArray[np.int64], predicted: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give the chance of each wrong class, by how a model confuses them.

    Args:
        labels: True class_index (row,).
        predicted: What a model said of rows that it did not see (row,); negative is left out.

    Returns:
        (true, wrong), rows summing to 1 with a zero diagonal. A class that the model never confuses goes to its commonest
        false friends as a whole: the classes in the shares in which they are predicted wrongly.
    """
    k = int(max(labels.max(), predicted.max())) + 1
    seen = predicted >= 0
    counts = np.bincount(labels[seen] * k + predicted[seen].astype(np.int64), minlength=k * k).reshape(k, k).astype(float)
    np.fill_diagonal(counts, 0)
    for i in np.flatnonzero(counts.sum(axis=1) == 0):
        counts[i] = counts.sum(axis=0) + 1e-9
        counts[i, i] = 0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def plant_noise(
    labels: NDArray[np.int64], share: float, rng: np.random.Generator, *, n_classes: int,
    chances: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """Give wrong labels to a share of the rows of every class.

    Args:
        labels: True class_index (row,).
        share: Share of rows to change, 0..1.
        rng: Chooses rows and classes.
        n_classes: Number of classes K.
        chances: Chance of each wrong class (true, wrong); all others alike by default.

    Returns:
        The labels with noise, and which rows were changed.

    Raises:
        SampleError: If the share is not within 0..1 or there are fewer than two classes.
    """
    if not 0 <= share <= 1 or n_classes < 2:
        raise SampleError(f"cannot plant noise on {share:g} of the rows of {n_classes} classes; give a share of 0..1, and two "
                          "classes or more")  # fmt: skip
    if chances is None:
        chances = (1 - np.eye(n_classes)) / (n_classes - 1)
    noisy = np.array(labels, dtype=np.int64)
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        drawn = rng.choice(rows, round(share * len(rows)), replace=False)
        noisy[drawn] = rng.choice(n_classes, len(drawn), p=chances[c])
    return noisy, noisy != labels
