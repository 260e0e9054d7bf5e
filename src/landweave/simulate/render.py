"""From units to pixels: spreads spectra over the land, blurs them with the sensor's aperture, lights them, adds the sky.

Receives whole-grid layers and a window; hands on stored values of that window. Every pixel depends on its absolute position
alone, so that the cutting into windows never shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.grid import Window
from landweave.simulate.domain import FloatArray
from landweave.simulate.noise import compiled, hash_normal, hash_uniform
from landweave.simulate.sky import Sky
from landweave.simulate.spectra import Painted

SCALE = 10000
"""Stored reflectance = reflectance * SCALE, at least 1; 0 is nodata."""
_HALO = 2


@dataclass(frozen=True)
class Layers:
    """Whole-grid layers that the renderer reads (rows, columns).

    Attributes:
        unit: Unit of each pixel.
        hedge: Fraction of trees, 0..1.
        road: Fraction of asphalt.
        track: Fraction of bare track.
        stream: Fraction of water.
        vigour: Smooth field of plant vigour, sd 1.
        wetness: Smooth field of wetness, sd 1.
        slope_y: Rise per metre towards higher rows.
        slope_x: Rise per metre towards higher columns.
    """

    unit: NDArray[np.int32]
    hedge: FloatArray
    road: FloatArray
    track: FloatArray
    stream: FloatArray
    vigour: FloatArray
    wetness: FloatArray
    slope_y: FloatArray
    slope_x: FloatArray


@dataclass(frozen=True)
class Lines:
    """Spectra (4, bands) of what is drawn over the units: trees of hedges, asphalt, tracks, water."""

    spectra: FloatArray


def render_surface(layers: Layers, painted: Painted, lines: Lines, window: Window, kernels: FloatArray) -> FloatArray:
    """Give the blurred values (band, y, x) of a window before light and sky.

    Args:
        layers: The land.
        painted: Values per unit.
        lines: Values of lines.
        window: Window of the fine grid.
        kernels: (band, 2, 5): weights of the aperture along rows and columns.
    """
    padded = window.pad(_HALO)
    pure = _spread(
        layers.unit, layers.hedge, layers.road, layers.track, layers.stream, layers.vigour, layers.wetness,
        painted.value, painted.vigour, painted.wetness, lines.spectra, padded.row, padded.col, padded.height, padded.width,
    )  # fmt: skip
    return _blur(pure, kernels)


@compiled
def _spread(
    unit: NDArray[np.int32], hedge: NDArray[np.float32], road: NDArray[np.float32], track: NDArray[np.float32],
    stream: NDArray[np.float32], vigour: NDArray[np.float32], wetness: NDArray[np.float32], value: NDArray[np.float32],
    by_vigour: NDArray[np.float32], by_wetness: NDArray[np.float32], lines: NDArray[np.float32], row: int, col: int,
    height: int, width: int,
) -> NDArray[np.float32]:  # fmt: skip
    rows, cols = unit.shape
    bands = value.shape[1]
    out = np.empty((bands, height, width), dtype=np.float32)
    for y in range(height):
        r = min(max(row + y, 0), rows - 1)
        for x in range(width):
            c = min(max(col + x, 0), cols - 1)
            u = unit[r, c]
            v, w = vigour[r, c], wetness[r, c]
            over = (hedge[r, c], road[r, c], track[r, c], stream[r, c])
            for b in range(bands):
                s = value[u, b] + v * by_vigour[u, b] + w * by_wetness[u, b]
                for k in range(4):
                    if over[k] > 0:
                        s += over[k] * (lines[k, b] - s)
                out[b, y, x] = s
    return out


@compiled
def _blur(pure: NDArray[np.float32], kernels: NDArray[np.float32]) -> NDArray[np.float32]:
    bands, height, width = pure.shape
    out = np.empty((bands, height - 4, width - 4), dtype=np.float32)
    row = np.empty((height, width - 4), dtype=np.float32)
    for b in range(bands):
        k0, k1, k2, k3, k4 = kernels[b, 1]
        for y in range(height):
            for x in range(width - 4):
                row[y, x] = (
                    k0 * pure[b, y, x] + k1 * pure[b, y, x + 1] + k2 * pure[b, y, x + 2] + k3 * pure[b, y, x + 3]
                    + k4 * pure[b, y, x + 4]
                )  # fmt: skip
        k0, k1, k2, k3, k4 = kernels[b, 0]
        for y in range(height - 4):
            for x in range(width - 4):
                out[b, y, x] = (
                    k0 * row[y, x] + k1 * row[y + 1, x] + k2 * row[y + 2, x] + k3 * row[y + 3, x] + k4 * row[y + 4, x]
                )
    return out


def aperture_kernels(native_px: NDArray[np.float64], shift_px: tuple[float, float]) -> FloatArray:
    """Weights (band, 2, 5) of a Gaussian aperture for bands of `native_px` fine pixels, shifted by a misregistration."""
    sigma = np.clip(0.42 * native_px, 0.3, 1.1)
    at = np.arange(-_HALO, _HALO + 1)
    weights = np.stack([np.exp(-((at[None, :] - s) ** 2) / (2 * sigma[:, None] ** 2)) for s in shift_px], axis=1)
    return np.asarray(weights / weights.sum(axis=2, keepdims=True), dtype=np.float32)


def observe(
    surface: FloatArray, layers: Layers, water: NDArray[np.bool_], sky: Sky, window: Window, *, center_nm: NDArray[np.float64],
    key: int, red_nir: tuple[int, int],
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:  # fmt: skip
    """Light a surface, put the sky above it, add noise and store it.

    Args:
        surface: Reflectance (band, y, x) of the window.
        layers: The land.
        water: Whole-grid mask of open water.
        sky: The date's sky.
        window: Window of the fine grid.
        center_nm: Band centres.
        key: Key of the sensor's noise on this date.
        red_nir: Positions of a red and a near-infrared band, for the mask's classes.

    Returns:
        Stored reflectance uint16 (band, y, x), 0 where not seen; and a mask coded as Sentinel-2's SCL.
    """
    spectra = np.stack([
        0.022 * (center_nm / 490.0) ** -1.6,
        np.interp(center_nm, [400, 900, 1200, 1610, 2200], [0.74, 0.76, 0.72, 0.52, 0.4]),
        np.interp(center_nm, [440, 900, 2200], [0.55, 0.72, 0.8]),
    ]).astype(np.float32)  # fmt: skip
    geometry = np.array([
        np.cos(sky.zenith), np.sin(sky.zenith), np.sin(sky.azimuth), np.cos(sky.azimuth), *sky.shadow_shift, *sky.swath,
        sky.cell_px, sky.margin_px,
    ])  # fmt: skip
    return _observe(
        surface, layers.slope_y, layers.slope_x, water, sky.cloud, sky.haze, spectra, geometry, window.row, window.col, key,
        red_nir[0], red_nir[1],
    )  # fmt: skip


@compiled
def _sample(field: NDArray[np.float32], r: float, c: float) -> float:
    rows, cols = field.shape
    r, c = min(max(r, 0.0), rows - 1.001), min(max(c, 0.0), cols - 1.001)
    i, j = int(r), int(c)
    a, b = r - i, c - j
    top = field[i, j] * (1 - b) + field[i, j + 1] * b
    return top * (1 - a) + (field[i + 1, j] * (1 - b) + field[i + 1, j + 1] * b) * a  # type: ignore[no-any-return]


@compiled
def _observe(
    surface: NDArray[np.float32], slope_y: NDArray[np.float32], slope_x: NDArray[np.float32], water: NDArray[np.bool_],
    cloud: NDArray[np.float32], haze: NDArray[np.float32], spectra: NDArray[np.float32], geometry: NDArray[np.float64],
    row: int, col: int, key: int, red: int, nir: int,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:  # fmt: skip
    bands, height, width = surface.shape
    out = np.zeros((bands, height, width), dtype=np.uint16)
    mask = np.zeros((height, width), dtype=np.uint8)
    cos_z, sin_z, sin_a, cos_a, shift_r, shift_c, swath_a, swath_b, swath_c, cell, margin = geometry
    for y in range(height):
        r = row + y
        for x in range(width):
            c = col + x
            if swath_a * r + swath_b * c > swath_c:
                continue
            gy, gx = slope_y[r, c], slope_x[r, c]
            cos_i = (cos_z - sin_z * (gx * sin_a - gy * cos_a)) / np.sqrt(1.0 + gx * gx + gy * gy)
            # Teillet's C correction turned around (Teillet et al. 1982, doi:10.1080/07038992.1982.10855028), C = 0.3
            light = np.float32((max(cos_i, 0.0) + 0.3) / (cos_z + 0.3))
            opaque = np.float32(_sample(cloud, (r + margin) / cell, (c + margin) / cell))
            dark = np.float32(_sample(cloud, (r - shift_r + margin) / cell, (c - shift_c + margin) / cell) * 0.9)
            depth = np.float32(_sample(haze, (r + margin) / cell, (c + margin) / cell))
            thick = np.float32(0.85) + np.float32(0.3) * opaque
            for b in range(bands):
                s = max(surface[b, y, x], np.float32(0.0)) * light * (1 - spectra[2, b] * dark)
                s = s * (1 - np.float32(0.12) * depth * spectra[0, b] * np.float32(20)) + depth * spectra[0, b]
                s = s * (1 - opaque) + opaque * spectra[1, b] * thick
                s += np.float32(hash_normal(key + b, r, c)) * (np.float32(0.0012) + np.float32(0.008) * s)
                out[b, y, x] = np.uint16(min(max(s * SCALE + np.float32(0.5), 1.0), 65535.0))
            n, m = float(out[nir, y, x]), float(out[red, y, x])
            mask[y, x] = _classify(opaque, dark, water[r, c], (n - m) / (n + m), hash_uniform(key + 77, r // 2, c // 2))
    return out, mask


@compiled
def _classify(opaque: np.float32, dark: np.float32, water: bool, ndvi: float, chance: float) -> int:
    """Class of the scene classification layer; thin clouds and faint shadows pass unseen, as they do in practice."""
    if opaque > 0.45:
        return 9
    if opaque > 0.10 + 0.04 * chance:
        return 8
    if dark > 0.22 + 0.06 * chance:
        return 3
    if water:
        return 6
    return 4 if ndvi > 0.4 else 5


def observe_radar(
    level_db: FloatArray, layers: Layers, window: Window, *, key: int, looks: float, incidence: tuple[float, float]
) -> FloatArray:
    """Turn mean backscatter in dB into speckled linear power.

    Args:
        level_db: (2, y, x) VV and VH.
        layers: The land.
        window: Window of the fine grid.
        key: Key of the speckle on this date.
        looks: Equivalent number of looks; speckle is gamma distributed with this shape (Ulaby et al. 1986).
        incidence: Incidence angle in radians at the left edge, and what a pixel adds to it.
    """
    return _speckle(level_db, layers.slope_x, window.row, window.col, key, looks, incidence[0], incidence[1])


@compiled
def _speckle(
    level: NDArray[np.float32], slope_x: NDArray[np.float32], row: int, col: int, key: int, looks: float, near: float,
    step: float,
) -> NDArray[np.float32]:  # fmt: skip
    bands, height, width = level.shape
    out = np.empty_like(level)
    for y in range(height):
        for x in range(width):
            r, c = row + y, col + x
            angle = near + step * c
            # slopes that face the sensor (on the left) shine even after terrain correction, which is never perfect
            facing = 0.35 * np.arctan(slope_x[r, c])
            tilt = np.cos(angle - facing) / np.cos(angle) * (np.cos(angle) / 0.788)
            for b in range(bands):
                # Wilson & Hilferty 1931: the cube of a normal is nearly gamma distributed
                z = hash_normal(key + b, r, c)
                g = max(0.02, 1 - 1 / (9 * looks) + z / (3 * np.sqrt(looks)))
                out[b, y, x] = np.float32(10.0 ** (level[b, y, x] / 10.0) * tilt * g * g * g)
    return out
