"""Terrain with valleys: a main river that crosses the land, tributaries that cut hills, plains along the river.

Receives a `Domain` and a seed; hands on `Terrain`, on the coarse lattice. Valleys are cut by the stream-power law
(Howard 1994, doi:10.1029/94WR00757) solved implicitly along the flow tree (Braun & Willett 2013,
doi:10.1016/j.geomorph.2012.10.008); the tree comes from priority-flood (Barnes et al. 2014, doi:10.1016/j.cageo.2013.04.024).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from landweave.simulate.domain import Domain, FloatArray
from landweave.simulate.noise import compiled, fractal_field, make_rng, smoothstep

_ITERATIONS = (28, 8)
"""Steps of erosion on the halved and on the full coarse lattice."""


@dataclass(frozen=True)
class Terrain:
    """The coarse terrain.

    Attributes:
        height: Metres (rows, columns) of the coarse lattice.
        receiver: Flat index of the cell that each cell drains to; itself for cells of the main river.
        order: Flat indices from the outlet upstream.
        drained: Number of cells that drain through each cell.
        above_stream: Height above the stream that a cell drains to, in metres.
        river: Centre line of the main river (n, 2) in fine rows and columns.
        river_width_px: Its width in fine pixels.
        from_river_m: Distance from the river's centre line.
        ruggedness: 0 in the plains to 1 in the hills.
    """

    height: FloatArray
    receiver: NDArray[np.int64]
    order: NDArray[np.int64]
    drained: FloatArray
    above_stream: FloatArray
    river: NDArray[np.float64]
    river_width_px: float
    from_river_m: FloatArray
    ruggedness: FloatArray


def make_terrain(domain: Domain, seed: int) -> Terrain:
    """Make the terrain of a landscape."""
    width = float(np.clip(max(domain.shape) / 170, 2.0, 7.0))
    river = trace_river(domain, width, make_rng(seed, "river"))
    shape = domain.coarse_shape
    distance_m, along = _from_path(domain, river)
    rugged = _ruggedness(domain, distance_m, make_rng(seed, "ruggedness"))
    half = tuple(-(-n // 2) for n in shape)
    rng = make_rng(seed, "erosion")
    rough = fractal_field(shape, rng, beta=3.0, longest_px=max(shape) / 3)
    # the river falls 1 m per km; the hills start as gentle swells that erosion then cuts
    bed = -1e-3 * along
    height = bed + 0.004 * distance_m + 12.0 * rough * (0.1 + rugged)
    fixed = np.asarray(distance_m < 0.75 * domain.cell_m)
    uplift = (0.15 + 6.0 * rugged).astype(np.float64)
    small = _shrink(height, half)
    small = erode(small, _shrink(uplift, half), _pool(fixed, half), 2 * domain.cell_m, _ITERATIONS[0])
    height = _grow(small, shape) + 1.5 * rough * (0.2 + rugged)
    height[fixed] = bed[fixed]
    height = erode(height, uplift, fixed, domain.cell_m, _ITERATIONS[1])
    height = scipy.ndimage.gaussian_filter(height, 0.6)
    receiver, order, drained = route_flow(height, fixed)
    above = _above_stream(height.ravel(), receiver, order, drained, 4e5 / domain.cell_m**2)
    return Terrain(
        height.astype(np.float32), receiver, order, drained.reshape(shape).astype(np.float32),
        above.reshape(shape).astype(np.float32), river, width, distance_m.astype(np.float32), rugged,
    )  # fmt: skip


def trace_river(domain: Domain, width_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Trace a meandering centre line across the domain: a sine-generated curve (Langbein & Leopold 1966, USGS PP 422-H).

    The direction swings about a slowly turning mean; wavelengths are about twelve widths of the channel.

    Returns:
        Path (n, 2) of fine rows and columns from upstream to downstream, reaching past the coarse lattice.
    """
    rows, cols = domain.shape
    reach = 1.2 * (np.hypot(rows, cols) / 2 + 1.5 * domain.pad_px)
    n = int(6 * reach)
    s = np.arange(n) - n / 2
    wavelength = 13.0 * width_px
    heading = rng.uniform(0, 2 * np.pi)
    slow = _noise_1d(n, 0.45 * max(domain.shape), rng) * 0.35
    swing = np.clip(0.95 + 0.35 * _noise_1d(n, 6 * wavelength, rng), 0.15, 1.45)
    phase = 2 * np.pi * s / (wavelength * 1.9) + 1.1 * _noise_1d(n, 3 * wavelength, rng)
    theta = heading + slow + swing * np.sin(phase)
    path = np.column_stack([np.cumsum(np.sin(theta)), np.cumsum(np.cos(theta))])
    centre = np.array([rows, cols]) * rng.uniform(0.35, 0.65, 2)
    path += centre - path[n // 2]
    far = np.abs(path - np.array([rows / 2, cols / 2])).max(axis=1) < max(domain.shape) / 2 + 1.3 * domain.pad_px
    inside = np.flatnonzero(far)
    run = inside[(inside >= _edge(far, n // 2, -1)) & (inside <= _edge(far, n // 2, 1))]
    return path[run]


def _edge(far: NDArray[np.bool_], start: int, step: int) -> int:
    at = start
    while 0 <= at + step < len(far) and far[at + step]:
        at += step
    return at


def _noise_1d(n: int, wavelength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    knots = max(4, int(n / wavelength) + 4)
    values = scipy.ndimage.zoom(rng.standard_normal(knots), n / knots, order=3)
    result: NDArray[np.float64] = np.resize(values, n)
    return result


def _from_path(domain: Domain, path: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance in metres from a path and the length along it at the nearest point, for every coarse cell."""
    at = np.rint(domain.to_coarse(path)).astype(int)
    rows, cols = domain.coarse_shape
    mark = np.full((rows, cols), -1.0)
    inside = (at[:, 0] >= 0) & (at[:, 0] < rows) & (at[:, 1] >= 0) & (at[:, 1] < cols)
    length = np.arange(len(path)) * domain.resolution_m
    mark[at[inside, 0], at[inside, 1]] = length[inside]
    distance, (r, c) = scipy.ndimage.distance_transform_edt(mark < 0, return_indices=True)
    return distance * domain.cell_m, scipy.ndimage.gaussian_filter(mark[r, c], 3.0)


def _ruggedness(domain: Domain, distance_m: NDArray[np.float64], rng: np.random.Generator) -> FloatArray:
    """Plains along the river, hills away from it, more on one side: 0..1."""
    shape = domain.coarse_shape
    span = max(domain.shape) * domain.resolution_m
    wide = fractal_field(shape, rng, beta=4.0, longest_px=max(shape) / 2)
    away = smoothstep(distance_m / span + 0.03 * wide, 0.04, 0.42)
    return np.asarray(np.clip(away * smoothstep(wide, -1.1, 1.3), 0, 1) ** 1.3, dtype=np.float32)


def erode(
    height: NDArray[np.float64], uplift: NDArray[np.float64], fixed: NDArray[np.bool_], cell_m: float, steps: int
) -> NDArray[np.float64]:
    """Lift the land and let streams cut it, `steps` times.

    Args:
        height: Metres.
        uplift: Metres per step.
        fixed: Cells of the main river, whose height stays.
        cell_m: Size of a cell.
        steps: Number of steps.
    """
    height = height.copy()
    for _ in range(steps):
        receiver, order, drained = route_flow(height, fixed)
        flat = height.ravel()
        _incise(flat, uplift.ravel(), receiver, order, drained * cell_m**2, cell_m)
        smooth = scipy.ndimage.gaussian_filter(height, 0.7)
        height = np.where(fixed, height, 0.75 * height + 0.25 * smooth)
    return height


@compiled
def _incise(
    height: NDArray[np.float64], uplift: NDArray[np.float64], receiver: NDArray[np.int64], order: NDArray[np.int64],
    area_m2: NDArray[np.float64], cell_m: float,
) -> None:  # fmt: skip
    """One implicit step of dz/dt = U - K A^0.45 S along the tree, from the outlet upstream."""
    for k in range(order.shape[0]):
        i = order[k]
        j = receiver[i]
        if i != j:
            cut = 0.16 * area_m2[i] ** 0.45 / cell_m
            height[i] = (height[i] + uplift[i] + cut * height[j]) / (1.0 + cut)


@compiled
def route_flow(
    height: NDArray[np.float64], fixed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Route water over a surface to its fixed cells; hollows are filled.

    Returns:
        Receiver of each cell (flat index; itself where fixed), cells from the outlet upstream, cells drained through each.
    """
    rows, cols = height.shape
    n = rows * cols
    filled = height.copy().ravel()
    receiver = np.full(n, -1, dtype=np.int64)
    order = np.empty(n, dtype=np.int64)
    heap = [(0.0, np.int64(0))]
    heap.pop()
    for i in range(n):
        if fixed[i // cols, i % cols]:
            receiver[i] = i
            heapq.heappush(heap, (filled[i], np.int64(i)))
    at = 0
    while len(heap) > 0:
        i = int(heapq.heappop(heap)[1])
        order[at] = i
        at += 1
        row, col = i // cols, i % cols
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, col + dc
                if r < 0 or c < 0 or r >= rows or c >= cols:
                    continue
                j = r * cols + c
                if receiver[j] < 0:
                    receiver[j] = i
                    filled[j] = max(filled[j], filled[i] + 1e-4)
                    heapq.heappush(heap, (filled[j], np.int64(j)))
    # the first neighbour to be flooded is not always the steepest way down
    rank = np.empty(n, dtype=np.int64)
    for k in range(n):
        rank[order[k]] = k
    for k in range(n):
        i = order[k]
        if receiver[i] == i:
            continue
        row, col = i // cols, i % cols
        best = 0.0
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, col + dc
                if r < 0 or c < 0 or r >= rows or c >= cols or (dr == 0 and dc == 0):
                    continue
                j = r * cols + c
                drop = (filled[i] - filled[j]) / np.sqrt(float(dr * dr + dc * dc))
                if rank[j] < k and drop > best:
                    best = drop
                    receiver[i] = j
    drained = np.ones(n)
    for k in range(n - 1, -1, -1):
        i = order[k]
        if receiver[i] != i:
            drained[receiver[i]] += drained[i]
    return receiver, order, drained


@compiled
def _above_stream(
    height: NDArray[np.float32], receiver: NDArray[np.int64], order: NDArray[np.int64], drained: NDArray[np.float64],
    stream_cells: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Height above the nearest drainage along the flow path (HAND, Renno et al. 2008, doi:10.1016/j.rse.2008.03.018)."""
    level = np.empty(height.shape[0])
    above = np.empty(height.shape[0])
    for k in range(order.shape[0]):
        i = order[k]
        j = receiver[i]
        level[i] = height[i] if (i == j or drained[i] >= stream_cells) else level[j]
        above[i] = max(0.0, height[i] - level[i])
    return above


def _shrink(field: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    padded = np.pad(field, [(0, 2 * n - m) for n, m in zip(shape, field.shape, strict=True)], mode="edge")
    result: NDArray[np.float64] = padded.reshape(shape[0], 2, shape[1], 2).mean(axis=(1, 3))
    return result


def _pool(field: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    padded = np.pad(field, [(0, 2 * n - m) for n, m in zip(shape, field.shape, strict=True)])
    return np.asarray(padded.reshape(shape[0], 2, shape[1], 2).any(axis=(1, 3)))


def _grow(field: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    doubled = scipy.ndimage.zoom(field, 2, order=1, grid_mode=True, mode="nearest")
    result: NDArray[np.float64] = doubled[: shape[0], : shape[1]]
    return result
