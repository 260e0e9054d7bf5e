"""From drawn places to labels: nothing of the map is shown, and votes come back to their places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from landweave.errors import SampleError
from landweave.legend import Legend
from landweave.samples import DrawOptions, Strata, collect_answers, draw_design, hide_map, number_places
from landweave.samples.interpreting import Votes, majority_vote

LEGEND = Legend.from_names(["forest", "crop", "water"])


@pytest.fixture
def drawn(geobox):
    codes = np.ones((40, 50), dtype=np.uint8)
    codes[:, 25:40], codes[:, 40:] = 2, 3
    made = draw_design(Strata(codes, geobox), options=DrawOptions(n=30, allocation="equal"), legend=LEGEND)
    return number_places(made, seed=4)


def answer(places, labels, labeller="anna", **more):
    return pd.DataFrame({"place": places, "class": labels, "labeller": labeller, **more})


def test_interpreters_see_places_and_blanks_and_nothing_of_the_map(drawn):
    shown = hide_map(drawn)
    assert set(shown.columns) == {"place", "lon", "lat", "class", "alternate", "confidence", "labeller", "comment", "geometry"}
    assert shown["class"].isna().all()
    assert shown["place"].tolist() == list(range(1, 31))
    assert shown.crs.to_epsg() == 4326


def test_the_order_says_nothing_of_the_strata(drawn):
    strata = drawn.frame.sort_values("place")["stratum"].tolist()
    # sorted by stratum or by place on the ground there would be 2 changes; by chance about 20
    assert sum(a != b for a, b in pairwise(strata)) > 10
    assert hide_map(drawn).geometry.x.is_monotonic_increasing is False


def test_a_single_interpreters_labels_come_back_to_their_places(drawn):
    truth = drawn.frame.set_index("place")["stratum"]
    made, remarks = collect_answers(drawn, answer(truth.index, truth.str.upper()))
    assert (made.frame["class"] == made.frame["stratum"]).all()
    assert (made.frame["labeller"] == "anna").all()
    assert made.design == drawn.design
    assert remarks == []


def test_the_majority_wins_and_the_runner_up_is_the_alternate(drawn):
    given = pd.concat([answer([7], [c], who) for who, c in (("a", "crop"), ("b", "forest"), ("c", "crop"))])
    row = collect_answers(drawn, given)[0].frame.set_index("place").loc[7]
    assert (row["class"], row["alternate"], row["labeller"]) == ("crop", "forest", "a, b, c")
    assert row[["share:forest", "share:crop", "share:water"]].tolist() == pytest.approx([1 / 3, 2 / 3, 0])


def test_ties_and_silence_leave_places_without_a_label_and_are_told(drawn):
    made, remarks = collect_answers(drawn, pd.concat([answer([3], ["crop"], "a"), answer([3], ["water"], "b")]))
    assert made.frame["class"].isna().all()
    assert remarks[0].startswith("29 of 30 places have no answer yet: 1, 2, 4")
    assert remarks[1] == "1 of 30 places have answers that do not agree on a class: 3"


def test_an_interpreters_own_alternate_is_kept(drawn):
    made = collect_answers(drawn, answer([1, 2], ["crop", "crop"], alternate=["forest", "crop"]))[0]
    assert made.frame.set_index("place").loc[[1, 2], "alternate"].tolist()[0] == "forest"
    assert made.frame.set_index("place")["alternate"].isna().loc[2]


def test_a_consensus_of_the_callers_choice_decides(drawn):
    def swapped(v):
        return majority_vote(Votes(v.place, v.labeller, 2 - v.class_index, v.n_places, v.n_labellers, v.n_classes))

    made = collect_answers(drawn, answer([1], ["water"]), consensus=swapped)[0]
    assert made.frame.set_index("place").loc[1, "class"] == "forest"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (answer([99], ["crop"]), "answers for place 99 and 0 more that the design does not have"),
        (answer([1], ["forrest"]), "answered 'forrest', which is no class; did they mean 'forest'"),
        (answer([1, 1], ["crop", "water"]), "labeller 'anna' answered place 1 twice"),
        (answer([1], [None]), "none of the 1 rows of answers has a class"),
    ],
)
def test_answers_that_do_not_fit_are_refused(drawn, given, match):
    with pytest.raises(SampleError, match=match):
        collect_answers(drawn, given)


def test_places_need_numbers_before_they_are_shown(geobox):
    with pytest.raises(SampleError, match="the 5 samples have no column 'place'; number them with number_places first"):
        hide_map(draw_design(geobox, options=DrawOptions(kind="simple", n=5)))
