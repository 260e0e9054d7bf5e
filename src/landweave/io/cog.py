"""Cloud-optimised GeoTIFFs: written from any reader of windows, in bounded memory, whole or not at all.

Receives a grid, a `CogSpec` and a function that gives the pixels of a window; hands on a file whose bytes depend on the
pixels alone. The pixels go through an uncompressed-order tiled GeoTIFF first, because overviews must stand before the data.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window as RioWindow

from landweave.errors import DiskFullError, GridError
from landweave.grid import Window, crs_of, split_blocks
from landweave.io.files import atomic_path, is_disk_full, write_text
from landweave.legend import Legend

__all__ = ["TILE_PX", "CogSpec", "estimate_cog_bytes", "legend_colormap", "write_category_names", "write_cog"]

TILE_PX = 512
"""Side of a COG's inner tiles."""

ReadWindow = Callable[[Window], NDArray[Any]]
"""Gives the pixels (band, y, x) of a window."""


@dataclass(frozen=True)
class CogSpec:
    """What a COG looks like besides its pixels.

    Attributes:
        dtype: Of the pixels.
        count: Number of bands.
        nodata: Stored marker.
        overviews: How overviews are made: mode or nearest for classes, average for quantities.
        descriptions: One per band.
        scale: Physical value = stored * scale; None for plain codes.
        colormap: Code -> (red, green, blue, alpha), for a single band of codes.
        tags: File-level metadata.
        predictor: Whether neighbouring pixels are differenced before compression, which helps smooth quantities of 16 bits;
            quantised probabilities become larger by it.
        level: Of deflate, 1 to 9; 1 takes a third of the time of 6 and serves noisy pixels as well.
    """

    dtype: str
    count: int
    nodata: float
    overviews: Literal["mode", "nearest", "average"]
    descriptions: tuple[str, ...]
    scale: float | None = None
    colormap: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    predictor: bool = False
    level: int = 6


def estimate_cog_bytes(geobox: GeoBox, spec: CogSpec) -> int:
    """Give the most that `write_cog` needs on disk while it runs: raw pixels, overviews and the result."""
    rows, cols = geobox.shape
    return int(rows * cols * spec.count * np.dtype(spec.dtype).itemsize * 1.7) + 2**20


def legend_colormap(legend: Legend) -> dict[int, tuple[int, int, int, int]]:
    """Give a legend's colours as a GDAL colour table: nodata transparent, unsure grey."""
    table = {c.code: (*(int(c.color[i : i + 2], 16) for i in (1, 3, 5)), 255) for c in legend}
    table[legend.unsure] = (190, 190, 190, 255)
    table[legend.nodata] = (0, 0, 0, 0)
    return table  # type: ignore[return-value]


def write_cog(
    path: Path | str, geobox: GeoBox, read: ReadWindow, spec: CogSpec, *, step_px: int = TILE_PX, threads: int = 1,
    scratch: Path | None = None,
) -> Path:  # fmt: skip
    """Write a COG: tiles of 512, deflate, internal overviews; the same bytes for any `step_px` and `threads`.

    The finished file is read back and compared with what was written before it gets its name.

    Args:
        path: The file; written as `<path>.part` and renamed.
        geobox: Its grid; a north-up grid with a crs.
        read: Gives (band, y, x) of a window in `spec.dtype`.
        spec: Everything else.
        step_px: Side of the windows asked from `read`; a multiple of 512.
        threads: For compression.
        scratch: Folder for temporary files, on the same disk; a new one beside `path` by default, removed afterwards.

    Raises:
        DiskFullError: If the disk fills; no partial file stays.
        GridError: If `step_px` does not fit the tiles.
    """
    if step_px < TILE_PX or step_px % TILE_PX:
        raise GridError(f"step of {step_px} px does not fit tiles of {TILE_PX} px; give a multiple of {TILE_PX}")
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    needed = estimate_cog_bytes(geobox, spec)
    with _disk_full_as_error(final, needed), _scratch_folder(final, scratch) as folder, atomic_path(final) as part:
        source = folder / f"{final.stem}.source.tif"
        try:
            sums = _write_source(source, geobox, read, spec, step_px)
            _copy_to_cog(source, part, spec, threads)
        finally:
            source.unlink(missing_ok=True)
        _check_pixels(part, sums, step_px)
    return final


