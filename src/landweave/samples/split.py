"""Splits that do not leak: random and spatial folds, and a part held out.

Receives samples with groups and places; hands on folds of row positions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples.blocks import block_of, earth_xyz
from landweave.samples.options import SplitOptions
from landweave.types import Fold, SampleTable

__all__ = ["deal_units", "hold_out", "split_random", "split_spatial"]


def split_random(samples: SampleTable, options: SplitOptions) -> list[list[Fold]]:
    """Deal samples to folds at random, each class evenly; groups stay together unless `random_by` is `sample`.

    Random folds answer how good the map is between the samples; they say nothing about new places.

    Args:
        samples: The samples.
        options: Folds, repeats, seed.

    Returns:
        Per repeat a list of folds; every row is tested once per repeat.

    Raises:
        SplitError: If there are fewer units than folds, or a class has one sample.
    """
    _check_classes(samples)
    groups = samples.frame["group"].to_numpy() if options.random_by == "group" else np.arange(len(samples))
    units = np.unique(groups.astype(str), return_inverse=True)[1].astype(np.int64)
    what = "groups" if options.random_by == "group" else "samples"
    return [_folds_of_units(samples, units, options, [options.seed, 0, r], what) for r in range(options.n_repeats)]


def split_resamples(samples: SampleTable, *, train_share: float, n_resamples: int, seed: int = 0) -> list[list[Fold]]:
    """Draw training rows at random, a share of each class, and test on all others; again and again.

    A protocol of many papers, which keeps neither groups nor places apart: for comparison with their figures.

    Args:
        samples: The samples.
        train_share: Share of each class's rows to train on, 0..1; at least one row, and one is left to test.
        n_resamples: How often.
        seed: Seed of the draws.

    Returns:
        Per resample a list of one fold.

    Raises:
        SplitError: If a class has one sample.
    """
    _check_classes(samples)
    classes = samples.to_class_index()
    repeats = []
    for r in range(n_resamples):
        rng = np.random.default_rng([seed, 2, r])
        drawn = np.zeros(len(samples), dtype=bool)
        for index in np.unique(classes):
            rows = np.flatnonzero(classes == index)
            n = min(max(1, round(train_share * len(rows))), len(rows) - 1)
            drawn[rng.choice(rows, n, replace=False)] = True
        repeats.append([Fold(np.flatnonzero(drawn), np.flatnonzero(~drawn))])
    return repeats


def split_spatial(samples: SampleTable, options: SplitOptions) -> list[list[Fold]]:
    """Deal blocks of samples to folds, each class as evenly as blocks allow; training rows within the buffer are left out.

    Spatial folds answer how good the model is at new places. A column with at most `n_folds` values gives one fold per value.

    Args:
        samples: The samples.
        options: Size of blocks or column, buffer, folds, repeats, seed.

    Returns:
        Per repeat a list of folds; every row is tested once per repeat, no group stands on both sides, and no training row
        lies within `buffer_m` of a test row.

    Raises:
        SplitError: If there are too few blocks, a class has one sample, or the buffer leaves nothing to train on.
    """
    _check_classes(samples)
    blocks = block_of(samples, options)
    units = _join_groups(blocks, samples)
    if units.max() == 0 < blocks.max():
        raise SplitError(f"the {blocks.max() + 1} values of {options.by} share groups (such as one pixel in several years), "
                         "so no split by it keeps groups on one side; split by block or by another column")  # fmt: skip
    what = {"block": "blocks", "group": "groups"}.get(options.by, f"values of {options.by}")
    if options.by not in ("block", "group") and 2 <= units.max() + 1 <= options.n_folds:
        folds = [Fold(np.flatnonzero(units != u), np.flatnonzero(units == u)) for u in range(units.max() + 1)]
        return [_buffer(folds, samples, options.buffer_m)] * options.n_repeats
    repeats = [_folds_of_units(samples, units, options, [options.seed, 1, r], what) for r in range(options.n_repeats)]
    return [_buffer(folds, samples, options.buffer_m) for folds in repeats]


def hold_out(samples: SampleTable, share: float, *, options: SplitOptions | None = None) -> tuple[SampleTable, SampleTable]:
    """Hold a part of the samples out for the final assessment: whole blocks, groups, or values of a column.

    Args:
        samples: The samples.
        share: Share of rows to hold out, 0..1; met as nearly as the units allow, class by class.
        options: What is held out whole (`by`, block size), buffer and seed; `by: block` by default.

    Returns:
        The rows to train on (`purpose` "train"; rows within the buffer are left out) and those held out ("reference").

    Raises:
        SplitError: If the share leaves one side empty.
    """
    options = options or SplitOptions()
    if not 0 < share < 1:
        raise SplitError(f"share to hold out is {share}; give a number between 0 and 1")
    units = _join_groups(block_of(samples, options), samples)
    if units.max() == 0:
        raise SplitError("all samples stand in one block, so none can be held out; make blocks smaller (block_size_m)")
    rng = np.random.default_rng([options.seed, 2])
    side = deal_units(units, samples.to_class_index(), np.array([1 - share, share]), rng)
    fold = _buffer([Fold(np.flatnonzero(side == 0), np.flatnonzero(side == 1))], samples, options.buffer_m)[0]
    if not len(fold.train) or not len(fold.test):
        raise SplitError(f"holding out {share:.0%} of {units.max() + 1} blocks leaves one side empty; make blocks smaller")
    parts = []
    for rows, purpose in ((fold.train, "train"), (fold.test, "reference")):
        part = samples.select(rows)
        parts.append(replace(part, frame=part.frame.assign(purpose=purpose)))
    return parts[0], parts[1]


def deal_units(
    units: NDArray[np.int64], classes: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal whole units to sides so that every side gets its share of every class, as nearly as the units allow.

    Greedy: the largest units first (ties in random order), each to the side where the class counts then fit the shares best.

    Args:
        units: Unit of each row, 0..U-1.
        classes: class_index of each row.
        shares: Share of each side, summing to 1.
        rng: Breaks ties.

    Returns:
        Side of each row.
    """
    n_units, n_sides = int(units.max()) + 1, len(shares)
    counts = np.zeros((n_units, int(classes.max()) + 1))
    np.add.at(counts, (units, classes), 1)
    total = counts.sum(axis=0)
    weighted = counts[:, total > 0] / total[total > 0]
    order = rng.permutation(n_units)
    order = order[np.argsort(-weighted[order].max(axis=1), kind="stable")]
    held = np.zeros((n_sides, weighted.shape[1]))
    side_of = np.empty(n_units, dtype=np.int64)
    filled = np.zeros(n_sides)
    for u in order:
        # how far each side would be from its share, relative to it: the neediest side in the unit's classes gets the unit
        excess = ((held + weighted[u]) / shares[:, None]) ** 2 - (held / shares[:, None]) ** 2
        cost = (excess * shares[:, None]).sum(axis=1)
        near = np.flatnonzero(cost <= cost.min() * (1 + 1e-9) + 1e-12)
        best = near[np.argmin(filled[near] / shares[near])]
        held[best] += weighted[u]
        filled[best] += counts[u].sum()
        side_of[u] = best
    return np.asarray(side_of[units])


