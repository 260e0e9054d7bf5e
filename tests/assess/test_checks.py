"""What is looked at before numbers are believed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from landweave.assess import assess_map
from landweave.assess.checks import check_independence, check_map
from landweave.grid import make_geobox
from landweave.types import Design, StratumInfo


def _checks(assessment):
    return {check.name: check for check in assessment.checks}


def test_failed_checks_become_warnings(product, draw_simple):
    a = assess_map(product, draw_simple(20))
    assert a.warnings == [c.message for c in a.checks if not c.passed]
    assert "Fewer than 25 samples are mapped as" in _checks(a)["sample size"].message


def test_a_good_sample_passes_every_check(product, draw_stratified):
    samples = draw_stratified(product)
    a = assess_map(product, samples, training=samples.select(np.zeros(120, dtype=bool)))
    assert all(check.passed for check in a.checks)
    assert a.warnings == []


def test_rows_that_are_missing_from_the_draw_are_counted(product, draw_stratified):
    samples = draw_stratified(product)
    check = _checks(assess_map(product, samples.select(np.arange(5, 120))))["complete"]
    assert not check.passed
    assert "drew 120 units, but the reference has 115 rows" in check.message


def test_a_design_over_another_extent_is_said(product, draw_simple):
    design = Design(kind="simple", strata=(StratumInfo(name="all", size_px=9600, area_ha=96, n_drawn=200),))
    check = _checks(assess_map(product, replace(draw_simple(), design=design)))["extent"]
    assert not check.passed
    assert "The design covers 96 ha, the map's classes 48 ha" in check.message


def test_pixels_of_unequal_size_are_said(product):
    wide = replace(product, geobox=make_geobox((0, 40, 32, 64), "EPSG:4326", 0.4))
    evidence = SimpleNamespace(design=Design(kind="simple"), mapped_ha=np.array([48.0]))
    check = check_map(wide, evidence)[0]
    assert check.name == "pixel area"
    assert "Pixels differ by 7" in check.message  # cos 40 / cos 64 = 1.75


@pytest.mark.parametrize(
    ("n", "buffer_m", "passed", "said"),
    [
        (None, 0, False, "was not checked, because no training rows were given"),
        (0, 0, True, "None of the 50 reference rows trained the model."),
        (0, 30, True, "or lie within 30 m of a row that did"),
        (4, 0, False, "4 of 50 reference rows trained the model; they were asked for by name"),
    ],
)
def test_independence_is_told_in_a_sentence(n, buffer_m, passed, said):
    check = check_independence(n, 50, buffer_m)
    assert check.passed == passed
    assert said in check.message
