"""Archives read in place: what is in a folder, zip or tar, and how GDAL calls it.

Receives a path; hands on an `Archive`, which the readers of products (`safe`, `landsat`) look into.
"""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from landweave.errors import SourceError

__all__ = ["Archive", "open_archive"]


@dataclass(frozen=True)
class Archive:
    """A folder, zip or tar.

    Attributes:
        path: Where it is.
        prefix: What stands before it in GDAL's paths: "", "/vsizip/" or "/vsitar/".
        names: Its files, relative, with forward slashes.
    """

    path: Path
    prefix: str
    names: tuple[str, ...]

    def gdal_path(self, name: str) -> str:
        """Give the path under which GDAL opens a member."""
        return f"{self.prefix}{self.path.absolute().as_posix()}/{name}" if self.prefix else str(self.path / name)

    def read_text(self, name: str) -> str:
        """Read a member as text.

        Raises:
            SourceError: If the archive is truncated.
        """
        return self.read_bytes(name).decode("utf-8", errors="replace")

    def read_bytes(self, name: str) -> bytes:
        """Read a member.

        Raises:
            SourceError: If the archive is truncated.
        """
        try:
            if self.prefix == "/vsizip/":
                with zipfile.ZipFile(self.path) as archive:
                    return archive.read(name)
            if self.prefix == "/vsitar/":
                with tarfile.open(self.path) as tar:
                    member = tar.extractfile(name)
                    return member.read() if member is not None else b""
            return (self.path / name).read_bytes()
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as err:
            raise SourceError(f"cannot read {name} in {self.path} (truncated? download it again): {err}") from err


def open_archive(path: Path) -> Archive:
    """List a folder, zip or tar.

    Raises:
        SourceError: If it is truncated or of another kind.
    """
    if path.is_dir():
        names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        return Archive(path, "", tuple(names))
    try:
        if path.suffix.casefold() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return Archive(path, "/vsizip/", tuple(sorted(archive.namelist())))
        with tarfile.open(path) as tar:
            return Archive(path, "/vsitar/", tuple(sorted(tar.getnames())))
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as err:
        raise SourceError(f"{path} is no complete archive (truncated? download it again): {err}") from err
