"""Searching STAC catalogues: an API, a folder of JSON, a stac-geoparquet file; and saving what was found.

Receives `CatalogueOptions`; hands on items as plain STAC JSON, which `stac_items` reads into layers. A search that is saved can
be repeated without the catalogue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from landweave.errors import MissingExtraError, SceneError, SourceError
from landweave.imagery.catalogue_options import CatalogueOptions
from landweave.imagery.stac_files import read_items
from landweave.io.files import sha256_json, write_json
from landweave.io.vectors import read_vectors

__all__ = ["items_path", "load_items", "search_items"]

log = logging.getLogger(__name__)
Item = dict[str, Any]
_QUERY = "query"
_TEMPORARY = (429, 500, 502, 503, 504)


def items_path(options: CatalogueOptions, folder: Path | str, name: str) -> Path:
    """Give the file in which the items of a search are kept: its name holds a hash of the search."""
    key = sha256_json(options.model_dump(mode="json", exclude={"cache", "timeout_s", "retries", "page_size"}))
    return Path(folder) / f"{name}-{key[:8]}.json"


def load_items(options: CatalogueOptions, path: Path | None) -> list[Item]:
    """Give the items that `path` holds, else search for them and save them there.

    Args:
        options: The search.
        path: An item collection; None to search anew and save nothing.

    Raises:
        SourceError: If the catalogue cannot be reached.
        SceneError: If nothing is found; says which condition emptied the search.
    """
    if path is not None and path.exists():
        items = read_items(path)
        log.info("%d items of an earlier search are in %s", len(items), path)
        return items
    items = search_items(options)
    if path is not None:
        write_json(path, {"type": "FeatureCollection", "landweave:search": options.model_dump(mode="json", exclude_unset=True),
                          "features": items})  # fmt: skip
    return items


def search_items(options: CatalogueOptions) -> list[Item]:
    """Search a catalogue.

    Conditions are put to an API as far as it says that it knows them, and checked here on what comes.

    Returns:
        Items as STAC JSON with absolute addresses, in order of time and id; at most `max_items`.

    Raises:
        SourceError: If the catalogue does not answer, or is none.
        SceneError: If nothing is found; says which condition emptied the search.
        MissingExtraError: If an API is asked and pystac-client is not installed.
    """
    box = _bbox(options)
    found = list(islice(_matching(options, box), options.max_items))
    if not found:
        raise SceneError(_explain_empty(options, box))
    log.info("%s: %d items", options.address, len(found))
    return sorted(found, key=lambda i: (_span(i)[0] or "", str(i.get("id"))))


def _bbox(options: CatalogueOptions) -> tuple[float, float, float, float] | None:
    if options.aoi is None:
        return options.bbox
    west, south, east, north = (float(v) for v in read_vectors(options.aoi).to_crs("EPSG:4326").total_bounds)
    return west, south, east, north


def _matching(options: CatalogueOptions, box: tuple[float, ...] | None) -> Iterator[Item]:
    items = _ask(options, box) if options.is_api else iter(read_items(options.address))
    return (i for i in items if all(_holds(i, c, options, box) for c in _CONDITIONS))


# --- conditions ----------------------------------------------------------------------------------------------------------

_CONDITIONS = ("collections", "bbox", "dates", "max_cloud_cover_pct", "query")


def _holds(item: Item, condition: str, options: CatalogueOptions, box: tuple[float, ...] | None) -> bool:
    if condition == "collections":
        return not options.collections or item.get("collection") in options.collections
    if condition == "bbox":
        own = item.get("bbox")
        if box is None or not own:
            return True
        own = [own[0], own[1], own[3], own[4]] if len(own) == 6 else own
        return bool(own[0] <= box[2] and box[0] <= own[2] and own[1] <= box[3] and box[1] <= own[3])
    if condition == "dates":
        first, last = (str(v)[:10] for v in _span(item))
        return (options.start is None or last >= str(options.start)) and (options.end is None or first <= str(options.end))
    properties = item.get("properties", {})
    if condition == "max_cloud_cover_pct":
        cover = properties.get("eo:cloud_cover")
        return options.max_cloud_cover_pct is None or cover is None or cover <= options.max_cloud_cover_pct
    return all(_passes(properties.get(name), test) for name, test in _tests(options).items())


def _tests(options: CatalogueOptions) -> dict[str, dict[str, Any]]:
    return {name: test if isinstance(test, dict) else {"eq": test} for name, test in options.query.items()}


def _passes(value: Any, tests: Mapping[str, Any]) -> bool:
    checks: dict[str, Callable[[Any, Any], bool]] = {
        "eq": lambda v, t: v == t, "neq": lambda v, t: v != t, "lt": lambda v, t: v < t, "lte": lambda v, t: v <= t,
        "gt": lambda v, t: v > t, "gte": lambda v, t: v >= t, "in": lambda v, t: v in t,
        "startsWith": lambda v, t: str(v).startswith(t),
    }  # fmt: skip
    if value is None:
        return False
    try:
        return all(checks[op](value, wanted) for op, wanted in tests.items())
    except TypeError:
        return False


def _span(item: Item) -> tuple[str | None, str | None]:
    properties = item.get("properties", {})
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    moment = properties.get("datetime")
    return start or moment, end or moment


def _explain_empty(options: CatalogueOptions, box: tuple[float, ...] | None) -> str:
    """Say which condition leaves nothing: they are put one after the other, from the widest search on."""
    keys = {"bbox": (), "dates": ("start", "end"), "max_cloud_cover_pct": ("max_cloud_cover_pct",), "query": ("query",)}
    kept = options.model_dump(include={"preset", "url", "timeout_s", "retries", "collections"}) | {"page_size": 50}
    area: tuple[float, ...] | None = None
    before = _some(kept, area)
    what = f"collections {', '.join(options.collections)}" if options.collections else "it"
    if not before:
        return f"{options.address}: {what} holds no item; {_say_collections(options)}"
    for name, fields in keys.items():
        kept |= {f: getattr(options, f) for f in fields}
        area = box if name == "bbox" else area
        now = _some(kept, area)
        if not now:
            return f"{options.address}: no item is left by {_say(name, options, box)}; {_say_seen(name, before)}"
        before = now
    return f"{options.address}: no item fits all conditions at once; widen bbox, dates or max_cloud_cover_pct"


def _some(values: dict[str, Any], box: tuple[float, ...] | None) -> list[Item]:
    return list(islice(_matching(CatalogueOptions(**values), box), 50))


def _say(name: str, options: CatalogueOptions, box: tuple[float, ...] | None) -> str:
    if name == "bbox":
        return f"{'aoi' if options.aoi else 'bbox'} {tuple(round(v, 4) for v in box or ())}"
    if name == "dates":
        return f"dates {options.start or '..'} to {options.end or '..'}"
    return f"{name} {options.max_cloud_cover_pct if name == 'max_cloud_cover_pct' else options.query}"


def _say_seen(name: str, items: list[Item]) -> str:
    """Say what the items that the condition took away have instead; at most 50 of them are looked at."""
    some = f"of {len(items)} items without it" if len(items) < 50 else "of the first 50 items without it"
    if name == "bbox":
        boxes = [i["bbox"] for i in items if i.get("bbox")]
        union = [round(f(b[k] for b in boxes), 2) for k, f in ((0, min), (1, min), (-2, max), (-1, max))] if boxes else "none"
        return f"bboxes {some} span {union}; give a place within the catalogue's (west, south, east, north)"
    if name == "dates":
        days = sorted(str(_span(i)[0])[:10] for i in items)
        return f"dates {some} run from {days[0]} to {days[-1]}; widen start and end"
    if name == "max_cloud_cover_pct":
        covers = [c for i in items if (c := i["properties"].get("eo:cloud_cover")) is not None]
        return f"the lowest cover {some} is {min(covers):g} %; raise max_cloud_cover_pct"
    names = sorted({k for i in items for k in i["properties"]})
    return f"properties {some}: {', '.join(names[:20])}; correct the query"


def _say_collections(options: CatalogueOptions) -> str:
    if options.is_api:
        return f"known collections: {', '.join(sorted(_list_collections(options))[:40])}"
    names = sorted({str(i.get("collection")) for i in read_items(options.address)})
    return f"collections there: {', '.join(names) or 'none'}"


# --- API -----------------------------------------------------------------------------------------------------------------


def _open_client(options: CatalogueOptions) -> Any:
    try:
        import pystac_client
        from pystac_client.stac_api_io import StacApiIO
        from urllib3 import Retry
    except ImportError as err:
        raise MissingExtraError(
            f"catalogue {options.address} needs the 'stac' extra: pip install \"landweave[stac]\""
        ) from err
    # allowed_methods None: a search is a POST, and asking twice changes nothing
    retry = Retry(total=options.retries, backoff_factor=0.3, status_forcelist=_TEMPORARY, allowed_methods=None)
    io = StacApiIO(max_retries=retry, timeout=options.timeout_s)
    return pystac_client.Client.open(options.address, stac_io=io, timeout=options.timeout_s)


def _ask(options: CatalogueOptions, box: tuple[float, ...] | None) -> Iterator[Item]:
    """Give an API's items page by page."""
    def pages() -> Iterator[Item]:
        client = _open_client(options)
        search = client.search(
            collections=list(options.collections), bbox=box, datetime=_interval(options.start, options.end),
            query=_server_query(client, options), limit=options.page_size, max_items=None,
        )  # fmt: skip
        yield from search.items_as_dicts()

    return _guard(options, pages())


