"""Segments: neighbouring pixels that look alike, as objects to classify, to vote over or to measure.

Receives imagery (band, y, x) scaled so that 1 is the range of a band; hands on segment numbers.

Segments are computed in windows anchored at the grid's origin: window (i, j) covers the rows i * window_px to
(i + 1) * window_px and the columns likewise, and sees its own pixels alone. So a segment ends at the border of its window, and
every block, whatever its place, holds parts of the very same segments. Numbers are unique over the grid: the window's number
(row by row) times window_px squared, plus the segment's within the window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.features.felzenszwalb import segment_graph
from landweave.features.patches import label_components
from landweave.grid import Window
from landweave.types import Options

__all__ = ["SegmentOptions", "segment_block", "segment_window"]

NO_SEGMENT = -1


class SegmentOptions(Options):
    """Options of the segmentation."""

    method: Literal["slic", "watershed", "felzenszwalb"] = Field(
        "slic", description="slic: clusters of place and colour (Achanta et al. 2012), even in size. watershed: basins of the "
                            "gradient (Meyer 1994), as large as the imagery is uniform. felzenszwalb: pixels joined while the "
                            "edge between two parts is no stronger than what is inside them (2004)."
    )  # fmt: skip
    size_px: int = Field(
        100, ge=4, le=10000, description="slic: pixels of a segment on average. watershed, felzenszwalb: pixels that a "
                                         "segment needs to stand on its own."
    )  # fmt: skip
    compactness: float = Field(
        0.1, gt=0, description="slic: weight of place against colour; the difference in colour, in ranges of a band, that "
                               "weighs as much as the distance between two segments."
    )  # fmt: skip
    contrast: float = Field(
        0.1, gt=0, description="felzenszwalb: by how much, in ranges of a band, an edge may exceed what is inside a segment of "
                               "size_px pixels and still be crossed; smaller segments cross more, larger ones less."
    )  # fmt: skip
    iterations: int = Field(10, ge=1, le=50, description="slic: rounds of clustering.")
    window_px: int = Field(512, ge=64, le=4096, description="Side of the windows that are segmented one by one.")


def segment_window(image: NDArray[np.float32], options: SegmentOptions | None = None) -> NDArray[np.int32]:
    """Cut one window into segments.

    slic: centres on a lattice of step S = sqrt(size_px), moved to the lowest gradient of their 3 x 3; pixels go to the centre
    of least D^2 = mean_b dc_b^2 + (compactness / S)^2 ds^2 within 2 S (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120, eq. 3);
    then pieces below a quarter of `size_px` join the neighbour with the longest border.
    felzenszwalb: `segment_graph`; then components below `size_px` join the neighbour with the most alike mean.
    watershed: flooding of the gradient's magnitude in 256 levels from its plateaus of minima (Meyer 1994,
    doi:10.1016/0165-1684(94)90060-4); then basins below `size_px` join the neighbour with the most alike mean.

    Args:
        image: (band, y, x), 1 is the range of a band; NaN in any band is nodata.
        options: Method and size.

    Returns:
        int32 (y, x): numbers from 0 in the order of first pixels, -1 where nodata; every segment is connected through edges.
    """
    options = options or SegmentOptions()
    pixels = np.ascontiguousarray(np.moveaxis(image, 0, 2), dtype=np.float64)
    pixels[np.isnan(pixels).any(axis=2)] = np.nan
    if options.method == "felzenszwalb":
        return _tidy(segment_graph(pixels, options.contrast * options.size_px), pixels, options.size_px, by_border=False)
    gradient = _gradient(pixels)
    if options.method == "slic":
        step = max(2, round(options.size_px**0.5))
        labels = _slic(pixels, gradient, step, options.compactness, options.iterations)
        return _tidy(labels, pixels, max(1, options.size_px // 4), by_border=True)
    top = np.nanmax(gradient) if not np.isnan(gradient).all() else 0.0
    levels = np.where(np.isnan(gradient), -1, np.rint(np.nan_to_num(gradient) / max(top, 1e-12) * 255)).astype(np.int32)
    return _tidy(_watershed(levels), pixels, options.size_px, by_border=False)


def segment_block(
    read: Callable[[Window], NDArray[np.float32]], window: Window, *, shape: tuple[int, int], options: SegmentOptions
) -> NDArray[np.int64]:
    """Give the segments in any window of the grid; computes all anchored windows that it touches.

    Args:
        read: Gives the imagery (band, y, x) of a window inside the grid.
        window: What is wanted, inside the grid.
        shape: Rows and columns of the grid.
        options: Method, size and window.

    Returns:
        int64 (y, x): numbers unique over the grid, -1 where nodata.
    """
    side = options.window_px
    per_row = -(-shape[1] // side)
    out = np.full((window.height, window.width), NO_SEGMENT, dtype=np.int64)
    for i in range(window.row // side, -(-window.row_end // side)):
        for j in range(window.col // side, -(-window.col_end // side)):
            anchored = Window(i * side, j * side, side, side).clip(shape)
            labels = segment_window(read(anchored), options).astype(np.int64)
            labels[labels >= 0] += (i * per_row + j) * side * side
            top, left = max(anchored.row, window.row), max(anchored.col, window.col)
            bottom, right = min(anchored.row_end, window.row_end), min(anchored.col_end, window.col_end)
            out[top - window.row : bottom - window.row, left - window.col : right - window.col] = (
                labels[top - anchored.row : bottom - anchored.row, left - anchored.col : right - anchored.col])  # fmt: skip
    return out


def _tidy(labels: NDArray[np.int32], pixels: NDArray[np.float64], min_px: int, *, by_border: bool) -> NDArray[np.int32]:
    """Split what is not connected, join what is too small, number anew."""
    parts, n = label_components(labels, False)
    joined = _join_small(parts, n, pixels, min_px, by_border)
    final: NDArray[np.int32] = label_components(joined, False)[0]
    return final


@numba.njit(nogil=True, cache=True)
def _gradient(pixels):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Sum of squared differences to the neighbours, right to left and below to above; NaN where nodata."""
    height, width, n_bands = pixels.shape
    out = np.full((height, width), np.nan)
    for y in range(height):
        for x in range(width):
            if np.isnan(pixels[y, x, 0]):
                continue
            total = 0.0
            for b in range(n_bands):
                across = pixels[y, min(x + 1, width - 1), b] - pixels[y, max(x - 1, 0), b]
                down = pixels[min(y + 1, height - 1), x, b] - pixels[max(y - 1, 0), x, b]
                total += 0.0 if np.isnan(across) else across * across
                total += 0.0 if np.isnan(down) else down * down
            out[y, x] = np.sqrt(total)
    return out


