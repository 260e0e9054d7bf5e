"""Terrain as a source of its own: measures on the elevation model's own pixels, written once, then read like any file.

Receives the sources of a cube and its grid; hands on one static scene more. Local measures are computed by blocks with the
margin that they need; `twi` on the whole model, since a pixel's value depends on its catchment.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube.derived_options import TerrainOptions
from landweave.cube.extent import project_bounds, resolve_geobox
from landweave.cube.options import CubeOptions
from landweave.cube.plan import CubePlan
from landweave.cube.planning import Headers, plan_cube
from landweave.cube.probe import probe_plan
from landweave.cube.reading import read_plan
from landweave.errors import BandError, CubeError, GridError
from landweave.features.terrain import TERRAIN_MEASURES, Sun, compute_terrain, terrain_margin
from landweave.features.wetness import BYTES_PER_PIXEL, compute_wetness
from landweave.grid import GeoBox, Window, crs_of, pixel_size_m, split_blocks
from landweave.io.files import sha256_json
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.io.rasters import RasterInfo
from landweave.types import Asset, Band, Scene, Sensor

__all__ = ["TERRAIN", "make_terrain"]

log = logging.getLogger(__name__)
TERRAIN = "terrain"
"""Name of the cube."""

_BLOCK_PX = 1024
_MARGIN_PX = 8
"""Pixels kept around the cube's area beyond the measures' own margin, for resampling."""
_FORMAT = 1
"""Raised when a formula changes, so that files of an older one are not taken for this one's."""


@dataclass(frozen=True)
class _Model:
    """An elevation model: where it is read from, and on which pixels."""

    plan: CubePlan
    band: str

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read elevations (y, x); NaN where there are none."""
        out: NDArray[np.float32] = read_plan(self.plan, window, bands=[self.band])[0, 0]
        return out


def make_terrain(
    sources: Mapping[str, Sequence[Scene]], headers: Mapping[str, Headers], geobox: GeoBox, options: CubeOptions
) -> tuple[Scene, list[str]]:
    """Compute the measures that the options ask for, or find them in the folder where they were computed before.

    Args:
        sources: Scenes by source.
        headers: Headers of their files, by source.
        geobox: Grid of the cube: measures are computed where it lies, `twi` on the whole model.
        options: With `terrain`.

    Returns:
        A static scene with one band per measure, on the elevation model's own pixels, and notes.

    Raises:
        BandError: If no source has elevation, or several have and none is named.
        CubeError: If the elevation has dates, holds values out of range, or is too large for `twi`.
        GridError: If it does not overlap the grid.
    """
    asked = options.terrain
    if asked is None:
        raise CubeError("the options name no terrain measures; give cube: terrain")
    if TERRAIN in sources:
        raise CubeError(f"a source is named {TERRAIN!r}, as the measures' own cube is; name it otherwise, e.g. dem")
    name, band = _find_elevation(sources, asked)
    model = _open_model(name, band, sources[name], headers[name], options)
    notes: list[str] = []
    if "twi" in asked.measures:
        _check_size(math.prod(model.plan.geobox.shape), asked.max_wetness_px)
        notes.append(f"terrain: twi was computed on the whole elevation model of {name!r}; catchments that reach beyond it "
                     "count for too little.")  # fmt: skip
        window = Window(0, 0, *model.plan.geobox.shape)
    else:
        window = _window_of(model.plan.geobox, geobox, terrain_margin(asked.measures, asked.radius_px) + _MARGIN_PX)
    path = _path_of(sources[name], model.plan.geobox, window, asked)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, model, window, asked)
        log.info("terrain measures written to %s", path)
    return _make_scene(path, asked), notes


def _check_size(n_px: int, limit: int) -> None:
    if n_px > limit:
        raise CubeError(
            f"twi needs the whole elevation model at once: {n_px:,} pixels take {n_px * BYTES_PER_PIXEL / 2**30:.1f} GiB, and "
            f"max_wetness_px is {limit:,}; give a smaller or coarser model, raise terrain: max_wetness_px, or leave twi out"
        )


def _find_elevation(sources: Mapping[str, Sequence[Scene]], asked: TerrainOptions) -> tuple[str, str]:
    found: dict[str, str] = {}
    for name, scenes in sources.items():
        for scene in scenes:
            for band in scene.bands:
                if scene.sensor.get_band(band).kind == "elevation":
                    found.setdefault(name, band)
    if asked.source is not None and asked.source not in found:
        raise BandError(f"terrain: source {asked.source!r} has no band of kind elevation; {_list(found)}")
    if not found or (asked.source is None and len(found) > 1):
        raise BandError(f"terrain needs one source with elevation: {_list(found)}; give a source with sensor: dem (or kind: "
                        "elevation), and name it by terrain: source where there are several")  # fmt: skip
    name = asked.source or next(iter(found))
    if any(s.time_start is not None for s in sources[name]):
        raise CubeError(f"source {name!r} has elevation with dates, and terrain is made of one without; state static: true")
    return name, found[name]


def _list(found: Mapping[str, str]) -> str:
    return f"{', '.join(found)} have it" if found else "none has it"


def _open_model(
    name: str, band: str, scenes: Sequence[Scene], headers: Headers, options: CubeOptions
) -> _Model:  # fmt: skip
    """Put the files together on their own pixels."""
    paths = dict.fromkeys(a.path for s in scenes for a in s.assets if a.band == band)
    own: list[RasterInfo] = [headers[p] for p in paths]
    grid = resolve_geobox(own, CubeOptions())
    plan, bands, _ = plan_cube(name, scenes, headers, grid, CubeOptions(bands=(band,), out_of_range=options.out_of_range))
    probe_plan(plan, bands, headers, CubeOptions(out_of_range=options.out_of_range))
    return _Model(plan, band)


def _window_of(model: GeoBox, geobox: GeoBox, margin_px: int) -> Window:
    """Part of the elevation model under the cube's grid, with a margin."""
    box = geobox.extent.boundingbox
    left, bottom, right, top = project_bounds((box.left, box.bottom, box.right, box.top), crs_of(geobox), crs_of(model))
    (col0, row0), (col1, row1) = ~model.affine @ (left, top), ~model.affine @ (right, bottom)
    row, col = math.floor(row0), math.floor(col0)
    window = Window(row, col, math.ceil(row1) - row, math.ceil(col1) - col).pad(margin_px).clip((*model.shape,))
    if not (window.height and window.width):
        raise GridError("the elevation model does not reach the cube's grid; look at its crs and bounds")
    return window


