"""Summarise cross-validation: random folds beside spatial folds, with what each can and cannot say.

Receives out-of-fold predictions per repeat; hands on the document's `cross_validation` section. A class that stands in fewer
than two spatial blocks can never be learnt under spatial folds: it is named, kept in the plain scores and left out of the
`_learnable` ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.document import Baseline, ClassScore, CrossValidationScores, CrossValidationSummary
from landweave.assess.tables import make_baselines
from landweave.errors import AssessmentError
from landweave.metrics.accuracy import ScoreName, score_parts
from landweave.metrics.confusion import count_by_group, count_parts
from landweave.metrics.intervals import bootstrap_scores

__all__ = ["OutOfFold", "baselines_of", "score_out_of_fold", "summarise_cross_validation"]

_BOTH: tuple[ScoreName, ...] = ("overall_accuracy", "macro_f1")
_ANSWERS = {
    "random": "How well the model does at places between the samples, in the region and years that they come from.",
    "spatial": "How well the model does at new places, as far from its samples as one block from the others.",
}


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of a cross-validation, each made by a model that had not seen the sample.

    Attributes:
        predicted: Class index by repeat and sample (R, n), -1 where a sample was never tested.
        truth: Class index of every sample (n,).
        n_folds: Folds in a repeat.
        blocks: Spatial block of every sample (n,), numbers or names; None where unknown.
        block_size_m: Side of the blocks, if they are square.
        buffer_m: Distance around the tested block within which training samples were left out.
    """

    predicted: NDArray[Any]
    truth: NDArray[Any]
    n_folds: int
    blocks: NDArray[Any] | None = None
    block_size_m: float | None = None
    buffer_m: float | None = None


def summarise_cross_validation(
    class_names: Sequence[str], *, random: OutOfFold | None = None, spatial: OutOfFold | None = None, draws: int = 1000,
    rng: np.random.Generator | None = None,
) -> CrossValidationSummary:  # fmt: skip
    """Summarise random and spatial cross-validation of one sample table, side by side.

    Args:
        class_names: Names in class_index order.
        random: Predictions under random folds. Their standard errors come from a bootstrap of the spatial folds' blocks
            where those are known, since samples of one block are alike.
        spatial: Predictions under spatial folds.
        draws: Draws of the block bootstrap.
        rng: Generator of the bootstrap; seeded with 0 by default.

    Raises:
        AssessmentError: If shapes do not fit, or nothing was tested.
    """
    rng = rng or np.random.default_rng(0)
    blocks = spatial.blocks if spatial is not None else None
    made = {}
    for kind, folds in (("random", random), ("spatial", spatial)):
        if folds is not None:
            used = folds.blocks if folds.blocks is not None else blocks
            made[kind] = score_out_of_fold(folds, class_names, blocks=used, draws=draws, rng=rng)
            made[kind].answers = _ANSWERS[kind]
    return CrossValidationSummary(random=made.get("random"), spatial=made.get("spatial"))


def baselines_of(truth: NDArray[Any], class_names: Sequence[str]) -> dict[str, Baseline]:
    """Score the majority and prior baselines on the classes of all samples (n,)."""
    return make_baselines(np.bincount(truth, minlength=len(class_names)), of="the training samples")


def score_out_of_fold(
    folds: OutOfFold, class_names: Sequence[str], *, blocks: NDArray[Any] | None, draws: int, rng: np.random.Generator
) -> CrossValidationScores:
    """Score one kind of folds: means over the repeats, standard errors from a bootstrap of whole blocks.

    The bootstrap draws the same blocks in every repeat, so that it shows how the scores depend on the places; how they
    depend on the division into folds is averaged out by the repeats.

    Args:
        folds: The predictions.
        class_names: Names in class_index order.
        blocks: Block of every sample (n,); None makes each sample a block of its own and leaves out what blocks decide.
        draws: Draws of the bootstrap.
        rng: Generator.

    Raises:
        AssessmentError: If shapes do not fit, an index has no name, or nothing was tested.
    """
    predicted, truth = _check(folds, class_names, blocks)
    k, n = len(class_names), len(truth)
    index = np.arange(n) if blocks is None else np.unique(blocks, return_inverse=True)[1].reshape(-1)
    n_blocks = int(index.max()) + 1
    parts = _parts(index, predicted, truth, n_blocks, k)
    blocks_per_class = np.array([len(np.unique(index[truth == c])) for c in range(k)])
    n_per_class = np.bincount(truth, minlength=k)
    lonely = (n_per_class > 0) & (blocks_per_class < 2) if blocks is not None else np.zeros(k, dtype=bool)
    scores = _score(parts, draws, rng)
    result = CrossValidationScores(
        **scores, n_folds=folds.n_folds, n_repeats=len(predicted), n_samples=n,
        n_tested=int((predicted >= 0).any(axis=0).sum()),
        n_blocks=None if blocks is None else n_blocks, block_size_m=folds.block_size_m, buffer_m=folds.buffer_m,
        classes_in_one_block=[str(name) for name, alone in zip(class_names, lonely, strict=True) if alone],
        counts=_mean_counts(predicted, truth, k), classes=_class_scores(parts, class_names, n_per_class, lonely),
    )  # fmt: skip
    for i, entry in enumerate(result.classes):
        entry.n_blocks = None if blocks is None else int(blocks_per_class[i])
    learnable = ~lonely[truth]
    if (predicted[:, learnable] >= 0).any(axis=1).all():
        kept = _parts(index[learnable], predicted[:, learnable], truth[learnable], n_blocks, k)[..., ~lonely]
        again = _score(kept, draws, rng) if lonely.any() else scores
        result.overall_accuracy_learnable = again["overall_accuracy"]
        result.overall_accuracy_learnable_se = again["overall_accuracy_se"]
        result.macro_f1_learnable, result.macro_f1_learnable_se = again["macro_f1"], again["macro_f1_se"]
    return result


