"""The paper model of cost."""

from __future__ import annotations

import pytest

from landweave.errors import MapError
from landweave.maps.cost import CostOptions, count_values, estimate_cost


def estimate(**changes):
    given = {"pixel_m": (10.0, 10.0), "values_per_px": 10, "write_bytes_per_px": 4.0,
             "options": CostOptions(rate_mpx_s=0.5, price_per_core_hour=0.1)}  # fmt: skip
    return estimate_cost(10_000, **{**given, **changes})


def test_a_tile_by_hand():
    cost = estimate()
    assert (cost.tiles, cost.pixels) == (1.0, 1e8)
    assert cost.core_hours == pytest.approx(1e8 / 0.5e6 / 3600)
    assert (cost.read_bytes, cost.write_bytes) == (2e9, 4e8)
    assert cost.money == pytest.approx(cost.core_hours * 0.1)


def test_more_dates_cost_no_more_than_reading_them():
    more = estimate(values_per_px=120).core_hours - estimate().core_hours
    assert more == pytest.approx(1e8 * 110 / 110e6 / 3600)


def test_values_of_all_bands_and_dates_are_counted(cubes):
    assert count_values(cubes) == 4  # two bands of two dates


@pytest.mark.parametrize("name", ["rate_mpx_s", "price_per_core_hour", "area_km2"])
def test_numbers_must_be_positive(name):
    with pytest.raises(MapError, match=f"{name} is -1; give a number above 0"):
        CostOptions(**{name: -1})
