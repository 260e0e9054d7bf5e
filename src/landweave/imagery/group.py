"""Layers of files put together to scenes: one per sensor, time and footprint.

Receives `Found` layers; hands on `Scene` objects with the recipe's overrides in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import TypeVar

from landweave.errors import BandError, SceneError
from landweave.grid import GeoBox
from landweave.imagery.layers import Found
from landweave.imagery.masks import MaskRule, resolve_mask
from landweave.imagery.options import SourceOptions
from landweave.sensors.ranges import default_range
from landweave.types import Asset, Band, BandKind, Scene, SceneMask, Sensor

__all__ = ["group_scenes"]

T = TypeVar("T")


def group_scenes(found: Sequence[Found], options: SourceOptions) -> list[Scene]:
    """Put layers together to scenes, sorted by time and id; static scenes come first.

    Layers of one sensor and time are one scene where their footprints overlap by more than half of the smaller one; other
    footprints (adjacent tiles, shards of one image) are scenes of their own, which the cube mosaics.

    Raises:
        SceneError: If one scene has a band twice; names both files.
        BandError: If the mask band, or a band asked for, is nowhere to be found.
    """
    kept = _select_bands(found, options)
    groups: dict[tuple[object, ...], list[Found]] = {}
    for item in kept:
        fields = tuple(sorted((k, v) for k, v in item.others.items() if k in ("tile", "platform")))
        groups.setdefault((item.sensor.name, item.times, item.scene, fields), []).append(item)
    parts = [part for group in groups.values() for part in _split_footprints(group)]
    sensors: dict[tuple[str, frozenset[str]], Sensor] = {}
    scenes = []
    for part in parts:
        _check_doubles(part)
        bands = frozenset(i.asset.band for i in part)
        key = (part[0].sensor.name, bands)
        if key not in sensors:
            sensors[key] = _adapt_sensor(part[0].sensor, [i.asset.band for i in part], options)
        scenes.append(_make_scene(part, sensors[key], options))
    scenes.sort(key=lambda s: (s.time_start or datetime.min, s.time_end or datetime.min, s.id, s.assets[0].path))
    return _with_unique_ids(scenes)


def _select_bands(found: Sequence[Found], options: SourceOptions) -> list[Found]:
    there = list(dict.fromkeys(i.asset.band for i in found))
    masks = {i.asset.band for i in found if any(b.name == i.asset.band and b.kind == "mask" for b in i.sensor.bands)}
    wanted = set(there) - masks or set(there)  # quality layers are no features unless asked for
    if options.bands is not None:
        wanted = {_canonical(b, found) for b in options.bands}
        absent = sorted(wanted - set(there))
        if absent:
            raise BandError(f"bands: {', '.join(absent)} asked for, but the files hold {', '.join(there)}")
    for key, named in (
        ("scale", options.scale), ("offset", options.offset), ("nodata", options.nodata), ("valid_range", options.valid_range),
        ("kind", options.kind), ("mask", set(options.mask_layers)),
    ):  # fmt: skip
        unknown = sorted(n for n in named if _canonical(n, found) not in there) if isinstance(named, Mapping | set) else []
        if unknown:
            raise BandError(f"{key}: {', '.join(unknown)} named, but the files hold {', '.join(there)}")
    wanted |= {_canonical(name, found) for name in options.mask_layers}
    return [i for i in found if i.asset.band in wanted]


def _canonical(name: str, found: Sequence[Found]) -> str:
    """Give the name that the files' layers have for a name or alias of the recipe, in whatever case it is written."""
    there = {i.asset.band.casefold(): i.asset.band for i in found}
    if name.casefold() in there:
        return there[name.casefold()]
    for sensor in {i.sensor.name: i.sensor for i in found}.values():
        band = None if sensor.is_open else sensor.find_band(name)
        if band is not None:
            return band.name
    return name


def _split_footprints(group: list[Found]) -> list[list[Found]]:
    """Split the layers of one time into those of one footprint each, in the order of their files."""
    if len({i.asset.band for i in group}) == len(group):
        return [group]
    parts: list[tuple[GeoBox | None, list[Found]]] = []
    for item in group:
        for geobox, part in parts:
            if geobox is item.geobox or _overlaps(geobox, item.geobox):
                part.append(item)
                break
        else:
            parts.append((item.geobox, [item]))
    return [part for _, part in parts]


def _overlaps(a: GeoBox | None, b: GeoBox | None) -> bool:
    """Tell whether two grids of one crs cover the same place: by more than half of the smaller one."""
    if a is None or b is None:
        return a is b
    if a.crs != b.crs:
        return False
    p, q = a.boundingbox, b.boundingbox
    width = min(p.right, q.right) - max(p.left, q.left)
    height = min(p.top, q.top) - max(p.bottom, q.bottom)
    smaller = min((e.right - e.left) * (e.top - e.bottom) for e in (p, q))
    return bool(width > 0 and height > 0 and width * height > smaller / 2)


