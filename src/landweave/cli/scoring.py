"""`landweave score`: a map against a reference that is a map itself, wall to wall."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landweave.cli.show import print_table, progress_bars

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


def score(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="Classified raster with its legend.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Raster of the same codes on the same grid.")],
    earlier_map: Annotated[Path | None, typer.Option(metavar="MAP", help="Map of an earlier date: adds change.")] = None,
    earlier_reference: Annotated[Path | None, typer.Option(metavar="REFERENCE", help="Its reference.")] = None,
    tolerance_px: Annotated[
        float | None, typer.Option(min=0.5, help="Adds the boundary F1 with this tolerance in pixels.")
    ] = None,
) -> None:
    """Score a map against a reference raster: accuracies, F1, IoU, boundary F1, change; by blocks, nodata left out.

    Nothing is estimated here. Where the reference is a sample, `landweave assess` gives intervals and areas.

        landweave score map.tif truth.tif --tolerance-px 2
    """
    from landweave.assess.scoring import score_rasters
    from landweave.metrics import score_matrix

    if (earlier_map is None) != (earlier_reference is None):
        raise typer.BadParameter("--earlier-map and --earlier-reference go together")
    earlier = None if earlier_map is None or earlier_reference is None else (earlier_map, earlier_reference)
    with progress_bars() as progress:
        found = score_rasters(map_path, reference, earlier=earlier, tolerance_px=tolerance_px, progress=progress)
    overall = [(name, f"{value:.4f}") for name, value in found.overall.items()]
    print_table(f"{found.matrix.sum():,} pixels", ("score", "value"), overall, right=(1,))
    columns = [score_matrix(found.matrix, name) for name in ("users", "producers", "f1", "iou")]
    rows = [(name, *(f"{c[i]:.4f}" for c in columns), f"{found.matrix[:, i].sum():,}")
            for i, name in enumerate(found.legend.names)]  # fmt: skip
    print_table("By class", ("class", "user's", "producer's", "F1", "IoU", "reference pixels"), rows, right=(1, 2, 3, 4, 5))
