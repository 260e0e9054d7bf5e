"""What is measured of segments: their bands' values, and their shape.

Receives imagery (band, y, x) and segment numbers (see `features.segments`); hands on tables by segment and bands of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.errors import BandError, GridError

__all__ = ["SEGMENT_SHAPES", "check_measures", "segment_bands", "segment_features", "segment_statistics"]

SEGMENT_SHAPES = ("area_px", "perimeter_px", "compactness", "elongation", "rectangularity")
"""Measures of a segment's shape; see `segment_statistics`."""

_VALUES = ("mean", "std", "min", "max", "median")


def check_measures(statistics: Sequence[str], shapes: Sequence[str]) -> None:
    """Check the names of measures.

    Raises:
        BandError: If one is unknown or named twice, or none is named.
    """
    for name in statistics:
        if name not in _VALUES and not re.fullmatch(r"p[1-9]\d?", name):
            raise BandError(f"no statistic of segments is named {name!r}; there are {', '.join(_VALUES)}, and percentiles p1 "
                            "to p99")  # fmt: skip
    for name in shapes:
        if name not in SEGMENT_SHAPES:
            raise BandError(f"no shape of segments is named {name!r}; there are {', '.join(SEGMENT_SHAPES)}")
    both = [*statistics, *shapes]
    if not both or len(set(both)) < len(both):
        raise BandError(f"measures of segments are {', '.join(both) or 'none'}; name at least one, and each once")


def segment_bands(bands: Sequence[str], statistics: Sequence[str], shapes: Sequence[str]) -> tuple[str, ...]:
    """Name the measures of segments in the order of `segment_statistics`: `red_mean`, `red_std`, ..., `area_px`."""
    return (*(f"{band}_{name}" for name in statistics for band in bands), *shapes)


