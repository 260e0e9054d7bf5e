"""How far samples are alike: the empirical variogram of features or residuals, its range, and the block size that follows.

Receives samples (or values at places); hands on a `Variogram` and a `BlockSuggestion`. Plain numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples._values import group_means, standardise
from landweave.samples.ground import earth_xyz
from landweave.types import SampleTable

__all__ = ["BlockSuggestion", "Variogram", "fit_variogram", "suggest_block_size"]

_MAX_PLACES = 2000
"""Places compared with each other; of more, that many are drawn (2 million pairs)."""
_MIN_PAIRS = 30
"""Pairs below which a lag says nothing (Journel and Huijbregts 1978, section III.42)."""


@dataclass(frozen=True)
class Variogram:
    """An empirical variogram and the spherical model fitted to it.

    Attributes:
        lag_m: Mean distance of the pairs of each lag, in metres.
        semivariance: Half the mean squared difference of the pairs, mean over the standardised values.
        n_pairs: Pairs of each lag.
        nugget: Semivariance of the model at distance 0.
        sill: Its value beyond the range.
        range_m: Distance beyond which places are no more alike than any two; the largest lag where the model is still rising.
        is_bounded: Whether the range lies within the lags; if not, the extent is too small to see it.
        structured: Share of the sill that depends on distance, 0..1 (1 - nugget / sill).
    """

    lag_m: NDArray[np.float64]
    semivariance: NDArray[np.float64]
    n_pairs: NDArray[np.int64]
    nugget: float
    sill: float
    range_m: float
    is_bounded: bool

    @property
    def structured(self) -> float:
        """See the class."""
        return 1 - self.nugget / self.sill if self.sill > 0 else 0.0


@dataclass(frozen=True)
class BlockSuggestion:
    """A block size and the reason for it.

    Attributes:
        size_m: Side of a block in metres.
        variogram: What it was read from.
        why: In a sentence, with its numbers.
    """

    size_m: float
    variogram: Variogram
    why: str


def suggest_block_size(
    samples: SampleTable, *, values: NDArray[np.floating] | None = None, n_lags: int = 15, seed: int = 0
) -> BlockSuggestion:
    """Suggest blocks as large as the range of the variogram, so that places of different blocks are mostly independent.

    Blocks should be larger than the range over which residuals are alike (Roberts et al. 2017, doi:10.1111/ecog.02881); the
    range of the features stands in for it where no residuals are known (Valavi et al. 2019, doi:10.1111/2041-210X.13107).
    Without features the classes are used, as one indicator each. A group counts once, at the mean of its rows.

    Args:
        samples: The samples.
        values: Residuals (sample,) or (sample, k) to use instead of the features, such as 1 - p(true class) of random folds.
        n_lags: Lags of the variogram.
        seed: Draws the places where there are too many to compare all.

    Raises:
        SplitError: If there are too few places, or all values are equal.
    """
    source = "residuals" if values is not None else "features" if samples.inputs else "classes"
    table = _values_of(samples) if values is None else np.asarray(values, dtype=np.float64)
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
    at = group_means(lonlat_of(samples.frame), groups)
    fitted = fit_variogram(at, group_means(table.reshape(len(samples), -1), groups), n_lags=n_lags, seed=seed)
    told = (f"the {source} of the samples are alike up to {fitted.range_m / 1000:.3g} km ({fitted.structured:.0%} of their "
            f"variance depends on distance)")  # fmt: skip
    if not fitted.is_bounded:
        told += "; that is half the extent of the samples, and the true range may be longer"
    return BlockSuggestion(fitted.range_m, fitted, told)


def fit_variogram(
    lonlat: NDArray[np.float64], values: NDArray[np.floating], *, n_lags: int = 15, seed: int = 0
) -> Variogram:
    """Compute the empirical variogram of one or more values at places and fit a spherical model with a nugget.

    Semivariances follow Matheron (1963, doi:10.2113/gsecongeo.58.8.1246), averaged over the standardised values (the trace of
    the multivariate variogram, Bourgault and Marcotte 1991, doi:10.1007/BF02066732). Lags end at half the largest distance
    (Journel and Huijbregts 1978) and hold equal numbers of pairs, as sampled places are clustered. The model is fitted by
    least squares with weights of pairs over lag squared (the usual ones of gstat: Pebesma 2004,
    doi:10.1016/j.cageo.2004.03.012), over a fine table of ranges.

    Args:
        lonlat: Longitude and latitude (place, 2) in degrees.
        values: Values (place,) or (place, k); NaN counts as the column's mean.
        n_lags: Number of lags.
        seed: Draws the places where there are too many to compare all.

    Raises:
        SplitError: If there are too few places, or all values are equal.
    """
    table = np.asarray(values, dtype=np.float64).reshape(len(lonlat), -1)
    if len(table) > _MAX_PLACES:
        drawn = np.sort(np.random.default_rng(seed).choice(len(table), _MAX_PLACES, replace=False))
        lonlat, table = lonlat[drawn], table[drawn]
    z = standardise(table)
    if z.shape[1] == 0:
        raise SplitError(f"the values of all {len(lonlat)} places are equal, so they have no variogram; state block_size_m")
    distance, half_square = _pairs(earth_xyz(lonlat), z)
    far = distance.max(initial=0.0)
    kept = (distance > 0) & (distance <= far / 2)
    if int(kept.sum()) < 2 * _MIN_PAIRS:
        raise SplitError(f"{len(lonlat)} places give {int(kept.sum())} pairs within half of their extent, too few for a "
                         f"variogram (at least {2 * _MIN_PAIRS}); state block_size_m")  # fmt: skip
    lag, gamma, n = _bin(distance[kept], half_square[kept], min(n_lags, int(kept.sum()) // _MIN_PAIRS))
    nugget, sill, reach = _fit_spherical(lag, gamma, n)
    return Variogram(lag, gamma, n, nugget, sill, min(reach, float(far) / 2), reach < far / 2)


def _values_of(samples: SampleTable) -> NDArray[np.float64]:
    if samples.inputs:
        return samples.to_features().astype(np.float64)
    return np.eye(len(samples.legend))[samples.to_class_index()]


def _pairs(xyz: NDArray[np.float64], z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give distance in metres and half the mean squared difference of all pairs of places."""
    i, j = np.triu_indices(len(xyz), k=1)
    squares = np.square(z).mean(axis=1)
    cross = z @ z.T / z.shape[1]
    half = 0.5 * np.maximum(squares[i] + squares[j] - 2 * cross[i, j], 0)
    return np.sqrt(np.square(xyz[i] - xyz[j]).sum(axis=1)), half


