"""From what a recipe names to files: globs, folders, ENVI pairs; sidecar files are left out.

Receives texts; hands on `FoundPath` objects in a fixed order.
"""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landweave.errors import SourceError

__all__ = ["FoundPath", "expand_paths", "is_archive"]

log = logging.getLogger(__name__)

_RASTERS = frozenset(
    {".tif", ".tiff", ".gtif", ".gtiff", ".img", ".jp2", ".vrt", ".bsq", ".bil", ".bip", ".dat", ".envi", ".asc", ".grd"}
    | {".nc", ".nc4", ".cdf"}
)
_SIDECARS = frozenset(
    {".hdr", ".xml", ".ovr", ".msk", ".txt", ".json", ".csv", ".tfw", ".wld", ".prj", ".md", ".pdf", ".html", ".yaml", ".yml"}
    | {".enp", ".sta", ".gpkg", ".shp", ".shx", ".dbf", ".cpg", ".qpj", ".geojson", ".parquet", ".npz", ".zip", ".qml", ".md5"}
)


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A file or archive, and whether it was named itself (not found through a glob or in a folder)."""

    path: Path
    is_named: bool


def expand_paths(paths: Sequence[str]) -> list[FoundPath]:
    """Find the rasters and archives behind files, globs and folders; each once, sorted within its entry.

    A folder gives its rasters and the archives in it, not those of its subfolders (a glob with `**` does). An ENVI header
    stands for its data file.

    Raises:
        SourceError: If a path does not exist, a glob matches nothing, or a folder holds no raster; says what is there.
    """
    found: dict[Path, FoundPath] = {}
    for text in paths:
        for item in _expand(text):
            found.setdefault(item.path, item)
    return list(found.values())


def _expand(text: str) -> list[FoundPath]:
    path = Path(text).expanduser()
    if path.is_dir():
        return [FoundPath(path, True)] if is_archive(path) else _list_folder(path)
    if path.exists() and re.fullmatch(r"MTD_MSIL\w\w\.xml|.*_MTL\.\w+", path.name, re.IGNORECASE):
        return [FoundPath(path.parent, True)]
    if path.exists():
        return [FoundPath(_envi_data(path), True)]
    if glob.has_magic(str(path)):
        return _list_glob(str(path))
    if text.startswith("/vsi") or "://" in text:
        raise SourceError(f"{text} is no local path; give a local file, folder, glob or archive (.SAFE, .zip, .tar)")
    raise SourceError(f"{path} does not exist; {_what_is_there(path)}")


def is_archive(path: Path) -> bool:
    """Tell whether a path is an archive as agencies deliver it: a `.SAFE`, a Sentinel-2 zip, a Landsat tar or folder."""
    name = path.name.upper()
    if path.is_dir():
        return name.endswith(".SAFE") or any(p.is_file() for p in path.glob("*_MTL.*"))
    if name.endswith(".ZIP"):
        return name.startswith("S2") or ".SAFE" in name
    return name.endswith((".TAR", ".TAR.GZ", ".TGZ"))


def _list_folder(folder: Path) -> list[FoundPath]:
    children = sorted(folder.iterdir())
    taken = [p for p in children if is_archive(p) or (p.is_file() and _is_raster(p))]
    if not taken:
        raise SourceError(f"folder {folder} holds no raster; {_listing(folder)}")
    return [FoundPath(p, False) for p in taken]


def _list_glob(text: str) -> list[FoundPath]:
    matches = [Path(p) for p in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 (absolute patterns)
    taken = [p for p in matches if is_archive(p) or (p.is_file() and p.suffix.casefold() not in _SIDECARS)]
    if not taken:
        what = f"only {', '.join(p.name for p in matches[:5])}" if matches else "nothing"
        folder = Path(text.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0].split("[", maxsplit=1)[0] + "x").parent
        raise SourceError(f"{text} matches {what}, no raster; {_what_is_there(folder / 'x')}")
    return [FoundPath(p, False) for p in taken]


def _is_raster(path: Path) -> bool:
    suffix = path.suffix.casefold()
    return suffix in _RASTERS or (suffix not in _SIDECARS and _header_of(path) is not None)


def _header_of(path: Path) -> Path | None:
    for name in (path.name + ".hdr", path.name + ".HDR", path.stem + ".hdr", path.stem + ".HDR"):
        header = path.with_name(name)
        if header.exists() and header != path:
            return header
    return None


def _envi_data(path: Path) -> Path:
    if path.suffix.casefold() != ".hdr":
        return path
    stem = path.with_suffix("")
    for data in (stem, *(stem.with_name(stem.name + s) for s in (".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".envi"))):
        if data.is_file():
            return data
    raise SourceError(f"{path} is an ENVI header without its data file; put {stem.name} (or .img, .dat, .bsq) beside it")


def _listing(folder: Path) -> str:
    names = [p.name + ("/" if p.is_dir() else "") for p in sorted(folder.iterdir())]
    if not names:
        return "it is empty"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"it holds {', '.join(names[:8])}{more}"


def _what_is_there(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return f"folder {folder}: {_listing(folder)}"
