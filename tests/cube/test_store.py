from __future__ import annotations

import errno
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from landweave.cube import estimate_size, list_sources, load_cube, open_cube, write_cube
from landweave.errors import CubeError, DiskFullError, OutputExistsError, SourceError
from landweave.grid import geobox_of
from landweave.types import CubeSet, ProgressEvent, Scene

Make = Callable[..., Scene]
Write = Callable[..., str]


@pytest.fixture
def cubes(write: Write, make_scene: Make, rng: np.random.Generator) -> CubeSet:
    def scene(day: str) -> Scene:
        data = rng.integers(-2000, 9000, (3, 40, 300)).astype(np.int16)
        data[:, rng.random((40, 300)) < 0.2] = -9999
        return make_scene(write(data), ["red", "nir", "evi"], day)

    terrain = make_scene(write(rng.normal(size=(40, 300)).astype(np.float32)), ["elevation"], None)
    return load_cube({"main": [scene("2019-12-25"), scene("2020-01-01")], "terrain": [terrain]})


def test_a_stored_cube_is_the_lazy_cube(cubes: CubeSet, tmp_path: Path) -> None:
    stored = open_cube(write_cube(cubes, tmp_path / "cube.zarr", workers=2))
    assert stored.geobox == cubes.geobox
    for name, cube in cubes.cubes.items():
        np.testing.assert_array_equal(stored[name].values, cube.values)
        assert {c: stored[name][c].values.tolist() for c in cube.coords} == {c: cube[c].values.tolist() for c in cube.coords}
        assert geobox_of(stored[name]) == geobox_of(cube)


def test_a_stored_cube_reads_windows_and_pickles(cubes: CubeSet, tmp_path: Path) -> None:
    stored = pickle.loads(pickle.dumps(open_cube(write_cube(cubes, tmp_path / "cube.zarr"))))
    part = stored["main"].isel(time=[1, 0], band=[2, 0], y=slice(3, 9), x=slice(250, 270)).values
    np.testing.assert_array_equal(part, cubes["main"].values[[1, 0]][:, [2, 0], 3:9, 250:270])


def test_reflectance_is_rounded_to_its_step(write: Write, make_scene: Make, tmp_path: Path, rng: np.random.Generator) -> None:
    cubes = load_cube([make_scene(write(rng.uniform(0, 1, (1, 30, 30)).astype(np.float32)), ["red"])])
    stored = open_cube(write_cube(cubes, tmp_path / "cube.zarr"))["main"].values
    assert 0 < np.abs(stored - cubes["main"].values).max() <= 5.1e-5


def test_values_that_int16_cannot_hold_are_an_error(write: Write, make_scene: Make, tmp_path: Path) -> None:
    from landweave.types import Band, Sensor

    wide = Sensor("w", "w", (Band("red", "reflectance"),), "test")
    scene = make_scene(write(np.full((1, 4, 4), 200, np.uint8)), ["red"])
    object.__setattr__(scene, "sensor", wide)
    with pytest.raises(CubeError, match=r"band 'red' of 'main' holds 200, but a cube stores reflectance within -3\.2767"):
        write_cube(load_cube([scene]), tmp_path / "cube.zarr")
    assert not list(tmp_path.glob("cube*"))


def test_progress_counts_blocks(cubes: CubeSet, tmp_path: Path) -> None:
    seen: list[ProgressEvent] = []
    write_cube(cubes, tmp_path / "cube.zarr", progress=seen.append)
    assert seen[-1].done == seen[-1].total == 2


def test_blocks_smaller_than_the_cube_give_the_same(cubes: CubeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landweave.cube.store._BLOCK_BYTES", 1)
    stored = open_cube(write_cube(cubes, tmp_path / "cube.zarr", workers=3))
    np.testing.assert_array_equal(stored["main"].values, cubes["main"].values)


def test_an_existing_cube_is_kept_unless_told(cubes: CubeSet, tmp_path: Path) -> None:
    path = write_cube(cubes, tmp_path / "cube.zarr")
    with pytest.raises(OutputExistsError, match=r"cube\.zarr exists already; .*--overwrite"):
        write_cube(cubes, path)
    write_cube(cubes, path, overwrite=True)
    assert [p.name for p in tmp_path.glob("cube*")] == ["cube.zarr"]


def test_exact_counts_of_values_out_of_range_are_noted(write: Write, make_scene: Make, tmp_path: Path) -> None:
    data = np.full((1, 30, 40), 3000, np.int16)
    data[0, 0, :5] = 30000
    cubes = load_cube([make_scene(write(data), ["red"])])
    notes = open_cube(write_cube(cubes, tmp_path / "cube.zarr")).notes
    assert notes[-1] == "main: red: 5 of 1200 values outside the valid range were written as nodata."


def test_a_disk_too_small_is_said_before_anything_is_written(
    cubes: CubeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(DiskFullError, match=r"needs \d+ MiB but its disk has only 0 MiB free"):
        write_cube(cubes, tmp_path / "cube.zarr")
    assert not list(tmp_path.glob("cube*"))


def test_a_disk_that_fills_leaves_nothing_behind(cubes: CubeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("landweave.io.zarr_store.ZarrWriter.write", fail)
    with pytest.raises(DiskFullError, match=r"disk is full: .*cube\.zarr needs about \d+ MiB \(the partial cube was removed\)"):
        write_cube(cubes, tmp_path / "cube.zarr", workers=2)
    assert not list(tmp_path.glob("cube*"))


def test_a_source_that_breaks_leaves_nothing_behind(cubes: CubeSet, tmp_path: Path) -> None:
    from landweave.io.rasters import close_rasters

    close_rasters()
    Path(list_sources(cubes["main"])[0]).write_bytes(b"II*\0")
    with pytest.raises(SourceError, match=r"file\d\.tif"):
        write_cube(cubes, tmp_path / "cube.zarr")
    assert not list(tmp_path.glob("cube*"))


def test_sizes_are_told_without_reading(cubes: CubeSet) -> None:
    size = estimate_size(cubes)
    assert (size.shape, size.n_steps, size.n_blocks, size.n_files) == ((40, 300), {"main": 2, "terrain": 1}, 1, 3)
    assert {a.name: (a.shape, a.dtype) for a in size.arrays} == {
        "reflectance": ((2, 2, 40, 300), "int16"), "index": ((2, 1, 40, 300), "float32"),
        "elevation": ((1, 40, 300), "float32"),
    }  # fmt: skip
    assert size.total_bytes == 40 * 300 * (4 * 2 + 2 * 4 + 4)


def test_a_folder_that_is_no_cube_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match="other is not a cube that landweave wrote; make one with `landweave cube`"):
        open_cube(tmp_path / "other")


def test_a_missing_cube_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cube .*gone\.zarr does not exist"):
        open_cube(tmp_path / "gone.zarr")
