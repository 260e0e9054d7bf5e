"""`model: auto`: try a short list of families under spatial folds, and explain the choice in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models.options import ModelOptions
from landweave.models.registry import get_model
from landweave.models.validation import CrossValidation, cross_validate
from landweave.types import Fold, Progress, SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelChoice", "choose_model"]


@dataclass(frozen=True)
class ModelChoice:
    """Which family was chosen and why.

    Attributes:
        options: Options of the chosen family, ready for `train_model`.
        table: One row per candidate, best first: name, title, macro_f1, macro_f1_se, overall_accuracy, overall_accuracy_se,
            behind (macro-F1 less than the best's), behind_se, fit_s (mean of a fold), predict_us (microseconds per sample),
            chosen.
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

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3): differences smaller than their
    standard error are not worth slower maps. Standard errors come from leaving out one fold at a time (jackknife), which with
    spatial folds respects that neighbouring samples are alike; that of a difference is taken fold by fold, as an easy fold is
    easy for every candidate.

    Args:
        samples: Table with features.
        repeats: Spatial folds, as `split_spatial` gives them.
        options: `candidates` and everything but `name` and `params`, which belong to one family.
        n_jobs: Threads that work on folds.
        progress: Called after each fold.

    Raises:
        ModelError: If params are given with several candidates, a candidate is unknown, or the folds do not allow a test.
    """
    import pandas as pd

    if options.params:
        raise ModelError(f"params {dict(options.params)} belong to one family, and name: auto tries several; "
                         "drop params, or name the model")  # fmt: skip
    results, rows = {}, []
    left: dict[str, NDArray[np.float64]] = {}
    for name in options.candidates:
        single = options.model_copy(update={"name": name})
        results[name] = cross_validate(samples, repeats, options=single, n_jobs=n_jobs, progress=progress)
        left[name] = _leave_out(results[name], repeats, "macro_f1")
        rows.append(_score_row(name, results[name], repeats))
    table = pd.DataFrame(rows).sort_values("macro_f1", ascending=False, kind="stable").reset_index(drop=True)
    best = table.iloc[0]
    table["behind"] = best["macro_f1"] - table["macro_f1"]
    table["behind_se"] = [_jackknife(left[str(best["name"])] - left[str(name)]) for name in table["name"]]
    near = table[table["behind"] <= table["behind_se"].fillna(0.0)]
    chosen = near.iloc[int(np.argmin(near["predict_us"]))]
    table["chosen"] = table["name"] == chosen["name"]
    return ModelChoice(options.model_copy(update={"name": str(chosen["name"])}), table, _explain(best, chosen, near), results)


def _score_row(name: str, result: CrossValidation, repeats: Sequence[Sequence[Fold]]) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "title": get_model(name).title}
    scores: tuple[ScoreName, ...] = ("macro_f1", "overall_accuracy")
    for score in scores:
        pooled = [_score(result.truth, p, score, len(result.legend_names)) for p in result.predicted]
        row[score], row[f"{score}_se"] = float(np.mean(pooled)), _jackknife(_leave_out(result, repeats, score))
    tested = [len(fold.test) for folds in repeats for fold in folds]
    row["fit_s"] = float(np.nanmean(result.fit_s))
    # the median: the first fold may have waited for a kernel to be compiled
    row["predict_us"] = float(np.nanmedian(result.predict_s[~np.isnan(result.predict_s)] / np.maximum(tested, 1)) * 1e6)
    return row


def _leave_out(result: CrossValidation, repeats: Sequence[Sequence[Fold]], score: ScoreName) -> NDArray[np.float64]:
    """Give the score without each fold (repeat, fold); NaN where a repeat has fewer folds."""
    left = np.full((len(repeats), max(len(folds) for folds in repeats)), np.nan)
    for r, folds in enumerate(repeats):
        for f, fold in enumerate(folds):
            kept = np.delete(result.truth, fold.test), np.delete(result.predicted[r], fold.test)
            left[r, f] = _score(*kept, score, len(result.legend_names))
    return left


def _jackknife(left: NDArray[np.float64]) -> float:
    """Give the standard error from scores without each fold, averaged over the repeats; NaN where a repeat has one fold."""
    errors = []
    for row in left:
        values = row[~np.isnan(row)]
        k = len(values)
        errors.append(np.sqrt((k - 1) / k * np.sum((values - values.mean()) ** 2)) if k > 1 else np.nan)
    return float(np.mean(errors))


def _score(truth: NDArray[np.int64], predicted: NDArray[np.int16], score: ScoreName, n_classes: int) -> float:
    return float(score_matrix(count_confusion(predicted, truth, n_classes), score))


def _explain(best: pd.Series, chosen: pd.Series, near: pd.DataFrame) -> str:
    head = (f"{best['title']} has the highest macro-F1 under these folds: {best['macro_f1']:.3f} "
            f"(standard error {best['macro_f1_se']:.3f}).")  # fmt: skip
    if chosen["name"] == best["name"]:
        tail = ("No other candidate comes within the standard error of the difference." if len(near) == 1 else
                f"Of the {len(near)} candidates that cannot be told apart from it, it is also the fastest to map.")  # fmt: skip
        return f"{head} {tail}"
    return (f"{head} {chosen['title']}, with {chosen['macro_f1']:.3f}, is behind by less than the "
            f"standard error of the difference ({chosen['behind_se']:.3f}) and maps "
            f"{best['predict_us'] / max(chosen['predict_us'], 1e-9):.1f} times as fast, so it is chosen.")  # fmt: skip
