"""`landweave sharpen` and `landweave coregister`: files with more detail, and files that lie on each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars
from landweave.errors import RecipeError

if TYPE_CHECKING:
    from landweave.cube.detail import FileShift

__all__ = ["register"]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files of an earlier run.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(sharpen)
    app.command()(coregister)


def sharpen(
    ms: Annotated[Path, typer.Argument(metavar="MS", help="Multispectral raster.")],
    pan: Annotated[Path, typer.Argument(metavar="PAN", help="Panchromatic raster of the same scene, with smaller pixels.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="GeoTIFF to write.")],
    method: Annotated[str, typer.Option(help="brovey, gsa (adaptive Gram-Schmidt) or mtf-glp.")] = "gsa",
    gain: Annotated[float, typer.Option(min=0.05, max=0.95, help="The sensor's transfer function at Nyquist.")] = 0.3,
    judge: Annotated[bool, typer.Option("--judge/--no-judge", help="Score the methods on the middle of the image.")] = True,
    overwrite: Overwrite = False,
) -> None:
    """Pansharpen a raster, and judge it: one resolution down against the truth (Wald), and at full resolution (QNR).

    Coarse bands of one sensor, such as Sentinel-2's at 20 m, are sharpened inside a cube: cube: {sharpen: ...} in a recipe.

        landweave sharpen landsat_ms.tif landsat_pan.tif --out sharp.tif --method mtf-glp
    """
    from landweave.cube.detail import METHODS, sharpen_file

    chosen = next((m for m in METHODS if m == method), None)
    if chosen is None:
        raise RecipeError(f"no pansharpening named {method!r}; there is {', '.join(METHODS)}")
    with progress_bars() as progress:
        made = sharpen_file(ms, pan, out, method=chosen, gain=gain, judge=judge, overwrite=overwrite, progress=progress)
    if made.reduced:
        rows = [(n, f"{s.ergas:.3f}", f"{s.sam_deg:.3f}", f"{s.uiqi:.4f}", f"{s.rmse:.4g}") for n, s in made.reduced.items()]
        print_table("One resolution down (Wald's protocol)", ("method", "ERGAS", "SAM, degrees", "UIQI", "RMSE"), rows,
                    right=range(1, 5), note="ERGAS, SAM and RMSE: 0 is perfect; UIQI: 1 is.")  # fmt: skip
    if made.full is not None:
        shown = [(name, f"{value:.4f}") for name, value in made.full.to_dict().items()]
        print_table(f"At full resolution: {method}", ("score", "value"), shown, right=(1,), note="qnr and hqnr: 1 is perfect.")
    print_line(f"{made.path} ({made.ratio} pixels to one)")


def coregister(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Raster the others are compared with.")],
    others: Annotated[list[Path], typer.Argument(metavar="RASTER...", help="Rasters to compare.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write copies moved into place (values are untouched).")
    ] = None,
    layer: Annotated[int, typer.Option(min=1, help="Layer of the reference that is compared.")] = 1,
    other_layer: Annotated[int | None, typer.Option(min=1, help="Layer of the others; by default the same.")] = None,
    gradients: Annotated[bool, typer.Option("--gradients", help="Compare gradients: between optics and radar.")] = False,
    power: Annotated[bool, typer.Option("--power", help="Values are linear power; compare them in decibels.")] = False,
    block_px: Annotated[int, typer.Option(min=32, help="Side of the blocks; 256 for radar beside optics.")] = 128,
    max_shift: Annotated[float, typer.Option(min=0.5, help="Largest shift looked for, in pixels.")] = 5.0,
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write shifts and blocks as JSON.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say how rasters lie on a reference, in pixels, by phase correlation of blocks that must agree; move them on request.

    Scenes of a recipe's source are compared, and read in place, by cube: {coregister: {}}.

        landweave coregister s2_june.tif s1_june.tif --gradients --block-px 256
    """
    from landweave.cube.detail import compare_files, move_files

    with progress_bars() as progress:
        found = compare_files(reference, others, layer=layer, other_layer=other_layer, block_px=block_px,
                              max_shift_px=max_shift, gradients=gradients, power=power, progress=progress)  # fmt: skip
    rows = []
    for item in found:
        s = item.shift
        cells = (f"{s.rows:+.2f}", f"{s.cols:+.2f}", f"{s.se_px:.2f}") if s.is_found else ("not found", "", "")
        rows.append((item.path.name, *cells, f"{s.n_agree} of {s.n_blocks}"))
    columns = ("raster", "rows", "columns", "standard error", "blocks that agree")
    note = "Pixels of the reference; positive: the raster's content lies lower, further right."
    print_table(f"Shifts against {reference.name}", columns, rows, right=(1, 2, 3), note=note)
    if json_ is not None:
        json_.write_text(json.dumps([_plain(i) for i in found], indent=2), encoding="utf-8")
        print_line(f"shifts: {json_}")
    for path in move_files(reference, found, out, overwrite=overwrite) if out is not None else ():
        print_line(f"moved: {path}")


def _plain(item: FileShift) -> dict[str, object]:
    s = item.shift
    blocks = [{"row": b.window.row, "col": b.window.col, "rows": _number(b.rows), "cols": _number(b.cols), "peak": b.peak}
              for b in item.blocks]  # fmt: skip
    return {"path": str(item.path), "rows": _number(s.rows), "cols": _number(s.cols), "se_px": _number(s.se_px),
            "n_agree": s.n_agree, "n_blocks": s.n_blocks, "blocks": blocks}  # fmt: skip


def _number(value: float) -> float | None:
    return None if value != value else value
