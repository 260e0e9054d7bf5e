"""Files beside files: pansharpening a multispectral raster, and how rasters lie on each other. Block by block.

Receives paths; hands on a GeoTIFF and scores, or shifts.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.errors import BandError, GridError, OutputExistsError
from landweave.features.radar import to_db
from landweave.features.registration import AGREE_PX, BlockShift, Consensus, agree, estimate_shift, spread_blocks
from landweave.features.sharpening import (
    PAN_MARGIN,
    PanModel,
    Pansharpening,
    PanSums,
    blur_to_coarse,
    gaussian_weights,
    pansharpen,
)
from landweave.features.sharpening_quality import NoReference, WaldScores, judge_full, judge_reduced
from landweave.grid import GeoBox, Window, crs_of, split_blocks
from landweave.io.geotiff import TiffSpec, copy_moved, write_geotiff
from landweave.io.rasters import RasterInfo, read_info, read_window
from landweave.types import Progress, track

__all__ = ["FileShift", "Sharpened", "compare_files", "move_files", "sharpen_file"]

Array = NDArray[np.float32]
_BLOCK_PX = 256
"""Side of a block in coarse pixels."""
_JUDGED_PX = 384
"""Side of the central window that scores are computed on, in coarse pixels."""
METHODS: tuple[Pansharpening, ...] = ("brovey", "gsa", "mtf-glp")


@dataclass(frozen=True)
class Sharpened:
    """A pansharpened file.

    Attributes:
        path: The file: float32, the bands' physical values, NaN where there is no observation.
        ratio: Fine pixels to a coarse one.
        reduced: Scores one resolution down by method, "interpolation" among them; empty where not judged.
        full: Scores at full resolution of the method that was used; None where not judged.
    """

    path: Path
    ratio: int
    reduced: dict[str, WaldScores]
    full: NoReference | None


class _Pair:
    """A multispectral and a panchromatic file on nested grids."""

    def __init__(self, ms: Path, pan: Path) -> None:
        self.ms, self.pan = read_info(ms), read_info(pan)
        fine = self.pan.geobox
        if self.pan.count != 1:
            raise BandError(f"{pan} has {self.pan.count} layers; a panchromatic file has one")
        if crs_of(self.ms.geobox) != crs_of(fine):
            raise GridError(f"{ms} is in {crs_of(self.ms.geobox)}, {pan} in {crs_of(fine)}; reproject one to the other")
        size = self.ms.geobox.affine.a / fine.affine.a
        self.ratio = round(size)
        if self.ratio < 2 or abs(size - self.ratio) > 1e-3:
            raise GridError(f"pixels of {ms} are {size:.4g} times those of {pan}; pansharpening needs a whole ratio from 2 on")
        self.coarse = self._cut(fine)
        rows, cols = self.coarse.shape
        self.fine = GeoBox((rows * self.ratio, cols * self.ratio), self.coarse.affine @ Affine.scale(1 / self.ratio), fine.crs)

    def _cut(self, fine: GeoBox) -> GeoBox:
        """Coarse pixels on the pan's lattice that both files cover."""
        a, b = fine.affine, self.ms.geobox.affine
        left, top = ~a @ (b.c, b.f)
        right, bottom = ~a @ (b @ (self.ms.geobox.shape[1], self.ms.geobox.shape[0]))
        col = max(int(np.ceil(left - 0.5)), 0)  # half a pan pixel of slack: Landsat's grids share centres, not corners
        row = max(int(np.ceil(top - 0.5)), 0)
        width = (min(int(np.floor(right + 0.5)), fine.shape[1]) - col) // self.ratio
        height = (min(int(np.floor(bottom + 0.5)), fine.shape[0]) - row) // self.ratio
        if width < 1 or height < 1:
            raise GridError(f"{self.ms.path} and {self.pan.path} do not overlap; check their crs and extents")
        return GeoBox((height, width), a @ Affine.translation(col, row) @ Affine.scale(self.ratio), fine.crs)

    def read_ms(self, window: Window) -> Array:
        return _read(self.ms, list(range(1, self.ms.count + 1)), self.coarse, window, "cubic")

    def read_pan(self, window: Window) -> Array:
        r = self.ratio
        fine = Window(window.row * r, window.col * r, window.height * r, window.width * r)
        return np.asarray(_read(self.pan, [1], self.fine, fine, "nearest")[0])


