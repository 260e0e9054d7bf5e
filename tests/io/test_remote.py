"""Remote files: hints in addresses, signatures kept out of messages, downloads that are whole."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from landweave.errors import SourceError
from landweave.io.files import sha256_file
from landweave.io.rasters import read_info
from landweave.io.remote import add_hints, fetch_file, gdal_path, hide_signature, is_signed, plain_url, renew_signature


class Plain(SimpleHTTPRequestHandler):
    """A server that knows no ranges."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    (folder / "a.bin").write_bytes(bytes(range(256)) * 400)
    (folder / "bad.json").write_text('{"error": 1}')
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Plain, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_hints_ride_in_the_fragment():
    path = add_hints("https://a.b/c.tif?x=1", sign="https://s/sign?href=", timeout_s=5, retries=1)
    assert plain_url(path) == "https://a.b/c.tif?x=1"
    assert is_signed(path)
    assert renew_signature(path)
    assert add_hints("https://a.b/c.tif") == "https://a.b/c.tif"
    assert add_hints("/data/c.tif", retries=1) == "/data/c.tif"


def test_gdal_is_told_how_long_to_wait_and_how_often_to_try():
    path = gdal_path(add_hints("https://a.b/c d.tif", timeout_s=7, retries=2))
    assert path.startswith("/vsicurl?max_retry=2&")
    assert "connecttimeout=7&" in path
    assert path.endswith("&url=https%3A%2F%2Fa.b%2Fc%20d.tif")
    assert gdal_path("/data/c.tif") == "/data/c.tif"


def test_messages_show_no_signature():
    assert hide_signature("cannot read https://a.b/c.tif?sig=SECRET: 403") == "cannot read https://a.b/c.tif 403"
    assert "SECRET" not in hide_signature("`/vsicurl?x=1&url=https%3A%2F%2Fa.b%3Fsig%3DSECRET' not recognized")


def test_a_file_is_fetched_once_and_described(served, tmp_path):
    folder, url = served
    kept = fetch_file(f"{url}/a.bin", tmp_path, checksum=sha256_file(folder / "a.bin"))
    assert kept.read_bytes() == (folder / "a.bin").read_bytes()
    assert json.loads(kept.with_name(kept.name + ".json").read_text())["size"] == 102_400
    before = kept.stat().st_mtime_ns
    assert fetch_file(f"{url}/a.bin", tmp_path).stat().st_mtime_ns == before


def test_a_part_is_begun_anew_where_the_server_knows_no_ranges(served, tmp_path):
    folder, url = served
    kept = fetch_file(f"{url}/a.bin", tmp_path)
    kept.rename(Path(f"{kept}.part")).write_bytes(b"half")
    assert fetch_file(f"{url}/a.bin", tmp_path).read_bytes() == (folder / "a.bin").read_bytes()


def test_another_checksum_than_stated_is_refused(served, tmp_path):
    with pytest.raises(SourceError, match=r"came with sha256 \w{12}\.\.\., its catalogue states 000000000000\.\.\."):
        fetch_file(f"{served[1]}/a.bin", tmp_path, checksum="0" * 64)
    assert not list(tmp_path.iterdir())


def test_an_absent_file_is_named_with_the_reason(served, tmp_path):
    with pytest.raises(SourceError, match=r"cannot read http://.*/no\.bin: HTTP 404 .* \(1 attempts\)"):
        fetch_file(f"{served[1]}/no.bin", tmp_path)


def test_a_signer_that_does_not_sign_is_named(served):
    path = add_hints("https://a.b/c.tif", sign=f"{served[1]}/bad.json?href=", retries=0)
    with pytest.raises(SourceError, match=r"did not sign https://a\.b/c\.tif: expected JSON with `href`"):
        read_info(path)
