"""Intervals that do not follow from the standard error."""

from __future__ import annotations

import pytest

from landweave.assess import AssessOptions, assess_counts, assess_map

OLOFSSON = """map,a,b,c,d,mapped_area_px
a,66,0,5,4,200000
b,0,55,8,12,150000
c,1,0,153,11,3200000
d,2,1,9,313,6450000
"""


@pytest.mark.parametrize("method", ["bootstrap", "jeffreys", "midp"])
def test_every_figure_lies_in_its_interval_near_the_normal_one(product, draw_stratified, method):
    samples = draw_stratified(product)
    plain = assess_map(product, samples)
    made = assess_map(product, samples, options=AssessOptions(interval=method, area_interval=method))
    assert (made.intervals.method, made.intervals.area_method) == (method, method)
    for a, b in zip(made.areas, plain.areas, strict=True):
        assert a.lower_ha < a.area_ha < a.upper_ha
        assert a.ci95_ha == b.ci95_ha
        # jeffreys is the wider one where few errors were seen
        assert 1.4 * b.ci95_ha < a.upper_ha - a.lower_ha < 4 * b.ci95_ha
    assert all(c.users.lower <= c.users.value <= c.users.upper for c in made.classes)


def test_jeffreys_reaches_farther_up_where_large_strata_may_hide_a_rare_class(tmp_path):
    (tmp_path / "counts.csv").write_text(OLOFSSON)
    made = assess_counts(tmp_path / "counts.csv", pixel_area_m2=900, options=AssessOptions(area_interval="jeffreys"))
    gain = made.areas[1]
    # none of 165 samples of class c was gain, but that does not exclude it
    assert gain.upper_ha > gain.area_ha + 1.3 * gain.ci95_ha
    assert round(gain.ci95_ha) == 3756


def test_the_bootstrap_repeats_with_its_seed(product, draw_simple):
    a, b = (assess_map(product, draw_simple(), options=AssessOptions(interval="bootstrap", seed=3)) for _ in range(2))
    assert a == b


def test_designs_without_such_strata_get_logit_ends(product, draw_simple):
    samples = draw_simple(kind="cluster", psu=[str(i // 5) for i in range(200)])
    midp, logit = (assess_map(product, samples, options=AssessOptions(interval=m)) for m in ("midp", "logit"))
    assert midp.overall_accuracy.lower == logit.overall_accuracy.lower
    assert midp.intervals.method == "logit"
