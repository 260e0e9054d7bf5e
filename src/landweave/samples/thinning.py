"""Folds with fewer training rows or places, for learning curves.

Receives folds; hands on the same tests with thinned training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.types import Fold, SampleTable

__all__ = ["ThinBy", "thin_folds"]

ThinBy = Literal["sample", "place"]


def thin_folds(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, size: int, by: ThinBy = "sample", seed: int = 0
) -> list[list[Fold]]:
    """Keep `size` training rows, or all rows of `size` training places, of every fold; the test rows stay as they are.

    What is kept at a smaller size is kept at a larger one too, and every class keeps its share as nearly as it can and at
    least one row or place, so that a curve shows the number and not the draw.

    Args:
        samples: The samples.
        repeats: Folds of each repeat.
        size: Rows or places to keep.
        by: Thin rows (`sample`), or groups as wholes (`place`).
        seed: Seed of the draw.

    Raises:
        SplitError: If a fold's training has fewer, or the size is smaller than its number of classes.
    """
    classes = samples.to_class_index()
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
    return [[_thin(fold, classes, groups, size, by, np.random.default_rng([seed, 4, r, f])) for f, fold in enumerate(folds)]
            for r, folds in enumerate(repeats)]  # fmt: skip


def _thin(
    fold: Fold, classes: NDArray[np.int64], groups: NDArray[np.int64], size: int, by: ThinBy, rng: np.random.Generator
) -> Fold:
    train = fold.train
    unit = np.arange(len(train)) if by == "sample" else np.unique(groups[train], return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    what = "rows" if by == "sample" else "places"
    n_classes = len(np.unique(classes[train]))
    if not n_classes <= size <= n_units:
        raise SplitError(f"cannot keep {size} training {what}: a fold has {n_units} of them and {n_classes} classes; ask for a "
                         "number between these")  # fmt: skip
    order = rng.permutation(n_units)
    label = np.empty(n_units, dtype=np.int64)
    label[unit] = classes[train]
    # the j-th unit of a class of m stands at (j + 1/2) / m: any beginning of the list holds the classes by share; the first
    # unit of each class leads
    place = np.empty(n_units)
    for c in np.unique(label):
        mine = order[label[order] == c]
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
        place[mine[0]] = -1
    kept = np.zeros(n_units, dtype=bool)
    kept[order[np.argsort(place[order], kind="stable")][:size]] = True
    return Fold(train[kept[unit]], fold.test)
