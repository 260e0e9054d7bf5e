"""From scenes to a lazy cube set: headers, grid, plans, and a look at a few windows to catch wrong values early.

Receives scenes; hands on a `CubeSet` of plain xarray objects that read windows when indexed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from landweave.cube.backend import make_cube
from landweave.cube.coregister import coregister_plan, describe_shifts
from landweave.cube.extent import check_overlap, resolve_coarse, resolve_geobox
from landweave.cube.merge import find_lines, merge_sources
from landweave.cube.options import CubeOptions
from landweave.cube.place import PLACE, make_place
from landweave.cube.plan import CubePlan
from landweave.cube.planning import plan_cube, select_dates
from landweave.cube.probe import probe_plan
from landweave.cube.reading import OutsideCount, read_plan
from landweave.cube.segments import SEGMENTS, make_segments
from landweave.cube.sharpen import plan_sharpen
from landweave.cube.spatial import SpatialPlan, check_spatial, plan_spatial, read_spatial
from landweave.cube.terrain import TERRAIN, make_terrain
from landweave.errors import BandError, CubeError, GridError, SceneError
from landweave.features.indices import get_index
from landweave.grid import GeoBox, Window, resolve_crs
from landweave.io.handles import map_files
from landweave.io.rasters import RasterInfo, read_info
from landweave.types import Band, BandKind, CubeSet, Scene

__all__ = ["load_cube"]

log = logging.getLogger(__name__)


class PlanReader:
    """Reads windows of a plan for the backend array."""

    def __init__(self, plan: CubePlan, spatial: SpatialPlan | None = None) -> None:
        self.plan = plan
        self.spatial = spatial
        self.count: OutsideCount | None = None

    def __getstate__(self) -> dict[str, object]:
        return {"plan": self.plan, "spatial": self.spatial, "count": None}

    def read(self, window: Window, steps: Sequence[int], bands: Sequence[int]) -> NDArray[np.float32]:
        """Read (time, band, y, x); counts values out of range while `count` is set."""
        every = list(steps) == list(range(len(self.plan.steps)))
        if self.spatial is not None:
            names = [self.spatial.bands[i] for i in bands]
            return read_spatial(
                self.plan, self.spatial, window, steps=None if every else steps, bands=names, count=self.count
            )  # fmt: skip
        names = [self.plan.outputs[i] for i in bands]
        return read_plan(self.plan, window, steps=None if every else steps, bands=names, count=self.count)


def _read_headers(scenes: Sequence[Scene]) -> dict[str, RasterInfo]:
    """Read every file's header once, many at a time; a crs that the scene states stands in for the file's."""
    owners: dict[str, Scene] = {}
    for scene in scenes:
        for asset in (*scene.assets, *(scene.mask.assets if scene.mask else ())):
            owners.setdefault(asset.path, scene)

    def read(path: str) -> RasterInfo:
        info, crs = read_info(path), owners[path].crs
        if crs:
            info = replace(info, geobox=GeoBox(info.geobox.shape, info.geobox.affine, resolve_crs(crs)))
        if info.geobox.crs is None:
            raise GridError(f"{path} has no crs; state it in the recipe (crs: EPSG:... of the source)")
        return info

    return dict(zip(owners, map_files(read, owners, paths=owners), strict=True))


def _band_files(scenes: Sequence[Scene], headers: Mapping[str, RasterInfo]) -> list[RasterInfo]:
    paths = dict.fromkeys(a.path for s in scenes for a in s.assets)
    return [headers[p] for p in paths]


def _add_indices(plan: CubePlan, options: CubeOptions) -> CubePlan:
    """Add the indices that the bands of this cube allow."""
    found = [get_index(name) for name in options.indices]
    added = [i.name for i in found if i.name not in plan.bands and set(i.bands) <= set(plan.stored)]
    return replace(plan, bands=(*plan.bands, *added))


def _to_xarray(plan: CubePlan, bands: Mapping[str, Band], spatial: SpatialPlan | None) -> xr.DataArray:
    own: list[BandKind] = [bands[b].kind if b in bands else "index" for b in plan.bands for _ in plan.columns(b)]
    kinds: Sequence[BandKind] = [*own, *(["other"] * len(plan.series.layers))]  # type: ignore[list-item]
    names = plan.outputs
    if spatial is not None:
        names, kinds = spatial.bands, spatial.kinds
    times = None
    if not plan.is_static:
        start = np.array([s.start for s in plan.steps], dtype="datetime64[s]")
        end = np.array([s.end for s in plan.steps], dtype="datetime64[s]")
        times = (start, end)
    return make_cube(PlanReader(plan, spatial), plan.geobox, names, kinds, times=times, name=plan.name)


def make_spatial(
    plan: CubePlan, bands: Mapping[str, Band], headers: Mapping[str, RasterInfo], options: CubeOptions
) -> tuple[SpatialPlan | None, list[str]]:  # fmt: skip
    """Work out what looks around a pixel in one cube: sharpened bands, radar, texture; None where nothing does."""
    notes: list[str] = []
    sharpen = None
    if options.sharpen is not None:
        sharpen, notes = plan_sharpen(plan, headers, options.sharpen)
    made, said = plan_spatial(plan, bands, radar=options.radar, texture=options.texture, sharpen=sharpen)
    return made, notes + said


def _check_names(plans: Sequence[CubePlan], options: CubeOptions) -> None:
    known = list(dict.fromkeys(b for p in plans for b in (*p.stored, *p.bands)))
    for what, wanted in (("band", options.bands or ()), ("index", [get_index(i).name for i in options.indices])):
        missing = [b for b in wanted if b not in known]
        if missing and what == "band":
            raise BandError(f"no source has the band {missing[0]!r}; there are {', '.join(known)}")
        if missing:
            raise BandError(f"index {missing[0]!r} cannot be computed from the bands {', '.join(known)}; "
                            "load the bands it needs")  # fmt: skip


def load_cube(scenes: Sequence[Scene] | Mapping[str, Sequence[Scene]], *, options: CubeOptions | None = None) -> CubeSet:
    """Put scenes onto one grid as lazy cubes; nothing is read but headers and a few small windows.

    Values of a window, in this order: stored values; validity (nodata, NaN, outside the file); scale and offset; the scene's
    mask; the band's valid range; mosaic of a solar day; indices; composite of a period; filling over time; sharpening, radar
    filters and texture. A pixel's value does not depend on the window it is read in.

    Args:
        scenes: Scenes of one source (its cube is named "main"), or of several by name.
        options: Grid, bands, dates and rules.

    Returns:
        Cubes on nested grids; `notes` says what was reprojected, mosaicked and taken as nodata.

    Raises:
        SceneError: If there is no scene, or one has a band twice.
        GridError: If a file has no crs, or the grid does not overlap the files.
        BandError: If a band or index asked for does not exist.
        CubeError: If no scene lies between the dates, values lie outside their valid range, or no pixel is valid.
    """
    options = options or CubeOptions()
    sources = dict(scenes) if isinstance(scenes, Mapping) else {"main": scenes}
    empty = [n for n, s in sources.items() if not s]
    if empty or not sources:
        raise SceneError(f"no scenes in source {empty[0]!r}; look at its paths" if empty else "no sources given")
    chosen = {n: select_dates(s, options, n) for n, s in sources.items()}
    merged, told = merge_sources(chosen, options)
    chosen, sources = merged, {n: merged[n] for n in merged}
    headers = {n: _read_headers(s) for n, s in chosen.items()}
    geobox = resolve_geobox([i for n in chosen for i in _band_files(chosen[n], headers[n])], options)
    cubes: dict[str, xr.DataArray] = {}
    plans: list[CubePlan] = []
    spatial: list[SpatialPlan | None] = []
    readers: dict[str, tuple[PlanReader, CubePlan]] = {}
    notes: list[str] = list(told)
    if options.terrain is not None:
        scene, said = make_terrain(chosen, headers, geobox, options)
        notes += said
        chosen[TERRAIN], headers[TERRAIN] = [scene], _read_headers([scene])
    for name, own in chosen.items():
        grid = _source_grid(name, geobox, options)
        check_overlap(grid, _band_files(own, headers[name]), "the cube's grid", f"the files of source {name!r}")
        wanted = options if name in sources else options.model_copy(update={"bands": None})
        lines, told_lines = find_lines(name, own, headers[name], grid, wanted) if name in options.merge else ({}, [])
        plan, bands, said = plan_cube(name, own, headers[name], grid, wanted, lines=lines)
        notes += told_lines
        plan = _add_indices(plan, options)
        if options.coregister is not None and name in sources:
            plan, shifts = coregister_plan(plan, bands, options.coregister)
            said = [*said, *describe_shifts(name, shifts)]
        plans.append(plan)
        notes += said + probe_plan(plan, bands, headers[name], options)
        around = None
        if name in sources:
            around, said = make_spatial(plan, bands, headers[name], options)
            spatial.append(around)
            notes += said
        if plan.bands:
            cubes[name] = _to_xarray(plan, bands, around)
            if name in sources:
                readers[name] = (PlanReader(plan, around), plan)
    _check_names(plans, options)
    stored = [b for p in plans for b in p.stored]
    check_spatial(spatial, stored, radar=options.radar, texture=options.texture, sharpen=options.sharpen)
    if options.segments is not None:
        cubes[SEGMENTS] = make_segments({n: cubes[n] for n in readers}, readers, geobox, options.segments)
    if options.place is not None:
        if PLACE in cubes:
            raise CubeError(f"a source is named {PLACE!r}, as the cube of cube: place is; name the source otherwise")
        cubes[PLACE] = make_place(geobox, options.place)
    return CubeSet(cubes, geobox, tuple(notes))


def _source_grid(name: str, geobox: GeoBox, options: CubeOptions) -> GeoBox:
    given = options.resolution
    if not isinstance(given, dict) or name not in given:
        return geobox
    size = given[name]
    return resolve_coarse(geobox, (float(size), float(size)) if isinstance(size, int | float) else size, name)
