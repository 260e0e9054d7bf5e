"""Labels corrected by image segments: maps whose unsure pixels, and samples whose doubtful rows, take what their segment says.

Receives a map or samples and segments (cut from imagery, or a raster of numbers that any other tool made); hands on the
corrected map or samples.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.cube import read_blocks
from landweave.errors import MapError
from landweave.features.segments import SegmentOptions, segment_block
from landweave.grid import GeoBox, Window, crs_of
from landweave.io.files import sha256_file
from landweave.io.rasters import read_info, read_window
from landweave.label.cleaning import CleanedSamples
from landweave.label.findings import LabelFinding
from landweave.label.segments import SegmentRule, read_segments, relabel_by_number, relabel_by_segments
from landweave.maps.guide import guide_from_blocks, sample_ranges
from landweave.maps.identity import cube_keys
from landweave.maps.opening import open_map
from landweave.maps.refining import Refinement, check_has_proba, read_proba, run_refinement
from landweave.maps.tasks import Products
from landweave.types import CubeSet, MapProduct, Options, Progress, SampleTable

__all__ = ["RelabelOptions", "relabel_map", "relabel_table"]

Segmenter = Callable[[Window], NDArray[np.int64]]


class RelabelOptions(Options):
    """How segments correct labels."""

    rule: SegmentRule = Field("majority", description="majority: the sure pixels of each class are counted. confident: only "
                                                      "those that reach their class's mean probability, by it.")  # fmt: skip
    unsure_below: float | None = Field(
        None, gt=0, lt=1, description="pixels of a map whose best probability is below may change; by default, with rule "
                                      "confident those below their class's mean, with majority all"
    )  # fmt: skip
    min_share: float = Field(0.6, gt=0, le=1, description="a segment speaks where one class has this share of what counts")
    min_px: int = Field(3, ge=1, description="and at least so many pixels (or sample rows) count")
    segments: SegmentOptions = Field(default_factory=SegmentOptions, description="how segments are cut from imagery")

    @property
    def needs_proba(self) -> bool:
        """Whether the map's probabilities are read."""
        return self.rule == "confident" or self.unsure_below is not None


