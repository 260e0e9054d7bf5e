"""Water on the fine grid: the main river, cut-off meanders, tributaries, lakes behind dams, ponds in the plain.

Receives `Terrain`; hands on the fraction of water per pixel, by kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from landweave.simulate.domain import Domain, FloatArray, draw_lines, path_lines
from landweave.simulate.noise import compiled, fractal_field, make_rng
from landweave.simulate.terrain import Terrain

_STREAM_KM2 = 0.8
"""Land that a stream drains before it shows in an image of 10 m."""


@dataclass(frozen=True)
class Waters:
    """Fractions 0..1 of water (rows, columns), and streams as segments.

    Attributes:
        river: Main river and cut-off meanders.
        stream: Tributaries.
        lake: Lakes and ponds.
        bar: Sand and gravel bars of the main river.
    """

    river: FloatArray
    stream: FloatArray
    lake: FloatArray
    bar: FloatArray


def make_waters(domain: Domain, terrain: Terrain, height: FloatArray, seed: int) -> Waters:
    """Draw all water of a landscape; `height` is the fine terrain in metres."""
    river = np.zeros(domain.shape, dtype=np.float32)
    rng = make_rng(seed, "waters")
    n = len(terrain.river)
    swell = 1 + 0.22 * scipy.ndimage.gaussian_filter1d(rng.standard_normal(n), 40) * np.sqrt(40 * 3.5)
    width = terrain.river_width_px * np.clip(swell, 0.6, 1.5)
    draw_lines(river, path_lines(terrain.river, width))
    bar = np.zeros(domain.shape, dtype=np.float32)
    draw_lines(bar, _bar_lines(terrain, rng))
    old = _cut_off_meanders(domain, terrain, seed)
    stream = np.zeros(domain.shape, dtype=np.float32)
    draw_lines(stream, _stream_lines(domain, terrain))
    lake = np.maximum(_reservoirs(domain, terrain, height, rng), _ponds(domain, terrain, rng))
    return Waters(np.maximum(river, old), stream, lake, bar * (1 - river))


def _bar_lines(terrain: Terrain, rng: np.random.Generator) -> NDArray[np.float64]:
    """Bars lie on the inner bank, where the river bends most."""
    way = np.gradient(terrain.river, axis=0)
    turn = np.gradient(np.unwrap(np.arctan2(way[:, 0], way[:, 1])))
    turn = scipy.ndimage.gaussian_filter1d(turn, terrain.river_width_px)
    inner = np.column_stack([way[:, 1], -way[:, 0]]) * np.sign(turn)[:, None]
    bars = terrain.river + inner * terrain.river_width_px * 0.62
    chance = scipy.ndimage.gaussian_filter1d(rng.standard_normal(len(turn)), 15) * np.sqrt(15 * 3.5)
    bend = np.abs(turn) * terrain.river_width_px
    width = terrain.river_width_px * np.clip((bend - 0.15) * 7, 0, 0.9) * (chance > 0.0)
    lines = path_lines(bars, width)
    return lines[lines[:, 4] > 0.3]


def _cut_off_meanders(domain: Domain, terrain: Terrain, seed: int) -> FloatArray:
    """Arcs of an older course of the river, beside the present one."""
    rng = make_rng(seed, "old river")
    cover = np.zeros(domain.shape, dtype=np.float32)
    n = len(terrain.river)
    wavelength = 13.0 * terrain.river_width_px
    for start in np.arange(0, n - 1, 2.6 * wavelength):
        at = int(start + rng.uniform(0, 1.5 * wavelength))
        if at + 5 >= n or rng.random() < 0.35:
            continue
        way = terrain.river[at + 4] - terrain.river[at]
        side = np.array([way[1], -way[0]]) / np.hypot(*way) * rng.choice([-1, 1])
        radius = wavelength * rng.uniform(0.16, 0.3)
        centre = terrain.river[at] + side * (radius + rng.uniform(0.5, 1.1) * wavelength * 0.5)
        spread = np.linspace(-1, 1, 40) * rng.uniform(0.7, 1.4) + np.arctan2(side[0], side[1]) + rng.uniform(-0.6, 0.6)
        arc = centre + radius * np.column_stack([np.sin(spread) * rng.uniform(0.7, 1.3), np.cos(spread)])
        width = terrain.river_width_px * rng.uniform(0.35, 0.75) * np.sin(np.linspace(0.25, np.pi - 0.25, 40))
        draw_lines(cover, path_lines(arc, width))
    return cover


def _stream_lines(domain: Domain, terrain: Terrain) -> NDArray[np.float64]:
    """Tributaries as segments from each stream cell to its receiver, their zigzag smoothed."""
    cols = domain.coarse_shape[1]
    area_km2 = terrain.drained.ravel() * (domain.cell_m / 1000) ** 2
    cells = np.flatnonzero((area_km2 >= _STREAM_KM2) & (terrain.receiver != np.arange(area_km2.size)))
    at = np.column_stack([np.arange(area_km2.size) // cols, np.arange(area_km2.size) % cols]).astype(np.float64)
    down = terrain.receiver[cells]
    for _ in range(6):
        total, weight = np.zeros_like(at), np.zeros(len(at))
        np.add.at(total, down, at[cells] * area_km2[cells, None])
        np.add.at(weight, down, area_km2[cells])
        up = np.where(weight[cells, None] > 0, total[cells] / np.maximum(weight[cells, None], 1e-9), at[cells])
        at[cells] = 0.4 * at[cells] + 0.3 * at[down] + 0.3 * up
    lines = np.empty((len(cells), 5))
    lines[:, :2], lines[:, 2:4] = domain.to_fine(at[cells]), domain.to_fine(at[down])
    # bankfull width in metres grows with the root of the drained area (Leopold & Maddock 1953, USGS PP 252)
    lines[:, 4] = np.clip(2.0 * np.sqrt(area_km2[cells]) / domain.resolution_m, 0.15, 2.0)
    return lines


def _reservoirs(domain: Domain, terrain: Terrain, height: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Flood valleys behind dams; the shore follows the terrain."""
    span_km2 = np.prod(domain.shape) * (domain.resolution_m / 1000) ** 2
    count = max(1, round(span_km2 / 90))
    area_km2 = terrain.drained * (domain.cell_m / 1000) ** 2
    fits = (area_km2 > 1.0) & (area_km2 < 30) & (terrain.from_river_m > 600)
    rows, cols = np.indices(domain.coarse_shape)
    r, c = domain.to_fine(rows.astype(float)), domain.to_fine(cols.astype(float))
    for at, n in ((r, domain.shape[0]), (c, domain.shape[1])):
        fits &= (at > 0.05 * n) & (at < 0.95 * n)
    cells = np.flatnonzero(fits)
    lake = np.zeros(domain.shape, dtype=np.float32)
    if not len(cells):
        return lake
    found = 0
    for dam in rng.permutation(cells)[:40]:
        level = float(terrain.height.ravel()[dam]) + rng.uniform(5, 12)
        up = _upstream(terrain.receiver, terrain.order, int(dam)).reshape(domain.coarse_shape)
        size_km2 = float((up & (terrain.height < level)).sum()) * (domain.cell_m / 1000) ** 2
        if 0.05 < size_km2 < min(0.012 * span_km2 + 0.1, 1.8):
            basin = domain.refine(up.astype(np.float32)) > 0.5
            lake = np.maximum(lake, basin * np.clip((level - height) / 0.8, 0, 1))
            found += 1
            if found == count:
                break
    return np.asarray(lake, dtype=np.float32)


@compiled
def _upstream(receiver: NDArray[np.int64], order: NDArray[np.int64], outlet: int) -> NDArray[np.bool_]:
    inside = np.zeros(receiver.shape[0], dtype=np.bool_)
    inside[outlet] = True
    for k in range(order.shape[0]):
        i = order[k]
        if inside[receiver[i]]:
            inside[i] = True
    return inside


def _ponds(domain: Domain, terrain: Terrain, rng: np.random.Generator) -> FloatArray:
    """Gravel pits and ponds in the plain near the river."""
    noise = fractal_field(domain.shape, rng, beta=3.2, longest_px=28, shortest_px=5)
    near = np.exp(-domain.refine(terrain.from_river_m) / 700)
    calm = domain.refine(terrain.ruggedness) < 0.08
    return np.asarray(np.clip((noise * calm * (0.6 + 0.6 * near) - 2.65) * 6, 0, 1), dtype=np.float32)

