"""Outlines of patches: valid, exact, and a coverage."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import MapError
from landweave.maps.mmu import label_patches
from landweave.maps.tracing import trace_patches


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14), st.integers(1, 3))
def test_polygons_are_valid_cover_their_pixels_and_share_borders(seed, height, width, n_classes):
    index = np.random.default_rng(seed).integers(-1, n_classes, (height, width)).astype(np.int16)
    labels, sizes = label_patches(index)
    if len(sizes) == 0:
        return
    polygons = trace_patches(labels, len(sizes))
    assert shapely.is_valid(polygons).all()
    np.testing.assert_array_equal(shapely.area(polygons), sizes)
    assert shapely.coverage_is_valid(polygons)
    y, x = np.nonzero(labels >= 0)
    assert shapely.contains_xy(polygons[labels[y, x]], x + 0.5, y + 0.5).all()


def test_a_hole_that_touches_the_outside_at_a_corner_is_a_ring_of_its_own():
    index = np.array([[0, 0, 0], [0, -1, 0], [0, 0, -1]], dtype=np.int16)
    labels, sizes = label_patches(index)
    (polygon,) = trace_patches(labels, len(sizes))
    assert polygon.is_valid
    assert len(polygon.interiors) == 1


def test_straight_borders_have_a_vertex_where_a_third_patch_begins():
    labels, sizes = label_patches(np.array([[0, 1], [0, 2]], dtype=np.int16))
    left = trace_patches(labels, len(sizes))[0]
    assert (1.0, 1.0) in left.exterior.coords


def test_patches_in_pieces_are_refused():
    with pytest.raises(MapError, match="connected through edges"):
        trace_patches(np.array([[0, -1, 1]], dtype=np.int32), 3)
