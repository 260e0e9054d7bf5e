"""Medians over days of whole numbers as they are stored: half the bytes of float32, and twice the pixels per instruction.

Receives stored values with their marker and validity, day by day; hands on float32. What is stored and what it stands for
are in the same order, so that the median is found among the numbers in the files and only it is scaled: the result is that of
`composite.compose_median` on the scaled days, to the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landweave.features.networks import network, sort_lanes

__all__ = ["Coding", "compose_key_median", "find_coding", "keys_to_physical", "write_keys"]

Keys = NDArray[np.uint16]
"""0 where there is no observation, else 1 + the distance of the stored value from the lowest one that is in range."""


class Coding(NamedTuple):
    """What keys stand for; stored values of any type that agree in it have the same keys.

    Attributes:
        first: Lowest stored value whose physical value is within its valid range.
        last: Highest.
        scale: Physical value = stored * scale + offset.
        offset: Likewise.
    """

    first: int
    last: int
    scale: float
    offset: float



_RUN = 32_768
_LANES = 256
"""Pixels sorted together: 24 days of them take 12 kB, and fewer would pay more for the way around the loop."""


@lru_cache(maxsize=256)
def find_coding(dtype: np.dtype[Any], scale: float, offset: float, low: float, high: float) -> Coding | None:
    """Find how the stored values of a type of one or two bytes become keys: those whose physical value lies within low..high.

    Args:
        dtype: Type as stored.
        scale: Physical value = stored * scale + offset.
        offset: Likewise.
        low: Lowest physical value that counts.
        high: Highest.

    Returns:
        None where keys of 16 bits cannot tell the values from a gap: another type, none in range, or all 65536 of them.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        return None
    limits = np.iinfo(dtype)
    codes = np.arange(limits.min, limits.max + 1)
    physical = codes * scale + offset
    good = codes[(low <= physical) & (physical <= high)]
    if not 0 < good.size < 65536:
        return None
    return Coding(int(good[0]), int(good[-1]), scale, offset)


@njit(nogil=True, cache=True, error_model="numpy")
def _write_keys(
    keys: Any, marker: Any, has_marker: bool, clear: Any, first: int, last: int
) -> tuple[int, int]:  # fmt: skip  # pragma: no cover (compiled)
    """Do as `write_keys` where the values are in place."""
    seen, good = 0, 0
    # in 16 bits the distance from the first value wraps around: one comparison asks for both ends, and signs do not matter;
    # counts in 16 bits keep sixteen pixels in one register, so that a run of pixels is at most as long as they can count
    base, span, one, none = np.uint16(first & 0xFFFF), np.uint16(last - first), np.uint16(1), np.uint16(0)
    anything = np.uint16(not has_marker)
    for y in range(keys.shape[0]):
        for x0 in range(0, keys.shape[1], _RUN):
            row = keys[y, x0 : x0 + _RUN]
            n_seen, n_good = np.uint16(0), np.uint16(0)
            if clear.shape[0] > 0:
                free = clear[y, x0 : x0 + _RUN]
                for x in range(row.shape[0]):
                    is_seen = (np.uint16(row[x] != marker) | anything) & np.uint16(free[x])
                    ahead = np.uint16(row[x] - base)
                    is_good = is_seen & np.uint16(ahead <= span)
                    n_seen = np.uint16(n_seen + is_seen)
                    n_good = np.uint16(n_good + is_good)
                    row[x] = np.uint16(ahead + one) if is_good != none else none
            else:
                for x in range(row.shape[0]):
                    is_seen = np.uint16(row[x] != marker) | anything
                    ahead = np.uint16(row[x] - base)
                    is_good = is_seen & np.uint16(ahead <= span)
                    n_seen = np.uint16(n_seen + is_seen)
                    n_good = np.uint16(n_good + is_good)
                    row[x] = np.uint16(ahead + one) if is_good != none else none
            seen += int(n_seen)
            good += int(n_good)
    return seen, seen - good


def write_keys(
    stored: NDArray[Any], marker: Any, has_marker: bool, clear: NDArray[np.bool_], coding: Coding, keys: Keys
) -> tuple[int, int]:  # fmt: skip
    """Write the keys of one day.

    Args:
        stored: Values as stored (y, x), of one or two bytes; they may lie in the memory of `keys`, and are then overwritten.
        marker: The value that says nodata, in the same type.
        has_marker: Whether there is one.
        clear: Where there may be an observation (y, x); empty for everywhere.
        coding: The values in range.
        keys: (y, x), written.

    Returns:
        Number of observations, and how many of these lie outside the range.
    """
    if not np.may_share_memory(stored, keys):
        np.copyto(keys, stored, casting="unsafe")
    bits = np.array(marker, dtype=stored.dtype).astype(np.uint16)[()]
    seen, outside = _write_keys(keys, bits, has_marker, clear, coding.first, coding.last)
    return seen, outside


@njit(nogil=True, cache=True, error_model="numpy")
def _medians(keys: Any, pairs: Any, shift: int, scale: float, offset: float, out: Any) -> None:  # pragma: no cover (compiled)
    """Fill `out` (pixel) from `keys` (day, pixel)."""
    n_days, n_pixels = keys.shape
    buffer, counts = np.empty((n_days, _LANES), np.uint16), np.empty(_LANES, np.uint16)
    for x0 in range(0, n_pixels, _LANES):
        lanes = min(_LANES, n_pixels - x0)
        counts[:] = 0
        if lanes < _LANES:
            buffer[:] = 0
        for t in range(n_days):
            source, row = keys[t, x0 : x0 + lanes], buffer[t]
            for lane in range(lanes):
                row[lane] = source[lane]
                counts[lane] += np.uint16(source[lane] != 0)
        sort_lanes(buffer, pairs)
        for lane in range(lanes):
            n = np.int64(counts[lane])
            if n == 0:
                out[x0 + lane] = np.nan
            else:
                upper = np.float32(np.float64(np.int64(buffer[(n - 1) // 2, lane]) + shift) * scale + offset)
                lower = np.float32(np.float64(np.int64(buffer[n // 2, lane]) + shift) * scale + offset)
                out[x0 + lane] = (upper + lower) * np.float32(0.5)


def compose_key_median(keys: Keys, coding: Coding, out: NDArray[np.float32]) -> None:
    """Compute the median over days of stored values; of an even number the mean of the middle two.

    Args:
        keys: (day, y, x), C order, by `write_keys`.
        coding: What the keys stand for.
        out: float32 (y, x), C order, written; NaN where no day has an observation.
    """
    flat = keys.reshape(len(keys), -1)
    pairs = network(len(keys), n_ranked=len(keys) // 2 + 1)
    _medians(flat, pairs, coding.first - 1, coding.scale, coding.offset, out.reshape(-1))


def keys_to_physical(keys: Keys, coding: Coding) -> NDArray[np.float32]:
    """Give the physical values that keys of any shape stand for; NaN where there is no observation."""
    stored = keys.astype(np.int64) + (coding.first - 1)
    return np.where(keys == 0, np.float32(np.nan), (stored * coding.scale + coding.offset).astype(np.float32))
