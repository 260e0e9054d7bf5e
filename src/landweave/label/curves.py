"""Accuracy against the number of labels: the loop of `loop.py` played with labels that are there already.

Receives a labelled table and folds; hands on a curve per strategy, judged on the held-out side of each spatial fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import SampleError
from landweave.label.active import Diversity, choose_batch
from landweave.label.checking import make_vectors
from landweave.label.loop import Strategy, score_places, train_committee
from landweave.metrics import count_confusion, score_matrix
from landweave.models import ModelOptions, PixelModel
from landweave.models.training import fit_model
from landweave.types import Fold, Options, Progress, SampleTable, track

__all__ = ["CurveOptions", "LabelCurve", "play_labelling"]


class CurveOptions(Options):
    """How labelling is played."""

    strategy: Strategy = Field("margin", description="how places are chosen")
    diversity: Diversity = Field("none", description="how batches are kept diverse")
    start: int = Field(20, ge=2, description="labels to begin with, drawn at random")
    batch: int = Field(20, ge=1, description="labels added per round")
    n_rounds: int = Field(8, ge=1, description="rounds")
    min_distance_m: float = Field(0, ge=0, description="least distance between the places of a batch")
    n_members: int = Field(5, ge=2, description="models of a committee")
    seed: int = Field(0, ge=0, description="seed; the first labels are the same for all strategies")


@dataclass(frozen=True)
class LabelCurve:
    """Scores against labels.

    Attributes:
        n_labels: Labels (round,).
        overall_accuracy: Of all held-out rows of a repeat together (repeat, round).
        macro_f1: Likewise.
    """

    n_labels: NDArray[np.int64]
    overall_accuracy: NDArray[np.float64]
    macro_f1: NDArray[np.float64]


def play_labelling(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, model: ModelOptions, options: CurveOptions,
    progress: Progress | None = None,
) -> LabelCurve:  # fmt: skip
    """Play active learning: labels of the training side are revealed batch by batch, the test side judges.

    Args:
        samples: All labelled, with features.
        repeats: Spatial folds of each repeat.
        model: The model that is refitted each round.
        options: How places are chosen.
        progress: Told of the folds.

    Returns:
        Accuracy and macro-F1 after each round, over the pooled test sides of a repeat.

    Raises:
        SampleError: If a training side is smaller than the labels asked for.
    """
    k, vectors = len(samples.legend), np.nan_to_num(make_vectors(samples))
    lonlat, truth = samples.to_xy("EPSG:4326"), samples.to_class_index()
    matrices = np.zeros((len(repeats), options.n_rounds + 1, k, k), dtype=np.int64)
    jobs = [(r, fold) for r, folds in enumerate(repeats) for fold in folds]
    for number, (r, fold) in enumerate(track(jobs, "labelling", len(jobs), progress, "folds")):
        need = options.start + options.batch * options.n_rounds
        if len(fold.train) < need:
            raise SampleError(f"{need} labels are asked of a training side of {len(fold.train)} rows; ask for fewer rounds")
        known = _first_labels(truth[fold.train], options.start, np.random.default_rng([options.seed, number]))
        rng = np.random.default_rng([options.seed, number, 1])
        test, held = samples.select(fold.test), truth[fold.test]
        for step in range(options.n_rounds + 1):
            table = samples.select(fold.train[known])
            fitted = fit_model(table, options=model)
            predicted = _predict(fitted, test)
            matrices[r, step] += count_confusion(predicted, held, k)
            if step < options.n_rounds:
                left = np.flatnonzero(~known)
                chosen = _next_labels(fitted, samples, table, fold.train[left], (vectors, lonlat), options, model, rng)
                known[left[chosen]] = True
    n = options.start + options.batch * np.arange(options.n_rounds + 1)
    scores = [np.asarray(score_matrix(matrices, name)) for name in ("overall_accuracy", "macro_f1")]
    return LabelCurve(n, scores[0], scores[1])


def _first_labels(labels: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw rows at random; where all would be of one class, one of another takes the last one's place."""
    known = np.zeros(len(labels), dtype=bool)
    drawn = rng.permutation(len(labels))
    first = drawn[:n]
    if len(np.unique(labels[first])) < 2:
        other = drawn[labels[drawn] != labels[first[0]]]
        if not len(other):
            raise SampleError("a training side holds a single class; use larger or fewer blocks")
        first = np.append(first[:-1], other[0])
    known[first] = True
    return known


def _predict(model: PixelModel, table: SampleTable) -> NDArray[np.int64]:
    return np.asarray(model.predict_features_index(table.to_features()), dtype=np.int64)


def _next_labels(
    fitted: PixelModel, samples: SampleTable, table: SampleTable, left: NDArray[np.int64],
    where: tuple[NDArray[np.float32], NDArray[np.float64]], options: CurveOptions, model: ModelOptions,
    rng: np.random.Generator,
) -> NDArray[np.int64]:  # fmt: skip
    committee: list[PixelModel] = []
    if options.strategy == "committee":
        committee = train_committee(table, options=model, n_members=options.n_members, rng=rng)
    features = samples.to_features()[left]
    score = score_places(fitted, features, strategy=options.strategy, rng=rng, committee=committee)
    vectors, lonlat = where
    chosen = choose_batch(score, options.batch, rng=rng, features=vectors[left], diversity=options.diversity,
                          lonlat=lonlat[left], min_distance_m=options.min_distance_m)  # fmt: skip
    if len(chosen) < options.batch:  # the distance left too few: the rest by score alone, so that curves compare
        order = np.argsort(-np.nan_to_num(score, nan=-1), kind="stable")
        chosen = np.concatenate([chosen, order[~np.isin(order, chosen)][: options.batch - len(chosen)]])
    return chosen
