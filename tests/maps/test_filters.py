"""Majority filter and the chain of class filters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from landweave.grid import Window, split_blocks
from landweave.legend import LandClass, Legend
from landweave.maps.filters import FilterOptions, majority_filter, read_filtered

LEGEND = Legend((LandClass(3, "Forest", "#228833"), LandClass(0, "Water", "#4477aa"), LandClass(17, "Crop", "#ccbb44")))


def make_codes(rng, height, width):
    codes = rng.choice(np.array([3, 0, 17, 255, 254], dtype=np.uint8), (height, width), p=[0.5, 0.2, 0.2, 0.05, 0.05])
    codes[: height // 2] = np.where(rng.random((height // 2, width)) < 0.8, 17, codes[: height // 2])
    return codes


def commonest(index, y, x, r):
    """The majority rule of one pixel, written out."""
    if index[y, x] < 0:
        return -1
    near = index[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1]
    votes = np.bincount(near[near >= 0], minlength=3)
    return index[y, x] if votes[index[y, x]] == votes.max() else votes.argmax()


def test_majority_is_the_commonest_class_own_one_among_equals(rng):
    index = rng.integers(-1, 3, (17, 23)).astype(np.int16)
    filtered = majority_filter(index, window_px=5, n_classes=3)
    for y, x in np.ndindex(index.shape):
        assert filtered[y, x] == commonest(index, y, x, 2)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(3, 40), st.integers(5, 20))
def test_reading_by_blocks_gives_the_whole_raster(seed, height, width, block_px):
    codes = make_codes(np.random.default_rng(seed), height, width)
    options = FilterOptions(majority_px=3, sieve_px=3, mmu_px=4)

    def read(window):
        return codes[window.slices][None]

    whole = read_filtered(read, Window(0, 0, height, width), shape=codes.shape, legend=LEGEND, options=options)
    for window in split_blocks(codes.shape, block_px):
        part = read_filtered(read, window, shape=codes.shape, legend=LEGEND, options=options)
        np.testing.assert_array_equal(part[0], whole[0][window.slices])
    np.testing.assert_array_equal(whole[0] >= 254, codes >= 254)


def test_without_filters_codes_pass_as_they_are(rng):
    codes = make_codes(rng, 8, 8)
    window, nothing = Window(2, 2, 4, 4), FilterOptions()
    read = read_filtered(lambda w: codes[w.slices][None], window, shape=(8, 8), legend=LEGEND, options=nothing)
    np.testing.assert_array_equal(read[0], codes[2:6, 2:6])


def test_margins_of_the_chain_add_up():
    assert FilterOptions(majority_px=5, sieve_px=4, mmu_px=6).halo_px == 2 + 8 + 18
    assert FilterOptions().is_empty


def test_wrong_numbers_are_named():
    with pytest.raises(ValidationError, match="majority_px is 4; give an odd number"):
        FilterOptions(majority_px=4)
    with pytest.raises(ValidationError, match="less than or equal to 2000"):
        FilterOptions(mmu_px=5000)
