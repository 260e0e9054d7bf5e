from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.covers import COVERS, INDEX, LEGEND
from landweave.simulate.landcover import Land, Setting, make_land, make_setting


def test_every_cover_belongs_to_a_class_and_every_class_has_a_cover() -> None:
    assert {cover.code for cover in COVERS} == set(LEGEND.codes)
    assert len(INDEX) == len(COVERS)


@pytest.mark.parametrize("seed", [1, 2])
def test_class_shares_are_those_of_a_temperate_lowland(seed: int) -> None:
    classes = make_land(make_setting((160, 160), 10.0, seed), seed).classes
    share = {c.name: float((classes == c.code).mean()) for c in LEGEND}
    assert 0.005 < share["water"] < 0.15
    assert 0.01 < share["wetland"] < 0.1
    assert 0.1 < share["forest broadleaf"] + share["forest conifer"] < 0.5
    assert 0.25 < share["grassland"] + share["cropland winter"] + share["cropland summer"] < 0.8
    assert 0.01 < share["built-up"] < 0.25


def test_land_is_the_same_for_the_same_seed_and_another_for_another(setting: Setting, land: Land) -> None:
    again = make_land(make_setting(setting.domain.shape, 10.0, 3), 3)
    assert np.array_equal(again.cover, land.cover)
    assert np.array_equal(again.unit, land.unit)
    other = make_land(make_setting((80, 80), 10.0, 4), 4)
    assert not np.array_equal(other.cover, make_land(make_setting((80, 80), 10.0, 5), 5).cover)


def test_a_unit_holds_one_cover(land: Land) -> None:
    low, high = np.full(land.unit.max() + 1, 255), np.zeros(land.unit.max() + 1, dtype=int)
    np.minimum.at(low, land.unit.ravel(), land.cover.ravel())
    np.maximum.at(high, land.unit.ravel(), land.cover.ravel())
    assert land.unit.min() == 0
    assert np.array_equal(low, high)


def test_forests_stand_higher_and_steeper_than_fields(setting: Setting, land: Land) -> None:
    woods, fields = np.isin(land.classes, (3, 4)), np.isin(land.classes, (7, 8))
    assert setting.slope[woods].mean() > 2 * setting.slope[fields].mean()


def test_wetlands_lie_low_and_near_water(setting: Setting, land: Land) -> None:
    wet = land.classes == 2
    assert setting.above[wet].mean() < 0.5 * setting.above.mean()
    assert setting.from_water_px[wet].mean() < setting.from_water_px.mean()


def test_towns_lie_on_roads(setting: Setting, land: Land) -> None:
    built = land.cover == INDEX["suburb"]
    assert setting.from_road_px[built].mean() < setting.from_road_px.mean()
