"""Sinks, flow and wetness on small grounds whose drainage is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landweave.errors import CubeError
from landweave.features.wetness import accumulate_flow, compute_wetness, fill_sinks

PIXEL = (np.array(10.0), np.array(10.0))


def test_a_pit_is_raised_to_its_outlet():
    z = np.full((7, 7), 9.0)
    z[2:5, 2:5], z[3, 5], z[3, 6] = 1, 4, 3
    filled = fill_sinks(z)
    assert (filled[2:5, 2:5] == 4).all()
    assert (filled[0] == 9).all()


@settings(max_examples=25, deadline=None)
@given(z=arrays(np.float64, (9, 11), elements=st.integers(0, 200).map(float)))
def test_filled_ground_drains_everywhere_and_is_nowhere_lower(z):
    filled = fill_sinks(z, epsilon=True)
    assert (filled >= z).all()
    around = np.stack([filled[1 + i : 8 + i, 1 + j : 10 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    assert (around.min(axis=0) < filled[1:-1, 1:-1]).all()


@settings(max_examples=15, deadline=None)
@given(z=arrays(np.float64, (9, 11), elements=st.integers(0, 200).map(float)))
def test_all_water_leaves_over_the_edge(z):
    area = accumulate_flow(z, PIXEL)
    filled = fill_sinks(z, epsilon=True)
    leaves = np.ones(z.shape, dtype=bool)  # pixels without a lower neighbour stand at the edge
    for r in range(9):
        for c in range(11):
            leaves[r, c] = filled[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].min() == filled[r, c]
    assert area[leaves].sum() == pytest.approx(9 * 11 * 100)


def test_a_slope_towards_the_south_passes_its_water_on_row_by_row():
    z = np.repeat(np.arange(6, 0, -1.0)[:, None], 40, axis=1)
    area = accumulate_flow(z, PIXEL)
    np.testing.assert_allclose(area[:, 20], 100 * np.arange(1, 7), rtol=1e-6)


def test_wetness_is_the_log_of_area_over_slope():
    z = np.repeat(np.arange(6, 0, -1.0)[:, None], 40, axis=1)
    expected = np.log(100 * np.arange(1, 7) / 10 / 0.1)
    np.testing.assert_allclose(compute_wetness(z, PIXEL)[:, 20], expected, rtol=1e-5)


def test_voids_stay_voids_and_water_leaves_beside_them():
    z = np.repeat(np.arange(6, 0, -1.0)[:, None], 40, axis=1)
    z[3, 10] = np.nan
    area = accumulate_flow(z, PIXEL)
    assert np.isnan(area[3, 10])
    assert np.isnan(compute_wetness(z, PIXEL)).sum() == 1
    assert np.isfinite(area).sum() == z.size - 1


def test_elevations_of_another_shape_are_refused():
    with pytest.raises(CubeError, match=r"give \(y, x\)"):
        fill_sinks(np.zeros(5))
