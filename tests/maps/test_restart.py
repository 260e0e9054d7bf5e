"""Whatever kills a run, running again finishes it: the done blocks are kept, and the bytes are those of an undisturbed run."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landweave.errors import BlocksFailedError, DiskFullError, OutputExistsError, OutputLockedError
from landweave.io.lineage import read_lineage
from landweave.io.rasters import close_rasters
from landweave.maps import MapOptions, predict_map
from landweave.maps.store import BlockStore

BLOCKS = MapOptions(block_px=48)  # 5 x 4 blocks, one of them without any observation


def final_files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


@pytest.fixture
def crashed(mapping, cubes, tmp_path):
    """An output folder whose run crashed in its ninth prediction."""
    with pytest.raises(RuntimeError, match="crash of the test"):
        predict_map(mapping.FakeModel(cubes, fail_at=9), cubes, tmp_path / "out", options=BLOCKS)
    return tmp_path / "out"


def test_a_crashed_run_leaves_no_product_and_goes_on_where_it_stopped(crashed, model, cubes, undisturbed, read_products):
    assert final_files(crashed) == []
    n_done = len(list(crashed.glob(".work/*/done/*.json")))
    model.calls = 0
    predict_map(model, cubes, crashed, options=BLOCKS)
    assert n_done >= 8
    assert model.calls == 20 - n_done
    assert read_products(crashed) == undisturbed
    assert not (crashed / ".work").exists()


def test_ctrl_c_leaves_no_product_and_goes_on_where_it_stopped(model, cubes, tmp_path, undisturbed, read_products):
    def interrupt(event):
        if event.done == 6:
            raise KeyboardInterrupt("by the test")

    with pytest.raises(KeyboardInterrupt, match="by the test"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS, workers=2, progress=interrupt)
    assert final_files(tmp_path / "out") == []
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert read_products(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("where", ["write_cog", "write_qml", "write_item"])
def test_ctrl_c_while_products_are_written_leaves_none(where, model, cubes, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt("by the test")

    with monkeypatch.context() as patched:
        patched.setattr(f"landweave.maps.products.{where}", interrupt)
        with pytest.raises(KeyboardInterrupt, match="by the test"):
            predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert final_files(tmp_path / "out") == []


def test_a_damaged_block_is_found_by_its_checksum_and_redone(crashed, model, cubes, undisturbed, read_products):
    n_done = len(list(crashed.glob(".work/*/done/*.json")))
    damaged = sorted(crashed.glob(".work/*/blocks/*.proba"))[2]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(bytes(data))
    model.calls = 0
    predict_map(model, cubes, crashed, options=BLOCKS)
    assert model.calls == 20 - n_done + 1
    assert read_products(crashed) == undisturbed


def test_a_damaged_record_and_a_lost_block_are_redone(crashed, model, cubes, undisturbed, read_products):
    sorted(crashed.glob(".work/*/done/*.json"))[3].write_text("{")
    sorted(crashed.glob(".work/*/blocks/*.map"))[0].unlink()
    predict_map(model, cubes, crashed, options=BLOCKS)
    assert read_products(crashed) == undisturbed


def test_another_block_size_starts_a_new_store_with_the_same_result(crashed, model, cubes, undisturbed, read_products):
    predict_map(model, cubes, crashed, options=MapOptions(block_px=64))
    assert read_products(crashed) == undisturbed


def test_a_finished_map_is_left_alone(model, cubes, tmp_path):
    first = predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    before, model.calls = first.files["map"].stat().st_mtime_ns, 0
    again = predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=64), workers=2)
    assert model.calls == 0
    assert first.files["map"].stat().st_mtime_ns == before
    assert (again.checksum, again.count_px, again.area_ha) == (first.checksum, first.count_px, first.area_ha)
    assert dict(again.files) == dict(first.files)


def test_another_run_on_the_folder_is_refused_and_named_unless_overwritten(model, cubes, tmp_path):
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    other = MapOptions(proba=False, block_px=48)
    with pytest.raises(OutputExistsError, match=r"differs in options\.proba: True -> False\. Choose .* or --overwrite"):
        predict_map(model, cubes, tmp_path / "out", options=other)
    predict_map(model, cubes, tmp_path / "out", options=other, overwrite=True)
    assert "proba.tif" not in final_files(tmp_path / "out")


def test_an_unfinished_map_of_another_model_is_refused(crashed, mapping, cubes):
    model = mapping.FakeModel(cubes)
    model._card = model.card.model_copy(update={"params": {"depth": 4}})
    with pytest.raises(OutputExistsError, match=r"unfinished map of another run; it differs in model: \w+"):
        predict_map(model, cubes, crashed, options=BLOCKS)


def test_a_changed_input_is_another_run_and_named(model, cubes, scenes, tmp_path):
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    os.utime(scenes[1].assets[0].path, ns=(1, 1))
    with pytest.raises(OutputExistsError, match=r"differs in inputs\..*scene1\.tif"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)


def test_a_map_of_unknown_origin_is_not_overwritten_by_itself(model, cubes, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "map.tif").write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match=r"no lineage\.json that says where it comes from"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)


def test_a_map_that_was_changed_is_not_called_finished(model, cubes, tmp_path):
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    with (tmp_path / "out" / "proba.tif").open("ab") as file:
        file.write(b"x")
    with pytest.raises(OutputExistsError, match=r"proba\.tif is changed since it was written"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)


# --- corrupt sources -----------------------------------------------------------------------------------------------------


@pytest.fixture
def corrupt(scenes, cubes):
    """Damage one tile of the second scene once its cube is loaded; gives a function that repairs it."""
    path = Path(scenes[1].assets[0].path)
    sound, stat = path.read_bytes(), path.stat()
    data = bytearray(sound)
    data[len(data) // 2 : len(data) // 2 + 400] = b"\xff" * 400
    path.write_bytes(bytes(data))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    close_rasters()  # an open file whose time of change stays would be read from GDAL's cache

    def repair(*, changed: bool):
        path.write_bytes(sound)
        close_rasters()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + changed * 10**9))

    return repair


@pytest.mark.parametrize("changed", [True, False])
def test_a_corrupt_source_fails_its_blocks_only_and_is_tried_again_once_repaired(
    changed, corrupt, model, cubes, tmp_path, mapping, read_products
):
    with pytest.raises(BlocksFailedError, match=r"of 20 blocks failed: .*scene1\.tif.* Repair the files") as caught:
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    n_done = len(list((tmp_path / "out").glob(".work/*/done/*.json")))
    assert caught.value.exit_code == 3
    assert final_files(tmp_path / "out") == []
    assert 0 < n_done < 20
    corrupt(changed=changed)
    model.calls = 0
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert model.calls == (19 if changed else 20 - n_done)  # a changed file may have changed anywhere
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "sound", options=BLOCKS)
    assert read_products(tmp_path / "out") == read_products(tmp_path / "sound")


def test_missing_blocks_are_nodata_when_allowed_and_filled_once_repaired(corrupt, model, cubes, tmp_path):
    options = MapOptions(block_px=48, allow_missing=True)
    product = predict_map(model, cubes, tmp_path / "out", options=options)
    missing = read_lineage(product.folder).find_stage("map").results["missing_blocks"]
    assert missing
    assert all("scene1.tif" in m["reason"] for m in missing)
    corrupt(changed=True)
    filled = predict_map(model, cubes, tmp_path / "out", options=options)
    assert filled.count_px[255] < product.count_px[255]
    assert read_lineage(product.folder).find_stage("map").results["missing_blocks"] == []


# --- full disk -----------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_found_before_the_start(model, cubes, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DiskFullError, match=r"needs \d+ MiB but its disk has only 0 MiB free"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert model.calls == 0


def test_a_disk_that_fills_keeps_the_finished_blocks(model, cubes, tmp_path, monkeypatch, undisturbed, read_products):
    write, n = Path.write_bytes, [0]

    def write_until_full(self, data):
        n[0] += 1
        if n[0] > 20:
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write_until_full)
        with pytest.raises(DiskFullError, match="free space and run again"):
            predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert not list((tmp_path / "out").rglob("*.part"))
    model.calls = 0
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert model.calls < 19
    assert read_products(tmp_path / "out") == undisturbed


def test_a_disk_that_fills_while_products_are_written_leaves_none_half_done(model, cubes, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(BlockStore, "read_window", fail)
        with pytest.raises(DiskFullError, match="disk is full"):
            predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    assert final_files(tmp_path / "out") == []


# --- kill -9, and two processes ------------------------------------------------------------------------------------------


class Forks:
    """A process that forks one that maps, as often as told."""

    def __init__(self, script: Path) -> None:
        self.process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)  # fmt: skip

    def start(self, scenes: Path, out: Path) -> None:
        """Begin a map, and wait for its first block (or its end, where there was nothing to do)."""
        self.process.stdin.write(f"{scenes} {out}\n")
        self.pid = self.status = None
        seen = set()
        while not {"start", "block"} <= seen and self.status is None:
            seen.add(self.read())

    def read(self) -> str:
        """Read a line that the process prints; gives its first word."""
        word, *number = self.process.stdout.readline().split()
        if word == "start":
            self.pid = int(number[0])
        elif word == "end":
            self.status = int(number[0])
        return word

    def kill(self) -> None:
        """Kill -9 the forked process, unless it has ended."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for its end; gives the wait status."""
        while self.status is None:
            self.read()
        return self.status

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def forks():
    made = Forks(Path(__file__).with_name("mapping.py"))
    yield made
    made.close()


