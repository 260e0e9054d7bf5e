"""Medians of stored numbers: those of the scaled values to the last bit, whatever the type, marker and range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.features.composite import compose_median
from landweave.features.stored_median import Coding, compose_key_median, find_coding, keys_to_physical, write_keys
from landweave.io._kernels import marked_to_physical

EVERYWHERE = np.empty((0, 0), dtype=bool)
TYPES = (np.uint8, np.int8, np.uint16, np.int16)


def make_days(rng: np.random.Generator, dtype: type, days: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    stored = rng.integers(limits.min, limits.max, (days, 3, 150), endpoint=True).astype(dtype)
    stored[rng.random(stored.shape) < 0.2] = 7
    return stored


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(TYPES), days=st.integers(1, 26), seed=st.integers(0, 99), scale=st.sampled_from([1e-4, -0.003, 1.0]),
    has_clear=st.booleans(),
)  # fmt: skip
def test_median_of_keys_is_that_of_scaled_values(dtype: type, days: int, seed: int, scale: float, has_clear: bool) -> None:
    rng = np.random.default_rng(seed)
    stored = make_days(rng, dtype, days)
    clear = [rng.random(stored.shape[1:]) < 0.8 if has_clear else EVERYWHERE for _ in stored]
    ends = np.quantile(stored * scale + 0.1, (0.1, 0.9))
    coding = find_coding(stored.dtype, scale, 0.1, *ends)
    assert coding is not None
    keys, physical = np.empty(stored.shape, np.uint16), np.empty(stored.shape, np.float32)
    for k, day in enumerate(stored):
        counts = write_keys(day, dtype(7), True, clear[k], coding, keys[k])
        assert counts == marked_to_physical(day, dtype(7), True, clear[k], scale, 0.1, *ends, physical[k])
    out = np.empty(stored.shape[1:], np.float32)
    compose_key_median(keys, coding, out)
    np.testing.assert_array_equal(out, compose_median(physical))
    np.testing.assert_array_equal(keys_to_physical(keys, coding), physical)


def test_without_a_marker_every_number_counts() -> None:
    stored = np.array([[7, 8]], dtype=np.uint16)
    keys = np.empty_like(stored)
    assert write_keys(stored, np.uint16(7), False, EVERYWHERE, Coding(0, 7, 1.0, 0.0), keys) == (2, 1)
    np.testing.assert_array_equal(keys, [[8, 0]])


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("float32", 0, 1), ("uint32", 0, 1), ("uint16", -1, 1e9), ("uint16", -9, -1)]
)  # fmt: skip
def test_what_keys_cannot_hold_is_refused(dtype: str, low: float, high: float) -> None:
    assert find_coding(np.dtype(dtype), 1.0, 0.0, low, high) is None


def test_counts_hold_for_rows_longer_than_16_bits_count() -> None:
    stored = np.full((1, 140_000), 5, dtype=np.uint16)
    keys = np.empty_like(stored)
    assert write_keys(stored, np.uint16(0), True, EVERYWHERE, Coding(0, 4, 1.0, 0.0), keys) == (140_000, 140_000)
