"""The STAC collection of a map in many tiles: one document that names their items, classes and extent.

Receives the items of the tiles; hands on `collection.json`, STAC 1.1.0, validated against the schema that ships with the
package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landweave.errors import MapError
from landweave.io.files import read_json
from landweave.io.stac import CLASSIFICATION, list_classes, validate_collection, write_checked
from landweave.legend import Legend

__all__ = ["make_collection", "tile_items", "write_collection"]


def make_collection(
    name: str, items: Mapping[str, Mapping[str, Any]], *, legend: Legend, count_px: Mapping[int, int], title: str = "",
    licence: str = "other", assets: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Describe tiles of one map as a STAC collection.

    Args:
        name: Its id.
        items: Address of an item, relative to the collection -> the item.
        legend: The classes of all tiles.
        count_px: Code -> pixels over all tiles.
        title: For people.
        licence: SPDX name; STAC's "other" where it is not stated.
        assets: Files that stand for all tiles, such as the mosaic.

    Raises:
        MapError: If there is no item.
    """
    if not items:
        raise MapError("a STAC collection needs at least one item, and none of the tiles has an item.json")
    boxes = [item["bbox"] for item in items.values()]
    whole = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    spans = [_interval(item) for item in items.values()]
    bboxes = [whole, *boxes] if len(boxes) > 1 else [whole]
    links: list[dict[str, Any]] = [{"rel": "root", "href": "./collection.json", "type": "application/json"}]
    links += [{"rel": "item", "href": href, "type": "application/geo+json", "title": str(item["id"])}
              for href, item in items.items()]  # fmt: skip
    return {
        "type": "Collection", "stac_version": "1.1.0", "stac_extensions": [CLASSIFICATION], "id": name,
        "title": title or name, "description": f"Land cover map in {len(items)} tiles: {', '.join(legend.names)}",
        "license": licence,
        "extent": {
            "spatial": {"bbox": bboxes},
            "temporal": {"interval": [[min(s for s, _ in spans), max(e for _, e in spans)]]},
        },
        "links": links,
        "item_assets": {"map": {"type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"],
                                "classification:classes": list_classes(legend, {})}},
        "assets": {
            key: {**asset, **({"classification:classes": list_classes(legend, count_px)} if "data" in asset["roles"] else {})}
            for key, asset in (assets or {}).items()
        },
    }  # fmt: skip


def _interval(item: Mapping[str, Any]) -> tuple[str, str]:
    properties = item["properties"]
    at = properties.get("datetime")
    return (at, at) if at else (properties["start_datetime"], properties["end_datetime"])


def write_collection(collection: Mapping[str, Any], path: Path | str) -> Path:
    """Check a collection and write it.

    Raises:
        MapError: If it does not fit the schema.
    """
    return write_checked(collection, path, what="collection", wrong=validate_collection(collection))


def tile_items(folders: Sequence[Path], at: Path) -> dict[str, dict[str, Any]]:
    """Give the items of the tiles that have one, by their address as seen from the folder `at`."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        path = folder / "item.json"
        if path.is_file():
            found[Path(os.path.relpath(path.absolute(), at.absolute())).as_posix()] = read_json(path)
    return found
