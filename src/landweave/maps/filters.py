"""Filters of classified pixels by a moving window, and the chain of class filters that a map goes through.

Receives class indices (y, x), -1 where nodata or unsure, or a reader of a map's codes; hands on the same. Windows leave out
what is -1 or outside, so that a block with a margin gives the very pixels of the whole raster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from landweave.grid import Window
from landweave.legend import Legend
from landweave.maps.mmu import mmu_halo_px, remove_small, sieve, sieve_halo_px
from landweave.types import Options

__all__ = ["FilterOptions", "check_majority_px", "filter_index", "majority_filter", "read_filtered"]

MAX_MMU_PX = 2000
"""Patches above this need margins of thousands of pixels; such a map is better made at a coarser resolution."""


def check_majority_px(value: int | None) -> int | None:
    """Check the side of a majority filter: odd, 3 to 51."""
    if value is not None and (not 3 <= value <= 51 or value % 2 == 0):
        raise ValueError(f"majority_px is {value}; give an odd number from 3 to 51, such as 5")
    return value


class FilterOptions(Options):
    """Options of the filters of classes; they run in the order of the fields."""

    majority_px: int | None = Field(None, description="Side of a majority filter in pixels; odd, 3 to 51. Off by default.")
    sieve_px: int | None = Field(
        None, ge=2, le=MAX_MMU_PX, description="Dissolve patches of fewer pixels: the patches around grow into them evenly."
    )
    mmu_px: int | None = Field(
        None, ge=2, le=MAX_MMU_PX, description="Minimum mapping unit: a patch of fewer pixels goes whole to the class that it "
                                               "shares the longest border with."
    )  # fmt: skip
    connectivity: Literal[4, 8] = Field(4, description="Whether pixels that touch at a corner only (8) belong to one patch.")

    @field_validator("majority_px")
    @classmethod
    def _check_majority(cls, value: int | None) -> int | None:
        return check_majority_px(value)

    @property
    def halo_px(self) -> int:
        """Margin that a block needs for the result of the whole raster."""
        return (
            (self.majority_px or 1) // 2
            + (sieve_halo_px(self.sieve_px) if self.sieve_px else 0)
            + (mmu_halo_px(self.mmu_px) if self.mmu_px else 0)
        )

    @property
    def is_empty(self) -> bool:
        """Whether no filter is asked for."""
        return self.majority_px is None and self.sieve_px is None and self.mmu_px is None


def majority_filter(index: NDArray[np.int16], *, window_px: int, n_classes: int) -> NDArray[np.int16]:
    """Give each pixel the commonest class of the window around it.

    Among equals the pixel keeps its own class if it is one of them, else the first in the legend wins. Pixels of -1 (nodata,
    unsure) have no vote and stay as they are.

    Args:
        index: class_index (y, x), -1 for no class.
        window_px: Side of the window, odd.
        n_classes: Number of classes.

    Returns:
        int16 (y, x).
    """
    padded = np.pad(np.ascontiguousarray(index, dtype=np.int16), window_px // 2, constant_values=-1)
    out: NDArray[np.int16] = _majority(padded, window_px, n_classes)
    return out


@numba.njit(nogil=True, cache=True)
def _majority(padded, window_px, n_classes):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    r = window_px // 2
    height, width = padded.shape[0] - 2 * r, padded.shape[1] - 2 * r
    out = np.empty((height, width), np.int16)
    votes = np.zeros(n_classes + 1, np.int32)  # the last is for -1
    for y in range(height):
        votes[:] = 0
        for dy in range(window_px):
            for dx in range(window_px - 1):
                votes[padded[y + dy, dx]] += 1
        for x in range(width):
            for dy in range(window_px):
                votes[padded[y + dy, x + window_px - 1]] += 1
            own = padded[y + r, x + r]
            best = own
            if own >= 0:
                for k in range(n_classes):
                    if votes[k] > votes[best]:
                        best = k
                if votes[own] < votes[best]:  # the first in the legend among the commonest
                    for k in range(n_classes):
                        if votes[k] == votes[best]:
                            best = k
                            break
            out[y, x] = best
            for dy in range(window_px):
                votes[padded[y + dy, x]] -= 1
    return out


def filter_index(index: NDArray[np.int16], options: FilterOptions, *, n_classes: int) -> NDArray[np.int16]:
    """Run the filters that are asked for, in the order majority, sieve, minimum mapping unit.

    Args:
        index: class_index (y, x), -1 for no class.
        options: What to do.
        n_classes: Number of classes.

    Returns:
        int16 (y, x); pixels nearer to the edge than `options.halo_px` depend on what lies beyond.
    """
    if options.majority_px is not None:
        index = majority_filter(index, window_px=options.majority_px, n_classes=n_classes)
    if options.sieve_px is not None:
        index = sieve(index, options.sieve_px, n_classes=n_classes, connectivity=options.connectivity)
    if options.mmu_px is not None:
        index = remove_small(index, options.mmu_px, n_classes=n_classes, connectivity=options.connectivity)
    return index


def read_filtered(
    read: Callable[[Window], NDArray[Any]], window: Window, *, shape: tuple[int, int], legend: Legend, options: FilterOptions
) -> NDArray[Any]:
    """Read a window of a map's codes with the filters applied, as if they had run on the whole map.

    Args:
        read: Gives the codes (1, y, x) of a window inside the grid.
        window: What is wanted.
        shape: Rows and columns of the grid.
        legend: The classes.
        options: The filters.

    Returns:
        Codes (1, y, x); nodata and unsure are where they were.
    """
    if options.is_empty:
        return read(window)
    outer = window.pad(options.halo_px).clip(shape)
    codes = read(outer)[0]
    index = filter_index(legend.to_index(codes), options, n_classes=len(legend))
    rows = slice(window.row - outer.row, window.row_end - outer.row)
    cols = slice(window.col - outer.col, window.col_end - outer.col)
    index, codes = index[rows, cols], codes[rows, cols]
    return np.where(index >= 0, legend.to_codes(index), codes)[None]
