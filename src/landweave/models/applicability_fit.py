"""Learning where a model applies: importance of the features, mean distance, threshold from the folds, prototypes.

Receives samples and the folds that the model is judged by; hands on an `Applicability`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.applicability import Applicability
from landweave.models.applicability_kernels import build_leaves, nearest_distance
from landweave.models.inputs import prepare_features
from landweave.models.options import ModelOptions
from landweave.models.training import fit_model
from landweave.types import Fold, SampleTable

__all__ = ["choose_prototypes", "fit_applicability", "permutation_weights"]

MAX_ROWS = 5000
"""Training rows that pixels are compared with; of more, prototypes that cover the others."""
_MAX_PAIRED = 3000
"""Rows whose mean distance is taken over all pairs; of more, that many are drawn."""


def fit_applicability(
    samples: SampleTable, folds: Sequence[Fold], *, options: ModelOptions, max_rows: int = MAX_ROWS, seed: int = 0
) -> Applicability:
    """Learn the area of applicability of a model (Meyer and Pebesma 2021, doi:10.1111/2041-210X.13650).

    Features are standardised and weighted by their importance to the model. The index of a pixel is its distance to the nearest
    training row over the mean distance between training rows. The threshold is the largest index of a training row against the
    rows of the other folds that is no outlier (within 1.5 interquartile ranges above the upper quartile): as far as the
    cross-validation has looked, and so as far as its score speaks for.

    With more than `max_rows` training rows prototypes are compared instead: rows chosen one by one, each the farthest from
    those chosen (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5); `error` is the distance of the row that they cover worst.

    Args:
        samples: Training rows with features.
        folds: The folds that the model is judged by; spatial ones, for a map of new places.
        options: The model.
        max_rows: Most rows to compare a pixel with.
        seed: Of permutations and draws.

    Raises:
        ModelError: If no row is usable, all rows are equal, or the folds leave nothing to compare.
    """
    features, usable = prepare_features(
        samples.to_features(), samples.inputs, missing=options.missing, min_valid_steps=options.min_valid_steps
    )
    known = np.where(usable[:, None], features, np.nan).astype(np.float64)
    count = np.maximum((~np.isnan(known)).sum(axis=0), 1)
    mean = np.nansum(known, axis=0) / count
    spread = np.sqrt(np.nansum(np.square(known - mean), axis=0) / count)
    weight = permutation_weights(samples, folds, options=options, seed=seed)
    factor = np.where(spread > 0, weight / np.where(spread > 0, spread, 1), 0.0).astype(np.float32)
    used = np.flatnonzero(factor > 0)
    if not used.size or int(usable.sum()) < 2:
        raise ModelError(f"{int(usable.sum())} of {len(samples)} samples are usable and {used.size} features differ between "
                         "them; the area of applicability needs at least two different rows")  # fmt: skip
    z = np.nan_to_num((features[:, used] - mean.astype(np.float32)[used]) * factor[used], nan=0.0)
    rng = np.random.default_rng([seed, 5])
    distance = _mean_distance(z[usable], rng)
    threshold = _whisker(_held_out_distances(z, usable, folds)) / distance
    rows, error = choose_prototypes(z[usable], max_rows)
    return Applicability(mean.astype(np.float32), factor, rows, used, distance, threshold, error / distance, int(usable.sum()))


def permutation_weights(
    samples: SampleTable, folds: Sequence[Fold], *, options: ModelOptions, seed: int = 0
) -> NDArray[np.float64]:
    """Give the importance of each feature: the rise of the log loss on held-out rows when it is shuffled, mean over the folds.

    Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324) on the rows that a fold holds out, for any model. What
    does not help counts 0; if nothing does, all features count alike.

    Args:
        samples: Training rows with features.
        folds: Folds to hold out.
        options: The model.
        seed: Of the shuffling.
    """
    total: NDArray[np.float64] | None = None
    target = samples.to_class_index()
    for number, fold in enumerate(folds):
        model = fit_model(samples.select(fold.train), options=options)
        features, usable = prepare_features(
            samples.select(fold.test).to_features(), samples.inputs, missing=options.missing,
            min_valid_steps=options.min_valid_steps,
        )  # fmt: skip
        rows = np.ascontiguousarray(features[usable])
        if not len(rows):
            continue
        truth = target[fold.test][usable]
        column = np.array([model.columns.index(t) if t in model.columns else -1 for t in truth])
        rng = np.random.default_rng([seed, 6, number])
        base = _log_loss(model.engine.predict_proba(rows), column)
        rise = np.empty(rows.shape[1])
        for f in range(rows.shape[1]):
            kept = rows[:, f].copy()
            rows[:, f] = kept[rng.permutation(len(kept))]
            rise[f] = _log_loss(model.engine.predict_proba(rows), column) - base
            rows[:, f] = kept
        total = rise * len(rows) if total is None else total + rise * len(rows)
    if total is None:
        raise ModelError("no fold has a usable test row to weigh features with; check the split and min_valid_steps")
    weight = np.maximum(total, 0)
    return weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1 / len(weight))


def _log_loss(proba: NDArray[np.float64], column: NDArray[np.int64]) -> float:
    known = column >= 0  # a class that the fold's training lacks costs the same whatever is shuffled
    p = proba[np.flatnonzero(known), column[known]]
    return float(-np.log(np.maximum(p, 1e-3)).mean()) if known.any() else 0.0


def _mean_distance(z: NDArray[np.float32], rng: np.random.Generator) -> float:
    from scipy.spatial.distance import pdist

    rows = z if len(z) <= _MAX_PAIRED else z[np.sort(rng.choice(len(z), _MAX_PAIRED, replace=False))]
    distance = float(pdist(rows).mean())
    if distance == 0:
        raise ModelError(f"all {len(z)} training rows are equal, so no distance to them means anything; check the samples")
    return distance


def _held_out_distances(z: NDArray[np.float32], usable: NDArray[np.bool_], folds: Sequence[Fold]) -> NDArray[np.float64]:
    found = []
    for fold in folds:
        train, test = fold.train[usable[fold.train]], fold.test[usable[fold.test]]
        if len(train) and len(test):
            out = np.empty(len(test), dtype=np.float32)
            one = np.ones(z.shape[1], dtype=np.float32)
            nearest_distance(z[test], np.zeros_like(one), one, *build_leaves(z[train]), out)
            found.append(out)
    if not found:
        raise ModelError(f"none of {len(folds)} folds has usable rows on both sides; check the split and min_valid_steps")
    return np.concatenate(found).astype(np.float64)


def _whisker(values: NDArray[np.float64]) -> float:
    """Give the largest value within 1.5 interquartile ranges above the upper quartile."""
    q1, q3 = np.quantile(values, [0.25, 0.75])
    return float(values[values <= q3 + 1.5 * (q3 - q1)].max())


def choose_prototypes(z: NDArray[np.float32], max_rows: int) -> tuple[NDArray[np.float32], float]:
    """Give at most `max_rows` rows (row, feature) that cover all, and the distance of the row that they cover worst."""
    rows = np.unique(z, axis=0)
    if len(rows) <= max_rows:
        return rows, 0.0
    chosen = [int(np.argmin(np.square(rows - rows.mean(axis=0)).sum(axis=1)))]
    left = np.square(rows - rows[chosen[0]]).sum(axis=1)
    while len(chosen) < max_rows:
        chosen.append(int(np.argmax(left)))
        np.minimum(left, np.square(rows - rows[chosen[-1]]).sum(axis=1), out=left)
    return np.ascontiguousarray(rows[np.sort(chosen)]), float(np.sqrt(left.max()))
