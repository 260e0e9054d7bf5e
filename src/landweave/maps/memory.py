"""The memory budget: what `--memory` allows, and what the process really took.

Receives a budget for the whole process; hands on a block size and GDAL's cache size, and measures the peak.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil

from landweave.errors import MapError
from landweave.grid import geobox_of, is_nested
from landweave.io.cog import TILE_PX
from landweave.io.handles import gdal_cache
from landweave.maps.chip_memory import MIN_STRIDES, chip_block_bytes, chip_sides
from landweave.types import CubeSet, ModelCard

__all__ = ["MemoryPlan", "PeakMeter", "gdal_cache", "measure_peak", "parse_bytes", "plan_memory"]

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip
_MIN_BLOCK_PX = 64
_COPIES = 4
"""Copies of a block's values alive at once: stored integers, floats, gaps filled, the feature matrix."""
_MAX_AHEAD = 2
"""One that is being read and one that is being written."""


def parse_bytes(memory: str | int) -> int:
    """Read a size such as "2GiB", "800 MB" or a number of bytes.

    Raises:
        MapError: If it is not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(memory))
    if not found or found[2].lower() not in _UNITS or float(found[1]) <= 0:
        raise MapError(f"memory is {memory!r}; give a size such as 2GiB, 800MiB or 1.5GB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


@dataclass(frozen=True)
class MemoryPlan:
    """How a budget is spent.

    Attributes:
        budget: Bytes of the whole process.
        base: What the process holds already (libraries, model), and its worker processes with it.
        gdal_cache: For GDAL's cache of raster blocks, in each process.
        block_px: Side of a block.
        block_bytes: What one block takes while it is computed.
        n_blocks: Blocks computed at the same time; as many as there are workers, but for networks in threads, whose workers
            may share one block.
        ahead: Blocks that may be held besides, read ahead or waiting to be written: what room is left for, at most 2.
    """

    budget: int
    base: int
    gdal_cache: int
    block_px: int
    block_bytes: int
    n_blocks: int = 1
    ahead: int = 0


def bytes_per_px(card: ModelCard, cubes: CubeSet) -> float:
    """Give the bytes that a pixel of the output grid takes while its block is computed."""
    names = [i.name for i in card.inputs]
    total = 0.0
    for name, cube in cubes.cubes.items():
        if name in names:
            ratio = is_nested(geobox_of(cube), cubes.geobox) or 1
            total += 4 * cube.sizes.get("time", 1) * cube.sizes["band"] / ratio**2
    return _COPIES * total + 3 * 4 * len(card.classes) + 16


def resident_bytes() -> int:
    """Give what this process holds now."""
    return int(psutil.Process().memory_info().rss)


def plan_memory(
    memory: str | int, card: ModelCard, cubes: CubeSet, *, workers: int, block_px: int | None = None, margin_px: int = 0,
    processes: int = 0, network_bytes: int = 0,
) -> MemoryPlan:  # fmt: skip
    """Choose the block size that a budget allows.

    Args:
        memory: Budget of the whole process.
        card: Of the model.
        cubes: What is mapped.
        workers: Blocks computed at the same time.
        block_px: A block size to keep; only checked.
        margin_px: Predicted around a block besides, for smoothing.
        processes: Processes beside this one that share the budget; each holds as much as this one before its first block.
        network_bytes: What one run of the model's network takes, as measured; as many run as there are workers.

    Raises:
        MapError: If even the smallest block does not fit, and says how much would do; if `block_px` does not suit the model.
    """
    budget = parse_bytes(memory)
    base = resident_bytes() * (1 + processes)
    caches = min(256 * 2**20, max(16 * 2**20, (budget - base) // 4))
    cache = max(16 * 2**20, caches // (1 + processes))
    halo, stride = card.context_px + margin_px, card.stride_px or 1
    _check_block(block_px, card, cubes)
    per_px = bytes_per_px(card, cubes)

    def cost(side: int) -> int:
        if card.chip_size_px is not None:
            return chip_block_bytes(card, cubes, side, margin_px=margin_px)
        return int(per_px * (side + 2 * halo) ** 2)

    room = (budget - base - caches) * 0.8 - workers * network_bytes
    smallest = block_px or _smallest(card, halo)
    n_blocks = workers
    if card.chip_size_px is not None and processes == 0:  # the workers share blocks: two, so that one begins as another ends
        n_blocks = max(1, min(2, workers, int(room / cost(smallest))))
    if n_blocks * cost(smallest) > room:
        needed = base + caches + (n_blocks * cost(smallest) + workers * network_bytes) / 0.8
        who = "the process holds" if processes == 0 else f"{1 + processes} processes hold"
        raise MapError(f"memory of {budget / 2**20:.0f} MiB is too little: {who} {base / 2**20:.0f} MiB "
                       f"already, and {n_blocks} block(s) of {smallest} px need {needed / 2**20:.0f} MiB in all; "
                       "raise --memory, use fewer workers, or smaller blocks")  # fmt: skip
    if card.chip_size_px is not None:
        fit = [s for s in chip_sides(stride) if s > smallest and n_blocks * cost(s) <= room] if block_px is None else []
        side = _choose_chip_side(cubes, [*fit, smallest], workers if processes else 1)
    else:
        sides = [_round_up(s, stride) for s in (1024, 512, 256, 128) if s > smallest]
        side = block_px or _choose_side(cubes, [s for s in (*sides, smallest) if n_blocks * cost(s) <= room], workers)
    held = cost(side) // _COPIES + side * side * (len(card.classes) + 4)  # as read, and as it will be written
    ahead = 0 if card.chip_size_px is not None else int(np.clip((room - n_blocks * cost(side)) // held, 0, _MAX_AHEAD))
    return MemoryPlan(budget, base, cache, side, cost(side), n_blocks, ahead)


def _smallest(card: ModelCard, halo: int) -> int:
    stride = card.stride_px or 1
    if card.chip_size_px is not None:
        return _round_up(max(_MIN_BLOCK_PX, halo, MIN_STRIDES * stride), stride)
    return _round_up(max(_MIN_BLOCK_PX, 2 * halo, MIN_STRIDES * (stride if stride > 1 else 0)), stride)


def _check_block(block_px: int | None, card: ModelCard, cubes: CubeSet) -> None:
    """Check that a block size that was asked for suits the model's steps and context."""
    stride = card.stride_px or 1
    if block_px is None:
        return
    if block_px % stride:
        raise MapError(f"block_px is {block_px}, and the model steps by {stride} px; give a multiple of {stride}")
    least = _round_up(max(card.context_px, MIN_STRIDES * stride if stride > 1 else 0), stride)
    if block_px < min(least, max(cubes.geobox.shape)):
        raise MapError(f"block_px is {block_px}, and the model looks at {card.context_px} px around a block in steps of "
                       f"{stride}; give at least {least}, so that less is computed twice")  # fmt: skip


