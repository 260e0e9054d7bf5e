"""Patches: connected pixels of one value.

Receives a raster of whole numbers (y, x); hands on the number of each pixel's patch.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["label_components"]


@numba.njit(nogil=True, cache=True, inline="always")
def _root(parent, i):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(nogil=True, cache=True)
def _join(parent, a, b):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    a, b = _root(parent, a), _root(parent, b)
    low, high = min(a, b), max(a, b)
    parent[high] = low
    return low


@numba.njit(nogil=True, cache=True)
def label_components(index, corners):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Label by two passes and union-find (the root of a set is its lowest, hence first, label)."""
    height, width = index.shape
    labels = np.empty((height, width), np.int32)
    parent = np.empty(height * width + 1, np.int32)
    n = 0
    for y in range(height):
        for x in range(width):
            k = index[y, x]
            if k < 0:
                labels[y, x] = -1
                continue
            label = -1
            if x > 0 and index[y, x - 1] == k:
                label = labels[y, x - 1]
            if y > 0:
                if index[y - 1, x] == k:
                    above = labels[y - 1, x]
                    label = above if label < 0 or label == above else _join(parent, label, above)
                if corners:
                    if x > 0 and index[y - 1, x - 1] == k:
                        above = labels[y - 1, x - 1]
                        label = above if label < 0 or label == above else _join(parent, label, above)
                    if x + 1 < width and index[y - 1, x + 1] == k:
                        above = labels[y - 1, x + 1]
                        label = above if label < 0 or label == above else _join(parent, label, above)
            if label < 0:
                label = n
                parent[n] = n
                n += 1
            labels[y, x] = label
    count = 0
    for i in range(n):  # a parent always has the lower number
        if parent[i] == i:
            parent[i] = count
            count += 1
        else:
            parent[i] = parent[parent[i]]
    for y in range(height):
        for x in range(width):
            if labels[y, x] >= 0:
                labels[y, x] = parent[labels[y, x]]
    return labels, count
