"""One model over a grid of tiles: a map per tile, each taken up or updated by itself, and a mosaic of all of them.

Receives a recipe (its imagery and how cubes are made), a trained model and a grid; hands on a folder of tiles. Run it again
when images were added: tiles that no changed image touches are left alone, of the others only some blocks are redone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from landweave.cube import load_cube
from landweave.cube.extent import project_bounds
from landweave.cube.grids import Tile, list_tiles, to_frame
from landweave.errors import BlocksFailedError, GridError, LandweaveError, RecipeError
from landweave.grid import crs_of, resolve_crs
from landweave.io.lineage import read_lineage
from landweave.io.rasters import read_info
from landweave.io.vectors import read_vectors, write_vectors
from landweave.maps import MosaicOptions, mosaic_maps, update_map
from landweave.recipe.document import Recipe
from landweave.recipe.run import find_all_scenes
from landweave.types import CubeSet, ExecutorName, MapProduct, Predictor, Progress, ProgressEvent, Scene

__all__ = ["Production", "TileResult", "produce_tiles"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TileResult:
    """What became of a tile.

    Attributes:
        tile: Which.
        state: "made" (or updated), "kept" (nothing had changed), "empty" (no image touches it), "failed".
        folder: Where its map is.
        why: What failed.
        area_ha: Class code -> mapped area.
    """

    tile: Tile
    state: str
    folder: Path
    why: str = ""
    area_ha: Mapping[int, float] | None = None


@dataclass(frozen=True)
class Production:
    """A production: its tiles, and the mosaic of each crs and season."""

    tiles: tuple[TileResult, ...]
    mosaics: Mapping[str, MapProduct]
    index: Path


def produce_tiles(
    recipe: Recipe, model: Predictor, folder: Path | str, *, grid: str, area: Path | None = None, workers: int = 1,
    memory: str | int = "2GiB", executor: ExecutorName | Executor = "threads", scheduler: str | None = None,
    progress: Progress | None = None,
) -> Production:  # fmt: skip
    """Map every tile of a grid.

    Writes `tiles/<tile>/` (all products of a map), `tiles.gpkg` (what became of each tile) and `mosaic/<crs>/` (a virtual
    mosaic with a STAC collection). With several `map.seasons` each tile and mosaic has a folder per start date.

    Args:
        recipe: Says which imagery there is and how its cubes are made; `cube.resolution` should be stated.
        model: A trained model.
        folder: Where everything goes.
        grid: "mgrs", "sentinel2", "majortom:KM", "quad:ZOOM" or "square:CRS:SIDE"; see `list_tiles`.
        area: Vector file whose polygons are covered; by default what the images cover.
        workers: Blocks computed at the same time.
        memory: Budget of the whole process.
        executor: Where blocks are computed.
        scheduler: Address of a dask scheduler.
        progress: Told of every tile and block.

    Raises:
        RecipeError: If the recipe has no imagery.
        GridError: If no tile of the grid lies in the area.
        BlocksFailedError: If a tile failed; the others are finished, and the index says what was wrong (exit code 3).
    """
    if not recipe.imagery:
        raise RecipeError("the recipe has no imagery, so that there is nothing to map; name sources under imagery")
    at, scenes = Path(folder), find_all_scenes(recipe)
    tiles = list_tiles(grid, read_vectors(area) if area is not None else _covered(scenes))
    if not tiles:
        raise GridError(f"no tile of {grid} lies in the area; look at the area's place with `landweave grid {grid} --area ...`")
    how: dict[str, Any] = {"workers": workers, "memory": memory, "executor": executor, "scheduler": scheduler,
                           "progress": progress}  # fmt: skip
    results: list[TileResult] = []
    for number, tile in enumerate(tiles, 1):
        results += [_make_tile(recipe, model, at, tile, start, scenes, how) for start in recipe.map.seasons or (None,)]
        if progress is not None:
            progress(ProgressEvent("tiles", number, len(tiles), "tiles"))
    index = write_vectors(at / "tiles.gpkg", _index(results, at), layer="tiles")
    mosaics = _mosaics(results, at)
    failed = [r for r in results if r.state == "failed"]
    if failed:
        shown = "; ".join(f"{r.tile.id}: {r.why}" for r in failed[:3])
        raise BlocksFailedError(f"{len(failed)} of {len(results)} tiles failed: {shown}. The others are finished; repair and "
                                f"run again. {index} lists them all")  # fmt: skip
    return Production(tuple(results), mosaics, index)


def _covered(scenes: Mapping[str, Sequence[Scene]]) -> tuple[float, float, float, float]:
    """Give the area that the images cover, as west, south, east, north in degrees."""
    degrees = resolve_crs("EPSG:4326")
    paths = {a.path: s.crs for found in scenes.values() for s in found for a in s.assets}
    boxes = []
    for path, crs in paths.items():
        geobox = read_info(path).geobox
        b = geobox.boundingbox
        own = resolve_crs(crs) if crs else crs_of(geobox)
        boxes.append(project_bounds((b.left, b.bottom, b.right, b.top), own, degrees))
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


# --- one tile ------------------------------------------------------------------------------------------------------------


def _make_tile(
    recipe: Recipe, model: Predictor, folder: Path, tile: Tile, start: date | None, scenes: Mapping[str, Sequence[Scene]],
    how: Mapping[str, Any],
) -> TileResult:  # fmt: skip
    name = tile.id.replace(":", "_")
    at = folder / "tiles" / name if start is None else folder / "tiles" / name / start.isoformat()
    before = _written(at)
    try:
        cubes = _load_tile(recipe, tile, scenes)
        if cubes is None:
            return TileResult(tile, "empty", at)
        options = recipe.map.model_copy(update={"seasons": None if start is None else (start,)})
        product = update_map(model, cubes, at, options=options, **how)
    except LandweaveError as err:
        _log.warning("tile %s failed: %s", tile.id, err)
        return TileResult(tile, "failed", at, str(err))
    state = "kept" if before is not None and _written(at) == before else "made"
    return TileResult(tile, state, at, area_ha=product.area_ha)


def _written(folder: Path) -> str | None:
    """Give what tells one writing of a map from the next; None where there is no map."""
    if not (folder / "map.tif").is_file() or not (folder / "lineage.json").is_file():
        return None
    record = read_lineage(folder).find_stage("map")
    return None if record is None else f"{record.fingerprint} {record.started}"


def _load_tile(recipe: Recipe, tile: Tile, scenes: Mapping[str, Sequence[Scene]]) -> CubeSet | None:
    """Load the cube of a tile; None where no image touches it."""
    left_out: dict[str, Any] = {"like": None, "crs": None, "bounds": None, "bbox": None}
    options = recipe.cube.model_validate({**recipe.cube.model_dump(), **left_out, "tile": tile.id})
    if not _touched(tile, scenes):
        return None
    return load_cube(scenes, options=options)


def _touched(tile: Tile, scenes: Mapping[str, Sequence[Scene]]) -> bool:
    """Tell whether any dated or static image of any source may have pixels in a tile."""
    crs = resolve_crs(tile.crs)
    seen: set[str] = set()
    for scene in (s for found in scenes.values() for s in found):
        for path in {a.path for a in scene.assets} - seen:
            seen.add(path)
            geobox = read_info(path).geobox
            b = geobox.boundingbox
            own = resolve_crs(scene.crs) if scene.crs else crs_of(geobox)
            try:
                box = project_bounds((b.left, b.bottom, b.right, b.top), own, crs)
            except GridError:  # reaches where the tile's crs is not defined: it may touch it
                return True
            left, bottom, right, top = tile.bounds
            if box[0] < right and left < box[2] and box[1] < top and bottom < box[3]:
                return True
    return False


# --- all tiles -----------------------------------------------------------------------------------------------------------


def _index(results: Sequence[TileResult], folder: Path) -> Any:
    frame = to_frame([r.tile for r in results])
    frame["state"] = [r.state for r in results]
    frame["folder"] = [r.folder.relative_to(folder).as_posix() for r in results]
    frame["why"] = [r.why for r in results]
    return frame


def _mosaics(results: Sequence[TileResult], folder: Path) -> dict[str, MapProduct]:
    """Put the tiles of each crs and season together."""
    groups: dict[str, list[Path]] = {}
    for r in results:
        if r.state in ("made", "kept"):
            crs = r.tile.crs.replace(":", "_")
            season = r.folder.name if r.folder.parent.name != "tiles" else ""
            groups.setdefault("/".join(p for p in (season, crs) if p), []).append(r.folder)
    return {name: mosaic_maps(folders, folder / "mosaic" / name, options=MosaicOptions(), overwrite=True)
            for name, folders in groups.items()}  # fmt: skip