@numba.njit(nogil=True, cache=True)
def _seed(pixels, gradient, step):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    height, width, n_bands = pixels.shape
    rows, cols = max(1, round(height / step)), max(1, round(width / step))
    centres = np.empty((rows * cols, n_bands + 2))
    n = 0
    for i in range(rows):
        for j in range(cols):
            y, x = int((i + 0.5) * height / rows), int((j + 0.5) * width / cols)
            best, at_y, at_x = np.inf, -1, -1
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if gradient[v, u] < best:  # false where nodata
                        best, at_y, at_x = gradient[v, u], v, u
            if at_y >= 0:
                centres[n, :n_bands] = pixels[at_y, at_x]
                centres[n, n_bands], centres[n, n_bands + 1] = at_y, at_x
                n += 1
    return centres[:n]


@numba.njit(nogil=True, cache=True)
def _slic(pixels, gradient, step, compactness, iterations):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    height, width, n_bands = pixels.shape
    centres = _seed(pixels, gradient, step)
    n = len(centres)
    labels, nearest = np.empty((height, width), np.int32), np.empty((height, width))
    place = (compactness / step) ** 2
    for _ in range(iterations):
        labels[:] = n  # pixels that no centre reaches make segments of their own
        nearest[:] = np.inf
        for c in range(n):
            cy, cx = centres[c, n_bands], centres[c, n_bands + 1]
            for y in range(max(0, int(cy) - 2 * step), min(height, int(cy) + 2 * step + 1)):
                for x in range(max(0, int(cx) - 2 * step), min(width, int(cx) + 2 * step + 1)):
                    d = 0.0
                    for b in range(n_bands):
                        d += (pixels[y, x, b] - centres[c, b]) ** 2
                    d = d / n_bands + place * ((y - cy) ** 2 + (x - cx) ** 2)
                    if d < nearest[y, x]:
                        nearest[y, x], labels[y, x] = d, c
        sums, counts = np.zeros((n, n_bands + 2)), np.zeros(n)
        for y in range(height):
            for x in range(width):
                c = labels[y, x]
                if c < n and not np.isnan(pixels[y, x, 0]):
                    counts[c] += 1
                    for b in range(n_bands):
                        sums[c, b] += pixels[y, x, b]
                    sums[c, n_bands] += y
                    sums[c, n_bands + 1] += x
        for c in range(n):
            if counts[c] > 0:
                centres[c] = sums[c] / counts[c]
    for y in range(height):
        for x in range(width):
            if np.isnan(pixels[y, x, 0]):
                labels[y, x] = -1
    return labels


