"""A source's options are checked before any file is opened."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from landweave.imagery import SourceOptions


def test_one_path_is_a_list_of_one():
    assert SourceOptions(paths=Path("a.tif")).paths == ("a.tif",)
    assert SourceOptions(paths=["a.tif", Path("b.tif")]).paths == ("a.tif", "b.tif")


def test_lists_from_yaml_are_taken():
    options = SourceOptions.model_validate(
        {"paths": "a.tif", "layers": ["red", None], "date": date(2020, 1, 1), "valid_range": {"red": [0, 1]}}
    )
    assert options.layers == ("red", None)
    assert options.date == date(2020, 1, 1)
    assert options.valid_range == {"red": (0, 1)}


@pytest.mark.parametrize(("given", "message"), [
    ({}, "neither `paths` nor `table` nor `catalogue` is given"),
    ({"sensor": "sentinel2"}, "no sensor named 'sentinel2'"),
    ({"crs": "EPSG:nonsense"}, "cannot read a crs from 'EPSG:nonsense'"),
    ({"pattern": "{band"}, "without its partner"),
    ({"static": True, "date": "2020-01-01"}, "`static: true` means that the files have no date"),
    ({"mask_band": "clouds"}, "mask_band is 'clouds' and mask_clear is None; give both"),
    ({"layers": ["red"], "layer_dates": ["2020-01-01"]}, "give one of them"),
    ({"valid_range": {"red": [1, 0]}}, r"valid_range of red is \[1.0, 0.0\]; give the lower value first"),
    ({"band": "red"}, "Extra inputs are not permitted"),
])  # fmt: skip
def test_contradiction_says_what_to_do(given, message):
    paths = {} if not given else {"paths": "a.tif"}
    with pytest.raises(ValidationError, match=message):
        SourceOptions.model_validate(paths | given)


def test_every_option_is_described():
    assert all(f.description for f in SourceOptions.model_fields.values())
