"""Legends with levels: classes joined to their parents, samples and scores at every level.

Receives a nomenclature, or a legend whose classes name parents; hands on coarser legends and scores level by level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landweave.errors import LegendError
from landweave.legend import LandClass, Legend, Nomenclature
from landweave.metrics import count_confusion, score_matrix
from landweave.types import SampleTable

__all__ = ["Level", "LevelScore", "aggregate_index", "aggregate_samples", "levels_of", "score_levels"]


@dataclass(frozen=True)
class Level:
    """One level of a hierarchy.

    Attributes:
        depth: 0 for the classes themselves, 1 for their parents, and so on.
        legend: The classes of the level, in the order of their first member; codes count from 1 above depth 0.
        index: class_index at this level of every class of depth 0 (class,).
    """

    depth: int
    legend: Legend
    index: NDArray[np.int64]


@dataclass(frozen=True)
class LevelScore:
    """Scores at one level.

    Attributes:
        depth: Level, 0 the finest.
        legend: Its classes.
        counts: Predicted (rows) against reference (columns).
        overall_accuracy: Share that is right.
        macro_f1: Mean F1 of the classes that occur in the reference.
        f1: Per class; NaN for one that occurs on neither side.
    """

    depth: int
    legend: Legend
    counts: NDArray[np.int64]
    overall_accuracy: float
    macro_f1: float
    f1: NDArray[np.float64]


def levels_of(source: Nomenclature | Legend, *, parents: Mapping[str, str] | None = None) -> list[Level]:
    """List the levels of a nomenclature from the classes up.

    A class without a parent stands for itself at the levels above, so that every level covers everything.

    Args:
        source: A nomenclature, or a legend whose classes name their `parent`.
        parents: Group -> the group above it, for a legend; a nomenclature brings its own.

    Returns:
        The levels; only the first where no class has a parent.

    Raises:
        LegendError: If groups are each other's parents.
    """
    legend = source.legend if isinstance(source, Nomenclature) else source
    above = dict(source.parents if isinstance(source, Nomenclature) else parents or {})
    chains = [_chain(c, above) for c in legend]
    levels = [Level(0, legend, np.arange(len(legend)))]
    for depth in range(1, max(len(c) for c in chains)):
        names = [c[min(depth, len(c) - 1)] for c in chains]
        kept = list(dict.fromkeys(names))
        colors = {name: legend.classes[names.index(name)].color for name in kept}
        index = np.array([kept.index(n) for n in names], dtype=np.int64)
        levels.append(Level(depth, Legend.from_names(kept, colors=colors), index))
    return levels


def _chain(land_class: LandClass, above: Mapping[str, str]) -> list[str]:
    chain = [land_class.name]
    parent = land_class.parent
    while parent is not None:
        if parent in chain[1:]:
            raise LegendError(f"groups {' -> '.join([*chain[1:], parent])} are each other's parents; a hierarchy has a top")
        chain.append(parent)
        parent = above.get(parent)
    return chain


def aggregate_index(index: NDArray[np.integer], level: Level) -> NDArray[np.int64]:
    """Turn class indices of depth 0 into those of a level; negative (nodata) stays."""
    at = np.asarray(index, dtype=np.int64)
    return np.where(at < 0, -1, level.index[np.maximum(at, 0)])


def aggregate_samples(samples: SampleTable, level: Level) -> SampleTable:
    """Give samples the classes of a level.

    Raises:
        LegendError: If the level is not of the samples' legend.
    """
    if len(level.index) != len(samples.legend):
        raise LegendError(f"level joins {len(level.index)} classes, the samples have {len(samples.legend)}; take the levels of "
                          "their legend (levels_of(samples.legend))")  # fmt: skip
    names = np.array(level.legend.names, dtype=object)
    frame = samples.frame.assign(**{"class": names[aggregate_index(samples.to_class_index(), level)]})
    return replace(samples, frame=frame, legend=level.legend)


def score_levels(
    predicted: NDArray[np.integer], reference: NDArray[np.integer], levels: Sequence[Level]
) -> list[LevelScore]:
    """Score a map at every level: confusing two kinds of forest is no error where forest is one class.

    Args:
        predicted: class_index of depth 0, any shape; negative is nodata.
        reference: Likewise, same shape.
        levels: From `levels_of`.

    Returns:
        One score per level, from the finest; accuracy never falls from one level to the next.

    Raises:
        AssessmentError: If shapes differ or an index is not of the legend.
    """
    scores = []
    fine = count_confusion(predicted, reference, len(levels[0].legend))
    for level in levels:
        k = len(level.legend)
        counts = np.zeros((k, k), dtype=np.int64)
        np.add.at(counts, (level.index[:, None], level.index[None, :]), fine)
        overall, macro = (float(score_matrix(counts, name)) for name in ("overall_accuracy", "macro_f1"))
        scores.append(LevelScore(level.depth, level.legend, counts, overall, macro, score_matrix(counts, "f1")))
    return scores
