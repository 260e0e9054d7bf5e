from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import LegendError
from landweave.label import crosswalk_between, make_crosswalk
from landweave.legend import Legend, get_nomenclature, list_nomenclatures


def test_published_crosswalk_shares_uncertain_classes():
    walk = crosswalk_between("dynamic-world", "esa-worldcover")
    trees = dict(zip(walk.target.names, walk.shares[walk.source.index_of("Trees")], strict=True))
    assert {k: v for k, v in trees.items() if v} == {"Tree cover": 0.5, "Mangroves": 0.5}
    assert walk.n_candidates["Crops"] == 1


def test_reversed_crosswalk_gives_all_that_name_the_class():
    walk = crosswalk_between("esa-worldcover", "dynamic-world")
    mangroves = walk.shares[walk.source.index_of("Mangroves")]
    assert {walk.target.names[i] for i in np.flatnonzero(mangroves)} == {"Trees", "Flooded vegetation"}


def test_a_way_is_found_through_a_third_nomenclature():
    walk = crosswalk_between("mapbiomas", "dynamic-world")
    assert walk.source.names == get_nomenclature("mapbiomas").legend.names
    assert walk.shares.sum(axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize("key", [k for k in list_nomenclatures() if k != "esa-worldcover"])
def test_every_nomenclature_leads_to_worldcover(key):
    totals = crosswalk_between(key, "esa-worldcover").shares.sum(axis=1)
    assert set(np.round(totals, 9)) <= {0.0, 1.0}
    assert totals.sum() > 0


def test_codes_without_meaning_have_no_vote():
    walk = crosswalk_between("esa-worldcover", "esa-worldcover")
    votes = walk.to_shares(np.array([[10, 255], [11, -1]]))
    assert votes.shape == (len(walk.target), 2, 2)
    assert votes.sum(axis=0).tolist() == [[1, 0], [0, 0]]


def test_crosswalks_by_hand():
    a, b = Legend.from_names(["x", "y", "z"]), Legend.from_names(["p", "q"])
    walk = make_crosswalk(a, b, {"x": "p", "y": {"p": 3, "q": 1}})
    assert walk.shares.tolist() == [[1, 0], [0.75, 0.25], [0, 0]]
    with pytest.raises(LegendError, match=r"share of 'p' in 'x' is 0; shares are positive"):
        make_crosswalk(a, b, {"x": {"p": 0}})
    with pytest.raises(LegendError, match="no class named 'w'"):
        make_crosswalk(a, b, {"w": "p"})


def test_no_way_says_where_the_source_leads():
    from landweave.legend import Nomenclature

    alone = Nomenclature("mine", "Mine", "me", Legend.from_names(["a"]))
    with pytest.raises(LegendError, match="'mine' leads to none; make one with make_crosswalk"):
        crosswalk_between(alone, "corine")
