"""Cubes on disk: written block by block, opened lazily; and how large they would be.

Receives a `CubeSet`, hands one back. The format is `io.zarr_store`'s.
"""

from __future__ import annotations

import errno
import itertools
import logging
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from affine import Affine

from landweave.cube.backend import find_reader, make_cube
from landweave.cube.load import PlanReader
from landweave.cube.place import PlaceReader
from landweave.cube.reading import OutsideCount
from landweave.cube.segments import SegmentReader
from landweave.errors import DiskFullError, OutputExistsError
from landweave.grid import GeoBox, Window, crs_of, resolve_crs, split_blocks
from landweave.io.files import check_disk, is_disk_full
from landweave.io.handles import gdal_cache
from landweave.io.zarr_store import CHUNK_PX, GroupSpec, ZarrWriter, plan_groups, read_store
from landweave.types import CubeSet, Progress, ProgressEvent

__all__ = ["ArraySize", "CubeSize", "estimate_size", "open_cube", "write_cube"]

log = logging.getLogger(__name__)
_BLOCK_BYTES = 32 * 2**20
"""Float32 values of one block while a cube is written; a worker holds about four times this, and the days of a step besides."""
_CACHE_BYTES = 128 * 2**20
"""GDAL's cache while a cube is written; its own default grows with the machine, and fills as the raster does."""
_SHRINK = 0.6
"""Compressed over stored size that the check before writing counts on: reflectance shrinks to 0.5-0.8, gaps to nothing."""


@dataclass(frozen=True)
class ArraySize:
    """Size of one array of a cube on disk."""

    name: str
    cube: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int


@dataclass(frozen=True)
class CubeSize:
    """What a set of cubes holds.

    Attributes:
        shape: Rows and columns of the output grid.
        n_steps: Time steps per cube; 1 for a static one.
        n_blocks: Blocks of 1024 pixels that the output grid is cut into.
        arrays: Arrays on disk, before compression.
        bytes_in_memory: All cubes as float32.
        n_files: Files that are read, each once.
    """

    shape: tuple[int, int]
    n_steps: dict[str, int]
    n_blocks: int
    arrays: tuple[ArraySize, ...]
    bytes_in_memory: int
    n_files: int

    @property
    def total_bytes(self) -> int:
        """All arrays on disk, before compression (it usually halves them)."""
        return sum(a.nbytes for a in self.arrays)


def estimate_size(cubes: CubeSet, *, block_px: int = 1024) -> CubeSize:
    """Tell how large cubes are, without reading a pixel."""
    groups = plan_groups(cubes.cubes)
    shape = (int(cubes.geobox.shape[0]), int(cubes.geobox.shape[1]))
    return CubeSize(
        shape=shape,
        n_steps={n: int(c.sizes.get("time", 1)) for n, c in cubes.cubes.items()},
        n_blocks=math.ceil(shape[0] / block_px) * math.ceil(shape[1] / block_px),
        arrays=tuple(ArraySize(g.name, g.cube, g.shape, g.encoding.dtype, g.nbytes) for g in groups),
        bytes_in_memory=sum(4 * c.size for c in cubes.cubes.values()),
        n_files=len({p for c in cubes.cubes.values() for p in list_sources(c)}),
    )


def list_sources(cube: xr.DataArray) -> tuple[str, ...]:
    """List the files behind a lazy cube; empty where its pixels are in memory."""
    reader = find_reader(cube)
    if isinstance(reader, PlanReader):
        return reader.plan.paths
    if isinstance(reader, PlaceReader | SegmentReader):
        return reader.paths
    path = getattr(reader, "path", None)
    return (str(path),) if path else ()


def write_cube(
    cubes: CubeSet, path: Path | str, *, workers: int = 1, overwrite: bool = False, progress: Progress | None = None
) -> Path:
    """Write cubes to a Zarr store (format 2), one group per kind of band.

    Reflectance is rounded to 0.0001 and masks to whole numbers; everything else is stored as float32, without loss. The store
    grows as `<path>.part` and is renamed when it is whole, so that `path` never shows a partial cube.

    Args:
        cubes: The cubes; they are read block by block, about 300 MB per worker at a time, and 128 MiB are GDAL's cache (unless
            the environment sets GDAL_CACHEMAX), however large the raster.
        path: Folder to make, by custom `cube.zarr`.
        workers: Threads that read and write.
        overwrite: Replace what stands at `path`.
        progress: Told of every block, from the calling thread.

    Returns:
        The path.

    Raises:
        OutputExistsError: If `path` exists and `overwrite` is false.
        DiskFullError: If the disk cannot hold the cube; nothing partial stays.
        SourceError: If a file cannot be read; names it.
        CubeError: If a reflectance lies beyond what int16 can hold.
    """
    final = Path(path)
    if final.exists() and not overwrite:
        raise OutputExistsError(errno.EEXIST, f"{final} exists already; choose another path, or overwrite it (--overwrite)")
    groups = plan_groups(cubes.cubes)
    needed = int(_SHRINK * sum(g.nbytes for g in groups))
    check_disk(final.parent, needed)
    part = final.with_name(final.name + ".part")
    _remove(part)
    try:
        with _counting(cubes) as counts, _small_cache():
            writer = ZarrWriter(part, cubes.cubes, groups, _attributes(cubes))
            _write_blocks(cubes, groups, writer, workers, progress)
            writer.finish((*cubes.notes, *_note_outside(counts)))
        _replace(part, final)
    except BaseException as err:
        _remove(part)
        if is_disk_full(err):
            message = (f"disk is full: {final} needs about {needed / 2**20:.0f} MiB (the partial cube was removed); free space "
                       f"on {final.parent} or choose another --out")  # fmt: skip
            raise DiskFullError(errno.ENOSPC, message) from err
        raise
    return final


