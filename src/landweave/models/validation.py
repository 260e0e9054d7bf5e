"""Cross-validation: train on the folds of a split, predict the rows left out, keep truth, classes and times together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.options import ModelOptions
from landweave.models.training import find_family, fit_model
from landweave.types import Fold, Progress, SampleTable, track

__all__ = ["CrossValidation", "cross_validate"]


@dataclass(frozen=True)
class CrossValidation:
    """What the folds of a split predicted.

    Attributes:
        truth: class_index of every sample (sample,).
        predicted: class_index (repeat, sample), int16; -1 where the sample was in no test fold or has too few valid dates.
        proba: Probabilities (repeat, sample, class), float32, NaN where untested; None when not asked for.
        fit_s: Seconds of training (repeat, fold), NaN where a repeat has fewer folds.
        predict_s: Seconds of predicting likewise.
        legend_names: Class names in the order of class_index.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int16]
    fit_s: NDArray[np.float64]
    predict_s: NDArray[np.float64]
    legend_names: tuple[str, ...]
    proba: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class _FoldResult:
    proba: NDArray[np.float32]
    fit_s: float
    predict_s: float


def cross_validate(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, options: ModelOptions, n_jobs: int = 1,
    keep_proba: bool = False, progress: Progress | None = None,
) -> CrossValidation:  # fmt: skip
    """Train and test on every fold of every repeat; scaling, filling and weights are fitted on training rows only.

    A class that a training fold lacks gets probability 0 in that fold; a class may have fewer samples than there are folds.

    Args:
        samples: Table with features.
        repeats: Folds of each repeat, as `split_random` and `split_spatial` give them.
        options: The model.
        n_jobs: Threads that work on folds; the result does not depend on it.
        keep_proba: Whether to keep the probabilities.
        progress: Called after each fold.

    Raises:
        ModelError: If there are no folds, a fold's training rows hold fewer than two classes, or the model cannot be made.
    """
    find_family(options)
    jobs = [(r, f, fold) for r, folds in enumerate(repeats) for f, fold in enumerate(folds)]
    if not jobs:
        raise ModelError("split has no folds; make one with split_random or split_spatial")
    shape = (len(repeats), max(len(folds) for folds in repeats))
    fit_s, predict_s = np.full(shape, np.nan), np.full(shape, np.nan)
    predicted = np.full((len(repeats), len(samples)), -1, dtype=np.int16)
    proba = np.full((*predicted.shape, len(samples.legend)), np.nan, dtype=np.float32) if keep_proba else None
    with ThreadPoolExecutor(max_workers=max(1, n_jobs)) as pool:
        results = pool.map(lambda job: _run_fold(samples, job[2], options), jobs)
        for (r, f, fold), result in track(zip(jobs, results, strict=True), "cross-validate", len(jobs), progress, "folds"):
            fit_s[r, f], predict_s[r, f] = result.fit_s, result.predict_s
            valid = ~np.isnan(result.proba[:, 0])
            predicted[r, fold.test[valid]] = result.proba[valid].argmax(axis=1)
            if proba is not None:
                proba[r, fold.test] = result.proba
    return CrossValidation(samples.to_class_index(), predicted, fit_s, predict_s, samples.legend.names, proba)


def _run_fold(samples: SampleTable, fold: Fold, options: ModelOptions) -> _FoldResult:
    start = time.perf_counter()
    model = fit_model(samples.select(fold.train), options=options)
    features = samples.select(fold.test).to_features()
    fitted = time.perf_counter()
    proba = model.predict_features(features)
    return _FoldResult(proba, fitted - start, time.perf_counter() - fitted)
