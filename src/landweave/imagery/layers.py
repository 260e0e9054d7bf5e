"""One file opened: its layers with their bands, times and names, before files are put together to scenes."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from landweave.errors import BandError, GridError, SceneError, SourceError
from landweave.grid import GeoBox
from landweave.imagery.naming import name_layers, name_of_file
from landweave.imagery.options import SourceOptions
from landweave.imagery.pattern import NameFields, Pattern, Times, to_utc
from landweave.io.rasters import RasterInfo, read_info
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["Found", "UnknownBandError", "check_crs", "read_dates", "read_header", "read_layers", "read_name", "resolve_sensor"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A layer of a file and what is known of it.

    Attributes:
        asset: Where it is, with the name of its band.
        sensor: Its sensor, platform decided.
        times: Start and end (exclusive); both None when static.
        stem: What the files of its scene have in common in their names.
        geobox: The file's grid; None for an item of a catalogue, whose files have not been opened.
        others: Other fields of the name, kept in the scene's properties.
        scene: The scene's id where a table or archive states it.
    """

    asset: Asset
    sensor: Sensor
    times: Times
    stem: str
    geobox: GeoBox | None
    others: Mapping[str, Any] = field(default_factory=dict)
    scene: str | None = None


class UnknownBandError(BandError):
    """A file's name gives a band that the sensor does not have; such a file is left out where others were asked for, too."""


_LANDSAT = re.compile(r"(?:^|[^A-Za-z0-9])(L[CTEO])0?([45789])(?=[_\d])", re.IGNORECASE)


def resolve_sensor(sensor: Sensor, path: str) -> Sensor:
    """Give the sensor of a file: of `landsat-c2-l2` the table that the platform in the file's name calls for.

    A name without a platform (a stack of one's own) keeps `landsat-c2-l2`, which knows bands by common name only.
    """
    if sensor.name != "landsat-c2-l2":
        return sensor
    found = _LANDSAT.search(path.rsplit("/", 1)[-1])
    if found is None:
        return sensor
    return get_sensor("landsat-oli-c2-l2" if found[2] in "89" else "landsat-tm-c2-l2")


def read_header(path: str | Path) -> RasterInfo:
    """Read a raster's header without GDAL's warning of a missing georeference, which `check_crs` turns into an error.

    Raises:
        SourceError: If the file is missing, truncated or not a raster.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return read_info(path)


def check_crs(info: RasterInfo, options: SourceOptions) -> None:
    """Refuse a file that does not say where it is, unless the options state the crs that it lacks.

    Raises:
        GridError: Naming the file and the remedy.
    """
    if info.geobox.affine == Affine.identity():
        raise GridError(f"{info.path} has no georeference (neither origin nor pixel size); write it as a GeoTIFF with both")
    if info.geobox.crs is None and options.crs is None:
        raise GridError(f"{info.path} has no crs; state it with `crs: EPSG:...` for this source in the recipe")


@lru_cache(maxsize=256)
def _pattern(text: str) -> Pattern:
    return Pattern(text)


_SHARD = re.compile(r"-\d{10}-\d{10}$")
"""Row and column that Earth Engine appends to the shards of one exported image."""

_ISO_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:-(\d\d)-(\d\d)|_(\d\d)_(\d\d)|(\d\d)(\d\d))(?!\d)")
_DAY_OF_YEAR = re.compile(r"(?:[._]A|doy)((?:19|20)\d\d)([0-3]\d\d)(?!\d)")
"""As in `MOD13Q1.A2020161.h12v10...` and AppEEARS's `..._doy2020161_aid0001.tif`."""

_OLD_LANDSAT = re.compile(r"^L[CTEO][4578]\d{6}(\d{4})(\d{3})[A-Z]{3}\d\d", re.IGNORECASE)


def _days_in(name: str) -> list[datetime]:
    old = _OLD_LANDSAT.match(name)
    if old is not None:  # scene ids before Collection 1: path, row, year, day of year, station, version
        return [datetime.strptime("".join(old.groups()), "%Y%j")]
    days = []
    for found in _ISO_DAY.finditer(name):
        year, month, day = (int(g) for g in found.groups() if g)
        try:
            days.append(datetime(year, month, day))
        except ValueError:
            continue
    ordinal = _DAY_OF_YEAR.search(name)
    if not days and ordinal is not None and 1 <= int(ordinal[2]) <= 366:
        days.append(datetime(int(ordinal[1]), 1, 1) + timedelta(days=int(ordinal[2]) - 1))
    return days


def read_name(path: Path, sensor: Sensor, options: SourceOptions) -> NameFields | None:
    """Read a file's name by the recipe's pattern, else by the sensor's; None where neither fits."""
    if options.pattern is not None:
        return _pattern(options.pattern).match(path.as_posix())
    return _pattern(sensor.pattern).match(path.as_posix()) if sensor.pattern else None


