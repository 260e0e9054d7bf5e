from __future__ import annotations

import pytest
from pydantic import ValidationError

from landweave.simulate import SimulateOptions


def test_an_unknown_sensor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="cannot simulate the sensor 'landsat'; choose among sentinel-2-l2a"):
        SimulateOptions(sensors=("landsat",))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="cloudiness"):
        SimulateOptions(cloudiness=3)  # type: ignore[call-arg]


def test_every_option_is_described() -> None:
    assert all(field.description for field in SimulateOptions.model_fields.values())
