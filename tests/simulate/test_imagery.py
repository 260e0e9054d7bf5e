from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from landweave.grid import Window, split_blocks
from landweave.simulate.imagery import OPTICAL_BANDS, View, optical_sky, plan_dates, render_optical, render_radar

DAY = date(2023, 6, 7)
SHAPE = (200, 190)


def _render(view: View, block_px: int, *, radar: bool = False, cover_pct: float = 25) -> np.ndarray:
    windows = split_blocks(SHAPE, block_px)
    blocks = render_radar(view, DAY, windows) if radar else render_optical(
        view, DAY, optical_sky(view, DAY, cover_pct, True), windows
    )  # fmt: skip
    parts = list(blocks)
    whole = np.zeros((len(parts[0][1]), *SHAPE), dtype=parts[0][1].dtype)
    for window, data in parts:
        whole[(slice(None), *window.slices)] = data
    return whole


@pytest.fixture(scope="module")
def optical(view: View) -> np.ndarray:
    return _render(view, 256)


@pytest.mark.parametrize("block_px", [64, 101])
def test_block_size_changes_no_optical_pixel(view: View, optical: np.ndarray, block_px: int) -> None:
    assert np.array_equal(_render(view, block_px), optical)


def test_block_size_changes_no_radar_pixel(view: View) -> None:
    assert np.array_equal(_render(view, 77, radar=True), _render(view, 256, radar=True))


def test_blocks_may_come_in_any_order(view: View, optical: np.ndarray) -> None:
    sky = optical_sky(view, DAY, 25, True)
    window, data = next(render_optical(view, DAY, sky, iter([Window(64, 50, 40, 30)])))
    assert np.array_equal(data, optical[(slice(None), *window.slices)])


def test_pixels_that_the_mask_calls_cloud_are_bright(optical: np.ndarray) -> None:
    blue, mask = optical[OPTICAL_BANDS.index("blue")], optical[-1]
    assert np.median(blue[mask == 9]) > 4 * np.median(blue[np.isin(mask, (4, 5))])


def test_shadows_are_darker_than_what_lies_in_the_sun(optical: np.ndarray) -> None:
    nir, mask = optical[OPTICAL_BANDS.index("nir")].astype(float), optical[-1]
    assert np.median(nir[mask == 3]) < 0.7 * np.median(nir[mask == 4])


def test_beyond_the_swath_all_bands_are_nodata_and_nowhere_else(optical: np.ndarray) -> None:
    unseen = optical[-1] == 0
    assert 0 < unseen.mean() < 0.9
    assert (optical[:, unseen] == 0).all()
    assert (optical[:, ~unseen] > 0).all()


def test_water_is_darkest_in_the_near_infrared(view: View) -> None:
    clear = _render(view, 256, cover_pct=0)
    nir, seen = clear[OPTICAL_BANDS.index("nir")], clear[-1] > 0
    assert np.median(nir[view.water & seen]) < 0.4 * np.median(nir[~view.water & seen])


def test_slopes_that_face_the_sun_are_brighter(view: View) -> None:
    flat = replace(view.layers, slope_x=np.zeros_like(view.layers.slope_x), slope_y=np.zeros_like(view.layers.slope_y))
    lit, even = (_render(v, 256, cover_pct=0)[6].astype(float) for v in (view, replace(view, layers=flat)))
    seen = (even > 0) & (np.abs(view.layers.slope_x) + np.abs(view.layers.slope_y) > 0.1)
    # the sun stands in the south-east: slopes that fall towards the right and downwards face it
    faces = (view.layers.slope_x < 0) & (view.layers.slope_y < 0)
    assert (lit / np.maximum(even, 1))[seen & faces].mean() > (lit / np.maximum(even, 1))[seen & ~faces].mean() + 0.03


def test_dates_increase_and_lie_in_the_year() -> None:
    for count in (1, 6, 12, 36, 54, 72):
        dates = plan_dates(2023, count, 1, "sentinel-2-l2a")
        assert len(dates) == count
        assert all(a < b for a, b in pairwise(dates))
        assert {d.year for d in dates} == {2023}
