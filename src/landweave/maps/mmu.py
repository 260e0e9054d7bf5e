"""Patches below a minimum size: dissolved into their surroundings by rules that look no farther than a stated margin.

Receives class indices (y, x), -1 where nodata or unsure; hands on the same. A patch is a connected set of pixels of one class.
The common rule of sieve tools, to merge a patch into its largest neighbour, needs the size of that neighbour, and so the whole
raster. The rules here only ask whether a patch has `min_px` pixels. A patch with fewer spans fewer than `min_px` pixels, so
that a margin of that many shows it whole, and one that is cut by the margin's edge yet reaches the pixel in question shows at
least that many.
"""

from __future__ import annotations

from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.errors import MapError
from landweave.features.patches import label_components

__all__ = ["label_patches", "mmu_halo_px", "remove_small", "sieve", "sieve_halo_px"]

Connectivity = Literal[4, 8]


def sieve_halo_px(min_px: int) -> int:
    """Give the margin of `sieve`: a patch to tell small from large, and as many steps of growth."""
    return 2 * min_px


def mmu_halo_px(min_px: int) -> int:
    """Give the margin of `remove_small`: a patch, its neighbours' size, and as many steps of growth."""
    return 3 * min_px


def label_patches(index: NDArray[np.int16], *, connectivity: Connectivity = 4) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number the patches in the order of their first pixel, row by row.

    Args:
        index: class_index (y, x); -1 belongs to no patch.
        connectivity: 4, or 8 where pixels that touch at a corner belong together.

    Returns:
        Patch number (y, x), int32 from 0, -1 where there is none; and the size of each patch in pixels.
    """
    labels, n = label_components(np.ascontiguousarray(index, dtype=np.int16), connectivity == 8)
    return labels, _count(labels, n)


def sieve(
    index: NDArray[np.int16], min_px: int, *, n_classes: int, connectivity: Connectivity = 4
) -> NDArray[np.int16]:
    """Dissolve patches of fewer than `min_px` pixels: the patches around them grow in, one pixel per step from every side.

    In each of at most `min_px` steps, every pixel left of a small patch that has a settled neighbour across an edge takes the
    commonest class among these (the first in the legend among equals). A small patch beside a large one is gone after it, and
    large patches only grow. Small patches that no large one reaches in so many steps stay as they are, as do -1.

    Args:
        index: class_index (y, x), -1 for no class.
        min_px: Smallest size to keep.
        n_classes: Number of classes.
        connectivity: What makes a patch.

    Returns:
        int16 (y, x); pixels nearer to the edge than `sieve_halo_px(min_px)` depend on what lies beyond.

    Raises:
        MapError: If `min_px` is below 1.
    """
    _check_size(min_px)
    labels, sizes = label_patches(index, connectivity=connectivity)
    out = np.array(index, dtype=np.int16, order="C")
    _grow(out, _find_unsettled(labels, sizes, min_px), min_px, n_classes)
    return out


def remove_small(
    index: NDArray[np.int16], min_px: int, *, n_classes: int, connectivity: Connectivity = 4
) -> NDArray[np.int16]:
    """Enforce a minimum mapping unit: a patch of fewer than `min_px` pixels goes whole to one neighbour.

    It takes the class with which it shares the longest border, in pixel edges, among the patches beside it that have at least
    `min_px` pixels (the first in the legend among equals). Small patches that lie among small ones only are then dissolved as
    by `sieve`, the merged ones counting as settled. What no large patch reaches in `min_px` steps stays, as do -1.

    Args:
        index: class_index (y, x), -1 for no class.
        min_px: Smallest size to keep.
        n_classes: Number of classes.
        connectivity: What makes a patch.

    Returns:
        int16 (y, x); pixels nearer to the edge than `mmu_halo_px(min_px)` depend on what lies beyond.

    Raises:
        MapError: If `min_px` is below 1.
    """
    _check_size(min_px)
    labels, sizes = label_patches(index, connectivity=connectivity)
    out = np.array(index, dtype=np.int16, order="C")
    small = sizes < min_px
    number = np.where(small, np.cumsum(small) - 1, -1).astype(np.int32)
    borders = _count_borders(out, labels, number, int(small.sum()), n_classes)
    target = np.where(borders.max(axis=1, initial=0) > 0, borders.argmax(axis=1), -1).astype(np.int16)
    unsettled = _merge(out, labels, number, target)
    _grow(out, unsettled, min_px, n_classes)
    return out


def _check_size(min_px: int) -> None:
    if min_px < 1:
        raise MapError(f"minimum size is {min_px} pixels; give 1 or more")


@numba.njit(nogil=True, cache=True)
def _count(labels, n):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    sizes = np.zeros(n, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] >= 0:
                sizes[labels[y, x]] += 1
    return sizes


@numba.njit(nogil=True, cache=True)
def _find_unsettled(labels, sizes, min_px):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    unsettled = np.zeros(labels.shape, np.uint8)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label >= 0 and sizes[label] < min_px:
                unsettled[y, x] = 1
    return unsettled


@numba.njit(nogil=True, cache=True)
def _count_borders(index, labels, number, n_small, n_classes):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Count the pixel edges that each small patch shares with large patches of each class."""
    height, width = index.shape
    borders = np.zeros((n_small, n_classes), np.uint16)  # a patch of n pixels has at most 2 n + 2 edges
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label < 0 or number[label] < 0:
                continue
            i = number[label]
            for step in range(4):
                v, u = y + (step == 0) - (step == 1), x + (step == 2) - (step == 3)
                if v < 0 or u < 0 or v >= height or u >= width:
                    continue
                other = labels[v, u]
                if other >= 0 and number[other] < 0:
                    borders[i, index[v, u]] += 1
    return borders


