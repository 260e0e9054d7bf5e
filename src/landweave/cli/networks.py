"""Commands on networks and their maps: quantise, seams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(quantise)
    app.command()(seams)


def quantise(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder of a network on chips.")],
    cube: Annotated[Path, typer.Option(metavar="CUBE", help="cube.zarr of the imagery to be mapped; its chips calibrate.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the 8-bit model.")],
    chips: Annotated[int, typer.Option(min=1, help="Chips whose values set the scales of the layers.")] = 32,
    held_out: Annotated[int, typer.Option("--held-out", min=1, help="Other chips, on which agreement is measured.")] = 32,
    season: Annotated[str | None, typer.Option(help="Start date of the season, for a model trained on one.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number, other chips.")] = 0,
) -> None:
    """Round a network to 8-bit whole numbers, for faster maps, and say how much of the map stays the same.

    The scales of its layers come from chips of the cube (static quantisation); other chips tell how often the class agrees with
    the unrounded network's, which the new model's card then states. Needs the extra `deep` (package onnx).

        landweave quantise out/model --cube out/cube.zarr --out out/model8
    """
    from landweave.cli.predicting import choose_season
    from landweave.cube import open_cube
    from landweave.models import QuantiseOptions, load_model, quantise_model, save_model

    fitted = load_model(model)
    options = QuantiseOptions(n_chips=chips, n_held_out=held_out, seed=seed)
    with progress_bars() as progress:
        made = quantise_model(fitted, choose_season(open_cube(cube), fitted.card, season), options=options, progress=progress)
    save_model(made, out)
    scores = made.card.metrics["quantisation"]
    rows = [(name.replace("_", " "), f"{value:.4f}" if value <= 1 else f"{value:,.0f}") for name, value in scores.items()]
    print_table("8-bit network against the unrounded one", ("what", "value"), rows, right=(1,))
    print_line(f"model: {out}")


def seams(
    folder: Annotated[Path, typer.Argument(metavar="MAP_DIR", help="Folder of a finished map.")],
    stride: Annotated[int | None, typer.Option(min=4, help="Step of the chips in pixels; the model card's by default.")] = None,
    block: Annotated[int | None, typer.Option(min=4, help="Side of the blocks; lineage.json states it.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Measure whether a map shows where chips and blocks meet.

    Compares neighbouring pixels across such lines with those at lines up to 8 px beside: a ratio of 1 is no seam, and an
    interval that lies above 1 is one.

        landweave seams out/
    """
    from landweave.maps import measure_map_seams

    report = measure_map_seams(folder, stride_px=stride, block_px=block, seed=seed)
    rows = [
        (s.kind, f"{s.ratio:.3f}", f"{s.lower:.3f} to {s.upper:.3f}", f"{s.n:,}", "seam" if s.is_seam else "none")
        for s in report.scores
    ]
    title = f"Seams in the {report.source}, steps of {report.stride_px} px"
    print_table(title, ("where", "ratio", "95 % interval", "pieces", "seam"), rows, right=(1, 2, 3))
