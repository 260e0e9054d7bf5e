"""Landsat Collection 2 level-2 products (tar or folder): bands, coding, date and platform from the MTL file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from landweave.errors import SceneError, SourceError
from landweave.imagery.archive import Archive
from landweave.imagery.layers import Found, check_crs, read_header
from landweave.imagery.options import SourceOptions
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["find_metadata", "read_products"]

_MTL = re.compile(r"(?:^|/)([^/]+)_MTL\.(txt|json)$", re.IGNORECASE)
_IMAGE = re.compile(r"_(SR_B\d|ST_B\d+|QA_PIXEL|QA_RADSAT)\.tif$", re.IGNORECASE)


def find_metadata(archive: Archive) -> dict[str, str]:
    """Give product id -> name of its MTL file; of the text and the JSON form the text is taken."""
    found: dict[str, str] = {}
    for name in sorted(archive.names, key=lambda n: n.casefold().endswith(".json")):
        match = _MTL.search(name)
        if match:
            found.setdefault(match[1], name)
    return found


def read_products(archive: Archive, options: SourceOptions) -> list[Found]:
    """Read the bands of every product in an archive or folder.

    Raises:
        SourceError: If the MTL file cannot be read, or no band lies beside it.
        SceneError: If a product is not level 2, or of another sensor than the options say.
    """
    found: list[Found] = []
    for product, name in sorted(find_metadata(archive).items()):
        text = archive.read_text(name)
        groups = json.loads(text) if name.casefold().endswith(".json") else parse_mtl(text)
        found += _read_product(archive, product, groups, options)
    return found


def parse_mtl(text: str) -> dict[str, Any]:
    """Parse the text form of an MTL file: groups as nested dictionaries, values as text without quotes."""
    root: dict[str, Any] = {}
    stack = [root]
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            stack.append(stack[-1].setdefault(value, {}))
        elif key == "END_GROUP" and len(stack) > 1:
            stack.pop()
        elif value:
            stack[-1][key] = value.strip('"')
    return root


def _group(groups: Mapping[str, Any], name: str, at: str) -> Mapping[str, Any]:
    for key, value in groups.items():
        if isinstance(value, Mapping):
            if key == name:
                return value
            inner = value.get(name)
            if isinstance(inner, Mapping):
                return inner
    raise SourceError(f"{at}: its MTL file has no group {name}; download the product again")


def _value(group: Mapping[str, Any], key: str, at: str) -> str:
    if key not in group:
        raise SourceError(f"{at}: its MTL file has no {key}; download the product again")
    return str(group[key])


def _sensor(platform: str, at: str, options: SourceOptions) -> Sensor:
    name = "landsat-oli-c2-l2" if platform in ("LANDSAT_8", "LANDSAT_9") else "landsat-tm-c2-l2"
    if options.sensor not in (name, "landsat-c2-l2", "generic"):
        raise SceneError(f"{at} is of {platform} ({name}), the recipe says {options.sensor}; write `sensor: landsat-c2-l2`")
    return get_sensor(name)


def _read_product(archive: Archive, product: str, groups: Mapping[str, Any], options: SourceOptions) -> list[Found]:
    at = f"{archive.path} ({product})"
    level = _value(_group(groups, "PRODUCT_CONTENTS", at), "PROCESSING_LEVEL", at)
    if not level.startswith("L2"):
        raise SceneError(f"{at} is of level {level}; give Collection 2 level-2 products (L2SP), whose values are reflectance")
    attributes = _group(groups, "IMAGE_ATTRIBUTES", at)
    platform = _value(attributes, "SPACECRAFT_ID", at)
    sensor = _sensor(platform, at, options)
    time = _time(attributes, at)
    others = {"platform": platform, "tile": f"{attributes.get('WRS_PATH', '?')}-{attributes.get('WRS_ROW', '?')}"}
    images = {m[1].upper(): n for n in archive.names if product in n and (m := _IMAGE.search(n))}
    wanted = {code: name for code, name in images.items() if sensor.find_band(code) is not None}
    if not wanted:
        raise SourceError(f"{at}: no image (*_SR_B*.TIF) lies beside its MTL file; download the product again")
    info = read_header(archive.gdal_path(next(iter(wanted.values()))))  # all bands share one grid
    check_crs(info, options)
    times = (None, None) if options.static else (time, time)
    found = []
    for code, name in wanted.items():
        scale, offset = _coding(groups, code, at)
        asset = Asset(sensor.get_band(code).name, archive.gdal_path(name), 1, scale, offset)
        found.append(Found(asset, sensor, times, product, info.geobox, others))
    order = [b.name for b in sensor.bands]
    return sorted(found, key=lambda f: order.index(f.asset.band))


def _time(attributes: Mapping[str, Any], at: str) -> datetime:
    day = _value(attributes, "DATE_ACQUIRED", at)
    clock = str(attributes.get("SCENE_CENTER_TIME", "12:00:00")).rstrip("Z")[:15]  # seven decimals, Python reads six
    try:
        return datetime.fromisoformat(f"{day}T{clock}")
    except ValueError as err:
        raise SourceError(f"{at}: time {day} {clock} of its MTL file cannot be read") from err


def _coding(groups: Mapping[str, Any], code: str, at: str) -> tuple[float | None, float | None]:
    if code.startswith("QA_"):
        return None, None
    if code.startswith("SR_B"):
        group, kind, band = _group(groups, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", at), "REFLECTANCE", code[4:]
    else:
        group, kind, band = _group(groups, "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", at), "TEMPERATURE", code
    return float(_value(group, f"{kind}_MULT_BAND_{band}", at)), float(_value(group, f"{kind}_ADD_BAND_{band}", at))
