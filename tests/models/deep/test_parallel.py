from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from landweave.models.deep import parallel

SCRIPT = '''
import sys
import numpy as np, torch
from torch import nn
from landweave.models.deep import parallel
from landweave.models.deep.trainer import Batch, TrainOptions, fit_network

class Rows:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.x = torch.from_numpy(rng.normal(size=(64, 5)).astype(np.float32))
        self.y = (self.x[:, 0] > 0).long()
    def __len__(self):
        return 4
    def epoch(self, number):
        order = torch.from_numpy(np.random.default_rng(number).permutation(64))
        for part in order.split(16):  # of each batch of 16, every process trains on its share
            mine = part[parallel.rank()::parallel.world_size()]
            yield Batch({"x": self.x[mine]}, self.y[mine])

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
    def forward(self, inputs):
        return self.layers(inputs["x"])

import os
rank = os.environ["RANK"]
torch.manual_seed(int(rank))  # other weights in each process: the first's are taken
network = Net()
fit_network(network, train=Rows(), validate=None, options=TrainOptions(epochs=3, learning_rate=0.01, max_minutes=60))
torch.save(network.state_dict(), f"{sys.argv[1]}-{rank}.pt")
'''


def start(out: Path, rank: int, world: int, port: int) -> subprocess.Popen[bytes]:
    env = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
           "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}  # fmt: skip
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", SCRIPT, str(out)], env=env)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one_with_the_doubled_batch(tmp_path):
    port = free_port()
    runs = [start(tmp_path / "two", rank, 2, port) for rank in range(2)] + [start(tmp_path / "one", 0, 1, port)]
    assert [run.wait(timeout=240) for run in runs] == [0, 0, 0]
    one, first, second = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("one-0", "two-0", "two-1"))
    for key in one:
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=0)
        torch.testing.assert_close(first[key], one[key], rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with parallel.joined():
        assert (parallel.is_on(), parallel.rank(), parallel.world_size()) == (False, 0, 1)
