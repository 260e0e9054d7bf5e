"""Gaps, validity and the layout of features."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models.inputs import gather_features, prepare_features, step_days
from landweave.types import ModelInput, Season, SeasonStep

SERIES = ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=3)
STATIC = ModelInput(name="dem", bands=("elevation",), kinds=("elevation",))
NAN = np.nan


def rows(*values):
    return np.array(values, dtype=np.float32)


def test_fill_interpolates_each_band_over_time():
    X, usable = prepare_features(rows([1, 9, NAN, NAN, 3, 5]), [SERIES], missing="fill", min_valid_steps=1)
    np.testing.assert_array_equal(X, [[1, 9, 2, 7, 3, 5]])
    assert usable.all()


def test_fill_follows_the_dates():
    spec = SERIES.model_copy(update={"dates": ("2020-01-01", "2020-01-11", "2020-01-31")})
    X, _ = prepare_features(rows([0, 0, NAN, NAN, 3, 6]), [spec], missing="fill", min_valid_steps=1)
    np.testing.assert_allclose(X, [[0, 0, 1, 2, 3, 6]])


@pytest.mark.parametrize(("missing", "expected"), [("fill", [False, False, True]), ("native", [False, True, True])])
def test_rows_with_too_few_dates_are_not_usable(missing, expected):
    X = rows([NAN] * 6, [1, NAN, 1, NAN, NAN, NAN], [1, 1, 1, 1, NAN, NAN])
    assert prepare_features(X, [SERIES], missing=missing, min_valid_steps=2)[1].tolist() == expected


def test_mask_gives_zeros_and_a_mask():
    X, usable = prepare_features(rows([1, NAN, 2, 3, 4, 5]), [SERIES], missing="mask", min_valid_steps=1)
    np.testing.assert_array_equal(X.reshape(3, 4), [[1, 0, 1, 0], [2, 3, 1, 1], [4, 5, 1, 1]])
    assert usable.all()


def test_a_gap_in_a_static_input_cannot_be_filled():
    _, usable = prepare_features(rows([1, 1, 1, 1, 1, 1, NAN]), [SERIES, STATIC], missing="fill", min_valid_steps=1)
    assert not usable.any()


def test_optional_input_may_be_absent():
    optional = STATIC.model_copy(update={"required": False})
    _, usable = prepare_features(rows([1, 1, 1, 1, 1, 1, NAN]), [SERIES, optional], missing="native", min_valid_steps=1)
    assert usable.all()


def test_wrong_number_of_columns_is_an_error():
    with pytest.raises(ModelError, match="5 columns, the inputs of the model have 6"):
        prepare_features(np.zeros((1, 5), np.float32), [SERIES], missing="fill", min_valid_steps=1)


def test_days_of_a_season_are_the_middles_of_its_steps():
    steps = (SeasonStep(from_day=0, to_day=16), SeasonStep(from_day=16, to_day=64))
    season = Season(start="09-01", length_days=64, steps=steps)
    assert step_days(SERIES.model_copy(update={"season": season})).tolist() == [8, 40]


def test_features_are_laid_out_time_by_time(make_block):
    values = np.arange(3 * 2 * 4 * 5).reshape(3, 2, 4, 5)
    flat, shape = gather_features({"main": make_block(values, halo_px=1)}, [SERIES])
    assert shape == (2, 3)
    np.testing.assert_array_equal(flat[4], values[:, :, 2, 2].ravel())  # second row, second column of the interior


@pytest.mark.parametrize(("row", "col"), [(0, 0), (3, 5)])
def test_a_coarser_input_is_repeated_under_fine_pixels(make_block, row, col):
    fine = make_block(np.zeros((3, 2, 4, 6)), row=row, col=col)
    top, left = row // 2, col // 2
    coarse = np.arange(top, top + 4)[:, None] * 100 + np.arange(left, left + 5)
    blocks = {"main": fine, "dem": make_block(coarse[None], row=top, col=left, pixel=20.0)}
    flat, _ = gather_features(blocks, [SERIES, STATIC])
    expected = (np.arange(row, row + 4)[:, None] // 2) * 100 + np.arange(col, col + 6) // 2
    np.testing.assert_array_equal(flat[:, 6].reshape(4, 6), expected)


def test_missing_block_names_what_there_is(make_block):
    with pytest.raises(ModelError, match="reads the cube 'dem', the block has main"):
        gather_features({"main": make_block(np.zeros((3, 2, 2, 2)))}, [SERIES, STATIC])


def test_block_of_other_steps_is_an_error(make_block):
    with pytest.raises(ModelError, match=r"\(time, band\) = \(4, 2\), the model was trained on \(3, 2\)"):
        gather_features({"main": make_block(np.zeros((4, 2, 2, 2)))}, [SERIES])
