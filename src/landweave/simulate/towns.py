"""Towns and the roads between them: sites by suitability, sizes by rank, roads along paths of least cost.

Receives `Terrain`; hands on `Settlements`: towns with sizes, and roads as paths in fine pixels.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from landweave.simulate.domain import Domain, FloatArray
from landweave.simulate.noise import compiled, fractal_field, make_rng, smoothstep
from landweave.simulate.terrain import Terrain

_AREA_PER_TOWN_KM2 = 3.4


@dataclass(frozen=True)
class Settlements:
    """Towns and roads.

    Attributes:
        towns: (n, 2) fine rows and columns, the largest first.
        radius_px: Radius of each town's built-up area in fine pixels.
        roads: Paths (n, 2) in fine rows and columns.
        is_main: Whether each road is a main road.
    """

    towns: NDArray[np.float64]
    radius_px: NDArray[np.float64]
    roads: tuple[NDArray[np.float64], ...]
    is_main: tuple[bool, ...]


def settle(domain: Domain, terrain: Terrain, lake: FloatArray, seed: int) -> Settlements:
    """Found towns and connect them; `lake` is the fraction of still water in each coarse cell."""
    rng = make_rng(seed, "towns")
    gy, gx = np.gradient(terrain.height, domain.cell_m)
    slope = np.hypot(gy, gx)
    sites, rank_size = _found_towns(domain, terrain, slope + lake, rng)
    main, minor = _choose_links(sites, rank_size)
    cost = _road_cost(domain, terrain, slope, lake, rng)
    roads, is_main = [], []
    for links, important in ((main, True), (minor, False)):
        for a, b in links:
            path = _connect(cost, sites[a], sites[b])
            roads.append(domain.to_fine(_smooth(path)))
            is_main.append(important)
    radius_px = rank_size / domain.resolution_m
    return Settlements(domain.to_fine(sites.astype(float)), radius_px, tuple(roads), tuple(is_main))


def _found_towns(
    domain: Domain, terrain: Terrain, slope: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose sites (coarse cells) one after the other, and radii in metres that fall with rank."""
    shape = domain.coarse_shape
    span_km = np.array(shape) * domain.cell_m / 1000
    count = int(np.clip(span_km.prod() / _AREA_PER_TOWN_KM2, 4, 160))
    score = 1.2 * np.exp(-((slope / 0.06) ** 2)) + 0.35 * fractal_field(shape, rng, beta=2.0, longest_px=max(shape) / 8)
    score += 0.8 * np.exp(-terrain.from_river_m / 900) - 2.0 * (terrain.above_stream < 2.0) - 3.0 * (terrain.from_river_m < 120)
    score -= 0.8 * smoothstep(terrain.ruggedness, 0.25, 0.8)
    middle = _middle(domain)
    rows, cols = np.indices(shape)
    # radius of the first: a small town in 50 km2, a city in 400 km2
    first_m = 95.0 * float(np.sqrt(np.prod(domain.shape)) * domain.resolution_m / 1000) ** 0.85 + 120.0
    sites, radii = [], []
    for k in range(count):
        radius = max(70.0, first_m / (k + 1) ** 0.62 * rng.uniform(0.8, 1.2))
        at = np.where(middle, score, score - 5.0) if k < 2 else score
        i = int(np.argmax(at))
        r, c = divmod(i, shape[1])
        sites.append((r, c))
        radii.append(radius)
        distance_m = np.hypot(rows - r, cols - c) * domain.cell_m
        score = score - 3.0 * np.exp(-((distance_m / (700 + 2.2 * radius)) ** 2))
    return np.array(sites), np.array(radii)


def _middle(domain: Domain) -> NDArray[np.bool_]:
    rows, cols = np.indices(domain.coarse_shape)
    r, c = domain.to_fine(rows.astype(float)), domain.to_fine(cols.astype(float))
    h, w = domain.shape
    return (r > 0.15 * h) & (r < 0.85 * h) & (c > 0.15 * w) & (c < 0.85 * w)


