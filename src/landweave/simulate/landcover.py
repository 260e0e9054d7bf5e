"""What lies where: puts terrain, waters, towns, roads and parcels together into a raster of covers and one of units.

Receives the layers of the sibling modules; hands on `Land`, from which truth, imagery and samples are made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from landweave.simulate.covers import CODE_OF_COVER, INDEX
from landweave.simulate.domain import Domain, FloatArray, draw_lines, path_lines
from landweave.simulate.noise import fractal_field, make_key, make_rng, smoothstep
from landweave.simulate.parcels import BlockLattice, label_regions, mean_by, split_parcels
from landweave.simulate.terrain import Terrain, make_terrain
from landweave.simulate.towns import Settlements, settle
from landweave.simulate.waters import Waters, make_waters


@dataclass(frozen=True)
class Setting:
    """What does not change from one year to the next; all arrays on the fine grid.

    Attributes:
        domain: Lattices.
        height: Metres.
        slope: Tangent.
        above: Height above the nearest stream, metres.
        ruggedness: 0..1.
        waters: Water fractions.
        road: Paved fraction of roads and streets, 0..1.
        track: Fraction of unpaved tracks.
        from_road_px: Distance from the nearest road.
        from_water_px: Distance from the nearest open water.
        town: Pull of towns, 0 far away to above 1 in their centre.
        field: Parcel of farm land, numbered from 0.
        plot: Block of buildings or stand of trees, numbered from 0.
        noise: Smooth random fields, mean 0 and sd 1, by name.
    """

    domain: Domain
    height: FloatArray
    slope: FloatArray
    above: FloatArray
    ruggedness: FloatArray
    waters: Waters
    road: FloatArray
    track: FloatArray
    from_road_px: FloatArray
    from_water_px: FloatArray
    town: FloatArray
    field: NDArray[np.int32]
    plot: NDArray[np.int32]
    noise: dict[str, FloatArray]


@dataclass(frozen=True)
class Land:
    """A year's land.

    Attributes:
        cover: Index into `COVERS` (rows, columns), uint8.
        unit: Field, stand or block of one cover, numbered from 0 (rows, columns), int32.
        hedge: Fraction of trees along field edges, 0..1.
    """

    cover: NDArray[np.uint8]
    unit: NDArray[np.int32]
    hedge: FloatArray

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Class codes."""
        return CODE_OF_COVER[self.cover]


def make_setting(shape: tuple[int, int], resolution_m: float, seed: int) -> Setting:
    """Make the lasting part of a landscape."""
    domain = Domain.around(shape, resolution_m)
    terrain = make_terrain(domain, seed)
    noise = _make_noise(shape, seed)
    rough = domain.refine(terrain.ruggedness)
    height = domain.refine(terrain.height) + noise["fine"] * (0.15 + 1.8 * rough)
    gy, gx = np.gradient(domain.refine(terrain.height), resolution_m)
    slope = np.hypot(gy, gx)
    waters = make_waters(domain, terrain, height, seed)
    lake = domain.coarsen(waters.lake, 0.0)
    settlements = settle(domain, terrain, lake, seed)
    road = _draw_roads(domain, settlements)
    water = np.maximum(waters.river, waters.lake)
    from_road = _distance(road > 0.3)
    town = _town_pull(domain, settlements, slope, from_road, noise)
    field, track = _fields(domain, terrain, road, water, noise, seed)
    plot = _plots(domain, town, seed)
    return Setting(
        domain, height, slope, domain.refine(terrain.above_stream), rough, waters, road, track, from_road,
        _distance(water > 0.5), town, field, plot, noise,
    )  # fmt: skip


def _make_noise(shape: tuple[int, int], seed: int) -> dict[str, FloatArray]:
    kinds = {
        "fine": (3.0, 40.0, 0.0), "wide": (3.2, 260.0, 6.0), "patch": (2.8, 70.0, 4.0), "stand": (2.9, 45.0, 3.5),
        "wet": (2.7, 60.0, 3.5),
    }  # fmt: skip
    return {
        name: fractal_field(shape, make_rng(seed, "noise", name), beta=beta, longest_px=longest, shortest_px=shortest)
        for name, (beta, longest, shortest) in kinds.items()
    }


def _distance(mask: NDArray[np.bool_]) -> FloatArray:
    if not mask.any():
        return np.full(mask.shape, 1e4, dtype=np.float32)
    return np.asarray(scipy.ndimage.distance_transform_edt(~mask), dtype=np.float32)


