from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from landweave.errors import SampleError
from landweave.legend import LandClass, Legend
from landweave.samples import SampleOptions
from landweave.samples.labels import read_labels, to_label

LEGEND = Legend((LandClass(1, "Forest", "#006400"), LandClass(2, "Water", "#0000ff"), LandClass(7, "Bare soil", "#aaaaaa")))


def labels_of(table, legend=None, **more):
    return read_labels(pd.DataFrame(table), SampleOptions(reference="x.gpkg", **more), legend=legend)


@pytest.mark.parametrize(("value", "label"), [(1.0, "1"), (3, "3"), (" a ", "a"), (None, None), (np.nan, None), ("", None)])
def test_labels_are_written_as_people_write_them(value, label):
    assert to_label(value) == label


def test_labels_make_a_legend_in_sorted_order():
    made = labels_of({"class": ["wheat", "barley", "wheat"]})
    assert made.legend.names == ("barley", "wheat")
    assert made.legend.codes == (1, 2)


def test_whole_numbers_are_labels_and_stay_their_codes():
    made = labels_of({"labels": [4.0, 1.0, 10.0, 2.0]})
    assert made.legend.names == ("1", "2", "4", "10")
    assert made.legend.codes == (1, 2, 4, 10)


def test_labels_match_whatever_their_case_and_dashes():
    assert list(labels_of({"Class": ["bare_soil", "FOREST"]}, LEGEND).names) == ["Bare soil", "Forest"]


def test_codes_match_the_legend():
    assert list(labels_of({"class": [7, 1]}, LEGEND).names) == ["Bare soil", "Forest"]


def test_a_misspelt_class_is_an_error_that_suggests():
    with pytest.raises(SampleError, match=r"'Forrest' \(2 rows, did you mean 'Forest'\?\).*exclude"):
        labels_of({"class": ["Forrest", "Forrest", "Water"]}, LEGEND)


def test_the_class_mapping_renames_labels():
    made = labels_of({"class": ["F", "W"]}, LEGEND, classes={"F": "Forest", "W": "Water"})
    assert list(made.names) == ["Forest", "Water"]


def test_rows_without_label_and_excluded_classes_have_a_reason():
    made = labels_of({"class": ["a", None, "0", "b"]}, unlabelled=[0], exclude=["b"])
    assert list(made.names) == ["a", None, None, None]
    assert list(made.reasons) == [None, "has no label", "has no label", "class is excluded by the recipe"]


def test_a_file_whose_rows_all_lack_a_label_is_an_error():
    with pytest.raises(SampleError, match=r"no row of column 'class' has a label.*0 \(2\)"):
        labels_of({"class": [0, 0]}, unlabelled=[0])


def test_a_missing_class_column_is_an_error_that_lists_columns():
    with pytest.raises(SampleError, match=r"no column looks like the class label.*kind_of.*class_column"):
        labels_of({"kind_of": ["a"]})
    with pytest.raises(SampleError, match=r"no column 'clas'; columns are class"):
        labels_of({"class": ["a"]}, class_column="clas")


CONTRADICTORY = {"id": [1, 1, 1, 2, 2, 2, 1], "class": ["forest"] * 3 + ["water"] * 4}


def test_codes_that_contradict_names_are_listed():
    with pytest.raises(SampleError, match=r"row 6: id 1 \(elsewhere forest\) but class 'water'.*prefer"):
        labels_of(CONTRADICTORY)


@pytest.mark.parametrize(("prefer", "last"), [("name", "water"), ("code", "forest")])
def test_prefer_says_which_column_wins(prefer, last):
    made = labels_of(CONTRADICTORY, prefer=prefer)
    assert made.names[6] == last
    assert f"the {prefer} wins: row 6" in made.note


def test_codes_that_agree_become_the_codes_of_the_legend():
    made = labels_of({"id": [5, 5, 5, 2, 2, 2], "class": ["forest"] * 3 + ["water"] * 3})
    assert dict(zip(made.legend.names, made.legend.codes, strict=True)) == {"forest": 5, "water": 2}


def test_a_plain_number_of_features_is_no_code():
    made = labels_of({"id": np.arange(6), "class": ["forest", "water"] * 3})
    assert made.legend.codes == (1, 2)


def test_the_codes_of_the_legend_win_over_the_majority():
    with pytest.raises(SampleError, match=r"row 0: id 2"):
        labels_of({"id": [2, 1], "class": ["Forest", "Forest"]}, LEGEND, code_column="id", name_column="class")


def test_a_reference_may_hold_classes_that_the_map_lacks_but_no_misspelt_ones():
    made = labels_of({"class": ["Forest", "town", "town"]}, LEGEND, purpose="reference")
    assert made.legend.names == ("Forest", "Water", "Bare soil", "town")
    assert len(set(made.legend.codes)) == 4
    with pytest.raises(SampleError, match="did you mean 'Forest'"):
        labels_of({"class": ["Forrest"]}, LEGEND, purpose="reference")