def _day(value: date | datetime) -> Times:
    if isinstance(value, datetime) and value.time() != time():
        instant = to_utc(value)
        return instant, instant
    start = datetime(value.year, value.month, value.day)
    return start, start + timedelta(days=1)


def _times(path: Path, fields: NameFields | None, sensor: Sensor, options: SourceOptions) -> Times:
    if options.static:
        return None, None
    if fields is not None and fields.times[0] is not None:
        return fields.times
    if options.date is not None:
        return _day(options.date)
    days = _days_in(path.name) if options.pattern is None else []
    if len(days) == 1:
        return _day(days[0])
    if sensor.is_open or all(b.kind == "elevation" for b in sensor.bands):
        return None, None
    said = "no date" if not days else "more than one date"
    raise SceneError(
        f"{path}: its name holds {said}, and scenes of {sensor.name} have one; give `pattern: ...{{date:%Y%m%d}}...`, "
        "`date: YYYY-MM-DD`, or `static: true` for a single image whose date does not matter"
    )


def _layer_dates(path: Path, info: RasterInfo, options: SourceOptions) -> list[date]:
    source = options.layer_dates
    dates = list(source) if isinstance(source, tuple) else read_dates(source) if source is not None else []
    if len(dates) != info.count:
        said = source if isinstance(source, Path) else "layer_dates"
        raise SceneError(f"{path} has {info.count} layers, but {said} holds {len(dates)} dates; give one date per layer")
    return dates


def read_dates(path: Path) -> list[date]:
    """Read a text file of one ISO date per line.

    Raises:
        SourceError: If it is missing or a line is no date.
    """
    if not path.is_file():
        raise SourceError(f"layer_dates: {path} does not exist; give a text file with one YYYY-MM-DD per line, or a list")
    dates = []
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().strip('"')
        if text:
            try:
                dates.append(date.fromisoformat(text))
            except ValueError as err:
                raise SourceError(f"{path} line {i}: {text!r} is no date; write YYYY-MM-DD") from err
    return dates


def read_layers(path: Path, options: SourceOptions) -> list[Found]:
    """Open a file's header and say what its layers are.

    Raises:
        SourceError: If it is no raster.
        BandError: If no layer has a name.
        SceneError: If a date is needed and not to be found.
    """
    sensor = resolve_sensor(get_sensor(options.sensor), path.name)
    info = read_header(path)
    check_crs(info, options)
    fields = read_name(path, sensor, options)
    others = dict(fields.others) if fields else {}
    stem = _SHARD.sub("", fields.stem if fields else path.stem)
    if options.layer_dates is not None:
        band = _band_of_file(path, fields, sensor, options)
        stem = _without_band(stem, band)
        return [
            Found(Asset(band, str(path), i), sensor, _day(d), f"{stem}_{d}".strip("_"), info.geobox, others)
            for i, d in enumerate(_layer_dates(path, info, options), start=1)
        ]
    times = _times(path, fields, sensor, options)
    if fields is not None and fields.band is not None and info.count == 1:
        names = {1: _band_of_file(path, fields, sensor, options)}
    else:
        names = name_layers(info, sensor, options.layers)
        if not names:
            names = {1: _band_of_file(path, fields, sensor, options)}
            stem = _without_band(stem, path.stem)
    return [Found(Asset(n, str(path), i), sensor, times, stem, info.geobox, others) for i, n in names.items()]


def _without_band(stem: str, band: str) -> str:
    return "" if stem.casefold() == band.casefold() else stem


def _band_of_file(path: Path, fields: NameFields | None, sensor: Sensor, options: SourceOptions) -> str:
    """Name the one band of a file of one layer, or of a file whose layers are dates."""
    if fields is not None and fields.band is not None:
        text = fields.band
        given = options.layers if isinstance(options.layers, Mapping) else {}
        text = next((v for k, v in given.items() if k.casefold() == text.casefold()), text)
        if (mask := options.find_mask_layer(text)) is not None:
            return mask
        band = sensor.find_band(text)
        if band is None:
            known = ", ".join(b.name for b in sensor.bands)
            raise UnknownBandError(f"{path}: {sensor.name} has no band {text!r} (from the file's name); it has {known}")
        return band.name.casefold() if sensor.is_open else band.name
    name = name_of_file(path.name, sensor)
    if name is None:
        raise BandError(
            f"{path}: neither a description nor the file's name says which band it is; give `layers: [NAME]`, or a `pattern` "
            f"with {{band}}. {sensor.name} knows {', '.join(b.name for b in sensor.bands[:16])}"
        )
    return name
