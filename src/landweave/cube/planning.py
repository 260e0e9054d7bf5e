"""From scenes to plans: which bands a source has, how stored values become physical, which scenes make up which step.

Receives scenes, the headers of their files and options; hands on a `CubePlan` per source. Reads no pixel.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from odc.geo.crs import CRS

from landweave.cube.extent import measure_pixel, project_bounds
from landweave.cube.options import CubeOptions, Resampling, default_resampling
from landweave.cube.periods import make_periods, name_periods
from landweave.cube.plan import CubePlan, DayPlan, FilePlan, LayerPlan, MaskPlan, ScenePlan, SeriesPlan, StepPlan
from landweave.cube.series_options import FillRule
from landweave.errors import BandError, CubeError, GridError, SceneError
from landweave.features.harmonise import Instrument, Line
from landweave.features.indices import get_index, list_indices
from landweave.grid import GeoBox, Window, crs_of, resolve_crs
from landweave.io.rasters import RasterInfo
from landweave.types import Asset, Band, Scene, SceneMask

__all__ = ["Headers", "Lines", "find_instrument", "plan_cube", "select_dates"]

log = logging.getLogger(__name__)

Headers = Mapping[str, RasterInfo]
"""Headers by path."""


def select_dates(scenes: Sequence[Scene], options: CubeOptions, name: str) -> list[Scene]:
    """Keep the scenes whose middle lies in start..end (inclusive), in order of time; static scenes stay.

    Raises:
        CubeError: If none is left; lists the dates that there are.
    """
    static = [s for s in scenes if s.time_start is None]
    dated = sorted((s for s in scenes if s.time_start is not None), key=lambda s: (_span(s), s.id))
    if static and dated:
        raise CubeError(f"source {name!r} mixes dated scenes ({dated[0].id}) with static ones ({static[0].id}); give the "
                        "static layers as a source of their own")  # fmt: skip
    first = datetime.min if options.start is None else datetime.combine(options.start, datetime.min.time())
    last = datetime.max if options.end is None else datetime.combine(options.end, datetime.min.time()) + timedelta(days=1)
    kept = [s for s in dated if first <= _middle(s) < last]
    if dated and not kept:
        days = sorted({str(_middle(s).date()) for s in dated})
        shown = ", ".join(days[:12]) + (f", ... {days[-1]}" if len(days) > 12 else "")
        raise CubeError(f"no scene of {name!r} lies between {options.start or 'the beginning'} and {options.end or 'the end'}; "
                        f"available dates: {shown}")  # fmt: skip
    return static or kept


def _span(scene: Scene) -> tuple[datetime, datetime]:
    if scene.time_start is None:
        raise SceneError(f"scene {scene.id} has no date; give one (pattern, table, layer_dates), or state static: true")
    end = scene.time_end or scene.time_start
    if end < scene.time_start:
        raise SceneError(f"scene {scene.id} ends on {end} before it starts on {scene.time_start}; are start and end swapped in "
                         "the pattern or table?")  # fmt: skip
    return scene.time_start, end


def _middle(scene: Scene) -> datetime:
    start, end = _span(scene)
    return start + (end - start) / 2


def _bands_of(scenes: Sequence[Scene], wanted: Sequence[str] | None) -> dict[str, Band]:
    found: dict[str, Band] = {}
    for scene in scenes:
        doubled = sorted({b for b in scene.bands if scene.bands.count(b) > 1})
        if doubled:
            paths = ", ".join(a.path for a in scene.assets if a.band == doubled[0])
            raise SceneError(f"scene {scene.id} has band {doubled[0]!r} twice ({paths}); keep one of the files")
        for name in scene.bands:
            if name not in found:
                found[name] = scene.sensor.get_band(name)
    if wanted is None:
        return found
    return {name: found[name] for name in wanted if name in found}


Lines = Mapping[tuple[str, str], Line]
"""Line to the reference sensor by (instrument, band)."""


def find_instrument(scene: Scene) -> Instrument | None:
    """Tell the instrument whose reflectance a scene holds; None where sensor, id and platform do not say.

    HLS is Landsat OLI's already; TM counts as ETM+, which has its bands.
    """
    name = scene.sensor.name
    if name.startswith(("landsat-oli", "hls-")):
        return "oli"
    if name.startswith("landsat-tm"):
        return "etm"
    if name.startswith("sentinel-2"):
        said = " ".join([scene.id, *(str(v) for k, v in scene.properties.items() if k in ("platform", "s2:product_uri"))])
        found = re.search(r"(?:S2|sentinel-?2)([AB])(?![A-Za-z0-9])", said, flags=re.IGNORECASE)
        return None if found is None else "msi-a" if found[1].upper() == "A" else "msi-b"
    return None


@dataclass(frozen=True)
class _Source:
    """What the planning of one source shares."""

    name: str
    headers: Headers
    geobox: GeoBox
    options: CubeOptions
    bands: Mapping[str, Band]
    lines: Lines = field(default_factory=dict)

    def resampling(self, asset: Asset, scene: Scene) -> Resampling:
        """Resampling of an asset on the grid."""
        kind = self.bands[asset.band].kind
        if kind in self.options.resampling:
            return self.options.resampling[kind]
        return default_resampling(kind, size_ratio(self.geobox, self.headers[asset.path].geobox, scene.crs))


def size_ratio(geobox: GeoBox, file: GeoBox, crs: str | None) -> float:
    """Give the output pixel size over the file's (square root of the ratio of areas), each at its middle."""
    if crs:
        file = GeoBox(file.shape, file.affine, resolve_crs(crs))
    (x, y), (fx, fy) = measure_pixel(geobox, crs_of(geobox)), measure_pixel(file, crs_of(geobox))
    return math.sqrt(x * y / (fx * fy))


