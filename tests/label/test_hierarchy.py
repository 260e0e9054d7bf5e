from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import LegendError
from landweave.label import aggregate_index, aggregate_samples, levels_of, score_levels
from landweave.legend import Legend, get_nomenclature

LEGEND = Legend.from_dicts([
    {"code": 1, "name": "beech", "parent": "broadleaf"}, {"code": 2, "name": "spruce", "parent": "needleleaf"},
    {"code": 3, "name": "oak", "parent": "broadleaf"}, {"code": 4, "name": "water"},
])  # fmt: skip
PARENTS = {"broadleaf": "forest", "needleleaf": "forest"}


def test_levels_go_up_to_the_top_and_cover_everything():
    levels = levels_of(LEGEND, parents=PARENTS)
    assert [level.legend.names for level in levels] == [
        ("beech", "spruce", "oak", "water"), ("broadleaf", "needleleaf", "water"), ("forest", "water"),
    ]  # fmt: skip
    assert levels[2].index.tolist() == [0, 0, 0, 1]


def test_corine_has_three_levels():
    assert [len(level.legend) for level in levels_of(get_nomenclature("corine"))] == [44, 15, 5]


def test_a_flat_legend_has_one_level():
    assert len(levels_of(Legend.from_names(["a", "b"]))) == 1


def test_confusing_two_forests_is_no_error_above():
    predicted, reference = np.array([0, 2, 1, 3, -1]), np.array([2, 2, 0, 3, 0])
    scores = score_levels(predicted, reference, levels_of(LEGEND, parents=PARENTS))
    assert [s.overall_accuracy for s in scores] == [0.5, 0.75, 1.0]
    assert scores[2].counts.tolist() == [[3, 0], [0, 1]]


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_accuracy_never_falls_towards_the_top(seed):
    rng = np.random.default_rng(seed)
    scores = score_levels(rng.integers(0, 4, 50), rng.integers(0, 4, 50), levels_of(LEGEND, parents=PARENTS))
    assert np.all(np.diff([s.overall_accuracy for s in scores]) >= 0)
    assert {int(s.counts.sum()) for s in scores} == {50}


def test_nodata_stays_nodata():
    level = levels_of(LEGEND, parents=PARENTS)[1]
    assert aggregate_index(np.array([-1, 2]), level).tolist() == [-1, 0]


def test_samples_take_their_parents(table):
    samples = table(None, np.array([0, 1, 2]), np.zeros((3, 2)))
    legend = Legend.from_dicts([c | {"parent": "land" if c["name"] != "water" else None} for c in samples.legend.to_dicts()])
    made = aggregate_samples(samples, levels_of(legend)[1])
    assert made.frame["class"].tolist() == ["land", "land", "water"]
    with pytest.raises(LegendError, match="joins 4 classes, the samples have 3"):
        aggregate_samples(samples, levels_of(LEGEND)[1])


def test_circles_are_refused():
    with pytest.raises(LegendError, match="are each other's parents"):
        levels_of(LEGEND, parents={"broadleaf": "forest", "forest": "broadleaf"})
