"""Checks of labels by their neighbours: rows that look alike, rows far from their class, places labelled twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.label.findings import LabelFinding

__all__ = ["check_by_neighbours", "find_conflicts", "find_outliers", "nearest_rows"]

_CHUNK = 1000


def nearest_rows(
    features: NDArray[np.float32], groups: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the k nearest rows of other groups, nearest first, and their Euclidean distances.

    Args:
        features: Rows (row, feature) without gaps, on comparable scales.
        groups: Group of each row; rows of a row's own group (the same place or polygon) are no evidence for its label.
        k: How many.

    Returns:
        Positions (row, k) and distances (row, k).

    Raises:
        SampleError: If a row has fewer than k rows of other groups.
    """
    every = np.arange(len(features))
    return _nearest_among(np.ascontiguousarray(features, dtype=np.float32), every, every, groups, k)


def _nearest_among(
    x: NDArray[np.float32], rows: NDArray[np.int64], others: NDArray[np.int64], groups: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the k rows of `others`, in groups of their own, that are nearest to each of `rows`."""
    squares = np.square(x).sum(axis=1)
    found, distance = np.empty((len(rows), k), dtype=np.int64), np.empty((len(rows), k))
    sizes = np.unique(groups[others], return_counts=True)[1]
    if len(others) - int(sizes.max(initial=0)) < k:
        raise SampleError(f"{len(others)} rows, {sizes.max(initial=0)} of them in one group, do not give {k} neighbours of "
                          "other groups to every row; ask for fewer neighbours")  # fmt: skip
    for top in range(0, len(rows), _CHUNK):
        part = rows[top : top + _CHUNK]
        here = slice(top, top + _CHUNK)
        d = squares[part, None] + squares[others][None] - 2 * x[part] @ x[others].T
        d[groups[part, None] == groups[others][None]] = np.inf
        near = np.argpartition(d, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(d, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)
        found[here] = others[near]
        distance[here] = np.sqrt(np.maximum(np.take_along_axis(d, near, axis=1), 0))
    return found, distance


def check_by_neighbours(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64], *, n_classes: int, k: int = 10,
    min_share: float = 0.3,
) -> LabelFinding:  # fmt: skip
    """Check labels against the nearest rows of other groups (edited nearest neighbours: Wilson 1972,
    doi:10.1109/TSMC.1972.4309137, with a share in place of the plain majority).

    Args:
        features: Rows (row, feature) on comparable scales; rows with NaN are not judged and are nobody's neighbours.
        labels: class_index of the given label (row,).
        groups: Group of each row.
        n_classes: Number of classes.
        k: Neighbours looked at; a nearer one counts more, by the inverse of its rank.
        min_share: A row is suspect where fewer of its neighbours have its label, and another class has more.

    Returns:
        Suspects; the score is 1 less the share of the label, the suggestion the commonest class among the neighbours.
    """  # noqa: D205 (one sentence says both)
    rows = np.flatnonzero(~np.isnan(features).any(axis=1))
    near = nearest_rows(features[rows], groups[rows], k)[0]
    said = labels[rows][near]
    weight = 1 / np.sqrt(np.arange(1, k + 1))
    votes = np.stack([((said == c) * weight).sum(axis=1) for c in range(n_classes)], axis=1) / weight.sum()
    own = votes[np.arange(len(rows)), labels[rows]]
    best = votes.argmax(axis=1)
    score = np.full(len(labels), np.nan)
    suspect = np.zeros(len(labels), dtype=bool)
    suggested = np.full(len(labels), -1, dtype=np.int64)
    score[rows] = np.clip(1 - own, 0, 1)
    suspect[rows] = (own < min_share) & (votes.max(axis=1) > own)
    suggested[rows] = np.where(best == labels[rows], -1, best)
    note = f"{k} nearest rows of other groups; suspect where fewer than {min_share:.0%} share the label"
    return LabelFinding("neighbours", suspect, score, suggested, note)


def find_outliers(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64], *, k: int = 5, cutoff: float = 2.0
) -> LabelFinding:
    """Find the rows that stand outside their own class.

    For each row, the mean distance to the k nearest rows of its class over that to the k nearest of all other classes (rows
    of its group left out), as a logarithm. Within a class the ratios are compared by the modified z-score
    0.6745 (d - median) / MAD (Iglewicz and Hoaglin 1993), so that a class that is wide by nature is not suspected as a whole.
    The distance within the class alone finds next to nothing on planted noise, as wrong rows of one kind keep company.

    Args:
        features: Rows (row, feature) on comparable scales; rows with NaN are not judged.
        labels: class_index of the given label (row,).
        groups: Group of each row.
        k: Neighbours; a class with fewer than 2 k + 2 rows beside its largest group is not judged.
        cutoff: Modified z-score from which a row is suspect.

    Returns:
        Suspects; the score is z / (z + cutoff), 1/2 at the cutoff, the suggestion the commonest class of the k nearest rows
        of other classes.

    Raises:
        SampleError: If there are fewer than k rows of other classes.
    """
    x = np.ascontiguousarray(features, dtype=np.float32)
    complete = ~np.isnan(x).any(axis=1)
    score = np.full(len(labels), np.nan)
    suggested = np.full(len(labels), -1, dtype=np.int64)
    unjudged = 0
    for c in np.unique(labels):
        rows, others = np.flatnonzero((labels == c) & complete), np.flatnonzero((labels != c) & complete)
        largest = np.unique(groups[rows], return_counts=True)[1].max(initial=0)
        if len(rows) - largest < 2 * k + 2:
            unjudged += len(rows)
            continue
        own = _nearest_among(x, rows, rows, groups, k)[1].mean(axis=1)
        near, away = _nearest_among(x, rows, others, groups, k)
        d = np.log((own + 1e-9) / (away.mean(axis=1) + 1e-9))
        middle = float(np.median(d))
        z = np.maximum(0.6745 * (d - middle) / max(float(np.median(np.abs(d - middle))), 1e-9), 0)
        score[rows] = z / (z + cutoff)
        votes = np.stack([(labels[near] == j).sum(axis=1) for j in range(int(labels.max()) + 1)], axis=1)
        suggested[rows] = votes.argmax(axis=1)
    note = f"distance to the {k} nearest rows of the class over that to the {k} nearest of others"
    note += f"; {unjudged} rows of small classes not judged" if unjudged else ""
    return LabelFinding("outliers", np.nan_to_num(score) > 0.5, score, suggested, note)


def find_conflicts(places: NDArray[np.int64], labels: NDArray[np.int64], *, n_classes: int) -> LabelFinding:
    """Find places that carry several labels for the same time.

    Args:
        places: Number of the place and time of each row (row,).
        labels: class_index of the given label (row,).
        n_classes: Number of classes.

    Returns:
        Suspects: the minority of each such place, or all its rows where no label leads. The score is 1 less the label's
        share among the place's rows; rows of places given once are not judged.
    """
    number = np.unique(places, return_inverse=True)[1].reshape(-1)
    n = int(number.max(initial=-1)) + 1
    counts = np.bincount(number * n_classes + labels, minlength=n * n_classes).reshape(n, n_classes)
    total = counts.sum(axis=1)
    top = counts.max(axis=1)
    tied = (counts == top[:, None]).sum(axis=1) > 1
    own = counts[number, labels]
    score = np.where(total[number] > 1, 1 - own / total[number], np.nan)
    mixed = (counts > 0).sum(axis=1) > 1
    suspect = mixed[number] & ((own < top[number]) | tied[number])
    suggested = np.where(suspect & ~tied[number], counts.argmax(axis=1)[number], -1)
    return LabelFinding("conflicts", suspect, score, suggested, f"{int(mixed.sum())} places carry several labels for one time")
