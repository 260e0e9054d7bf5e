"""A small STAC API, signer and file server on localhost, with faults on request."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CONFORMANCE = [
    "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#query", "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
]  # fmt: skip


@dataclass
class Faults:
    """What goes wrong next, and what was asked."""

    search_errors: int = 0
    cut_at: int | None = None
    cuts: int = 0
    slow_s: float = 0.0
    slow_file_s: float = 0.0
    signature_life_s: float = 3600.0
    no_query: bool = False
    hits: Counter[str] = field(default_factory=Counter)
    searches: list[dict[str, Any]] = field(default_factory=list)


class State:
    """What the handler works on: `items.json` and the files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.faults, self.url = folder, Faults(), ""

    @property
    def items(self) -> list[dict[str, Any]]:
        path = self.folder / "items.json"
        return json.loads(path.read_text()) if path.exists() else []


class RemoteFaults:
    """The server's `Faults`, read and set from the test's process."""

    def __init__(self, url: str) -> None:
        object.__setattr__(self, "_url", url + "/control")

    def __getattr__(self, name: str) -> Any:
        with urllib.request.urlopen(self._url) as answer:
            value = json.load(answer)[name]
        return Counter(value) if name == "hits" else value

    def __setattr__(self, name: str, value: Any) -> None:
        body = json.dumps({name: value}).encode()
        urllib.request.urlopen(urllib.request.Request(self._url, data=body, method="POST")).close()


class StacServer:
    """Runs the server in a process of its own: GDAL holds the interpreter while it opens a file, and would wait for itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        self.faults = RemoteFaults(self.url)

    def add(self, item: dict[str, Any]) -> None:
        path = self.folder / "items.json"
        path.write_text(json.dumps([*(json.loads(path.read_text()) if path.exists() else []), item]))

    def reset(self, folder: Path) -> None:
        """Serve another folder, without faults."""
        self.folder = folder
        self.faults.folder = str(folder)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()


def serve(folder: Path) -> None:
    class Handler(_Handler):
        server_state = State(folder)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.handle_error = lambda *_: None  # GDAL leaves as soon as it has what it needs
        Handler.server_state.url = f"http://127.0.0.1:{http.server_address[1]}"
        print(http.server_address[1], flush=True)
        http.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    server_state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(json.loads(self.rfile.read(length) or b"{}"))

    def _answer(self, body: dict[str, Any]) -> None:
        state, parts = self.server_state, urlsplit(self.path)
        if parts.path == "/control":
            if "folder" in body:
                state.folder, state.faults = Path(body.pop("folder")), Faults()
            for name, value in body.items():
                setattr(state.faults, name, value)
            self._json(vars(state.faults))
            return
        state.faults.hits[parts.path] += 1
        try:
            if parts.path.startswith("/files/"):
                self._file(parts.path.removeprefix("/files/"), parse_qs(parts.query))
            elif parts.path == "/sign":
                self._sign(unquote(parse_qs(parts.query)["href"][0]))
            else:
                self._api(parts.path.rstrip("/"), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _json(self, value: Any, code: int = 200) -> None:
        text = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _api(self, path: str, body: dict[str, Any]) -> None:
        state = self.server_state
        time.sleep(state.faults.slow_s)
        names = sorted({i["collection"] for i in state.items})
        if path == "":
            links = [("self", ""), ("root", ""), ("data", "/collections"), ("search", "/search")]
            found = [{"rel": r, "href": state.url + p, "type": "application/json"} for r, p in links]
            found.append({"rel": "search", "href": state.url + "/search", "type": "application/geo+json", "method": "POST"})
            conforms = [c for c in CONFORMANCE if not (state.faults.no_query and c.endswith("#query"))]
            self._json({"type": "Catalog", "id": "local", "stac_version": "1.0.0", "description": "local", "links": found,
                        "conformsTo": conforms})  # fmt: skip
        elif path == "/collections":
            self._json({"collections": [self._collection(n) for n in names], "links": []})
        elif path == "/search":
            self._search(body)
        else:
            self._json({"code": "NotFound"}, 404)

    def _collection(self, name: str) -> dict[str, Any]:
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
        return {"type": "Collection", "id": name, "stac_version": "1.0.0", "description": name, "license": "other", "links": [],
                "extent": extent}  # fmt: skip

    def _search(self, body: dict[str, Any]) -> None:
        state = self.server_state
        if state.faults.search_errors:
            state.faults.search_errors -= 1
            self._json({"code": "Error"}, 500)
            return
        state.faults.searches.append(body)
        found = [i for i in state.items if _fits(i, body)]
        start, limit = int(body.get("token", 0)), int(body.get("limit", 10))
        page, links = found[start : start + limit], []
        if start + limit < len(found):
            links = [{"rel": "next", "href": state.url + "/search", "method": "POST", "merge": True,
                      "body": {"token": str(start + limit)}}]  # fmt: skip
        self._json({"type": "FeatureCollection", "features": page, "links": links})

    def _sign(self, href: str) -> None:
        end = datetime.now(UTC) + timedelta(seconds=self.server_state.faults.signature_life_s)
        self._json({"msft:expiry": end.isoformat().replace("+00:00", "Z"), "href": f"{href}?sig={end.timestamp()}"})

    def _file(self, name: str, query: dict[str, list[str]]) -> None:
        state = self.server_state
        time.sleep(state.faults.slow_file_s)
        if name.startswith("signed/") and not _is_valid(query.get("sig", ["0"])[0]):
            self._json({"code": "AuthenticationFailed"}, 403)
            return
        path = state.folder / name.removeprefix("signed/")
        if not path.is_file():
            self._json({"code": "NotFound"}, 404)
            return
        data, first, code = path.read_bytes(), 0, 200
        total, asked = len(data), self.headers.get("Range", "")
        if asked.startswith("bytes="):
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last, code = int(begin), min(int(end) if end else total - 1, total - 1), 206
            if first >= total:
                self._json({"code": "InvalidRange"}, 416)
                return
            data = data[first : last + 1]
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Accept-Ranges", "bytes")
        if code == 206:
            self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{total}")
        self.end_headers()
        if state.faults.cuts and state.faults.cut_at is not None:
            state.faults.cuts -= 1
            self.wfile.write(data[: state.faults.cut_at])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return
        if self.command != "HEAD":
            self.wfile.write(data)


def _is_valid(signature: str) -> bool:
    try:
        return float(signature) > time.time()
    except ValueError:  # something appended to an address that is signed
        return False


def _fits(item: dict[str, Any], body: dict[str, Any]) -> bool:
    if body.get("collections") and item["collection"] not in body["collections"]:
        return False
    if body.get("bbox"):
        w, s, e, n = body["bbox"]
        a = item["bbox"]
        if a[0] > e or w > a[2] or a[1] > n or s > a[3]:
            return False
    if body.get("datetime"):
        first, _, last = body["datetime"].partition("/")
        moment = item["properties"]["datetime"]
        if (first not in ("", "..") and moment < first) or (last not in ("", "..") and moment > last):
            return False
    for name, test in (body.get("query") or {}).items():
        value = item["properties"].get(name)
        if value is None or ("lte" in test and value > test["lte"]) or ("eq" in test and value != test["eq"]):
            return False
    return True


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
