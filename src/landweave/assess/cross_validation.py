"""Summarise cross-validation: random folds beside spatial folds, with what each can and cannot say.

Receives out-of-fold predictions per repeat; hands on the document's `cross_validation` section. A class that stands in fewer
than two spatial blocks can never be learnt under spatial folds: it is named, kept in the plain scores and left out of the
`_learnable` ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.document import ClassScore, CrossValidationScores, CrossValidationSummary
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError
from landweave.metrics.accuracy import ScoreName, score_parts
from landweave.metrics.confusion import count_by_group, count_parts
from landweave.metrics.intervals import bootstrap_scores

if TYPE_CHECKING:
    from landweave.samples.options import SplitOptions

__all__ = ["summarise_cross_validation"]

_Bootstrap = tuple[int, np.random.Generator]

_BOTH: tuple[ScoreName, ...] = ("overall_accuracy", "macro_f1")
_ANSWERS = {
    "random": "How well the model does at places between the samples, in the region and years that they come from.",
    "spatial": "How well the model does at new places, as far from its samples as one block from the others.",
    "knndm": "How well the model does over the area of the map: tested as far from its samples as the map reaches.",
}


METRES_PER_DEGREE = 111_320.0
"""Of latitude, near enough to say how large a block in degrees is."""


def summarise_cross_validation(
    truth: NDArray[Any], class_names: Sequence[str], *, random: NDArray[Any] | None = None,
    spatial: NDArray[Any] | None = None, knndm: NDArray[Any] | None = None, blocks: NDArray[Any] | None = None,
    split: SplitOptions, options: AssessOptions | None = None,
) -> CrossValidationSummary:  # fmt: skip
    """Summarise random, spatial and kNNDM cross-validation of one sample table, side by side.

    Scores are means over the repeats. Standard errors come from a bootstrap of whole blocks, under random folds too, since
    samples of one block are alike; the same blocks are drawn in every repeat, so that the errors show how the scores depend
    on the places, while the division into folds is averaged out by the repeats.

    Args:
        truth: Class index of every sample (n,).
        class_names: Names in class_index order.
        random: Class index that random folds predicted, by repeat and sample (R, n) or (n,); -1 where never tested.
        spatial: The same under spatial folds.
        knndm: The same under kNNDM folds.
        blocks: Spatial block of every sample (n,), numbers or names. None makes each sample a block of its own in the
            bootstrap and names no class as standing in one block.
        split: How the folds were made.
        options: Draws and seed of the bootstrap.

    Raises:
        AssessmentError: If shapes do not fit, an index has no name, or a repeat tested nothing.
    """
    options = options or AssessOptions()
    rng = np.random.default_rng(options.seed)
    made = {}
    for kind, predicted in (("random", random), ("spatial", spatial), ("knndm", knndm)):
        if predicted is not None:
            scores = _score_folds(predicted, truth, class_names, blocks, (options.bootstrap_draws, rng))
            scores.n_folds, scores.block_size_m = split.n_folds, _block_size(split)
            scores.buffer_m = None if kind == "random" else split.buffer_m
            scores.answers = _ANSWERS[kind]
            made[kind] = scores
    return CrossValidationSummary(random=made.get("random"), spatial=made.get("spatial"), knndm=made.get("knndm"))


def _block_size(split: SplitOptions) -> float | None:
    if split.by not in ("block", "knndm") or split.block_size_m == "auto":
        return None
    return split.block_size_m if split.block_size_deg is None else split.block_size_deg * METRES_PER_DEGREE


def _score_folds(
    predicted: NDArray[Any], truth: NDArray[Any], class_names: Sequence[str], blocks: NDArray[Any] | None, bootstrap: _Bootstrap
) -> CrossValidationScores:
    predicted, truth = _check(predicted, truth, class_names, blocks)
    k, n = len(class_names), len(truth)
    index = np.arange(n) if blocks is None else np.unique(blocks, return_inverse=True)[1].reshape(-1)
    n_blocks = int(index.max()) + 1
    parts = _parts(index, predicted, truth, n_blocks, k)
    blocks_per_class = np.array([len(np.unique(index[truth == c])) for c in range(k)])
    n_per_class = np.bincount(truth, minlength=k)
    lonely = (n_per_class > 0) & (blocks_per_class < 2) if blocks is not None else np.zeros(k, dtype=bool)
    scores = _score(parts, bootstrap)
    result = CrossValidationScores(
        **scores, n_folds=0, n_repeats=len(predicted), n_samples=n, n_tested=int((predicted >= 0).any(axis=0).sum()),
        n_blocks=None if blocks is None else n_blocks,
        classes_in_one_block=[str(name) for name, alone in zip(class_names, lonely, strict=True) if alone],
        counts=_mean_counts(predicted, truth, k), classes=_class_scores(parts, class_names, n_per_class, lonely),
    )  # fmt: skip
    for i, entry in enumerate(result.classes):
        entry.n_blocks = None if blocks is None else int(blocks_per_class[i])
    learnable = ~lonely[truth]
    if (predicted[:, learnable] >= 0).any(axis=1).all():
        kept = _parts(index[learnable], predicted[:, learnable], truth[learnable], n_blocks, k)[..., ~lonely]
        again = _score(kept, bootstrap) if lonely.any() else scores
        result.overall_accuracy_learnable = again["overall_accuracy"]
        result.overall_accuracy_learnable_se = again["overall_accuracy_se"]
        result.macro_f1_learnable, result.macro_f1_learnable_se = again["macro_f1"], again["macro_f1_se"]
    return result


def _check(
    predicted: NDArray[Any], truth: NDArray[Any], class_names: Sequence[str], blocks: NDArray[Any] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    predicted, truth = np.atleast_2d(np.asarray(predicted)), np.asarray(truth)
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


def _score(parts: NDArray[np.float64], bootstrap: _Bootstrap) -> dict[str, Any]:
    draws, rng = bootstrap
    total = parts.sum(axis=0)
    result: dict[str, Any] = {name: float(score_parts(total, name).mean()) for name in _BOTH}
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
