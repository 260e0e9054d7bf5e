"""Files behind http(s): how GDAL opens them, signatures that expire, downloads that go on where they were cut.

Receives addresses; hands on GDAL paths and local files. What an address needs beyond itself rides in its fragment, which no
server sees: `https://host/a.tif#sign=<endpoint>&timeout_s=20`, so that a plan can be pickled and read hours later.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from landweave.errors import SourceError
from landweave.io.files import is_disk_full, sha256_file, write_json

__all__ = ["add_hints", "fetch_file", "gdal_path", "hide_signature", "is_remote", "is_signed", "plain_url", "renew_signature"]

log = logging.getLogger(__name__)
TIMEOUT_S = 30.0
RETRIES = 4
_BACKOFF_S = 0.5
"""Wait before the first retry; doubled for each further one."""
_SIGNATURE = re.compile(r"\?[^\s'\"#]*")
_CHUNK = 1 << 20
_lock = threading.Lock()
_signed: dict[tuple[str, str], tuple[str, float]] = {}
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class _Hints:
    url: str
    sign: str | None
    timeout_s: float
    retries: int


def is_remote(path: str) -> bool:
    """Tell whether a path is an http(s) address."""
    return path.startswith(("http://", "https://"))


def add_hints(url: str, *, sign: str | None = None, timeout_s: float = TIMEOUT_S, retries: int = RETRIES) -> str:
    """Put into an address how it is to be fetched.

    Args:
        url: The address, unsigned.
        sign: Endpoint that signs it: the quoted address is appended, and JSON with `href` and `msft:expiry` comes back
            (Planetary Computer, SAS API v1).
        timeout_s: How long a connection, or a transfer that has stalled, is waited for.
        retries: How often a temporary failure is tried again.
    """
    more: dict[str, Any] = {} if sign is None else {"sign": sign}
    more |= {} if timeout_s == TIMEOUT_S else {"timeout_s": f"{timeout_s:g}"}
    more |= {} if retries == RETRIES else {"retries": retries}
    return f"{url}#{urlencode(more)}" if more and is_remote(url) else url


def _split(path: str) -> _Hints:
    url, _, fragment = path.partition("#")
    found = {k: v[0] for k, v in parse_qs(fragment).items()}
    return _Hints(url, found.get("sign"), float(found.get("timeout_s", TIMEOUT_S)), int(found.get("retries", RETRIES)))


def plain_url(path: str) -> str:
    """Give the address without its hints: what identifies the file."""
    return path.partition("#")[0]


def is_signed(path: str) -> bool:
    """Tell whether an address has to be signed before it is opened."""
    return is_remote(path) and _split(path).sign is not None


def hide_signature(text: str) -> str:
    """Remove the query of every address from a message: it may hold a signature."""
    return re.sub(r"https?://\S+|/vsicurl\S+", lambda m: _SIGNATURE.sub("", m[0]), text)


def gdal_path(path: str) -> str:
    """Give the path under which GDAL opens a remote file: signed where need be, with time-outs and retries.

    Raises:
        SourceError: If the signing endpoint does not answer.
    """
    if not is_remote(path):
        return path
    hints = _split(path)
    options = {
        "max_retry": hints.retries, "retry_delay": _BACKOFF_S, "connecttimeout": f"{hints.timeout_s:g}",
        "low_speed_time": f"{max(hints.timeout_s, 1):.0f}", "low_speed_limit": 1, "use_head": "no",
        "list_dir": "no", "empty_dir": "yes",  # no side files (.aux.xml, .msk) are asked for
    }  # fmt: skip
    return f"/vsicurl?{urlencode(options)}&url={quote(_sign(hints), safe='')}"


def renew_signature(path: str) -> bool:
    """Forget the signature of an address, so that it is signed anew; False where it has none."""
    hints = _split(path)
    if not is_remote(path) or hints.sign is None:
        return False
    with _lock:
        _signed.pop((hints.url, hints.sign), None)
    return True


def _sign(hints: _Hints) -> str:
    if hints.sign is None:
        return hints.url
    key = (hints.url, hints.sign)
    with _lock:
        known = _signed.get(key)
    if known is not None and time.time() < known[1]:
        return known[0]
    with open_url(hints.sign + quote(hints.url, safe=""), timeout_s=hints.timeout_s, retries=hints.retries) as answer:
        text = answer.read().decode("utf-8", errors="replace")
    try:
        found = json.loads(text)
        href, expiry = str(found["href"]), _expiry(found)
    except (ValueError, KeyError, TypeError) as err:
        raise SourceError(f"{hints.sign} did not sign {hints.url}: expected JSON with `href` and `msft:expiry`, got "
                          f"{hide_signature(text[:80])!r}; look at the catalogue's `sign`") from err  # fmt: skip
    with _lock:
        _signed[key] = (href, expiry)
    return href


def _expiry(answer: dict[str, Any]) -> float:
    """Moment from which on to sign anew: a minute, or half of a short life, before the signature ends."""
    end = datetime.fromisoformat(str(answer["msft:expiry"]).replace("Z", "+00:00"))
    left = (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() - time.time()
    return time.time() + max(left - 60, left / 2)


def open_url(url: str, *, timeout_s: float, retries: int, headers: dict[str, str] | None = None) -> Any:
    """Open an address; temporary failures are tried again, waiting twice as long each time.

    Raises:
        SourceError: If it cannot be had; says why, and after how many attempts.
    """
    wait = _BACKOFF_S
    for attempt in range(retries + 1):
        try:
            return urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=timeout_s)
        except urllib.error.HTTPError as err:
            reason, is_temporary = f"HTTP {err.code} {err.reason}", err.code in _TEMPORARY
            asked = err.headers.get("Retry-After", "")
            wait = max(wait, float(asked)) if asked.isdigit() and float(asked) <= timeout_s else wait
            code = err.code
            err.close()
        except TimeoutError:
            reason, is_temporary, code = f"no answer within {timeout_s:g} s", True, None
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as err:
            inner = getattr(err, "reason", err)
            reason = f"no answer within {timeout_s:g} s" if isinstance(inner, TimeoutError) else str(inner)
            is_temporary, code = True, None
        if not is_temporary or attempt == retries:
            break
        time.sleep(wait)
        wait *= 2
    failure = SourceError(f"cannot read {hide_signature(url)}: {reason} ({attempt + 1} attempts); look at the address and the "
                          "network, or raise timeout_s")  # fmt: skip
    failure.http_code = code  # type: ignore[attr-defined]
    raise failure


# --- downloads -----------------------------------------------------------------------------------------------------------


def fetch_file(path: str, folder: Path | str, *, checksum: str | None = None) -> Path:
    """Download a remote file once; a download that was cut goes on where it stopped, and a finished one is checked and kept.

    Beside the file lies `<name>.json` with its address, size and sha256; a file that no longer fits them is fetched again.

    Args:
        path: Address, with hints or without.
        folder: Where files are kept; the name starts with a hash of the address.
        checksum: sha256 as hex where the catalogue states it (`file:checksum`).

    Returns:
        The local file.

    Raises:
        SourceError: If the download stays incomplete, or its checksum is another one than stated.
    """
    url = plain_url(path)
    name = Path(urlsplit(url).path).name or "file"
    final = Path(folder) / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    note = final.with_name(final.name + ".json")
    if _is_kept(final, note, checksum):
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(final.name + ".part")
    try:
        size = _fetch(path, part)
    except OSError as err:
        if is_disk_full(err):
            raise SourceError(f"{final.parent} is full: {url} cannot be kept; free space or choose another cache") from err
        raise
    digest = sha256_file(part)
    if checksum is not None and digest != checksum:
        part.unlink()
        raise SourceError(f"{url} came with sha256 {digest[:12]}..., its catalogue states {checksum[:12]}...; the file was "
                          "removed, run again to fetch it anew")  # fmt: skip
    part.replace(final)
    write_json(note, {"url": url, "size": size, "sha256": digest})
    return final


def _is_kept(final: Path, note: Path, checksum: str | None) -> bool:
    if not (final.is_file() and note.is_file()):
        return False
    told = json.loads(note.read_text(encoding="utf-8"))
    if final.stat().st_size != told["size"] or (checksum is not None and checksum != told["sha256"]):
        return False
    same = bool(sha256_file(final) == told["sha256"])
    if not same:
        log.warning("%s has changed since it was fetched; it is fetched again", final)
    return same


def _fetch(path: str, part: Path) -> int:
    """Fetch into `part`, going on from what is there; give the size."""
    hints, wait, renewed = _split(path), _BACKOFF_S, False
    for attempt in range(hints.retries + 1):
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            with open_url(_sign(hints), timeout_s=hints.timeout_s, retries=hints.retries, headers=headers) as answer:
                total = _total(answer, have)
                _append(answer, part, "ab" if have and answer.status == 206 else "wb")
        except SourceError as err:
            code = getattr(err, "http_code", None)
            if code == 416:  # what is there does not fit the file any more
                part.unlink()
                continue
            if code in (401, 403) and renew_signature(path) and not renewed:
                renewed = True
                continue
            raise
        have = part.stat().st_size
        if total is None or have == total:
            return have
        log.warning("%s was cut at %d of %s bytes; going on from there", hints.url, have, total)
        if have > total:
            part.unlink()
        if attempt < hints.retries:
            time.sleep(wait)
            wait *= 2
    raise SourceError(f"{hints.url} was cut at {have} of {total} bytes in {hints.retries + 1} attempts; the part is kept in "
                      f"{part}, run again to go on")  # fmt: skip


def _total(answer: Any, have: int) -> int | None:
    if answer.status == 206:
        whole = str(answer.headers.get("Content-Range", "")).rpartition("/")[2]
        if whole.isdigit():
            return int(whole)
    length = answer.headers.get("Content-Length")
    return None if length is None else int(length) + (have if answer.status == 206 else 0)


def _append(answer: Any, part: Path, mode: str) -> None:
    with part.open(mode) as file:
        while True:
            try:
                chunk = answer.read(_CHUNK)
            except http.client.IncompleteRead as err:
                file.write(err.partial)
                return
            except (TimeoutError, ConnectionError):
                return  # what has come is kept, and the caller goes on from there
            if not chunk:
                return
            file.write(chunk)
