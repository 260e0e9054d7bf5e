"""`landweave grid`: tiles with stable names over an area, or one tile by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table

if TYPE_CHECKING:
    from landweave.cube import Tile

__all__ = ["register"]

_SHOWN = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(grid)


def grid(
    name: Annotated[
        str | None, typer.Argument(metavar="[GRID|TILE]", help="A grid (mgrs, sentinel2, majortom:10, quad:12, "
                                   "square:EPSG:3035:100000) or a tile of one (mgrs:33TWM). Without it the grids are listed.")
    ] = None,
    area: Annotated[Path | None, typer.Option("--area", metavar="FILE", help="Vector file; its polygons are covered.")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, typer.Option(metavar="W S E N", help="Degrees; instead of --area.")
    ] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", help="Pixel size in crs units: says how many pixels a tile has.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the tiles (.gpkg, .geojson, .parquet).")
    ] = None,
) -> None:  # fmt: skip
    """List the tiles of a grid over an area, or say where one tile is; a recipe takes its name as `cube: tile`.

    A tile's name says where it is whatever the area, so that runs on several machines make the same tiles:

        landweave grid sentinel2 --bbox 13.3 45.4 16.7 46.9 --out tiles.gpkg

        landweave grid square:EPSG:3035:100000 --area slovenia.gpkg --resolution 10

        landweave grid mgrs:33TWM
    """
    from landweave.cube.grids import GRIDS, find_tile, list_tiles, to_frame
    from landweave.errors import GridError
    from landweave.io.vectors import read_vectors, write_vectors

    if name is None:
        print_table("Grids", ("grid", "what", "a tile"), [(g.key, g.title, g.example) for g in GRIDS.values()])
        return
    if area is not None and bbox is not None:
        raise GridError("--area and --bbox both given; keep one")
    if bbox is not None:
        tiles = list_tiles(name, bbox)
    else:
        tiles = [find_tile(name)] if area is None else list_tiles(name, read_vectors(area))
    if not tiles:
        raise GridError(f"no tile of {name} lies in the area; look at the order of --bbox: west, south, east, north")
    _print(name, tiles, resolution)
    if out is not None:
        print_line(f"tiles: {write_vectors(out, to_frame(tiles), layer='tiles')}")


def _print(name: str, tiles: list[Tile], resolution: float | None) -> None:
    rows = []
    for tile in tiles[:_SHOWN]:
        size = resolution or tile.resolution
        shape = tuple(tile.to_geobox(size).shape) if size else None
        pixels = "" if shape is None else f"{shape[0]:,} x {shape[1]:,}"
        rows.append((tile.id, tile.crs, *(f"{v:.10g}" for v in tile.bounds), pixels))
    more = f"and {len(tiles) - _SHOWN:,} more; write them all with --out" if len(tiles) > _SHOWN else ""
    title = f"{name}: {len(tiles):,} tile{'s' if len(tiles) > 1 else ''}"
    print_table(title, ("tile", "crs", "left", "bottom", "right", "top", "pixels"), rows, right=range(2, 7), note=more)
