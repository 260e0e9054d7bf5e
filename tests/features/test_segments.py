"""Segments: connected, and within their anchored windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.features.patches import label_components
from landweave.features.segment_statistics import segment_statistics
from landweave.features.segments import SegmentOptions, segment_block, segment_window
from landweave.grid import Window, split_blocks

METHODS = ["slic", "watershed"]


def make_image(rng, height, width):
    """Fields of 16 pixels, noise, a hole."""
    y, x = np.mgrid[:height, :width]
    fields = ((y // 16 + 2 * (x // 16)) % 5) / 5
    image = np.stack([fields, 1 - fields**2]) + rng.normal(0, 0.02, (2, height, width))
    image[:, 5:9, 20:30] = np.nan
    return image.astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_segments_are_connected_numbered_and_leave_out_nodata(rng, method):
    image = make_image(rng, 70, 80)
    labels = segment_window(image, SegmentOptions(method=method, size_px=64))
    np.testing.assert_array_equal(labels == -1, np.isnan(image[0]))
    assert label_components(labels, False)[1] == labels.max() + 1
    first = [np.flatnonzero(labels.ravel() == k)[0] for k in range(labels.max() + 1)]
    assert first == sorted(first)


@pytest.mark.parametrize("method", METHODS)
def test_segments_follow_the_fields(rng, method):
    image = make_image(rng, 64, 64)
    labels = segment_window(image, SegmentOptions(method=method, size_px=64))
    _, table = segment_statistics(image, labels.astype(np.int64))
    assert np.average(table[:, 2], weights=table[:, 4]) < 0.06  # within segments; the bands themselves vary by .3


def test_slic_gives_segments_of_about_the_size_asked_for(rng):
    labels = segment_window(rng.random((2, 100, 100)).astype(np.float32), SegmentOptions(size_px=100, compactness=5))
    assert 70 <= labels.max() + 1 <= 130


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS), st.integers(20, 90))
def test_blocks_hold_parts_of_the_same_segments(seed, method, block_px):
    image = make_image(np.random.default_rng(seed), 100, 140)
    options = SegmentOptions(method=method, size_px=50, window_px=64)

    def read(window):
        return image[(slice(None), *window.slices)]

    whole = segment_block(read, Window(0, 0, 100, 140), shape=(100, 140), options=options)
    for window in split_blocks((100, 140), block_px):
        np.testing.assert_array_equal(segment_block(read, window, shape=(100, 140), options=options), whole[window.slices])
    assert not set(whole[:64, :64].ravel()) & set(whole[:64, 64:128].ravel()) - {-1}
