"""Scores of one raster of classes against another, wall to wall and block by block.

Receives two class rasters on one grid (and two of an earlier date); hands on scores by class. Nothing is estimated: these are
counts of pixels, for a reference that is a map itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError, GridError
from landweave.grid import GeoBox, Window
from landweave.io.rasters import read_info, read_window
from landweave.legend import Legend
from landweave.maps import open_map
from landweave.metrics import (
    BoundaryCounter,
    BoundaryScores,
    ChangeCounter,
    ChangeScores,
    ConfusionCounter,
    kappa,
    score_matrix,
)
from landweave.types import Progress, track

__all__ = ["RasterScores", "score_rasters"]

_ROWS = 1024
"""Rows of the blocks; the scores do not depend on it."""


@dataclass(frozen=True)
class RasterScores:
    """What two rasters of classes have in common.

    Attributes:
        legend: The map's classes.
        matrix: Pixels (K map, K reference).
        boundary: Boundary F1, where a tolerance was given.
        change: Scores of change, where an earlier date was given.
    """

    legend: Legend
    matrix: NDArray[np.int64]
    boundary: BoundaryScores | None = None
    change: ChangeScores | None = None

    @property
    def overall(self) -> dict[str, float]:
        """Scores over all classes by name."""
        made = {"overall accuracy": float(score_matrix(self.matrix, "overall_accuracy")),
                "macro-F1": float(score_matrix(self.matrix, "macro_f1")),
                "mIoU": float(np.nanmean(score_matrix(self.matrix, "iou"))), "kappa": float(kappa(self.matrix))}  # fmt: skip
        if self.boundary is not None:
            made["boundary F1"] = float(self.boundary.mean_f1)
        if self.change is not None:
            c = self.change
            made |= {"change F1": c.f1, "change IoU (BC)": c.bc, "SC": c.sc, "SCS": c.scs, "SeK": c.sek, "Fscd": c.fscd}
        return made


def score_rasters(
    predicted: Path | str, reference: Path | str, *, earlier: tuple[Path | str, Path | str] | None = None,
    tolerance_px: float | None = None, progress: Progress | None = None,
) -> RasterScores:  # fmt: skip
    """Count agreement of a map with a reference that is a map itself; pixels that are nodata in either count nowhere.

    Args:
        predicted: Classified raster with its legend.
        reference: Raster of the same codes on the same grid.
        earlier: Map and reference of an earlier date, for the scores of change.
        tolerance_px: Distance within which boundaries agree; None leaves the boundary F1 out.
        progress: Told of every block.

    Raises:
        GridError: If the rasters are not on one grid.
        AssessmentError: If no pixel has a class in both.
    """
    product = open_map(predicted)
    paths = [str(product.files["map"]), *(str(p) for p in (reference, *(earlier or ())))]
    grid = read_info(paths[0]).geobox
    for path in paths[1:]:
        other = read_info(path).geobox
        if other != grid:
            raise GridError(f"{path} is on {other.shape} pixels of {other.crs}, {paths[0]} on {grid.shape} of {grid.crs}; "
                            "bring both onto one grid (gdalwarp) before scoring")  # fmt: skip
    legend, k = product.legend, len(product.legend)
    matrix, change = ConfusionCounter(k), ChangeCounter(k) if earlier is not None else None
    edges = BoundaryCounter(k, tolerance_px=tolerance_px) if tolerance_px is not None else None
    halo = 0 if tolerance_px is None else int(np.ceil(tolerance_px)) + 1
    rows, cols = grid.shape
    for top in track(range(0, rows, _ROWS), "score", -(-rows // _ROWS), progress, "blocks"):
        height = min(_ROWS, rows - top)
        window = Window(top - halo, -halo, height + 2 * halo, cols + 2 * halo)
        maps = [_read(path, grid, window, legend) for path in paths]
        inner = tuple(m[halo : halo + height, halo : halo + cols] for m in maps)
        matrix.update(inner[0], inner[1])
        if edges is not None:
            edges.update(maps[0], maps[1], halo_px=halo)
        if change is not None:
            change.update((inner[2], inner[0]), (inner[3], inner[1]))
    if not matrix.counts.sum():
        raise AssessmentError(f"no pixel of {paths[0]} and {paths[1]} has a class of {', '.join(legend.names)} in both; the "
                              "reference must hold the map's codes")  # fmt: skip
    return RasterScores(legend, matrix.counts, edges.result() if edges is not None else None,
                        change.result() if change is not None else None)  # fmt: skip


def _read(path: str, grid: GeoBox, window: Window, legend: Legend) -> NDArray[np.int64]:
    """Class indices on a window, -1 where there is no class."""
    codes, valid = read_window(path, [1], grid, window)
    return np.where(valid[0], legend.to_index(codes[0]), -1).astype(np.int64)
