"""Bootstrap by design: replicates of the error matrix that repeat the drawing of the sample, and percentile intervals.

Receives a `UnitSample`; hands on replicated matrices, whose scores are those of `accuracy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.draws import draw_totals
from landweave.metrics.units import UnitSample

__all__ = ["bootstrap_matrices", "percentile_interval"]

Floats = NDArray[np.float64]


def bootstrap_matrices(sample: UnitSample, *, draws: int = 1000, rng: np.random.Generator) -> Floats:
    """Draw replicates of the estimated error matrix by the design of the sample.

    The rescaling bootstrap: in each stratum n_h - 1 of the n_h first-stage units are drawn with replacement and their weights
    multiplied by n_h / (n_h - 1), which makes the replicates' variance of a total the design's own (Rao and Wu 1988,
    doi:10.1080/01621459.1988.10478591; Rao, Wu and Yue 1992, Survey Methodology 18, 209-217). A stratum with a single unit is
    the same in every replicate. There is no finite population correction, and `order` counts for nothing.

    Args:
        sample: The sample; with post-strata the replicates are drawn within these, given how many units fell into each.
        draws: Number of replicates.
        rng: Generator.

    Returns:
        Proportions (draws, K map, K reference), each replicate summing to 1; NaN where no unit of one lies on the map.

    Raises:
        AssessmentError: If there are fewer than two draws or first-stage units.
    """
    groups, stratum = _design_of(sample)
    n_groups = int(groups.max()) + 1
    if draws < 2 or n_groups < 2:
        raise AssessmentError(f"a bootstrap of {draws} draws from {n_groups} first-stage units has no spread; it needs at "
                              "least 2 of each")  # fmt: skip
    k = sample.n_classes
    cells = np.zeros((draws, k * k))
    for h in np.unique(stratum):
        units = _sum_units(sample, stratum == h, groups)
        n = len(units)
        if n == 1:
            cells += units
        else:
            cells += draw_totals(units, size=n - 1, draws=draws, rng=rng) * (n / (n - 1))
    total = cells.sum(axis=1, keepdims=True)
    made = np.divide(cells, total, out=np.full(cells.shape, np.nan), where=total > 0)
    return np.asarray(made.reshape(draws, k, k))


def _design_of(sample: UnitSample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First-stage unit and stratum of every row; post-strata stand in for the strata where units are no clusters."""
    stratum = sample.stratum if sample.post is None or sample.psu is not None else sample.post
    return sample.groups, stratum


def _sum_units(sample: UnitSample, here: NDArray[np.bool_], groups: NDArray[np.int64]) -> Floats:
    """Give for each first-stage unit of a stratum the weighted sum of its cells (n, K * K); 0 where it lies off the map."""
    index = np.unique(groups[here], return_inverse=True)[1]
    used = sample.map_index[here] >= 0
    made = np.zeros((int(index.max()) + 1, sample.n_classes, sample.n_classes))
    shares = (sample.weight[:, None] * sample.reference)[here][used]
    np.add.at(made, (index[used], sample.map_index[here][used]), shares)
    return made.reshape(len(made), -1)


def percentile_interval(drawn: NDArray[Any], level: float = 0.95) -> tuple[Floats, Floats]:
    """Give the percentile interval of replicates (draws, ...); NaN where fewer than half of them are defined.

    Efron 1979; Davison and Hinkley 1997, section 5.3.
    """
    known = ~np.isnan(drawn)
    enough = known.mean(axis=0) >= 0.5
    filled = np.where(enough, drawn, 0.0)
    ends = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.where(enough, ends[0], np.nan), np.where(enough, ends[1], np.nan)