@contextmanager
def _small_cache() -> Iterator[None]:
    """Bound GDAL's cache, unless its size was set on purpose."""
    if "GDAL_CACHEMAX" in os.environ:
        yield
        return
    with gdal_cache(_CACHE_BYTES):
        yield


def _attributes(cubes: CubeSet) -> dict[str, object]:
    grid = cubes.geobox
    return {
        "grid": {"crs_wkt": crs_of(grid).to_wkt(), "transform": [float(v) for v in grid.affine[:6]], "shape": [*grid.shape]},
        "sources": {p: _size_of(p) for c in cubes.cubes.values() for p in list_sources(c)},
        "notes": list(cubes.notes),
    }  # fmt: skip


def _size_of(path: str) -> int | None:
    at = Path(path)
    return at.stat().st_size if at.is_file() else None


@contextmanager
def _counting(cubes: CubeSet) -> Iterator[dict[str, OutsideCount]]:
    """Count values out of range, exactly, in every cube that is read from scenes meanwhile."""
    readers = {n: find_reader(c) for n, c in cubes.cubes.items()}
    counts = {n: OutsideCount() for n, r in readers.items() if isinstance(r, PlanReader)}
    try:
        for name, count in counts.items():
            readers[name].count = count  # type: ignore[union-attr]
        yield counts
    finally:
        for name in counts:
            readers[name].count = None  # type: ignore[union-attr]


def _note_outside(counts: dict[str, OutsideCount]) -> list[str]:
    notes = []
    for name, count in counts.items():
        for band in dict.fromkeys(b for _, b in count.outside):
            seen, outside = count.total(band)
            if outside:
                notes.append(f"{name}: {band}: {outside} of {seen} values outside the valid range were written as nodata.")
        total, gaps, left = (count.gaps[k] for k in ("values", "gaps", "left"))
        if gaps:
            notes.append(f"{name}: {gaps - left} of {total} values ({(gaps - left) / total:.1%}) were filled over time; {left} "
                         "had no observations to be filled from and were written as nodata.")  # fmt: skip
    return notes


def _block_px(groups: Iterable[GroupSpec]) -> int:
    """Side of a block: a multiple of the chunk, so that no two blocks share one."""
    planes = max(sum(math.prod(g.shape[:-2]) for g in own) for own in _by_cube(groups).values())
    side = math.isqrt(_BLOCK_BYTES // (4 * planes))
    return min(max(side // CHUNK_PX, 1), 8) * CHUNK_PX


def _by_cube(groups: Iterable[GroupSpec]) -> dict[str, list[GroupSpec]]:
    found: dict[str, list[GroupSpec]] = {}
    for group in groups:
        found.setdefault(group.cube, []).append(group)
    return found


def _write_blocks(
    cubes: CubeSet, groups: list[GroupSpec], writer: ZarrWriter, workers: int, progress: Progress | None
) -> None:  # fmt: skip
    side = _block_px(groups)
    jobs = [(n, w) for n, c in cubes.cubes.items() for w in split_blocks((c.sizes["y"], c.sizes["x"]), side)]

    def work(name: str, window: Window) -> None:
        rows, cols = window.slices
        writer.write(name, window, np.asarray(cubes[name].isel(y=rows, x=cols).values))

    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        for done in _run_bounded(pool, work, jobs, 2 * max(workers, 1)):
            if progress is not None:
                progress(ProgressEvent("cube", done, len(jobs)))


def _run_bounded(pool: ThreadPoolExecutor, work: object, jobs: list[tuple[str, Window]], depth: int) -> Iterator[int]:
    """Run jobs with at most `depth` in flight; yields how many are done, and stops at the first failure."""
    left, flying, done = iter(jobs), set[Future[None]](), 0
    try:
        while True:
            for job in itertools.islice(left, depth - len(flying)):
                flying.add(pool.submit(work, *job))  # type: ignore[arg-type]
            if not flying:
                return
            finished, flying = wait(flying, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done += 1
            yield done
    finally:
        for future in flying:
            future.cancel()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(part: Path, final: Path) -> None:
    old = final.with_name(final.name + ".old")
    _remove(old)
    if final.exists():
        final.rename(old)
    part.rename(final)
    _remove(old)


def open_cube(path: Path | str) -> CubeSet:
    """Open cubes that `write_cube` wrote; their pixels are read lazily.

    Raises:
        SourceError: If the path is missing, or no cube that Landweave wrote.
    """
    stored, about = read_store(path)
    cubes = {
        name: make_cube(c.reader, c.geobox, c.bands, c.kinds, times=c.times, name=name) for name, c in stored.items()
    }  # fmt: skip
    grid = about["grid"]
    geobox = GeoBox((grid["shape"][0], grid["shape"][1]), Affine(*grid["transform"]), resolve_crs(grid["crs_wkt"]))
    return CubeSet(cubes, geobox, tuple(about["notes"]))