@numba.njit(nogil=True, cache=True)
def _push(queue, ends, level, pixel):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Append a pixel to a level's list; lists are chains in `queue` (next pixel), `ends` holds first and last."""
    queue[pixel] = -1
    if ends[level, 0] < 0:
        ends[level, 0] = pixel
    else:
        queue[ends[level, 1]] = pixel
    ends[level, 1] = pixel


@numba.njit(nogil=True, cache=True)
def _watershed(levels):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Flood from the plateaus of minima, level by level, first come first served; every pixel joins a basin."""
    height, width = levels.shape
    labels = np.full((height, width), -1, np.int32)
    queue, ends = np.full(height * width, -1, np.int64), np.full((256, 2), -1, np.int64)
    stack = np.empty(height * width, np.int64)
    seen = np.zeros((height, width), np.uint8)
    n = 0
    for y0 in range(height):
        for x0 in range(width):
            if levels[y0, x0] < 0 or seen[y0, x0] == 1:
                continue
            stack[0], size, lowest = y0 * width + x0, 1, True
            seen[y0, x0] = 1
            i = 0
            while i < size:
                y, x = stack[i] // width, stack[i] % width
                i += 1
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if v < 0 or u < 0 or v >= height or u >= width or levels[v, u] < 0:
                        continue
                    if levels[v, u] < levels[y0, x0]:
                        lowest = False
                    elif levels[v, u] == levels[y0, x0] and seen[v, u] == 0:
                        seen[v, u] = 1
                        stack[size] = v * width + u
                        size += 1
            if lowest:
                for i in range(size):
                    labels[stack[i] // width, stack[i] % width] = n
                    _push(queue, ends, levels[y0, x0], stack[i])
                n += 1
    level = 0
    while level < 256:
        pixel = ends[level, 0]
        if pixel < 0:
            level += 1
            continue
        ends[level, 0] = queue[pixel]
        y, x = pixel // width, pixel % width
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if v < 0 or u < 0 or v >= height or u >= width or levels[v, u] < 0 or labels[v, u] >= 0:
                continue
            labels[v, u] = labels[y, x]
            _push(queue, ends, max(level, levels[v, u]), v * width + u)
    return labels


@numba.njit(nogil=True, cache=True)
def _find(parent, i):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(nogil=True, cache=True)
def _join_small(labels, n, pixels, min_px, by_border):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Join segments below `min_px` to a neighbour, in rounds: that of the longest border, or of the most alike mean."""
    height, width, n_bands = pixels.shape
    sizes, sums = np.zeros(n, np.int64), np.zeros((n, n_bands))
    for y in range(height):
        for x in range(width):
            if labels[y, x] >= 0:
                sizes[labels[y, x]] += 1
                sums[labels[y, x]] += pixels[y, x]
    parent = np.arange(n)
    out = np.empty((height, width), np.int32)
    while True:
        edges = {(np.int64(-1), np.int64(-1)): np.int64(0)}
        for y in range(height):
            for x in range(width):
                for v, u in ((y + 1, x), (y, x + 1)):
                    if v < height and u < width and labels[y, x] >= 0 and labels[v, u] >= 0:
                        a, b = _find(parent, labels[y, x]), _find(parent, labels[v, u])
                        if a != b:
                            if sizes[a] < min_px:
                                edges[(a, b)] = edges.get((a, b), np.int64(0)) + 1
                            if sizes[b] < min_px:
                                edges[(b, a)] = edges.get((b, a), np.int64(0)) + 1
        target, score = np.full(n, -1, np.int64), np.full(n, -np.inf)
        for pair, border in edges.items():
            a, b = pair
            if a < 0:
                continue
            value = 0.0
            if by_border:
                value += border
            else:
                for k in range(n_bands):
                    value -= (sums[a, k] / sizes[a] - sums[b, k] / sizes[b]) ** 2
            if value > score[a] or (value == score[a] and b < target[a]):
                score[a], target[a] = value, b
        changed = False
        for a in range(n):
            if target[a] >= 0 and parent[a] == a and sizes[a] < min_px:
                b = _find(parent, target[a])
                if b != a:
                    parent[a] = b
                    sizes[b] += sizes[a]
                    sums[b] += sums[a]
                    changed = True
        if not changed:
            break
    for y in range(height):
        for x in range(width):
            out[y, x] = _find(parent, labels[y, x]) if labels[y, x] >= 0 else -1
    return out
