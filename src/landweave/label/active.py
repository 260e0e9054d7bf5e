"""Which places to label next: how unsure a model is there, and batches that are diverse, representative and apart in space.

Receives probabilities, features and coordinates of candidate places; hands on their positions. Arrays only.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.samples.blocks import earth_xyz

__all__ = ["Diversity", "Uncertainty", "choose_batch", "committee_disagreement", "information_density", "uncertainty"]

Uncertainty = Literal["entropy", "margin", "least-confident"]
Diversity = Literal["none", "cluster", "density"]


def uncertainty(proba: NDArray[np.floating], kind: Uncertainty) -> NDArray[np.float64]:
    """Say how unsure a model is (Settles 2012, Active learning, doi:10.1007/978-3-031-01560-1, section 2).

    Args:
        proba: Probabilities (place, class).
        kind: `entropy` (over the logarithm of the number of classes), `margin` (1 less the lead of the first class over the
            second) or `least-confident` (1 - max p, over its largest value).

    Returns:
        (place,), 0 sure to 1 unsure; NaN where probabilities are.

    Raises:
        SampleError: If the kind is unknown or there are fewer than two classes.
    """
    p = np.asarray(proba, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise SampleError(f"probabilities have shape {p.shape}; give (place, class) with two classes or more")
    k = p.shape[1]
    if kind == "entropy":
        return np.asarray(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=1) / np.log(k))
    if kind == "margin":
        top = np.sort(p, axis=1)[:, -2:]
        return np.asarray(1 - (top[:, 1] - top[:, 0]))
    if kind == "least-confident":
        return np.asarray((1 - p.max(axis=1)) * k / (k - 1))
    raise SampleError(f"no uncertainty named {kind!r}; known: entropy, margin, least-confident")


def committee_disagreement(
    proba: NDArray[np.floating], *, kind: Literal["vote-entropy", "divergence"] = "divergence"
) -> NDArray[np.float64]:
    """Say how much the members of a committee disagree.

    Args:
        proba: Probabilities (member, place, class).
        kind: `vote-entropy` of the members' classes (Dagan and Engelson 1995), or the mean Kullback-Leibler `divergence` of
            the members from their mean (McCallum and Nigam 1998).

    Returns:
        (place,), 0 or more; entropy over the logarithm of the number of classes.

    Raises:
        SampleError: If there are fewer than two members or the kind is unknown.
    """
    p = np.asarray(proba, dtype=np.float64)
    if p.ndim != 3 or len(p) < 2:
        raise SampleError(f"committee's probabilities have shape {p.shape}; give (member, place, class) of two members or more")
    if kind == "vote-entropy":
        votes = np.stack([(p.argmax(axis=2) == c).mean(axis=0) for c in range(p.shape[2])], axis=1)
        return np.where(np.isnan(p).any(axis=(0, 2)), np.nan, uncertainty(votes, "entropy"))
    if kind == "divergence":
        ratio = np.where(p > 0, p, 1) / np.where(p > 0, p.mean(axis=0), 1)
        return np.asarray((p * np.log(ratio)).sum(axis=2).mean(axis=0) / np.log(p.shape[2]))
    raise SampleError(f"no disagreement named {kind!r}; known: vote-entropy, divergence")


def information_density(
    features: NDArray[np.floating], rng: np.random.Generator, *, n_compared: int = 1000
) -> NDArray[np.float64]:
    """Say how typical each place is: mean similarity to the others (Settles and Craven 2008, section 3.4 of the survey).

    Args:
        features: (place, feature) on comparable scales.
        rng: Draws the places that all are compared with, where there are more than `n_compared`.
        n_compared: At most this many.

    Returns:
        Mean of exp(-d^2 / (2 s^2)) with s the root of the median squared distance (place,), 0..1.
    """
    x = np.asarray(features, dtype=np.float32)
    y = x[rng.choice(len(x), n_compared, replace=False)] if len(x) > n_compared else x
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2 * x @ y.T
    squares = np.maximum(squares, 0)
    scale = max(float(np.median(squares)), 1e-12)
    return np.asarray(np.exp(-squares / (2 * scale)).mean(axis=1), dtype=np.float64)


def choose_batch(
    score: NDArray[np.floating], n: int, *, rng: np.random.Generator, features: NDArray[np.floating] | None = None,
    diversity: Diversity = "none", lonlat: NDArray[np.floating] | None = None, min_distance_m: float = 0.0,
) -> NDArray[np.int64]:  # fmt: skip
    """Choose places to label together: high scores, yet not all alike and not side by side.

    `cluster` takes the ten times n places of highest score, groups them by k-means weighted by the score, and takes the
    places nearest to the n centres (Zhdanov 2019, arXiv:1901.05954). `density` multiplies the score by
    `information_density`, so that odd pixels do not fill the batch. Then places are taken from the top, and those nearer than
    `min_distance_m` to a taken one are passed over.

    Args:
        score: Use of a label at each place (place,), higher is better; NaN places are never chosen.
        n: How many.
        rng: Breaks ties and seeds clusters.
        features: (place, feature) on comparable scales, for `cluster` and `density`.
        diversity: How batches are kept diverse.
        lonlat: Longitude and latitude (place, 2), for `min_distance_m`.
        min_distance_m: Least distance between chosen places in metres.

    Returns:
        Positions, best first; fewer than n where the distance allows no more.

    Raises:
        SampleError: If there are no candidates, or features or coordinates are missing.
    """
    usable = np.flatnonzero(~np.isnan(score))
    if n < 1 or not len(usable):
        raise SampleError(f"{n} places are asked of {len(usable)} candidates with a score; ask for one or more, and "
                          "give candidates")  # fmt: skip
    if diversity not in ("none", "cluster", "density"):
        raise SampleError(f"no diversity named {diversity!r}; known: none, cluster, density")
    if diversity != "none" and features is None:
        raise SampleError(f"diversity {diversity!r} needs the features of the candidates")
    if min_distance_m > 0 and lonlat is None:
        raise SampleError(f"min_distance_m {min_distance_m:g} needs the coordinates of the candidates")
    worth = np.asarray(score, dtype=np.float64)[usable]
    if diversity == "density" and features is not None:
        worth = worth * information_density(features[usable], rng)
    mixed = rng.permutation(len(usable))  # equal scores in random order
    order = mixed[np.argsort(-worth[mixed], kind="stable")]
    if diversity == "cluster" and features is not None and len(usable) > n:
        order = _by_cluster(features[usable], worth, order, n, rng)
    ranked = usable[order]
    if min_distance_m <= 0 or lonlat is None:
        return ranked[:n]
    return _keep_apart(ranked, n, np.asarray(lonlat, dtype=np.float64), min_distance_m)


def _by_cluster(
    features: NDArray[np.floating], worth: NDArray[np.float64], order: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Put the place nearest to each cluster's centre first, then the second nearest, ..., then all others."""
    from sklearn.cluster import KMeans

    pool, rest = order[: 10 * n], order[10 * n :]
    x = np.asarray(features[pool], dtype=np.float64)
    n_distinct = len(np.unique(x, axis=0))
    weight = np.maximum(worth[pool], 1e-6)
    fitted = KMeans(min(n, n_distinct), n_init=3, random_state=int(rng.integers(2**31))).fit(x, sample_weight=weight)
    away = np.square(x - fitted.cluster_centers_[fitted.labels_]).sum(axis=1)
    rank = np.empty(len(pool), dtype=np.int64)
    for c in range(len(fitted.cluster_centers_)):
        mine = np.flatnonzero(fitted.labels_ == c)
        rank[mine[np.argsort(away[mine], kind="stable")]] = np.arange(len(mine))
    return np.concatenate([pool[np.lexsort((-worth[pool], rank))], rest])


def _keep_apart(ranked: NDArray[np.int64], n: int, lonlat: NDArray[np.float64], distance_m: float) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    at = earth_xyz(lonlat[ranked])
    tree = cKDTree(at)
    blocked = np.zeros(len(ranked), dtype=bool)
    chosen: list[int] = []
    for i in range(len(ranked)):
        if len(chosen) == n:
            break
        if not blocked[i]:
            chosen.append(i)
            blocked[tree.query_ball_point(at[i], distance_m)] = True
    return ranked[chosen]
