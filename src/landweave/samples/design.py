"""Probability designs: places drawn from strata with known inclusion probabilities, and designs stated by others.

Receives a grid or a map whose classes are the strata; hands on a `SampleTable` of places without labels, with their design.
The map is read in blocks, twice: once to count, once to pick.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import GeoBox, Window, crs_of, metres_per_pixel, pixel_area_m2, split_blocks
from landweave.io.files import sha256_file
from landweave.io.rasters import read_info, read_window
from landweave.legend import Legend
from landweave.samples._rows import make_frame, to_text
from landweave.samples.design_clusters import pick_clusters
from landweave.samples.design_plan import DesignPlan, make_plan
from landweave.samples.options import DesignOptions, DrawOptions
from landweave.types import Design, SampleTable, StratumInfo

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Strata", "draw_design", "plan_design", "state_design"]

_BLOCK_PX = 1024
"""Fixed, because the order of the blocks numbers the pixels that the draw picks from."""
_ALL = "all"


@dataclass(frozen=True)
class Strata:
    """Strata of a draw, given as an array in memory.

    Attributes:
        codes: Stratum code per pixel (y, x), whole numbers; negative where no place may be drawn.
        geobox: The grid.
        checksum: sha256 of the map file that the codes come from, if any.
    """

    codes: NDArray[Any]
    geobox: GeoBox
    checksum: str | None = None


def draw_design(
    strata: GeoBox | Strata | str | Path, *, options: DrawOptions, legend: Legend | None = None, nodata: int | None = None
) -> SampleTable:
    """Draw places by a probability design; their labels are empty until somebody gives them.

    Args:
        strata: A grid (one stratum, the whole of it), an array of codes, or a raster file of one layer: a map's classes or
            any other partition.
        options: Kind of design, how many, how they are shared out, seed.
        legend: Names of the strata by code, and the classes of the table; made from the codes by default. Codes that it
            does not hold are not drawn from.
        nodata: Code that is no stratum, beside the file's own nodata.

    Returns:
        Rows at pixel centres in the grid's crs, `class` empty, with `stratum`, `inclusion_probability` (drawn / size of the
        stratum; for a systematic design the inverse of the step squared; for clusters the share of clusters drawn times the
        share of the cluster's pixels drawn), `psu` for clusters, and the design.

    Raises:
        SampleError: If there is nothing to draw from, more is asked than there is, or an allocation names no stratum.
    """
    geobox, read, checksum = _open_strata(strata, nodata)
    sizes, areas = _count(geobox, read, legend)
    if not sizes:
        raise SampleError("strata hold no pixel to draw from: all are nodata, or none of their codes is in the legend")
    names = _names(sizes, legend)
    plan = make_plan(sizes, areas, names, options)
    population = _Population(sizes, areas, names, checksum)
    rng = np.random.default_rng(options.seed)
    if options.kind == "stratified-cluster":
        return _draw_clusters_by_stratum(geobox, read, population, plan, options, legend)
    if options.kind == "stratified":
        picked = _pick(geobox, read, sizes, dict(zip(plan.codes, plan.n, strict=True)), rng)
    else:
        _check_total(plan.total, sum(sizes.values()))
        if options.kind == "cluster":
            return _draw_clusters(geobox, read, population, plan.total, options, legend)
        if options.kind == "systematic":
            picked, probability = _pick_systematic(geobox, read, set(sizes), plan.total, sum(sizes.values()), rng)
            return _make_table(geobox, picked, np.full(len(picked), probability), population, options, legend)
        picked = _pick(geobox, read, sizes, {-1: plan.total}, rng)
    return _make_table(geobox, picked, None, population, options, legend)


def plan_design(
    strata: GeoBox | Strata | str | Path, *, options: DrawOptions, legend: Legend | None = None, nodata: int | None = None
) -> DesignPlan:
    """Plan a draw without drawing: how many places each stratum would get, and the precision to expect; see `draw_design`.

    Raises:
        SampleError: As `draw_design`.
    """
    geobox, read, _ = _open_strata(strata, nodata)
    sizes, areas = _count(geobox, read, legend)
    if not sizes:
        raise SampleError("strata hold no pixel to draw from: all are nodata, or none of their codes is in the legend")
    return make_plan(sizes, areas, _names(sizes, legend), options)


def _check_total(n: int, size: int) -> None:
    if n > size:
        raise SampleError(f"{n} places are asked of {size} pixels; ask for fewer")


def state_design(options: DesignOptions, frame: gpd.GeoDataFrame, geobox: GeoBox | None, note: str) -> Design:
    """Turn a design stated in a recipe into the document that travels with the samples; counts what was drawn.

    Raises:
        SampleError: If a row's stratum is not among the stated ones.
    """
    if options.kind == "none":
        return Design(kind="none", unit=options.unit, note=". ".join(t for t in (options.note, note) if t))
    given = frame["stratum"]
    stated = {s.name for s in options.strata}
    if options.kind == "stratified":
        unknown = ", ".join(sorted({str(v) for v in given} - stated))
        if unknown:
            raise SampleError(f"design is stratified but rows stand in the strata {unknown}, which it does not state (stated: "
                              f"{', '.join(sorted(stated))}); name the stratum_column and state each size")  # fmt: skip
    size, whole_ha = (0, 0.0) if geobox is None else (geobox.shape[0] * geobox.shape[1], _area_ha(geobox))
    strata = []
    for s in options.strata:
        n = int((given == s.name).sum()) if options.kind == "stratified" else len(frame)
        area = s.area_ha if s.area_ha is not None or not size else s.size_px * whole_ha / size
        if area is None:
            raise SampleError(f"stratum {s.name!r} has no area_ha and there is no grid to take it from; state it")
        strata.append(StratumInfo(name=s.name, size_px=s.size_px, area_ha=area, n_drawn=n, code=s.code))
    if not strata and size:
        strata = [StratumInfo(name=_ALL, size_px=size, area_ha=whole_ha, n_drawn=len(frame))]
    return Design(kind=options.kind, strata=tuple(strata), strata_checksum=options.map_checksum, unit=options.unit,
                  seed=options.seed, note=". ".join(t for t in (options.note, note) if t))  # fmt: skip


def _area_ha(geobox: GeoBox) -> float:
    blocks = split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX)
    return sum(float(pixel_area_m2(geobox, window).sum()) for window in blocks) / 1e4


# --- reading strata in blocks ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Population:
    sizes: Mapping[int, int]
    areas: Mapping[int, float]
    names: Mapping[int, str]
    checksum: str | None


def _open_strata(strata: GeoBox | Strata | str | Path, nodata: int | None) -> tuple[GeoBox, Any, str | None]:
    """Give the grid, a function window -> codes (negative: not drawn from), and the file's checksum."""
    if isinstance(strata, GeoBox):
        return strata, lambda w: np.zeros((w.height, w.width), dtype=np.int64), None
    if isinstance(strata, Strata):
        if strata.codes.shape != tuple(strata.geobox.shape):
            raise SampleError(f"strata have the shape {strata.codes.shape}, their grid {tuple(strata.geobox.shape)}")
        codes = strata.codes

        def from_array(w: Window) -> NDArray[np.int64]:
            part = codes[w.slices].astype(np.int64)
            return part if nodata is None else np.where(part == nodata, -1, part)

        return strata.geobox, from_array, strata.checksum
    path = str(strata)
    info = read_info(path)
    if np.dtype(info.dtypes[0]).kind not in "iu":
        raise SampleError(f"{path} holds {info.dtypes[0]}; strata are whole numbers, give a classified raster")
    crs_of(info.geobox)

    def from_file(w: Window) -> NDArray[np.int64]:
        data, valid = read_window(path, [1], info.geobox, w)
        part = np.where(valid[0], data[0].astype(np.int64), -1)
        return part if nodata is None else np.where(part == nodata, -1, part)

    return info.geobox, from_file, sha256_file(path)


