"""Many maps as one: a virtual mosaic that costs nothing, or a COG on a grid of its own, with a STAC collection of the tiles.

Receives the folders of finished maps with one legend; hands on a folder that opens like any map. Tiles on one lattice are put
together as they are; tiles in several crs (UTM zones) are brought onto a stated grid by the nearest pixel.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from landweave.cube.extent import project_bounds
from landweave.errors import GridError, MapError, OutputExistsError, SourceError
from landweave.grid import GeoBox, Window, crs_of, make_geobox, resolve_crs
from landweave.io.files import lock_folder, sha256_file
from landweave.io.lineage import Lineage, StageRecord, host_name, record_file, utc_now, write_lineage
from landweave.io.rasters import RasterInfo, read_info, read_window
from landweave.io.stac_collection import make_collection, tile_items, write_collection
from landweave.io.styles import write_qml
from landweave.io.virtual import VirtualTile, write_gti, write_vrt
from landweave.legend import Legend
from landweave.maps.folder import STAGE
from landweave.maps.opening import open_map, read_legend
from landweave.maps.options import MapOptions
from landweave.maps.products import FILE_NAMES, make_specs
from landweave.maps.refining import Refinement, run_refinement
from landweave.maps.tasks import LEVELS, PROBA_NODATA, Products
from landweave.types import MapProduct, Options, Progress

__all__ = ["MosaicOptions", "find_tiles", "mosaic_maps"]

TILES_TAG = "LANDWEAVE_TILES"
"""Metadata item of a virtual mosaic with the checksum of its tiles, so that its own checksum stands for their pixels."""
_OFF_LATTICE_PX = 1e-3
"""Part of a pixel that a tile may lie off the others' lattice."""


class MosaicOptions(Options):
    """How tiles become one map."""

    overlap: Literal["first", "last", "sure"] = Field(
        "first", description="Where tiles overlap: the first or last one given that has a class there, or the one whose best "
                             "class is the most probable (sure; a COG of tiles with proba.tif)."
    )  # fmt: skip
    cog: bool = Field(False, description="Write the pixels as a COG; by default a virtual mosaic refers to the tiles.")
    like: Path | None = Field(None, description="Raster whose grid the mosaic takes.")
    crs: str | None = Field(None, description="Crs of the mosaic; by default the tiles' own.")
    resolution: float | None = Field(None, gt=0, description="Pixel size in crs units; by default the tiles' own.")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.like is not None and (self.crs or self.resolution):
            raise ValueError("like gives the grid; leave out crs and resolution, or leave out like")
        if bool(self.crs) != bool(self.resolution):
            raise ValueError("crs and resolution go together; give both, or neither")
        if not self.cog and (self.overlap == "sure" or self.has_grid):
            raise ValueError("a virtual mosaic shows the tiles as they are; set cog for overlap: sure, like, crs or resolution")
        return self

    @property
    def has_grid(self) -> bool:
        """Whether a grid is asked for."""
        return self.like is not None or self.crs is not None


@dataclass(frozen=True)
class _Tile:
    """A map on its way into a mosaic."""

    folder: Path
    files: dict[str, Path]
    geobox: GeoBox
    legend: Legend
    checksum: str