def _draw_roads(domain: Domain, settlements: Settlements) -> FloatArray:
    road = np.zeros(domain.shape, dtype=np.float32)
    for path, is_main in zip(settlements.roads, settlements.is_main, strict=True):
        width_m = 19.0 if is_main else 6.0
        draw_lines(road, path_lines(path, width_m / domain.resolution_m))
    return road


def _town_pull(
    domain: Domain, settlements: Settlements, slope: FloatArray, from_road: FloatArray, noise: dict[str, FloatArray]
) -> FloatArray:
    """Pull of all towns: falls with distance over each town's radius; roads draw it out, slopes and noise bend it."""
    rows, cols = np.indices(domain.shape, dtype=np.float32)
    pull = np.zeros(domain.shape, dtype=np.float32)
    for (r, c), radius in zip(settlements.towns, settlements.radius_px, strict=True):
        reach = 5 * radius
        top, bottom = int(np.clip(r - reach, 0, domain.shape[0])), int(np.clip(r + reach + 1, 0, domain.shape[0]))
        left, right = int(np.clip(c - reach, 0, domain.shape[1])), int(np.clip(c + reach + 1, 0, domain.shape[1]))
        part = (slice(top, bottom), slice(left, right))
        d = np.hypot(rows[part] - r, cols[part] - c) / radius
        pull[part] += np.exp(-(d**1.3) * 0.9)
    pull *= 0.72 + 0.55 * np.exp(-from_road * domain.resolution_m / 110)
    pull *= 1.0 + 0.22 * noise["patch"] + 0.12 * noise["stand"]
    return np.asarray(pull * np.exp(-((slope / 0.16) ** 2)), dtype=np.float32)


def _fields(
    domain: Domain, terrain: Terrain, road: FloatArray, water: FloatArray, noise: dict[str, FloatArray], seed: int
) -> tuple[NDArray[np.int32], FloatArray]:
    """Farm parcels and the tracks between their blocks."""
    spacing = float(min(1300.0 / domain.resolution_m, 0.45 * max(domain.shape)))
    lattice = BlockLattice(domain.shape, spacing, make_key(seed, "fields"))
    at = np.clip(lattice.seeds(), 0, np.array(domain.shape) - 1).astype(int)
    rng = make_rng(seed, "fields")
    n = len(at)
    rough = domain.refine(terrain.ruggedness)[at[:, 0], at[:, 1]]
    gy, gx = (scipy.ndimage.gaussian_filter(g, 6) for g in np.gradient(domain.refine(terrain.height), domain.resolution_m))
    contour = np.arctan2(gy[at[:, 0], at[:, 1]], gx[at[:, 0], at[:, 1]])
    wide = noise["wide"][at[:, 0], at[:, 1]]
    angle = 0.9 * wide + 0.25 * rng.standard_normal(n)
    angle = np.where(rough > 0.12, contour + np.pi / 2, angle)
    pattern = noise["patch"][at[:, 0], at[:, 1]] + 0.5 * rng.standard_normal(n) - 1.5 * rough
    hectare = (100.0 / domain.resolution_m) ** 2
    target = hectare * np.exp(np.clip(1.15 + 0.75 * pattern, -0.3, 2.6))
    elongation = np.where(rng.random(n) < 0.25, rng.uniform(2.5, 5.0, n), rng.uniform(1.0, 1.9, n))
    code, edge = split_parcels(
        lattice, angle=angle.astype(np.float32), target_px=target.astype(np.float32), elongation=elongation.astype(np.float32)
    )
    code = np.where((road > 0.5) | (water > 0.5), -1, code)
    track = np.clip(0.8 - edge, 0, 0.42).astype(np.float32)
    return label_regions(code), track


def _plots(domain: Domain, town: FloatArray, seed: int) -> NDArray[np.int32]:
    """Blocks of streets, which also serve as stands inside woods."""
    spacing = 340.0 / domain.resolution_m
    lattice = BlockLattice(domain.shape, spacing, make_key(seed, "plots"))
    rng = make_rng(seed, "plots")
    n = lattice.counts[0] * lattice.counts[1]
    angle = rng.uniform(0, np.pi, n)
    target = np.exp(rng.normal(np.log(0.85), 0.35, n)) * (100.0 / domain.resolution_m) ** 2
    elongation = rng.uniform(1.0, 2.2, n)
    code, _ = split_parcels(
        lattice, angle=angle.astype(np.float32), target_px=target.astype(np.float32), elongation=elongation.astype(np.float32)
    )
    return label_regions(code)


