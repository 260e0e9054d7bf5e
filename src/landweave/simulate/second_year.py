"""The land one year later: crops rotate, towns grow, woods are felled along roads, fields fall fallow or are ploughed up.

Receives a first year's `Land`; hands on the second year's, with a stated share of real change. Rotation is no change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.simulate.covers import CODE_OF_COVER, INDEX
from landweave.simulate.landcover import Land, Setting, choose_crops, replace_cover
from landweave.simulate.noise import make_key, make_rng
from landweave.simulate.parcels import mean_by

_SHARES = {"built": 0.35, "felled": 0.33, "abandoned": 0.16, "ploughed": 0.16}
"""How the change is shared out."""


def next_year(setting: Setting, land: Land, *, change_pct: float, seed: int, year: int) -> Land:
    """Move a land on by one year.

    Args:
        setting: What lasts.
        land: The first year.
        change_pct: Share of all pixels whose land use changes, per cent (less where nothing is left to change).
        seed: The landscape's seed.
        year: The second year.
    """
    rng = make_rng(seed, "change", year)
    before = land.classes
    cover = _rotate_crops(setting, land.cover, rng)
    quota = {what: round(share * change_pct / 100 * cover.size) for what, share in _SHARES.items()}
    free = np.ones(cover.shape, dtype=bool)
    for what in ("built", "felled", "abandoned", "ploughed"):
        score, allowed, use = _PLANS[what](setting, before, rng)
        chosen = _take_best(score, allowed & free & (setting.road < 0.3), quota[what], make_key(seed, what, year))
        cover = np.where(chosen, use, cover)
        free &= ~chosen
    return replace_cover(setting, land, cover.astype(np.uint8))


def find_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell where the land use changed between two rasters of class codes; winter and summer crops are one use."""
    use = np.arange(256, dtype=np.uint8)
    use[8] = 7
    changed: NDArray[np.bool_] = use[before] != use[after]
    return changed


def _rotate_crops(setting: Setting, cover: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Give nearly every ploughed parcel another crop."""
    n = int(setting.field.max()) + 1
    crop = choose_crops(rng, n, mean_by(setting.field, setting.noise["wide"]))[np.maximum(setting.field, 0)]
    is_crop = np.isin(CODE_OF_COVER[cover], (7, 8)) & (setting.field >= 0)
    return np.where(is_crop, crop, cover).astype(np.uint8)


Plan = tuple[NDArray[np.floating[Any]], NDArray[np.bool_], NDArray[np.uint8]]
"""Score of every pixel, whether it can change at all, and the cover it would get."""


def _plan_building(setting: Setting, before: NDArray[np.uint8], rng: np.random.Generator) -> Plan:
    """Towns grow block by block at their edge and along roads."""
    n = int(setting.plot.max()) + 1
    pull = mean_by(setting.plot, setting.town) + 0.05 * rng.standard_normal(n)
    kinds = np.array([INDEX["suburb"], INDEX["industry"], INDEX["building site"]], dtype=np.uint8)
    use = rng.choice(kinds, n, p=[0.62, 0.18, 0.2])
    return pull[setting.plot], np.isin(before, (3, 5, 6, 7, 8)), use[setting.plot]


def _plan_felling(setting: Setting, before: NDArray[np.uint8], rng: np.random.Generator) -> Plan:
    """Woods are felled parcel by parcel, near roads first."""
    n = int(setting.field.max()) + 1
    near = np.exp(-mean_by(setting.field, setting.from_road_px) * setting.domain.resolution_m / 450)
    score = near + 0.45 * rng.standard_normal(n)
    use = np.where(rng.random(n) < 0.6, INDEX["felled"], INDEX["regrowth"]).astype(np.uint8)
    return _by_field(setting, score), np.isin(before, (3, 4)) & (setting.field >= 0), use[np.maximum(setting.field, 0)]


def _plan_abandoning(setting: Setting, before: NDArray[np.uint8], rng: np.random.Generator) -> Plan:
    """Steep and wet parcels are left to shrubs."""
    score = 4 * mean_by(setting.field, setting.slope) + 0.5 * rng.standard_normal(int(setting.field.max()) + 1)
    use = np.full(before.shape, INDEX["regrowth"], dtype=np.uint8)
    return _by_field(setting, score), np.isin(before, (6, 7, 8)) & (setting.field >= 0), use


def _plan_ploughing(setting: Setting, before: NDArray[np.uint8], rng: np.random.Generator) -> Plan:
    """Grassland on gentle slopes becomes fields."""
    n = int(setting.field.max()) + 1
    score = 0.6 * rng.standard_normal(n) - 5 * mean_by(setting.field, setting.slope)
    crop = choose_crops(rng, n, mean_by(setting.field, setting.noise["wide"])).astype(np.uint8)
    return _by_field(setting, score), (before == 6) & (setting.field >= 0), crop[np.maximum(setting.field, 0)]


_PLANS = {"built": _plan_building, "felled": _plan_felling, "abandoned": _plan_abandoning, "ploughed": _plan_ploughing}


def _by_field(setting: Setting, score: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(score[np.maximum(setting.field, 0)])


def _take_best(
    score: NDArray[np.floating[Any]], allowed: NDArray[np.bool_], count: int, key: int
) -> NDArray[np.bool_]:
    """Choose the `count` allowed pixels of the highest score; the last parcel is cut along a straight line."""
    cells = np.flatnonzero(allowed)
    chosen = np.zeros(allowed.shape, dtype=bool)
    if not count or not len(cells):
        return chosen
    rows, cols = np.divmod(cells, allowed.shape[1])
    a, b = np.cos(key % 360), np.sin(key % 360)
    order = np.lexsort((a * rows + b * cols, -score.ravel()[cells]))
    chosen.ravel()[cells[order[:count]]] = True
    return chosen