def _check(
    folds: OutOfFold, class_names: Sequence[str], blocks: NDArray[Any] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    predicted, truth = np.atleast_2d(np.asarray(folds.predicted)), np.asarray(folds.truth)
    if truth.ndim != 1 or predicted.shape[1:] != truth.shape or (blocks is not None and np.shape(blocks) != truth.shape):
        of_blocks = None if blocks is None else np.shape(blocks)
        raise AssessmentError(f"predictions have shape {predicted.shape}, truth {truth.shape} and blocks {of_blocks}; expected "
                              "(repeat, sample), (sample,) and (sample,)")  # fmt: skip
    if len(truth) == 0 or truth.min() < 0 or max(truth.max(), predicted.max()) >= len(class_names):
        top = max(truth.max(initial=-1), predicted.max(initial=-1))
        raise AssessmentError(f"class indices run up to {top} over {len(truth)} samples but there are {len(class_names)} class "
                              "names; every sample needs a class that has a name")  # fmt: skip
    if not (predicted >= 0).any(axis=1).all():
        raise AssessmentError(f"a repeat of {len(predicted)} tested no sample (all predictions are -1); check the split")
    return predicted.astype(np.int64), truth.astype(np.int64)


def _parts(
    index: NDArray[Any], predicted: NDArray[np.int64], truth: NDArray[np.int64], n_blocks: int, k: int
) -> NDArray[np.float64]:
    """Count hits, predictions and truths by block and repeat, (block, repeat, 3, K)."""
    return np.stack([count_parts(index, p, truth, n_groups=n_blocks, n_classes=k) for p in predicted], axis=1)


def _score(parts: NDArray[np.float64], draws: int, rng: np.random.Generator) -> dict[str, float | None]:
    total = parts.sum(axis=0)
    result: dict[str, float | None] = {name: float(score_parts(total, name).mean()) for name in _BOTH}
    filled = parts[parts.any(axis=(1, 2, 3))]
    drawn = bootstrap_scores(filled, _BOTH, draws=draws, rng=rng) if len(filled) >= 2 else {}
    for name in _BOTH:
        se = float(np.nanstd(drawn[name], ddof=1)) if name in drawn else 0.0
        # a score that never varied shows too few samples to tell, not certainty
        result[f"{name}_se"] = se if se > 1e-12 else None
    return result


def _mean_counts(predicted: NDArray[np.int64], truth: NDArray[np.int64], k: int) -> list[list[float]]:
    repeats = np.repeat(np.arange(len(predicted)), len(truth))
    counts = count_by_group(
        repeats, predicted.ravel(), np.tile(truth, len(predicted)), n_groups=len(predicted), n_classes=k
    )
    mean: list[list[float]] = counts.mean(axis=0).tolist()
    return mean


def _class_scores(
    parts: NDArray[np.float64], class_names: Sequence[str], n: NDArray[Any], lonely: NDArray[np.bool_]
) -> list[ClassScore]:
    total = parts.sum(axis=0)
    names: tuple[ScoreName, ...] = ("users", "producers", "f1")
    known = {name: score_parts(total, name) for name in names}

    def mean(name: ScoreName, i: int) -> float | None:
        values = known[name][:, i]
        return None if np.isnan(values).all() else float(np.nanmean(values))

    return [
        ClassScore(
            name=str(c), n=int(n[i]), precision=mean("users", i), recall=mean("producers", i), f1=mean("f1", i),
            is_learnable=not bool(lonely[i]),
        )
        for i, c in enumerate(class_names)
    ]  # fmt: skip
