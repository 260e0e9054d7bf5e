"""The sensors by name. A sensor is made by a factory, so that a table costs nothing until it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache

from landweave.errors import SensorError
from landweave.sensors import (
    aerial,
    cbers4_awfi,
    copernicus_dem,
    dem,
    enmap_l2a,
    esa_worldcover,
    generic,
    hls,
    landsat_c2_l2,
    modis_mod13q1,
    palsar2_mosaic,
    planetscope,
    prisma_l2d,
    sentinel1_grd,
    sentinel1_rtc,
    sentinel2_l1c,
    sentinel2_l2a,
)
from landweave.types import Sensor

__all__ = ["get_sensor", "list_sensors", "register_sensor"]

_factories: dict[str, Callable[[], Sensor]] = {
    "aerial-rgbn": aerial.make_sensor,
    "cbers4-awfi": cbers4_awfi.make_sensor,
    "copernicus-dem": copernicus_dem.make_sensor,
    "dem": dem.make_sensor,
    "enmap-l2a": enmap_l2a.make_sensor,
    "esa-worldcover": esa_worldcover.make_sensor,
    "generic": generic.make_sensor,
    "hls-l30": hls.make_l30,
    "hls-s30": hls.make_s30,
    "landsat-c2-l2": landsat_c2_l2.make_sensor,
    "landsat-oli-c2-l2": landsat_c2_l2.make_oli,
    "landsat-tm-c2-l2": landsat_c2_l2.make_tm,
    "modis-mod13q1": modis_mod13q1.make_sensor,
    "palsar-2-mosaic": palsar2_mosaic.make_sensor,
    "planetscope-4b": planetscope.make_four,
    "planetscope-8b": planetscope.make_sensor,
    "prisma-l2d": prisma_l2d.make_sensor,
    "sentinel-1-grd": sentinel1_grd.make_sensor,
    "sentinel-1-grd-db": sentinel1_grd.make_db,
    "sentinel-1-rtc": sentinel1_rtc.make_sensor,
    "sentinel-1-rtc-db": sentinel1_rtc.make_db,
    "sentinel-2-l1c": sentinel2_l1c.make_sensor,
    "sentinel-2-l2a": sentinel2_l2a.make_sensor,
}


@cache
def _make(factory: Callable[[], Sensor]) -> Sensor:
    return factory()


def register_sensor(name: str, factory: Callable[[], Sensor]) -> None:
    """Add a sensor, or replace one of the same name.

    Args:
        name: Registry name, in the manner of `sentinel-2-l2a`.
        factory: Makes the sensor; called when it is first asked for.

    Raises:
        SensorError: If the name is empty or holds white space.
    """
    if not name or name != "".join(name.split()):
        raise SensorError(f"sensor name {name!r} is empty or holds white space; name it like sentinel-2-l2a")
    _factories[name] = factory


def get_sensor(name: str) -> Sensor:
    """Give the sensor of a name.

    Raises:
        SensorError: If there is none; the message lists what there is.
    """
    if name not in _factories:
        close = difflib.get_close_matches(name.casefold(), _factories, n=1, cutoff=0.6)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise SensorError(f"no sensor named {name!r}{hint}; known sensors: {', '.join(sorted(_factories))}")
    return _make(_factories[name])


def list_sensors() -> list[Sensor]:
    """Give every registered sensor, sorted by name."""
    return [get_sensor(name) for name in sorted(_factories)]
