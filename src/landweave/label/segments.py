"""Relabelling by image segments: pixels that belong together should carry one label.

Receives labels and segments as integer arrays (any segmentation, or a file of numbers); hands on labels in which unsure
pixels, or unsure samples, carry what the sure ones of their segment say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import GridError, SampleError, SourceError
from landweave.grid import GeoBox, Window
from landweave.io.rasters import read_info, read_window
from landweave.label.cleaning import CleanedSamples, clean_samples
from landweave.label.findings import LabelFinding
from landweave.types import SampleTable

__all__ = ["SegmentLabels", "SegmentRule", "read_segments", "relabel_by_number", "relabel_by_segments", "relabel_samples"]

SegmentRule = Literal["majority", "confident"]


@dataclass(frozen=True)
class SegmentLabels:
    """Labels after the segments have spoken.

    Attributes:
        labels: class_index of every pixel, -1 nodata; same shape as given.
        changed: True where the label is another one now.
        share: Share of the segment's statistic that speaks for its winning class, per pixel; NaN where the segment says
            nothing.
        n_segments: Segments that had a winner.
    """

    labels: NDArray[np.int64]
    changed: NDArray[np.bool_]
    share: NDArray[np.float64]
    n_segments: int


def relabel_by_segments(
    labels: NDArray[np.integer], segments: NDArray[np.integer], *, n_classes: int, unsure: NDArray[np.bool_] | None = None,
    proba: NDArray[np.floating] | None = None, rule: SegmentRule = "majority", min_share: float = 0.6, min_px: int = 3,
) -> SegmentLabels:  # fmt: skip
    """Replace the labels of unsure pixels by what their segment's sure pixels say.

    `majority` counts the sure pixels of each class. `confident` counts only those whose probability of their own label reaches
    the class's mean (the thresholds of confident learning), each by that probability.

    Args:
        labels: class_index per pixel, any shape; -1 is nodata, and stays so.
        segments: Number of each pixel's segment, same shape; negative is no segment.
        n_classes: Number of classes.
        unsure: True where a label may be replaced; with `proba` and without `unsure`, the pixels below their class's mean
            probability; without both, every pixel, so that whole segments get one label.
        proba: Probabilities (class, ...) for `confident`.
        rule: The statistic.
        min_share: A segment has a winner where a class has at least this share of its statistic.
        min_px: Fewest pixels that count in a segment with a winner.

    Returns:
        New labels and what was changed.

    Raises:
        SampleError: If shapes disagree, `confident` comes without probabilities, or the rule is unknown.
    """
    given, numbers, p = _check(labels, segments, proba, n_classes, rule)
    valid = (given >= 0) & (numbers >= 0)
    number = np.unique(numbers[valid], return_inverse=True)[1].reshape(-1)
    lab = given[valid]
    own = np.ones(len(lab)) if p is None else p[valid, lab]
    reaches = np.ones(len(lab), dtype=bool)
    if p is not None:
        known = np.bincount(lab, minlength=n_classes)
        mean = np.bincount(lab, weights=own, minlength=n_classes) / np.maximum(known, 1)
        reaches = own >= mean[lab]
    replaceable = _replaceable(unsure, labels.shape, valid, reaches, p is not None)
    counted = ~replaceable if unsure is not None else np.ones(len(lab), dtype=bool)
    counted = counted & reaches if rule == "confident" else counted
    winner, share, ok = _decide(number, lab, own if rule == "confident" else np.ones(len(lab)), counted, n_classes,
                                (min_share, min_px))  # fmt: skip
    new = np.where(replaceable & ok[number], winner[number], lab)
    out = given.copy()
    out[valid] = new
    per_pixel = np.full(given.shape, np.nan)
    per_pixel[valid] = np.where(ok[number], share[number], np.nan)
    shape = labels.shape
    return SegmentLabels(out.reshape(shape), (out != given).reshape(shape), per_pixel.reshape(shape), int(ok.sum()))


def _check(
    labels: NDArray[np.integer], segments: NDArray[np.integer], proba: NDArray[np.floating] | None, n_classes: int,
    rule: SegmentRule,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:  # fmt: skip
    if rule not in ("majority", "confident"):
        raise SampleError(f"no segment rule named {rule!r}; known: majority, confident")
    if labels.shape != segments.shape:
        raise SampleError(f"labels have shape {labels.shape}, segments {segments.shape}; put both on one grid")
    if rule == "confident" and proba is None:
        raise SampleError("rule confident needs probabilities (class, y, x); give proba, or use rule majority")
    if proba is None:
        return labels.reshape(-1).astype(np.int64), segments.reshape(-1).astype(np.int64), None
    if proba.shape != (n_classes, *labels.shape):
        raise SampleError(f"probabilities have shape {proba.shape}; expected {(n_classes, *labels.shape)} (class, then pixels)")
    p = np.nan_to_num(np.asarray(proba, dtype=np.float64).reshape(n_classes, -1).T)
    return labels.reshape(-1).astype(np.int64), segments.reshape(-1).astype(np.int64), p


def _replaceable(
    unsure: NDArray[np.bool_] | None, shape: tuple[int, ...], valid: NDArray[np.bool_], reaches: NDArray[np.bool_],
    has_proba: bool,
) -> NDArray[np.bool_]:  # fmt: skip
    if unsure is None:
        return ~reaches if has_proba else np.ones(int(valid.sum()), dtype=bool)
    if unsure.shape != shape:
        raise SampleError(f"unsure has shape {unsure.shape}, labels {shape}; put both on one grid")
    return np.asarray(unsure.reshape(-1)[valid], dtype=bool)


def _decide(
    number: NDArray[np.int64], labels: NDArray[np.int64], weight: NDArray[np.float64], counted: NDArray[np.bool_],
    n_classes: int, least: tuple[float, int],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:  # fmt: skip
    """Give each segment's winning class, its share, and whether it is a clear winner."""
    n = int(number.max(initial=-1)) + 1
    cell = number[counted] * n_classes + labels[counted]
    total = np.bincount(cell, weights=weight[counted], minlength=n * n_classes).reshape(n, n_classes)
    size = np.bincount(number[counted], minlength=n)
    whole = total.sum(axis=1)
    share = total.max(axis=1, initial=0) / np.where(whole > 0, whole, 1)
    min_share, min_px = least
    return total.argmax(axis=1), share, (size >= min_px) & (share >= min_share)