def find_tiles(paths: Sequence[Path | str]) -> list[Path]:
    """Give the folders of maps among paths: each one that holds a map, else those under it, by name.

    Raises:
        SourceError: If a path holds none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        inside = [path] if _is_map(path) else sorted(p.parent for p in path.rglob(FILE_NAMES["map"]) if ".work" not in p.parts)
        if not inside:
            raise SourceError(f"{path} holds no map ({FILE_NAMES['map']}); give folders that `landweave predict` wrote")
        found += [p for p in inside if p not in found]
    return found


def _is_map(path: Path) -> bool:
    return path.is_file() or (path / FILE_NAMES["map"]).is_file()


def mosaic_maps(
    paths: Sequence[Path | str], folder: Path | str, *, options: MosaicOptions | None = None, workers: int = 1,
    overwrite: bool = False, title: str = "", progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Put finished maps together.

    Writes `map.vrt` and `map.gti.gpkg` (and the like for `proba` and `uncertainty` where every tile has them), or with
    `options.cog` the products as COGs; beside them a style, `collection.json` (where the tiles have STAC items) and
    `lineage.json`. `open_map`, `landweave assess` and QGIS take the folder's map like any other.

    Args:
        paths: Folders of maps, or folders that hold such.
        folder: Where the mosaic goes.
        options: Overlaps, COG or virtual, grid.
        workers: Blocks computed at the same time, for a COG.
        overwrite: Replace what the folder holds.
        title: Of the collection; the folder's name by default.
        progress: Told of every finished block of a COG.

    Raises:
        MapError: If the tiles' legends differ, or `sure` is asked for and a tile has no probabilities.
        GridError: If the tiles do not share a lattice and no grid is stated.
        OutputExistsError: If the folder holds another result.
        SourceError: If a path holds no map.
    """
    options, at = options or MosaicOptions(), Path(folder)
    tiles = [_open_tile(p) for p in find_tiles(paths) if p.resolve() != at.resolve()]
    if not tiles:
        raise SourceError(f"{at} is the only map among the paths; give the folders of the tiles")
    legend = _shared_legend(tiles)
    names = [n for n in ("map", "proba", "uncertainty") if all(n in t.files for t in tiles)]
    if options.overlap == "last":
        tiles = tiles[::-1]
    geobox = _choose_grid(tiles, options)
    if options.cog:
        product = _write_cogs(tiles, at, geobox, names, options, workers=workers, overwrite=overwrite, progress=progress)
    else:
        with lock_folder(at):
            product = _write_virtual(tiles, at, geobox, names, overwrite=overwrite)
    items = tile_items([t.folder for t in tiles], at)
    if items:
        shown = {"map": {"href": f"./{product.files['map'].name}", "title": "Mosaic of all tiles", "roles": ["data"],
                         "type": "image/tiff; application=geotiff; profile=cloud-optimized" if options.cog
                         else "application/xml"}}  # fmt: skip
        collection = make_collection(at.resolve().name, items, legend=legend, count_px=product.count_px, title=title,
                                     assets=shown)  # fmt: skip
        product = replace(product, files={**product.files, "collection": write_collection(collection, at / "collection.json")})
    return product


def _open_tile(path: Path) -> _Tile:
    tif = path / FILE_NAMES["map"] if path.is_dir() else path
    info = read_info(tif)
    crs_of(info.geobox)
    files = {"map": tif}
    if path.is_dir():
        files |= {n: path / FILE_NAMES[n] for n in ("proba", "uncertainty") if (path / FILE_NAMES[n]).is_file()}
    return _Tile(tif.parent, files, info.geobox, read_legend(tif, tags=info.tags), sha256_file(tif))


def _shared_legend(tiles: Sequence[_Tile]) -> Legend:
    first = tiles[0]
    for tile in tiles[1:]:
        mine, theirs = ({c.code: c.name for c in t.legend} for t in (first, tile))
        if mine != theirs:
            code = next(c for c in {**mine, **theirs} if mine.get(c) != theirs.get(c))
            raise MapError(f"{first.folder} and {tile.folder} have different legends: code {code} is {mine.get(code)!r} and "
                           f"{theirs.get(code)!r}; make both maps with one model, or aggregate them to one legend")  # fmt: skip
    return first.legend


# --- the grid ------------------------------------------------------------------------------------------------------------


def _choose_grid(tiles: Sequence[_Tile], options: MosaicOptions) -> GeoBox:
    if options.like is not None:
        return read_info(options.like).geobox
    if options.crs is not None and options.resolution is not None:
        bounds = [project_bounds(_bounds(t.geobox), crs_of(t.geobox), resolve_crs(options.crs)) for t in tiles]
        whole = (min(b[0] for b in bounds), min(b[1] for b in bounds), max(b[2] for b in bounds), max(b[3] for b in bounds))
        return make_geobox(whole, options.crs, options.resolution)
    return _union(tiles)


def _bounds(geobox: GeoBox) -> tuple[float, float, float, float]:
    b = geobox.boundingbox
    return b.left, b.bottom, b.right, b.top


