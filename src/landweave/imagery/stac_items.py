"""STAC items read into layers: which asset is which band, how its values are coded, when and by what it was taken.

Receives items as plain STAC JSON; hands on `Found` layers, which are put together to scenes like those of files. What an item
states wins over the sensor's table.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from landweave.errors import BandError, SceneError
from landweave.imagery.catalogue_options import CatalogueOptions
from landweave.imagery.layers import Found, resolve_sensor
from landweave.imagery.options import SourceOptions
from landweave.imagery.pattern import Times, parse_time
from landweave.io.remote import add_hints, fetch_file
from landweave.sensors import get_sensor
from landweave.types import Asset, Sensor

__all__ = ["keep_newest", "read_item", "sensor_of_collection"]

log = logging.getLogger(__name__)
Item = Mapping[str, Any]

_COLLECTIONS = (
    (r"sentinel-?2.*l1c", "sentinel-2-l1c"), (r"sentinel-?2", "sentinel-2-l2a"), (r"landsat.*l2", "landsat-c2-l2"),
    (r"sentinel-?1.*rtc", "sentinel-1-rtc"), (r"sentinel-?1.*grd", "sentinel-1-grd"), (r"cop-?dem", "copernicus-dem"),
    (r"worldcover", "esa-worldcover"), (r"hls(2-)?-?l30", "hls-l30"), (r"hls(2-)?-?s30", "hls-s30"),
    (r"modis-13q1|mod13q1|myd13q1", "modis-mod13q1"), (r"alos-palsar-mosaic|palsar.*mosaic", "palsar-2-mosaic"),
    (r"^cb4[-_](64[-_])?16d|cbers-wfi", "cbers4-awfi"),
)  # fmt: skip
"""Collection ids of the public catalogues -> sensors; the first that fits. Level 1 of Landsat and the counts of CBERS-4 on AWS
(CBERS4AWFI) have no table: theirs are no surface reflectance."""

_NOT_DATA = frozenset({"thumbnail", "overview", "visual", "metadata", "tilejson", "preview"})
_SIZE_IN_KEY = re.compile(r"_(\d+)m$")
_RASTER = re.compile(r"tiff|jp2|geotiff|x-hdf|netcdf|vrt", re.IGNORECASE)
_FIRST_WITH_OFFSET = (4, 0)
_S2_OFFSET_DN = -1000.0
"""BOA_ADD_OFFSET and RADIO_ADD_OFFSET of Sentinel-2 since processing baseline 04.00, of 25 January 2022."""
_SHA256 = "1220"
"""Prefix of a multihash of 32 bytes by sha2-256, as `file:checksum` holds it."""


def sensor_of_collection(collection: str) -> str | None:
    """Give the sensor of a collection id of the public catalogues, or None."""
    return next((name for pattern, name in _COLLECTIONS if re.search(pattern, collection, re.IGNORECASE)), None)


def read_item(item: Item, options: SourceOptions, catalogue: CatalogueOptions) -> list[Found]:
    """Read the layers of one item whose bands the sensor knows.

    An asset is matched by its key, then by the names and common names that it states for its layers (eo extension 1 and 2).
    Where a band is there at several sizes or in several formats, the finest is taken, and GeoTIFF before JPEG 2000.

    Raises:
        SceneError: If the collection is of no known sensor, or the item has no date.
        BandError: If no asset is a band of the sensor; lists the assets.
    """
    sensor = _sensor_of(item, options)
    times = _times(item, sensor, options)
    best: dict[str, _Candidate] = {}
    for found in _candidates(item, sensor):
        if found.band not in best or found.rank < best[found.band].rank:
            best[found.band] = found
    if not best:
        raise BandError(f"item {item.get('id')}: none of its assets ({', '.join(item['assets'])}) is a band of {sensor.name}, "
                        f"which has {', '.join(b.name for b in sensor.bands[:16])}")  # fmt: skip
    others = _others(item)
    name = str(item.get("id"))
    order = {b.name: i for i, b in enumerate(sensor.bands)}
    chosen = sorted(best.values(), key=lambda c: (order.get(c.band, len(order)), c.band))
    used = _used_bands(sensor, options)
    return [
        Found(_make_asset(c, item, sensor, catalogue, is_used=c.band in used), sensor, times, name, None, others, name)
        for c in chosen
    ]


def _used_bands(sensor: Sensor, options: SourceOptions) -> set[str]:
    """Name the bands that the source will keep: those alone are downloaded where downloads are asked for."""
    given = options.bands if options.bands is not None else [b.name for b in sensor.bands if b.kind != "mask"]
    return {(band.name if (band := sensor.find_band(name)) else name) for name in (*given, *options.mask_layers)}


def _sensor_of(item: Item, options: SourceOptions) -> Sensor:
    collection = str(item.get("collection", ""))
    name = options.sensor if options.sensor != "generic" else sensor_of_collection(collection) or "generic"
    return resolve_sensor(get_sensor(name), str(item.get("id", "")))


def _times(item: Item, sensor: Sensor, options: SourceOptions) -> Times:
    if options.static or all(b.kind == "elevation" for b in sensor.bands):
        return None, None
    properties = item["properties"]
    start = properties.get("start_datetime") or properties.get("datetime")
    end = properties.get("end_datetime") or start
    if start is None:
        raise SceneError(f"item {item.get('id')} states no datetime; its catalogue is damaged, or write `static: true`")
    try:
        first, last = (_to_time(str(v)) for v in (start, end))
    except ValueError as err:
        raise SceneError(f"item {item.get('id')}: datetime {start!r} to {end!r} cannot be read") from err
    return first, max(first, last)


def _to_time(text: str) -> datetime:
    return parse_time(text.replace("Z", "+00:00"))[0]


# --- assets --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    band: str
    layer: int
    asset: Mapping[str, Any]
    about: Mapping[str, Any]
    rank: tuple[float, bool, int]


def _candidates(item: Item, sensor: Sensor) -> Iterator[_Candidate]:
    for key, asset in item["assets"].items():
        if not _is_data(key, asset):
            continue
        layers = _layers(asset)
        size = _SIZE_IN_KEY.search(key)
        gsd = asset.get("gsd") or (float(size[1]) if size else 0.0)
        is_jp2 = "jp2" in str(asset.get("type", "")) or str(asset["href"]).lower().endswith(".jp2")
        own = _match(sensor, (_SIZE_IN_KEY.sub("", key), key.removesuffix("-jp2")))
        for i, about in enumerate(layers, start=1):
            stated = _match(sensor, (about.get("name"), about.get("eo:common_name"), about.get("common_name")))
            band = (own or stated) if len(layers) == 1 else stated
            if band is not None:
                yield _Candidate(band, i, asset, about, (float(gsd), is_jp2, len(layers)))


def _is_data(key: str, asset: Mapping[str, Any]) -> bool:
    roles = {str(r) for r in asset.get("roles") or ()}
    if key.split("-")[0].casefold() in (*_NOT_DATA, "rendered_preview") or roles & _NOT_DATA:
        return False
    suffix = PurePosixPath(urlsplit(str(asset["href"])).path).suffix
    return bool(_RASTER.search(str(asset.get("type") or "")) or suffix.casefold() in (".tif", ".tiff", ".jp2", ".vrt", ".hdf"))


def _layers(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give what an asset says of each layer: STAC 1.1 `bands`, or `eo:bands` and `raster:bands` side by side."""
    if asset.get("bands"):
        return [dict(b) for b in asset["bands"]]
    eo, raster = asset.get("eo:bands") or [], asset.get("raster:bands") or []
    n = max(len(eo), len(raster), 1)
    return [{**(raster[i] if i < len(raster) else {}), **(eo[i] if i < len(eo) else {})} for i in range(n)]


