"""Spectra of every field, stand and block on a date: mixtures of plants, soil, water and stone, driven by the seasons.

Receives units (one cover and one parcel each) and band centres; hands on reflectance and backscatter per unit with their
response to vigour and wetness, which the renderer spreads over pixels.

The endmembers are rounded, characteristic curves of the kind shown in textbooks (Jensen 2007, Remote Sensing of the
Environment, ch. 11-14) and spectral libraries (Kokaly et al. 2017, doi:10.3133/ds1035; Meerdink et al. 2019,
doi:10.1016/j.rse.2019.111196); none is a measured spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.simulate.covers import COVERS, Cover
from landweave.simulate.domain import FloatArray
from landweave.simulate.noise import make_rng

_NODES_NM = (440, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1240, 1610, 1680, 2130, 2200, 2400)

# reflectance in per cent at the nodes above
_ENDMEMBERS_PCT = {
    "herb": (2.5, 3.2, 7.2, 3.5, 11.5, 33, 42, 45, 46, 45, 42, 22, 21, 10, 11, 6),
    "broadleaf": (2.0, 2.5, 5.5, 2.6, 9.0, 28, 36, 38.5, 39.5, 38.5, 35, 17.5, 17, 7.5, 8, 4.5),
    "needle": (1.8, 2.2, 4.0, 2.3, 6.3, 17, 21.5, 23, 23.5, 22.5, 20, 10, 9.5, 4.5, 5, 3),
    "dry": (7.5, 9.5, 13.5, 18, 20.5, 23.5, 26, 28.5, 29.5, 31.5, 37, 35, 34, 24, 25, 20),
    "loam": (7.5, 9, 12, 15.5, 17, 18.5, 20, 22, 23, 24.5, 30, 35, 35, 30.5, 31.5, 28),
    "peat": (4, 5, 6.5, 9, 10, 11, 12.5, 14, 14.5, 16, 20, 21, 20, 16, 17, 14),
    "rock": (13, 15.5, 18.5, 21.5, 22.5, 23.5, 24.5, 25.5, 26, 27, 30, 32, 32, 28, 29, 26),
    "sand": (12, 15, 19.5, 24, 25.5, 27, 28, 29, 29.5, 30.5, 35, 38, 38, 34, 35, 32),
    "lake": (4.2, 4.2, 3.6, 1.8, 1.4, 1.0, 0.9, 0.8, 0.7, 0.5, 0.3, 0.2, 0.2, 0.1, 0.1, 0.1),
    "river": (5.2, 6.5, 8.6, 6.6, 5.8, 3.8, 3.5, 2.8, 2.5, 1.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2),
    "concrete": (19, 22, 25, 28, 29, 30, 30, 31, 31, 32, 34, 35, 35, 32, 32, 30),
    "asphalt": (7, 8, 9, 10, 10.5, 11, 11, 11.5, 12, 12, 14, 15, 15, 15, 15, 14.5),
    "tile": (6, 7, 10, 20, 23, 25, 27, 28, 28, 29, 35, 37, 37, 34, 35, 33),
    "metal": (24, 27, 28.5, 29, 29, 29, 29, 29, 29, 28.5, 28, 27.5, 27.5, 26, 26, 25),
    "blossom": (5, 6, 24, 20, 27, 36, 42, 45, 46, 45, 42, 24, 23, 12, 13, 8),
}


def endmember(name: str, center_nm: NDArray[np.float64]) -> FloatArray:
    """Give an endmember's reflectance (0..1) at band centres."""
    return np.asarray(np.interp(center_nm, _NODES_NM, np.array(_ENDMEMBERS_PCT[name]) / 100), dtype=np.float32)


@dataclass(frozen=True)
class Units:
    """The units of a land and their peculiarities; arrays of shape (units,).

    Attributes:
        cover: Index into `COVERS`.
        early: Shift of the season's start, in standard deviations; `late` of its end, `lush` of its strength.
        late: See `early`.
        lush: See `early`.
        bright: Relative brightness of soil and stone, in standard deviations.
        tilled: 0..1, when stubble is tilled or grass is cut.
        rough: Radar roughness, in standard deviations.
    """

    cover: NDArray[np.uint8]
    early: FloatArray
    late: FloatArray
    lush: FloatArray
    bright: FloatArray
    tilled: FloatArray
    rough: FloatArray


