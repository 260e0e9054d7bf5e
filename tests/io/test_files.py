from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from landweave.errors import DiskFullError, OutputLockedError, SourceError
from landweave.io.files import atomic_path, check_disk, lock_folder, read_json, sha256_file, sha256_json, write_json


def test_atomic_path_shows_the_final_name_only_when_whole(tmp_path):
    with atomic_path(tmp_path / "a.txt") as part:
        part.write_text("x")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_path_leaves_nothing_behind_and_keeps_the_old_file_on_failure(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def write_half():
        with atomic_path(tmp_path / "a.txt") as part:
            part.write_text("half")
            raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        write_half()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_full_disk_while_writing_is_named_and_removed(tmp_path):
    def fill():
        with atomic_path(tmp_path / "a.bin") as part:
            part.write_bytes(b"1" * 2**20)
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFullError, match=r"disk is full: .*a\.bin failed after 1\.0 MiB"):
        fill()
    assert not list(tmp_path.iterdir())


def test_check_disk_says_how_much_is_needed_even_for_a_folder_to_be(tmp_path):
    with pytest.raises(DiskFullError, match=r"needs 1099511627776 MiB but its disk has only"):
        check_disk(tmp_path / "not" / "yet", 2**60)


def test_lock_is_refused_to_another_process_and_nests_within_one(tmp_path):
    code = f"from landweave.io.files import lock_folder\nwith lock_folder({str(tmp_path)!r}): pass"
    with lock_folder(tmp_path), lock_folder(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another landweave process is writing to" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lock_is_refused_to_an_unrelated_thread(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def take():
        with lock_folder(tmp_path):
            pass

    with lock_folder(tmp_path), ThreadPoolExecutor(1) as pool, pytest.raises(OutputLockedError, match="choose another --out"):
        pool.submit(take).result()


def test_json_round_trip_and_its_errors(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1})
    assert read_json(tmp_path / "a.json") == {"b": 1}
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(SourceError, match=r"bad\.json is not JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(SourceError, match=r"none\.json does not exist"):
        sha256_file(tmp_path / "none.json")


def test_checksum_of_json_ignores_the_order_of_keys():
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})
