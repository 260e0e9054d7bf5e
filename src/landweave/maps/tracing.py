"""Outlines of patches along pixel edges, with a vertex wherever three patches meet.

Receives patch numbers (y, x); hands on polygons in corner coordinates. Two patches that touch have the very same vertices along
their common border, so that the polygons are a coverage: no gaps or overlaps, and borders that can be simplified once for both.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.errors import MapError

__all__ = ["trace_patches"]


def trace_patches(labels: NDArray[np.int32], n_patches: int) -> NDArray[Any]:
    """Turn patches into polygons.

    Args:
        labels: Patch number (y, x) from 0, -1 where there is none; patches are connected through edges.
        n_patches: Number of patches.

    Returns:
        Polygons (patch,), shapely, in the order of the numbers; coordinates are (column, row) of pixel corners.
    """
    import shapely

    xy, starts, owners, areas = _trace(np.ascontiguousarray(labels, dtype=np.int32))
    order = np.lexsort((areas < 0, owners))  # of each patch the outline first, then its holes
    lengths = np.diff(starts)[order]
    first = starts[:-1][order]
    at = np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(int(lengths.sum()))
    rings = shapely.linearrings(xy[at].astype(np.float64), indices=np.repeat(np.arange(len(order)), lengths))
    polygons: NDArray[Any] = shapely.polygons(rings, indices=owners[order])
    if len(polygons) != n_patches:
        raise MapError(f"traced {len(polygons)} of {n_patches} patches; patches must be connected through edges and numbered "
                       "without gaps")  # fmt: skip
    return polygons


@numba.njit(nogil=True, cache=True, inline="always")
def _at(labels, y, x):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    if y < 0 or x < 0 or y >= labels.shape[0] or x >= labels.shape[1]:
        return -1
    return labels[y, x]


@numba.njit(nogil=True, cache=True)
def _trace(labels):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Walk every ring with its own pixels on the right; every ring has a step to the right along the top of a pixel.

    Where two pixels of one patch touch at a corner only, the walk crosses over, so that a hole that touches the outside there
    is a ring of its own and no ring touches itself.
    """
    height, width = labels.shape
    seen = np.zeros((height, width), np.uint8)
    xy = np.empty((1024, 2), np.int32)
    starts, owners, areas = np.zeros(256, np.int64), np.empty(256, np.int32), np.empty(256, np.int64)
    n, n_rings = 0, 0
    # of direction right, down, left, up: the step, and the pixels ahead to the left, ahead to the right, behind to the left
    step_x, step_y = (1, 0, -1, 0), (0, 1, 0, -1)
    left_x, left_y = (0, 0, -1, -1), (-1, 0, 0, -1)
    right_x, right_y = (0, -1, -1, 0), (0, 0, -1, -1)
    behind_x, behind_y = (-1, 0, 0, -1), (-1, -1, 0, 0)
    for y0 in range(height):
        for x0 in range(width):
            own = labels[y0, x0]
            if own < 0 or seen[y0, x0] == 1 or _at(labels, y0 - 1, x0) == own:
                continue
            if n_rings + 2 > starts.size:
                starts = np.append(starts, np.zeros(starts.size, np.int64))
                owners = np.append(owners, np.empty(owners.size, np.int32))
                areas = np.append(areas, np.empty(areas.size, np.int64))
            x, y, d, area = x0, y0, 0, 0
            while True:
                if d == 0:
                    if seen[y, x] == 1:
                        break
                    seen[y, x] = 1
                area += (x * step_y[d] - y * step_x[d])
                x += step_x[d]
                y += step_y[d]
                left = _at(labels, y + left_y[d], x + left_x[d])
                right = _at(labels, y + right_y[d], x + right_x[d])
                turn = 0
                if left == own:
                    turn = 3
                elif right != own:
                    turn = 1
                if turn != 0 or left != _at(labels, y + behind_y[d], x + behind_x[d]):
                    if n == xy.shape[0]:
                        longer = np.empty((2 * n, 2), np.int32)
                        longer[:n] = xy
                        xy = longer
                    xy[n, 0], xy[n, 1] = x, y
                    n += 1
                d = (d + turn) % 4
            owners[n_rings] = own
            areas[n_rings] = area
            n_rings += 1
            starts[n_rings] = n
    return xy[:n], starts[: n_rings + 1], owners[:n_rings], areas[:n_rings]