def _folds_of_units(
    samples: SampleTable, units: NDArray[np.int64], options: SplitOptions, seed: list[int], what: str
) -> list[Fold]:
    n_units = int(units.max()) + 1
    if n_units < options.n_folds:
        raise SplitError(f"{len(samples)} samples stand in {n_units} {what}, fewer than {options.n_folds} folds; ask for fewer "
                         "folds (n_folds) or smaller blocks (block_size_m)")  # fmt: skip
    rng = np.random.default_rng(seed)
    shares = np.full(options.n_folds, 1 / options.n_folds)
    side = deal_units(units, samples.to_class_index(), shares, rng)
    folds = [Fold(np.flatnonzero(side != k), np.flatnonzero(side == k)) for k in range(options.n_folds)]
    empty = [k for k, f in enumerate(folds) if not len(f.test)]
    if empty:
        raise SplitError(f"{len(empty)} of {options.n_folds} folds would be empty with {n_units} {what}; ask for fewer folds")
    return folds


def _join_groups(blocks: NDArray[np.int64], samples: SampleTable) -> NDArray[np.int64]:
    """Join blocks that share a group (which a split by a column can cut), so that no group stands on both sides."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
    n_blocks, n_groups = int(blocks.max()) + 1, int(groups.max()) + 1
    links = coo_matrix((np.ones(len(blocks)), (blocks, groups + n_blocks)), shape=(n_blocks + n_groups,) * 2)
    part = connected_components(links, directed=False)[1][blocks]
    return np.unique(part, return_inverse=True)[1].astype(np.int64)


def _buffer(folds: list[Fold], samples: SampleTable, buffer_m: float) -> list[Fold]:
    """Leave out training rows that lie within the buffer of a test row."""
    if buffer_m <= 0:
        return folds
    from scipy.spatial import cKDTree

    at = earth_xyz(lonlat_of(samples.frame))
    buffered = []
    for k, fold in enumerate(folds):
        near = cKDTree(at[fold.test]).query(at[fold.train], distance_upper_bound=buffer_m * (1 + 1e-9))[0]
        train = fold.train[np.isinf(near)]
        if not len(train):
            raise SplitError(f"a buffer of {buffer_m:g} m leaves nothing to train on in fold {k + 1} of {len(folds)}; make it "
                             "smaller")  # fmt: skip
        buffered.append(Fold(train, fold.test))
    return buffered


def _check_classes(samples: SampleTable) -> None:
    counts = samples.frame["class"].value_counts()
    single = [name for name in samples.legend.names if counts.get(name, 0) == 1]
    if single:
        raise SplitError(f"class {', '.join(single)} has one sample, which cannot both train and test; collect more, merge it "
                         f"(classes: {{{single[0]}: OTHER}}), or leave it out (exclude: [{single[0]}])")  # fmt: skip
