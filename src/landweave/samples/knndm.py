"""kNNDM: folds whose test places lie as far from the training as the places to be mapped lie from the samples.

Receives samples and the area to be mapped; hands on folds and how well their distances match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples._values import group_means
from landweave.samples.dealing import deal_units
from landweave.samples.ground import earth_xyz, ellipsoid_cells
from landweave.samples.options import SplitOptions
from landweave.types import Fold, SampleTable

__all__ = ["DistanceMatch", "draw_prediction_places", "match_distances", "split_knndm"]

_N_PLACES = 1000
"""Places drawn in the area to be mapped."""
_MAX_PLACES = 4000
"""Places clustered (the tree of distances takes 64 MB); of more, neighbours are joined to cells first."""
_MAX_FOLD = 0.5
"""Largest share of the rows in one fold (`maxp` of Linnenbrink et al. 2024)."""
_N_CANDIDATES = 30
"""Numbers of clusters tried, between the folds and the places."""


@dataclass(frozen=True)
class DistanceMatch:
    """How well folds match the distances of prediction.

    Attributes:
        folds: The folds.
        n_clusters: Clusters that the places were put into; None where random folds match at once.
        wasserstein_m: Mean difference in metres between the two distributions of distances (0 is a perfect match).
        random_wasserstein_m: The same for random folds.
        prediction_m: Distance of each place to be mapped to its nearest sample.
        fold_m: Distance of each sampled place to the nearest one of its training.
    """

    folds: list[Fold]
    n_clusters: int | None
    wasserstein_m: float
    random_wasserstein_m: float
    prediction_m: NDArray[np.float64]
    fold_m: NDArray[np.float64]


def split_knndm(
    samples: SampleTable, options: SplitOptions, *, places: NDArray[np.float64] | None = None
) -> list[list[Fold]]:
    """Make folds by matching of nearest neighbour distances; see `match_distances`.

    They answer how good the map of a stated area is when no probability sample of it exists: unlike random folds they are not
    flattered by clustered samples, unlike blocks they do not test farther away than the map goes.

    Args:
        samples: The samples.
        options: Folds, repeats, seed, `predict_bbox`.
        places: Longitude and latitude (n, 2) of places to be mapped; drawn in the area by default.

    Returns:
        Per repeat a list of folds; every row is tested once per repeat, and no group stands on both sides.

    Raises:
        SplitError: As `match_distances`.
    """
    return [match_distances(samples, options, places=places, repeat=r).folds for r in range(options.n_repeats)]


def match_distances(
    samples: SampleTable, options: SplitOptions, *, places: NDArray[np.float64] | None = None, repeat: int = 0
) -> DistanceMatch:
    """Find folds whose test-to-training distances are distributed as those of prediction to the samples.

    Follows the k-fold nearest neighbour distance matching of Linnenbrink et al. (2024, doi:10.5194/gmd-17-5897-2024), the
    k-fold form of NNDM (Mila et al. 2022, doi:10.1111/2041-210X.13851): where the samples' own nearest neighbour distances are
    not shorter than those of prediction (one-sided Kolmogorov-Smirnov test, p >= 0.05), random folds serve. Else the places are
    clustered (Ward), cut into k to N clusters, clusters are joined to k folds of at most half of the rows, and the cut is taken
    whose distances differ least (Wasserstein distance W1). Ours differs in two ways: a group is one place and is never cut, and
    clusters are dealt to folds so that every fold gets its share of every class, not in order of a principal component.

    Args:
        samples: The samples.
        options: Folds, seed, `predict_bbox`.
        places: Longitude and latitude (n, 2) of places to be mapped; drawn in the area by default.
        repeat: Which of several draws.

    Raises:
        SplitError: If there are fewer places than folds, or no cut keeps every fold below half of the rows.
    """
    from scipy.spatial import cKDTree
    from scipy.stats import ks_2samp, wasserstein_distance

    rng = np.random.default_rng([options.seed, 3, repeat])
    units, at = _unit_places(samples)
    k = options.n_folds
    if len(at) < k:
        raise SplitError(f"{len(samples)} samples stand on {len(at)} places, fewer than {k} folds; ask for fewer (n_folds)")
    target = draw_prediction_places(samples, options, rng=rng) if places is None else places
    tree = cKDTree(at)
    prediction = tree.query(earth_xyz(target))[0]
    own = tree.query(at, k=2)[0][:, 1]
    classes, shares = samples.to_class_index(), np.full(k, 1 / k)
    random = _by_place(units, deal_units(units, classes, shares, rng))
    random_d = _fold_distances(at, random)
    random_w = float(wasserstein_distance(prediction, random_d))
    best: tuple[float, int | None, NDArray[np.int64], NDArray[np.float64]] = (random_w, None, random, random_d)
    if ks_2samp(own, prediction, alternative="greater", method="asymp").pvalue < 0.05:
        best = (np.inf, None, random, random_d)
        for n_clusters, cluster in _cuts(at, k):
            side = _by_place(units, deal_units(cluster[units], classes, shares, rng))
            if np.bincount(side[units], minlength=k).max() > _MAX_FOLD * len(samples) or len(np.unique(side)) < k:
                continue
            distance = _fold_distances(at, side)
            w = float(wasserstein_distance(prediction, distance))
            if w < best[0]:
                best = (w, n_clusters, side, distance)
        if not np.isfinite(best[0]):
            raise SplitError(f"{len(at)} places cannot be put into {k} folds of at most half of the rows each; a single place "
                             "holds too many rows, ask for fewer folds or cap its rows")  # fmt: skip
    rows = best[2][units]
    folds = [Fold(np.flatnonzero(rows != f), np.flatnonzero(rows == f)) for f in range(k)]
    return DistanceMatch(folds, best[1], best[0], random_w, prediction, best[3])


def draw_prediction_places(
    samples: SampleTable, options: SplitOptions, *, rng: np.random.Generator, n: int = _N_PLACES
) -> NDArray[np.float64]:
    """Draw longitudes and latitudes (n, 2) evenly by area in `predict_bbox`, else in the convex hull of the samples.

    Raises:
        SplitError: If the samples stand on a line, so that they have no hull.
    """
    import shapely

    if options.predict_bbox is None:
        area = shapely.convex_hull(shapely.MultiPoint(lonlat_of(samples.frame)))
        if area.area == 0:
            raise SplitError(f"all {len(samples)} samples stand on a line or a point, so kNNDM has no area to match; state "
                             "predict_bbox")  # fmt: skip
    else:
        area = shapely.box(*options.predict_bbox)
    west, south, east, north = area.bounds
    low, high = np.sin(np.radians(south)), np.sin(np.radians(north))
    found: list[NDArray[np.float64]] = []
    while sum(map(len, found)) < n:
        lon = rng.uniform(west, east, 4 * n)
        sine = rng.uniform(low, high, 4 * n)  # even by area on the sphere
        drawn = np.column_stack([lon, np.degrees(np.arcsin(sine))])
        found.append(drawn[shapely.contains_xy(area, drawn)])
    return np.concatenate(found)[:n]


def _unit_places(samples: SampleTable) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the place of each row, one per group, and the geocentric coordinates (place, 3) in metres."""
    units = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
    lonlat = group_means(lonlat_of(samples.frame), units)
    size = 100.0
    while len(lonlat) > _MAX_PLACES:
        cells = np.column_stack(ellipsoid_cells(lonlat, size))
        joined = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
        if joined.max() + 1 <= _MAX_PLACES:
            return joined[units], earth_xyz(group_means(lonlat, joined))
        size *= 1.5
    return units, earth_xyz(lonlat)


def _cuts(at: NDArray[np.float64], k: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Cut Ward's tree of the places into k .. N clusters, in steps that grow."""
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(at, method="ward")
    numbers = np.unique(np.geomspace(k, len(at), _N_CANDIDATES).round().astype(int))
    cuts = ((int(n), fcluster(tree, n, criterion="maxclust").astype(np.int64) - 1) for n in numbers)
    return [(n, np.unique(c, return_inverse=True)[1].astype(np.int64)) for n, c in cuts if len(np.unique(c)) >= k]


def _by_place(units: NDArray[np.int64], side: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the side of each place from that of its rows."""
    of_place = np.empty(int(units.max()) + 1, dtype=np.int64)
    of_place[units] = side
    return of_place


def _fold_distances(at: NDArray[np.float64], side: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each place's distance to the nearest place of another fold."""
    from scipy.spatial import cKDTree

    distance = np.empty(len(at))
    for f in np.unique(side):
        mine = side == f
        distance[mine] = cKDTree(at[~mine]).query(at[mine])[0]
    return distance
