"""The block store: finished blocks of an unfinished map, on disk, so that no crash costs more than the blocks in flight.

`<folder>/.work/<fingerprint>/` holds `run.json` (what the fingerprint was made of, the block size), `blocks/` (a compressed
file per block and product) and `done/` (a record per block with the checksums of its files, renamed into place after them).
A block is done when its record is there and its files match it. One file per block, not a Zarr array: a block is written by
one rename, whichever worker computed it, and needs no metadata that several workers share. Blocks and records may lie in an
object store instead, for workers that share no folder; `run.json` always stays in the output folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs.zstd import Zstd  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

from landweave.errors import DiskFullError, MapError
from landweave.grid import Window, split_blocks
from landweave.io.files import is_disk_full, read_json, write_json
from landweave.maps.block_files import BlockFiles, LocalFiles, RemoteFiles

__all__ = ["BlockStore", "ProductLayout", "list_works"]

_log = logging.getLogger(__name__)
_codec = Zstd(level=1)


@dataclass(frozen=True)
class ProductLayout:
    """How the pixels of a product are stored: bands, dtype and the marker of empty blocks."""

    count: int
    dtype: str
    nodata: int


def list_works(folder: Path) -> list[Path]:
    """Give the stores of unfinished runs in an output folder."""
    work = folder / ".work"
    return sorted(p for p in work.iterdir() if (p / "run.json").is_file()) if work.is_dir() else []


@dataclass(frozen=True)
class BlockStore:
    """Blocks of one run, cut from a grid of `shape` with side `block_px`; small enough to send to workers.

    Attributes:
        root: `<folder>/.work/<fingerprint>`.
        shape: Rows and columns of the output grid.
        block_px: Side of a block.
        layouts: Product name -> layout.
        remote: Address in an object store under which blocks and records lie; None for `root` itself.
    """

    root: Path
    shape: tuple[int, int]
    block_px: int
    layouts: Mapping[str, ProductLayout]
    remote: str | None = None

    @property
    def files(self) -> BlockFiles:
        """Where blocks and records lie."""
        return LocalFiles(self.root) if self.remote is None else RemoteFiles(f"{self.remote.rstrip('/')}/{self.root.name}")

    # --- life ----------------------------------------------------------------------------------------------------------

    def open(self, keys: Mapping[str, Any]) -> None:
        """Make the store, or take up the one that is there; one with another block size is started anew."""
        state = self.root / "run.json"
        if state.is_file() and read_json(state).get("block_px") != self.block_px:
            _log.info("block size changed to %d px: %s starts anew", self.block_px, self.root)
            self.files.clear()
            shutil.rmtree(self.root, ignore_errors=True)
        with _full_disk_named(self.root):
            for name in ("blocks", "done", "failed"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            if self.remote is not None:
                self.files.write("probe", b"")  # refused now rather than after the first block is computed
            if not state.is_file():
                write_json(state, {"block_px": self.block_px, "keys": dict(keys)})

    def note_failures(self, reasons: Sequence[str]) -> None:
        """Keep in `run.json` why blocks failed, so that a later run can tell a repaired input from another one."""
        state = self.root / "run.json"
        write_json(state, {**read_json(state), "failed": sorted(set(reasons))})

    def remove(self) -> None:
        """Remove the store, and `.work` with it when no other run's is in there."""
        self.files.clear()
        shutil.rmtree(self.root, ignore_errors=True)
        if not list_works(self.root.parent.parent):
            shutil.rmtree(self.root.parent, ignore_errors=True)

    @property
    def windows(self) -> list[Window]:
        """All blocks, row by row."""
        return list(split_blocks(self.shape, self.block_px))

    # --- writing -------------------------------------------------------------------------------------------------------

    def write(self, window: Window, products: Mapping[str, NDArray[Any]] | None) -> None:
        """Keep a block; None is a block without any valid observation, which takes no space.

        Raises:
            DiskFullError: If the disk is full.
        """
        files: dict[str, dict[str, Any]] = {}
        with _full_disk_named(self.root):
            for name, pixels in (products or {}).items():
                data = bytes(_codec.encode(np.ascontiguousarray(pixels)))
                self.files.write(_data_name(window, name), data)
                files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            record = {"window": _as_list(window), "empty": products is None, "files": files}
            self.files.write(_record_name("done", window), json.dumps(record).encode())
        self.files.remove(_record_name("failed", window))

    def write_failure(self, window: Window, reason: str) -> None:
        """Note that a block could not be computed; it counts as not done."""
        with _full_disk_named(self.root):
            self.files.write(_record_name("failed", window), json.dumps({"reason": reason}).encode())

    # --- reading -------------------------------------------------------------------------------------------------------

    def find_pending(self) -> list[Window]:
        """Give the blocks that are not done, or whose files do not match their record; the latter's records are removed."""
        pending = []
        for window in self.windows:
            try:
                self._load_record(window, check=True)
            except _BadBlockError as err:
                if self.files.exists(_record_name("done", window)):
                    _log.warning("block at row %d, column %d is redone: %s", window.row, window.col, err)
                    self.files.remove(_record_name("done", window))
                pending.append(window)
        return pending

    def _load_record(self, window: Window, *, check: bool) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self.files.read(_record_name("done", window)))
        except (OSError, ValueError) as err:
            raise _BadBlockError(f"its record cannot be read ({err})") from err
        if record.get("window") != _as_list(window):
            raise _BadBlockError("its record is of another window")
        if check and not record["empty"]:
            for name in self.layouts:
                self._load_bytes(window, name, record)
        return record

    def _load_bytes(self, window: Window, product: str, record: Mapping[str, Any]) -> bytes:
        expected = record["files"].get(product)
        try:
            data = self.files.read(_data_name(window, product))
        except OSError as err:
            raise _BadBlockError(f"its {product} cannot be read ({err})") from err
        if expected is None or hashlib.sha256(data).hexdigest() != expected["sha256"]:
            raise _BadBlockError(f"its {product} does not match its checksum")
        return data

    def read_block(self, window: Window, product: str) -> NDArray[Any]:
        """Read a block's product (band, y, x); nodata where the block is empty or failed.

        Raises:
            MapError: If the block is damaged; running again redoes it.
        """
        layout = self.layouts[product]
        shape = (layout.count, window.height, window.width)
        if self._is_failed(window):
            return np.full(shape, layout.nodata, dtype=layout.dtype)
        try:
            record = self._load_record(window, check=False)
            if record["empty"]:
                return np.full(shape, layout.nodata, dtype=layout.dtype)
            data = _codec.decode(self._load_bytes(window, product, record))
        except _BadBlockError as err:
            raise MapError(f"block at row {window.row}, column {window.col} of {self.files.describe()} was damaged after it "
                           f"was computed: {err}; run again, it will be redone") from err  # fmt: skip
        pixels: NDArray[Any] = np.frombuffer(data, dtype=layout.dtype).reshape(shape)
        return pixels

    def read_window(self, window: Window, product: str) -> NDArray[Any]:
        """Read any window (band, y, x), put together from the blocks that it touches."""
        layout = self.layouts[product]
        parts = list(self._touching(window))
        if parts == [window]:
            return self.read_block(window, product)
        out = np.empty((layout.count, window.height, window.width), dtype=layout.dtype)
        for block in parts:
            top, left = max(block.row, window.row), max(block.col, window.col)
            bottom, right = min(block.row_end, window.row_end), min(block.col_end, window.col_end)
            pixels = self.read_block(block, product)
            out[:, top - window.row : bottom - window.row, left - window.col : right - window.col] = (
                pixels[:, top - block.row : bottom - block.row, left - block.col : right - block.col])  # fmt: skip
        return out

    def _touching(self, window: Window) -> Iterator[Window]:
        side = self.block_px
        for row in range(window.row // side * side, window.row_end, side):
            for col in range(window.col // side * side, window.col_end, side):
                yield Window(row, col, min(side, self.shape[0] - row), min(side, self.shape[1] - col))

    def list_failures(self, windows: Sequence[Window] | None = None) -> dict[Window, str]:
        """Give the blocks that failed and were not done since, with the reason."""
        found = {}
        for window in windows if windows is not None else self.windows:
            if self._is_failed(window):
                found[window] = str(json.loads(self.files.read(_record_name("failed", window)))["reason"])
        return found

    def _is_failed(self, window: Window) -> bool:
        return self.files.exists(_record_name("failed", window)) and not self.files.exists(_record_name("done", window))


def _data_name(window: Window, product: str) -> str:
    return f"blocks/{window.row:07d}_{window.col:07d}.{product}"


def _record_name(kind: str, window: Window) -> str:
    return f"{kind}/{window.row:07d}_{window.col:07d}.json"


def _as_list(window: Window) -> list[int]:
    return [window.row, window.col, window.height, window.width]


class _BadBlockError(Exception):
    """A block on disk is missing or damaged; never leaves this module."""


@contextmanager
def _full_disk_named(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        if isinstance(err, DiskFullError) or not is_disk_full(err):
            raise
        free = shutil.disk_usage(root.parent.parent).free
        where = root.parent.parent
        raise DiskFullError(
            errno.ENOSPC, f"disk is full: {free / 2**20:.1f} MiB are free at {where}; free space and run again (finished "
                          "blocks are kept), or choose another --out",
        ) from err  # fmt: skip