def relabel_map(
    path: Path | str, folder: Path | str, *, by: CubeSet | Path | str, options: RelabelOptions | None = None, workers: int = 1,
    overwrite: bool = False, progress: Progress | None = None,
) -> MapProduct:  # fmt: skip
    """Replace unsure pixels of a map by what the sure pixels of their segment say; see `label.relabel_by_segments`.

    Segments and means are those of windows of `segments.window_px`, anchored at the grid's origin, so that the result does not
    depend on blocks; segments of a file end at the windows' borders too.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        folder: Where the new map goes.
        by: Imagery on the map's grid that segments are cut from, or a raster of segment numbers.
        options: Which pixels may change, and when.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If probabilities are needed and there are none, or the imagery is on another grid.
        SourceError: If the segments are no whole numbers.
        OutputExistsError: If the folder holds another result, or is the map's own.
    """
    options = options or RelabelOptions()
    source = open_map(path)
    if options.needs_proba:
        check_has_proba(source)
    segments_of, identity = make_segmenter(by, source.geobox, options.segments)
    rows, cols = source.geobox.shape
    side = options.segments.window_px

    def compute(window: Window) -> Products:
        out = np.empty((window.height, window.width), dtype=source.legend.dtype)
        for i in range(window.row // side, -(-window.row_end // side)):
            for j in range(window.col // side, -(-window.col_end // side)):
                whole = Window(i * side, j * side, side, side).clip((rows, cols))
                made = _relabel_window(source, whole, segments_of(whole), options)
                _paste(made, whole, out, window)
        return {"map": out[None]}

    job = Refinement(source, Path(folder), "relabel", {**options.model_dump(mode="json"), "by": identity}, source.legend,
                     ("map",), compute)  # fmt: skip
    return run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)


def relabel_table(
    samples: SampleTable, *, by: CubeSet | Path | str, geobox: GeoBox | None = None, finding: LabelFinding | None = None,
    options: RelabelOptions | None = None,
) -> CleanedSamples:  # fmt: skip
    """Give doubtful samples the class of the other samples in their segment.

    Args:
        samples: Places; those outside the grid are left as they are.
        by: Imagery that segments are cut from, or a raster of segment numbers.
        geobox: Grid of the segments of a file; the file's own by default.
        finding: Whose suspects may be changed, and do not count; without it every row counts and may be changed.
        options: `min_share`, `min_px` (rows that count) and how segments are cut.

    Raises:
        SampleError: If the finding is of another table.
        SourceError: If the segments are no whole numbers.
    """
    options = options or RelabelOptions()
    if isinstance(by, CubeSet):
        geobox = by.geobox
    elif geobox is None:
        geobox = read_info(by).geobox
    segments_of, _ = make_segmenter(by, geobox, options.segments)
    x, y = samples.to_xy(crs_of(geobox).to_wkt()).T
    col, row = (np.floor(v).astype(np.int64) for v in ~geobox.affine @ (x, y))
    shape, side = (geobox.shape[0], geobox.shape[1]), options.segments.window_px
    inside = (row >= 0) & (col >= 0) & (row < shape[0]) & (col < shape[1])
    number = np.full(len(samples), -1, dtype=np.int64)
    for i, j in np.unique(np.column_stack([row, col])[inside] // side, axis=0):
        whole = Window(int(i) * side, int(j) * side, side, side).clip(shape)
        here = inside & (row // side == i) & (col // side == j)
        number[here] = segments_of(whole)[row[here] - whole.row, col[here] - whole.col]
    return relabel_by_number(samples, number, finding=finding, min_share=options.min_share, min_rows=options.min_px)


def make_segmenter(by: CubeSet | Path | str, geobox: GeoBox, options: SegmentOptions) -> tuple[Segmenter, Any]:
    """Give a function window -> segment numbers (y, x), -1 where there is none, and what identifies it.

    Raises:
        MapError: If the imagery is on another grid.
        SourceError: If a file of segments holds fractions.
    """
    shape = (geobox.shape[0], geobox.shape[1])
    if isinstance(by, CubeSet):
        if by.geobox != geobox:
            raise MapError(f"imagery is on a grid of {by.geobox.shape[0]} x {by.geobox.shape[1]} pixels, the map on "
                           f"{shape[0]} x {shape[1]}; load it with CubeOptions(like=map.tif)")  # fmt: skip
        ranges = sample_ranges(by)
        def read(window: Window) -> NDArray[np.float32]:
            return guide_from_blocks(read_blocks(by, window), ranges, window)

        return lambda window: segment_block(read, window, shape=shape, options=options), cube_keys(by)
    return lambda window: read_segments(by, geobox, window), sha256_file(by)


def _relabel_window(
    source: MapProduct, window: Window, segments: NDArray[np.int64], options: RelabelOptions
) -> NDArray[Any]:
    data, valid = read_window(str(source.files["map"]), [1], source.geobox, window)
    codes = np.where(valid[0], data[0], source.legend.nodata).astype(source.legend.dtype)
    labels = source.legend.to_index(codes).astype(np.int64)
    proba = read_proba(source, window) if options.needs_proba else None
    was_unsure = codes == source.legend.unsure
    if proba is not None:  # what the map left unsure has a best class all the same
        best = np.nan_to_num(proba, nan=-1).argmax(axis=0)
        labels = np.where(was_unsure & ~np.isnan(proba[0]), best, labels)
    unsure = None
    if options.unsure_below is not None and proba is not None:
        unsure = np.nan_to_num(proba.max(axis=0), nan=1.0) < options.unsure_below
    made = relabel_by_segments(labels, segments, n_classes=len(source.legend), unsure=unsure, proba=proba, rule=options.rule,
                               min_share=options.min_share, min_px=options.min_px)  # fmt: skip
    return np.where(made.changed | (was_unsure & (made.labels >= 0) & ~np.isnan(made.share)),
                    source.legend.to_codes(made.labels), codes)  # fmt: skip


def _paste(pixels: NDArray[Any], at: Window, out: NDArray[Any], window: Window) -> None:
    top, left = max(at.row, window.row), max(at.col, window.col)
    bottom, right = min(at.row_end, window.row_end), min(at.col_end, window.col_end)
    out[top - window.row : bottom - window.row, left - window.col : right - window.col] = (
        pixels[top - at.row : bottom - at.row, left - at.col : right - at.col])  # fmt: skip
