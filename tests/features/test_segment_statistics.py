"""What is measured of segments."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import GridError
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