def _blocks(geobox: GeoBox, read: Any, known: set[int]) -> Iterator[tuple[Window, NDArray[np.int64]]]:
    """Pass over the grid; codes that are not known become -1."""
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        codes = read(window)
        yield window, np.where(np.isin(codes, list(known)), codes, -1)


def _count(geobox: GeoBox, read: Any, legend: Legend | None) -> tuple[dict[int, int], dict[int, float]]:
    sizes: dict[int, int] = {}
    areas: dict[int, float] = {}
    known = None if legend is None else set(legend.codes)
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        codes = read(window)
        area = pixel_area_m2(geobox, window)
        for code in np.unique(codes[codes >= 0]):
            if known is None or int(code) in known:
                here = codes == code
                sizes[int(code)] = sizes.get(int(code), 0) + int(here.sum())
                areas[int(code)] = areas.get(int(code), 0.0) + float(area[here].sum()) / 1e4
    return dict(sorted(sizes.items())), areas


def _names(sizes: Mapping[int, int], legend: Legend | None) -> dict[int, str]:
    if legend is None:
        return {c: _ALL if len(sizes) == 1 else str(c) for c in sizes}
    of = {c.code: c.name for c in legend}
    return {c: of[c] for c in sizes}


# --- picking -------------------------------------------------------------------------------------------------------------