def _choose_chip_side(cubes: CubeSet, sides: list[int], workers: int) -> int:
    """Take the largest side that gives every worker two blocks."""
    rows, cols = cubes.geobox.shape
    for side in sides:
        if -(-rows // side) * -(-cols // side) >= 2 * workers:
            return side
    return sides[-1]


def _round_up(side: int, stride: int) -> int:
    return -(-side // stride) * stride


def _choose_side(cubes: CubeSet, sides: list[int], workers: int) -> int:
    """Take the largest side that still gives every worker a few blocks; small grids need no more than one block each."""
    rows, cols = cubes.geobox.shape
    for side in sides:
        n_blocks = -(-rows // side) * -(-cols // side)
        if n_blocks >= 3 * workers or side <= TILE_PX // 4:
            return side
    return sides[-1]


class PeakMeter:
    """Highest resident memory of this process (and of its worker processes) since the meter started."""

    def __init__(self, interval_s: float = 0.05) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process()
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._sample()

    def start(self) -> None:
        """Begin to measure."""
        self._sample()
        self._thread.start()

    def stop(self) -> int:
        """End measuring and give the peak in bytes."""
        self._stop.set()
        self._thread.join()
        self._sample()
        return self.peak_bytes


@contextmanager
def measure_peak() -> Iterator[PeakMeter]:
    """Measure the peak while the block runs; `peak_bytes` is final after it."""
    meter = PeakMeter()
    meter.start()
    try:
        yield meter
    finally:
        meter.stop()
