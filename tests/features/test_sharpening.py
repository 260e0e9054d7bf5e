from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from landweave.errors import GridError
from landweave.features.sharpening import (
    PAN_MARGIN,
    PanModel,
    PanSums,
    average,
    blur_to_coarse,
    fit_whole,
    gaussian_weights,
    interpolate,
    pansharpen,
    sharpen_bands,
    sharpen_margin,
)

METHODS = ("brovey", "gsa", "mtf-glp")


@pytest.fixture
def scene(rng: np.random.Generator) -> np.ndarray:
    """Four fine bands (band, 96, 96) that share the edges of fields, each with its own levels."""
    kinds = np.kron(rng.integers(0, 5, (16, 16)), np.ones((6, 6), dtype=int))
    levels = rng.uniform(0.05, 0.5, (4, 5))
    texture = 0.02 * gaussian_filter(rng.normal(size=kinds.shape), 0.7)
    return (levels[:, kinds] + texture).astype(np.float32)


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean((a - b) ** 2)))


@pytest.mark.parametrize("ratio", [2, 3])
def test_interpolation_keeps_planes_and_means_keep_even_areas(ratio: int) -> None:
    y, x = np.mgrid[:12, :12].astype(np.float32)
    up = interpolate(2 * y + 3 * x, ratio)[4 * ratio : -4 * ratio, 4 * ratio : -4 * ratio]
    np.testing.assert_allclose(np.diff(up, axis=0), 2 / ratio, atol=1e-4)
    np.testing.assert_allclose(blur_to_coarse(np.full((12, 12), 7.0), ratio, gaussian_weights(ratio, 0.3)), 7)


@pytest.mark.parametrize("ratio", [2, 6])
def test_the_low_pass_has_the_stated_gain_at_nyquist(ratio: int) -> None:
    weights = gaussian_weights(ratio, 0.3)
    at = np.arange(weights.size) - (weights.size - 1) / 2
    assert float((weights * np.cos(np.pi / ratio * at)).sum()) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("method", ["regression", "guided"])
def test_sharpened_bands_are_nearer_to_the_truth_than_interpolated_ones(scene: np.ndarray, method: str) -> None:
    coarse = average(scene[:1], 2)
    made = sharpen_bands(coarse, scene[1:], ratio=2, method=method)
    assert rmse(made, scene[:1]) < 0.5 * rmse(interpolate(coarse, 2), scene[:1])


def test_coarse_pixels_keep_their_means(scene: np.ndarray) -> None:
    coarse = average(scene[:2], 6)
    made = sharpen_bands(coarse, scene[2:], ratio=6)
    np.testing.assert_allclose(average(made, 6), coarse, atol=1e-6)


def test_nodata_of_a_band_or_a_guide_stays_nodata(scene: np.ndarray) -> None:
    coarse, guides = average(scene[:1], 2), scene[1:].copy()
    coarse[0, 5, 7] = np.nan
    guides[0, 40, 41] = np.nan
    made = sharpen_bands(coarse, guides, ratio=2)[0]
    assert np.isnan(made[10:12, 14:16]).all()
    assert np.isnan(made[40, 41])
    assert np.isnan(made).sum() == 5


@settings(max_examples=10, deadline=None)
@given(row=st.integers(0, 20), col=st.integers(0, 20), size=st.integers(1, 8), method=st.sampled_from(["regression", "guided"]))
def test_a_block_with_its_margin_gives_the_bytes_of_the_whole(row: int, col: int, size: int, method: str) -> None:
    fine = np.random.default_rng(3).random((3, 60, 60)).astype(np.float32)
    coarse = average(fine[:1], 2)
    whole = sharpen_bands(coarse, fine[1:], ratio=2, method=method)
    m = sharpen_margin(5)
    top, left = max(row - m, 0), max(col - m, 0)
    cut = (..., slice(top, row + size + m), slice(left, col + size + m))
    fine_cut = (..., slice(2 * top, 2 * (row + size + m)), slice(2 * left, 2 * (col + size + m)))
    part = sharpen_bands(coarse[cut], fine[1:][fine_cut], ratio=2, method=method)
    inner = part[:, 2 * (row - top) :, 2 * (col - left) :][:, : 2 * size, : 2 * size]
    np.testing.assert_array_equal(inner, whole[:, 2 * row : 2 * (row + size), 2 * col : 2 * (col + size)])


@pytest.mark.parametrize("method", METHODS)
def test_pansharpened_bands_are_nearer_to_the_truth_than_interpolated_ones(scene: np.ndarray, method: str) -> None:
    pan = scene.mean(axis=0)
    ms = blur_to_coarse(scene, 2, gaussian_weights(2, 0.3))
    made = pansharpen(ms, pan, fit_whole(ms, pan, method=method, ratio=2))
    assert rmse(made, scene) < 0.9 * rmse(interpolate(ms, 2), scene)


@pytest.mark.parametrize("method", METHODS)
def test_figures_of_the_whole_come_from_blocks_and_serve_blocks(scene: np.ndarray, method: str) -> None:
    pan = scene.mean(axis=0)
    ms = average(scene, 2)
    low = blur_to_coarse(pan, 2, gaussian_weights(2, 0.3))
    sums = PanSums()
    for rows in (slice(0, 20), slice(20, 48)):
        sums.add(ms[:, rows], low[rows])
    model = PanModel.fit(sums, method=method, ratio=2)
    np.testing.assert_allclose(model.gains, fit_whole(ms, pan, method=method, ratio=2).gains, rtol=1e-9)
    whole = pansharpen(ms, pan, model)
    part = pansharpen(ms[:, 20 - PAN_MARGIN : 30 + PAN_MARGIN], pan[2 * (20 - PAN_MARGIN) : 2 * (30 + PAN_MARGIN)], model)
    np.testing.assert_array_equal(part[:, 2 * PAN_MARGIN : -2 * PAN_MARGIN], whole[:, 40:60])


def test_images_that_do_not_nest_are_refused(scene: np.ndarray) -> None:
    with pytest.raises(GridError, match=r"fine pixels \(96, 95\) are not 2 times the coarse ones \(48, 48\)"):
        sharpen_bands(average(scene[:1], 2), scene[1:, :, :95], ratio=2)


def test_no_common_pixel_is_said(scene: np.ndarray) -> None:
    with pytest.raises(GridError, match="no coarse pixel is valid in all bands and the panchromatic one"):
        fit_whole(np.full((2, 8, 8), np.nan), scene[0, :16, :16], method="gsa", ratio=2)