def _check_doubles(part: Sequence[Found]) -> None:
    first: dict[str, Found] = {}
    for item in part:
        other = first.setdefault(item.asset.band, item)
        if other is not item:
            when = f"at {item.times[0]}" if item.times[0] else "without a date"
            hint = (
                "remove one of them" if item.times[0]
                else "give `pattern: ...{date:%Y%m%d}...` or `table`, if they are of different dates, or name their bands apart"
            )  # fmt: skip
            raise SceneError(
                f"{_say(other)} and {_say(item)} both hold band {item.asset.band!r} {when} for the same place; {hint}"
            )


def _say(item: Found) -> str:
    return item.asset.path + (f" (layer {item.asset.layer})" if item.asset.layer > 1 else "")


def _adapt_sensor(sensor: Sensor, names: Iterable[str], options: SourceOptions) -> Sensor:
    """Put the recipe's kinds and valid ranges, and bands that only the files name, into a sensor's table."""
    bands = {b.name: b for b in sensor.bands}
    for name in names:
        band = bands.get(name) or Band(name, "other", unit="unknown")
        kind = _of_band(options.kind, band) if isinstance(options.kind, Mapping) else options.kind
        if kind is not None and kind != band.kind:
            band = replace(band, kind=kind, valid_range=default_range(kind), unit="1" if kind in _UNITLESS else band.unit)
        limits = _of_band(options.valid_range or {}, band)
        bands[name] = band if limits is None else replace(band, valid_range=limits)
    return sensor if tuple(bands.values()) == sensor.bands else replace(sensor, bands=tuple(bands.values()))


_UNITLESS: tuple[BandKind, ...] = ("reflectance", "index")


def _of_band(given: Mapping[str, T], band: Band) -> T | None:
    """Give what the recipe says of a band, by its name or an alias."""
    called = {n.casefold() for n in (band.name, *band.aliases)}
    return next((v for k, v in given.items() if k.casefold() in called), None)


def _make_scene(part: Sequence[Found], sensor: Sensor, options: SourceOptions) -> Scene:
    tables = {b.name: b for b in sensor.bands}
    assets = [_override(i.asset, tables, options) for i in part]
    mask = _make_mask(part, assets, sensor, options)
    if not assets:
        raise BandError(f"scene {part[0].stem} holds nothing but the mask {options.mask_layers[0]!r}; name other bands, too")
    order = {name: k for k, name in enumerate([_canonical(b, part) for b in options.bands or ()])}
    assets.sort(key=lambda a: order.get(a.band, len(order)))
    others = {k: v for k, v in part[0].others.items() if all(i.others.get(k) == v for i in part)}
    start, end = part[0].times
    return Scene(_scene_id(part), sensor, start, end, tuple(assets), mask, options.crs, others)


def _make_mask(part: Sequence[Found], assets: list[Asset], sensor: Sensor, options: SourceOptions) -> SceneMask | None:
    """Make the scene's mask, and take its layers out of `assets` unless they are asked for as bands."""
    made = []
    for wanted in options.mask_layers:
        name = _canonical(wanted, part)
        layer = next((a for a in assets if a.band == name), None)
        if layer is None:
            raise BandError(
                f"scene {part[0].stem} of {PurePath(part[0].asset.path).name} has no mask band {name!r}; it holds "
                f"{', '.join(a.band for a in assets)}"
            )
        rule = MaskRule(options.mask_clear or ()) if options.mask is None else resolve_mask(options.mask, sensor, wanted)
        bare = replace(layer, scale=None, offset=None, nodata=rule.nodata if layer.nodata is None else layer.nodata)
        grow = options.mask.dilate_px if options.mask is not None and wanted == options.mask.source else 0
        made.append(SceneMask(bare, rule.clear, rule.bits, grow))
        if name not in {_canonical(b, part) for b in options.bands or ()}:
            assets.remove(layer)
    return replace(made[0], also=tuple(made[1:])) if made else None


def _override(asset: Asset, tables: Mapping[str, Band], options: SourceOptions) -> Asset:
    band = tables[asset.band]
    scale, offset, nodata = (
        _of_band(v, band) if isinstance(v, Mapping) else v for v in (options.scale, options.offset, options.nodata)
    )
    if scale is not None and offset is None:
        offset = 0.0  # a stated scale replaces the sensor's coding as a whole
    return replace(
        asset, scale=asset.scale if scale is None else scale, offset=asset.offset if offset is None else offset,
        nodata=asset.nodata if nodata is None else nodata,
    )  # fmt: skip


def _scene_id(part: Sequence[Found]) -> str:
    stems = list(dict.fromkeys(i.stem for i in part))
    if part[0].scene:
        return part[0].scene
    if len(stems) == 1 and stems[0]:
        return stems[0]
    if part[0].times[0] is not None:
        return f"{part[0].sensor.name}_{part[0].times[0]:%Y-%m-%d}"
    return next((s for s in stems if s), part[0].sensor.name)


def _with_unique_ids(scenes: list[Scene]) -> list[Scene]:
    counts, seen = Counter(s.id for s in scenes), Counter[str]()
    out = []
    for scene in scenes:
        if counts[scene.id] > 1:
            seen[scene.id] += 1
            scene = replace(scene, id=f"{scene.id}_{seen[scene.id]}")
        out.append(scene)
    return out