def make_units(cover: NDArray[np.uint8], unit: NDArray[np.int32], seed: int, year: int) -> Units:
    """Draw the peculiarities of every unit for a year."""
    count = int(unit.max()) + 1
    of_unit = np.zeros(count, dtype=np.uint8)
    of_unit[unit.ravel()] = cover.ravel()
    rng = make_rng(seed, "units", year)
    draws = rng.standard_normal((5, count), dtype=np.float32)
    return Units(of_unit, draws[0], draws[1], draws[2], draws[3], rng.random(count, dtype=np.float32), draws[4])


@dataclass(frozen=True)
class YearWeather:
    """How a year differs from the mean: days by which spring and autumn are late, and relative growth."""

    spring_days: float
    autumn_days: float
    growth: float

    @classmethod
    def draw(cls, seed: int, year: int) -> YearWeather:
        """Draw a year's weather."""
        z = make_rng(seed, "weather", year).standard_normal(3)
        return cls(5.0 * float(z[0]), 5.0 * float(z[1]), 1.0 + 0.04 * float(z[2]))


def green_fraction(cover: Cover, units: Units, rows: NDArray[np.int64], day: float, weather: YearWeather) -> FloatArray:
    """Fraction of green on a day of the year: double logistic (Beck et al. 2006, doi:10.1016/j.rse.2005.10.021).

    Args:
        cover: The cover of all the units.
        units: All units.
        rows: Which of them.
        day: Day of the year.
        weather: The year's weather.
    """
    start, start_sd, end, end_sd, up, down = cover.season
    rest, season = cover.green
    begin = start + weather.spring_days + start_sd * units.early[rows]
    finish = end + weather.autumn_days + end_sd * units.late[rows]
    lush = np.clip(1 + cover.parcel_sd * units.lush[rows], 0.3, 1.25) * weather.growth
    curve = _logistic((day - begin) / up) * _logistic((finish - day) / down)
    green = rest + season * lush * curve
    if cover.second is not None:
        sown, ripe, seedlings = cover.second
        sown_at, autumn = sown + 8 * units.early[rows], seedlings * lush
        for d in (day, day + 365.0):
            green = green + autumn * _logistic((d - sown_at) / 9) * _logistic((ripe + 8 * units.early[rows] - d) / 8)
    if cover.cuts:
        for cut in (146.0, 201.0, 252.0):
            since = day - (cut + 26.0 * (units.tilled[rows] - 0.5) + weather.spring_days)
            green = green * (1 - 0.55 * np.where(since > 0, np.exp(-since / 16.0), 0.0))
    return np.asarray(np.clip(green, 0.0, 0.99), dtype=np.float32)


def _logistic(x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40, 40))))


@dataclass(frozen=True)
class Painted:
    """Reflectance per unit and band (units, bands), and its response.

    Attributes:
        value: Reflectance of the unit at mean vigour and wetness.
        vigour: Change per standard deviation of vigour.
        wetness: Change per standard deviation of wetness.
    """

    value: FloatArray
    vigour: FloatArray
    wetness: FloatArray


def paint_units(units: Units, day: float, weather: YearWeather, center_nm: Sequence[float], *, wet: float) -> Painted:
    """Mix the spectrum of every unit on a day.

    Args:
        units: The units.
        day: Day of the year.
        weather: The year's weather.
        center_nm: Band centres.
        wet: Wetness of the top soil on the day, 0 dry to 1 soaked.
    """
    centers = np.asarray(center_nm, dtype=np.float64)
    shape = (len(units.cover), len(centers))
    painted = Painted(*(np.zeros(shape, dtype=np.float32) for _ in range(3)))
    for index, cover in enumerate(COVERS):
        rows = np.flatnonzero(units.cover == index)
        if not len(rows):
            continue
        green = green_fraction(cover, units, rows, day, weather)
        value = _mix(cover, units, rows, green, day, centers, wet)
        more = _mix(cover, units, rows, np.clip(green + 0.05, 0, 1), day, centers, wet)
        wetter = _mix(cover, units, rows, green, day, centers, min(wet + 0.15, 1.0) if wet < 0.85 else wet - 0.15)
        painted.value[rows] = value
        painted.vigour[rows] = (more - value) / 0.05 * cover.vigour_sd
        painted.wetness[rows] = (wetter - value) * (1.0 if wet < 0.85 else -1.0)
        if sum(cover.paved) > 0.3:
            # roofs and yards differ from pixel to pixel
            painted.wetness[rows] = 0.17 * value
    return painted