def _union(tiles: Sequence[_Tile]) -> GeoBox:
    """Give the grid that covers all tiles on their common lattice."""
    first = tiles[0].geobox
    windows = [_window_on(first, t) for t in tiles]
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    row_end, col_end = max(w.row_end for w in windows), max(w.col_end for w in windows)
    affine = first.affine @ type(first.affine).translation(col, row)
    return GeoBox((row_end - row, col_end - col), affine, first.crs)


def _window_on(grid: GeoBox, tile: _Tile) -> Window:
    """Give the window of a grid that a tile covers.

    Raises:
        GridError: If the tile is not on the grid's lattice.
    """
    own = tile.geobox
    if crs_of(own) != crs_of(grid):
        raise GridError(f"{tile.folder} is in another crs than the first tile; have them brought onto one grid with "
                        "--cog --crs EPSG:... --resolution ..., or --like RASTER")  # fmt: skip
    to_grid = ~grid.affine @ own.affine
    steps = np.array([to_grid.a - 1, to_grid.b, to_grid.d, to_grid.e - 1]) * max(own.shape)
    col, row = round(to_grid.c), round(to_grid.f)
    off = max(float(np.abs(steps).max()), abs(to_grid.c - col), abs(to_grid.f - row))
    if off > _OFF_LATTICE_PX:
        raise GridError(f"{tile.folder} lies off the first tile's lattice or has another pixel size ({abs(own.affine.a):g} and "
                        f"{abs(grid.affine.a):g}); state the mosaic's grid with --cog --crs ... --resolution ...")  # fmt: skip
    return Window(row, col, *own.shape)


# --- a virtual mosaic ----------------------------------------------------------------------------------------------------


def _write_virtual(
    tiles: Sequence[_Tile], folder: Path, geobox: GeoBox, names: Sequence[str], *, overwrite: bool
) -> MapProduct:
    legend = tiles[0].legend
    path = folder / "map.vrt"
    checksum = hashlib.sha256("".join(t.checksum for t in tiles).encode()).hexdigest()
    if (folder / FILE_NAMES["map"]).exists() or (path.exists() and read_info(path).tags.get(TILES_TAG) != checksum):
        if not overwrite:
            raise OutputExistsError(errno.EEXIST, f"{folder} holds another map or the mosaic of other tiles; --overwrite "
                                                  "replaces it, or choose another --out")  # fmt: skip
        for old in (*FILE_NAMES.values(), "collection.json", "lineage.json"):
            (folder / old).unlink(missing_ok=True)
    started = utc_now()
    for name, spec in make_specs(legend, MapOptions(proba="proba" in names, uncertainty="uncertainty" in names)).items():
        members = [VirtualTile(t.files[name], _window_on(geobox, t)) for t in tiles]
        write_gti(folder / f"{name}.gti.gpkg", geobox, spec, members)
        tagged = replace(spec, tags={**spec.tags, TILES_TAG: checksum})
        write_vrt(folder / f"{name}.vrt", geobox, tagged, members, legend=legend if name == "map" else None)
    write_qml(folder / FILE_NAMES["style"], legend)
    product = open_map(folder)
    record = StageRecord(
        name=STAGE, inputs=tuple(record_file(t.files["map"]) for t in tiles), started=started, host=host_name(),
        outputs=tuple(record_file(p, relative_to=folder) for p in product.files.values()), fingerprint=checksum[:16],
        results={"checksum": product.checksum, "area_ha": {str(k): v for k, v in product.area_ha.items()}},
        notes=(f"virtual mosaic of {len(tiles)} tiles; where tiles overlap the first in this list that has a class shows",),
    )  # fmt: skip
    return replace(product, files={**product.files, "lineage": write_lineage(Lineage().with_stage(record), folder)})


# --- a mosaic of its own -------------------------------------------------------------------------------------------------


