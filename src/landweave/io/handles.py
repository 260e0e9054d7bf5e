"""Open raster files: handles that are lent to one thread at a time and kept for the next read.

Receives paths; lends `RasterHandle`s. Opening a file costs about as much as decoding a block of it, so that a cube that is
read block by block would otherwise spend its time on headers.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, TypeVar

import rasterio
from affine import Affine
from odc.geo.crs import CRS
from rasterio._env import get_gdal_config, set_gdal_config
from rasterio.errors import RasterioError, RasterioIOError

from landweave.errors import SourceError
from landweave.grid import resolve_crs
from landweave.io import remote

__all__ = ["RasterHandle", "close_rasters", "gdal_cache", "map_files", "read_with"]

S = TypeVar("S")
T = TypeVar("T")
_AT_A_TIME, _REMOTE_AT_A_TIME = 2, 8
"""Files asked for together where only headers or small parts are read. Opening a local file holds Python's lock for most of its
time, so that more threads only wait for each other; a server takes its time whoever waits."""
_MOST = 512
"""Handles kept open at most; each takes about 120 kB."""


class RasterHandle:
    """A file open for reading; what its header says is worked out once, since rasterio does so anew at every call."""

    def __init__(self, path: str, src: Any, stamp: object) -> None:
        self.path, self.src, self.stamp = path, src, stamp
        self.lattice: tuple[object, object, object] | None = None
        """Grid and crs that were last asked about, and the answer, for the next window of the same grid."""

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.src.height), int(self.src.width)

    @cached_property
    def transform(self) -> Affine:
        """Pixel to crs."""
        return Affine(*self.src.transform[:6])

    @cached_property
    def crs(self) -> CRS | None:
        """Its crs, None where it states none; parsing costs as much as reading a small window."""
        return resolve_crs(self.src.crs) if self.src.crs else None

    @cached_property
    def nodata(self) -> tuple[float | None, ...]:
        """Stored markers, one per layer."""
        return tuple(self.src.nodatavals)

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Stored types, one per layer."""
        return tuple(self.src.dtypes)


class _Pool:
    """Idle handles, by path. A file that changed on disk, or whose signature ended, is opened anew."""

    def __init__(self) -> None:
        self._idle: dict[str, list[RasterHandle]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._chance = random.Random(0)

    def take(self, path: str, stamp: object) -> RasterHandle | None:
        """Take an idle handle out, if there is one that still holds."""
        with self._lock:
            found = self._pop(path) if path in self._idle else None
        if found is None or found.stamp == stamp:
            return found
        found.src.close()
        return self.take(path, stamp)

    def give(self, handle: RasterHandle) -> None:
        """Put a handle back; where there are too many, one is closed.

        It is any one: cubes read their files in turn, and if the longest idle handle went each time, every single one would be
        closed just before it is needed.
        """
        spare = None
        with self._lock:
            if self._count >= _limit():
                spare = self._pop(self._chance.choice(list(self._idle)))
            self._idle.setdefault(handle.path, []).append(handle)
            self._count += 1
        if spare is not None:
            spare.src.close()

    def _pop(self, path: str) -> RasterHandle:
        handle = self._idle[path].pop()
        self._count -= 1
        if not self._idle[path]:
            del self._idle[path]
        return handle

    def clear(self) -> None:
        """Close all that are idle."""
        with self._lock:
            idle, self._idle, self._count = self._idle, {}, 0
        for handle in (h for kept in idle.values() for h in kept):
            handle.src.close()


_pool = _Pool()


@cache
def _limit() -> int:
    """Handles to keep: at most half of the files that the system lets a process open."""
    try:
        import resource
    except ImportError:  # Windows, whose limit is far higher
        return _MOST
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if files < 0 else min(_MOST, max(files // 2, 1))


def _stamp(path: str) -> object:
    """What must stay the same for a handle to hold: the file on disk, or the signed address."""
    if remote.is_signed(path):
        return remote.gdal_path(path)
    if path.startswith("/vsi") or "://" in path or ":" in path[2:]:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 (asked at every read: pathlib takes five times as long)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"file {path} does not exist") from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _open(path: str) -> Any:
    try:
        return _open_gdal(path)
    except RasterioIOError as err:
        if remote.is_remote(path):
            raise SourceError(f"{remote.plain_url(path)} cannot be opened (absent, truncated, refused, or the server is slow): "
                              f"{remote.hide_signature(str(err))}") from err  # fmt: skip
        raise SourceError(f"{path} is not a raster that GDAL can open (truncated? another kind of file?): {err}") from err


def _open_gdal(path: str) -> Any:
    try:
        return rasterio.open(remote.gdal_path(path))
    except RasterioIOError:
        if not remote.renew_signature(path):
            raise
        return rasterio.open(remote.gdal_path(path))


@contextmanager
def _lend(path: str) -> Iterator[RasterHandle]:
    """Lend a handle; one that failed is closed, not kept."""
    stamp = _stamp(path)
    handle = _pool.take(path, stamp)
    if handle is None:
        src = _open(path)
        handle = RasterHandle(path, src, _stamp(path) if remote.is_signed(path) else stamp)
    try:
        yield handle
    except RasterioError:
        handle.src.close()
        raise
    except BaseException:
        _pool.give(handle)
        raise
    _pool.give(handle)


def read_with(path: str, work: Callable[[RasterHandle], T]) -> T:
    """Do something with a file's handle; a signed file whose signature has ended meanwhile is opened anew, once.

    Raises:
        SourceError: If the file is missing, no raster, or cannot be read; names it.
    """
    try:
        with _lend(path) as handle:
            return work(handle)
    except RasterioError as err:
        first = err
    if remote.renew_signature(path):
        try:
            with _lend(path) as handle:
                return work(handle)
        except RasterioError as err:
            first = err
    shown = remote.plain_url(path) if remote.is_remote(path) else path
    raise SourceError(f"cannot read {shown} (truncated or corrupt?): {remote.hide_signature(str(first))}") from first


@contextmanager
def gdal_cache(size: int) -> Iterator[None]:
    """Hold GDAL's block cache to `size` bytes; by default it takes 5 % of the machine's memory."""
    before = get_gdal_config("GDAL_CACHEMAX")
    set_gdal_config("GDAL_CACHEMAX", size)
    try:
        yield
    finally:
        set_gdal_config("GDAL_CACHEMAX", before)


def map_files(work: Callable[[S], T], items: Iterable[S], *, paths: Iterable[str]) -> list[T]:
    """Do something with many files, several at a time, since opening one waits for the disk or for a server.

    The first error, in the order of the items, is raised.

    Args:
        work: Done with each item.
        items: One file each, or several.
        paths: The files; more are asked for together where some of them are remote.
    """
    given = list(items)
    if len(given) < 2:
        return [work(one) for one in given]
    at_a_time = _REMOTE_AT_A_TIME if any(remote.is_remote(p) for p in paths) else _AT_A_TIME
    with ThreadPoolExecutor(min(at_a_time, len(given))) as pool:
        return list(pool.map(work, given))


def close_rasters() -> None:
    """Close the handles that are kept open; those being read stay until they are done."""
    _pool.clear()
