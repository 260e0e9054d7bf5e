"""Pictures of partial dependence, and changes of class summed up."""

from __future__ import annotations

import re

import pytest

from landweave.assess.dependence import draw_dependence, summarise_changes
from landweave.assess.explain import ClassChange, PartialDependence

CURVE = PartialDependence(feature="ndvi_t03", values=[0.1, 0.5, 0.9], proba=[[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.2, 0.8, 0.0]])
COLORS = {"dry": "#aa0000", "wet": "#0000aa"}


def test_each_class_has_a_line_in_its_colour_and_those_that_do_not_move_are_thin():
    drawn = draw_dependence(CURVE, ["dry", "wet", "odd"], COLORS)
    lines = re.findall(r'stroke="(#\w+)" stroke-width="([\d.]+)".*?<title>(\w+)</title>', drawn)
    assert lines == [("#aa0000", "2.4", "dry"), ("#0000aa", "2.4", "wet"), ("#777777", "0.9", "odd")]


def test_more_probability_is_higher_up():
    drawn = draw_dependence(CURVE, ["dry", "wet", "odd"], COLORS)
    points = [[float(v) for v in p.split(",")] for p in re.search(r'points="([^"]+)"', drawn)[1].split()]
    assert points[0][1] < points[1][1] < points[2][1]
    assert points[0][0] < points[1][0] < points[2][0]


def test_a_feature_of_one_value_is_a_dot():
    one = PartialDependence(feature="flag", values=[1.0], proba=[[0.5, 0.5]])
    assert draw_dependence(one, ["dry", "wet"], COLORS).count("<circle") == 2


def test_names_from_outside_are_escaped():
    drawn = draw_dependence(CURVE.model_copy(update={"feature": "<b>"}), ["<i>", "wet", "odd"], COLORS)
    assert "<b>" not in drawn
    assert "<i>" not in drawn


@pytest.mark.parametrize(("groups", "told"), [
    (["nir", "nir", None, None], [("a", 4, 0.5, "band", "nir", "b")]), ([None], [("a", 1, 0.0, "", "", "")]), ([], []),
])  # fmt: skip
def test_changes_are_summed_up_by_class(groups, told):
    changes = [ClassChange(row=i, predicted="a", nearest="b", kind="band" if g else None, group=g, becomes="b" if g else None)
               for i, g in enumerate(groups)]  # fmt: skip
    assert summarise_changes(changes, ["a", "c"]) == told
