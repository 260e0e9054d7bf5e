"""Corruptions of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from landweave.errors import CubeError
from landweave.features.corruptions import LEVELS, BandRanges, corrupt, is_applicable, list_corruptions

RANGES = BandRanges(np.zeros(2, np.float32), np.array([0.4, 0.8], np.float32), ("reflectance", "reflectance"))


@pytest.fixture
def block(rng) -> np.ndarray:
    """Three dates of two bands, smooth, with a hole: (3, 2, 40, 50)."""
    field = gaussian_filter(rng.standard_normal((3, 2, 40, 50)), (0, 0, 3, 3))
    values = (0.3 + 0.1 * field / field.std()).astype(np.float32)
    values[1, :, 5:9, 10:20] = np.nan
    return values


def _corrupt(values, name, severity=2, *, seed=3, ranges=RANGES):
    return corrupt(values, name, severity=severity, ranges=ranges, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", list_corruptions())
def test_the_same_seed_gives_the_same_values_and_the_input_is_kept(block, name):
    before = block.copy()
    first = _corrupt(block, name)
    assert first.dtype == np.float32
    assert first.shape == block.shape
    assert np.array_equal(first, _corrupt(block, name), equal_nan=True)
    assert np.array_equal(block, before, equal_nan=True)
    assert not np.array_equal(first, block, equal_nan=True)


@pytest.mark.parametrize("name", ["noise", "blur", "stripes", "compression"])
def test_a_higher_severity_changes_more(block, name):
    change = [np.nanmean(np.abs(_corrupt(block, name, s) - block)) for s in (1, 2, 3)]
    assert change == sorted(change)
    assert change[2] > 1.5 * change[0]


@pytest.mark.parametrize("name", ["noise", "blur", "haze", "cloud", "stripes", "compression", "brightness"])
def test_appearance_keeps_nodata_where_it_is(block, name):
    assert np.array_equal(np.isnan(_corrupt(block, name, 3)), np.isnan(block))


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_gaps_take_the_stated_share_of_every_date_and_all_bands_of_a_pixel(block, severity):
    gone = np.isnan(_corrupt(np.nan_to_num(block), "gaps", severity))
    assert gone.mean(axis=(1, 2, 3)) == pytest.approx([LEVELS["gaps"][0][severity - 1]] * 3, abs=0.01)
    assert np.array_equal(gone[:, 0], gone[:, 1])


def test_cloud_is_bright_in_reflectance_and_low_in_an_index(block):
    ranges = BandRanges(RANGES.low, RANGES.high, ("reflectance", "index"))
    changed = _corrupt(block, "cloud", ranges=ranges)
    covered = changed != block
    assert set(np.unique(changed[:, 0][covered[:, 0] & ~np.isnan(block[:, 0])])) == {np.float32(0.4)}
    assert set(np.unique(changed[:, 1][covered[:, 1] & ~np.isnan(block[:, 1])])) == {np.float32(0.0)}


def test_weather_does_not_touch_radar(block):
    ranges = BandRanges(RANGES.low, RANGES.high, ("backscatter", "reflectance"))
    changed = _corrupt(block, "haze", ranges=ranges)
    assert np.array_equal(changed[:, 0], block[:, 0], equal_nan=True)
    assert not is_applicable("haze", ("backscatter", "elevation"))
    assert is_applicable("noise", ("backscatter",))


def test_shift_moves_whole_pixels_and_leaves_nodata_behind(block):
    whole = np.nan_to_num(block)
    moved = _corrupt(whole, "shift", 2)
    known = ~np.isnan(moved)
    assert 0.9 < known.mean() < 1
    assert np.isin(moved[known], whole).all()


def test_rotation_and_scale_keep_the_centre_and_move_the_edge():
    position = np.broadcast_to(np.arange(129, dtype=np.float32), (1, 1, 129, 129)).copy()
    ranges = BandRanges(np.zeros(1, np.float32), np.ones(1, np.float32), ("other",))
    for name, moved_px in (("rotation", 64 * np.sin(np.radians(3))), ("scale", 64 * (1 - 1 / 1.1))):
        changed = _corrupt(position, name, 3, ranges=ranges)
        assert changed[0, 0, 64, 64] == 64
        assert np.nanmax(np.abs(changed - position)) == pytest.approx(moved_px, abs=1)


def test_swapped_bands_are_the_neighbours(block):
    assert np.array_equal(_corrupt(block, "band-swap", 1), block[:, ::-1], equal_nan=True)
    assert not is_applicable("band-swap", ("reflectance",))


def test_wrong_input_is_refused(block):
    with pytest.raises(CubeError, match="known: noise, blur"):
        _corrupt(block, "rain")
    with pytest.raises(CubeError, match="expected 1, 2 or 3"):
        _corrupt(block, "noise", 4)
    with pytest.raises(CubeError, match=r"expected \(time, 2, y, x\)"):
        _corrupt(block[:, :1], "noise")
    with pytest.raises(CubeError, match="one of each per band"):
        BandRanges(RANGES.low, RANGES.high, ("other",))
