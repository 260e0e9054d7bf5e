"""What a map of a larger area would cost, on paper: tiles, core-hours, bytes, money.

Receives a rate measured on one core and a price; hands on rows for `landweave plan`. A model, not a promise: it counts what
one core computes, and nothing for moving images over a network.
"""

from __future__ import annotations

from dataclasses import dataclass

from landweave.errors import MapError
from landweave.grid import geobox_of, is_nested
from landweave.types import CubeSet

__all__ = ["GLOBE_KM2", "RATE_COMMAND", "RATE_MPX_S", "CostEstimate", "CostOptions", "count_values", "estimate_cost"]

RATE_MPX_S = 0.32
"""Million pixels per core-second: 10 bands of one date, 100 trees, class, probabilities and uncertainty, reading, writing
and overviews included. Measured by `RATE_COMMAND` as pixels / processor seconds; see benchmarks/RESULTS.md."""
RATE_COMMAND = "python benchmarks/map.py --side 2048 --only ours-full-1"
_RATE_VALUES = 10
_READ_VALUES_S = 110e6
"""Values that one core reads per second from deflated uint16 tiles: 11 Mpx/s of ten bands (DESIGN.md, Dependencies)."""
_STORED_BYTES = 2
"""Bytes of a value as imagery is delivered, before compression."""
GLOBE_KM2 = 134.7e6
"""Land without Antarctica: 148.94 - 14.2 million km2 (CIA World Factbook)."""
TILE_KM2 = 100.0**2
"""What one Sentinel-2 tile adds: tiles are 109.8 km wide and start every 100 km."""


@dataclass(frozen=True)
class CostOptions:
    """What an estimate rests on.

    Attributes:
        rate_mpx_s: Million pixels per second of one core, for ten values per pixel.
        price_per_core_hour: In whatever currency.
        area_km2: A country's, say; None for this grid and the globe alone.
    """

    rate_mpx_s: float = RATE_MPX_S
    price_per_core_hour: float = 0.05
    area_km2: float | None = None

    def __post_init__(self) -> None:
        for name in ("rate_mpx_s", "price_per_core_hour", "area_km2"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise MapError(f"{name} is {value}; give a number above 0")


@dataclass(frozen=True)
class CostEstimate:
    """What the map of an area takes."""

    area_km2: float
    tiles: float
    pixels: float
    core_hours: float
    read_bytes: float
    write_bytes: float
    money: float


def estimate_cost(
    area_km2: float, *, pixel_m: tuple[float, float], values_per_px: float, write_bytes_per_px: float, options: CostOptions
) -> CostEstimate:
    """Estimate the cost of mapping an area once.

    Core seconds per pixel are 1 / rate, plus the reading of what a pixel has beyond the ten values of the measured rate.

    Args:
        area_km2: Area to map.
        pixel_m: Width and height of a pixel on the ground.
        values_per_px: Bands times dates that are read for a pixel of the output grid; see `count_values`.
        write_bytes_per_px: Of the products.
        options: Rate and price.
    """
    pixels = area_km2 * 1e6 / (pixel_m[0] * pixel_m[1])
    seconds_per_px = 1e-6 / options.rate_mpx_s + max(0.0, values_per_px - _RATE_VALUES) / _READ_VALUES_S
    core_hours = pixels * seconds_per_px / 3600
    return CostEstimate(
        area_km2=area_km2, tiles=area_km2 / TILE_KM2, pixels=pixels, core_hours=core_hours,
        read_bytes=pixels * values_per_px * _STORED_BYTES, write_bytes=pixels * write_bytes_per_px,
        money=core_hours * options.price_per_core_hour,
    )  # fmt: skip


def count_values(cubes: CubeSet) -> float:
    """Give the values (bands times dates) that are read for a pixel of the output grid; a coarser cube's count less."""
    total = 0.0
    for cube in cubes.cubes.values():
        ratio = is_nested(geobox_of(cube), cubes.geobox) or 1
        total += cube.sizes.get("time", 1) * cube.sizes["band"] / ratio**2
    return total
