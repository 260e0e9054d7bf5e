"""Commands on maps in many tiles: produce, mosaic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.refining import DEFAULT_WORKERS, Overwrite, Workers, make_options, print_areas
from landweave.cli.show import print_line, print_table, progress_bars
from landweave.cli.stages import Executor, Memory, Scheduler


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("produce")(produce)
    app.command("mosaic")(mosaic)


def produce(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe with the imagery and how cubes are made.")],
    model: Annotated[Path, typer.Option("--model", "-m", metavar="DIR", help="Folder of a trained model.")],
    grid: Annotated[str, typer.Option(help="Grid of tiles: sentinel2, mgrs, majortom:10, square:EPSG:3035:100000, ...")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for tiles and mosaic.")],
    area: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Polygons to cover; by default what the images cover.")
    ] = None,
    workers: Workers = DEFAULT_WORKERS, memory: Memory = "2GiB", executor: Executor = "threads", scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Map a large area in tiles with a trained model, and put them together.

    The same command goes on where it stopped. Run again after images were added or replaced, it leaves alone the tiles that
    none of them touches and redoes only the blocks in question of the others:

        landweave produce recipe.yaml --model out/model --grid square:EPSG:3035:20000 --out production
    """
    from landweave.models import load_model
    from landweave.recipe import produce_tiles, read_recipe

    with progress_bars() as progress:
        made = produce_tiles(read_recipe(recipe), load_model(model), out, grid=grid, area=area, workers=workers, memory=memory,
                             executor=executor, scheduler=scheduler, progress=progress)  # fmt: skip
    states = [t.state for t in made.tiles]
    print_table(f"Tiles of {grid}", ("state", "tiles"), [(s, states.count(s)) for s in dict.fromkeys(states)], right=(1,))
    print_line(f"index: {made.index}")
    for name, product in made.mosaics.items():
        print_line(f"mosaic {name}: {product.files['map']}")


def mosaic(
    tiles: Annotated[list[Path], typer.Argument(metavar="TILE...", help="Folders of maps, or folders that hold such.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the mosaic.")],
    cog: Annotated[bool, typer.Option("--cog", help="Write the pixels; by default a VRT refers to the tiles.")] = False,
    overlap: Annotated[
        str, typer.Option(help="Which tile shows where several have a class: first, last, or sure (most probable; --cog).")
    ] = "first",
    crs: Annotated[str | None, typer.Option(help="Crs of the mosaic, for tiles in several; with --cog.")] = None,
    resolution: Annotated[float | None, typer.Option(help="Pixel size in units of --crs.")] = None,
    like: Annotated[Path | None, typer.Option(help="Raster whose grid the mosaic takes; with --cog.")] = None,
    title: Annotated[str, typer.Option(help="Title of the STAC collection.")] = "",
    workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Put the maps of many tiles together as one, with a STAC collection of the tiles.

    Without --cog nothing is copied: DIR/map.vrt (and a tile index map.gti.gpkg, which GDAL 3.9 opens as one raster however
    many tiles there are) refers to the tiles by relative paths. The folder then serves every command that takes a map.
    """
    from landweave.maps import MosaicOptions, mosaic_maps

    options = make_options(MosaicOptions, cog=cog, overlap=overlap, crs=crs, resolution=resolution, like=like)
    with progress_bars() as progress:
        made = mosaic_maps(tiles, out, options=options, workers=workers, overwrite=overwrite, title=title, progress=progress)
    print_line(f"{made.files['map']}: {made.geobox.shape[1]} x {made.geobox.shape[0]} pixels")
    print_areas(made)
