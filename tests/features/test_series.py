from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.features.series import apply_missing, count_valid_steps, fill_linear

NAN = np.nan
seeds = st.integers(0, 2**32 - 1)


def make_series(seed: int, gaps: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_times = int(rng.integers(1, 12))
    values = rng.normal(size=(n_times, 7)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = NAN
    return values, np.cumsum(rng.integers(1, 30, n_times)).astype(float)


def test_fill_is_linear_in_days_not_in_steps() -> None:
    filled = fill_linear(np.array([[0.0], [NAN], [10.0]]), np.array([0, 8, 10]))
    np.testing.assert_allclose(filled[:, 0], [0, 8, 10], rtol=1e-6)


def test_fill_repeats_the_nearest_at_the_edges() -> None:
    filled = fill_linear(np.array([NAN, 3.0, NAN, NAN])[:, None], np.arange(4.0))
    assert filled[:, 0].tolist() == [3, 3, 3, 3]


def test_fill_leaves_a_series_without_observation_empty() -> None:
    assert np.isnan(fill_linear(np.full((3, 2), NAN), np.arange(3.0))).all()


@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_fill_agrees_with_interp_and_keeps_observations(seed: int) -> None:
    values, times = make_series(seed)
    filled = fill_linear(values, times)
    for series, out in zip(values.T, filled.T, strict=True):
        known = ~np.isnan(series)
        if known.any():
            # float32 slopes: a few units in the last place
            np.testing.assert_allclose(out, np.interp(times, times[known], series[known]), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(out[known], series[known])


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_fill_of_a_pixel_does_not_depend_on_its_neighbours(seed: int) -> None:
    values, times = make_series(seed)
    whole = fill_linear(values, times)
    alone = fill_linear(values[:, 2:4], times)
    np.testing.assert_array_equal(whole[:, 2:4], alone)


def test_fill_takes_any_trailing_shape() -> None:
    values = np.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(fill_linear(values, np.array([1.0, 2.0])), values.astype(np.float32))


def test_fill_refuses_times_of_another_length() -> None:
    with pytest.raises(ValueError, match="values have 3 dates on their first axis, times_days has 2"):
        fill_linear(np.zeros((3, 1)), np.arange(2.0))


def test_fill_refuses_times_that_do_not_increase() -> None:
    with pytest.raises(ValueError, match="sort and merge the dates"):
        fill_linear(np.zeros((3, 1)), np.array([1.0, 1.0, 2.0]))


def test_missing_fill_works_per_band() -> None:
    features = np.array([[[1.0, NAN], [NAN, NAN], [3.0, NAN]]])
    filled = apply_missing(features, np.arange(3.0), "fill")
    np.testing.assert_array_equal(filled[0, :, 0], [1, 2, 3])
    assert np.isnan(filled[0, :, 1]).all()


def test_missing_native_passes_gaps_on() -> None:
    features = np.array([[[1.0], [NAN]]], dtype=np.float32)
    np.testing.assert_array_equal(apply_missing(features, np.arange(2.0), "native"), features)


def test_missing_mask_gives_zeros_and_the_mask() -> None:
    masked = apply_missing(np.array([[[1.0, NAN], [NAN, 4.0]]]), np.arange(2.0), "mask")
    assert masked[0].tolist() == [[1, 0, 1, 0], [0, 4, 0, 1]]


def test_missing_refuses_an_unknown_policy() -> None:
    with pytest.raises(ValueError, match="known: fill, native, mask"):
        apply_missing(np.zeros((1, 1, 1)), np.zeros(1), "zero")  # type: ignore[arg-type]


def test_missing_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match=r"expected \(sample, time, band\)"):
        apply_missing(np.zeros((2, 2)), np.zeros(2), "fill")


def test_a_step_counts_only_when_every_band_is_observed() -> None:
    values = np.array([[1.0, 1.0], [1.0, NAN], [NAN, NAN]])[:, :, None, None]
    assert count_valid_steps(values).tolist() == [[1]]
