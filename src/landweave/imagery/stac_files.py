"""Items of STAC files: a catalogue's JSON on disk, an item collection, or stac-geoparquet.

Receives a path; hands on items as plain STAC JSON whose assets have absolute addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from landweave.errors import MissingExtraError, SourceError
from landweave.io.files import read_json

__all__ = ["read_items"]

Item = dict[str, Any]


def read_items(path: Path | str) -> list[Item]:
    """Read the items of a file or folder.

    A folder with a `catalog.json` or `collection.json` is read by following its links; another one by looking at every
    JSON file in it.

    Raises:
        SourceError: If it is missing, or holds no items.
        MissingExtraError: If it is a stac-geoparquet file and stac-geoparquet is not installed.
    """
    at = Path(path)
    if not at.exists():
        raise SourceError(f"catalogue {path} does not exist; give a folder, a JSON or parquet file, or an address (https://...)")
    if at.suffix in (".parquet", ".geoparquet"):
        items = _read_parquet(at)
    elif at.is_dir():
        root = next((at / n for n in ("catalog.json", "collection.json") if (at / n).is_file()), None)
        items = list(_follow(root, set()) if root else _look(at))
    else:
        items = list(_follow(at, set()))
    if not items:
        raise SourceError(f"catalogue {path} holds no STAC items; give the folder or file that has them")
    return items


def _look(folder: Path) -> Iterator[Item]:
    for file in sorted(folder.rglob("*.json")):
        content = read_json(file)
        if isinstance(content, dict) and content.get("type") in ("Feature", "FeatureCollection"):
            yield from _items_of(content, file)


def _follow(file: Path, seen: set[Path]) -> Iterator[Item]:
    if file.resolve() in seen:
        return
    seen.add(file.resolve())
    content = read_json(file)
    kind = content.get("type") if isinstance(content, dict) else None
    if kind in ("Feature", "FeatureCollection"):
        yield from _items_of(content, file)
    elif kind in ("Catalog", "Collection"):
        for link in content.get("links", []):
            if link.get("rel") in ("child", "item", "items"):
                yield from _follow(_local(link["href"], file), seen)
    else:
        raise SourceError(f"{file} is no STAC catalogue, collection, item or item collection (type {kind!r})")


def _local(href: str, file: Path) -> Path:
    if urlsplit(href).scheme in ("http", "https"):
        raise SourceError(f"{file} links to {href}; a catalogue on disk must hold its items itself, ask an API by its address")
    return file.parent / unquote(href.removeprefix("file://"))


def _items_of(content: dict[str, Any], file: Path) -> Iterator[Item]:
    for item in content["features"] if content["type"] == "FeatureCollection" else [content]:
        yield {**item, "assets": {k: {**a, "href": _absolute(a["href"], item, file)} for k, a in item["assets"].items()}}


def _absolute(href: str, item: Item, file: Path) -> str:
    """Give an asset's address as it stands for itself; a relative one is meant from the item."""
    if "://" in href or href.startswith("/"):
        return href.removeprefix("file://")
    own = next((str(link["href"]) for link in item.get("links", []) if link.get("rel") == "self"), "")
    return urljoin(own, href) if own.startswith("http") else str((file.parent / unquote(href)).resolve())


def _read_parquet(path: Path) -> list[Item]:
    try:
        import stac_geoparquet.arrow
    except ImportError as err:
        raise MissingExtraError(f"catalogue {path} needs the 'stac' extra: pip install \"landweave[stac]\"") from err
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        items = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path)))
    except (ArrowException, KeyError, ValueError, OSError) as err:
        raise SourceError(f"{path} is no stac-geoparquet file: {err}") from err
    for item in items:  # a column is there for every item, whether it has the asset or not
        item["assets"] = {k: {n: v for n, v in a.items() if v is not None} for k, a in item["assets"].items() if a}
    return [made for item in items for made in _items_of({"type": "FeatureCollection", "features": [item]}, path)]
