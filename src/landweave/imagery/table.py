"""A CSV table that says which file holds which band at which time."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from landweave.errors import BandError, SceneError, SourceError
from landweave.imagery.layers import Found, check_crs, read_header, resolve_sensor
from landweave.imagery.naming import name_layers
from landweave.imagery.options import SourceOptions
from landweave.imagery.pattern import Times, parse_time
from landweave.io.rasters import RasterInfo
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["read_table"]

_COLUMNS = ("path", "band", "layer", "time_start", "time_end", "scene", "scale", "offset", "nodata")


def read_table(table: Path, options: SourceOptions) -> list[Found]:
    """Read the layers that a CSV table lists; relative paths are meant from the table's folder.

    Columns: path; band (may be empty where the file's layers have names); layer (1 by default); time_start and time_end
    (ISO; a `time_end` without a time of day is inclusive); scene, scale, offset, nodata. Others are kept in the scene.

    Raises:
        SourceError: If the table or a file in it is missing, or a value cannot be read; names the line.
        SceneError: If a row has no time and the sensor is dated.
        BandError: If a band is unknown or missing.
    """
    if not table.is_file():
        raise SourceError(f"table {table} does not exist; give a CSV file with the columns {', '.join(_COLUMNS[:5])}")
    with table.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if "path" not in (reader.fieldnames or ()):
            raise SourceError(f"table {table} has the columns {reader.fieldnames}; it needs `path` and takes {_COLUMNS[1:]}")
        rows = list(reader)
    if not rows:
        raise SourceError(f"table {table} has no rows; give one per file and band")
    infos: dict[Path, RasterInfo] = {}
    found: list[Found] = []
    for number, row in enumerate(rows, start=2):
        path = table.parent / Path((row["path"] or "").strip()).expanduser()
        if path not in infos:
            infos[path] = read_header(path)
            check_crs(infos[path], options)
        found += _read_row(row, infos[path], options, f"{table} line {number}")
    return found


def _read_row(row: Mapping[str, str | None], info: RasterInfo, options: SourceOptions, at: str) -> list[Found]:
    path = Path(info.path)
    sensor = resolve_sensor(get_sensor(options.sensor), path.name)
    times = _times(row, sensor, options, at)
    names = _names(row, info, sensor, options, at)
    others = {k: v for k, v in row.items() if k and k not in _COLUMNS and v}
    scale, offset, nodata = (_number(row.get(k), at) for k in ("scale", "offset", "nodata"))
    offset = 0.0 if scale is not None and offset is None else offset
    scene = (row.get("scene") or "").strip() or None
    stem = scene or (times[0].date().isoformat() if times[0] else path.stem)
    return [
        Found(Asset(n, str(path), i, scale, offset, nodata), sensor, times, stem, info.geobox, others, scene)
        for i, n in names.items()
    ]


def _names(row: Mapping[str, str | None], info: RasterInfo, sensor: Sensor, options: SourceOptions, at: str) -> dict[int, str]:
    text = (row.get("band") or "").strip()
    if not text:
        names = name_layers(info, sensor, options.layers)
        if not names:
            raise BandError(f"{at}: `band` is empty and {info.path} does not name its layers; fill the column in")
        return names
    layer = _number(row.get("layer"), at) or 1
    if layer != int(layer) or not 1 <= layer <= info.count:
        raise SourceError(f"{at}: layer is {layer:g}, but {info.path} has layers 1 to {info.count}")
    if (mask := options.find_mask_layer(text)) is not None:
        return {int(layer): mask}
    return {int(layer): sensor.get_band(text).name}


def _number(text: str | None, at: str) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        return float(text)
    except ValueError as err:
        raise SourceError(f"{at}: {text!r} is no number") from err


def _times(row: Mapping[str, str | None], sensor: Sensor, options: SourceOptions, at: str) -> Times:
    start, end = ((row.get(k) or "").strip() for k in ("time_start", "time_end"))
    if options.static or not start:
        if not options.static and not (sensor.is_open or all(b.kind == "elevation" for b in sensor.bands)):
            raise SceneError(f"{at}: time_start is empty, and scenes of {sensor.name} have a date; give it or `static: true`")
        return None, None
    try:
        first = parse_time(start)
        stop = parse_time(end)[1] if end else first[1]
    except ValueError as err:
        raise SourceError(f"{at}: time {start!r} to {end!r} is no ISO date or time; write YYYY-MM-DD") from err
    if stop < first[0]:
        raise SceneError(f"{at}: time_end {end} is before time_start {start}")
    return first[0], stop
