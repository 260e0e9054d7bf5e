"""Files that are either whole or not there: atomic writing, checksums, disk space, the lock on an output folder.

Receives paths; hands on paths. Nothing half-written carries its final name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from landweave.errors import DiskFullError, OutputLockedError, SourceError

__all__ = ["atomic_path", "check_disk", "lock_folder", "read_json", "sha256_file", "sha256_json", "write_json", "write_text"]


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # Windows has no handle to a folder; its rename is durable enough
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield `<path>.part` to write to; on success sync it and rename it to `path`, on any failure remove it.

    The final name never shows a partial file, whatever kills the process. Works for single files.

    Raises:
        DiskFullError: If the disk fills while writing; says how much was written.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(final.name + ".part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(final)
        _sync_folder(final.parent)
    except BaseException as err:
        written = part.stat().st_size if part.exists() else 0
        part.unlink(missing_ok=True)
        if is_disk_full(err):
            raise DiskFullError(errno.ENOSPC, f"disk is full: {final} failed after {written / 2**20:.1f} MiB; "
                                              f"free space on {final.parent} or choose another --out") from err  # fmt: skip
        raise


def is_disk_full(err: BaseException) -> bool:
    """Tell whether an error, or what caused it, is a full disk (GDAL reports it as text only)."""
    seen: BaseException | None = err
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def check_disk(folder: Path | str, needed_bytes: int) -> None:
    """Check before starting that a folder's disk can hold `needed_bytes` more.

    Raises:
        DiskFullError: If it cannot; says how much is needed and how much is free.
    """
    at = Path(folder).absolute()
    while not at.exists():
        at = at.parent
    free = shutil.disk_usage(at).free
    if free < needed_bytes:
        raise DiskFullError(errno.ENOSPC, f"{folder} needs {needed_bytes / 2**20:.0f} MiB but its disk has only "
                                          f"{free / 2**20:.0f} MiB free; free space or choose another --out")  # fmt: skip


def sha256_file(path: Path | str) -> str:
    """Give the sha256 of a file as hex.

    Raises:
        SourceError: If the file is missing.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as err:
        raise SourceError(f"file {path} does not exist") from err


def sha256_json(value: Any) -> str:
    """Give the sha256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically as UTF-8."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON atomically, indented, with NaN refused (use null)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        SourceError: If it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise SourceError(f"file {path} does not exist") from err
    except json.JSONDecodeError as err:
        raise SourceError(f"{path} is not JSON: {err.msg} in line {err.lineno}") from err


_held: ContextVar[frozenset[Path]] = ContextVar("landweave_held_folders", default=frozenset())


@contextmanager
def lock_folder(folder: Path | str) -> Iterator[None]:
    """Hold the lock on an output folder; it is an OS lock, which dies with its process.

    A stage that runs inside another that holds the same folder passes through.

    Raises:
        OutputLockedError: If another process (or an unrelated thread) holds it.
    """
    at = Path(folder).absolute()
    if at in _held.get():
        yield
        return
    at.mkdir(parents=True, exist_ok=True)
    path = at / ".lock"
    with path.open("a+") as file:
        try:
            _lock(file.fileno())
        except OSError as err:
            raise OutputLockedError(errno.EWOULDBLOCK, f"another landweave process is writing to {at}; wait for it, or "
                                                       "choose another --out") from err  # fmt: skip
        token = _held.set(_held.get() | {at})
        try:
            yield
        finally:
            _held.reset(token)
            _unlock(file.fileno())


if os.name == "nt":  # pragma: no cover (the test machines are POSIX)
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
