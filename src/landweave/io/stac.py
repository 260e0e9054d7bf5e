"""The STAC item of a map: where and when it is, its classes, its bands, and the model that made it.

Receives a `MapProduct` and a `ModelCard`; hands on `item.json`, STAC 1.1.0 with the projection, raster, classification and
machine-learning-model extensions, validated against schemas that ship with the package, so that no network is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import CRS as ProjCRS  # noqa: N811 (the odc class has the same name)
from pyproj import Transformer

import landweave
from landweave.errors import MapError
from landweave.grid import GeoBox, crs_of, metres_per_pixel
from landweave.io.files import read_json, write_json
from landweave.legend import Legend
from landweave.types import MapProduct, ModelCard, ModelInput

if TYPE_CHECKING:
    from jsonschema import ValidationError

__all__ = [
    "CLASSIFICATION",
    "add_asset",
    "list_classes",
    "make_item",
    "read_interval",
    "validate_collection",
    "validate_item",
    "write_checked",
    "write_item",
]

_EXTENSIONS = {
    "classification": "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "mlm": "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
    "projection": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
}
CLASSIFICATION = _EXTENSIONS["classification"]
"""Address of the classification extension."""
_COLLECTION_SCHEMA = "https://schemas.stacspec.org/v1.1.0/collection-spec/json-schema/collection.json"
_ITEM_SCHEMA = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EDGE_POINTS = 21
"""Points per side of the footprint, since the sides of a grid are curves in longitude and latitude."""


def make_item(
    product: MapProduct, card: ModelCard, *, interval: tuple[datetime, datetime], model_href: str = "model/card.json"
) -> dict[str, Any]:
    """Describe a map as a STAC item.

    The item's id is taken from the map's checksum, so that the same map has the same item wherever it was made.

    Args:
        product: The map; its files become the assets.
        card: Of the model that made it.
        interval: First and last moment that the observations stand for (UTC, the end exclusive).
        model_href: Where the model is, relative to the item.
    """
    footprint = _footprint(product.geobox)
    lon, lat = [p[0] for p in footprint], [p[1] for p in footprint]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": sorted(_EXTENSIONS.values()),
        "id": f"landcover-{product.checksum[:16]}",
        "geometry": {"type": "Polygon", "coordinates": [footprint]},
        "bbox": [min(lon), min(lat), max(lon), max(lat)],
        "properties": {
            "title": f"Land cover map: {', '.join(product.legend.names)}"[:200],
            **_time_fields(interval), **_projection_fields(product.geobox), **_model_fields(card),
        },
        "links": [],
        "assets": _assets(product, card, model_href),
    }  # fmt: skip


def _time_fields(interval: tuple[datetime, datetime]) -> dict[str, Any]:
    start, end = interval
    if end <= start:
        return {"datetime": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
    last = end - timedelta(seconds=1)  # STAC's end is inclusive
    return {"datetime": None, "start_datetime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end_datetime": f"{last:%Y-%m-%dT%H:%M:%SZ}"}


def read_interval(item: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Give the first and last moment (exclusive) that an item of ours states; the inverse of what `make_item` writes."""
    properties = item["properties"]
    if properties.get("datetime"):
        at = datetime.fromisoformat(properties["datetime"]).replace(tzinfo=None)
        return at, at
    start, last = (datetime.fromisoformat(properties[k]).replace(tzinfo=None) for k in ("start_datetime", "end_datetime"))
    return start, last + timedelta(seconds=1)


def _projection_fields(geobox: GeoBox) -> dict[str, Any]:
    crs = ProjCRS.from_wkt(crs_of(geobox).to_wkt())
    authority = crs.to_authority(min_confidence=100)
    fields: dict[str, Any] = {"proj:code": ":".join(authority) if authority else None}
    if authority is None:
        fields["proj:wkt2"] = crs.to_wkt()
    box = geobox.boundingbox
    fields["proj:shape"] = list(geobox.shape)
    fields["proj:transform"] = [float(v) for v in geobox.affine[:6]]
    fields["proj:bbox"] = [float(v) for v in (box.left, box.bottom, box.right, box.top)]
    return fields


