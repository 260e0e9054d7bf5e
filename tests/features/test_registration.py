from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import fourier_shift, gaussian_filter

from landweave.errors import CubeError
from landweave.features.registration import BlockShift, agree, estimate_shift, shift_by_blocks, spread_blocks
from landweave.grid import Window

SHIFT = st.floats(-4, 4, allow_nan=False)


def land(seed: int = 0, size: int = 160) -> np.ndarray:
    return gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 1.5, mode="wrap")


def moved(image: np.ndarray, rows: float, cols: float) -> np.ndarray:
    return np.fft.ifft2(fourier_shift(np.fft.fft2(image), (rows, cols))).real


@settings(max_examples=15, deadline=None)
@given(rows=SHIFT, cols=SHIFT, seed=st.integers(0, 99))
def test_a_shift_is_found_to_a_fiftieth_of_a_pixel(rows: float, cols: float, seed: int) -> None:
    image = land(seed)
    found = estimate_shift(image[16:-16, 16:-16], moved(image, rows, cols)[16:-16, 16:-16])
    np.testing.assert_allclose(found[:2], (rows, cols), atol=0.05)
    assert found[2] > 0.5


def test_gain_offset_and_noise_change_nothing(rng: np.random.Generator) -> None:
    image = land(3)
    other = 5 - 2.5 * -moved(image, 1.25, -0.5) + rng.normal(0, 0.02, image.shape)
    np.testing.assert_allclose(estimate_shift(image, other)[:2], (1.25, -0.5), atol=0.1)


def test_gradients_find_the_shift_where_contrast_is_reversed(rng: np.random.Generator) -> None:
    fields = np.kron(np.random.default_rng(5).integers(0, 6, (16, 16)), np.ones((10, 10)))
    reverse = np.roll(1 / (1 + fields), (2, -3), axis=(0, 1)) * rng.gamma(4.4, 1 / 4.4, fields.shape)
    np.testing.assert_allclose(estimate_shift(fields, reverse, gradients=True)[:2], (2, -3), atol=0.4)


def test_gaps_do_not_pull_the_shift() -> None:
    image = land(4)
    other = moved(image, -1.5, 2.0)
    other[:70, :60] = np.nan
    np.testing.assert_allclose(estimate_shift(image, other)[:2], (-1.5, 2.0), atol=0.1)


def test_even_or_mostly_invalid_images_have_no_shift() -> None:
    empty = np.full((64, 64), np.nan)
    assert estimate_shift(land(size=64), np.ones((64, 64)))[2] == 0
    assert np.isnan(estimate_shift(land(size=64), empty)[0])


def test_images_of_two_shapes_are_refused() -> None:
    with pytest.raises(CubeError, match=r"images of \(64, 64\) and \(63, 64\) pixels cannot be compared up to 5 px"):
        estimate_shift(np.ones((64, 64)), np.ones((63, 64)))


def test_blocks_agree_on_the_shift_of_most() -> None:
    image = land(6, 320)
    other = moved(image, 0.5, 1.0)
    other[:100, :100] = land(7)[:100, :100]  # something else stands there
    found = agree(shift_by_blocks(image, other, block_px=64))
    np.testing.assert_allclose((found.rows, found.cols), (0.5, 1.0), atol=0.05)
    assert found.n_agree < found.n_blocks == 25
    assert found.se_px < 0.05


def test_unrelated_images_agree_on_nothing() -> None:
    found = agree(shift_by_blocks(land(8, 320), land(9, 320), block_px=64))
    assert not found.is_found
    assert "no shift found" in found.describe()


def test_two_shifts_of_half_the_blocks_each_are_no_consensus() -> None:
    made = [BlockShift(Window(0, 0, 8, 8), float(k % 2 * 3), 0.0, 0.5) for k in range(8)]
    assert not agree(made).is_found


def test_blocks_lie_inside_the_grid() -> None:
    for shape in ((40, 300), (1000, 1000), (128, 128)):
        windows = spread_blocks(shape, 128)
        assert all(w == w.clip(shape) for w in windows)
        assert len(windows) <= 25
