"""`model: auto`: try a short list of families under spatial folds, and explain the choice in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models.options import ModelOptions
from landweave.models.registry import get_model
from landweave.models.validation import CrossValidation, cross_validate
from landweave.types import Fold, Progress, SampleTable

__all__ = ["ModelChoice", "choose_model"]


@dataclass(frozen=True)
class ModelChoice:
    """Which family was chosen and why.

    Attributes:
        options: Options of the chosen family, ready for `train_model`.
        table: One row per candidate, best first: name, title, macro_f1, macro_f1_se, overall_accuracy, overall_accuracy_se,
            fit_s (mean of a fold), predict_us (microseconds per sample), chosen.
        why: The reason in a sentence or two.
        results: The cross-validation of each candidate, by name.
    """

    options: ModelOptions
    table: pd.DataFrame
    why: str
    results: dict[str, CrossValidation]


def choose_model(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, options: ModelOptions, n_jobs: int = 1,
    progress: Progress | None = None,
) -> ModelChoice:  # fmt: skip
    """Cross-validate `options.candidates` and choose by macro-F1; within one standard error, the fastest to map wins.

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3): differences smaller than the
    standard error of the best are not worth slower maps. Standard errors come from leaving out one fold at a time
    (jackknife), which with spatial folds respects that neighbouring samples are alike.

    Args:
        samples: Table with features.
        repeats: Spatial folds, as `split_spatial` gives them.
        options: `candidates` and everything but `name` and `params`, which belong to one family.
        n_jobs: Threads that work on folds.
        progress: Called after each fold.

    Raises:
        ModelError: If params are given with several candidates, a candidate is unknown, or the folds do not allow a test.
    """
    if options.params:
        raise ModelError(f"params {dict(options.params)} belong to one family, and name: auto tries several; "
                         "drop params, or name the model")  # fmt: skip
    results, rows = {}, []
    for name in options.candidates:
        single = options.model_copy(update={"name": name})
        results[name] = cross_validate(samples, repeats, options=single, n_jobs=n_jobs, progress=progress)
        rows.append(_score_row(name, results[name], repeats))
    table = pd.DataFrame(rows).sort_values("macro_f1", ascending=False, kind="stable").reset_index(drop=True)
    best = table.iloc[0]
    near = table[table["macro_f1"] >= best["macro_f1"] - best["macro_f1_se"]]
    chosen = near.loc[near["predict_us"].idxmin()]
    table["chosen"] = table["name"] == chosen["name"]
    return ModelChoice(options.model_copy(update={"name": str(chosen["name"])}), table, _explain(best, chosen, near), results)


def _score_row(name: str, result: CrossValidation, repeats: Sequence[Sequence[Fold]]) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "title": get_model(name).title}
    scores: tuple[ScoreName, ...] = ("macro_f1", "overall_accuracy")
    for score in scores:
        row[score], row[f"{score}_se"] = _jackknife(result, repeats, score)
    tested = [len(fold.test) for folds in repeats for fold in folds]
    row["fit_s"] = float(np.nanmean(result.fit_s))
    # the median: the first fold may have waited for a kernel to be compiled
    row["predict_us"] = float(np.nanmedian(result.predict_s[~np.isnan(result.predict_s)] / np.maximum(tested, 1)) * 1e6)
    return row


def _jackknife(result: CrossValidation, repeats: Sequence[Sequence[Fold]], score: ScoreName) -> tuple[float, float]:
    """Score of the pooled folds and its standard error by leaving folds out, both averaged over the repeats."""
    values, errors = [], []
    for predicted, folds in zip(result.predicted, repeats, strict=True):
        full = _score(result.truth, predicted, score, len(result.legend_names))
        values.append(full)
        left = [_score(np.delete(result.truth, f.test), np.delete(predicted, f.test), score, len(result.legend_names))
                for f in folds]  # fmt: skip
        k = len(left)
        errors.append(np.sqrt((k - 1) / k * np.sum((np.array(left) - np.mean(left)) ** 2)) if k > 1 else np.nan)
    return float(np.mean(values)), float(np.mean(errors))


def _score(truth: NDArray[np.int64], predicted: NDArray[np.int16], score: ScoreName, n_classes: int) -> float:
    return float(score_matrix(count_confusion(predicted, truth, n_classes), score))


def _explain(best: pd.Series, chosen: pd.Series, near: pd.DataFrame) -> str:
    head = (f"{best['title']} has the highest macro-F1 under these folds: {best['macro_f1']:.3f} "
            f"(standard error {best['macro_f1_se']:.3f}).")  # fmt: skip
    if chosen["name"] == best["name"]:
        tail = ("No other candidate is within one standard error of it." if len(near) == 1 else
                f"Of the {len(near)} candidates within one standard error it is also the fastest to map.")  # fmt: skip
        return f"{head} {tail}"
    return (f"{head} {chosen['title']}, with {chosen['macro_f1']:.3f}, is within that error and maps "
            f"{best['predict_us'] / max(chosen['predict_us'], 1e-9):.1f} times as fast, so it is chosen.")  # fmt: skip
