"""Estimates as parts of the document."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landweave.assess.tables import make_areas, make_estimate, merge_legends
from landweave.legend import Legend
from landweave.metrics.area import Estimated, estimate_stratified

ABC = Legend.from_names(["a", "b", "c"])


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 30)), arrays(np.float64, 3, elements=st.floats(0.5, 1e7)))
@settings(max_examples=40, deadline=None)
def test_areas_add_up_and_intervals_stay_within_the_total(counts, mapped):
    counts[np.arange(3), np.arange(3)] += 1
    areas = make_areas(ABC, mapped, None, estimate_stratified(counts, mapped).area, None)
    total = mapped.sum()
    assert sum(a.area_ha for a in areas) == pytest.approx(total)
    assert sum(a.mapped_share for a in areas) == pytest.approx(1)
    for a in areas:
        assert 0 <= a.lower_ha <= a.area_ha * (1 + 1e-9)
        assert a.area_ha <= a.upper_ha * (1 + 1e-9) <= total * (1 + 1e-8)
        assert a.ci95_ha > 0
        assert a.ci95_ha == pytest.approx(1.96 * a.se_ha)


def test_an_undefined_figure_is_null_with_its_reason():
    nothing = Estimated(np.array([np.nan]), np.array([np.nan]), np.array([0.0]), np.array([False]))
    e = make_estimate(nothing, 0, method="normal", why="no sample is mapped as 'a'")
    assert (e.value, e.se, e.lower, e.n, e.why) == (None, None, None, 0, "no sample is mapped as 'a'")


def test_a_bound_is_said():
    users = estimate_stratified(np.diag([9, 5]), [1, 1]).users
    e = make_estimate(users, 0, method="normal")
    assert e.value == 1
    assert e.lower == pytest.approx(1 - 1.96**2 / (9 + 1.96**2))
    assert "upper bound" in e.why


def test_without_a_method_there_is_no_interval():
    users = estimate_stratified(np.array([[9, 2], [3, 5]]), [1, 1]).users
    e = make_estimate(users, 1, method=None)
    assert (e.lower, e.upper) == (None, None)
    assert e.se > 0


def test_classes_of_the_reference_alone_come_last_under_free_codes():
    reference = Legend.from_dicts([{"code": 2, "name": "x"}, {"code": 9, "name": "y"}, {"code": 5, "name": "z"}])
    merged = merge_legends(ABC, Legend((*reference.classes, *Legend.from_names(["a"], first_code=50).classes)), {"a", "x", "y"})
    assert merged.names == ("a", "b", "c", "x", "y")
    assert merged.codes == (1, 2, 3, 4, 9)
