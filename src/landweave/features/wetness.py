"""Where water gathers: sinks filled, flow accumulated, the topographic wetness index.

Receives a whole elevation model, since a pixel's value depends on its catchment; hands on float32 arrays. Computed once for
the model as given: what drains in from beyond its edge is not known, so give one that is larger than the map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landweave.errors import CubeError
from landweave.features.terrain import compute_terrain

__all__ = ["BYTES_PER_PIXEL", "accumulate_flow", "compute_wetness", "fill_sinks"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

BYTES_PER_PIXEL = 90
"""Memory that `compute_wetness` takes per pixel at its peak: elevations, order, heap, pixel sizes, areas, slope."""

MIN_TAN_SLOPE = 1e-3
"""Least slope (rise over run) in the index: flat ground would have no finite value."""

_EPSILON_M = 1e-9  # not the least step of a float64: raised to 1.1, slopes near elevation 0 would vanish
_EXPONENT = 1.1  # Freeman 1991, section 3: the value at which a cone drains evenly


@njit(nogil=True, cache=True)
def _push(heap_z: Any, heap_i: Any, size: int, z: float, i: int) -> None:  # pragma: no cover (compiled)
    k = size
    while k > 0:
        up = (k - 1) // 2
        if heap_z[up] < z or (heap_z[up] == z and heap_i[up] < i):
            break
        heap_z[k], heap_i[k] = heap_z[up], heap_i[up]
        k = up
    heap_z[k], heap_i[k] = z, i


@njit(nogil=True, cache=True)
def _pop(heap_z: Any, heap_i: Any, size: int) -> None:  # pragma: no cover (compiled)
    """Take the first entry out of a heap of `size`; the last one finds its place from the top."""
    z, i = heap_z[size - 1], heap_i[size - 1]
    k = 0
    while 2 * k + 1 < size - 1:
        low = 2 * k + 1
        other = low + 1
        if other < size - 1 and (
            heap_z[other] < heap_z[low] or (heap_z[other] == heap_z[low] and heap_i[other] < heap_i[low])
        ):
            low = other
        if z < heap_z[low] or (z == heap_z[low] and i < heap_i[low]):
            break
        heap_z[k], heap_i[k] = heap_z[low], heap_i[low]
        k = low
    heap_z[k], heap_i[k] = z, i


@njit(nogil=True, cache=True)
def _seed(z: Any, closed: Any, heap_z: Any, heap_i: Any) -> int:  # pragma: no cover (compiled)
    """Start from where water can leave: the raster's edge and pixels beside nodata."""
    rows, cols = z.shape
    size = 0
    for r in range(rows):
        for c in range(cols):
            if np.isnan(z[r, c]):
                closed[r, c] = True
                continue
            is_edge = r == 0 or c == 0 or r == rows - 1 or c == cols - 1
            for k in range(9):
                if not is_edge and np.isnan(z[r + k // 3 - 1, c + k % 3 - 1]):
                    is_edge = True
            if is_edge:
                closed[r, c] = True
                _push(heap_z, heap_i, size, z[r, c], r * cols + c)
                size += 1
    return size


@njit(nogil=True, cache=True)
def _flood(z: Any, epsilon: bool, closed: Any, heap_z: Any, heap_i: Any, order: Any) -> int:  # pragma: no cover (compiled)
    """Priority-Flood: raise `z` in place; `order` lists the pixels from the lowest outlet up. Gives their number."""
    rows, cols = z.shape
    size = _seed(z, closed, heap_z, heap_i)
    n = 0
    while size > 0:
        i = heap_i[0]
        _pop(heap_z, heap_i, size)
        size -= 1
        order[n] = i
        n += 1
        r, c = i // cols, i % cols
        least = z[r, c] + _EPSILON_M if epsilon else z[r, c]
        for k in range(9):
            y, x = r + k // 3 - 1, c + k % 3 - 1
            if 0 <= y < rows and 0 <= x < cols and not closed[y, x]:
                closed[y, x] = True
                if z[y, x] < least:
                    z[y, x] = least
                _push(heap_z, heap_i, size, z[y, x], y * cols + x)
                size += 1
    return n


@njit(nogil=True, cache=True)
def _pour(z: Any, order: Any, dx: Any, dy: Any, area: Any) -> None:  # pragma: no cover (compiled)
    """Hand the area of each pixel on to its lower neighbours, highest pixel first, in shares of slope ** 1.1."""
    rows, cols = z.shape
    share = np.empty(9, dtype=np.float64)
    for j in range(len(order) - 1, -1, -1):
        r, c = order[j] // cols, order[j] % cols
        total = 0.0
        for k in range(9):
            share[k] = 0.0
            y, x = r + k // 3 - 1, c + k % 3 - 1
            if 0 <= y < rows and 0 <= x < cols and z[y, x] < z[r, c]:  # false where it is nodata
                sx = dx[r, c] if x != c else 0.0
                sy = dy[r, c] if y != r else 0.0
                share[k] = ((z[r, c] - z[y, x]) / np.sqrt(sx * sx + sy * sy)) ** _EXPONENT
                total += share[k]
        if total > 0:
            for k in range(9):
                if share[k] > 0:
                    area[r + k // 3 - 1, c + k % 3 - 1] += area[r, c] * share[k] / total


def _fill(elevation: NDArray[np.floating[Any]], epsilon: bool) -> tuple[Floats, NDArray[np.int64]]:
    if elevation.ndim != 2:
        raise CubeError(f"elevation has shape {elevation.shape}; give (y, x)")
    z = np.array(elevation, dtype=np.float64, order="C")
    order = np.empty(z.size, dtype=np.int64)
    heap_z, heap_i = np.empty(z.size, dtype=np.float64), np.empty(z.size, dtype=np.int64)
    n = _flood(z, epsilon, np.zeros(z.shape, dtype=np.bool_), heap_z, heap_i, order)
    return z, order[:n]


def fill_sinks(elevation: NDArray[np.floating[Any]], *, epsilon: bool = False) -> Floats:
    """Raise every sink to its outlet by Priority-Flood (Barnes et al. 2014, doi:10.1016/j.cageo.2013.04.024).

    Args:
        elevation: (y, x) in metres, NaN where not known; water leaves at the edge and beside NaN.
        epsilon: Let filled ground rise by 1e-9 m per pixel towards its inside, so that it drains (their algorithm 3).

    Returns:
        float64 (y, x), nowhere below the elevations; NaN where they are.

    Raises:
        CubeError: If the elevations are not two-dimensional.
    """
    return _fill(elevation, epsilon)[0]


def accumulate_flow(elevation: NDArray[np.floating[Any]], pixel_m: tuple[Floats, Floats]) -> Floats:
    """Give the area that drains through each pixel, its own included, in square metres.

    Sinks are filled first; then each pixel hands its water on to all lower neighbours, in shares of their slope to the power
    of 1.1 (Freeman 1991, doi:10.1016/0098-3004(91)90048-I).

    Args:
        elevation: (y, x) in metres, NaN where not known.
        pixel_m: Ground size of each pixel along x and y in metres, broadcastable to (y, x).

    Returns:
        float64 (y, x); NaN where the elevation is.

    Raises:
        CubeError: If the elevations are not two-dimensional.
    """
    z, order = _fill(elevation, epsilon=True)
    dx, dy = (np.ascontiguousarray(np.broadcast_to(np.asarray(p, dtype=np.float64), z.shape)) for p in pixel_m)
    area = dx * dy
    _pour(z, order, dx, dy, area)
    area[np.isnan(z)] = np.nan
    return area


def compute_wetness(elevation: NDArray[np.floating[Any]], pixel_m: tuple[Floats, Floats]) -> Array:
    """Compute the topographic wetness index ln(a / tan b) of a whole elevation model (Beven & Kirkby 1979).

    a is the area drained per metre of contour (`accumulate_flow` over the pixel's mean side), b the slope of Horn 1981 on the
    elevations as they are, tan b at least 0.001.

    Args:
        elevation: (y, x) in metres, NaN where not known.
        pixel_m: Ground size of each pixel along x and y in metres, broadcastable to (y, x).

    Returns:
        float32 (y, x); NaN where the elevation is. Too low where the catchment reaches beyond the raster.

    Raises:
        CubeError: If the elevations are not two-dimensional.
    """
    area = accumulate_flow(elevation, pixel_m)
    dx, dy = (np.asarray(p, dtype=np.float64) for p in pixel_m)
    area /= np.sqrt(dx * dy)
    slope = compute_terrain(elevation, pixel_m, ["slope"])["slope"]
    area /= np.maximum(np.tan(np.radians(slope.astype(np.float64))), MIN_TAN_SLOPE)
    return np.log(area).astype(np.float32)
