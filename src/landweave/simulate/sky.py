"""What stands between land and sensor on a date: the sun, clouds and their shadows, haze, gaps of the swath.

Receives a grid, a date and options; hands on `Sky`, whose fields are sampled by absolute position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import scipy.ndimage

from landweave.simulate.domain import FloatArray
from landweave.simulate.noise import fractal_field, make_rng, smoothstep

_CLOUD_HEIGHT_M = (900.0, 2200.0)


@dataclass(frozen=True)
class Sky:
    """The sky of a date. Fields stand on a lattice of `cell_px` fine pixels, from `-margin_px` on.

    Attributes:
        zenith: Of the sun, radians.
        azimuth: Of the sun, radians clockwise from north.
        cloud: Opacity 0..1 of clouds as seen from above.
        haze: Optical depth of haze, relative.
        cell_px: Size of a lattice cell.
        margin_px: Margin around the fine grid.
        shadow_shift: Rows and columns from a cloud to its shadow, fine pixels.
        swath: (a, b, c): pixels where a * row + b * col > c were not seen.
        wet: Wetness of the top soil, 0..1.
    """

    zenith: float
    azimuth: float
    cloud: FloatArray
    haze: FloatArray
    cell_px: int
    margin_px: int
    shadow_shift: tuple[float, float]
    swath: tuple[float, float, float]
    wet: float


def sun_position(day: date, latitude_deg: float, hour: float = 10.7) -> tuple[float, float]:
    """Give zenith and azimuth of the sun in radians at a local solar hour.

    The declination is Cooper's (1969, doi:10.1016/0038-092X(69)90047-4).
    """
    n = day.timetuple().tm_yday
    declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + n) / 365)
    latitude, angle = math.radians(latitude_deg), math.radians(15 * (hour - 12))
    cos_zenith = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(angle)
    zenith = math.acos(min(1.0, max(0.05, cos_zenith)))
    north = math.sin(declination) * math.cos(latitude) - math.cos(declination) * math.sin(latitude) * math.cos(angle)
    east = -math.cos(declination) * math.sin(angle)
    return zenith, math.atan2(east, north) % (2 * math.pi)


def make_sky(
    shape: tuple[int, int], resolution_m: float, day: date, *, seed: int, latitude_deg: float, cover_pct: float, gap: bool
) -> Sky:
    """Make the sky of a date.

    Args:
        shape: Fine rows and columns.
        resolution_m: Size of a fine pixel.
        day: The date.
        seed: The landscape's seed.
        latitude_deg: Latitude of the landscape.
        cover_pct: Share of the land under clouds, per cent.
        gap: Whether the swath ends inside the picture.
    """
    rng = make_rng(seed, "sky", day.isoformat())
    zenith, azimuth = sun_position(day, latitude_deg)
    height_m = rng.uniform(*_CLOUD_HEIGHT_M)
    throw = height_m * math.tan(zenith) / resolution_m
    shift = (throw * math.cos(azimuth), -throw * math.sin(azimuth))
    cell = max(2, round(max(shape) / 500))
    margin = cell * (math.ceil(throw / cell) + 2)
    lattice = (-(-(shape[0] + 2 * margin) // cell) + 1, -(-(shape[1] + 2 * margin) // cell) + 1)
    size_px = rng.choice([900.0, 2200.0, 5000.0]) / resolution_m
    field = fractal_field(lattice, rng, beta=float(rng.uniform(3.1, 3.7)), longest_px=max(size_px / cell, 6.0))
    field = field + 0.6 * fractal_field(lattice, rng, beta=4.0, longest_px=max(lattice) / 2)
    m = margin // cell
    inside = field[m : m + shape[0] // cell + 1, m : m + shape[1] // cell + 1]
    cloud = np.zeros(lattice, dtype=np.float32)
    if cover_pct > 0:
        limit = float(np.quantile(inside, 1 - min(cover_pct, 100) / 100))
        cloud = scipy.ndimage.gaussian_filter(smoothstep(field, limit - 0.06, limit + 0.42), 0.7)
    haze = fractal_field(lattice, rng, beta=3.6, longest_px=max(lattice) / 2)
    depth = float(rng.gamma(2.0, 0.12))
    side = rng.uniform(0, 2 * np.pi)
    a, b = math.sin(side), math.cos(side)
    reach = abs(a) * shape[0] + abs(b) * shape[1]
    middle = a * shape[0] / 2 + b * shape[1] / 2
    limit_px = middle + reach * rng.uniform(-0.15, 0.35) if gap else math.inf
    return Sky(
        zenith, azimuth, cloud, np.asarray(depth * (1 + 0.35 * haze).clip(0.1), dtype=np.float32), cell, margin, shift,
        (a, b, limit_px), float(np.clip(rng.beta(1.4, 2.4), 0, 1)),
    )  # fmt: skip
