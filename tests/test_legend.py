"""The class legend and the nomenclatures that ship with the package."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import LegendError
from landweave.legend import LandClass, Legend, get_nomenclature, list_nomenclatures, suggest_name

KEYS = list_nomenclatures()
LAND = Legend((LandClass(0, "Water", "#0000ff"), LandClass(7, "Forest", "#00ff00"), LandClass(30, "Soy_Corn", "#ffff00")))


@pytest.mark.parametrize("key", KEYS)
def test_every_nomenclature_defines_each_class_and_states_its_source(key: str) -> None:
    nomenclature = get_nomenclature(key)
    assert nomenclature.title
    assert len(nomenclature.source) > 40
    assert all(c.definition.endswith(".") and len(c.definition) > 20 for c in nomenclature.legend)
    assert len({c.color for c in nomenclature.legend}) == len(nomenclature.legend)


@pytest.mark.parametrize("key", KEYS)
def test_crosswalks_name_classes_that_exist_on_both_sides(key: str) -> None:
    nomenclature = get_nomenclature(key)
    for other, table in nomenclature.crosswalks.items():
        assert set(table) <= set(nomenclature.legend.names)
        targets = get_nomenclature(other).legend.names
        assert all(there and set(there) <= set(targets) for there in table.values())


@pytest.mark.parametrize("key", [k for k in KEYS if k != "esa-worldcover"])
def test_every_class_of_every_nomenclature_leads_to_worldcover(key: str) -> None:
    nomenclature = get_nomenclature(key)
    assert set(nomenclature.crosswalks["esa-worldcover"]) == set(nomenclature.legend.names)


@pytest.mark.parametrize("key", KEYS)
def test_parents_lead_to_a_top_without_a_circle(key: str) -> None:
    nomenclature = get_nomenclature(key)
    groups = {c.parent for c in nomenclature.legend if c.parent}
    assert set(nomenclature.parents) <= groups
    for name in groups:
        seen = [name]
        while seen[-1] in nomenclature.parents:
            seen.append(nomenclature.parents[seen[-1]])
        assert len(seen) == len(set(seen))


@pytest.mark.parametrize(("key", "n_classes"), [
    ("bigearthnet-19", 19), ("corine", 44), ("dynamic-world", 9), ("esa-worldcover", 11), ("eunis", 11), ("fao-lccs", 8),
    ("hcat", 9), ("lcz", 17), ("mapbiomas", 5),
])  # fmt: skip
def test_nomenclatures_have_their_published_number_of_classes(key: str, n_classes: int) -> None:
    assert len(get_nomenclature(key).legend) == n_classes


def test_nomenclatures_are_all_counted_above() -> None:
    assert len(KEYS) == 9


def test_corine_codes_spell_its_three_levels() -> None:
    corine = get_nomenclature("corine")
    top = {c.name: corine.parents[str(c.parent)] for c in corine.legend}
    assert {c.code // 100: top[c.name] for c in corine.legend} == {
        1: "Artificial surfaces", 2: "Agricultural areas", 3: "Forest and semi natural areas", 4: "Wetlands", 5: "Water bodies",
    }  # fmt: skip
    assert len({(c.code // 10, c.parent) for c in corine.legend}) == 15


def test_corine_and_bigearthnet_cross_each_other_both_ways() -> None:
    corine, ben = get_nomenclature("corine"), get_nomenclature("bigearthnet-19")
    there = {(a, b) for a, names in corine.crosswalks["bigearthnet-19"].items() for b in names}
    back = {(a, b) for b, names in ben.crosswalks["corine"].items() for a in names}
    assert there == back
    dropped = {c.code for c in corine.legend if c.name not in corine.crosswalks["bigearthnet-19"]}
    assert dropped == {122, 123, 124, 131, 132, 133, 141, 142, 332, 334, 335, 423}


def test_unknown_nomenclature_lists_what_exists() -> None:
    with pytest.raises(LegendError, match=r"no nomenclature named 'worldcover'; known: .*esa-worldcover"):
        get_nomenclature("worldcover")


@settings(max_examples=30, deadline=None)
@given(codes=st.lists(st.integers(0, 60000), min_size=1, max_size=20, unique=True), seed=st.integers(0, 2**31))
def test_codes_and_indices_turn_into_each_other(codes: list[int], seed: int) -> None:
    reserved = {254, 255} if max(codes) <= 255 else set()
    kept = [c for c in codes if c not in reserved] or [0]
    legend = Legend(tuple(LandClass(c, f"class {c}", "#123456") for c in kept))
    index = np.random.default_rng(seed).integers(-1, len(legend), (5, 7))
    raster = legend.to_codes(index)
    assert raster.dtype == legend.dtype
    assert np.array_equal(legend.to_index(raster), index)


def test_nodata_and_unsure_have_no_class() -> None:
    assert LAND.to_index(np.array([LAND.nodata, LAND.unsure, 7, 9])).tolist() == [-1, -1, 1, -1]


def test_large_codes_make_a_uint16_map() -> None:
    legend = get_nomenclature("corine").legend
    assert (legend.dtype, legend.nodata, legend.unsure) == (np.uint16, 65535, 65534)
    assert (LAND.dtype, LAND.nodata, LAND.unsure) == (np.uint8, 255, 254)


def test_labels_match_whatever_their_case_blanks_and_dashes() -> None:
    matched, unmatched = LAND.match_names(["forest", " soy-corn ", "Watr", "Glacier"])
    assert matched == {"forest": "Forest", " soy-corn ": "Soy_Corn"}
    assert unmatched == {"Watr": "Water", "Glacier": None}


def test_unknown_class_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(LegendError, match=r"no class named 'Forrest' in the legend; did you mean 'Forest'\?"):
        LAND.index_of("Forrest")


def test_suggest_name_stays_silent_where_nothing_is_near() -> None:
    assert suggest_name("zzz", ["Water", "Forest"]) is None


def test_from_names_numbers_from_the_given_code_and_takes_given_colours() -> None:
    legend = Legend.from_names(["a", "b"], first_code=0, colors={"b": "#010203"})
    assert legend.codes == (0, 1)
    assert legend.classes[1].color == "#010203"


def test_dictionaries_round_trip() -> None:
    assert Legend.from_dicts(LAND.to_dicts()) == LAND


@pytest.mark.parametrize(("classes", "message"), [
    ([], "legend has no classes"),
    ([(1, "a", "#000000"), (1, "b", "#000000")], "class code 1 stands twice"),
    ([(1, "a", "#000000"), (2, "a", "#000000")], "class name a stands twice"),
    ([(255, "a", "#000000")], r"class code 255 is not allowed.*254 \(unsure\)"),
    ([(65535, "a", "#000000")], "class code 65535 is not allowed"),
    ([(-1, "a", "#000000")], "class code -1 is not allowed"),
    ([(1, "a", "red")], "colour of class 'a' is 'red'; give it as '#rrggbb'"),
])  # fmt: skip
def test_impossible_legends_are_refused(classes: list[tuple[int, str, str]], message: str) -> None:
    with pytest.raises(LegendError, match=message):
        Legend(tuple(LandClass(*c) for c in classes))


def test_unknown_key_of_a_class_is_named() -> None:
    with pytest.raises(LegendError, match="class 0 has the unknown key 'colour'; known: code, name, color"):
        Legend.from_dicts([{"code": 1, "name": "a", "colour": "#000000"}])