def _write_cogs(
    tiles: Sequence[_Tile], folder: Path, geobox: GeoBox, names: Sequence[str], options: MosaicOptions, **how: Any
) -> MapProduct:
    legend = tiles[0].legend
    if options.overlap == "sure":
        lacking = next((t for t in tiles if "proba" not in t.files), None)
        if lacking is not None:
            raise MapError(f"{lacking.folder} has no proba.tif, by which overlap: sure chooses; make it with map.proba, or "
                           "take overlap: first")  # fmt: skip
    infos = {t.folder: read_info(t.files["map"]) for t in tiles}
    footprints = [_footprint(infos[t.folder], geobox) for t in tiles]

    def compute(window: Window) -> Products:
        near = [t for t, f in zip(tiles, footprints, strict=True) if f.touches(window)]
        return combine_tiles(near, geobox, window, names=names, legend=legend, by_proba=options.overlap == "sure")

    sums = hashlib.sha256(json.dumps([t.checksum for t in tiles]).encode()).hexdigest()
    source = MapProduct(tiles[0].folder, {"map": tiles[0].files["map"]}, legend, geobox, sums, {}, {})
    grid = [crs_of(geobox).to_wkt(), [float(v) for v in geobox.affine[:6]], list(geobox.shape)]
    job = Refinement(
        source, folder, "mosaic", {"overlap": options.overlap, "grid": grid}, legend, tuple(names), compute,
        inputs=tuple(t.files["map"] for t in tiles),
    )  # fmt: skip
    return run_refinement(job, **how)


def _footprint(info: RasterInfo, geobox: GeoBox) -> Window:
    """Give the window of the grid that a file may touch, with a margin for edges that projecting bends."""
    left, bottom, right, top = project_bounds(_bounds(info.geobox), crs_of(info.geobox), crs_of(geobox))
    corners = [~geobox.affine @ p for p in ((left, bottom), (right, top))]
    margin = 2 + int(0.01 * max(abs(corners[1][0] - corners[0][0]), abs(corners[1][1] - corners[0][1])))
    row, col = int(min(c[1] for c in corners)) - margin, int(min(c[0] for c in corners)) - margin
    row_end, col_end = int(max(c[1] for c in corners)) + margin, int(max(c[0] for c in corners)) + margin
    return Window(row, col, row_end - row, col_end - col)


def combine_tiles(
    tiles: Sequence[_Tile], geobox: GeoBox, window: Window, *, names: Sequence[str], legend: Legend, by_proba: bool
) -> Products:
    """Give the products of a window of the mosaic: at each pixel those of one tile, the first or the surest with a class."""
    reader: Callable[[_Tile, str], NDArray[Any]] = lambda tile, name: _read(tile, name, geobox, window, legend)  # noqa: E731
    shape = (window.height, window.width)
    best = np.full(shape, -1, dtype=np.int16)
    made: Products = {n: np.full((_n_bands(n, legend), *shape), _nodata(n, legend), dtype=_dtype(n, legend)) for n in names}
    for tile in tiles:
        codes = reader(tile, "map")
        has = codes[0] != legend.nodata
        rank = _best_level(reader(tile, "proba")) if by_proba else np.zeros(shape, dtype=np.int16)
        take = has & (rank > best)
        if not take.any():
            continue
        best[take] = rank[take]
        for name in names:
            pixels = codes if name == "map" else reader(tile, name)
            made[name][:, take] = pixels[:, take]
    return made


def _best_level(proba: NDArray[np.uint8]) -> NDArray[np.int16]:
    levels = np.where(proba == PROBA_NODATA, 0, proba).max(axis=0)
    return np.asarray(np.minimum(levels, LEVELS), dtype=np.int16)


def _n_bands(name: str, legend: Legend) -> int:
    return {"map": 1, "proba": len(legend), "uncertainty": 2}[name]


def _nodata(name: str, legend: Legend) -> int:
    return legend.nodata if name == "map" else PROBA_NODATA


def _dtype(name: str, legend: Legend) -> Any:
    return legend.dtype if name == "map" else np.dtype(np.uint8)


def _read(tile: _Tile, name: str, geobox: GeoBox, window: Window, legend: Legend) -> NDArray[Any]:
    layers = list(range(1, _n_bands(name, legend) + 1))
    values, valid = read_window(str(tile.files[name]), layers, geobox, window, resampling="nearest")
    return np.where(valid, values, np.asarray(_nodata(name, legend), dtype=values.dtype))