def _footprint(geobox: GeoBox) -> list[list[float]]:
    """Give the outline as a closed counter-clockwise ring of [lon, lat], to 7 decimals (a centimetre)."""
    rows, cols = geobox.shape
    t = np.linspace(0, 1, _EDGE_POINTS)[:-1]
    px = np.concatenate([0 * t, t, 0 * t + 1, 1 - t]) * cols
    py = np.concatenate([t, 0 * t + 1, 1 - t, 0 * t]) * rows
    a = geobox.affine
    to_lonlat = Transformer.from_crs(ProjCRS.from_wkt(crs_of(geobox).to_wkt()), "EPSG:4326", always_xy=True)
    lon, lat = to_lonlat.transform(a.a * px + a.b * py + a.c, a.d * px + a.e * py + a.f)
    ring = [[round(float(x), 7), round(float(y), 7)] for x, y in zip(lon, lat, strict=True)]
    return [*ring, ring[0]]


# --- the model -----------------------------------------------------------------------------------------------------------


def _model_fields(card: ModelCard) -> dict[str, Any]:
    name = re.sub(r"[^a-zA-Z0-9_.\- ]+", " ", card.title or card.model).strip(" ._-")
    params = {re.sub(r"[^0-9a-zA-Z_.-]", "_", str(k)): v for k, v in card.params.items()}
    fields: dict[str, Any] = {
        "mlm:name": name if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", name) else f"model-{card.model}-landweave",
        "mlm:architecture": card.model,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "Landweave",
        "mlm:framework_version": landweave.__version__,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:input": [_model_input(i, card) for i in card.inputs],
        "mlm:output": [{
            "name": "proba", "tasks": ["semantic-segmentation"], "description": "class probabilities in legend order",
            "result": {"shape": [-1, len(card.classes)], "dim_order": ["batch", "class"], "data_type": "float32"},
        }],
    }  # fmt: skip
    if params:
        fields["mlm:hyperparameters"] = json.loads(json.dumps(params, default=str))
    return fields


def _model_input(item: ModelInput, card: ModelCard) -> dict[str, Any]:
    sizes = [("batch", -1), ("time", item.n_steps), ("band", len(item.bands))]
    if card.chip_size_px is not None:
        sizes += [("height", card.chip_size_px), ("width", card.chip_size_px)]
    kept = [(name, size) for name, size in sizes if size is not None]
    return {
        "name": item.name, "bands": list(item.bands),
        "input": {"shape": [s for _, s in kept], "dim_order": [n for n, _ in kept], "data_type": "float32"},
    }  # fmt: skip


# --- assets --------------------------------------------------------------------------------------------------------------


def _assets(product: MapProduct, card: ModelCard, model_href: str) -> dict[str, Any]:
    size = round(float(np.mean(metres_per_pixel(product.geobox))), 3)
    legend = product.legend
    band = {"nodata": legend.nodata, "data_type": str(legend.dtype), "spatial_resolution": size}
    quantity = {"nodata": 255, "data_type": "uint8", "scale": 0.004, "spatial_resolution": size}
    classes = list_classes(legend, product.count_px)
    known: dict[str, dict[str, Any]] = {
        "map": {"title": "Land cover classes", "type": _COG, "roles": ["data"], "raster:bands": [{"name": "class", **band}],
                "classification:classes": classes},
        "proba": {"title": "Class probabilities", "type": _COG, "roles": ["data"],
                  "raster:bands": [{"name": name, **quantity} for name in legend.names]},
        "uncertainty": {"title": "Entropy, and margin between the best two classes", "type": _COG, "roles": ["data"],
                        "raster:bands": [{"name": name, **quantity} for name in ("entropy", "margin")]},
        "sets": {"title": "Conformal sets: number of classes, then 1 for each class in the set", "type": _COG,
                 "roles": ["data"], "raster:bands": [{"name": name, "nodata": 255, "data_type": "uint8",
                                                      "spatial_resolution": size} for name in ("set size", *legend.names)]},
        "style": {"title": "QGIS style", "type": "application/xml", "roles": ["metadata"]},
    }  # fmt: skip
    assets = {name: {"href": f"./{product.files[name].name}", **rest} for name, rest in known.items() if name in product.files}
    names = [b if len(card.inputs) == 1 else f"{i.name}.{b}" for i in card.inputs for b in i.bands]
    assets["model"] = {
        "href": f"./{model_href}", "title": card.title or card.model, "type": "application/json", "roles": ["mlm:model"],
        "mlm:artifact_type": "landweave-model-folder", "raster:bands": [{"name": n, "data_type": "float32"} for n in names],
    }  # fmt: skip
    return assets


