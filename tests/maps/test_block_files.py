"""Blocks in an object store: the same map through an S3 API on localhost, resumed there, refused clearly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse
from xml.etree import ElementTree as ET

import pytest

from landweave.cube import open_cube
from landweave.errors import MapError
from landweave.maps import MapOptions, predict_map
from landweave.maps.block_files import LocalFiles, RemoteFiles
from landweave.models import load_model

pytest.importorskip("obstore")
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class _Bucket(BaseHTTPRequestHandler):
    """Objects of one bucket in memory: put, get, head, list, delete, as an S3 client speaks of them."""

    objects: dict[str, bytes]
    read_only = False
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for key, value in {"ETag": '"x"', "Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT", **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", headers.get("Content_Length", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @property
    def _key(self) -> str:
        return unquote(urlparse(self.path).path).removeprefix("/bucket/")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.read_only:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        self.objects[self._key] = body
        self._answer(200)

    def do_GET(self) -> None:
        query = parse_qs(urlparse(self.path).query)
        if "list-type" in query:
            found = [k for k in sorted(self.objects) if k.startswith(query.get("prefix", [""])[0])]
            rows = "".join(f"<Contents><Key>{k}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>x</ETag>"
                           f"<Size>{len(self.objects[k])}</Size></Contents>" for k in found)  # fmt: skip
            self._answer(200, f"<ListBucketResult><Name>bucket</Name><KeyCount>{len(found)}</KeyCount><IsTruncated>false"
                              f"</IsTruncated>{rows}</ListBucketResult>".encode())  # fmt: skip
        elif self._key in self.objects:
            self._answer(200, self.objects[self._key])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = ET.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        keys = [k.text or "" for k in body.iter() if k.tag.endswith("Key")]
        for key in keys:
            self.objects.pop(key, None)
        self._answer(200, ("<DeleteResult>" + "".join(f"<Deleted><Key>{k}</Key></Deleted>" for k in keys)
                           + "</DeleteResult>").encode())  # fmt: skip

    def do_DELETE(self) -> None:
        self.objects.pop(self._key, None)
        self._answer(204)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Bucket]]:
    """A bucket named `bucket` on localhost; gives its handler, whose `objects` it holds."""
    handler = type("Bucket", (_Bucket,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for key, value in {"ALLOW_HTTP": "true", "SKIP_SIGNATURE": "true", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def url(bucket: Any, request: pytest.FixtureRequest) -> str:
    """An address in the bucket, of this test alone, as connections are kept."""
    return f"s3://bucket/{request.node.name}"


def test_map_through_a_bucket_is_the_undisturbed_one(model, cubes, bucket, url, tmp_path, read_products, undisturbed):
    predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=64, block_store=url), workers=2)
    assert read_products(tmp_path / "out") == undisturbed
    assert bucket.objects == {}


@pytest.mark.slow
def test_processes_share_blocks_through_a_bucket_alone(done, bucket, url, tmp_path):
    model, cubes = load_model(done.folder / "out" / "model"), open_cube(done.folder / "out" / "cube.zarr")
    for name, how in (("plain", {}), ("bucket", {"workers": 2, "executor": "processes"})):
        options = MapOptions(block_px=16, block_store=url if how else None)
        predict_map(model, cubes, tmp_path / name, options=options, **how)
    for product in ("map.tif", "proba.tif"):
        assert (tmp_path / "bucket" / product).read_bytes() == (tmp_path / "plain" / product).read_bytes()


def test_blocks_in_a_bucket_are_not_computed_again(mapping, cubes, bucket, url, tmp_path, read_products, undisturbed):
    options = MapOptions(block_px=64, block_store=url)
    with pytest.raises(RuntimeError, match="crash of the test"):
        predict_map(mapping.FakeModel(cubes, fail_at=6), cubes, tmp_path / "out", options=options)
    done = sum("/done/" in key for key in bucket.objects)
    model = mapping.FakeModel(cubes)
    predict_map(model, cubes, tmp_path / "out", options=options)
    assert done >= 4
    assert model.calls <= 12 - done
    assert read_products(tmp_path / "out") == undisturbed


def test_bucket_that_refuses_writes_is_named_before_anything_is_computed(mapping, cubes, bucket, url, tmp_path):
    bucket.read_only = True
    model = mapping.FakeModel(cubes)
    with pytest.raises(MapError, match=r"s3://bucket/.*/probe cannot be written .* credentials"):
        predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_store=url))
    assert model.calls == 0


def test_address_of_no_store_is_an_error(tmp_path):
    with pytest.raises(MapError, match="no object store that can be reached"):
        RemoteFiles("nowhere://x").write("a", b"")


@pytest.mark.parametrize("make", [LocalFiles, lambda folder: RemoteFiles(folder.as_uri())], ids=["folder", "store"])
def test_files_of_every_kind_behave_alike(make: Any, tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    files = make(tmp_path)
    files.write("blocks/a", b"one")
    files.write("blocks/a", b"two")
    assert files.read("blocks/a") == b"two"
    assert files.exists("blocks/a")
    files.remove("blocks/a")
    files.remove("blocks/a")
    assert not files.exists("blocks/a")
    with pytest.raises(FileNotFoundError, match="blocks/a"):
        files.read("blocks/a")
    files.clear()


def test_store_without_a_scheme_is_refused():
    with pytest.raises(ValueError, match="give an address such as s3://bucket/prefix"):
        MapOptions(block_store="/tmp/blocks")
