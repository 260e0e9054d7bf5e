"""The trainer: what it gives by seed, how it stops, and how it continues."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from landweave.errors import ModelError
from landweave.models.deep.checkpoint import FILE, compare_weights, read_checkpoint
from landweave.models.deep.trainer import Batch, TrainOptions, find_device, learning_rate_at, training

SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from toy import Toy, fit
fit(Path(sys.argv[2]), pause=float(sys.argv[3]))
"""
TOY = '''
import time
import numpy as np, torch
from torch import nn
from landweave.models.deep.trainer import Batch, TrainOptions, fit_network, training
rng = np.random.default_rng(0)
Y = torch.from_numpy(rng.integers(0, 3, 90))
X = torch.from_numpy(rng.normal(size=(90, 4)).astype(np.float32)) + Y[:, None]
class Toy(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 3))
    def forward(self, inputs):
        return self.layers(inputs["x"])
class Rows:
    def __init__(self, spoil=None, size=30, pause=0.0):
        self.spoil, self.size, self.pause = spoil, size, pause
    def __len__(self):
        return 90 // self.size
    def epoch(self, number):
        time.sleep(self.pause)
        order = np.random.default_rng([0, number]).permutation(90)
        for part in np.array_split(order, len(self)):
            x = X[part].clone()
            if number == self.spoil:
                x[0] = float("nan")
            yield Batch({"x": x}, Y[part], name=f"rows {part[0]}")
def judge(network):
    return {"macro_f1": float((network({"x": X}).argmax(1) == Y).float().mean())}
def make(width=8):
    with training(3):
        return Toy(width)
def fit(folder=None, pause=0.0, spoil=None, network=None, size=30, validate=judge, **options):
    network = make() if network is None else network
    options = TrainOptions(**{"epochs": 8, "learning_rate": 0.02, "ema": 0.9, **options})
    return network, fit_network(network, train=Rows(spoil, size, pause), validate=validate, options=options, folder=folder)
'''


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A small network and its data, as a module that a child process imports too."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(TOY)
    sys.path.insert(0, str(folder))
    import toy

    yield toy
    sys.path.remove(str(folder))
    del sys.modules["toy"]


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def test_same_seed_gives_the_same_weights_whatever_was_drawn_before(toy):
    first, result = toy.fit()
    torch.rand(7)
    assert same(first, toy.fit()[0])
    assert result.best_score > 0.6
    assert [row["epoch"] for row in result.history] == list(range(8))
    assert not same(first, toy.fit(seed=1)[0])


def test_generator_and_threads_of_torch_are_left_alone(toy):
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    before = torch.get_num_threads()
    toy.fit(epochs=1, threads=1)
    assert torch.equal(torch.rand(1), wanted)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_weights(toy, tmp_path):
    whole, result = toy.fit()
    command = [sys.executable, "-c", SCRIPT, os.path.dirname(toy.__file__), str(tmp_path), "0.15"]  # noqa: PTH120
    with subprocess.Popen(command) as process:
        while not (tmp_path / FILE).exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    resumed, again = toy.fit(tmp_path)
    assert same(whole, resumed)
    assert again.best_epoch == result.best_epoch
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [float(row["epoch"]) for row in csv.DictReader(file)] == list(range(8))


def test_finished_run_is_not_trained_again(toy, tmp_path):
    first, _ = toy.fit(tmp_path)
    assert same(first, toy.fit(tmp_path, spoil=0)[0])  # would stop at once if it trained


def test_loss_that_is_not_finite_names_the_batch_and_keeps_the_checkpoint(toy, tmp_path):
    with pytest.raises(ModelError, match=r"loss of batch 0 of epoch 3 \(rows \d+\) is nan; .* lower learning_rate"):
        toy.fit(tmp_path, spoil=3)
    assert toy.fit(tmp_path)[1].history[2]["epoch"] == 2


