"""One small file per sensor: its bands by common name, with centres, scales, nodata and what they go by in files."""

from landweave.sensors.registry import get_sensor, list_sensors, register_sensor

__all__ = ["get_sensor", "list_sensors", "register_sensor"]
