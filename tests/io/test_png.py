"""Pictures from arrays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from landweave.io.png import paint, write_png


@pytest.mark.parametrize("depth", [3, 4])
def test_a_picture_is_read_back_as_it_was(tmp_path, rng, depth):
    colors = rng.integers(0, 256, (7, 5, depth)).astype(np.uint8)
    with Image.open(write_png(tmp_path / "a.png", colors)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), colors)


def test_a_wrong_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"uint8 of shape \(y, x, 3\) or \(y, x, 4\), got float64 of \(2, 2, 3\)"):
        write_png(tmp_path / "a.png", np.zeros((2, 2, 3)))


def test_values_take_the_colours_between_the_stops():
    colors = paint(np.array([[-1.0, 0.5, 2.0, np.nan]]), 0.0, 1.0, ("#000000", "#ffffff"))
    assert colors[0, :, 0].tolist() == [0, 128, 255, 0]
    assert colors[0, :, 3].tolist() == [255, 255, 255, 0]
