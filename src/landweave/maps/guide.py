"""Imagery as a guide for smoothing and segments: one value per pixel and band, in units of the band's range.

Receives blocks of cubes and the range of each band; hands on an array (band, y, x).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from landweave.cube import read_blocks
from landweave.errors import MapError
from landweave.grid import Window, geobox_of, split_blocks
from landweave.types import Block, CubeSet, ModelCard

__all__ = ["Ranges", "card_ranges", "guide_from_blocks", "sample_ranges"]

Ranges = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Cube name -> lowest and highest usual value of each of its bands."""

_SAMPLE_PX = 128
_MAX_SAMPLES = 25


def card_ranges(card: ModelCard) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Take the 1st and 99th percentile of the training data from a model's card, for inputs whose every band has one."""
    ranges = {}
    for one in card.inputs:
        keys = [f"{one.name}.{band}" for band in one.bands]
        if all(k in card.p01 and k in card.p99 for k in keys):
            ranges[one.name] = (np.array([card.p01[k] for k in keys]), np.array([card.p99[k] for k in keys]))
    return ranges


def sample_ranges(cubes: CubeSet) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Find the 1st and 99th percentile of every band from at most 25 windows of 128 pixels, spread evenly over the grid.

    Raises:
        MapError: If no window holds a valid value of some band.
    """
    rows, cols = cubes.geobox.shape
    windows = list(split_blocks((rows, cols), _SAMPLE_PX))
    chosen = [windows[i] for i in np.unique(np.linspace(0, len(windows) - 1, _MAX_SAMPLES).astype(int))]
    ranges = {}
    for name, cube in cubes.cubes.items():
        if geobox_of(cube).affine.a != cubes.geobox.affine.a:
            continue
        parts = [_mean_over_time(read_blocks(cubes, w, names=[name])[name]) for w in chosen]
        values = np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1)
        if np.isnan(values).all(axis=1).any():
            raise MapError(f"imagery {name!r} has no valid value in {len(chosen)} places looked at; give other imagery")
        low, high = np.nanpercentile(values, (1, 99), axis=1)
        ranges[name] = (low, high)
    return ranges


def guide_from_blocks(blocks: Mapping[str, Block], ranges: Ranges, window: Window) -> NDArray[np.float32]:
    """Give the mean over time of every band, scaled so that 0..1 is its range.

    Only cubes on the output grid's own pixels serve: coarser ones have no edges of its size.

    Args:
        blocks: Read for `window`, without margin.
        ranges: Of the cubes to use.
        window: Of the output grid.

    Returns:
        float32 (band, y, x), NaN where a band was never observed.

    Raises:
        MapError: If no cube is on the output grid's pixels, or none has a known range.
    """
    parts = []
    for name, block in blocks.items():
        if name in ranges and block.window == window:
            low, high = (v[:, None, None] for v in ranges[name])
            parts.append((_mean_over_time(block) - low) / np.where(high > low, high - low, 1))
    if not parts:
        raise MapError(f"no imagery at the map's own resolution can guide (cubes: {', '.join(blocks)}); take the method "
                       "'bayes'")  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


def _mean_over_time(block: Block) -> NDArray[np.float64]:
    values = block.interior.astype(np.float64)
    if values.ndim == 3:
        return values
    counts = np.sum(~np.isnan(values), axis=0)
    sums = np.nansum(values, axis=0)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
