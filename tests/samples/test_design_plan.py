"""Plans of draws: allocation by what is expected."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from landweave.errors import SampleError
from landweave.samples import DrawOptions
from landweave.samples.design_plan import make_plan

SIZES = {1: 70_000, 2: 25_000, 3: 5_000}
AREAS = {c: n / 100 for c, n in SIZES.items()}
NAMES = {1: "forest", 2: "crop", 3: "mine"}


def plan(**options):
    return make_plan(SIZES, AREAS, NAMES, DrawOptions(**options))


def test_neyman_follows_size_and_expected_scatter():
    made = plan(n=400, allocation="neyman", expected_accuracy={"forest": 0.98, "crop": 0.7, "mine": 0.5})
    assert sum(made.n) == made.total == 400
    assert made.n[1] > made.n[0]
    assert made.overall_se < plan(n=400, expected_accuracy={"forest": 0.98, "crop": 0.7, "mine": 0.5}).overall_se


def test_neyman_can_serve_the_area_of_one_class():
    def serving(name):
        return plan(n=400, allocation="neyman", neyman_for=name, min_per_stratum=20)

    assert serving("mine").area_se[2] < plan(n=400, allocation="neyman", min_per_stratum=20).area_se[2]


def test_optimal_reaches_the_target_and_equal_does_not_with_as_many():
    made = plan(allocation="optimal", target_se={"mine": 0.004})
    assert made.area_se[2] <= 0.004 < plan(n=made.total, allocation="equal").area_se[2]


def test_a_pilot_sample_changes_what_is_expected():
    made = plan(allocation="optimal", target_se={"mine": 0.004}, expected_shares={"forest": {"forest": 1.0}})
    assert made.n[0] == 2
    assert made.total < plan(allocation="optimal", target_se={"mine": 0.004}).total


def test_a_half_width_gives_the_size():
    for allocation in ("proportional", "neyman", "equal"):
        made = plan(half_width=0.03, allocation=allocation, expected_accuracy={"forest": 0.98, "crop": 0.7, "mine": 0.5})
        assert 1.96 * made.overall_se == pytest.approx(0.03, rel=0.01)
    assert plan(kind="simple", half_width=0.03).total == 683
    assert plan(kind="cluster", half_width=0.03, design_effect=2).total == 1366


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n": 9, "expected_accuracy": {"forrest": 0.9}}, "the stratum 'forrest', which is not there; did you mean 'forest'"),
        ({"n": 9, "expected_accuracy": {"forest": 0.9}}, "expected_accuracy lacks the strata crop, mine"),
        ({"n": 9, "expected_accuracy": 1.0}, "an expected accuracy is 1; give shares between 0 and 1, and not the ends"),
        ({"n": 9, "expected_shares": {"mine": {"mine": 0.4}}}, "expected_shares of 'mine' add up to 0.4; they have to make 1"),
        ({"kind": "simple", "allocation": {"forest": 3}}, "a simple design needs its size; give n or half_width"),
    ],
)
def test_plans_that_cannot_be_are_refused(options, match):
    with pytest.raises(SampleError, match=match):
        plan(**options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "the size of the sample is not given; give n, half_width, or allocation: optimal"),
        ({"n": 5, "half_width": 0.1}, "n 5 and half_width 0.1 are both given"),
        ({"n": 5, "allocation": "optimal"}, "optimal needs a target per class"),
        ({"n": 5, "kind": "simple", "allocation": "neyman"}, "allocation 'neyman' is for strata, but the kind is 'simple'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, match):
    with pytest.raises(ValidationError, match=match):
        DrawOptions(**options)
