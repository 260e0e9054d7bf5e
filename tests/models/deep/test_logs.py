"""Logs of a training run."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from landweave.errors import MissingExtraError
from landweave.models.deep.logs import FILE, EnergyMeter, open_logs


def test_csv_keeps_one_row_per_epoch_across_runs(tmp_path):
    for epochs in ((0, 1), (1, 2)):
        with open_logs(("csv",), tmp_path / "run") as write:
            for epoch in epochs:
                write({"epoch": float(epoch), "loss": 0.5})
    lines = (tmp_path / "run" / FILE).read_text().splitlines()
    assert lines == ["epoch,loss", "0.0,0.5", "1.0,0.5", "2.0,0.5"]


@pytest.mark.parametrize(("name", "module"), [("tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow")])
def test_a_log_whose_package_lacks_names_it(monkeypatch, tmp_path, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"needs the package {name}: pip install {name}"), open_logs((name,), tmp_path):
        pass


def test_rows_reach_tensorboard(monkeypatch, tmp_path):
    written: list[tuple[str, float, int]] = []
    board = SimpleNamespace(add_scalar=lambda *row: written.append(row), close=lambda: written.append(("closed", 0, 0)))
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = lambda folder: board
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    with open_logs(("tensorboard",), tmp_path) as write:
        write({"epoch": 3.0, "loss": 0.5})
    assert written == [("loss", 0.5, 3), ("closed", 0, 0)]


def test_energy_is_none_without_codecarbon_and_its_estimate_with_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with EnergyMeter() as meter:
        pass
    assert meter.energy_kwh is None
    tracker = SimpleNamespace(start=lambda: None, stop=lambda: None, final_emissions_data=SimpleNamespace(energy_consumed=0.25))
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = lambda **options: tracker
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    with EnergyMeter() as meter:
        pass
    assert meter.energy_kwh == 0.25
