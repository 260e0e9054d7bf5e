"""Splits that do not leak: random and spatial folds, and a part held out.

Receives samples with groups and places; hands on folds of row positions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples.blocks import block_of, block_size_of, earth_xyz
from landweave.samples.dealing import deal_units
from landweave.samples.knndm import split_knndm
from landweave.samples.leaks import check_leaks
from landweave.samples.options import SplitOptions
from landweave.types import Fold, SampleTable

__all__ = ["hold_out", "resolve_split", "split_random", "split_resamples", "split_spatial"]


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


def split_spatial(
    samples: SampleTable, options: SplitOptions, *, places: NDArray[np.float64] | None = None
) -> list[list[Fold]]:
    """Deal blocks of samples to folds, each class as evenly as blocks allow; training rows within the buffer are left out.

    Spatial folds answer how good the model is at new places; with `by: knndm`, how good at the places of the map. A column with
    at most `n_folds` values gives one fold per value, and with `leave_one_out` any does.

    Args:
        samples: The samples.
        options: Size of blocks or column, buffer, folds, repeats, seed.
        places: For `by: knndm`, longitude and latitude (n, 2) of places to be mapped; drawn in the area by default.

    Returns:
        Per repeat a list of folds; every row is tested once per repeat, no group or place stands on both sides (unless
        `cut_groups`), and no training row lies within `buffer_m` of a test row.

    Raises:
        SplitError: If there are too few blocks, a class has one sample, the buffer leaves nothing to train on, or a place
            stands on both sides.
    """
    _check_classes(samples)
    repeats = split_knndm(samples, options, places=places) if options.by == "knndm" else _split_blocks(samples, options)
    repeats = [_buffer(folds, samples, options.buffer_m) for folds in repeats]
    check_leaks(samples, repeats, buffer_m=options.buffer_m, same_places=options.cut_groups)
    return repeats


def _split_blocks(samples: SampleTable, options: SplitOptions) -> list[list[Fold]]:
    blocks = block_of(samples, options)
    units = blocks if options.cut_groups else _join_groups(blocks, samples)
    if units.max() == 0 < blocks.max():
        raise SplitError(f"the {blocks.max() + 1} values of {options.by} share groups (such as one pixel in several years), "
                         "so no split by it keeps groups on one side; split by block or by another column, or let groups be "
                         "cut (cut_groups: true), which tests the same places again")  # fmt: skip
    what = {"block": "blocks", "group": "groups", "polygon": "polygons"}.get(options.by, f"values of {options.by}")
    n_units = int(units.max()) + 1
    is_column = options.by not in ("block", "group", "polygon")
    if is_column and n_units >= 2 and (options.leave_one_out or n_units <= options.n_folds):
        folds = [Fold(np.flatnonzero(units != u), np.flatnonzero(units == u)) for u in range(n_units)]
        return [folds] * options.n_repeats
    return [_folds_of_units(samples, units, options, [options.seed, 1, r], what) for r in range(options.n_repeats)]


def resolve_split(
    samples: SampleTable, options: SplitOptions, *, bbox: tuple[float, float, float, float] | None = None
) -> SplitOptions:
    """State what options leave open, so that all that is made from them agrees: the blocks' size, the area of kNNDM.

    Args:
        samples: The samples.
        options: As in the recipe.
        bbox: West, south, east, north in degrees of the map, used where `predict_bbox` is not stated.
    """
    known: dict[str, object] = {}
    if options.block_size_m == "auto":
        known["block_size_m"] = block_size_of(samples, options)
    if options.predict_bbox is None and bbox is not None and (options.by == "knndm" or options.compare):
        known["predict_bbox"] = bbox
    return options.model_copy(update=known)


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
