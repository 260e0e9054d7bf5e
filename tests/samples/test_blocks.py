from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from landweave.errors import SplitError
from landweave.samples import SplitOptions, block_of, block_size_of, blocks_per_class, classes_in_one_block
from landweave.samples.blocks import earth_xyz, ellipsoid_cells

GEOD = Geod(ellps="WGS84")


@settings(max_examples=40, deadline=None)
@given(st.floats(-179, 179), st.floats(-80, 80), st.floats(0, 359), st.floats(1, 50_000))
def test_the_straight_distance_is_never_longer_than_the_geodesic(lon, lat, azimuth, distance):
    lon2, lat2, _ = GEOD.fwd(lon, lat, azimuth, distance)
    a, b = earth_xyz(np.array([[lon, lat], [lon2, lat2]]))
    assert distance * (1 - 1e-5) <= np.linalg.norm(a - b) <= distance + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.floats(-170, 170), st.floats(-75, 75), st.integers(0, 10**6))
def test_cells_have_the_stated_size_on_the_ground(lon, lat, seed):
    size = 20_000
    at = np.random.default_rng(seed).uniform((lon - 0.4, lat - 0.4), (lon + 0.4, lat + 0.4), (400, 2))
    cells, number = np.unique(np.column_stack(ellipsoid_cells(at, size)), axis=0, return_inverse=True)
    for i in range(len(cells)):
        mine = at[number.ravel() == i]
        _, _, height = GEOD.inv(mine[0, 0], mine[:, 1].min(), mine[0, 0], mine[:, 1].max())
        _, _, width = GEOD.inv(mine[:, 0].min(), mine[:, 1].mean(), mine[:, 0].max(), mine[:, 1].mean())
        # a band's width is exact in its middle; its poleward and equatorward edges differ by half a band's convergence
        assert height <= size * 1.001
        assert width <= size * 1.03


def test_blocks_in_degrees_are_cells_of_the_graticule(make_samples):
    samples = make_samples(np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.1], [-0.1, 0.1]]), list("aabb"))
    assert block_of(samples, SplitOptions(block_size_deg=0.25)).tolist() == [1, 1, 2, 0]


def test_a_group_stands_in_the_block_of_its_middle(make_samples):
    lonlat = np.array([[0.10, 0.1], [0.20, 0.1], [0.26, 0.1], [0.9, 0.9]])
    samples = make_samples(lonlat, list("aaab"), group=["p", "p", "p", "q"])
    assert block_of(samples, SplitOptions(block_size_deg=0.25)).tolist() == [0, 0, 0, 1]


def test_groups_and_columns_can_be_the_blocks(make_samples):
    lonlat = np.random.default_rng(0).random((4, 2))
    samples = make_samples(lonlat, list("abab"), group=["p", "p", "q", "q"], labeller=["x", "y", "x", "y"])
    assert block_of(samples, SplitOptions(by="group")).tolist() == [0, 0, 1, 1]
    assert block_of(samples, SplitOptions(by="labeller")).tolist() == [0, 1, 0, 1]


def test_years_are_blocks(make_samples):
    times = np.array(["2019-05-01", "2020-05-01"] * 2, dtype="datetime64[ms]")
    samples = make_samples(np.random.default_rng(0).random((4, 2)), list("abab"), time_start=times)
    assert block_of(samples, SplitOptions(by="year")).tolist() == [0, 1, 0, 1]


def test_an_unknown_or_empty_column_is_an_error(make_samples):
    samples = make_samples(np.random.default_rng(0).random((3, 2)), list("aba"), labeller=["x", None, "y"])
    with pytest.raises(SplitError, match=r"cannot split by 'region': there is no such column; give block, group, year"):
        block_of(samples, SplitOptions(by="region"))
    with pytest.raises(SplitError, match=r"by 'labeller': 1 of 3 rows have no value"):
        block_of(samples, SplitOptions(by="labeller"))


def test_the_size_of_a_block_is_told_in_metres(make_samples):
    samples = make_samples(np.array([[-56.0, -13.0], [-55.0, -12.0]]), list("ab"))
    assert block_size_of(samples, SplitOptions(block_size_m=1234)) == 1234
    assert block_size_of(samples, SplitOptions(block_size_deg=0.25)) == pytest.approx(27_660, rel=0.001)
    assert block_size_of(samples, SplitOptions()) == pytest.approx(11_064, rel=0.01)


def test_samples_on_one_place_have_no_blocks(make_samples):
    with pytest.raises(SplitError, match=r"all 3 samples stand on one place"):
        block_of(make_samples(np.zeros((3, 2)), list("aba")), SplitOptions())


def test_classes_in_one_block_are_named(make_samples):
    samples = make_samples(np.zeros((5, 2)), list("aabbc"))
    blocks = np.array([0, 0, 0, 1, 2])
    assert blocks_per_class(samples, blocks) == {"a": 1, "b": 2, "c": 1}
    assert classes_in_one_block(samples, blocks) == ["a", "c"]
