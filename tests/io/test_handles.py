from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landweave.errors import SourceError
from landweave.io import handles
from landweave.io.handles import RasterHandle, close_rasters, read_with

Make = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(value: int, name: str = "a.tif") -> str:
        at = tmp_path / name
        with rasterio.open(tmp_path / "new.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8",
                           crs="EPSG:32633", transform=Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
            dst.write(np.full((1, 4, 4), value, np.uint8))
        (tmp_path / "new.tif").replace(at)
        return str(at)

    return write


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths in the order in which they are opened from now on."""
    close_rasters()
    paths: list[str] = []
    before = handles._open_gdal
    monkeypatch.setattr(handles, "_open_gdal", lambda path: paths.append(path) or before(path))
    return paths


def first(handle: RasterHandle) -> int:
    return int(handle.src.read(1)[0, 0])


def test_a_file_is_opened_once(make: Make, opened: list[str]) -> None:
    path = make(7)
    assert [read_with(path, first) for _ in range(3)] == [7, 7, 7]
    assert opened == [path]


def test_a_file_that_changed_is_opened_anew(make: Make, opened: list[str]) -> None:
    path = make(7)
    assert (read_with(path, first), read_with(make(8), first)) == (7, 8)
    assert opened == [path, path]


def test_a_handle_is_lent_to_one_thread_at_a_time(make: Make, opened: list[str]) -> None:
    path, both = make(7), threading.Barrier(2, timeout=30)

    def read(handle: RasterHandle) -> None:
        both.wait()
        found.append(handle)

    found: list[RasterHandle] = []
    threads = [threading.Thread(target=read_with, args=(path, read)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is not found[1]
    assert read_with(path, first) == 7
    assert len(opened) == 2


def test_no_more_handles_are_kept_than_allowed(make: Make, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "_limit", lambda: 2)
    lent: list[RasterHandle] = []
    for k in range(5):
        read_with(make(k, f"{k}.tif"), lent.append)
    assert sum(not h.src.closed for h in lent) == 2
    close_rasters()
    assert all(h.src.closed for h in lent)


def test_a_handle_that_failed_is_not_kept(make: Make) -> None:
    lent: list[RasterHandle] = []

    def fail(handle: RasterHandle) -> None:
        lent.append(handle)
        raise rasterio.errors.RasterioIOError("no more")

    with pytest.raises(SourceError, match=r"cannot read .*a\.tif \(truncated or corrupt\?\): no more"):
        read_with(make(7), fail)
    assert lent[0].src.closed