def read_segments(path: str | Path, geobox: GeoBox, window: Window | None = None) -> NDArray[np.int64]:
    """Read segment numbers from a raster of whole numbers onto a grid (the segment under each pixel's centre).

    Args:
        path: Raster of one layer.
        geobox: The grid.
        window: Part of it; the whole by default.

    Returns:
        (y, x) int64, -1 where the file has nodata or ends.

    Raises:
        SourceError: If the file cannot be read or holds fractions.
    """
    if np.dtype(read_info(path).dtypes[0]).kind not in "iu":
        raise SourceError(f"{path} holds {read_info(path).dtypes[0]}; segments are whole numbers, one per segment")
    whole = window or Window(0, 0, geobox.shape[0], geobox.shape[1])
    data, valid = read_window(str(path), [1], geobox, whole)
    return np.where(valid[0], data[0].astype(np.int64), -1)


def relabel_samples(
    samples: SampleTable, segments: NDArray[np.integer], geobox: GeoBox, *, finding: LabelFinding | None = None,
    min_share: float = 0.6, min_rows: int = 3,
) -> CleanedSamples:  # fmt: skip
    """Give doubtful samples the class of the other samples of their segment.

    Args:
        samples: Places; those outside the grid are left as they are.
        segments: Segment numbers (y, x) on `geobox`; negative is no segment.
        geobox: The grid of the segments.
        finding: Whose suspects may be changed, and do not count; without it every row counts and may be changed.
        min_share: A segment has a winner where a class has at least this share of its rows.
        min_rows: Fewest rows that count in a segment with a winner.

    Returns:
        The relabelled table and the list of changes.

    Raises:
        GridError: If segments and grid differ in shape.
        SampleError: If the finding is of another table.
    """
    if segments.shape != tuple(geobox.shape):
        raise GridError(f"segments have shape {segments.shape}, the grid {tuple(geobox.shape)}; give the grid of the segments")
    number = _segment_of(samples, segments, geobox)
    return relabel_by_number(samples, number, finding=finding, min_share=min_share, min_rows=min_rows)


def relabel_by_number(
    samples: SampleTable, number: NDArray[np.int64], *, finding: LabelFinding | None = None, min_share: float = 0.6,
    min_rows: int = 3,
) -> CleanedSamples:  # fmt: skip
    """Do what `relabel_samples` does, with the segment of each row known (row,); -1 for none.

    Raises:
        SampleError: If numbers or finding are of another table.
    """
    for what, given in (("segment numbers", number), ("the finding", None if finding is None else finding.suspect)):
        if given is not None and len(given) != len(samples):
            raise SampleError(f"{what} are of {len(given)} rows, the table has {len(samples)}; give those of this table")
    unsure = None if finding is None else finding.suspect
    labels = samples.to_class_index()
    made = relabel_by_segments(
        labels, number, n_classes=len(samples.legend), unsure=unsure, min_share=min_share, min_px=min_rows
    )
    score = np.where(made.changed, np.nan_to_num(made.share), 0.0)
    told = LabelFinding("segments", made.changed, score, np.where(made.changed, made.labels, -1))
    return replace(clean_samples(samples, told, action="relabel", max_share=1.0), n_spared=0)


def _segment_of(samples: SampleTable, segments: NDArray[np.integer], geobox: GeoBox) -> NDArray[np.int64]:
    x, y = samples.to_xy(_crs(geobox)).T
    col, row = (np.floor(v).astype(np.int64) for v in ~geobox.affine @ (x, y))
    inside = (row >= 0) & (col >= 0) & (row < segments.shape[0]) & (col < segments.shape[1])
    number = np.full(len(samples), -1, dtype=np.int64)
    number[inside] = segments[row[inside], col[inside]]
    return number


def _crs(geobox: GeoBox) -> Any:
    from landweave.grid import crs_of

    return crs_of(geobox).to_wkt()