def test_other_configuration_is_refused_with_the_keys_that_differ(toy, tmp_path):
    toy.fit(tmp_path, epochs=1)
    with pytest.raises(ModelError, match=r"configuration: epochs was 1, is 2; learning_rate was 0.02, is 0.01\. Train"):
        toy.fit(tmp_path, epochs=2, learning_rate=0.01)


def test_checkpoint_of_another_network_lists_the_differences(toy, tmp_path):
    toy.fit(tmp_path, epochs=1)
    with pytest.raises(ModelError, match=r"does not fit the network: layers.0.weight is \(8, 4\), the network has \(5, 4\)"):
        toy.fit(tmp_path, epochs=1, network=toy.make(5))
    assert compare_weights({}, nn.Linear(1, 1)) == ["weight is missing", "bias is missing"]


@pytest.mark.parametrize("content", [b"", b"PK not a checkpoint", "other"])
def test_a_file_that_is_no_checkpoint_is_an_error(toy, tmp_path, content):
    if content == "other":
        torch.save({"state_dict": {}}, tmp_path / FILE)
    else:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ModelError, match="is no checkpoint of landweave"):
        toy.fit(tmp_path)


def test_checkpoint_that_would_run_code_is_refused(tmp_path, toy):
    torch.save({"format": "landweave-checkpoint-1", "x": os.system}, tmp_path / FILE)
    with pytest.raises(ModelError, match="is no checkpoint of landweave"):
        read_checkpoint(tmp_path, {}, toy.make())


def test_stops_when_the_score_does_not_rise(toy):
    _, result = toy.fit(epochs=50, patience=2, validate=lambda network: {"macro_f1": 0.5})
    assert (len(result.history), result.stopped) == (3, "patience")


def test_stops_when_the_time_is_over(toy):
    assert toy.fit(max_minutes=1e-9)[1].stopped == "minutes"


def test_without_validation_the_last_weights_are_kept(toy):
    _, result = toy.fit(validate=None)
    assert (result.best_epoch, np.isnan(result.best_score)) == (7, True)


def test_score_that_is_missing_or_not_finite_is_an_error(toy):
    with pytest.raises(ModelError, match="validation gives miou; monitor is 'macro_f1'"):
        toy.fit(validate=lambda network: {"miou": 1.0})
    with pytest.raises(ModelError, match=r"macro_f1 of epoch 0 is nan; .* lower learning_rate"):
        toy.fit(validate=lambda network: {"macro_f1": float("nan")})


def test_a_batch_of_one_names_the_fix(toy):
    with pytest.raises(ModelError, match=r"has one row and .* batch norm, which needs two; use a larger batch_size"):
        toy.fit(size=1)


def test_gradients_of_small_batches_add_up_to_those_of_a_large_one(toy):
    plain = nn.Linear(4, 3)
    network = nn.Sequential()
    network.add_module("x", plain)
    network.forward = lambda inputs: plain(inputs["x"])
    start = {k: v.clone() for k, v in network.state_dict().items()}
    large, _ = toy.fit(network=network, size=90, epochs=2, ema=0)
    large = {k: v.clone() for k, v in large.state_dict().items()}
    network.load_state_dict(start)
    small, _ = toy.fit(network=network, size=30, accumulate=3, epochs=2, ema=0)
    for k, v in small.state_dict().items():
        torch.testing.assert_close(v, large[k], rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_learning_rate_rises_then_falls_to_zero():
    options = TrainOptions(learning_rate=1.0, warmup_share=0.2)
    rates = [learning_rate_at(s, 10, options) for s in range(11)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0)


def test_bf16_trains_too(toy):
    assert toy.fit(precision="bf16")[1].best_score > 0.5


def test_unknown_device_is_an_error():
    with pytest.raises(ModelError, match="no device named 'gpu'; use auto, cpu"):
        find_device("gpu")


def test_shares_of_classes_and_weights_are_taken(toy):
    batch = Batch({"x": toy.X}, nn.functional.one_hot(toy.Y, 3).float(), torch.ones(90))
    assert batch.to(torch.device("cpu")).weight.sum() == 90
    with training(0):
        assert torch.initial_seed() == 0