@numba.njit(nogil=True, cache=True)
def _merge(index, labels, number, target):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Give small patches their new class, in place; tells which pixels have none yet."""
    unsettled = np.zeros(index.shape, np.uint8)
    for y in range(index.shape[0]):
        for x in range(index.shape[1]):
            label = labels[y, x]
            if label >= 0 and number[label] >= 0:
                k = target[number[label]]
                if k >= 0:
                    index[y, x] = k
                else:
                    unsettled[y, x] = 1
    return unsettled


@numba.njit(nogil=True, cache=True)
def _grow(index, unsettled, steps, n_classes):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Let settled pixels grow into unsettled ones, all pixels of a step at once, in place."""
    height, width = index.shape
    front = np.empty(1024, np.int64)
    n = 0
    for y in range(height):
        for x in range(width):
            if unsettled[y, x] == 1:
                if n == front.size:
                    front = np.append(front, np.empty(front.size, np.int64))
                front[n] = y * width + x
                n += 1
    taken = np.empty(n, np.int16)
    votes = np.zeros(n_classes, np.int32)
    for _ in range(steps):
        for i in range(n):
            y, x = front[i] // width, front[i] % width
            best = -1
            for step in range(4):
                v, u = y + (step == 0) - (step == 1), x + (step == 2) - (step == 3)
                if v < 0 or u < 0 or v >= height or u >= width or unsettled[v, u] == 1 or index[v, u] < 0:
                    continue
                k = index[v, u]
                votes[k] += 1
                if best < 0 or votes[k] > votes[best] or (votes[k] == votes[best] and k < best):
                    best = k
            for step in range(4):
                v, u = y + (step == 0) - (step == 1), x + (step == 2) - (step == 3)
                if v >= 0 and u >= 0 and v < height and u < width and index[v, u] >= 0:
                    votes[index[v, u]] = 0
            taken[i] = best
        kept = 0
        for i in range(n):
            if taken[i] >= 0:
                index[front[i] // width, front[i] % width] = taken[i]
                unsettled[front[i] // width, front[i] % width] = 0
            else:
                front[kept] = front[i]
                kept += 1
        if kept == n or kept == 0:
            break
        n = kept
