"""What a training run writes down: a CSV always, TensorBoard or MLflow when asked, and an estimate of its energy."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from landweave.errors import MissingExtraError

__all__ = ["EnergyMeter", "open_logs"]

FILE = "log.csv"
Row = dict[str, float]


@contextmanager
def open_logs(names: Sequence[str], folder: Path | None) -> Iterator[Callable[[Row], None]]:
    """Open the logs of a run; gives a function that writes a row to each.

    Raises:
        MissingExtraError: If a log's package is not installed.
    """
    with ExitStack() as stack:
        writers: list[Callable[[Row], None]] = []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            writers.append(lambda row: _append_csv(folder / FILE, row))
        if "tensorboard" in names:
            board = _need("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(folder or "runs"))
            stack.callback(board.close)
            writers.append(lambda row: _to_board(board, row))
        if "mlflow" in names:
            flow = _need("mlflow", "mlflow")
            stack.enter_context(flow.start_run(run_name=folder.name if folder else None))
            writers.append(lambda row: flow.log_metrics(row, step=int(row["epoch"])))

        def write(row: Row) -> None:
            for writer in writers:
                writer(row)

        yield write


def _append_csv(path: Path, row: Row) -> None:
    """Append a row; a row of an epoch that stands there already (after a kill) is left out."""
    lines: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
    if any(float(line["epoch"]) == row["epoch"] for line in lines):
        return
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if not lines:
            writer.writeheader()
        writer.writerow(row)


def _to_board(board: Any, row: Row) -> None:
    for name, value in row.items():
        if name != "epoch":
            board.add_scalar(name, value, int(row["epoch"]))


def _need(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as err:
        raise MissingExtraError(f"log: [{package}] needs the package {package}: pip install {package}") from err


class EnergyMeter:
    """Energy of what runs inside it in kWh, estimated by codecarbon where that is installed; else None."""

    def __init__(self) -> None:
        self.energy_kwh: float | None = None
        self._tracker: Any = None

    def __enter__(self) -> EnergyMeter:
        try:
            codecarbon = import_module("codecarbon")
        except ImportError:
            return self
        self._tracker = codecarbon.OfflineEmissionsTracker(country_iso_code="FRA", save_to_file=False, log_level="error")
        self._tracker.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._tracker is not None:
            self._tracker.stop()
            # the country decides the carbon, which is not kept, and not the energy
            self.energy_kwh = float(self._tracker.final_emissions_data.energy_consumed)