def _plan_layer(asset: Asset, band: Band, info: RasterInfo) -> tuple[LayerPlan, float | None]:
    """Scale, offset and nodata: from the recipe or item, else the file's tags, else (integer files only) the sensor."""
    if not 1 <= asset.layer <= info.count:
        raise BandError(f"{info.path} has {info.count} layers, band {asset.band!r} asks for layer {asset.layer}")
    i = asset.layer - 1
    is_float = info.dtypes[i].startswith("float")
    scale, offset = asset.scale, asset.offset
    if scale is None and offset is None:
        scale, offset = info.scales[i], info.offsets[i]
    if scale is None and offset is None and not is_float:
        scale, offset = band.scale, band.offset
    nodata = asset.nodata if asset.nodata is not None else info.nodata[i]
    if nodata is None and not is_float:
        nodata = band.nodata
    layer = LayerPlan(asset.band, asset.layer, 1.0 if scale is None else scale, offset or 0.0, band.valid_range)
    return layer, nodata


def _plan_scene(scene: Scene, source: _Source) -> ScenePlan:
    grouped: dict[tuple[str, float | None, Resampling], list[LayerPlan]] = {}
    for asset in scene.assets:
        if asset.band in source.bands:
            layer, nodata = _plan_layer(asset, scene.sensor.get_band(asset.band), source.headers[asset.path])
            line = source.lines.get((find_instrument(scene) or "", asset.band)) if source.lines else None
            layer = layer if line is None else _adjust(layer, line)
            grouped.setdefault((asset.path, nodata, source.resampling(asset, scene)), []).append(layer)
    files = tuple(FilePlan(path, tuple(layers), nodata, how, scene.crs) for (path, nodata, how), layers in grouped.items())
    masks = _plan_masks(scene.mask, scene.crs) if scene.mask is not None else ()
    return ScenePlan(scene.id, files, masks, _footprint(files, source))


def _adjust(layer: LayerPlan, line: Line) -> LayerPlan:
    """Fold a line into scale, offset and valid range of a layer."""
    low, high = (line.slope * v + line.intercept for v in layer.valid_range)
    offset = line.slope * layer.offset + line.intercept
    return replace(layer, scale=line.slope * layer.scale, offset=offset, valid_range=(low, high))


def _plan_masks(mask: SceneMask, crs: str | None) -> tuple[MaskPlan, ...]:
    asset = mask.asset
    layer = LayerPlan("", asset.layer, 1.0, 0.0, (-math.inf, math.inf))
    # a mask's own value 0 may mean "clear", so that only the recipe's nodata counts, not the file's
    file = FilePlan(asset.path, (layer,), asset.nodata, "nearest", crs)
    others = (plan for other in mask.also for plan in _plan_masks(other, crs))
    return (MaskPlan(file, mask.clear, mask.bits, mask.dilate_px), *others)