def kill_at(forks, moments_s, inputs, out):
    """Start a map and kill it, at each moment anew; gives the blocks that were done after each, and how often it was hit."""
    n_done, n_hit = [0], 0
    for moment_s in moments_s:
        forks.start(inputs, out)
        time.sleep(moment_s)
        forks.kill()
        status = forks.end()
        assert status in (signal.SIGKILL, 0)  # 0: it was faster
        n_hit += status == signal.SIGKILL
        n_done.append(len(list(out.glob(".work/*/done/*.json"))))
        assert "lineage.json" not in final_files(out) or not (out / ".work").exists()
    return n_done, n_hit


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 of a forked process is POSIX")
def test_kill_9_at_random_moments_costs_nothing_but_time(forks, scenes, tmp_path, rng, undisturbed, read_products):
    out = tmp_path / "out"
    n_done, _ = kill_at(forks, rng.uniform(0.02, 0.4, size=3), tmp_path / "in", out)
    forks.start(tmp_path / "in", out)
    assert forks.end() == 0
    assert read_products(out) == undisturbed
    assert not list(out.rglob("*.part"))
    assert n_done == sorted(n_done) or n_done[-1] == 0  # 0: finished before the last kill


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 of a forked process is POSIX")
def test_twenty_kills_of_maps_begun_anew_end_in_the_same_bytes(forks, scenes, tmp_path, rng, undisturbed, read_products):
    total = 0
    for number in range(5):  # four kills each: a map that goes on too well would be finished before the twentieth
        out = tmp_path / f"out{number}"
        total += kill_at(forks, rng.uniform(0.0, 0.2, size=4), tmp_path / "in", out)[1]
        forks.start(tmp_path / "in", out)
        assert forks.end() == 0
        assert read_products(out) == undisturbed
        assert not list(out.rglob("*.part"))
    assert total >= 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the other process is a fork")
def test_two_processes_on_one_output_the_second_is_refused(forks, scenes, model, cubes, tmp_path):
    forks.start(tmp_path / "in", tmp_path / "out")
    with pytest.raises(OutputLockedError, match="another landweave process is writing to"):
        predict_map(model, cubes, tmp_path / "out", options=BLOCKS)
    forks.kill()
    forks.end()
    predict_map(model, cubes, tmp_path / "out", options=BLOCKS)  # the lock died with its process
