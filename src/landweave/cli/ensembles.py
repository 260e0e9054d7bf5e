"""`landweave ensemble`: saved models put together as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.show import print_line

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ensemble)


def ensemble(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL_DIR...", help="Two model folders or more.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the ensemble.")],
) -> None:
    """Put saved per-pixel models together as one, whose probabilities are the mean of theirs.

    Models of one legend and the same bands and dates. Each brings its own calibration; to train and calibrate members together,
    write `model: {name: ensemble, params: {members: [random-forest, svm]}, calibration: temperature}` in a recipe:

        landweave ensemble forest/model svm/model --out both/model

        landweave predict both/model scene.tif --out map/
    """
    from landweave.models import load_ensemble, save_model

    made = load_ensemble(models)
    print_line(f"{made.card.title}: {save_model(made, out)}")