def segment_statistics(
    image: NDArray[np.float32], labels: NDArray[np.int64], *, statistics: Sequence[str] = ("mean", "std"),
    shapes: Sequence[str] = ("area_px",),
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:  # fmt: skip
    """Measure every segment.

    Args:
        image: (band, y, x); NaN is left out.
        labels: Segment numbers (y, x), -1 for none.
        statistics: Of each band's values: mean, std (divisor n), min, max, median, and p1 to p99 (percentiles, linear between
            values).
        shapes: area_px; perimeter_px, the pixel edges towards anything else; compactness, 4 pi area / perimeter^2 (a square
            has pi / 4); elongation, the square root of the ratio of the two principal second moments of the pixels' area (1 is
            as long as wide); rectangularity, the share of the bounding box that is filled.

    Returns:
        The segments' numbers in order, and float32 (segment, measure) in the order of `segment_bands`; NaN where a segment has
        no value.

    Raises:
        GridError: If the imagery is on other pixels.
        BandError: If a measure is unknown.
    """
    check_measures(statistics, shapes)
    if image.ndim != 3 or image.shape[1:] != labels.shape:
        raise GridError(f"imagery of shape {image.shape} does not lie on segments of {labels.shape}; give (band, y, x) of the "
                        "same pixels")  # fmt: skip
    known = labels >= 0
    numbers, inverse = np.unique(labels[known], return_inverse=True)
    n = len(numbers)
    by_band = [_measure_values(band[known].astype(np.float64), inverse, n, statistics) for band in image]
    columns = [one[name] for name in statistics for one in by_band]
    if shapes:
        dense = np.full(labels.shape, -1, dtype=np.int64)
        dense[known] = inverse
        measured = _measure_shapes(dense, n)
        columns += [measured[SEGMENT_SHAPES.index(name)] for name in shapes]
    return numbers, np.stack(columns, axis=1).astype(np.float32)


def segment_features(
    image: NDArray[np.float32], labels: NDArray[np.int64], *, statistics: Sequence[str] = ("mean", "std"),
    shapes: Sequence[str] = ("area_px",),
) -> NDArray[np.float32]:  # fmt: skip
    """Give every pixel the measures of its segment, as features for object-based mapping.

    Args:
        image: (band, y, x); NaN is left out.
        labels: Segment numbers (y, x), -1 for none. Whole segments: take windows of the anchored lattice.
        statistics: As for `segment_statistics`.
        shapes: As for `segment_statistics`.

    Returns:
        float32 (measure, y, x) in the order of `segment_bands`; NaN where there is no segment.

    Raises:
        GridError: If the imagery is on other pixels.
        BandError: If a measure is unknown.
    """
    numbers, table = segment_statistics(image, labels, statistics=statistics, shapes=shapes)
    out = np.full((table.shape[1], *labels.shape), np.nan, dtype=np.float32)
    known = labels >= 0
    out[:, known] = table[np.searchsorted(numbers, labels[known])].T
    return out


def _measure_values(
    values: NDArray[np.float64], segment: NDArray[np.intp], n: int, statistics: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Measure one band: statistic -> (segment,)."""
    seen = ~np.isnan(values)
    values, segment = values[seen], segment[seen]
    size = np.bincount(segment, minlength=n)
    empty, count = size == 0, np.maximum(size, 1)
    mean = np.bincount(segment, weights=values, minlength=n) / count
    made = {"mean": mean}
    if "std" in statistics:
        made["std"] = np.sqrt(np.bincount(segment, weights=(values - mean[segment]) ** 2, minlength=n) / count)
    ranks = {"min": 0.0, "median": 0.5, "max": 1.0} | {f"p{q}": q / 100 for q in range(1, 100)}
    wanted = [s for s in statistics if s in ranks]
    if wanted:
        values = np.append(values[np.lexsort((values, segment))], 0.0)  # one more, for segments without a value
        first = np.cumsum(size) - size
        for name in wanted:
            at = ranks[name] * (count - 1)
            low = first + np.floor(at).astype(np.int64)
            high = first + np.ceil(at).astype(np.int64)
            made[name] = values[low] + (at - np.floor(at)) * (values[high] - values[low])
    return {name: np.where(empty, np.nan, made[name]) for name in statistics}


def _measure_shapes(labels: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Measure shapes: (shape, segment) in the order of `SEGMENT_SHAPES`; `labels` are 0..n-1 or -1."""
    area, perimeter, box, moments = _count_shapes(labels, n)
    mean_y, mean_x = moments[:, 0] / area, moments[:, 1] / area
    # a pixel is a square, not a point: 1/12 is the second moment of its own area
    yy, xx = moments[:, 2] / area - mean_y**2 + 1 / 12, moments[:, 3] / area - mean_x**2 + 1 / 12
    xy = moments[:, 4] / area - mean_y * mean_x
    middle, apart = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    elongation = np.sqrt((middle + apart) / np.maximum(middle - apart, 1e-12))
    filled = area / ((box[:, 1] - box[:, 0] + 1) * (box[:, 3] - box[:, 2] + 1))
    return np.stack([area, perimeter, 4 * np.pi * area / perimeter**2, elongation, filled])


@numba.njit(nogil=True, cache=True)
def _count_shapes(labels, n):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Count area, edges, bounding box and moments; places are relative to a segment's first pixel, for exact sums."""
    height, width = labels.shape
    area, perimeter = np.zeros(n), np.zeros(n)
    box, moments = np.zeros((n, 4)), np.zeros((n, 5))
    start = np.full((n, 2), -1, np.int64)
    for y in range(height):
        for x in range(width):
            k = labels[y, x]
            if k < 0:
                continue
            if start[k, 0] < 0:
                start[k, 0], start[k, 1] = y, x
            v, u = y - start[k, 0], x - start[k, 1]
            area[k] += 1
            for p, q in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if p < 0 or q < 0 or p >= height or q >= width or labels[p, q] != k:
                    perimeter[k] += 1
            box[k, 0], box[k, 1] = min(box[k, 0], v), max(box[k, 1], v)
            box[k, 2], box[k, 3] = min(box[k, 2], u), max(box[k, 3], u)
            moments[k, 0] += v
            moments[k, 1] += u
            moments[k, 2] += v * v
            moments[k, 3] += u * u
            moments[k, 4] += v * u
    return area, perimeter, box, moments
