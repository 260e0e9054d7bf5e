"""Leaks of a split: the same place, group or a near neighbour in training and test.

Receives samples and folds; hands on what leaks, or refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples.ground import earth_xyz
from landweave.types import Fold, SampleTable

__all__ = ["Leak", "check_leaks", "find_leaks", "folds_of_column", "join_sides"]

SAME_PLACE_M = 0.5
"""Two rows nearer than this stand on the same place: files state coordinates to about 0.1 m (six decimals of a degree)."""


@dataclass(frozen=True)
class Leak:
    """What one fold lets through.

    Attributes:
        repeat: Number of the repeat, from 0.
        fold: Number of the fold, from 0.
        rows: Rows that stand on both sides themselves.
        groups: Test rows whose group is in the training.
        places: Test rows on a place (within half a metre) that is in the training.
        near: Test rows nearer than the buffer to a training row.
        nearest_m: Smallest distance from a test row to a training row, in metres.
        example: Positions of a test and a training row that are too near, or None.
    """

    repeat: int
    fold: int
    rows: int
    groups: int
    places: int
    near: int
    nearest_m: float
    example: tuple[int, int] | None

    @property
    def is_leak(self) -> bool:
        """Whether anything is let through."""
        return bool(self.rows or self.groups or self.places or self.near)


def find_leaks(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, buffer_m: float = 0.0, same_places: bool = False
) -> list[Leak]:
    """Look at every fold for rows, groups, places and neighbours on both sides.

    Args:
        samples: The samples.
        repeats: Folds of each repeat.
        buffer_m: Distance in metres within which a training row is too near to a test row.
        same_places: Whether groups and places may stand on both sides, as where other years are tested at the same places.

    Returns:
        One entry per fold that leaks.
    """
    at = earth_xyz(lonlat_of(samples.frame))
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
    looked = [_look(fold, r, f, at, groups, buffer_m, same_places)
              for r, folds in enumerate(repeats) for f, fold in enumerate(folds)]  # fmt: skip
    return [leak for leak in looked if leak.is_leak]


def check_leaks(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], *, buffer_m: float = 0.0, same_places: bool = False
) -> None:
    """Refuse folds that leak; see `find_leaks`.

    Args:
        samples: The samples.
        repeats: Folds of each repeat.
        buffer_m: Distance in metres within which a training row is too near to a test row.
        same_places: Whether groups and places may stand on both sides.

    Raises:
        SplitError: If a fold has the same row, group or place on both sides, or neighbours within the buffer.
    """
    leaks = find_leaks(samples, repeats, buffer_m=buffer_m, same_places=same_places)
    if not leaks:
        return
    first = leaks[0]
    parts = [f"{n} {what}" for n, what in (
        (first.rows, "rows on both sides"), (first.groups, "test rows whose group trains"),
        (first.places, "test rows on a place that trains"), (first.near, f"test rows within {buffer_m:g} m of the training"),
    ) if n]  # fmt: skip
    shown = ""
    if first.example is not None:
        number = samples.frame["sample_id"].to_numpy()
        shown = f" (samples {number[first.example[0]]} and {number[first.example[1]]}, {first.nearest_m:.1f} m apart)"
    raise SplitError(f"{len(leaks)} of {sum(len(f) for f in repeats)} folds leak; fold {first.fold + 1} of repeat "
                     f"{first.repeat + 1} has {', '.join(parts)}{shown}; give these rows one group, split by block, or set "
                     "buffer_m")  # fmt: skip


def folds_of_column(samples: SampleTable, column: str) -> list[Fold]:
    """Give the folds of a split made elsewhere: each value of the column is tested by what the other values train.

    Args:
        samples: The samples.
        column: Fold of each row; rows without one are left out.

    Raises:
        SplitError: If there is no such column, or it has fewer than two values.
    """
    if column not in samples.frame.columns:
        known = ", ".join(c for c in samples.frame.columns if c not in (*samples.feature_names, "geometry"))
        raise SplitError(f"the samples have no column {column!r}; they have {known}")
    values = samples.frame[column]
    rows = np.flatnonzero(values.notna().to_numpy())
    names = values.astype(str).to_numpy()
    folds = [Fold(rows[names[rows] != name], rows[names[rows] == name]) for name in np.unique(names[rows].astype(str))]
    if len(folds) < 2:
        raise SplitError(f"column {column!r} has {len(folds)} value(s); a split has two or more")
    return folds


def join_sides(training: SampleTable, judging: SampleTable) -> tuple[SampleTable, list[list[Fold]]]:
    """Put two tables under each other as the two sides of one fold, for `find_leaks`.

    Groups count within a table alone, as their names say nothing about those of another; places and distances count across.

    Raises:
        SplitError: If a table is empty.
    """
    import geopandas as gpd
    import pandas as pd

    if not len(training) or not len(judging):
        raise SplitError(f"one side has {len(training)} rows, the other {len(judging)}; give samples on both")
    columns = ["sample_id", "class", "group"]
    parts = [t.frame.to_crs("EPSG:4326")[[*columns, "geometry"]] for t in (training, judging)]
    parts = [p.assign(group=side + p["group"].astype(str)) for side, p in zip(("train ", "judge "), parts, strict=True)]
    frame = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs="EPSG:4326")
    n = len(training)
    return replace(training, frame=frame, inputs=()), [[Fold(np.arange(n), np.arange(n, len(frame)))]]


def _look(
    fold: Fold, repeat: int, number: int, at: NDArray[np.float64], groups: NDArray[np.int64], buffer_m: float, same: bool
) -> Leak:
    from scipy.spatial import cKDTree

    rows = len(np.intersect1d(fold.train, fold.test))
    distance, near = cKDTree(at[fold.train]).query(at[fold.test])
    shared = 0 if same else int(np.isin(groups[fold.test], groups[fold.train]).sum())
    places = 0 if same else int((distance < SAME_PLACE_M).sum())
    # a row at the very distance of the buffer may stay; distances are exact to about a micrometre
    too_near = int((distance < buffer_m * (1 - 1e-9)).sum()) if buffer_m > 0 else 0
    at_worst = int(np.argmin(distance))
    example = (int(fold.test[at_worst]), int(fold.train[near[at_worst]])) if places or too_near else None
    return Leak(repeat, number, rows, shared, places, too_near, float(distance[at_worst]), example)