def _bin(
    distance: NDArray[np.float64], half: NDArray[np.float64], n_lags: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    # half of the lags by equal numbers of pairs (near ones are few and matter most), half by equal widths
    quantile = np.quantile(distance, np.linspace(0, 1, max(n_lags // 2, 2) + 1)[1:-1] ** 2)
    edges = np.unique(np.concatenate([quantile, np.linspace(0, distance.max(), max(n_lags - n_lags // 2, 2) + 1)[1:-1]]))
    lag = np.searchsorted(edges, distance, side="right")
    n = np.bincount(lag, minlength=len(edges) + 1)
    enough = n >= _MIN_PAIRS
    mean_d, mean_h = (np.bincount(lag, weights=w, minlength=len(n))[enough] / n[enough] for w in (distance, half))
    return mean_d, mean_h, n[enough].astype(np.int64)


def _fit_spherical(
    lag: NDArray[np.float64], gamma: NDArray[np.float64], n: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Give nugget, sill and range of c0 + c (1.5 h/a - 0.5 (h/a)^3), constant beyond a; both parts non-negative."""
    weight = n / lag**2
    best = (np.inf, 0.0, 0.0, 0.0)
    for reach in np.geomspace(lag[0], 2 * lag[-1], 400):
        h = np.minimum(lag / reach, 1)
        shape = 1.5 * h - 0.5 * h**3
        c0, c = _two_non_negative(shape, gamma, weight)
        loss = float(np.sum(weight * (gamma - c0 - c * shape) ** 2))
        if loss < best[0] * (1 - 1e-9):
            best = (loss, c0, c0 + c, float(reach))
    return best[1], best[2], best[3]


def _two_non_negative(
    shape: NDArray[np.float64], gamma: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float]:
    w, x, y = weight / weight.sum(), shape, gamma
    mx, my = float(w @ x), float(w @ y)
    var = float(w @ (x - mx) ** 2)
    slope = float(w @ ((x - mx) * (y - my))) / var if var > 1e-15 else 0.0
    if slope <= 0:
        return my, 0.0
    if my - slope * mx < 0:
        return 0.0, float(w @ (x * y)) / float(w @ x**2)
    return my - slope * mx, slope