def make_land(setting: Setting, seed: int) -> Land:
    """Say what lies on every pixel in the first year."""
    cover = _farm_covers(setting, seed)
    cover = _plant_forests(setting, cover, seed)
    cover = _add_wetlands(setting, cover)
    cover = _build_towns(setting, cover, seed)
    cover = _dig_quarries(setting, cover, seed)
    water = setting.waters
    cover[water.bar > 0.5] = INDEX["gravel bar"]
    cover[(water.river > 0.5) | (water.stream > 0.5)] = INDEX["river"]
    cover[water.lake > 0.5] = INDEX["lake"]
    cover[(setting.road > 0.55)] = INDEX["road"]
    return Land(cover, _make_units(setting, cover), _plant_hedges(setting, cover, seed))


def _farm_covers(setting: Setting, seed: int) -> NDArray[np.uint8]:
    """Give every parcel a crop or grass: grass where it is steep, wet or rough."""
    rng = make_rng(seed, "crops")
    n = int(setting.field.max()) + 1
    slope, above = mean_by(setting.field, setting.slope), mean_by(setting.field, setting.above)
    region = mean_by(setting.field, setting.noise["wide"])
    rough = mean_by(setting.field, setting.ruggedness)
    grassy = 7.0 * slope + 1.6 * rough + 0.9 * np.exp(-above / 1.5) + 0.28 * region + 0.38 * rng.standard_normal(n)
    crop = choose_crops(rng, n, region)
    use = np.where(grassy > 0.78, np.where(rng.random(n) < 0.55, INDEX["meadow"], INDEX["pasture"]), crop)
    use = np.where((rng.random(n) < 0.04) & (grassy > 0.3), INDEX["shrub"], use).astype(np.uint8)
    return np.where(setting.field >= 0, use[np.maximum(setting.field, 0)], INDEX["meadow"]).astype(np.uint8)


def choose_crops(rng: np.random.Generator, n: int, region: FloatArray) -> NDArray[np.int64]:
    """Draw a crop per parcel; summer crops are commoner where `region` is high."""
    winter = np.array([INDEX["winter wheat"], INDEX["winter barley"], INDEX["rapeseed"]])
    summer = np.array([INDEX["maize"], INDEX["beet"], INDEX["sunflower"]])
    is_winter = rng.random(n) < 0.57 - 0.08 * np.clip(region, -2, 2)
    return np.where(is_winter, rng.choice(winter, n, p=[0.5, 0.2, 0.3]), rng.choice(summer, n, p=[0.55, 0.25, 0.2]))


