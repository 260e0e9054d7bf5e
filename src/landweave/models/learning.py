"""Learning curves: what more samples, or more places, would bring.

Receives samples and folds; hands on scores by size of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models.options import ModelOptions
from landweave.models.validation import cross_validate
from landweave.samples import thin_folds
from landweave.samples.thinning import ThinBy
from landweave.types import Fold, SampleTable

__all__ = ["LearningCurve", "learning_curve"]


@dataclass(frozen=True)
class LearningCurve:
    """Scores on the same test rows after training on ever more.

    Attributes:
        by: What was counted: `sample` (rows) or `place` (groups).
        table: One row per size: size, overall_accuracy, macro_f1 (means over the repeats) and their range between repeats
            (`_low`, `_high`).
    """

    by: ThinBy
    table: pd.DataFrame


def learning_curve(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, options: ModelOptions, sizes: Sequence[int],
    by: ThinBy = "sample", n_jobs: int = 1, seed: int = 0,
) -> LearningCurve:  # fmt: skip
    """Train on part of each fold's rows or places, and test on all of its test rows.

    A curve by samples that is flat while the one by places still rises says: go elsewhere, do not digitise more of the same.

    Args:
        samples: Table with features.
        repeats: Folds, spatial ones for what new places would bring.
        options: The model.
        sizes: Training rows (or places) per fold, in any order.
        by: What is counted.
        n_jobs: Threads that work on folds.
        seed: Of the draws.

    Raises:
        SplitError: If a size is out of reach.
        ModelError: If a fold cannot be trained.
    """
    rows = []
    for size in sorted(sizes):
        thinned = thin_folds(samples, repeats, size=size, by=by, seed=seed)
        result = cross_validate(samples, thinned, options=options, n_jobs=n_jobs)
        matrices = np.stack([count_confusion(p, result.truth, len(samples.legend)) for p in result.predicted])
        row: dict[str, float] = {"size": size}
        for name, scores in (("overall_accuracy", score_matrix(matrices, "overall_accuracy")),
                             ("macro_f1", score_matrix(matrices, "macro_f1"))):  # fmt: skip
            row |= {name: float(scores.mean()), f"{name}_low": float(scores.min()), f"{name}_high": float(scores.max())}
        rows.append(row)
    return LearningCurve(by, pd.DataFrame(rows))
