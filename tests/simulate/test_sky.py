from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from landweave.simulate.sky import Sky, make_sky, sun_position


def _sky(cover_pct: float, *, gap: bool = False, day: date = date(2023, 6, 21)) -> Sky:
    return make_sky((150, 150), 10.0, day, seed=1, latitude_deg=48.6, cover_pct=cover_pct, gap=gap)


def test_the_sun_stands_in_the_south_at_noon_and_higher_in_summer() -> None:
    zenith, azimuth = sun_position(date(2023, 6, 21), 48.6, hour=12.0)
    assert np.rad2deg(zenith) == pytest.approx(48.6 - 23.45, abs=0.1)
    assert np.rad2deg(azimuth) == pytest.approx(180, abs=0.1)
    assert sun_position(date(2023, 12, 21), 48.6)[0] > zenith + 0.6


def test_the_morning_sun_stands_in_the_east() -> None:
    assert 90 < np.rad2deg(sun_position(date(2023, 4, 1), 48.6, hour=9.0)[1]) < 180


def test_shadows_fall_away_from_the_sun() -> None:
    sky = _sky(30)
    towards_sun = np.array([-np.cos(sky.azimuth), np.sin(sky.azimuth)])
    assert np.dot(sky.shadow_shift, towards_sun) < 0


def test_cloud_cover_is_about_what_was_asked() -> None:
    sky = _sky(40)
    m = sky.margin_px // sky.cell_px
    inside = sky.cloud[m:-m, m:-m]
    assert (inside > 0.1).mean() == pytest.approx(0.4, abs=0.12)
    assert _sky(0).cloud.max() == 0


def test_the_swath_ends_only_where_a_gap_is_asked_for() -> None:
    assert np.isinf(_sky(10).swath[2])
    assert np.isfinite(_sky(10, gap=True).swath[2])