def _plant_forests(setting: Setting, cover: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Woods on slopes and ridges with natural edges, in the plain with the edges of parcels; shrubs on their margin."""
    noise, field = setting.noise, setting.field
    here = (
        5.5 * setting.slope + 1.9 * setting.ruggedness + 0.55 * noise["patch"] + 0.35 * noise["wide"]
        - 0.5 * np.exp(-setting.above / 3.0) - 1.1 * np.clip(setting.town, 0, 1)
    )  # fmt: skip
    rng = make_rng(seed, "forest")
    per_field = mean_by(field, here) + 0.25 * rng.standard_normal(int(field.max()) + 1).astype(np.float32)
    by_field = np.where(field >= 0, per_field[np.maximum(field, 0)], here)
    natural = smoothstep(setting.slope + 0.6 * setting.ruggedness, 0.05, 0.3)
    score = natural * here + (1 - natural) * by_field
    limit = max(float(np.quantile(score, 0.71)), 0.35)
    along = np.exp(-((_distance(setting.waters.stream > 0.12) / 2.2) ** 2))
    along = along + 0.8 * np.exp(-((setting.from_water_px / 3.0) ** 2))
    gallery = along * (0.9 + 0.5 * noise["stand"]) > 0.75
    ecotone = (score > limit - 0.13 - 0.1 * noise["stand"]) & (noise["stand"] > 0.1) & (natural > 0.3)
    cover = np.where(ecotone, INDEX["shrub"], cover)
    rocky = (setting.slope > np.quantile(setting.slope, 0.985)) & (noise["stand"] > 0.6) & (setting.slope > 0.25)
    wood = (score > limit) | gallery
    per_plot = rng.standard_normal(int(setting.plot.max()) + 1).astype(np.float32)
    height = (setting.height - setting.height.mean()) / max(float(setting.height.std()), 1.0)
    conifer = 0.55 * height + 0.7 * noise["wide"] + 0.45 * noise["stand"] + 0.45 * per_plot[setting.plot] - 2.0 * gallery > 0.75
    cover = np.where(wood, np.where(conifer, INDEX["conifer forest"], INDEX["broadleaf forest"]), cover)
    felled = wood & (per_plot[setting.plot] > 1.95) & ~gallery
    cover = np.where(felled, INDEX["regrowth"], cover)
    return np.where(rocky, INDEX["quarry"], cover).astype(np.uint8)


def _add_wetlands(setting: Setting, cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reed along shores, wet meadows in the hollows of the plain."""
    score = (
        1.1 * np.exp(-setting.from_water_px / 9) + 0.8 * np.exp(-setting.above / 0.9) + 0.5 * setting.noise["wet"]
        - 2.5 * setting.ruggedness - 6 * setting.slope
    )  # fmt: skip
    limit = max(float(np.quantile(score, 0.945)), 0.6)
    reed = (score > limit + 0.35) | ((setting.from_water_px < 2.5) & (setting.noise["wet"] > 0.1) & (score > limit - 0.6))
    cover = np.where(score > limit, INDEX["wet meadow"], cover)
    return np.where(reed, INDEX["reed"], cover).astype(np.uint8)


def _build_towns(setting: Setting, cover: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Build block by block where towns pull; parks and works among the houses."""
    rng = make_rng(seed, "blocks")
    n = int(setting.plot.max()) + 1
    pull = mean_by(setting.plot, setting.town)
    chance = rng.random(n)
    kind = np.where(pull > 0.78, INDEX["town centre"], INDEX["suburb"])
    kind = np.where((pull < 0.62) & (chance < 0.1), INDEX["industry"], kind)
    built = pull + 0.05 * rng.standard_normal(n) > 0.36
    park = built & (chance > 0.955) & (pull < 0.85)
    use = np.where(park, INDEX["pasture"], kind)
    return np.where(built[setting.plot], use[setting.plot], cover).astype(np.uint8)


def _dig_quarries(setting: Setting, cover: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A few quarries on slopes that a road reaches, and building sites at the edge of towns."""
    rng = make_rng(seed, "quarries")
    rows, cols = np.indices(cover.shape, dtype=np.float32)
    km2 = cover.size * (setting.domain.resolution_m / 1000) ** 2
    score = -np.abs(setting.from_road_px * setting.domain.resolution_m - 250) / 300 + 3 * setting.slope - 3 * setting.town
    score = score + 0.6 * setting.noise["patch"] - 2.0 * (setting.from_water_px < 8)
    for _ in range(max(1, round(km2 / 25))):
        r, c = divmod(int(np.argmax(score)), cover.shape[1])
        radius = rng.uniform(70, 210) / setting.domain.resolution_m
        d = np.hypot((rows - r) * rng.uniform(0.8, 1.2), (cols - c) * rng.uniform(0.7, 1.3)) / radius
        cover = np.where(d + 0.22 * setting.noise["stand"] + 0.12 * setting.noise["patch"] < 1, INDEX["quarry"], cover)
        score = score - 4 * np.exp(-(np.hypot(rows - r, cols - c) * setting.domain.resolution_m / 1500) ** 2)
    per_plot = rng.random(int(setting.plot.max()) + 1)
    site = (setting.town > 0.24) & (setting.town < 0.42) & (per_plot[setting.plot] > 0.965)
    return np.where(site, INDEX["building site"], cover).astype(np.uint8)


def _make_units(setting: Setting, cover: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number the pieces of one cover inside one parcel; woods, waters and towns by plot."""
    by_field = np.isin(CODE_OF_COVER[cover], (5, 6, 7, 8))
    place = np.where(by_field & (setting.field >= 0), setting.field.astype(np.int64), setting.plot.astype(np.int64) + (1 << 30))
    place = np.where(CODE_OF_COVER[cover] == 1, 0, place)
    return label_regions((place * 64 + cover).astype(np.int64))


def _plant_hedges(setting: Setting, cover: NDArray[np.uint8], seed: int) -> FloatArray:
    """Rows of trees along some field edges, where parcels are small."""
    field = setting.field
    edge = np.zeros(cover.shape, dtype=bool)
    edge[:, 1:] |= field[:, 1:] != field[:, :-1]
    edge[1:] |= field[1:] != field[:-1]
    rng = make_rng(seed, "hedges")
    lucky = rng.random(int(field.max()) + 1) < 0.35
    bushy = smoothstep(setting.noise["wide"] + 2.0 * setting.ruggedness, 0.0, 1.2)
    farm = np.isin(CODE_OF_COVER[cover], (6, 7, 8)) & (field >= 0)
    return np.asarray(np.where(edge & farm & lucky[np.maximum(field, 0)], 0.75 * bushy, 0), dtype=np.float32)


def replace_cover(setting: Setting, land: Land, cover: NDArray[np.uint8]) -> Land:
    """Give a land another cover raster, with units to match."""
    return replace(land, cover=cover, unit=_make_units(setting, cover))
