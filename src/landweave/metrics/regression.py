"""Scores of predicted quantities (moisture, height, yield): RMSE, MAE, bias and R2, whole and by strata.

Receives values by blocks; NaN, or a negative stratum, is nodata and counts nowhere. Sums are kept about running means (Chan et
al. 1983, doi:10.1080/00031305.1983.10483115), so that neither a large mean nor the order of blocks costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide

__all__ = ["RegressionCounter", "RegressionScores", "score_regression"]


@dataclass(frozen=True)
class RegressionScores:
    """Scores in the unit of the quantity; arrays (S,) by stratum, or without axes for the whole. NaN where there is no value.

    Attributes:
        n: Pairs.
        rmse: Square root of the mean squared difference.
        mae: Mean absolute difference.
        bias: Mean of predicted minus reference.
        r2: 1 - SSE / SST about the mean of the reference of the stratum; NaN where the reference does not vary.
    """

    n: NDArray[np.int64]
    rmse: NDArray[np.float64]
    mae: NDArray[np.float64]
    bias: NDArray[np.float64]
    r2: NDArray[np.float64]


class RegressionCounter:
    """Adds up what the scores need over blocks, by stratum.

    Attributes:
        n_strata: Number of strata S.
    """

    def __init__(self, n_strata: int = 1) -> None:
        self.n_strata = n_strata
        # rows: n, mean of the reference, squares about it, squared, absolute and signed errors
        self._sums: NDArray[np.float64] = np.zeros((6, n_strata))

    def update(self, predicted: NDArray[Any], reference: NDArray[Any], stratum: NDArray[Any] | None = None) -> None:
        """Add one block.

        Args:
            predicted: Values of any shape; NaN is nodata.
            reference: Values of the same shape; NaN is nodata.
            stratum: Index 0..S-1 of the same shape, negative is nodata; all in the first stratum by default.

        Raises:
            AssessmentError: If shapes differ or a stratum is S or more.
        """
        p, r = np.asarray(predicted, dtype=np.float64), np.asarray(reference, dtype=np.float64)
        g = np.zeros(r.shape, dtype=np.int64) if stratum is None else np.asarray(stratum)
        if not p.shape == r.shape == g.shape:
            raise AssessmentError(f"predicted values have shape {p.shape}, reference values {r.shape}, strata {g.shape}; "
                                  "give one of each per place")  # fmt: skip
        if g.dtype.kind not in "iu" or g.max(initial=-1) >= self.n_strata:
            raise AssessmentError(f"strata are {g.dtype} up to {g.max(initial=-1)}; expected whole indices from 0 to "
                                  f"{self.n_strata - 1}, -1 for nodata")  # fmt: skip
        valid = ~np.isnan(p) & ~np.isnan(r) & (g >= 0)
        p, r, g = p[valid], r[valid], g[valid].astype(np.int64)

        def total(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
            return np.bincount(g, weights=values, minlength=self.n_strata).astype(np.float64)

        n, error = total(None), p - r
        mean = np.nan_to_num(_divide(total(r), n))
        about = total((r - mean[g]) ** 2)
        self._add(np.stack([n, mean, about, total(error**2), total(np.abs(error)), total(error)]))

    def merge(self, other: RegressionCounter) -> None:
        """Add what another worker has counted.

        Raises:
            AssessmentError: If it counted another number of strata.
        """
        if other.n_strata != self.n_strata:
            raise AssessmentError(
                f"counters of {self.n_strata} and {other.n_strata} strata cannot be merged; use the same strata"
            )
        self._add(other._sums)

    def result(self) -> RegressionScores:
        """Give the scores of every stratum (S,)."""
        return _score(self._sums)

    def overall(self) -> RegressionScores:
        """Give the scores of all strata together, without axes."""
        whole = self._sums[:, :1]
        for s in range(1, self.n_strata):
            whole = _pool(whole, self._sums[:, s : s + 1])
        return _score(whole[:, 0])

    def _add(self, sums: NDArray[np.float64]) -> None:
        self._sums = _pool(self._sums, sums)


def score_regression(predicted: NDArray[Any], reference: NDArray[Any]) -> RegressionScores:
    """Score arrays that are at hand whole; see `RegressionCounter`."""
    counter = RegressionCounter()
    counter.update(predicted, reference)
    return counter.overall()


def _pool(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool two sets of sums (6, S) (Chan et al. 1983, equation 2.1)."""
    n = a[0] + b[0]
    apart = b[1] - a[1]
    share = np.nan_to_num(_divide(b[0], n))
    mean = a[1] + apart * share
    about = a[2] + b[2] + apart**2 * a[0] * share
    return np.stack([n, mean, about, a[3] + b[3], a[4] + b[4], a[5] + b[5]])


def _score(sums: NDArray[np.float64]) -> RegressionScores:
    n, _, about, squared, absolute, signed = sums
    rmse = np.sqrt(_divide(squared, n))
    r2 = 1.0 - _divide(squared, about)
    return RegressionScores(n.astype(np.int64), rmse, _divide(absolute, n), _divide(signed, n), r2)
