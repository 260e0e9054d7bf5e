from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.covers import COVERS, INDEX
from landweave.simulate.spectra import Units, YearWeather, endmember, green_fraction, make_units, paint_radar, paint_units

NM = (560.0, 665.0, 833.0, 1614.0)
MEAN_YEAR = YearWeather(0.0, 0.0, 1.0)


@pytest.fixture
def units() -> Units:
    """One typical unit of each cover."""
    zero = np.zeros(len(COVERS), dtype=np.float32)
    return Units(np.arange(len(COVERS), dtype=np.uint8), zero, zero, zero, zero, zero + 0.5, zero)


def _ndvi(units: Units, day: float) -> np.ndarray:
    value = paint_units(units, day, MEAN_YEAR, NM, wet=0.3).value
    return (value[:, 2] - value[:, 1]) / (value[:, 2] + value[:, 1])


def test_endmembers_have_their_known_shapes() -> None:
    nm = np.array(NM)
    leaf, soil, water = (endmember(name, nm) for name in ("herb", "loam", "lake"))
    assert leaf[2] > 8 * leaf[1]
    assert np.all(np.diff(soil) > 0)
    assert np.all(np.diff(water) < 0)


def test_water_is_dark_in_the_near_infrared(units: Units) -> None:
    value = paint_units(units, 190, MEAN_YEAR, NM, wet=0.3).value
    land = [i for i, cover in enumerate(COVERS) if cover.code != 1]
    assert value[INDEX["lake"], 2] < 0.02
    assert value[INDEX["river"], 2] < 0.2 * value[land, 2].min()


def test_forest_is_greener_than_bare_ground(units: Units) -> None:
    ndvi = _ndvi(units, 190)
    assert ndvi[INDEX["broadleaf forest"]] > 0.75
    assert ndvi[INDEX["quarry"]] < 0.25


def test_seasons_set_classes_apart(units: Units) -> None:
    spring, summer, winter = (_ndvi(units, day) for day in (130, 220, 20))
    wheat, maize, beech, fir = (INDEX[n] for n in ("winter wheat", "maize", "broadleaf forest", "conifer forest"))
    assert spring[wheat] > 0.7 > 0.35 > summer[wheat]
    assert summer[maize] > 0.7 > 0.35 > spring[maize]
    assert winter[fir] > winter[beech] + 0.2


def test_a_late_spring_delays_green(units: Units) -> None:
    rows = np.array([INDEX["broadleaf forest"]])
    late = YearWeather(15.0, 0.0, 1.0)
    cover = COVERS[rows[0]]
    assert green_fraction(cover, units, rows, 116, late)[0] < green_fraction(cover, units, rows, 116, MEAN_YEAR)[0] - 0.2


def test_cut_meadows_lose_green_and_grow_back(units: Units) -> None:
    rows = np.array([INDEX["meadow"]])
    before, cut, later = (green_fraction(COVERS[rows[0]], units, rows, day, MEAN_YEAR)[0] for day in (145, 148, 195))
    assert cut < 0.7 * before < later


def test_rapeseed_flowers_yellow(units: Units) -> None:
    value = paint_units(units, 124, MEAN_YEAR, (490.0, 560.0, 665.0), wet=0.3).value
    rape, wheat = value[INDEX["rapeseed"]], value[INDEX["winter wheat"]]
    assert rape[1] > 2 * wheat[1]
    assert rape[1] > 3 * rape[0]


def test_wet_soil_is_darker(units: Units) -> None:
    dry, wet = (paint_units(units, 140, MEAN_YEAR, NM, wet=w).value[INDEX["maize"]] for w in (0.0, 0.9))
    assert np.all(wet < 0.8 * dry)


def test_reflectance_stays_physical(units: Units) -> None:
    for day in range(1, 366, 30):
        value = paint_units(units, day, MEAN_YEAR, NM, wet=0.5).value
        assert 0 <= value.min() <= value.max() < 0.75


def test_parcels_of_a_crop_differ_and_years_too() -> None:
    cover, unit = np.full((20, 20), INDEX["maize"], dtype=np.uint8), np.arange(400, dtype=np.int32).reshape(20, 20)
    value = paint_units(make_units(cover, unit, 1, 2023), 175, MEAN_YEAR, NM, wet=0.3).value
    assert value[:, 2].std() > 0.02
    assert YearWeather.draw(1, 2023) != YearWeather.draw(1, 2024)


def test_radar_tells_water_town_and_wood_apart(units: Units) -> None:
    vv, vh = paint_radar(units, 190, MEAN_YEAR, wet=0.3).value.T
    assert vv[INDEX["lake"]] < vv[INDEX["beet"]] < vv[INDEX["town centre"]]
    assert vh[INDEX["broadleaf forest"]] > vh[INDEX["pasture"]] + 2
