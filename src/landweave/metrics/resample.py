"""Bootstrap by design: replicates of the error matrix that repeat the drawing of the sample, and percentile intervals.

Receives a `UnitSample`; hands on replicated matrices, whose scores are those of `accuracy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.units import UnitSample

__all__ = ["bootstrap_matrices", "percentile_interval"]

Floats = NDArray[np.float64]

_DRAW_CELLS = 2_000_000
"""Unit numbers drawn at a time: 16 MB."""


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
    inside = sample.map_index >= 0
    cells = np.zeros((draws, k * k))
    plain = sample.psu is None and bool((sample.reference.max(axis=1) > 1 - 1e-9).all())
    for h in np.unique(stratum):
        here = stratum == h
        if plain:
            cells += _draw_plain(sample, here, inside, draws, rng)
        else:
            cells += _draw_groups(sample, here, inside, groups, draws, rng)
    total = cells.sum(axis=1, keepdims=True)
    made = np.divide(cells, total, out=np.full(cells.shape, np.nan), where=total > 0)
    return np.asarray(made.reshape(draws, k, k))


def _design_of(sample: UnitSample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First-stage unit and stratum of every row; post-strata stand in for the strata where units are no clusters."""
    stratum = sample.stratum if sample.post is None or sample.psu is not None else sample.post
    return sample.groups, stratum


def _draw_plain(
    sample: UnitSample, here: NDArray[np.bool_], inside: NDArray[np.bool_], draws: int, rng: np.random.Generator
) -> Floats:
    """Replicate a stratum of single units with one label each: the counts of its distinct cells are multinomial."""
    k, n = sample.n_classes, int(here.sum())
    cell = np.where(inside[here], sample.map_index[here] * k + sample.reference[here].argmax(axis=1), k * k)
    keys = np.column_stack([cell, sample.weight[here]])
    found, times = np.unique(keys, axis=0, return_counts=True)
    drawn = rng.multinomial(n - 1, times / n, size=draws) * (n / (n - 1)) if n > 1 else np.broadcast_to(times, (draws, 1))
    made = np.zeros((draws, k * k + 1))
    for column, (at, weight) in enumerate(found):
        made[:, int(at)] += weight * drawn[:, column]
    return np.asarray(made[:, : k * k])


def _draw_groups(
    sample: UnitSample, here: NDArray[np.bool_], inside: NDArray[np.bool_], groups: NDArray[np.int64], draws: int,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Replicate a stratum of clusters, or of units whose labels are shared, by drawing whole units."""
    k = sample.n_classes
    index = np.unique(groups[here], return_inverse=True)[1]
    n = int(index.max()) + 1
    # one row per first-stage unit, each the weighted sum of its cells
    parts = np.zeros((n, k, k))
    used = inside[here]
    np.add.at(parts, (index[used], sample.map_index[here][used]), (sample.weight[:, None] * sample.reference)[here][used])
    flat = parts.reshape(n, k * k)
    if n == 1:
        return np.asarray(np.broadcast_to(flat, (draws, k * k)))
    made = np.empty((draws, k * k))
    step = max(1, _DRAW_CELLS // n)
    for start in range(0, draws, step):
        m = min(step, draws - start)
        picks = rng.integers(n, size=(m, n - 1), dtype=np.int32) + np.arange(m, dtype=np.int64)[:, None] * n
        times = np.bincount(picks.ravel(), minlength=m * n).reshape(m, n)
        made[start : start + m] = times.astype(np.float64) @ flat * (n / (n - 1))
    return made


def percentile_interval(drawn: NDArray[Any], level: float = 0.95) -> tuple[Floats, Floats]:
    """Give the percentile interval of replicates (draws, ...); NaN where fewer than half of them are defined.

    Efron 1979; Davison and Hinkley 1997, section 5.3.
    """
    known = ~np.isnan(drawn)
    enough = known.mean(axis=0) >= 0.5
    filled = np.where(enough, drawn, 0.0)
    ends = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.where(enough, ends[0], np.nan), np.where(enough, ends[1], np.nan)