def _choose_links(sites: NDArray[np.int64], size: NDArray[np.float64]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Gabriel graph (Gabriel & Sokal 1969) of all towns for minor roads, and of the largest ones for main roads."""
    large = np.argsort(-size)[: max(3, len(size) // 6)]
    main = [(int(large[a]), int(large[b])) for a, b in _gabriel(sites[large])]
    minor = [link for link in _gabriel(sites) if link not in main]
    return main, minor


def _gabriel(sites: NDArray[np.int64]) -> list[tuple[int, int]]:
    points = sites.astype(float)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    links = []
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            third = squared[a] + squared[b]
            third[[a, b]] = np.inf
            if third.min() >= squared[a, b]:
                links.append((a, b))
    return links


def _road_cost(
    domain: Domain, terrain: Terrain, slope: NDArray[np.float32], lake: FloatArray, rng: np.random.Generator
) -> NDArray[np.float64]:
    # property lines and other things that no map shows keep roads from being straight
    bent = fractal_field(domain.coarse_shape, rng, beta=2.4, longest_px=22)
    cost = np.exp(0.45 * bent) + (slope / 0.05) ** 2 + 60.0 * lake
    cost += 1.5 * (terrain.above_stream < 1.0) + 14.0 * (terrain.from_river_m < 0.6 * domain.cell_m + 20)
    return np.asarray(scipy.ndimage.gaussian_filter(cost.astype(np.float64), 0.7))


def _connect(cost: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """Least-cost path between two cells, in a window around them; cells on it become cheap for later roads."""
    margin = 12 + int(0.3 * np.abs(end - start).max())
    low = np.maximum(np.minimum(start, end) - margin, 0)
    high = np.minimum(np.maximum(start, end) + margin + 1, cost.shape)
    window = cost[low[0] : high[0], low[1] : high[1]]
    s, e = start - low, end - low
    path = least_cost_path(np.ascontiguousarray(window), int(s[0]), int(s[1]), int(e[0]), int(e[1])) + low
    cost[path[:, 0], path[:, 1]] = np.minimum(cost[path[:, 0], path[:, 1]], 0.3)
    return np.asarray(path, dtype=np.float64)


@compiled
def least_cost_path(cost: NDArray[np.float64], r0: int, c0: int, r1: int, c1: int) -> NDArray[np.int64]:
    """Find the cheapest 8-connected path between two cells (Dijkstra 1959).

    Args:
        cost: Positive cost per cell of way (rows, columns).
        r0: Start row.
        c0: Start column.
        r1: End row.
        c1: End column.

    Returns:
        Cells (n, 2) from start to end.
    """
    rows, cols = cost.shape
    best = np.full(rows * cols, np.inf)
    origin = np.full(rows * cols, -1, dtype=np.int64)
    goal = r1 * cols + c1
    best[r0 * cols + c0] = 0.0
    heap = [(0.0, np.int64(r0 * cols + c0))]
    while len(heap) > 0:
        d, i = heapq.heappop(heap)
        if i == goal:
            break
        if d > best[i]:
            continue
        row, col = i // cols, i % cols
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, col + dc
                if r < 0 or c < 0 or r >= rows or c >= cols or (dr == 0 and dc == 0):
                    continue
                j = r * cols + c
                way = d + 0.5 * (cost[row, col] + cost[r, c]) * np.sqrt(float(dr * dr + dc * dc))
                if way < best[j]:
                    best[j] = way
                    origin[j] = i
                    heapq.heappush(heap, (way, np.int64(j)))
    n = 1
    i = np.int64(goal)
    while origin[i] >= 0:
        i = origin[i]
        n += 1
    path = np.empty((n, 2), dtype=np.int64)
    i = np.int64(goal)
    for k in range(n - 1, -1, -1):
        path[k, 0], path[k, 1] = i // cols, i % cols
        i = origin[i]
    return path


def _smooth(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the corners of a path on a lattice; both ends stay."""
    if len(path) < 4:
        return path
    ends = path[[0, -1]]
    smooth = scipy.ndimage.gaussian_filter1d(path, 2.0, axis=0, mode="nearest")
    smooth[[0, -1]] = ends
    return np.asarray(smooth)
