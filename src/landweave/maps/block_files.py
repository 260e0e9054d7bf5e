"""Where the files of a block store lie: a folder that all workers share, or a bucket of an object store.

Receives names and bytes; hands them back. A file appears under its name as a whole or not at all, in a folder by a rename, in
an object store by its own promise.
"""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from landweave.errors import MapError, MissingExtraError

__all__ = ["BlockFiles", "LocalFiles", "RemoteFiles"]


class BlockFiles(Protocol):
    """Files by name (`done/0000000_0000512.json`); small enough to send to workers."""

    def read(self, name: str) -> bytes:
        """Give a file.

        Raises:
            OSError: If it is not there or cannot be read.
        """
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole."""
        ...

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def clear(self) -> None:
        """Remove all files."""
        ...

    def describe(self, name: str = "") -> str:
        """Name the place for people."""
        ...


@dataclass(frozen=True)
class LocalFiles:
    """A folder."""

    root: Path

    def read(self, name: str) -> bytes:
        """Give a file; see `BlockFiles`."""
        return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole; not synced, since what a power cut loses the checksums find."""
        path = self.root / name
        part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            part.write_bytes(data)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self.root / name).exists()

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        (self.root / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root, ignore_errors=True)

    def describe(self, name: str = "") -> str:
        """Name the place for people."""
        return str(self.root / name)


@dataclass(frozen=True)
class RemoteFiles:
    """A prefix in an object store, reached through obstore; credentials come from the environment, as its tools take them.

    Attributes:
        url: "s3://bucket/prefix", "gs://...", "az://...", "file:///folder".
    """

    url: str

    def read(self, name: str) -> bytes:
        """Give a file; see `BlockFiles`."""
        return bytes(self._store.get(name).bytes())

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole.

        Raises:
            MapError: If the object store refuses it.
        """
        try:
            self._store.put(name, data)
        except Exception as err:
            raise MapError(f"{self.describe(name)} cannot be written ({_shorten(err)}); check that the bucket exists and that "
                           "the credentials in the environment may write to it. Finished blocks are kept") from err  # fmt: skip

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        try:
            self._store.head(name)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        try:
            self._store.delete(name)
        except FileNotFoundError:
            return

    def clear(self) -> None:
        """Remove all files under the prefix."""
        for batch in self._store.list():
            self._store.delete([entry["path"] for entry in batch])

    def describe(self, name: str = "") -> str:
        """Name the place for people."""
        return f"{self.url.rstrip('/')}/{name}"

    @property
    def _store(self) -> Any:
        return _connect(self.url)


@lru_cache(maxsize=8)
def _connect(url: str) -> Any:
    try:
        from obstore.store import from_url
    except ImportError as err:
        raise MissingExtraError("blocks in an object store need the 'dask' extra: pip install \"landweave[dask]\"") from err
    store: Any = from_url
    try:
        return store(url, **({"mkdir": True} if url.startswith("file:") else {}))
    except Exception as err:
        raise MapError(f"{url} is no object store that can be reached ({_shorten(err)}); give s3://BUCKET/PREFIX, gs://, "
                       "az:// or file:///FOLDER") from err  # fmt: skip


def _shorten(err: BaseException) -> str:
    first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
    return first[:200]