def _pick(
    geobox: GeoBox, read: Any, sizes: Mapping[int, int], wanted: Mapping[int, int], rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Draw without replacement: numbers of pixels first, then one pass finds the pixels that carry them.

    `wanted` has a code per stratum, or the one key -1 for all of them together.
    """
    seen = dict.fromkeys(wanted, 0)
    ranks = {c: np.sort(rng.choice(sizes[c] if c >= 0 else sum(sizes.values()), n, replace=False)) for c, n in wanted.items()}
    picked: list[tuple[int, int, int]] = []
    for window, codes in _blocks(geobox, read, set(sizes)):
        for c, rank in ranks.items():
            here = np.flatnonzero(codes.ravel() == c if c >= 0 else codes.ravel() >= 0)
            mine = rank[(rank >= seen[c]) & (rank < seen[c] + len(here))] - seen[c]
            seen[c] += len(here)
            for i in here[mine]:
                row, col = divmod(int(i), window.width)
                picked.append((row + window.row, col + window.col, int(codes[row, col])))
    return sorted(picked)


def _pick_systematic(
    geobox: GeoBox, read: Any, known: set[int], n: int, size: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int, int]], float]:
    """Lay a square lattice with a random origin over the grid; about n of its nodes fall on pixels to draw from."""
    step = math.sqrt(size / n)
    at_row, at_col = rng.uniform(0, step, 2)
    rows = np.unique(np.floor(np.arange(at_row, geobox.shape[0], step)).astype(int))
    cols = np.unique(np.floor(np.arange(at_col, geobox.shape[1], step)).astype(int))
    picked = []
    for window, codes in _blocks(geobox, read, known):
        r = rows[(rows >= window.row) & (rows < window.row_end)]
        c = cols[(cols >= window.col) & (cols < window.col_end)]
        if len(r) and len(c):
            part = codes[np.ix_(r - window.row, c - window.col)]
            picked += [(int(r[i]), int(c[j]), int(part[i, j])) for i, j in zip(*np.nonzero(part >= 0), strict=True)]
    if not picked:
        raise SampleError(f"no node of a lattice with a step of {step:.1f} pixels falls on a pixel to draw from; raise n")
    return sorted(picked), 1 / step**2


def _draw_clusters(
    geobox: GeoBox, read: Any, population: _Population, n: int, options: DrawOptions, legend: Legend | None
) -> SampleTable:
    drawn = pick_clusters(
        (geobox.shape[0], geobox.shape[1]), lambda w: np.isin(read(w), list(population.sizes)), n=n, psu_px=options.psu_px,
        per_psu=options.per_psu, rng=np.random.default_rng(options.seed),
    )  # fmt: skip
    picked = [(int(r), int(c), -1) for r, c in zip(drawn.rows, drawn.cols, strict=True)]
    made = _make_table(geobox, picked, drawn.probability, population, options, legend)
    made.frame["psu"] = to_text([f"square {r} {c}" for r, c in drawn.psu])
    m = len(np.unique(drawn.psu, axis=0))
    note = (f"{len(picked)} places in {m} of {drawn.n_clusters} squares of {options.psu_px} x {options.psu_px} pixels, up to "
            f"{options.per_psu} places in each")  # fmt: skip
    return replace(made, design=made.design.model_copy(update={"psu_count": drawn.n_clusters, "note": note}))


def _draw_clusters_by_stratum(
    geobox: GeoBox, read: Any, population: _Population, plan: DesignPlan, options: DrawOptions, legend: Legend | None
) -> SampleTable:
    """Draw squares within each stratum, and places among the stratum's own pixels in them; a square may serve several strata.

    Every stratum has a two-stage sample of its own (Cochran 1977, section 10.9 within strata): a place's inclusion probability
    is the share of the stratum's squares drawn times the share of its pixels in the square drawn.
    """
    rng, parts, counts = np.random.default_rng(options.seed), [], dict[int, int]()
    for code, n in zip(plan.codes, plan.n, strict=True):
        if n == 0:
            continue
        try:
            drawn = pick_clusters(
                (geobox.shape[0], geobox.shape[1]), lambda w, c=code: read(w) == c, n=n, psu_px=options.psu_px,  # type: ignore[misc]
                per_psu=options.per_psu, rng=rng,
            )  # fmt: skip
        except SampleError as err:
            raise SampleError(f"stratum {population.names[code]!r}: {err}") from err
        parts.append((code, drawn))
        counts[code] = drawn.n_clusters
    picked = [(int(r), int(c), code) for code, d in parts for r, c in zip(d.rows, d.cols, strict=True)]
    chance = np.concatenate([d.probability for _, d in parts])
    made = _make_table(geobox, picked, chance, population, options, legend)
    squares = [f"{population.names[code]} square {r} {c}" for code, d in parts for r, c in d.psu]
    made.frame["psu"] = to_text(squares)
    strata = tuple(s.model_copy(update={"psu_count": counts.get(-1 if s.code is None else s.code)}) for s in made.design.strata)
    note = (f"{len(picked)} places in {len(set(squares))} squares of {options.psu_px} x {options.psu_px} pixels, drawn within "
            f"each of {len(parts)} strata, up to {options.per_psu} places in each")  # fmt: skip
    return replace(made, design=made.design.model_copy(update={"strata": strata, "note": note}))


def _make_table(
    geobox: GeoBox, picked: list[tuple[int, int, int]], chance: NDArray[np.float64] | None, population: _Population,
    options: DrawOptions, legend: Legend | None,
) -> SampleTable:  # fmt: skip
    import geopandas as gpd

    rows, cols, codes = (np.array(v, dtype=np.int64) for v in zip(*picked, strict=True))
    stratified = options.by_stratum
    strata = _strata_info(codes, population, stratified)
    if chance is None:
        of = {s.code: s.n_drawn / s.size_px for s in strata}
        chance = np.array([of[int(c)] if stratified else of[None] for c in codes])
    a = geobox.affine
    x, y = a.c + a.a * (cols + 0.5) + a.b * (rows + 0.5), a.f + a.d * (cols + 0.5) + a.e * (rows + 0.5)
    points = gpd.points_from_xy(x, y)
    frame = make_frame({
        "stratum": [population.names[int(c)] if stratified else _ALL for c in codes], "inclusion_probability": chance,
        "purpose": "reference", "group": [f"pixel {r} {c}" for r, c in zip(rows, cols, strict=True)],
    }, points, crs_of(geobox).to_wkt())  # fmt: skip
    frame["class"] = to_text([None] * len(frame))
    classes = legend or Legend.from_names([population.names[c] for c in population.sizes])
    metres = metres_per_pixel(geobox)
    checksum = population.checksum if stratified else None
    unit = f"pixel of {metres[0]:.4g} x {metres[1]:.4g} m"
    kind: Any = options.kind.removeprefix("stratified-")
    design = Design(kind=kind, strata=strata, strata_checksum=checksum, unit=unit, seed=options.seed,
                    note=f"{len(frame)} places drawn by a {options.kind} design")  # fmt: skip
    return SampleTable(frame, classes, (), design)


def _strata_info(codes: NDArray[np.int64], population: _Population, stratified: bool) -> tuple[StratumInfo, ...]:
    if not stratified:
        size, area = sum(population.sizes.values()), sum(population.areas.values())
        return (StratumInfo(name=_ALL, size_px=size, area_ha=area, n_drawn=len(codes)),)
    return tuple(
        StratumInfo(name=population.names[c], size_px=n, area_ha=population.areas[c], n_drawn=int((codes == c).sum()), code=c)
        for c, n in population.sizes.items()
    )
