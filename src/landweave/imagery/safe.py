"""Sentinel-2 products (`.SAFE`, as folder or zip): bands at native resolution, coding from the product's own metadata."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import PurePosixPath

from landweave.errors import SceneError, SourceError
from landweave.grid import GeoBox
from landweave.imagery.archive import Archive
from landweave.imagery.layers import Found, check_crs, read_header
from landweave.imagery.options import SourceOptions
from landweave.imagery.pattern import to_utc
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["find_metadata", "read_product"]

_METADATA = re.compile(r"(?:^|/)MTD_MSIL(1C|2A)\.xml$", re.IGNORECASE)
_IMAGE = re.compile(r"(?:^|/)IMG_DATA/(?:R\d+m/)?[^/]*_(B\d[\dA]|SCL)(?:_(\d+)m)?\.(?:jp2|tif)$", re.IGNORECASE)
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?:_|\.|$)")
_BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""`band_id` 0 to 12 of the metadata (Products Specification Document, annex on physical bands)."""

_FIRST_WITH_OFFSET = (4, 0)
_TAGS = {"2A": ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"), "1C": ("QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET")}


def find_metadata(archive: Archive) -> str | None:
    """Give the name of the product's metadata file, or None."""
    return next((n for n in archive.names if _METADATA.search(n)), None)


def read_product(archive: Archive, options: SourceOptions) -> list[Found]:
    """Read the bands of a product, each at its native resolution where the product has it (else the finest there is).

    Reflectance is (DN + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE; the offset is -1000 since processing baseline 04.00
    and absent before.

    Raises:
        SourceError: If metadata or images are missing.
        SceneError: If the options name a sensor that the product is not of.
    """
    name = find_metadata(archive)
    level = (_METADATA.search(name or "") or [None, "2A"])[1] or "2A"
    sensor = _check_sensor(archive, level.upper(), options)
    root = _parse(archive, name or "")
    scale, offsets = _coding(root, level.upper(), archive)
    time = to_utc(datetime.fromisoformat(_text(root, "PRODUCT_START_TIME", archive)))
    uri = PurePosixPath(_text(root, "PRODUCT_URI", archive)).name.removesuffix(".SAFE")
    images = _choose_images(archive, sensor)
    if not images:
        raise SourceError(f"{archive.path} holds no images under GRANULE/*/IMG_DATA; download the product again")
    tile = _TILE.search(uri + "_")
    others = {"tile": tile[1]} if tile else {}
    others["processing_baseline"] = _text(root, "PROCESSING_BASELINE", archive)
    times = (None, None) if options.static else (time, time)
    geoboxes: dict[int, GeoBox] = {}
    found = []
    for code, (member, size) in images.items():
        path = archive.gdal_path(member)
        if size not in geoboxes:  # images of one resolution share their grid
            info = read_header(path)
            check_crs(info, options)
            geoboxes[size] = info.geobox
        band = sensor.get_band(code)
        coded = band.kind == "reflectance"
        asset = Asset(band.name, path, 1, scale if coded else None, offsets.get(code, 0.0) * scale if coded else None)
        found.append(Found(asset, sensor, times, uri, geoboxes[size], others))
    return found


def _check_sensor(archive: Archive, level: str, options: SourceOptions) -> Sensor:
    name = f"sentinel-2-l{level.casefold()}"
    if options.sensor not in (name, "generic"):
        raise SceneError(f"{archive.path} is a Sentinel-2 product of level {level}, the recipe says {options.sensor}; "
                         f"write `sensor: {name}`")  # fmt: skip
    return get_sensor(name)


def _parse(archive: Archive, name: str) -> ET.Element:
    try:
        return ET.fromstring(archive.read_bytes(name))
    except ET.ParseError as err:
        raise SourceError(f"{name} in {archive.path} is no complete XML ({err}); download the product again") from err


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _elements(root: ET.Element, name: str) -> list[ET.Element]:
    return [e for e in root.iter() if _local(e.tag) == name]


def _text(root: ET.Element, name: str, archive: Archive) -> str:
    found = _elements(root, name)
    if not found or not (found[0].text or "").strip():
        raise SourceError(f"metadata of {archive.path} lack {name}; download the product again")
    return (found[0].text or "").strip()


def _coding(root: ET.Element, level: str, archive: Archive) -> tuple[float, dict[str, float]]:
    """Give the scale, and the offset in DN per band."""
    quantification, add = _TAGS[level]
    scale = 1.0 / float(_text(root, quantification, archive))
    names = {
        e.attrib["bandId"]: "B" + e.attrib["physicalBand"][1:].zfill(2)
        for e in _elements(root, "Spectral_Information") if "bandId" in e.attrib and "physicalBand" in e.attrib
    }  # fmt: skip
    names = names or {str(i): code for i, code in enumerate(_BAND_IDS)}
    offsets = {names[e.attrib["band_id"]]: float(e.text or 0) for e in _elements(root, add) if e.attrib.get("band_id") in names}
    baseline = _text(root, "PROCESSING_BASELINE", archive)
    version = tuple(int(p) for p in baseline.split(".")[:2])
    if version >= _FIRST_WITH_OFFSET and not offsets:
        raise SourceError(f"{archive.path} is of processing baseline {baseline}, but its metadata state no {add}; "
                          "download the product again")  # fmt: skip
    return scale, offsets


def _choose_images(archive: Archive, sensor: Sensor) -> dict[str, tuple[str, int]]:
    """Give band code -> (member, resolution) in the sensor's order."""
    there: dict[str, dict[int, str]] = {}
    for name in archive.names:
        match = _IMAGE.search(name)
        if match and sensor.find_band(match[1]) is not None:
            native = sensor.get_band(match[1]).resolution_m or 10
            there.setdefault(match[1].upper(), {})[int(match[2] or native)] = name
    chosen: dict[str, tuple[str, int]] = {}
    for band in sensor.bands:
        code = band.aliases[0]
        sizes = there.get(code)
        if sizes:
            size = int(band.resolution_m or 10)
            size = size if size in sizes else min(sizes)
            chosen[code] = (sizes[size], size)
    return chosen