def _path_of(scenes: Sequence[Scene], grid: GeoBox, window: Window, asked: TerrainOptions) -> Path:
    def stamp(path: str) -> object:
        at = Path(path)
        return (at.stat().st_size, at.stat().st_mtime_ns) if at.is_file() else None

    assets = [(a.band, a.path, a.layer, a.scale, a.offset, a.nodata, stamp(a.path)) for s in scenes for a in s.assets]
    place = [crs_of(grid).to_wkt(), [float(v) for v in grid.affine[:6]], [*grid.shape], *astuple(window)]
    key = sha256_json([_FORMAT, assets, [s.crs for s in scenes], place, asked.model_dump(mode="json", exclude={"folder"})])
    folder = asked.folder or Path(os.environ.get("LANDWEAVE_CACHE", Path.home() / ".cache" / "landweave")) / TERRAIN
    return folder / f"terrain-{key[:16]}.tif"


def _write(path: Path, model: _Model, window: Window, asked: TerrainOptions) -> None:
    grid = model.plan.geobox
    out = GeoBox((window.height, window.width), grid.affine @ Affine.translation(window.col, window.row), grid.crs)
    local = [m for m in asked.measures if m != "twi"]
    margin = terrain_margin(local, asked.radius_px)
    sun = Sun(asked.sun_azimuth_deg, asked.sun_elevation_deg)
    wetness = compute_wetness(model.read(window), pixel_size_m(grid, window)) if "twi" in asked.measures else None

    def blocks() -> Iterator[tuple[Window, NDArray[np.float32]]]:
        for block in split_blocks((window.height, window.width), _BLOCK_PX):
            around = Window(block.row + window.row, block.col + window.col, block.height, block.width).pad(margin)
            found = {} if wetness is None else {"twi": wetness[block.slices]}
            if local:
                made = compute_terrain(
                    model.read(around), pixel_size_m(grid, around), local, sun=sun, radius_px=asked.radius_px
                )
                found |= {m: v[margin:-margin, margin:-margin] for m, v in made.items()}
            yield block, np.stack([found[m] for m in asked.measures])

    tags = {"source": ", ".join(model.plan.paths)}
    write_geotiff(path, out, TiffSpec("float32", asked.measures, nodata=math.nan, tags=tags, predictor=3), blocks())


def _make_scene(path: Path, asked: TerrainOptions) -> Scene:
    measures = [TERRAIN_MEASURES[m] for m in asked.measures]
    # of the kind elevation: stored and resampled alike
    bands = tuple(Band(m.name, "elevation", valid_range=m.valid_range, unit=m.unit) for m in measures)
    source = "; ".join(dict.fromkeys(m.source for m in measures))
    sensor = Sensor(TERRAIN, "Measures of an elevation model", bands, source=source)
    return Scene(path.stem, sensor, None, None, tuple(Asset(b.name, str(path), i + 1) for i, b in enumerate(bands)))