def _match(sensor: Sensor, names: Sequence[str | None]) -> str | None:
    """Give the band that one of the names means; an open sensor takes only names it knows, else the first name."""
    given = [n for n in names if n]
    for name in given:
        band = next((b for b in sensor.bands if name.casefold() in {x.casefold() for x in (b.name, *b.aliases)}), None)
        if band is not None:
            return band.name
    return given[0].casefold() if sensor.is_open and given else None


def _make_asset(found: _Candidate, item: Item, sensor: Sensor, catalogue: CatalogueOptions, *, is_used: bool) -> Asset:
    scale, offset, nodata = _coding(found, item, sensor)
    path = _path(str(found.asset["href"]), found.asset, catalogue, is_used=is_used)
    return Asset(found.band, path, found.layer, scale, offset, nodata)


def _path(href: str, asset: Mapping[str, Any], catalogue: CatalogueOptions, *, is_used: bool) -> str:
    if href.startswith("s3://"):
        web = next((a["href"] for a in (asset.get("alternate") or {}).values()
                    if str(a.get("href", "")).startswith("http")), None)  # fmt: skip
        if web is None:
            return "/vsis3/" + href.removeprefix("s3://")
        href = str(web)
    path = add_hints(href, sign=catalogue.signer, timeout_s=catalogue.timeout_s, retries=catalogue.retries)
    if catalogue.cache is None or not is_used or not href.startswith("http"):
        return path
    stated = str(asset.get("file:checksum") or "")
    return str(fetch_file(path, catalogue.cache, checksum=stated[4:] if stated.startswith(_SHA256) else None))