def list_classes(legend: Legend, count_px: Mapping[int, int]) -> list[dict[str, Any]]:
    """Give the classes as the classification extension wants them: names of letters, digits, "-" and "_", each once."""
    plain = [re.sub(r"[^0-9A-Za-z-]+", "_", c.name).strip("_") or f"class_{c.code}" for c in legend]
    made = []
    for c, name in zip(legend, plain, strict=True):
        unique = name if plain.count(name) == 1 else f"{name}_{c.code}"
        entry: dict[str, Any] = {"value": c.code, "name": unique, "title": c.name, "color_hint": c.color[1:].upper()}
        made.append(entry | {"count": count_px.get(c.code, 0)} | ({"description": c.definition} if c.definition else {}))
    if legend.unsure in count_px:
        made.append({"value": legend.unsure, "name": "unsure", "count": count_px[legend.unsure]})
    made.append({"value": legend.nodata, "name": "nodata", "nodata": True, "count": count_px.get(legend.nodata, 0)})
    return made


# --- reading, writing, checking ------------------------------------------------------------------------------------------


def write_item(item: Mapping[str, Any], path: Path | str) -> Path:
    """Check an item and write it.

    Raises:
        MapError: If it does not fit the schemas.
    """
    return write_checked(item, path, what="item", wrong=validate_item(item))


def write_checked(document: Mapping[str, Any], path: Path | str, *, what: str, wrong: Sequence[str]) -> Path:
    """Write an item or a collection of which nothing was found wrong.

    Raises:
        MapError: If something was.
    """
    if wrong:
        raise MapError(f"STAC {what} {document.get('id')!r} does not fit its schemas: {'; '.join(wrong[:3])}")
    write_json(path, dict(document))
    return Path(path)


def add_asset(path: Path | str, name: str, asset: Mapping[str, Any]) -> None:
    """Add an asset, such as the report, to an item on disk.

    Raises:
        SourceError: If there is no item at `path`.
        MapError: If the item does not fit the schemas afterwards.
    """
    item = read_json(path)
    item["assets"][name] = dict(asset)
    write_item(item, path)


def validate_item(item: Mapping[str, Any]) -> list[str]:
    """List what is wrong with an item: against the STAC schema and against those of the extensions that it names.

    Raises:
        MapError: If it names an extension whose schema does not ship with the package.
    """
    return _list_errors(item, _ITEM_SCHEMA)


def validate_collection(collection: Mapping[str, Any]) -> list[str]:
    """List what is wrong with a collection, as `validate_item` does with an item.

    Raises:
        MapError: If it names an extension whose schema does not ship with the package.
    """
    return _list_errors(collection, _COLLECTION_SCHEMA)


def _list_errors(document: Mapping[str, Any], schema: str) -> list[str]:
    from jsonschema import Draft7Validator

    wrong = []
    for uri in (schema, *document.get("stac_extensions", ())):
        if uri not in _schemas():
            raise MapError(f"the schema {uri} does not ship with this version; known: {', '.join(_EXTENSIONS.values())}")
        for error in Draft7Validator(_schemas()[uri], registry=_registry()).iter_errors(document):
            inner = _innermost(error)
            wrong.append(f"{'/'.join(str(p) for p in inner.absolute_path) or 'document'}: {inner.message[:200]}")
    return list(dict.fromkeys(wrong))


def _innermost(error: ValidationError) -> ValidationError:
    """Follow an "any of these" to what was really wrong: in the branch for items, not in the one for collections."""
    while error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        likely = min(branches.values(), key=lambda es: (any(list(e.path) == ["type"] for e in es), len(es)))
        error = max(likely, key=lambda e: len(e.path))
    return error


@lru_cache(maxsize=1)
def _schemas() -> dict[str, Any]:
    folder = resources.files("landweave.io") / "schemas"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return {uri: json.loads((folder / name).read_text(encoding="utf-8")) for uri, name in index.items()}


@lru_cache(maxsize=1)
def _registry() -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    # a schema's own $id is not always the address that the others call it by
    made = {uri: {k: v for k, v in schema.items() if k != "$id"} for uri, schema in _schemas().items()}
    return Registry().with_resources([(uri, DRAFT7.create_resource(schema)) for uri, schema in made.items()])
