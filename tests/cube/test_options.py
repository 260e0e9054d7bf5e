from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from landweave.cube import CubeOptions
from landweave.cube.options import default_resampling


@pytest.mark.parametrize(("given", "message"), [
    ({"crs": "EPSG:99999"}, "give an EPSG code such as"),
    ({"resolution": 0}, "give a positive pixel size"),
    ({"resolution": {"s1": -20}}, "give a positive pixel size"),
    ({"bounds": (10, 0, 5, 8)}, "is the axis order swapped"),
    ({"bounds": (0, 0, 5, 8), "bbox": (0, 0, 1, 1)}, "keep one"),
    ({"like": Path("a.tif"), "resolution": 10}, "leave out crs and resolution"),
    ({"start": "2020-02-01", "end": "2020-01-01"}, "start 2020-02-01 is after end 2020-01-01"),
    ({"period_days": 16, "steps": ("2020-01-01", "2020-02-01")}, "keep one"),
    ({"steps": ("2020-02-01", "2020-01-01")}, "in increasing order"),
    ({"resolutoin": 10}, "Extra inputs are not permitted"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CubeOptions(**given)


def test_every_option_is_described() -> None:
    assert all(field.description for field in CubeOptions.model_fields.values())


def test_defaults_of_resampling_follow_kind_and_ratio() -> None:
    assert default_resampling("mask", 4) == default_resampling("other", 0.5) == "nearest"
    assert (default_resampling("reflectance", 0.5), default_resampling("reflectance", 2)) == ("bilinear", "average")
