"""What looks around a pixel, between reading and the cube: sharpened bands, radar filters, radar indices, texture.

Receives a `CubePlan` and options; hands on a reader of windows. A window is read with the margin that its bands need, cut at
the grid's edge, so that every pixel is that of the whole raster.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landweave.cube.plan import CubePlan
from landweave.cube.reading import OutsideCount, read_plan
from landweave.cube.sharpen import SharpenPlan, read_sharp
from landweave.cube.spatial_options import RadarOptions, SharpenOptions, TextureOptions
from landweave.errors import BandError, CubeError
from landweave.features.indices import compute_index, get_index
from landweave.features.radar import (
    compute_radar_index,
    find_radar_index,
    gamma0_from_sigma0,
    normalise_incidence,
    to_db,
    to_linear,
)
from landweave.features.speckle import estimate_enl, filter_speckle, filter_temporal, halo_of
from landweave.features.texture import compute_texture, quantise
from landweave.grid import Window
from landweave.types import Band, BandKind

__all__ = ["SpatialPlan", "check_spatial", "plan_spatial", "read_spatial"]

log = logging.getLogger(__name__)
Array = NDArray[np.float32]
DEFAULT_RANGE: dict[str, tuple[float, float]] = {"backscatter": (-30.0, 0.0), "reflectance": (0.0, 0.6), "index": (-1.0, 1.0)}
"""Values of the first and last grey level by kind of band; backscatter in decibels."""
_ENL_WINDOW_PX = 256


@dataclass(frozen=True)
class SpatialPlan:
    """What is done to a cube's windows; cheap to pickle.

    Attributes:
        bands: Bands of the cube in order: those of the plan, radar indices, texture.
        kinds: Kind of each.
        radar: Options; None where nothing is done to backscatter.
        polarisations: Stored backscatter bands -> unit of their files: "db", "linear" or "amplitude".
        enl: Looks per polarisation, for filters that need them.
        texture: Options; None without texture.
        ranges: First and last grey level per textured band.
        sharpen: How coarse bands are sharpened; None without.
    """

    bands: tuple[str, ...]
    kinds: tuple[BandKind, ...]
    radar: RadarOptions | None
    polarisations: Mapping[str, str]
    enl: Mapping[str, float]
    texture: TextureOptions | None
    ranges: Mapping[str, tuple[float, float]]
    sharpen: SharpenPlan | None = None

    def find_texture(self, name: str) -> tuple[str, str] | None:
        """Give band and measure of a texture band's name, or None."""
        if self.texture is None:
            return None
        pairs = {texture_name(b, m, self.texture): (b, m) for b in self.ranges for m in self.texture.measures}
        return pairs.get(name)

    @property
    def unit(self) -> str:
        """Unit of the cube's backscatter; empty where it stays what it was."""
        return "" if self.radar is None or self.radar.unit is None else self.radar.unit


def texture_name(band: str, measure: str, options: TextureOptions) -> str:
    """Name a texture band: `vv_contrast`, or `vv_contrast_range` for the range over the directions."""
    return f"{band}_{measure}" + ("_range" if options.combine == "range" else "")


def plan_spatial(
    plan: CubePlan, bands: Mapping[str, Band], *, radar: RadarOptions | None, texture: TextureOptions | None,
    sharpen: SharpenPlan | None = None,
) -> tuple[SpatialPlan | None, list[str]]:  # fmt: skip
    """Work out what options mean for one cube.

    Args:
        plan: The cube as it is read from files.
        bands: Its stored bands.
        radar: Options of backscatter; they apply where there is any.
        texture: Options of texture; they apply to the bands that the cube has.
        sharpen: How coarse bands are sharpened.

    Returns:
        The plan, None where nothing applies, and notes.

    Raises:
        BandError: If the incidence band is missing.
        CubeError: If a textured band has no range of grey levels, the looks cannot be estimated, or quegan has one date.
    """
    pols = _polarisations(plan, bands, radar)
    made = SpatialPlan(plan.outputs, _kinds(plan, bands), radar if pols else None, pols, {}, None, {}, sharpen)
    notes: list[str] = []
    if made.radar is not None:
        made, notes = _plan_radar(plan, made, made.radar)
    if texture is not None:
        made = _plan_texture(plan, bands, made, texture)
    if not (made.radar or made.texture or sharpen):
        return None, notes
    if plan.composite == "percentile":
        raise CubeError("composite: percentile makes several bands of one, and radar, texture and sharpen need one value per "
                        f"band and period in {plan.name!r}; take another composite")  # fmt: skip
    return made, notes