def _read(info: RasterInfo, layers: list[int], geobox: GeoBox, window: Window, resampling: str) -> Array:
    values, valid = read_window(info.path, layers, geobox, window, resampling=resampling)
    out = np.where(valid, values, np.nan).astype(np.float32)
    for k, layer in enumerate(layers):
        scale, offset = info.scales[layer - 1], info.offsets[layer - 1]
        if scale is not None or offset is not None:
            out[k] = out[k] * np.float32(1 if scale is None else scale) + np.float32(offset or 0)
    return out


def sharpen_file(
    ms: Path | str, pan: Path | str, out: Path | str, *, method: Pansharpening = "gsa", gain: float = 0.3, judge: bool = True,
    overwrite: bool = False, progress: Progress | None = None,
) -> Sharpened:  # fmt: skip
    """Pansharpen a file, block by block, with figures of the whole raster.

    Args:
        ms: Multispectral raster.
        pan: Panchromatic raster of one layer, in the same crs; its pixels a whole part of the other's. Where their corners do
            not meet (Landsat's share centres) the multispectral bands are resampled by cubic convolution first.
        out: GeoTIFF to write, on the panchromatic pixels that both cover.
        method: brovey, gsa or mtf-glp; see `features.sharpening.pansharpen`.
        gain: Transfer function of the multispectral sensor at its Nyquist frequency.
        judge: Score every method one resolution down, and the one used at full resolution, on the middle of the raster.
        overwrite: Replace what stands at `out`.
        progress: Told of every block.

    Raises:
        GridError: If the rasters do not overlap, or their pixels have no whole ratio.
        BandError: If the panchromatic raster has several layers.
        OutputExistsError: If `out` exists and may not be replaced.
    """
    final = Path(out)
    if final.exists() and not overwrite:
        raise OutputExistsError(errno.EEXIST, f"{final} exists already; choose another path, or overwrite it (--overwrite)")
    pair = _Pair(Path(ms), Path(pan))
    windows = list(split_blocks((int(pair.coarse.shape[0]), int(pair.coarse.shape[1])), _BLOCK_PX))
    sums, weights = PanSums(), gaussian_weights(pair.ratio, gain)
    for window in track(windows, "pan statistics", len(windows), progress):
        low = blur_to_coarse(pair.read_pan(window.pad(PAN_MARGIN)), pair.ratio, weights)
        sums.add(pair.read_ms(window), low[PAN_MARGIN:-PAN_MARGIN, PAN_MARGIN:-PAN_MARGIN])
    model = PanModel.fit(sums, method=method, ratio=pair.ratio, gain=gain)
    names = tuple(d or f"band{i + 1}" for i, d in enumerate(pair.ms.descriptions))
    spec = TiffSpec("float32", names, nodata=float("nan"), tags={"landweave_method": method}, predictor=3)
    blocks = track(_sharpen_blocks(pair, model, windows), "sharpen", len(windows), progress)
    write_geotiff(final, pair.fine, spec, blocks)
    reduced, full = _judge(pair, model) if judge else ({}, None)
    return Sharpened(final, pair.ratio, reduced, full)


def _sharpen_blocks(pair: _Pair, model: PanModel, windows: Sequence[Window]) -> Iterator[tuple[Window, Array]]:
    r, m = pair.ratio, PAN_MARGIN
    for w in windows:
        outer = w.pad(m)
        made = pansharpen(pair.read_ms(outer), pair.read_pan(outer), model)
        cut = made[:, m * r : -m * r, m * r : -m * r]
        yield Window(w.row * r, w.col * r, w.height * r, w.width * r), np.ascontiguousarray(cut)


