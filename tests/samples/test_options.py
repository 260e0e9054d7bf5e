from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from landweave.samples import DesignOptions, SampleOptions, SplitOptions


def test_samples_need_one_source():
    with pytest.raises(ValidationError, match=r"either `reference`.*neither is given"):
        SampleOptions()
    with pytest.raises(ValidationError, match=r"both are given"):
        SampleOptions(reference="a.gpkg", series="b.npz")


def test_an_unknown_key_is_an_error():
    with pytest.raises(ValidationError, match=r"max_per_polygn"):
        SampleOptions(reference="a.gpkg", max_per_polygn=3)


def test_labels_of_the_class_mapping_may_be_numbers():
    made = SampleOptions(reference="a.gpkg", classes={1: "water", 2.5: "odd"}, exclude=[3])
    assert made.classes == {"1": "water", "2.5": "odd"}
    assert made.exclude == ("3",)


def test_a_start_after_the_end_is_an_error():
    with pytest.raises(ValidationError, match=r"start 2020-02-01 is not before end 2020-01-01"):
        SampleOptions(reference="a.gpkg", start=date(2020, 2, 1), end=date(2020, 1, 1))


def test_one_date_column_stands_alone():
    with pytest.raises(ValidationError, match=r"date_column 'seen' stands beside"):
        SampleOptions(reference="a.gpkg", date_column="seen", start_column="from")


def test_blocks_have_one_size():
    with pytest.raises(ValidationError, match=r"block_size_m 500 and block_size_deg 0.25 are both given"):
        SplitOptions(block_size_m=500, block_size_deg=0.25)


def test_a_stratified_design_states_its_strata():
    with pytest.raises(ValidationError, match=r"needs `strata`"):
        DesignOptions(kind="stratified")