def _mix(
    cover: Cover, units: Units, rows: NDArray[np.int64], green: FloatArray, day: float, centers: NDArray[np.float64], wet: float
) -> FloatArray:
    leaf = endmember(cover.leaf, centers)[None, :] * (1 + 0.05 * units.lush[rows, None])
    if cover.flowers:
        # three weeks of bloom in late April and May
        bloom = np.exp(-(((day - 124 - 4 * units.early[rows]) / 9.0) ** 2))[:, None]
        leaf = leaf * (1 - 0.75 * bloom) + 0.75 * bloom * endmember("blossom", centers)[None, :]
    moist = np.clip(wet + (0.45 if cover.soil == "peat" else 0.0), 0, 1)
    # wet soil is darker, most of all in the short-wave infrared (Lobell & Asner 2002, doi:10.2136/sssaj2002.7220)
    soak = 1 - moist * (0.38 + 0.14 * np.clip((centers - 900) / 1000, 0, 1))
    soil = endmember(cover.soil, centers)[None, :] * soak[None, :] * (1 + 0.13 * units.bright[rows, None])
    tilled = _logistic((day - (cover.season[2] + 12 + 60 * units.tilled[rows])) / 3.0)[:, None]
    dry_share = cover.dry[0] * (1 - tilled) + cover.dry[1] * tilled
    before = float(_logistic(np.array((cover.season[0] - 10 - day) / 8.0)))
    dry_share = dry_share * (1 - before) + cover.dry[1] * before
    rest = dry_share * endmember("dry", centers)[None, :] * (1 - 0.12 * moist) + (1 - dry_share) * soil
    green = green[:, None]
    mixed = (green * leaf + (1 - green) * rest) * (1 - cover.shade * (0.55 + 0.45 * green))
    paved = sum(cover.paved)
    if paved > 0:
        stone = sum(
            f * endmember(name, centers) for f, name in zip(cover.paved, ("concrete", "asphalt", "tile", "metal"), strict=True)
        )
        share = np.clip(paved * (1 - 0.25 * units.lush[rows, None] * cover.parcel_sd), 0, 1)
        built = np.asarray(stone)[None, :] / paved * (1 + 0.14 * units.bright[rows, None])
        mixed = (1 - share) * mixed + share * built * (1 - cover.shade)
    water = cover.water * (1.0 if cover.water == 1.0 else 1 - 0.67 * np.exp(-(((day - 235) / 70.0) ** 2)))
    basin = endmember("river" if cover.name == "river" else "lake", centers)[None, :]
    open_water = basin * (1 + 0.1 * units.bright[rows, None])
    return np.asarray((1 - water) * mixed + water * open_water, dtype=np.float32)


def paint_radar(units: Units, day: float, weather: YearWeather, *, wet: float) -> Painted:
    """Backscatter of every unit in dB, VV and VH, with its response to vigour and wetness.

    Rises with green as the cover's table says; wet ground adds up to 3 dB where plants do not hide it.
    """
    shape = (len(units.cover), 2)
    painted = Painted(*(np.zeros(shape, dtype=np.float32) for _ in range(3)))
    for index, cover in enumerate(COVERS):
        rows = np.flatnonzero(units.cover == index)
        if not len(rows):
            continue
        green = green_fraction(cover, units, rows, day, weather)[:, None]
        ground, gain = np.array(cover.radar_db[:2]), np.array(cover.radar_db[2:])
        hidden = 1 - 0.8 * green
        is_soil = 0.0 if cover.water == 1.0 or sum(cover.paved) > 0.5 else 1.0
        spread = 0.35 if cover.code in (3, 4) else 0.9
        painted.value[rows] = ground + gain * green + 3.0 * wet * hidden * is_soil + spread * units.rough[rows, None]
        painted.vigour[rows] = gain * cover.vigour_sd + 0.35
        painted.wetness[rows] = 0.8 * hidden * is_soil
    return painted
