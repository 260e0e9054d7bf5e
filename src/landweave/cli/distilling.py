"""`landweave distill`: a small network that gives what a larger model gives, many times faster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.refining import make_options
from landweave.cli.show import print_line, print_table, progress_bars


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("distill")(distill)


def distill(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder of the model to distil.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="What is to be mapped: raster files or a cube.zarr.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the small model.")],
    hidden: Annotated[str, typer.Option(help="Units of the hidden layers; more agree better and map slower.")] = "48,32",
    pixels: Annotated[int, typer.Option(help="Unlabelled pixels to learn from and compare on.")] = 300_000,
    epochs: Annotated[int, typer.Option(help="Passes over the pixels at most.")] = 40,
    minutes: Annotated[float | None, typer.Option(help="Stop training after this many minutes.")] = None,
    bands: Annotated[str | None, typer.Option(help="Names of the image's layers, - skips one: blue,green,-,nir.")] = None,
    sensor: Annotated[str, typer.Option(help="Sensor of the images; see `landweave sensors`.")] = "generic",
    pattern: Annotated[str | None, typer.Option(help="How the files are named, e.g. '{date:%Y%m%d}_{band}.tif'.")] = None,
    scale: Annotated[float | None, typer.Option(help="Physical value = stored * scale.")] = None,
    season: Annotated[str | None, typer.Option(help="Start date of the season, for a model trained on one.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the pixels and the network.")] = 0,
) -> None:  # fmt: skip
    """Train a small network to give what a model gives, on pixels without labels, for maps that are made much faster.

    Whole blocks of the images are kept for the comparison; the share of their pixels that get the model's own class is printed
    per class and kept in the small model's card. Judge its map like any other: agreement with a model is not accuracy.

        landweave distill out/model out/cube.zarr --out out/model-small
    """
    from landweave.cli.predicting import ImageRequest, open_images
    from landweave.models import DistillOptions, distil_model, load_pixel_model, save_model

    teacher = load_pixel_model(model)
    sizes = tuple(int(n) if n.strip().isdigit() else -1 for n in hidden.split(","))
    options = make_options(DistillOptions, hidden=sizes, n_pixels=pixels, epochs=epochs, max_minutes=minutes, seed=seed)
    names = tuple(None if b.strip() in ("", "-") else b.strip() for b in bands.split(",")) if bands else None
    cubes = open_images(ImageRequest(tuple(images), names, sensor, pattern, scale, season), teacher.card)
    with progress_bars() as progress:
        made = distil_model(teacher, cubes, options=options, progress=progress)
    rows = [(c.name, f"{c.n_px:,}", f"{c.agreement:.3f}" if c.n_px else "-") for c in made.classes]
    note = (f"All classes: {made.agreement:.3f} ({made.lower:.3f} to {made.upper:.3f}, 95 %, over {made.n_held_out_blocks} "
            f"blocks that were not learnt from); a probability differs by {made.proba_error:.3f} on average.")  # fmt: skip
    print_table("Agreement with the model", ("class", "pixels", "agreement"), rows, right=(1, 2), note=note)
    print_line(f"model: {save_model(made.model, out)}")
