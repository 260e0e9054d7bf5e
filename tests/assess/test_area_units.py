"""Units of area."""

from __future__ import annotations

import pytest

from landweave.assess import assess_map, format_assessment
from landweave.assess.area_units import to_unit
from landweave.errors import AssessmentError


@pytest.mark.parametrize(("unit", "value"), [("ha", 250), ("km2", 2.5), ("m2", 2_500_000), ("acre", 617.763454)])
def test_hectares_in_other_units(unit, value):
    assert to_unit(250, unit) == pytest.approx(value)


def test_an_unknown_unit_lists_those_known():
    with pytest.raises(AssessmentError, match="no unit of area named 'rood'; known: ha, km2, m2, acre"):
        to_unit(1, "rood")


def test_tables_are_printed_in_the_unit_asked_for(product, draw_simple):
    table = format_assessment(assess_map(product, draw_simple()), area_unit="km2")[0]
    assert table.columns[1:3] == ("mapped km2", "estimated km2")
    assert table.rows[-1][1] == "0.48"