def _kinds(plan: CubePlan, bands: Mapping[str, Band]) -> tuple[BandKind, ...]:
    own: list[BandKind] = [bands[b].kind if b in bands else "index" for b in plan.bands for _ in plan.columns(b)]
    layers: list[BandKind] = ["other"] * len(plan.series.layers)
    return (*own, *layers)


def _polarisations(plan: CubePlan, bands: Mapping[str, Band], radar: RadarOptions | None) -> dict[str, str]:
    units = {"db": "db", "amplitude": "amplitude", "1": "linear"}
    stated = radar.source_unit if radar is not None else None
    return {b: stated or units.get(bands[b].unit.casefold(), "linear") for b in plan.stored if bands[b].kind == "backscatter"}


def _plan_radar(plan: CubePlan, made: SpatialPlan, radar: RadarOptions) -> tuple[SpatialPlan, list[str]]:
    if radar.incidence and radar.incidence_band not in plan.stored:
        raise BandError(f"radar: incidence needs the band {radar.incidence_band!r} (degrees); {plan.name!r} has "
                        f"{', '.join(plan.stored)}; name it with incidence_band")  # fmt: skip
    if radar.speckle == "quegan" and len(plan.steps) < 2:
        raise CubeError(f"radar: speckle: quegan filters several dates together, and {plan.name!r} has one; take refined-lee")
    known = [i for i in radar.indices if set(find_radar_index(i).bands) <= set(made.polarisations)]
    added: list[BandKind] = ["index"] * len(known)
    made = replace(made, bands=(*made.bands, *known), kinds=(*made.kinds, *added))
    if radar.speckle in (None, "quegan"):
        return made, []
    given = radar.enl if isinstance(radar.enl, dict) else dict.fromkeys(made.polarisations, radar.enl)
    looks, notes = {}, []
    for band in made.polarisations:
        value = given.get(band)
        looks[band] = _estimate(plan, made, radar, band) if value is None else value
        if value is None:
            notes.append(f"{plan.name}: the equivalent number of looks of {band} was estimated as {looks[band]:.3g}; state it "
                         "as radar: enl where a model is used on other imagery.")  # fmt: skip
    return replace(made, enl=looks), notes