def _judge(pair: _Pair, model: PanModel) -> tuple[dict[str, WaldScores], NoReference]:
    rows, cols = (int(n) for n in pair.coarse.shape)
    height, width = min(rows, _JUDGED_PX), min(cols, _JUDGED_PX)
    window = Window((rows - height) // 2, (cols - width) // 2, height, width)
    ms, pan = pair.read_ms(window), pair.read_pan(window)
    methods: dict[str, Pansharpening | None] = {"interpolation": None, **{m: m for m in METHODS}}
    reduced = {
        name: judge_reduced(ms, pan, method=method, ratio=pair.ratio, gain=model.gain) for name, method in methods.items()
    }
    return reduced, judge_full(pansharpen(ms, pan, model), ms, pan, ratio=pair.ratio, gain=model.gain)


@dataclass(frozen=True)
class FileShift:
    """How a file lies on the reference, in pixels of the reference's grid, and its blocks."""

    path: Path
    shift: Consensus
    blocks: tuple[BlockShift, ...]


def compare_files(
    reference: Path | str, others: Sequence[Path | str], *, layer: int = 1, other_layer: int | None = None, block_px: int = 128,
    max_shift_px: float = 5.0, gradients: bool = False, power: bool = False, progress: Progress | None = None,
) -> list[FileShift]:  # fmt: skip
    """Estimate how files lie on a reference, by phase correlation in blocks that must agree.

    Args:
        reference: Raster whose grid the shifts are counted on.
        others: Rasters to compare; they are read on that grid, bilinearly where it is not their own.
        layer: Layer of the reference, from 1.
        other_layer: Layer of the others; the same by default.
        block_px: Side of the blocks, at most 25 of which are spread over the reference.
        max_shift_px: Shifts beyond are no finding.
        gradients: Compare gradients: between optics and radar.
        power: Values are linear power and are compared in decibels.
        progress: Told of every file.

    Raises:
        BandError: If a layer does not exist.
        SourceError: If a file cannot be read.
    """
    base = read_info(reference)
    windows = spread_blocks((int(base.geobox.shape[0]), int(base.geobox.shape[1])), block_px)
    infos = [read_info(path) for path in others]
    for info, wanted in ((base, layer), *((i, other_layer or layer) for i in infos)):
        if not 1 <= wanted <= info.count:
            raise BandError(f"{info.path} has {info.count} layers, and layer {wanted} was asked for")

    def read(info: RasterInfo, number: int, window: Window) -> Array:
        values = _read(info, [number], base.geobox, window, "bilinear")[0]
        return to_db(values) if power else values

    found = []
    for info in track(infos, "coregister", len(infos), progress, unit="files"):
        blocks = []
        for window in windows:
            pair = read(base, layer, window), read(info, other_layer or layer, window)
            blocks.append(BlockShift(window, *estimate_shift(*pair, max_shift_px=max_shift_px, gradients=gradients)))
        shift = agree(blocks, within_px=1.0 if gradients else AGREE_PX)
        found.append(FileShift(Path(info.path), shift, tuple(blocks)))
    return found


def move_files(
    reference: Path | str, shifts: Sequence[FileShift], folder: Path | str, *, overwrite: bool = False
) -> list[Path]:  # fmt: skip
    """Write copies of files whose grids are moved by their shifts; no value is resampled. Files without a shift are left out.

    Raises:
        OutputExistsError: If a copy exists and may not be replaced.
    """
    base = read_info(reference).geobox.affine
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for item in shifts:
        if not item.shift.is_found:
            continue
        out = target / f"{item.path.stem}.tif"
        if out.exists() and not overwrite:
            raise OutputExistsError(errno.EEXIST, f"{out} exists already; choose another folder, or overwrite it (--overwrite)")
        own = read_info(item.path).geobox.affine
        made.append(copy_moved(item.path, out, rows=item.shift.rows * base.e / own.e, cols=item.shift.cols * base.a / own.a))
    return made
