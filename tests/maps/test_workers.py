"""Processes and dask workers make the same bytes as threads, also where one of them is killed."""

from __future__ import annotations

import os
import signal
import socket
import sys

import geopandas as gpd
import numpy as np
import pytest

from landweave.cube import make_inputs
from landweave.errors import MapError, MissingExtraError
from landweave.io.lineage import read_lineage
from landweave.legend import Legend
from landweave.maps import MapOptions, predict_map
from landweave.maps.workers import count_processes
from landweave.models import ModelOptions, train_model
from landweave.types import SampleTable

BLOCKS = MapOptions(block_px=64)  # 4 x 3 blocks
TIFS = ("map.tif", "proba.tif", "uncertainty.tif")
ROOM = "16GiB"  # a test process late in a session holds a gigabyte, and each worker is planned as large


@pytest.fixture
def trained(cubes):
    """A model that other processes can load, unlike the one of conftest.py."""
    rng, inputs = np.random.default_rng(0), make_inputs(cubes)
    names = inputs[0].feature_names
    rows = {n: rng.uniform(0.15, 0.35, 60) for n in names}
    frame = gpd.GeoDataFrame({"sample_id": np.arange(60), "class": np.array(["a", "b", "c"])[np.arange(60) % 3],
                              "purpose": "train", "weight": 1.0, **rows},
                             geometry=gpd.points_from_xy(np.arange(60), np.arange(60)), crs="EPSG:32633")  # fmt: skip
    table = SampleTable(frame, Legend.from_names(["a", "b", "c"]), inputs)
    return train_model(table, options=ModelOptions(name="random-forest", params={"n_estimators": 5}))


@pytest.fixture
def expected(trained, cubes, tmp_path):
    """The bytes that threads make."""
    return read_tifs(predict_map(trained, cubes, tmp_path / "threads", options=BLOCKS, workers=2, memory=ROOM).folder)


def read_tifs(folder):
    return [(folder / name).read_bytes() for name in TIFS]


def kill_a_child(event):
    """End one of this process's workers once four blocks are done; a nanny of dask's is spared, its worker is not."""
    import psutil

    if event.done == 4:
        below = psutil.Process().children(recursive=True)
        workers = [p for p in below if not p.children() and "spawn_main" in "".join(p.cmdline())]
        os.kill(workers[0].pid, signal.SIGKILL)


@pytest.mark.slow
def test_processes_make_the_same_bytes_though_one_is_killed(trained, cubes, tmp_path, expected):
    out = tmp_path / "out"
    predict_map(trained, cubes, out, options=BLOCKS, workers=2, executor="processes", memory=ROOM, progress=kill_a_child)
    assert read_tifs(out) == expected
    peaks = read_lineage(out).find_stage("map").results["worker_peak_rss_bytes"]
    assert peaks
    assert min(peaks.values()) > 50e6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask's own loops and sockets when a worker is killed
def test_dask_workers_make_the_same_bytes_though_one_is_killed(trained, cubes, tmp_path, expected):
    pytest.importorskip("distributed")
    out = tmp_path / "out"
    predict_map(trained, cubes, out, options=BLOCKS, workers=2, executor="dask", memory=ROOM, progress=kill_a_child)
    assert read_tifs(out) == expected
    assert read_lineage(out).find_stage("map").results["worker_peak_rss_bytes"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask's own
def test_a_scheduler_is_used_by_its_address(trained, cubes, tmp_path, expected):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        predict_map(trained, cubes, tmp_path / "out", options=BLOCKS, executor="dask", memory=ROOM, scheduler=address)
    assert read_tifs(tmp_path / "out") == expected


@pytest.mark.filterwarnings("ignore")  # dask's own
def test_a_scheduler_that_does_not_answer_is_an_error(model, cubes, tmp_path):
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MapError, match=r"no dask scheduler answers at tcp://127.*check the address"):
        predict_map(model, cubes, tmp_path / "out", executor="dask", memory=ROOM, scheduler=address)


def test_dask_without_its_extra_says_what_to_install(model, cubes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"landweave\[dask\]"):
        predict_map(model, cubes, tmp_path / "out", executor="dask", memory=ROOM)


@pytest.mark.parametrize(("given", "said"), [
    ({"executor": "mpi"}, "executor is 'mpi'; use threads, processes or dask"),
    ({"scheduler": "tcp://a:1"}, "scheduler tcp://a:1 is given for the executor 'threads'"),
])  # fmt: skip
def test_wrong_requests_are_errors(model, cubes, tmp_path, given, said):
    with pytest.raises(MapError, match=said):
        predict_map(model, cubes, tmp_path / "out", memory=ROOM, **given)


def test_only_processes_of_this_machine_share_the_memory():
    assert [count_processes("threads", 3), count_processes("processes", 3), count_processes("dask", 3)] == [0, 3, 3]
    assert count_processes("dask", 3, "tcp://a:1") == 0
