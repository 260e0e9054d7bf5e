"""Where a result comes from: `lineage.json`, enough to make it again.

Receives what each stage did; hands on one document beside the products. Times and host names stand here and nowhere else,
so that every other file of two runs can be compared byte by byte.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

import landweave
from landweave.errors import SourceError
from landweave.io.files import read_json, sha256_file, write_json
from landweave.types import Document

__all__ = ["FileRecord", "Lineage", "StageRecord", "list_versions", "read_lineage", "record_file", "write_lineage"]

_PACKAGES = ("numpy", "scipy", "pandas", "xarray", "rasterio", "pyproj", "odc-geo", "zarr", "scikit-learn", "catboost",
             "numba", "geopandas", "pyarrow", "pydantic")  # fmt: skip


class FileRecord(Document):
    """A file that went in or came out: enough to notice that it changed."""

    path: str
    size: int | None = None
    sha256: str | None = None
    mtime_ns: int | None = None


class StageRecord(Document):
    """What one stage did.

    Attributes:
        name: "cube", "samples", "model", "map", "assessment".
        options: The stage's options, completed.
        inputs: Files it read.
        outputs: Files it wrote, paths relative to the lineage file's folder.
        seed: Seed of its random numbers, if it draws any.
        fingerprint: Identity of the work: same fingerprint, same bytes.
        keys: What the fingerprint was made of, by name.
        results: Figures worth keeping (counts, areas, failed blocks).
        notes: What was done on the way, one sentence each.
        started: UTC.
        seconds: Wall time.
        peak_rss_bytes: Highest resident memory of the whole process while it ran.
        workers: How many it ran on.
        host: Name of the machine.
    """

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    inputs: tuple[FileRecord, ...] = ()
    outputs: tuple[FileRecord, ...] = ()
    seed: int | None = None
    fingerprint: str | None = None
    keys: dict[str, Any] = Field(default_factory=dict)
    results: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    started: str | None = None
    seconds: float | None = None
    peak_rss_bytes: int | None = None
    workers: int | None = None
    host: str | None = None


class Lineage(Document):
    """All that a folder's products come from; `landweave rerun lineage.json` runs `recipe` again.

    Attributes:
        schema_version: Of this document.
        command: What was asked for, for people.
        recipe: The resolved recipe (paths absolute), or None where a stage was called alone.
        stages: In the order they ran; a stage that runs again replaces its record.
        versions: Package -> version.
        python: Interpreter version.
        platform: Operating system and processor; identity of bytes is promised on one machine.
    """

    schema_version: int = 1
    command: str = ""
    recipe: dict[str, Any] | None = None
    stages: tuple[StageRecord, ...] = ()
    versions: dict[str, str] = Field(default_factory=lambda: list_versions())
    python: str = Field(default_factory=platform.python_version)
    platform: str = Field(default_factory=platform.platform)

    def find_stage(self, name: str) -> StageRecord | None:
        """Give the record of a stage, or None if it has not run."""
        return next((s for s in self.stages if s.name == name), None)

    def with_stage(self, stage: StageRecord) -> Lineage:
        """Give a copy in which `stage` stands in place of its namesake, or last."""
        names = [s.name for s in self.stages]
        if stage.name not in names:
            return self.model_copy(update={"stages": (*self.stages, stage)})
        kept = tuple(stage if s.name == stage.name else s for s in self.stages)
        return self.model_copy(update={"stages": kept})


def list_versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Give the installed versions of the packages that decide a result, Landweave and GDAL included."""
    import rasterio

    own = {"landweave": landweave.__version__, "gdal": str(rasterio.__gdal_version__)}
    return own | {name: version for name in packages if (version := _version(name)) is not None}


@lru_cache(maxsize=64)
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def record_file(path: Path | str, *, relative_to: Path | None = None, checksum: bool = True) -> FileRecord:
    """Describe a file as it is now.

    Args:
        path: The file; folders have size None and no checksum.
        relative_to: Folder that the recorded path starts from; absolute by default.
        checksum: Whether to read the whole file for its sha256; otherwise its time of change is recorded instead.

    Raises:
        SourceError: If the file is missing.
    """
    at = Path(path)
    if not at.exists():
        raise SourceError(f"file {path} does not exist")
    name = at.relative_to(relative_to).as_posix() if relative_to else str(at.absolute())
    if at.is_dir():
        return FileRecord(path=name)
    stat = at.stat()
    if checksum:
        return FileRecord(path=name, size=stat.st_size, sha256=sha256_file(at))
    return FileRecord(path=name, size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def utc_now() -> str:
    """Give the time as an ISO string in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def host_name() -> str:
    """Give the machine's name."""
    return platform.node()


def write_lineage(lineage: Lineage, folder: Path | str) -> Path:
    """Write `folder/lineage.json` atomically."""
    path = Path(folder) / "lineage.json"
    write_json(path, lineage.model_dump(mode="json"))
    return path


def read_lineage(path: Path | str) -> Lineage:
    """Read a lineage file, or the one in a folder.

    Raises:
        SourceError: If it is missing or not a lineage of this version.
    """
    at = Path(path)
    at = at / "lineage.json" if at.is_dir() else at
    try:
        return Lineage.model_validate(read_json(at))
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise SourceError(f"{at} is not a lineage that this version reads: {where}: {first['msg']}") from err