def _footprint(files: Iterable[FilePlan], source: _Source) -> Window:
    """Window of the grid that the files may touch, with a margin for resampling and for edges that projecting bends."""
    top, left, bottom, right = math.inf, math.inf, -math.inf, -math.inf
    is_bent = False
    grid = source.geobox
    for file in files:
        own = source.headers[file.path].geobox
        box = own.extent.boundingbox
        crs = resolve_crs(file.crs) if file.crs else crs_of(own)
        is_bent |= crs != crs_of(grid)
        try:
            b = project_bounds((box.left, box.bottom, box.right, box.top), crs, crs_of(grid))
        except GridError:  # reaches where the grid's crs is not defined: it may touch anything
            return Window(0, 0, *grid.shape)
        corners = [~grid.affine @ p for p in ((b[0], b[1]), (b[2], b[3]), (b[0], b[3]), (b[2], b[1]))]
        left, right = min(left, *(c[0] for c in corners)), max(right, *(c[0] for c in corners))
        top, bottom = min(top, *(c[1] for c in corners)), max(bottom, *(c[1] for c in corners))
    if not math.isfinite(top):
        return Window(0, 0, 0, 0)
    # edges are followed at 21 points: between two of them an arc lies nearer to its chord than 1 % of its length
    margin = 2 + (math.ceil(0.01 * max(bottom - top, right - left)) if is_bent else 0)
    row, col = math.floor(top) - margin, math.floor(left) - margin
    return Window(row, col, math.ceil(bottom) + margin - row, math.ceil(right) + margin - col)


def _days(scenes: Sequence[Scene], lon: float) -> list[tuple[datetime, datetime, list[Scene]]]:
    """Group scenes of one solar day (UTC shifted by the longitude / 15 hours), or of one and the same period."""
    groups: dict[tuple[object, ...], list[Scene]] = {}
    for scene in scenes:
        start, end = _span(scene)
        is_day = end - start <= timedelta(days=1)
        key = ((_middle(scene) + timedelta(hours=lon / 15)).date(),) if is_day else (start, end)
        groups.setdefault(key, []).append(scene)
    days = []
    for group in groups.values():
        spans = [_span(s) for s in group]
        days.append((min(s for s, _ in spans), max(e for _, e in spans), group))
    return sorted(days, key=lambda d: d[0] + (d[1] - d[0]) / 2)


def _steps(scenes: Sequence[Scene], source: _Source) -> tuple[tuple[StepPlan, ...], list[str]]:
    notes: list[str] = []
    if scenes[0].time_start is None:
        return (StepPlan(None, None, (DayPlan(tuple(_plan_scene(s, source) for s in scenes)),)),), notes
    days = _days(scenes, _longitude(source.geobox))
    doubled = [d for d in days if len(d[2]) > 1]
    if doubled:
        notes.append(f"{source.name}: scenes of one solar day were mosaicked on {len(doubled)} of {len(days)} days "
                     f"(rule: {source.options.mosaic}).")  # fmt: skip
    made = [(s, e, DayPlan(tuple(_plan_scene(x, source) for x in group), _day_number(s, e))) for s, e, group in days]
    if name_periods(source.options):
        return _regular(made, source, notes), notes
    for a, b in pairwise(days):
        if a[0] + (a[1] - a[0]) / 2 == b[0] + (b[1] - b[0]) / 2:
            raise CubeError(f"scenes {a[2][0].id} and {b[2][0].id} of {source.name!r} stand for the same middle date "
                            f"{a[0].date()}; keep one, or give period_days or period to composite them")  # fmt: skip
    return tuple(StepPlan(s, e, (d,)) for s, e, d in made), notes


def _day_number(start: datetime, end: datetime) -> float:
    return (start + (end - start) / 2 - datetime(1970, 1, 1)).total_seconds() / 86_400


def _regular(
    days: Sequence[tuple[datetime, datetime, DayPlan]], source: _Source, notes: list[str]
) -> tuple[StepPlan, ...]:  # fmt: skip
    middles = [s + (e - s) / 2 for s, e, _ in days]
    options = source.options
    first, last = options.start or middles[0].date(), options.end or middles[-1].date()
    periods = make_periods(first, last, options)
    inside = [[d for m, (_, _, d) in zip(middles, days, strict=True) if s <= m < e] for s, e in periods]
    used = sum(len(p) for p in inside)
    if not used:
        raise CubeError(f"no scene of {source.name!r} falls in the periods {periods[0][0].date()} to {periods[-1][1].date()}; "
                        f"its dates run from {middles[0].date()} to {middles[-1].date()}")  # fmt: skip
    empty = sum(not p for p in inside)
    notes.append(f"{source.name}: {used} of {len(days)} days were put into {len(periods)} periods (rule: {options.composite}); "
                 f"{empty} periods hold none.")  # fmt: skip
    if len(periods) == 1 and periods[0][1] - periods[0][0] > middles[-1] - middles[0]:
        notes.append(f"{source.name}: the period ({(periods[0][1] - periods[0][0]).days} days) is longer than the series "
                     f"({(middles[-1] - middles[0]).days} days from first to last date); the cube has one step.")  # fmt: skip
    return tuple(StepPlan(s, e, tuple(p)) for (s, e), p in zip(periods, inside, strict=True))


