"""Compiled counting of pairs of codes; imported on use, since compiling costs a second once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_pairs"]


@njit(cache=True, nogil=True)
def count_pairs(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Any:
    """Count pairs of two flat arrays: (256, 256) int64, a down, b across."""
    # neighbouring pixels mostly hold the same pair; two tables keep one increment from waiting for the one before
    even = np.zeros(65536, dtype=np.int64)
    odd = np.zeros(65536, dtype=np.int64)
    n = a.size
    for i in range(0, n - 1, 2):
        even[(np.int64(a[i]) << 8) | np.int64(b[i])] += 1
        odd[(np.int64(a[i + 1]) << 8) | np.int64(b[i + 1])] += 1
    if n % 2:
        even[(np.int64(a[n - 1]) << 8) | np.int64(b[n - 1])] += 1
    return (even + odd).reshape(256, 256)