@contextmanager
def _scratch_folder(final: Path, scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        yield scratch
        return
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _disk_full_as_error(final: Path, needed: int) -> Iterator[None]:
    """Turn GDAL's many ways of failing to write into one `DiskFullError` where the disk is too small.

    Its errors seldom say so (the system's message goes to stderr), and its temporary files are gone by the time they arrive.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError, DiskFullError) as err:
        free = shutil.disk_usage(final.parent).free
        if is_disk_full(err) or free < needed:
            raise DiskFullError(
                errno.ENOSPC, f"disk is full: {final} needs up to {needed / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free; "
                              "nothing of it was kept. Free space or choose another --out",
            ) from err  # fmt: skip
        raise


def _write_source(source: Path, geobox: GeoBox, read: ReadWindow, spec: CogSpec, step_px: int) -> list[int]:
    """Write the tiled GeoTIFF that the COG is copied from; give a checksum per window."""
    rows, cols = geobox.shape
    profile = {
        "driver": "GTiff", "width": cols, "height": rows, "count": spec.count, "dtype": spec.dtype, "nodata": spec.nodata,
        "crs": crs_of(geobox).to_wkt(), "transform": geobox.affine, "tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX,
        "interleave": "band", "compress": "ZSTD", "zstd_level": 1, "bigtiff": "IF_SAFER",
        "photometric": "MINISBLACK",
    }  # fmt: skip
    sums = []
    with rasterio.open(source, "w", **profile) as dst:
        _describe(dst, spec)
        for window in split_blocks((rows, cols), step_px):
            data = np.ascontiguousarray(read(window), dtype=spec.dtype)
            sums.append(zlib.crc32(data))  # type: ignore[arg-type]
            dst.write(data, window=RioWindow(window.col, window.row, window.width, window.height))
    return sums


def _describe(dst: Any, spec: CogSpec) -> None:
    dst.descriptions = spec.descriptions
    if spec.scale is not None:
        dst.scales = (spec.scale,) * spec.count
    if spec.colormap:
        dst.write_colormap(1, dict(spec.colormap))
    if spec.tags:
        dst.update_tags(**spec.tags)


def _copy_to_cog(source: Path, target: Path, spec: CogSpec, threads: int) -> None:
    method = spec.overviews.upper()
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        rasterio.shutil.copy(
            source, target, driver="COG", blocksize=TILE_PX, compress="DEFLATE", level=spec.level, bigtiff="IF_SAFER",
            predictor="STANDARD" if spec.predictor else "NO", overviews="IGNORE_EXISTING", overview_resampling=method,
            resampling=method, num_threads=str(threads), strict=False, statistics="NO",
        )  # fmt: skip


def _check_pixels(path: Path, sums: list[int], step_px: int) -> None:
    """Read a file back and compare: GDAL reports some failed writes only as a message, with the file left short."""
    with rasterio.open(path) as src:
        for window, expected in zip(split_blocks((src.height, src.width), step_px), sums, strict=True):
            data = src.read(window=RioWindow(window.col, window.row, window.width, window.height))
            if zlib.crc32(np.ascontiguousarray(data)) != expected:  # type: ignore[arg-type]
                raise DiskFullError(errno.EIO, f"{path} does not read back as it was written at row {window.row}, column "
                                               f"{window.col}; the disk is full or failing")  # fmt: skip


def write_category_names(path: Path | str, legend: Legend) -> Path:
    """Write the class names of a raster of codes where GDAL looks for them, `<path>.aux.xml`.

    A GeoTIFF has no place of its own for category names. The attribute table says the same with colours, and holds legends
    whose codes are too large for a list that starts at 0.
    """
    lines = ["<PAMDataset>", '  <PAMRasterBand band="1">']
    if max(legend.codes) < 4096:
        names = dict(zip(legend.codes, legend.names, strict=True))
        lines += ["    <CategoryNames>"]
        lines += [f"      <Category>{escape(names.get(code, ''))}</Category>" for code in range(max(legend.codes) + 1)]
        lines += ["    </CategoryNames>"]
    columns = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
    lines += ['    <GDALRasterAttributeTable tableType="thematic">']
    for i, (name, kind, usage) in enumerate(columns):
        lines += [f'      <FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>']
    for i, c in enumerate(legend):
        cells = [str(c.code), escape(c.name), *(str(int(c.color[k : k + 2], 16)) for k in (1, 3, 5))]
        lines += [f'      <Row index="{i}">' + "".join(f"<F>{cell}</F>" for cell in cells) + "</Row>"]
    lines += ["    </GDALRasterAttributeTable>", "  </PAMRasterBand>", "</PAMDataset>"]
    target = Path(f"{path}.aux.xml")
    write_text(target, "\n".join(lines) + "\n")
    return target
