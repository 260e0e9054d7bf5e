"""Where the layers of a scene go once they are read: physical values of one day, or days whose median is looked for as stored.

Receives `io.rasters.Stored` layers with what a `LayerPlan` says of them; hands on float32 arrays.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landweave.cube.plan import LayerPlan
from landweave.features.composite import compose_median
from landweave.features.stored_median import Coding, compose_key_median, find_coding, keys_to_physical, write_keys
from landweave.io._kernels import marked_to_physical, to_physical
from landweave.io.rasters import Stored

__all__ = ["MedianDays", "Sink", "Values"]

Array = NDArray[np.float32]
Clear = NDArray[np.bool_] | None
Counts = tuple[int, int]
"""Observations, and those of them outside their band's valid range."""

_EVERYWHERE = np.empty((0, 0), dtype=bool)
_MOST = float(np.finfo(np.float64).max)


class Sink(Protocol):
    """Takes the bands of one scene in one window."""

    def room(self, band: int) -> NDArray[np.uint16] | None:
        """Give memory (1, y, x) that a layer of two bytes had best be read into, where there is any."""

    def put(self, band: int, found: Stored, clear: Clear, entry: LayerPlan) -> Counts:
        """Take a layer, which counts where `clear` (y, x; None: everywhere) is true; what was read into `room` is used up."""

    def leave(self, band: int) -> None:
        """Note that the scene has no observation of a band."""


@lru_cache(maxsize=256)
def _widen(valid_range: tuple[float, float]) -> tuple[float, float]:
    """Give the range with slack for rounding, so that 10000 * 1e-4 is still 1, and with finite ends."""
    low, high = valid_range
    slack = 1e-6 * max((abs(v) for v in valid_range if np.isfinite(v)), default=0.0)
    return max(low - slack, -_MOST), min(high + slack, _MOST)


@lru_cache(maxsize=256)
def _find_marker(dtype: np.dtype[Any], marker: float | None) -> tuple[Any, bool]:
    """Give a marker in a whole-number type, and whether it can stand there at all."""
    limits = np.iinfo(dtype)
    if marker is None or not limits.min <= marker <= limits.max or not float(marker).is_integer():
        return dtype.type(0), False
    return dtype.type(marker), True


def _split(found: Stored, clear: Clear) -> tuple[NDArray[Any], Any, bool, NDArray[np.bool_]]:
    """Give a layer of whole numbers (y, x) with its marker, and where it counts; empty for everywhere."""
    if found.valid is None:
        marker, has_marker = _find_marker(found.values.dtype, found.markers[0])
        return found.values[0], marker, has_marker, _EVERYWHERE if clear is None else clear
    where = found.valid[0] if clear is None else found.valid[0] & clear
    return found.values[0], found.values.dtype.type(0), False, where


def _to_physical(found: Stored, clear: Clear, entry: LayerPlan, out: Array) -> Counts:
    """Write one layer's physical values into `out` (y, x)."""
    low, high = _widen(entry.valid_range)
    if found.valid is None and found.values.dtype.itemsize <= 4:
        stored, marker, has_marker, where = _split(found, clear)
        seen, outside = marked_to_physical(stored, marker, has_marker, where, entry.scale, entry.offset, low, high, out)
    else:
        stored, valid = found.first()
        where = valid if clear is None else valid & clear
        seen, outside = to_physical(stored, where, entry.scale, entry.offset, low, high, out)
    return seen, outside


class Values:
    """Takes a scene as physical values: NaN where there is no observation, or one outside its band's valid range."""

    def __init__(self, out: Array) -> None:
        self.out = out
        """(band, y, x), written."""

    def room(self, band: int) -> None:
        """Give none: what is stored is scaled on its way."""

    def put(self, band: int, found: Stored, clear: Clear, entry: LayerPlan) -> Counts:
        """Scale a layer."""
        return _to_physical(found, clear, entry, self.out[band])

    def leave(self, band: int) -> None:
        """Fill a band with NaN."""
        self.out[band] = np.nan


class MedianDays:
    """Takes the days of one step for their median; gives what `compose_median` gives of the physical values.

    A band stays in whole numbers as long as all its days agree in their coding. From the first day that does not, the band goes
    on in physical values, those of the days before included.

    Args:
        keys: Memory (band, day, y, x) to work in.
    """

    def __init__(self, keys: NDArray[np.uint16]) -> None:
        self.day = 0
        """The day that is taken now."""
        self._keys = keys
        self._floats: dict[int, Array] = {}
        self._codings: dict[int, Coding] = {}

    def room(self, band: int) -> NDArray[np.uint16]:
        """Give the memory of the day's keys."""
        room: NDArray[np.uint16] = self._keys[band, self.day][None]
        return room

    def put(self, band: int, found: Stored, clear: Clear, entry: LayerPlan) -> Counts:
        """Take a layer of the day."""
        if band not in self._floats:
            coding = find_coding(found.values.dtype, entry.scale, entry.offset, *_widen(entry.valid_range))
            if coding is not None and self._codings.setdefault(band, coding) == coding:
                return write_keys(*_split(found, clear), coding, self._keys[band, self.day])
            self._go_on_in_floats(band)
        return _to_physical(found, clear, entry, self._floats[band][self.day])

    def leave(self, band: int) -> None:
        """Note a day without observation."""
        if band in self._floats:
            self._floats[band][self.day] = np.nan
        else:
            self._keys[band, self.day] = 0

    def _go_on_in_floats(self, band: int) -> None:
        made = np.full(self._keys.shape[1:], np.nan, dtype=np.float32)
        if band in self._codings:
            made[: self.day] = keys_to_physical(self._keys[band, : self.day], self._codings[band])
        self._floats[band] = made

    def compose(self, out: Array) -> None:
        """Write the medians into `out` (band, y, x); NaN where no day has an observation."""
        for band in range(len(out)):
            if band in self._floats:
                out[band] = compose_median(self._floats[band])
            elif band in self._codings:
                compose_key_median(self._keys[band], self._codings[band], out[band])
            else:
                out[band] = np.nan
