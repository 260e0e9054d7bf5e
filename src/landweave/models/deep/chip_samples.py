"""Image networks on sample tables: rows become labels on the grid, folds of rows become folds of labels, maps give rows back.

Receives cubes and a `SampleTable`; hands on a trained `ChipModel`, or what the folds of a split predicted for each row. Every
fold trains a network of its own on the training rows' pixels alone and maps the blocks around its test rows with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube import make_inputs, read_blocks, select_season
from landweave.errors import ModelError, SampleError
from landweave.grid import Window
from landweave.models.deep.labels import LabelGrid, labels_from_samples
from landweave.models.deep.train_chips import ChipTraining, TrainedChips, train_chips
from landweave.models.options import ModelOptions
from landweave.models.validation import CrossValidation
from landweave.samples.extract import season_starts
from landweave.samples.reference import pixel_of
from landweave.types import CubeSet, Fold, Predictor, Progress, ProgressEvent, SampleTable, Season

__all__ = ["ChipScenes", "cross_validate_chips", "make_scenes", "predict_rows", "train_samples"]

_HELD_BYTES = 1 << 30
"""Cubes up to this size are decoded once and held while folds are trained."""


@dataclass(frozen=True)
class ChipScenes:
    """Cubes by the season that rows belong to.

    Attributes:
        cubes: First day of the season (None without one) -> its cubes.
        season: The season, if the model is bound to one.
        dense: More labels than the rows are, on the output grid: each is used in a fold as the row nearest to it is.
    """

    cubes: Mapping[date | None, CubeSet]
    season: Season | None = None
    dense: LabelGrid | None = None


def make_scenes(
    samples: SampleTable, cubes: CubeSet, *, season: Season | None = None, dense: LabelGrid | None = None
) -> ChipScenes:
    """Choose the cubes of every season that rows name; small cubes are decoded into memory.

    Raises:
        SampleError: If there is a season and a row states no time.
        CubeError: If the cubes cannot serve a season.
    """
    if season is None:
        return ChipScenes({None: _hold(cubes)}, None, dense)
    starts = season_starts(samples.frame, season)
    if any(s is None for s in starts):
        raise SampleError(f"{sum(s is None for s in starts)} of {len(samples)} samples state no time, but the season starting "
                          f"on {season.start} needs one; name start_column or date_column")  # fmt: skip
    held = _hold(cubes)
    named = sorted({s for s in starts if s is not None})
    found: dict[date | None, CubeSet] = {s: select_season(held, season, s) for s in named}
    return ChipScenes(found, season, dense)


def _hold(cubes: CubeSet) -> CubeSet:
    if sum(c.size * 4 for c in cubes.cubes.values()) > _HELD_BYTES:
        return cubes
    return replace(cubes, cubes={name: cube.compute() for name, cube in cubes.cubes.items()})


def train_samples(
    samples: SampleTable, scenes: ChipScenes, *, options: ModelOptions, setting: ChipTraining | None = None,
    others: SampleTable | None = None,
) -> TrainedChips:  # fmt: skip
    """Train an image network on the pixels of sample rows.

    Args:
        samples: Rows to train on.
        scenes: Cubes by season.
        options: Family, parameters, seed.
        setting: Progress, and what stands in the card.
        others: Rows that must not be trained on; of dense labels, those nearer to one of them than to `samples` are left out.

    Raises:
        ModelError, SampleError: As `train_chips`.
    """
    setting = setting or ChipTraining()
    starts = _starts(samples, scenes)
    cubes, labels = [], []
    for start, own in scenes.cubes.items():
        rows = np.flatnonzero([s == start for s in starts])
        if len(rows):
            cubes.append(own)
            labels.append(_labels_of(samples.select(rows), own, scenes.dense, others))
    first = cubes[0] if cubes else next(iter(scenes.cubes.values()))
    inputs = setting.inputs or make_inputs(first, season=scenes.season)
    return train_chips(cubes, labels, options=options, setting=replace(setting, inputs=inputs, season=scenes.season))


def _starts(samples: SampleTable, scenes: ChipScenes) -> list[date | None]:
    return [None] * len(samples) if scenes.season is None else season_starts(samples.frame, scenes.season)


def _labels_of(samples: SampleTable, cubes: CubeSet, dense: LabelGrid | None, others: SampleTable | None) -> LabelGrid:
    if dense is None:
        return labels_from_samples(samples, cubes.geobox)
    if others is None or not len(others):
        return dense
    from scipy.spatial import cKDTree

    at = np.concatenate([np.column_stack(pixel_of(t.frame, cubes.geobox)) for t in (samples, others)])
    rows, cols = np.nonzero(dense.index >= 0)
    nearest = cKDTree(at).query(np.column_stack([rows, cols]))[1]
    keep = np.zeros(dense.index.shape, dtype=bool)
    keep[rows, cols] = nearest < len(samples)
    return dense.keep(keep)


def predict_rows(model: Predictor, samples: SampleTable, scenes: ChipScenes) -> NDArray[np.float32]:
    """Give the probabilities (row, class) that the map has at the rows' pixels, NaN where it is nodata.

    Only the blocks that hold a row are mapped.

    Raises:
        SourceError: If a file cannot be read; names it.
    """
    proba = np.full((len(samples), len(samples.legend)), np.nan, dtype=np.float32)
    starts = _starts(samples, scenes)
    side = max(1, 192 // (model.card.stride_px or 1)) * (model.card.stride_px or 1)
    for start, cubes in scenes.cubes.items():
        mine = np.flatnonzero([s == start for s in starts])
        row, col = (v[mine] for v in pixel_of(samples.frame, cubes.geobox))
        height, width = cubes.geobox.shape
        inside = (row >= 0) & (col >= 0) & (row < height) & (col < width)
        mine, row, col = mine[inside], row[inside], col[inside]
        block = (row // side) * (width // side + 1) + col // side
        for number in np.unique(block):
            at = np.flatnonzero(block == number)
            top, left = int(row[at[0]]) // side * side, int(col[at[0]]) // side * side
            window = Window(top, left, min(side, height - top), min(side, width - left))
            made = model.predict_proba(read_blocks(cubes, window, halo_px=model.card.context_px))
            proba[mine[at]] = made[:, row[at] - top, col[at] - left].T
    return proba


def cross_validate_chips(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], scenes: ChipScenes, *, options: ModelOptions,
    progress: Progress | None = None,
) -> CrossValidation:  # fmt: skip
    """Train and test a network on every fold of every repeat, as `cross_validate` does for rows of features.

    The image around a test row is seen (as it will be when mapping), its label and those of its fold are not.

    Args:
        samples: Rows with places.
        repeats: Folds of each repeat.
        scenes: Cubes by season.
        options: The network.
        progress: Called after each fold.

    Raises:
        ModelError: If there are no folds, or a fold's training rows hold fewer than two classes.
    """
    jobs = [(r, f, fold) for r, folds in enumerate(repeats) for f, fold in enumerate(folds)]
    if not jobs:
        raise ModelError("split has no folds; make one with split_random or split_spatial")
    shape = (len(repeats), max(len(folds) for folds in repeats))
    seconds: dict[str, NDArray[Any]] = {k: np.full(shape, np.nan) for k in ("fit", "predict")}
    predicted = np.full((len(repeats), len(samples)), -1, dtype=np.int16)
    proba = np.full((*predicted.shape, len(samples.legend)), np.nan, dtype=np.float32)
    for number, (r, f, fold) in enumerate(jobs):
        began = time.perf_counter()
        test = samples.select(fold.test)
        outside = np.setdiff1d(np.arange(len(samples)), fold.train)  # the test rows, and those within the buffer
        quiet = options.model_copy(update={"params": {**options.params, "folder": None}})
        trained = train_samples(samples.select(fold.train), scenes, options=quiet, others=samples.select(outside))
        fitted = time.perf_counter()
        made = predict_rows(trained.model, test, scenes)
        seconds["fit"][r, f], seconds["predict"][r, f] = fitted - began, time.perf_counter() - fitted
        known = ~np.isnan(made[:, 0])
        predicted[r, fold.test[known]] = made[known].argmax(axis=1)
        proba[r, fold.test] = made
        if progress is not None:
            progress(ProgressEvent("cross-validate", number + 1, len(jobs), "folds"))
    return CrossValidation(samples.to_class_index(), predicted, seconds["fit"], seconds["predict"], samples.legend.names, proba)
