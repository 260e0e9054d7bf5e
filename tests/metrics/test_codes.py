"""Joint counts of codes."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics.codes import CodeCounter, count_codes
from landweave.metrics.confusion import count_confusion


@pytest.mark.parametrize("n", [0, 1, 1000, 1001])
def test_counts_are_those_of_numpy(rng, n):
    a, b = rng.integers(0, 256, (2, n), dtype=np.uint8)
    expected = np.bincount(a.astype(int) * 256 + b, minlength=65536).reshape(256, 256)
    assert np.array_equal(count_codes(a, b), expected)


def test_matrix_of_chosen_codes_leaves_nodata_and_unsure_out(rng):
    codes = np.array([10, 20, 254, 255], dtype=np.uint8)
    a, b = codes[rng.integers(0, 4, (2, 30, 40))]
    counter = CodeCounter()
    counter.update(a, b)
    index = np.full(256, -1)
    index[[10, 20]] = 0, 1
    assert np.array_equal(counter.result([10, 20]), count_confusion(index[a], index[b], 2))


def test_blocks_and_workers_add_up(rng):
    a, b = rng.integers(0, 5, (2, 40, 30), dtype=np.uint8)
    first, second = CodeCounter(), CodeCounter()
    first.update(a[:13], b[:13])
    second.update(a[13:, ::1], b[13:])
    first.merge(second)
    assert np.array_equal(first.counts, count_codes(a, b))


def test_other_dtypes_are_refused_with_the_function_that_takes_them():
    with pytest.raises(AssessmentError, match="use count_confusion"):
        count_codes(np.zeros(3, dtype=np.int16), np.zeros(3, dtype=np.uint8))


def test_shapes_must_agree():
    with pytest.raises(AssessmentError, match="two rasters on one grid"):
        count_codes(np.zeros(3, dtype=np.uint8), np.zeros(4, dtype=np.uint8))


@pytest.mark.parametrize("codes", [[1, 1], [300], [-1]])
def test_codes_that_name_no_class_are_refused(codes):
    with pytest.raises(AssessmentError, match=r"each code 0\.\.255 once"):
        CodeCounter().result(codes)
