"""Small patches: what is dissolved, by which rule, and the same by blocks as on the whole raster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from landweave.errors import MapError
from landweave.grid import split_blocks
from landweave.maps.mmu import label_patches, mmu_halo_px, remove_small, sieve, sieve_halo_px


def make_map(rng, height, width, *, n_classes=4, nodata=0.03):
    """Smooth patches with salt, pepper and holes."""
    field = ndimage.gaussian_filter(rng.normal(size=(height, width)), 1.5)
    index = np.digitize(field, np.quantile(field, np.linspace(0, 1, n_classes + 1)[1:-1])).astype(np.int16)
    salt = rng.random((height, width)) < 0.1
    index[salt] = rng.integers(0, n_classes, int(salt.sum()))
    index[rng.random((height, width)) < nodata] = -1
    return index


def read(*rows):
    return np.array([[-1 if c == "." else int(c) for c in row] for row in rows], dtype=np.int16)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_patches_are_those_of_scipy(rng, connectivity):
    index = make_map(rng, 37, 41)
    labels, sizes = label_patches(index, connectivity=connectivity)
    structure = ndimage.generate_binary_structure(2, connectivity // 4)
    assert len(sizes) == sum(ndimage.label(index == k, structure)[1] for k in range(4))
    assert sizes.sum() == (index >= 0).sum()
    np.testing.assert_array_equal(sizes, np.bincount(labels[labels >= 0]))


def test_a_patch_goes_whole_to_its_longest_border():
    before = read("0001111", "0002211", "0002211", "0000111", "0000111")
    after = remove_small(before, 5, n_classes=3)
    assert (after == read("0001111", "0001111", "0001111", "0000111", "0000111")).all()


def test_sieve_lets_both_sides_grow_in():
    before = read("0022221", "0022221", "0022221", "0000111")
    assert (sieve(before, 13, n_classes=3)[0] == before[0]).all()  # nothing is large here
    before = np.repeat(read("000022211111"), 12, axis=0)
    before[2:] = np.where(before[2:] == 2, -1, before[2:])
    after = sieve(before, 10, n_classes=3)
    assert after[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]  # the middle one: first in the legend among equals


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.integers(5, 60), st.integers(4, 25), st.integers(2, 8),
       st.sampled_from([4, 8]), st.booleans())  # fmt: skip
def test_blocks_with_their_margin_give_the_whole_raster(seed, height, width, block_px, min_px, connectivity, whole_patches):
    index = make_map(np.random.default_rng(seed), height, width)
    change, halo = (remove_small, mmu_halo_px(min_px)) if whole_patches else (sieve, sieve_halo_px(min_px))
    whole = change(index, min_px, n_classes=4, connectivity=connectivity)
    for window in split_blocks((height, width), block_px):
        outer = window.pad(halo).clip((height, width))
        part = change(index[outer.slices], min_px, n_classes=4, connectivity=connectivity)
        top, left = window.row - outer.row, window.col - outer.col
        np.testing.assert_array_equal(part[top : top + window.height, left : left + window.width], whole[window.slices])


@pytest.mark.parametrize("change", [remove_small, sieve])
def test_no_small_patch_is_left_beside_large_ones(rng, change):
    after = change(make_map(rng, 120, 120, nodata=0), 9, n_classes=4)
    assert label_patches(after)[1].min() >= 9


@pytest.mark.parametrize("change", [remove_small, sieve])
def test_nodata_and_large_patches_stay(rng, change):
    before = make_map(rng, 60, 60)
    labels, sizes = label_patches(before)
    after = change(before, 6, n_classes=4)
    large = (labels >= 0) & (sizes[labels] >= 6)
    np.testing.assert_array_equal(after == -1, before == -1)
    np.testing.assert_array_equal(after[large], before[large])


def test_a_diagonal_river_is_kept_where_corners_connect():
    before = np.zeros((12, 12), dtype=np.int16)
    np.fill_diagonal(before, 1)
    assert remove_small(before, 10, n_classes=2, connectivity=8).sum() == 12
    assert remove_small(before, 10, n_classes=2, connectivity=4).sum() == 0


def test_a_wrong_size_is_named():
    with pytest.raises(MapError, match="minimum size is 0 pixels; give 1"):
        sieve(np.zeros((3, 3), dtype=np.int16), 0, n_classes=1)
