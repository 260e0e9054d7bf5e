"""Smoothing of probabilities: its formula, nodata, and the same result by blocks as on the whole raster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from landweave.errors import LegendError, MapError
from landweave.grid import split_blocks
from landweave.legend import Legend
from landweave.maps._networks import network
from landweave.maps.smoothing import SmoothOptions, smooth_bayes, smooth_edges, smooth_median, smooth_proba

LEGEND = Legend.from_names(["Forest", "Crop", "Water"])


def make_proba(rng, height, width, *, nodata=0.05):
    """Probabilities of three classes, some wholly sure, some nodata."""
    proba = rng.dirichlet(np.full(3, 0.4), (height, width)).astype(np.float32)
    proba[rng.random((height, width)) < 0.1] = (0, 1, 0)
    proba[rng.random((height, width)) < nodata] = np.nan
    return np.ascontiguousarray(np.moveaxis(proba, 2, 0))


def posterior(proba, y, x, *, window_px, smoothness, fraction):
    """The estimate of one pixel, written out."""
    r = window_px // 2
    clipped = np.clip(proba.astype(np.float64), 1e-4, 1 - 1e-4)
    logits = np.log(clipped / (1 - clipped))
    odds = []
    for k in range(len(proba)):
        near = logits[k, max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1].ravel()
        near = np.sort(near[~np.isnan(near)])[::-1]
        near = near[: max(math.ceil(fraction * len(near)), min(2, len(near)))]
        s2, m = (near.var(ddof=1) if len(near) > 1 else 0.0), near.mean()
        w = s2 / (s2 + smoothness[k])
        odds.append(1 / (1 + math.exp(-(w * logits[k, y, x] + (1 - w) * m))))
    return np.array(odds) / sum(odds)


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_bayes_is_the_posterior_mean_of_the_logit(rng, fraction):
    proba = make_proba(rng, 23, 31)
    smoothness = np.array([5.0, 10.0, 20.0])
    smoothed = smooth_bayes(proba, window_px=5, smoothness=smoothness, fraction=fraction)
    for y, x in np.argwhere(~np.isnan(proba[0]))[::7]:
        expected = posterior(proba, y, x, window_px=5, smoothness=smoothness, fraction=fraction)
        # the neighbours' logits are rounded to 1/200
        np.testing.assert_allclose(smoothed[:, y, x], expected, atol=6e-4)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 30), st.integers(4, 30), st.integers(3, 17),
       st.sampled_from([SmoothOptions(window_px=5), SmoothOptions(window_px=3, fraction=1),
                        SmoothOptions(method="median", window_px=3),
                        SmoothOptions(method="edge", window_px=3, iterations=2)]))  # fmt: skip
def test_blocks_with_their_margin_give_the_whole_raster(seed, height, width, block_px, options):
    rng = np.random.default_rng(seed)
    proba, guide = make_proba(rng, height, width), rng.random((2, height, width)).astype(np.float32)
    whole = smooth_proba(proba, options, legend=LEGEND, guide=guide)
    for window in split_blocks((height, width), block_px):
        outer = window.pad(options.halo_px).clip((height, width))
        at = (slice(None), *outer.slices)
        part = smooth_proba(proba[at], options, legend=LEGEND, guide=guide[at])
        top, left = window.row - outer.row, window.col - outer.col
        np.testing.assert_array_equal(part[:, top : top + window.height, left : left + window.width],
                                      whole[(slice(None), *window.slices)])  # fmt: skip


@pytest.mark.parametrize("method", ["bayes", "median", "edge"])
def test_classes_sum_to_one_and_nodata_stays_nodata(rng, method):
    proba = make_proba(rng, 40, 50)
    guide = rng.random((1, 40, 50)).astype(np.float32)
    smoothed = smooth_proba(proba, SmoothOptions(method=method, window_px=5), legend=LEGEND, guide=guide)
    np.testing.assert_array_equal(np.isnan(smoothed), np.isnan(proba))
    np.testing.assert_allclose(smoothed.sum(axis=0)[~np.isnan(proba[0])], 1, atol=1e-5)


def test_median_is_that_of_the_valid_pixels(rng):
    proba = make_proba(rng, 9, 9)
    medians = np.nanmedian(proba[:, 2:5, 3:6].reshape(3, -1), axis=1)
    if np.isnan(proba[0, 3, 4]):
        proba[:, 3, 4] = (0.2, 0.3, 0.5)
        medians = np.nanmedian(proba[:, 2:5, 3:6].reshape(3, -1), axis=1)
    np.testing.assert_allclose(smooth_median(proba, window_px=3)[:, 3, 4], medians / medians.sum(), rtol=1e-5)


def test_a_lonely_pixel_takes_the_class_around_it():
    proba = np.full((3, 11, 11), 0.1, dtype=np.float32)
    proba[0] = 0.8
    proba[:, 5, 5] = (0.35, 0.6, 0.05)
    for method in ("bayes", "median"):
        assert smooth_proba(proba, SmoothOptions(method=method), legend=LEGEND)[:, 5, 5].argmax() == 0


def test_edges_of_the_imagery_stop_the_mean_field():
    proba = np.full((2, 9, 12), 0.5, dtype=np.float32)
    proba[0, :, :5], proba[1, :, :5] = 0.9, 0.1
    proba[0, :, 6:], proba[1, :, 6:] = 0.2, 0.8
    guide = np.zeros((1, 9, 12), dtype=np.float32)
    guide[:, :, 6:] = 1  # column 5 looks like the left side
    smoothed = smooth_edges(proba, guide, options=SmoothOptions(method="edge", window_px=5))
    assert (smoothed[0, :, :6] > 0.7).all()
    assert (smoothed[1, :, 6:] > 0.8).all()


def test_network_without_needless_comparisons_finds_the_highest(rng):
    values = rng.integers(0, 40, (49, 300))
    for a, b in network(49, 25):
        values[a], values[b] = np.maximum(values[a], values[b]), np.minimum(values[a], values[b])
    assert (values[:25].min(axis=0) >= values[25:].max(axis=0)).all()
    assert len(network(49, 25)) < len(network(49))


def test_smoothness_by_class_is_checked():
    options = SmoothOptions(smoothness={"Forest": 3, "Crop": 4, "Water": 5})
    assert options.smoothness_of(LEGEND).tolist() == [3, 4, 5]
    with pytest.raises(MapError, match="not for 'Water'"):
        SmoothOptions(smoothness={"Forest": 3, "Crop": 4}).smoothness_of(LEGEND)
    with pytest.raises(LegendError, match="did you mean 'Forest'"):
        SmoothOptions(smoothness={"Forests": 3}).smoothness_of(LEGEND)


def test_wrong_numbers_are_named():
    with pytest.raises(ValidationError, match="window_px is 4; give an odd number"):
        SmoothOptions(window_px=4)
    with pytest.raises(ValidationError, match="smoothness is -1"):
        SmoothOptions(smoothness=-1)
    with pytest.raises(MapError, match="got none; give the imagery"):
        smooth_proba(np.ones((3, 5, 5), dtype=np.float32), SmoothOptions(method="edge"), legend=LEGEND)
    with pytest.raises(MapError, match="does not lie on"):
        smooth_edges(np.ones((3, 5, 5), np.float32), np.ones((1, 5, 6), np.float32), options=SmoothOptions(method="edge"))