def _estimate(plan: CubePlan, made: SpatialPlan, radar: RadarOptions, band: str) -> float:
    """Estimate the looks on at most four windows of at most three dates."""
    rows, cols = plan.geobox.shape
    places = {(int(rows * f), int(cols * g)) for f, g in ((0.25, 0.3), (0.3, 0.75), (0.7, 0.25), (0.75, 0.7))}
    h = _ENL_WINDOW_PX // 2
    windows = {Window(y - h, x - h, 2 * h, 2 * h).clip((rows, cols)) for y, x in places}
    steps = sorted({0, len(plan.steps) // 2, len(plan.steps) - 1})
    found = []
    for window in sorted(windows):
        values = read_plan(plan, window, steps=steps, bands=[band])[:, 0]
        found += [power for power in _to_power(values, made.polarisations[band]) if not np.isnan(power).all()]
    height, width = (max((p.shape[k] for p in found), default=1) for k in (0, 1))
    stack = np.full((max(len(found), 1), height, width), np.nan, dtype=np.float32)
    for image, power in zip(stack, found, strict=False):
        image[: power.shape[0], : power.shape[1]] = power
    try:
        return round(estimate_enl(stack, window_px=radar.window), 2)
    except CubeError as err:
        raise CubeError(f"radar: enl of {band!r} cannot be estimated: {err}") from err


def _plan_texture(plan: CubePlan, bands: Mapping[str, Band], made: SpatialPlan, options: TextureOptions) -> SpatialPlan:
    kinds = {**dict(zip(made.bands, made.kinds, strict=True)), **{b: bands[b].kind for b in plan.stored}}
    ranges: dict[str, tuple[float, float]] = {}
    for band in options.bands:
        if band not in kinds:
            continue
        given = options.range.get(band) if isinstance(options.range, dict) else options.range
        found = given or DEFAULT_RANGE.get(kinds[band])
        if found is None:
            raise CubeError(f"texture of {band!r} needs a range of values for its grey levels; give texture: range: "
                            f"{{{band}: [low, high]}}")  # fmt: skip
        ranges[band] = found
    if not ranges:
        return made
    names = tuple(texture_name(b, m, options) for b in ranges for m in options.measures)
    others: list[BandKind] = ["other"] * len(names)
    return replace(made, bands=(*made.bands, *names), kinds=(*made.kinds, *others), texture=options, ranges=ranges)


def _to_power(values: Array, unit: str) -> Array:
    if unit == "db":
        return to_linear(values)
    return np.asarray(values * values if unit == "amplitude" else values, dtype=np.float32)


class _Window:
    """One window with its margin: bands are made when they are asked for, each once."""

    def __init__(self, plan: CubePlan, spatial: SpatialPlan, window: Window, steps: Sequence[int] | None) -> None:
        self.plan, self.spatial, self.window = plan, spatial, window
        is_joint = spatial.radar is not None and spatial.radar.speckle == "quegan"
        self.read_steps = None if is_joint else steps
        self.picked = steps if is_joint else None
        self._made: dict[str, Array] = {}

    def read(self, names: Sequence[str]) -> None:
        """Read the stored bands that `names` need, in one go."""
        sharpen = self.spatial.sharpen
        needed = list(dict.fromkeys(s for n in names for s in _sources(self.plan, self.spatial, n)))
        sharp = [b for b in needed if sharpen is not None and b in sharpen.bands]
        plain = [b for b in needed if b not in sharp]
        stored: dict[str, Array] = {}
        if plain:
            values = read_plan(self.plan, self.window, steps=self.read_steps, bands=plain)
            stored = {b: np.ascontiguousarray(values[:, i]) for i, b in enumerate(plain)}
        if sharp and sharpen is not None:
            stored |= read_sharp(self.plan, sharpen, sharp, self.window, self.read_steps)
        power = self._filter(stored)
        pick = slice(None) if self.picked is None else list(self.picked)
        self._stored = {b: v[pick] for b, v in stored.items()}
        self._power = {b: v[pick] for b, v in power.items()}

    def _filter(self, stored: dict[str, Array]) -> dict[str, Array]:
        """Give the power of the polarisations: incidence dealt with, then filtered."""
        radar, made = self.spatial.radar, {}
        if radar is None:
            return {}
        for band, unit in self.spatial.polarisations.items():
            if band in stored:
                power = _to_power(stored[band], unit)
                if radar.incidence:
                    power = _correct(power, stored[radar.incidence_band], radar)
                made[band] = power
        if radar.speckle == "quegan":
            return {b: filter_temporal(p, window_px=radar.window) for b, p in made.items()}
        if radar.speckle is None:
            return made
        return {
            b: filter_speckle(p, method=radar.speckle, window_px=radar.window, enl=self.spatial.enl[b]) for b, p in made.items()
        }

    def get(self, name: str) -> Array:
        """Give a band (time, y, x) of the whole window, margin included."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Array:
        spatial = self.spatial
        if name in self._power:
            return self._in_unit(self._power[name], spatial.unit or spatial.polarisations[name])
        if name in self._stored:
            return self._stored[name]
        found = spatial.find_texture(name)
        if found is not None and spatial.texture is not None:
            return np.asarray(self._measure(found[0], spatial.texture)[spatial.texture.measures.index(found[1])])
        if spatial.radar is not None and name in spatial.radar.indices:
            return compute_radar_index(name, self._power)
        index = get_index(name)
        return compute_index(name, {b: self.get(b) for b in index.bands})

    @staticmethod
    def _in_unit(power: Array, unit: str) -> Array:
        if unit == "db":
            return to_db(power)
        return np.sqrt(power) if unit == "amplitude" else power

    def _measure(self, band: str, options: TextureOptions) -> Array:
        """Give all measures of a band (measure, time, y, x)."""
        key = f"texture of {band}"
        if key not in self._made:
            low, high = self.spatial.ranges[band]
            grey = self._grey(band)
            each = [
                compute_texture(
                    quantise(image, low=low, high=high, levels=options.levels), n_levels=options.levels,
                    measures=options.measures, window_px=options.window, distance_px=options.distance,
                    directions=options.directions, combine=options.combine, symmetric=options.symmetric,
                )
                for image in grey
            ]  # fmt: skip
            self._made[key] = np.stack(each, axis=1)
        return self._made[key]

    def _grey(self, band: str) -> Array:
        """Give the values that texture is cut into levels from: backscatter in decibels."""
        if band in self._power:
            return to_db(self._power[band])
        unit = self.spatial.polarisations.get(band)
        return self.get(band) if unit is None else to_db(_to_power(self._stored[band], unit))


def _correct(power: Array, angle: Array, radar: RadarOptions) -> Array:
    if radar.incidence == "gamma0":
        return gamma0_from_sigma0(power, angle)
    return normalise_incidence(power, angle, reference_deg=radar.reference_deg)


def _sources(plan: CubePlan, spatial: SpatialPlan, name: str) -> tuple[str, ...]:
    """Give the stored bands that a band is made of."""
    texture = spatial.find_texture(name)
    if texture is not None:
        return _sources(plan, spatial, texture[0])
    if name in plan.stored or _is_plain(plan, spatial, name):
        needs_angle = name in spatial.polarisations and spatial.radar is not None and spatial.radar.incidence
        return (name, spatial.radar.incidence_band) if needs_angle and spatial.radar is not None else (name,)
    is_radar = spatial.radar is not None and name in spatial.radar.indices
    bands = find_radar_index(name).bands if is_radar else get_index(name).bands
    return tuple(dict.fromkeys(s for b in bands for s in _sources(plan, spatial, b)))


def _is_plain(plan: CubePlan, spatial: SpatialPlan, name: str) -> bool:
    """Whether a band is read as ever: a layer about the series, or an index of bands that nothing is done to."""
    if name in plan.series.layers:
        return True
    if name not in plan.bands or name in plan.stored:
        return False
    changed = set(spatial.sharpen.bands if spatial.sharpen is not None else ())
    changed |= set(spatial.polarisations if spatial.radar is not None else ())
    return not changed & set(get_index(name).bands)


def check_spatial(
    made: Sequence[SpatialPlan | None], stored: Sequence[str], *, radar: RadarOptions | None, texture: TextureOptions | None,
    sharpen: SharpenOptions | None,
) -> None:  # fmt: skip
    """Check that what the options ask for was found in some source.

    Raises:
        BandError: If no source has backscatter, the bands of a radar index, a textured band, or a band to sharpen.
    """
    found = [m for m in made if m is not None]
    have = {b for m in found for b in m.bands}
    if radar is not None and not any(m.radar for m in found):
        raise BandError("radar: no source has bands of the kind backscatter; state the sensor, or the "
                        "source's kind: backscatter")
    for name in radar.indices if radar is not None else ():
        if name not in have:
            raise BandError(f"radar index {name!r} needs {', '.join(find_radar_index(name).bands)} in one source; there is "
                            f"{', '.join(p for m in found for p in m.polarisations) or 'none'}")  # fmt: skip
    for band in texture.bands if texture is not None else ():
        if not any(band in m.ranges for m in found):
            raise BandError(f"texture: no source has the band {band!r}; name a band of the cube")
    for band in sharpen.bands if sharpen is not None else ():
        if band not in stored:
            raise BandError(f"sharpen: no source has the band {band!r}; there are {', '.join(stored)}")


def _margin(plan: CubePlan, spatial: SpatialPlan, names: Sequence[str]) -> int:
    """How far the bands look around, in pixels of the grid."""
    widest = 0
    for name in names:
        own, stored = 0, _sources(plan, spatial, name)
        radar = spatial.radar
        if radar is not None and radar.speckle is not None and any(b in spatial.polarisations for b in stored):
            own = halo_of(radar.speckle, radar.window)
        if spatial.texture is not None and spatial.find_texture(name) is not None:
            own += spatial.texture.window // 2
        widest = max(widest, own)
    return widest


def read_spatial(
    plan: CubePlan, spatial: SpatialPlan, window: Window, *, steps: Sequence[int] | None, bands: Sequence[str],
    count: OutsideCount | None = None,
) -> Array:  # fmt: skip
    """Read a window of a cube of which some bands look around their pixels.

    Args:
        plan: The cube as it is read from files.
        spatial: What is done to it.
        window: Pixels inside its grid.
        steps: Positions of the time steps wanted; all by default.
        bands: Bands wanted, in order.
        count: Collects the observations outside their valid range, of the window without its margin.

    Returns:
        float32 (time, band, y, x), NaN where there is no valid observation.
    """
    if count is not None:  # once more without the margin, which belongs to other windows' counts
        stored = dict.fromkeys(s for n in bands for s in _sources(plan, spatial, n))
        read_plan(plan, window, steps=steps, bands=list(stored), count=count)
    outer = window.pad(_margin(plan, spatial, bands)).clip((*plan.geobox.shape,))
    made = _Window(plan, spatial, outer, steps)
    made.read(bands)
    top, left = window.row - outer.row, window.col - outer.col
    rows, cols = slice(top, top + window.height), slice(left, left + window.width)
    return np.stack([made.get(name)[:, rows, cols] for name in bands], axis=1)
