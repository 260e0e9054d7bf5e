"""What a model knows about its own errors: calibration, conformal sets and applicability, learnt on held-out folds.

Receives a trained model, its samples and their spatial folds; hands on the model with what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.metrics.calibration import calibration_error
from landweave.models.applicability_fit import fit_applicability
from landweave.models.calibration import CalibrationMethod, fit_calibration
from landweave.models.conformal import fit_conformal, measure_coverage
from landweave.models.inputs import prepare_features
from landweave.models.options import ModelOptions
from landweave.models.predictor import PixelModel
from landweave.models.validation import cross_validate
from landweave.types import Fold, Progress, SampleTable

__all__ = ["add_uncertainty", "calibrate_across"]

_ERROR_RATE = 0.1
"""Error rate of the sets whose coverage the card states."""


def add_uncertainty(
    model: PixelModel, samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, options: ModelOptions,
    blocks: NDArray[np.integer] | None = None, n_jobs: int = 1, progress: Progress | None = None,
) -> PixelModel:  # fmt: skip
    """Give a model what `options` ask for: `calibration`, `conformal`, `applicability`.

    All are fitted to the first repeat's held-out rows: spatial folds, so that they speak for new places. Conformal scores are
    those of probabilities calibrated on the other folds. The card's metrics then hold `calibration` (expected calibration error
    before and after, on folds that the calibration was not fitted to, with the block bootstrap's 95 % interval) and `conformal`
    (coverage and mean size of sets with an error rate of 0.1 on held-out folds).

    Args:
        model: As trained on all rows.
        samples: The rows.
        repeats: Spatial folds.
        options: The model's; what is not asked for is not computed.
        blocks: Spatial block of each row, for the bootstrap; the folds by default.
        n_jobs: Threads that work on folds.
        progress: Called after each fold.

    Raises:
        ModelError: If the held-out rows are too few.
    """
    folds = repeats[0]
    metrics = {k: dict(v) for k, v in model.card.metrics.items()}
    if options.calibration is not None or options.conformal:
        result = cross_validate(samples, [folds], options=options, n_jobs=n_jobs, keep_proba=True, progress=progress)
        if result.proba is None:
            raise ModelError("cross-validation kept no probabilities, so nothing can be calibrated")
        proba, truth = result.proba[0], result.truth
        after = proba
        if options.calibration is not None:
            model = replace(model, calibration=fit_calibration(proba, truth, method=options.calibration))
            after = calibrate_across(proba, truth, folds, method=options.calibration)
            side = fold_numbers(folds, len(truth)) if blocks is None else np.asarray(blocks, dtype=np.int64)
            metrics["calibration"] = {**_errors(proba, truth, side, "before"), **_errors(after, truth, side, "after")}
        if options.conformal:
            features, _ = prepare_features(samples.to_features(), samples.inputs, missing=options.missing,
                                           min_valid_steps=options.min_valid_steps)  # fmt: skip
            kept = fit_conformal(after, truth, features=features, fold=fold_numbers(folds, len(truth)))
            model = replace(model, conformal=kept)
            found = measure_coverage(after, truth, folds, error_rate=_ERROR_RATE, groups=blocks)
            metrics["conformal"] = {"error_rate": _ERROR_RATE, "coverage": found.coverage, "set_size": found.set_size}
            if np.isfinite(found.se):
                metrics["conformal"]["coverage_se"] = found.se
    if options.applicability:
        applicability = fit_applicability(samples, folds, options=options, seed=options.seed)
        metrics["applicability"] = {"threshold": applicability.threshold, "error": applicability.error}
        model = replace(model, applicability=applicability)
    return replace(model, card=model.card.model_copy(update={"metrics": metrics}))


def calibrate_across(
    proba: NDArray[np.floating], truth: NDArray[np.integer], folds: Sequence[Fold], *, method: CalibrationMethod
) -> NDArray[np.float32]:
    """Calibrate each fold's held-out probabilities with what was fitted to the other folds'."""
    after = np.full(proba.shape, np.nan, dtype=np.float32)
    for fold in folds:
        others = np.setdiff1d(np.concatenate([f.test for f in folds]), fold.test)
        after[fold.test] = fit_calibration(proba[others], truth[others], method=method).apply(proba[fold.test])
    return after


def fold_numbers(folds: Sequence[Fold], n: int) -> NDArray[np.int64]:
    """Give the fold that tests each row, -1 where none does."""
    side = np.full(n, -1, dtype=np.int64)
    for number, fold in enumerate(folds):
        side[fold.test] = number
    return side


def _errors(
    proba: NDArray[np.floating], truth: NDArray[np.integer], side: NDArray[np.int64], when: str
) -> dict[str, float]:
    valid = ~np.isnan(proba).any(axis=1)
    found = calibration_error(proba[valid], truth[valid], groups=side[valid])
    return {f"ece_{when}": found.value, f"ece_{when}_lower": found.lower, f"ece_{when}_upper": found.upper}