# --- coding --------------------------------------------------------------------------------------------------------------


def _coding(found: _Candidate, item: Item, sensor: Sensor) -> tuple[float | None, float | None, float | None]:
    """Give scale, offset and nodata as the item states them, each None where it says nothing."""
    scale, offset, nodata = (_stated(found, name) for name in ("scale", "offset", "nodata"))
    band = sensor.get_band(found.band)
    if sensor.name.startswith("sentinel-2-") and band.kind == "reflectance":
        scale, offset = _sentinel2_coding(item, band.scale or 1e-4, scale, offset)
    elif scale is not None and offset is None:
        offset = 0.0
    elif band.kind == "mask":
        scale = offset = None
    return scale, offset, nodata


def _stated(found: _Candidate, name: str) -> float | None:
    for place in (found.about, found.asset):
        value = place.get(name, place.get(f"raster:{name}"))
        if value is not None:
            return float("nan") if value == "nan" else float(value)
    return None


def _sentinel2_coding(item: Item, default: float, scale: float | None, offset: float | None) -> tuple[float, float]:
    """Scale and offset of reflectance: an item that says the offset is applied already wins over what its bands state.

    Earth Search keeps -0.1 in `raster:bands` of files from which it has taken the offset out, with
    `earthsearch:boa_offset_applied: true`. Some of its items in sentinel-2-l2a say false where it has been taken out (issues 66
    and 71 of Element84/earth-search), which no metadata tell; those of sentinel-2-c1-l2a keep it and say so.
    """
    scale = default if scale is None else scale
    if item["properties"].get("earthsearch:boa_offset_applied") is True:
        return scale, 0.0
    if offset is not None:
        return scale, offset
    baseline = baseline_of(item)
    return scale, _S2_OFFSET_DN * scale if baseline is not None and baseline >= _FIRST_WITH_OFFSET else 0.0


def baseline_of(item: Item) -> tuple[int, int] | None:
    """Give the Sentinel-2 processing baseline of an item: as it states it, else as its product's name holds it."""
    properties = item["properties"]
    keys = ("s2:processing_baseline", "processing:version", "processing:baseline", "sentinel:processing_baseline")
    text = next((str(properties[k]) for k in keys if properties.get(k)), "")
    found = re.fullmatch(r"0?(\d{1,2})\.(\d{1,2})", text)
    if found is None:
        names = (str(properties.get(k, "")) for k in ("s2:product_uri", "s2:granule_id", "title"))
        found = next((m for n in (*names, str(item.get("id"))) if (m := re.search(r"_N(\d\d)\.?(\d\d)(?:_|$)", n))), None)
    return None if found is None else (int(found[1]), int(found[2]))


# --- items ---------------------------------------------------------------------------------------------------------------


def _others(item: Item) -> dict[str, Any]:
    properties = item["properties"]
    tile = next((properties[k] for k in ("s2:mgrs_tile", "grid:code") if properties.get(k)), None)
    if tile is None and properties.get("landsat:wrs_path"):
        tile = f"{properties['landsat:wrs_path']}-{properties.get('landsat:wrs_row')}"
    baseline = baseline_of(item) if "sentinel-2" in str(item.get("collection", "")) else None
    found = {
        "tile": None if tile is None else str(tile).removeprefix("MGRS-"), "platform": properties.get("platform"),
        "cloud_cover_pct": properties.get("eo:cloud_cover"), "collection": item.get("collection"),
        "processing_baseline": None if baseline is None else f"{baseline[0]:02d}.{baseline[1]:02d}",
    }  # fmt: skip
    return {k: v for k, v in found.items() if v is not None}


def keep_newest(items: Sequence[Item]) -> list[Item]:
    """Of several processings of one acquisition (same collection, tile, platform and second) keep the one processed last.

    The one with the highest baseline, then with the latest `s2:generation_time` or `created`, is kept; others are logged.
    """
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        p, others = item["properties"], _others(item)
        moment = str(p.get("datetime") or p.get("start_datetime"))[:19]
        # an item without a tile stands for itself
        key = (item.get("collection"), others.get("tile", item.get("id")), others.get("platform"), moment)
        groups.setdefault(key, []).append(item)
    kept = []
    for group in groups.values():
        ranked = sorted(group, key=_age)
        for older in ranked[:-1]:
            log.warning("item %s is left out: %s is a later processing of it", older.get("id"), ranked[-1].get("id"))
        kept.append(ranked[-1])
    return kept


def _age(item: Item) -> tuple[tuple[int, int], str, str]:
    p = item["properties"]
    return baseline_of(item) or (0, 0), str(p.get("s2:generation_time") or p.get("created") or ""), str(item.get("id"))
