"""Neighbours of samples, in feature space and on the ground, that have another label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.samples._rows import lonlat_of
from landweave.samples.blocks import earth_xyz
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

_MAX_ROWS = 5000
"""Rows compared with each other; of larger tables that many are drawn, evenly per class."""
_SHARE = 0.8
"""Share of the neighbours that must agree on another label for a row to be listed."""


def _draw(classes: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    if len(classes) <= limit:
        return np.arange(len(classes))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(classes))
    rank = np.empty(len(classes), dtype=np.int64)
    for c in np.unique(classes):
        mine = order[classes[order] == c]
        rank[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(rank[order], kind="stable")][:limit])


def disagree_in_features(samples: SampleTable, *, k: int) -> tuple[pd.DataFrame, int, float]| None:
    """List the rows whose nearest rows of other groups, by standardised features, mostly share one other label.

    Args:
        samples: With features; gaps count as the feature's mean.
        k: Neighbours looked at.

    Returns:
        Rows (sample_id, class, looks_like, share, lon, lat), how many rows were looked at, and the share asked of the
        neighbours; None where there are too few rows of other groups.
    """
    import pandas as pd

    classes = samples.to_class_index()
    rows = _draw(classes, _MAX_ROWS)
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1][rows]
    if len(rows) - np.bincount(groups).max() < k:
        return None
    x = _standardise(samples.to_features()[rows])
    label, n_classes = classes[rows], len(samples.legend)
    best, share = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    squares = np.square(x).sum(axis=1)
    for top in range(0, len(rows), 500):
        part = slice(top, top + 500)
        distance = squares[part, None] + squares[None, :] - 2 * x[part] @ x.T
        distance[groups[part, None] == groups[None, :]] = np.inf
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        votes = np.stack([(label[near] == c).sum(axis=1) for c in range(n_classes)], axis=1)
        best[part], share[part] = votes.argmax(axis=1), votes.max(axis=1) / k
    odd = (best != label) & (share >= _SHARE)
    at = lonlat_of(samples.frame.iloc[rows[odd]])
    names = np.array(samples.legend.names, dtype=object)
    number = samples.frame["sample_id"].to_numpy()[rows[odd]]
    table = pd.DataFrame({
        "sample_id": number, "class": names[label[odd]], "looks_like": names[best[odd]], "share": share[odd],
        "lon": at[:, 0], "lat": at[:, 1],
    }).sort_values("share", ascending=False, kind="stable", ignore_index=True)  # fmt: skip
    return table, len(rows), _SHARE


def _standardise(x: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = ~np.isnan(x)
        n = np.maximum(valid.sum(axis=0), 1)
        mean = np.where(valid, x, 0).sum(axis=0, dtype=np.float64) / n
        spread = np.sqrt(np.where(valid, np.square(x - mean), 0).sum(axis=0, dtype=np.float64) / n)
    return np.where(valid, (x - mean) / np.where(spread > 0, spread, 1), 0).astype(np.float32)


def same_class_next_door(samples: SampleTable) -> tuple[float, float] | None:
    """Give the share of rows whose nearest place of another group has the same class, and the share expected by chance.

    None where all rows are of one group.
    """
    from scipy.spatial import cKDTree

    classes = samples.to_class_index()
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
    # one place per group is enough: its rows are one place, or one polygon
    _, first, n = np.unique(groups, return_index=True, return_counts=True)
    if len(first) < 3:
        return None
    at = earth_xyz(lonlat_of(samples.frame.iloc[first]))
    near = cKDTree(at).query(at, k=2)[1]
    other = np.where(near[:, 0] == np.arange(len(first)), near[:, 1], near[:, 0])
    same = classes[first] == classes[first[other]]
    freq = np.bincount(classes[first]) / len(first)
    return float(np.average(same, weights=n)), float(np.square(freq).sum())
