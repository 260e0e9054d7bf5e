from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import CubeError
from landweave.features.speckle import estimate_enl, filter_speckle, filter_temporal, halo_of

LOOKS = 4.4
SPATIAL = ("lee", "refined-lee", "gamma-map")


@pytest.fixture
def edge(rng: np.random.Generator) -> np.ndarray:
    """Power 1 left, 4 right of column 60, under gamma speckle."""
    truth = np.where(np.arange(120) < 60, 1.0, 4.0) * np.ones((100, 1))
    return (truth * rng.gamma(LOOKS, 1 / LOOKS, truth.shape)).astype(np.float32)


@pytest.mark.parametrize("method", SPATIAL)
def test_filters_smooth_even_areas_and_keep_their_mean(edge: np.ndarray, method: str) -> None:
    calm = filter_speckle(edge, method=method, enl=LOOKS)[5:-5, 5:50]
    assert calm.mean() ** 2 / calm.var() > 8 * LOOKS
    assert calm.mean() == pytest.approx(1.0, abs=0.05)


def test_the_refined_filter_keeps_an_edge_that_the_plain_one_blurs(edge: np.ndarray) -> None:
    steps = {m: np.diff(filter_speckle(edge, method=m, enl=LOOKS)[:, 59:61].mean(axis=0))[0] for m in ("lee", "refined-lee")}
    assert steps["refined-lee"] > 2.2 > steps["lee"]


def test_gamma_map_leaves_point_targets_alone(edge: np.ndarray) -> None:
    edge[50, 30] = 500.0
    assert filter_speckle(edge, method="gamma-map", enl=LOOKS)[50, 30] == 500.0


def test_the_temporal_filter_needs_no_looks_and_keeps_the_edge(rng: np.random.Generator) -> None:
    truth = np.where(np.arange(60) < 30, 1.0, 4.0) * np.ones((8, 50, 1))
    made = filter_temporal(truth * rng.gamma(LOOKS, 1 / LOOKS, truth.shape))
    calm = made[0, 5:-5, 5:25]
    assert calm.mean() ** 2 / calm.var() > 4 * LOOKS
    np.testing.assert_allclose(made[:, :, 28:32].mean(axis=(0, 1)), [1, 1, 4, 4], rtol=0.2)


def test_dates_without_an_observation_do_not_spoil_the_others(rng: np.random.Generator) -> None:
    stack = rng.gamma(LOOKS, 1 / LOOKS, (3, 20, 20)).astype(np.float32)
    stack[1] = np.nan
    made = filter_temporal(stack)
    assert np.isnan(made[1]).all()
    np.testing.assert_array_equal(made[[0, 2]], filter_temporal(stack[[0, 2]]))


@pytest.mark.parametrize("looks", [1.0, 4.4, 12.0])
def test_looks_are_found_beside_texture_without_being_shown_an_even_area(rng: np.random.Generator, looks: float) -> None:
    truth = np.ones((200, 200))
    truth[:, 120:] = rng.gamma(3, 1 / 3, (200, 80)).repeat(1, axis=0)  # rough ground on two fifths
    assert estimate_enl(truth * rng.gamma(looks, 1 / looks, truth.shape)) == pytest.approx(looks, rel=0.15)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), row=st.integers(0, 20), col=st.integers(0, 25), size=st.integers(1, 12),
       method=st.sampled_from([*SPATIAL, "quegan"]))  # fmt: skip
def test_a_block_with_its_halo_gives_the_bytes_of_the_whole(seed: int, row: int, col: int, size: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    power = rng.gamma(2.0, 0.5, (2, 33, 38)).astype(np.float32)
    power[rng.random(power.shape) < 0.1] = np.nan
    whole = filter_speckle(power, method=method, enl=2.0)
    h = halo_of(method, 7)
    top, left = max(row - h, 0), max(col - h, 0)
    part = filter_speckle(power[:, top : row + size + h, left : col + size + h], method=method, enl=2.0)
    cut = part[:, row - top :, col - left :][:, :size, :size]
    np.testing.assert_array_equal(cut, whole[:, row : row + size, col : col + size])
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(power))


def test_decibels_are_refused() -> None:
    with pytest.raises(CubeError, match=r"backscatter holds -12, and linear power is never negative; .* to_linear"):
        filter_speckle(np.full((9, 9), -12.0), method="lee", enl=4.4)


@pytest.mark.parametrize(("more", "says"), [
    ({"method": "lee", "window_px": 4, "enl": 1}, "speckle window is 4 px; give an odd number"),
    ({"method": "refined-lee", "window_px": 5, "enl": 1}, "defined in windows of 7 px, not 5"),
    ({"method": "gamma-map"}, "gamma-map needs the equivalent number of looks, a positive number, not None"),
    ({"method": "quegan"}, r"needs at least two images of one place, not an array of \(9, 9\)"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(more: dict[str, object], says: str) -> None:
    with pytest.raises(CubeError, match=says):
        filter_speckle(np.ones((9, 9)), **more)


def test_too_few_windows_give_no_number_of_looks() -> None:
    with pytest.raises(CubeError, match=r"0 windows of 7 px are valid, too few .*; state enl"):
        estimate_enl(np.ones((20, 20)))
