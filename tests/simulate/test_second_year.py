from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.landcover import Land, Setting
from landweave.simulate.second_year import find_change, next_year


@pytest.fixture(scope="module")
def after(setting: Setting, land: Land) -> Land:
    return next_year(setting, land, change_pct=3.0, seed=3, year=2024)


def test_the_stated_share_of_land_changes(land: Land, after: Land) -> None:
    assert find_change(land.classes, after.classes).mean() == pytest.approx(0.03, abs=0.002)


def test_no_change_is_asked_for_and_none_happens(setting: Setting, land: Land) -> None:
    same = next_year(setting, land, change_pct=0.0, seed=3, year=2024)
    assert not find_change(land.classes, same.classes).any()
    assert (same.cover != land.cover).mean() > 0.05  # crops rotate all the same


def test_rotation_is_no_change() -> None:
    before, after = np.array([7, 8, 7, 6], dtype=np.uint8), np.array([8, 7, 9, 6], dtype=np.uint8)
    assert find_change(before, after).tolist() == [False, False, True, False]


def test_water_stays_and_towns_only_grow(land: Land, after: Land) -> None:
    assert np.array_equal(land.classes == 1, after.classes == 1)
    built = land.classes == 9
    assert (after.classes[built] == 9).all()
    assert (after.classes == 9).sum() > built.sum()


def test_towns_grow_near_towns(setting: Setting, land: Land, after: Land) -> None:
    new = (after.classes == 9) & (land.classes != 9)
    assert setting.town[new].mean() > 2 * setting.town[land.classes != 9].mean()


def test_felling_turns_woods_bare_or_to_shrubs(land: Land, after: Land) -> None:
    lost = np.isin(land.classes, (3, 4)) & ~np.isin(after.classes, (3, 4))
    assert lost.any()
    assert np.isin(after.classes[lost], (5, 10)).mean() > 0.5
    assert set(np.unique(after.classes[lost])) <= {5, 9, 10}  # towns grow into woods too


def test_units_follow_the_new_covers(after: Land) -> None:
    first = np.zeros(after.unit.max() + 1, dtype=int)
    first[after.unit.ravel()] = after.cover.ravel()
    assert np.array_equal(first[after.unit], after.cover)
