"""Do the bands of a cube stand in the order that a model was trained on? Told from how bands vary together.

Receives a card's band statistics and values of a cube; hands on an order that fits better, if there is one. A band taken for
another often keeps within the range of the training data, so that no look at single bands finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from landweave.types import BandStatistics

__all__ = ["MOST_BANDS", "describe_bands", "describe_inputs", "find_order"]

MOST_BANDS = 32
"""Neighbouring bands of a hyperspectral sensor are nearly alike, and a card should stay readable."""
_MOST_PIXELS = 1000
_MOST_ROWS = 100_000
_SHRINK = 0.01
"""Share of each band's own variance that is added: bands that hardly differ in training must not decide by noise."""
_BETTER = 0.6
"""Another order is proposed where it brings the median pixel to this share of the distance or nearer. On single windows of
64 x 64 pixels of four Landsat and Sentinel-2 images no exchange of bands in the right order came below 0.71."""
_FITTING = 2.0
"""How far the median pixel may be, in medians of the training rows, for the order to fit. Another atmosphere moves all bands,
and exchanging some may help by chance: between two Landsat 7 dates, to 0.58. So where nothing fits, more is asked."""
_MUCH_BETTER = 0.25


def describe_bands(values: NDArray[np.floating]) -> BandStatistics | None:
    """Describe how the bands of training rows vary together.

    Args:
        values: (row, band), physical units; rows with NaN are left out.

    Returns:
        Means, covariance and the median squared Mahalanobis distance of the rows, or None where there are fewer than two
        bands, more than `MOST_BANDS`, or too few rows (twice as many as bands).
    """
    n_bands = values.shape[1]
    kept = values[np.isfinite(values).all(axis=1)].astype(np.float64)
    if not 2 <= n_bands <= MOST_BANDS or len(kept) < 2 * n_bands:
        return None
    kept = kept[:: -(-len(kept) // _MOST_ROWS)]
    mean, covariance = kept.mean(axis=0), np.cov(kept, rowvar=False)
    if (np.diag(covariance) <= 0).any():
        return None
    median = float(np.median(_distance2(kept, mean, _invert(covariance))))
    return BandStatistics(mean=tuple(map(float, mean)), covariance=tuple(tuple(map(float, r)) for r in covariance),
                          median_distance2=median)  # fmt: skip


def describe_inputs(values: Mapping[str, NDArray[np.floating]]) -> dict[str, BandStatistics]:
    """Describe every input that can be described; see `describe_bands`."""
    made = {name: describe_bands(rows) for name, rows in values.items()}
    return {name: found for name, found in made.items() if found is not None}


def find_order(trained: BandStatistics, values: NDArray[np.floating]) -> tuple[int, ...] | None:
    """Find an order of the bands under which values look far more like the training data than as they stand.

    Bands are exchanged in pairs, the best exchange first, as long as the median squared Mahalanobis distance
    d2 = (x - m)' C^-1 (x - m) falls, with m and C the training data's mean and covariance.

    Args:
        trained: What `describe_bands` gave for the training rows.
        values: (pixel, band) of the cube, in the order in which the model would read them.

    Returns:
        Positions to read the bands from, so that `values[:, order]` fits; None where no other order is clearly better.
    """
    kept = values[np.isfinite(values).all(axis=1)].astype(np.float64)
    if len(kept) < 2:
        return None
    kept = kept[:: -(-len(kept) // _MOST_PIXELS)]
    mean, inverse = np.array(trained.mean), _invert(np.array(trained.covariance))

    def score(order: Sequence[int]) -> float:
        return float(np.median(_distance2(kept[:, list(order)], mean, inverse)))

    order = tuple(range(kept.shape[1]))
    first = best = score(order)
    while True:
        tried = [(score(other), other) for other in _exchanges(order)]
        found, other = min(tried)
        if found >= best:
            break
        best, order = found, other
    fits = best <= _FITTING * trained.median_distance2
    return order if best < (_BETTER if fits else _MUCH_BETTER) * first else None


def _exchanges(order: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Give every order with two positions exchanged."""
    made = []
    for a, b in combinations(range(len(order)), 2):
        other = list(order)
        other[a], other[b] = other[b], other[a]
        made.append(tuple(other))
    return made


def _invert(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(covariance + _SHRINK * np.diag(np.diag(covariance))), dtype=np.float64)


def _distance2(values: NDArray[np.float64], mean: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = values - mean
    return np.asarray(((apart @ inverse) * apart).sum(axis=1))
