"""What is measured of segments."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import BandError, GridError
from landweave.features.segment_statistics import segment_features, segment_statistics


def test_statistics_are_means_deviations_and_sizes(rng):
    image = rng.random((2, 4, 6)).astype(np.float32)
    image[0, 0, 0] = np.nan
    labels = np.where(np.arange(6) < 3, 70, 8)[None].repeat(4, axis=0)
    numbers, table = segment_statistics(image, labels)
    assert numbers.tolist() == [8, 70]
    np.testing.assert_allclose(table[1], [np.nanmean(image[0, :, :3]), image[1, :, :3].mean(), np.nanstd(image[0, :, :3]),
                                          image[1, :, :3].std(), 12], rtol=1e-5)  # fmt: skip
    np.testing.assert_array_equal(segment_features(image, labels)[:, 2, 5], table[0])


def test_imagery_on_other_pixels_is_an_error(rng):
    with pytest.raises(GridError, match="does not lie on segments"):
        segment_statistics(rng.random((1, 3, 3)).astype(np.float32), np.zeros((3, 4), dtype=np.int64))


def test_percentiles_are_those_of_numpy_and_empty_segments_have_none(rng):
    image = rng.random((1, 5, 8)).astype(np.float32)
    labels = rng.integers(0, 3, (5, 8))
    image[0][labels == 2] = np.nan
    names = ["min", "p7", "median", "p90", "max"]
    _, table = segment_statistics(image, labels, statistics=names, shapes=[])
    for k in (0, 1):
        np.testing.assert_allclose(table[k], np.percentile(image[0][labels == k].astype(float), [0, 7, 50, 90, 100]), rtol=1e-6)
    assert np.isnan(table[2]).all()


def test_shapes_of_a_square_a_bar_and_a_corner():
    labels = np.full((9, 9), -1)
    labels[:3, :3], labels[8, :], labels[4:6, 4], labels[5, 5] = 0, 1, 2, 2
    shapes = ["area_px", "perimeter_px", "compactness", "elongation", "rectangularity"]
    _, table = segment_statistics(np.zeros((1, 9, 9), np.float32), labels, statistics=[], shapes=shapes)
    np.testing.assert_allclose(table[0], [9, 12, np.pi / 4, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(table[1], [9, 20, 4 * np.pi * 9 / 400, 9, 1], rtol=1e-6)
    np.testing.assert_allclose(table[2][[0, 1, 4]], [3, 8, 0.75], rtol=1e-6)


def test_unknown_measures_are_named():
    with pytest.raises(BandError, match="no statistic of segments is named 'p100'"):
        segment_statistics(np.zeros((1, 2, 2), np.float32), np.zeros((2, 2), np.int64), statistics=["p100"])
