"""Stored values to physical ones: the fast way for whole numbers gives the bits of the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.io._kernels import marked_to_physical, to_physical

CLEAR = np.array([[True, False, True, True, True, False]] * 3)
EVERYWHERE = np.empty((0, 0), dtype=bool)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("clear", [CLEAR, EVERYWHERE], ids=["masked", "unmasked"])
@pytest.mark.parametrize("has_marker", [True, False])
def test_both_ways_from_stored_to_physical_agree(
    dtype: str, clear: np.ndarray, has_marker: bool, rng: np.random.Generator
) -> None:
    limits = np.iinfo(dtype)
    stored = rng.integers(0, 60, (3, 6)).astype(dtype)
    stored[0, :4] = [7, limits.max, limits.min, 7]
    marker = np.dtype(dtype).type(7)
    valid = np.ones(stored.shape, dtype=bool) if clear is EVERYWHERE else clear.copy()
    valid &= (stored != marker) | (not has_marker)
    plain, fast = np.empty(stored.shape, np.float32), np.empty(stored.shape, np.float32)
    how = (1e-4, -0.0013, -0.001, 0.004)
    counts = to_physical(stored, valid, *how, plain)
    assert marked_to_physical(stored, marker, has_marker, clear, *how, fast) == counts
    np.testing.assert_array_equal(fast.view(np.uint32), plain.view(np.uint32))