def _server_query(client: Any, options: CatalogueOptions) -> dict[str, Any] | None:
    """Give the conditions on properties, where the API knows the query extension; they are checked here in any case."""
    tests = _tests(options)
    if options.max_cloud_cover_pct is not None:
        tests = {**tests, "eo:cloud_cover": {"lte": options.max_cloud_cover_pct}}
    return tests if tests and client.conforms_to(_QUERY.upper()) else None


def _interval(start: date | None, end: date | None) -> str | None:
    if start is None and end is None:
        return None
    return f"{f'{start}T00:00:00Z' if start else '..'}/{f'{end}T23:59:59Z' if end else '..'}"


def _list_collections(options: CatalogueOptions) -> list[str]:
    return list(_guard(options, (c.id for c in _open_client(options).get_collections())))


def _guard(options: CatalogueOptions, items: Iterable[Any]) -> Iterator[Any]:
    """Turn whatever goes wrong on the way to an API into one clear error."""
    try:
        yield from items
    except MissingExtraError:
        raise
    except Exception as err:  # pystac_client lets errors of requests, urllib3, pystac and of JSON through
        raise SourceError(_explain_failure(options, err)) from err


def _explain_failure(options: CatalogueOptions, err: Exception) -> str:
    causes: list[BaseException] = [err]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    names, text = {type(c).__name__ for c in causes}, " ".join(str(c) for c in causes)
    tries = f"{options.retries + 1} attempts"
    if any("Timeout" in n for n in names) or "timed out" in text:
        return (f"catalogue {options.address} did not answer within {options.timeout_s:g} s ({tries}); try again later, or "
                "raise timeout_s")  # fmt: skip
    if names & {"ConnectionError", "NewConnectionError", "ConnectionRefusedError", "NameResolutionError", "ProxyError"}:
        return f"catalogue {options.address} cannot be reached ({tries}); look at the address and the network"
    return f"catalogue {options.address} failed: {str(err)[:300]}; look at the address and the search's conditions"
