"""Sensors by name."""

from __future__ import annotations

import pytest

from landweave.errors import SensorError
from landweave.sensors import get_sensor, list_sensors, register_sensor, registry
from landweave.types import Band, Sensor


def test_unknown_sensor_lists_the_known_and_the_near_one():
    with pytest.raises(
        SensorError, match=r"no sensor named 'sentinel2-l2a' \(did you mean sentinel-2-l2a\?\); known sensors: aerial"
    ):
        get_sensor("sentinel2-l2a")


def test_registered_sensor_is_found(monkeypatch):
    monkeypatch.setattr(registry, "_factories", dict(registry._factories))
    register_sensor("mine", lambda: Sensor("mine", "Mine", (Band("red", "reflectance"),), "here"))
    assert get_sensor("mine").get_band("red").kind == "reflectance"
    assert "mine" in [s.name for s in list_sensors()]


def test_name_with_white_space_is_refused():
    with pytest.raises(SensorError, match="'my sensor' is empty or holds white space; name it like"):
        register_sensor("my sensor", lambda: get_sensor("generic"))


def test_a_sensor_is_made_once():
    assert get_sensor("dem") is get_sensor("dem")
