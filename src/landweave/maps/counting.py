"""Pixels and geodesic area per code of a map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.grid import GeoBox, Window, pixel_area_m2, split_blocks
from landweave.io.cog import TILE_PX

__all__ = ["AreaCount"]


class AreaCount:
    """Pixels and hectares per code, added up by tiles of a fixed size, so that any block size gives the very same sums."""

    def __init__(self, geobox: GeoBox, n_codes: int) -> None:
        self._geobox = geobox
        self._n_codes = n_codes
        self._counts = np.zeros(n_codes, dtype=np.int64)
        self._areas: dict[int, list[float]] = {}

    def add(self, codes: NDArray[Any], window: Window) -> None:
        """Add a window of codes (y, x) whose corner lies on the lattice of tiles."""
        area = pixel_area_m2(self._geobox, window)
        for tile in split_blocks((window.height, window.width), TILE_PX):
            part = codes[tile.slices].ravel()
            self._counts += np.bincount(part, minlength=self._n_codes)
            sums = np.bincount(part, weights=area[tile.slices].ravel(), minlength=self._n_codes)
            for code in np.flatnonzero(sums):
                self._areas.setdefault(int(code), []).append(float(sums[code]))

    @property
    def count_px(self) -> dict[int, int]:
        """Code -> pixels, for the codes that occur."""
        return {int(c): int(self._counts[c]) for c in np.flatnonzero(self._counts)}

    @property
    def area_ha(self) -> dict[int, float]:
        """Code -> hectares, for the codes that occur; exactly rounded sums, whatever the order of the tiles."""
        return {code: math.fsum(self._areas[code]) / 1e4 for code in sorted(self._areas)}