def _longitude(geobox: GeoBox) -> float:
    box = geobox.extent.boundingbox
    try:
        west, _, east, _ = project_bounds((box.left, box.bottom, box.right, box.top), crs_of(geobox), CRS("EPSG:4326"))
    except GridError:
        return 0.0
    return (west + east) / 2


def plan_cube(
    name: str, scenes: Sequence[Scene], headers: Headers, geobox: GeoBox, options: CubeOptions, *, lines: Lines | None = None
) -> tuple[CubePlan, Mapping[str, Band], list[str]]:
    """Plan one cube.

    Args:
        name: Name of the source.
        scenes: Its scenes, selected and sorted by `select_dates`.
        headers: Header of every file.
        geobox: Its grid.
        options: What was asked for.
        lines: How reflectance is brought to the reference sensor's.

    Returns:
        The plan, the bands that come from files, and notes.

    Raises:
        SceneError: If a scene has a band twice.
        BandError: If none of the bands asked for exists, or a layer is beyond its file's last.
        CubeError: If two steps stand for one date, or no scene falls in the periods.
    """
    bands = _bands_of(scenes, None)
    source = _Source(name, headers, geobox, options, bands, lines or {})
    notes = _note_grids(scenes, source)
    steps, more = _steps(scenes, source)
    lacking = sorted({b for s in scenes for b in bands if b not in s.bands})
    if lacking:
        more.append(f"{name}: some scenes lack {', '.join(lacking)}; their values are missing there.")
    kept = tuple(bands) if options.bands is None else tuple(b for b in options.bands if b in bands)
    plan = CubePlan(
        name=name, geobox=geobox, stored=tuple(bands), bands=kept, steps=steps, mosaic=options.mosaic,
        composite=options.composite, fill=options.fill != "none", series=_plan_series(source, kept, steps),
    )  # fmt: skip
    return plan, bands, notes + more


def _plan_series(source: _Source, kept: Sequence[str], steps: Sequence[StepPlan]) -> SeriesPlan:
    """Put together what composites and filling need, and check it against the bands and masks that there are."""
    options, bands = source.options, source.bands
    if steps[0].start is None:
        return SeriesPlan()
    made_of = {b for i in options.indices for b in get_index(i).bands}
    joint = tuple(b for b in bands if bands[b].kind == "reflectance" and (b in kept or b in made_of))
    _check_composite(source, joint, steps)
    if options.fill == "savitzky-golay" and options.filling.window > len(steps):
        raise CubeError(f"filling: window is {options.filling.window} steps, and {source.name!r} has {len(steps)}; give an odd "
                        "window of no more steps, shorter periods, or more dates")  # fmt: skip
    rule: FillRule = "linear" if options.fill == "none" else options.fill
    return SeriesPlan(options.compositing, options.filling, rule, options.phenology, options.layers, joint)


def _check_composite(source: _Source, joint: Sequence[str], steps: Sequence[StepPlan]) -> None:
    options, known = source.options, set(source.bands)
    wanted = {"ndvi"} if options.composite == "max-ndvi" else set()
    wanted |= {options.phenology.band} if options.phenology else set()
    scored = options.composite in ("best-pixel", "weighted-mean")
    wanted |= {options.compositing.opacity_band} if scored and options.compositing.opacity_band else set()
    for band in wanted - known:
        if band not in {i.name for i in list_indices()} or not set(get_index(band).bands) <= known:
            raise BandError(f"the composite of {source.name!r} looks at {band!r}, which its bands ({', '.join(known)}) neither "
                            "hold nor make; load what it needs, or choose another rule")  # fmt: skip
    if options.composite == "geomedian" and not joint:
        raise CubeError(f"composite: geomedian looks at all reflectance bands together, and {source.name!r} has none of kind "
                        f"reflectance ({', '.join(known)}); take median")  # fmt: skip
    masks = [m for s in steps for d in s.days for x in d.scenes for m in x.masks]
    if scored and options.compositing.cloud_weight > 0 and not masks:
        raise CubeError(f"composite: {options.composite} scores the distance to clouds, and no scene of {source.name!r} has a "
                        "mask; give the source a mask, or set compositing: {cloud_weight: 0}")  # fmt: skip


def _note_grids(scenes: Sequence[Scene], source: _Source) -> list[str]:
    grid = crs_of(source.geobox)
    other: dict[str, str] = {}
    for scene in scenes:
        for asset in scene.assets:
            crs = resolve_crs(scene.crs) if scene.crs else crs_of(source.headers[asset.path].geobox)
            if crs != grid:
                other[asset.path] = _short(crs)
    if not other:
        return []
    kinds = ", ".join(sorted(set(other.values())))
    return [f"{source.name}: {len(other)} files were reprojected from {kinds} to {_short(grid)}."]


def _short(crs: CRS) -> str:
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.proj.name)
