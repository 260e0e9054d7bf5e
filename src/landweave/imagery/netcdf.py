"""netCDF files as cubes: each variable on a grid is a band, its time axis (CF conventions) gives the dates.

Receives a path and options; hands on `Found` layers. GDAL's driver reads the pixels, so that no netCDF library is needed.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from landweave.errors import BandError, SceneError, SourceError
from landweave.imagery.layers import Found, check_crs, read_header
from landweave.imagery.options import SourceOptions
from landweave.io.rasters import RasterInfo
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["is_netcdf", "read_netcdf"]

log = logging.getLogger(__name__)
_SUFFIXES = frozenset({".nc", ".nc4", ".cdf"})
_SECONDS = {"day": 86400.0, "hour": 3600.0, "hr": 3600.0, "minute": 60.0, "min": 60.0, "second": 1.0, "sec": 1.0, "s": 1.0}
_UNITS = re.compile(r"\s*(\w+?)s?\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})[\d.]*)?)?.*")
_CALENDARS = frozenset({"", "standard", "gregorian", "proleptic_gregorian"})


def is_netcdf(path: Path) -> bool:
    """Tell whether a path is a netCDF file, by its ending."""
    return path.suffix.casefold() in _SUFFIXES


def read_netcdf(path: Path, options: SourceOptions) -> list[Found]:
    """Say what the variables of a netCDF file are.

    A variable is a band by the options' `layers` (a mapping of variables to names), else by its own name or long name among
    the sensor's bands and aliases, else (sensor `generic`) by its name. A source holds the variables with a time axis, or, with
    `static: true`, those without one; `bands` chooses among them. A variable that `layers` names, with a time axis and
    `static: true` (elevation repeated for every date), is read at its first date.

    Raises:
        SourceError: If the file cannot be read as netCDF.
        BandError: If no variable is a band.
        SceneError: If a time axis cannot be read.
    """
    sensor = get_sensor(options.sensor)
    found: list[Found] = []
    variables: list[str] = []
    for at in _list_variables(path):
        info = read_header(at)
        name = at.rsplit(":", 1)[-1]
        variables.append(name)
        band = _name_band(name, info, sensor, options)
        axis = info.tags.get("NETCDF_DIM_EXTRA", "").strip("{}")
        fits = (axis == "") == options.static or (options.static and options.layers is not None)
        if band is None or not fits or (options.bands is not None and band not in options.bands):
            continue
        check_crs(info, options)
        times = [None] if options.static else _read_times(path, info, axis)
        for layer, time in enumerate(times, start=1):
            span = (None, None) if time is None else (time, time + timedelta(days=1))
            scene = path.stem if time is None else f"{path.stem}_{time:%Y-%m-%d}"
            found.append(Found(Asset(band, at, layer), sensor, span, scene, info.geobox, {}))
    if not found:
        kind = "without a time axis (static: true)" if options.static else "with a time axis"
        raise BandError(f"{path}: none of the variables {', '.join(variables)} {kind} is a band of {sensor.name}; name them by "
                        "layers: {VARIABLE: band}, or state or drop static: true")  # fmt: skip
    return found


def _list_variables(path: Path) -> list[str]:
    """Give a GDAL path for every variable on a grid."""
    import rasterio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # the container is no raster itself
            with rasterio.open(f"netcdf:{path}") as src:
                found = [str(s) for s in src.subdatasets]
                if not found and src.count:
                    return [f"netcdf:{path}:{src.tags(1).get('NETCDF_VARNAME', path.stem)}"]
    except rasterio.errors.RasterioIOError as err:
        raise SourceError(f"{path} cannot be read as netCDF (truncated?): {err}") from err
    if not found:
        raise SourceError(f"{path} holds no variable on a grid of x and y")
    return [f"netcdf:{path}:{name.rsplit(':', 1)[-1]}" for name in found]


def _name_band(variable: str, info: RasterInfo, sensor: Sensor, options: SourceOptions) -> str | None:
    if isinstance(options.layers, Mapping):
        return next((v for k, v in options.layers.items() if k.casefold() == variable.casefold()), None)
    if options.find_mask_layer(variable) is not None:
        return options.find_mask_layer(variable)
    if sensor.is_open:
        return variable.casefold()
    long_name = info.tags.get(f"{variable}#long_name", "")
    for text in (variable, long_name, long_name.rsplit("-", 1)[-1], variable.rsplit("-", 1)[-1]):
        band = sensor.find_band(text) if text else None
        if band is not None:
            return band.name
    log.debug("%s is no band of %s", variable, sensor.name)
    return None


def _read_times(path: Path, info: RasterInfo, axis: str) -> list[datetime]:
    """Read a CF time axis: numbers of a unit since a date (CF conventions 1.9, section 4.4)."""
    if "," in axis:
        raise SceneError(f"{path}: {info.path} has the axes {axis} beside x and y; its only other axis may be time")
    units, calendar = info.tags.get(f"{axis}#units", ""), info.tags.get(f"{axis}#calendar", "")
    text = info.tags.get(f"NETCDF_DIM_{axis}_VALUES", "")
    match = _UNITS.fullmatch(units)
    step = None if match is None else _SECONDS.get(match[1].casefold())
    if match is None or step is None or calendar.casefold() not in _CALENDARS or not text:
        raise SceneError(f"{path}: axis {axis!r} of {info.path} has the units {units!r} and the calendar {calendar!r}; "
                         "expected days, hours, minutes or seconds since a date of the Gregorian calendar")  # fmt: skip
    year, month, day, hour, minute, second = (int(v or 0) for v in match.groups()[1:])
    origin = datetime(year, month, day, hour, minute, second)
    days = [origin + timedelta(seconds=float(v) * step) for v in text.strip("{}").split(",")]
    if len(days) != info.count:
        raise SceneError(f"{path}: {info.path} has {info.count} layers, but its axis {axis!r} holds {len(days)} values")
    return [datetime(d.year, d.month, d.day) for d in days]
