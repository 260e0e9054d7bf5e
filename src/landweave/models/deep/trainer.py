"""The trainer: one network, batches in, the weights of the best epoch out. Reads top to bottom.

AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), a learning rate that rises linearly and falls along a cosine (arXiv:
1608.03983), gradients added up and clipped, a moving average of the weights, early stopping on a validation score. Every
epoch draws its random numbers from (seed, epoch) alone, so that a run killed at any moment continues from its last checkpoint
to the very same weights.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.deep import logs, parallel
from landweave.models.deep.checkpoint import read_checkpoint, write_checkpoint
from landweave.models.deep.losses import Loss, make_loss
from landweave.models.deep.options import NOT_IN_RESULT, TrainOptions
from landweave.types import Progress, ProgressEvent

__all__ = ["Batch", "Batches", "FitResult", "TrainOptions", "fit_network", "training"]

log = logging.getLogger(__name__)
Validate = Callable[[nn.Module], dict[str, float]]
_one_at_a_time = threading.RLock()
"""torch's generator and number of threads belong to the process; networks trained in two threads would draw from each other."""


@dataclass(frozen=True)
class Batch:
    """What the network sees at once.

    Attributes:
        inputs: Tensors by name, as the network's `forward` takes them; the first axis is the batch.
        target: class_index (long; -1 is ignored), shares of the classes (float, class on the second axis), or values (float).
        weight: Weight of each row or pixel, as `target`; None for equal ones.
        name: Names the batch in errors ("rows 12, 80, ...").
    """

    inputs: dict[str, Tensor]
    target: Tensor
    weight: Tensor | None = None
    name: str = ""

    def to(self, device: torch.device) -> Batch:
        """Give the batch on a device."""
        moved = {k: v.to(device, non_blocking=True) for k, v in self.inputs.items()}
        weight = None if self.weight is None else self.weight.to(device)
        return Batch(moved, self.target.to(device), weight, self.name)


class Batches(Protocol):
    """Training data in batches, in an order that the epoch's number alone decides."""

    def __len__(self) -> int:
        """Batches per epoch, the same in each."""
        ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch (0, 1, ...); the same ones each time it is asked for the same number."""
        ...


@dataclass(frozen=True)
class FitResult:
    """How training went.

    Attributes:
        history: One row per epoch: epoch, loss, learning_rate, seconds, and the validation scores.
        best_epoch: The epoch whose weights the network has now.
        best_score: Its monitored score; NaN where nothing was held out.
        seconds: Time of all epochs, those before a resume included.
        stopped: Why it ended: "epochs", "patience" or "minutes".
        energy_kwh: Estimate of codecarbon, None where that is not installed.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_score: float
    seconds: float
    stopped: str
    energy_kwh: float | None = None

    def to_curve(self) -> dict[str, list[float]]:
        """Give the history by column, for the model's card: epoch, loss and validation scores, to five digits."""
        names = [k for k in (self.history[0] if self.history else {}) if k not in ("learning_rate", "seconds", "epoch_number")]
        return {k: [float(f"{row[k]:.5g}") for row in self.history] for k in names}


_PLAIN = ("best", "best_epoch", "best_score", "improved", "epoch", "step", "history")


@dataclass
class _State:
    """Everything that a resumed run needs."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = -1
    best_score: float = math.nan
    improved: int = -1
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def to_dict(self, configuration: dict[str, Any]) -> dict[str, Any]:
        plain = {k: getattr(self, k) for k in _PLAIN}
        return {**plain, "network": self.network.state_dict(), "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(), "configuration": configuration}  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        for name in _PLAIN:
            setattr(self, name, saved[name])


@contextmanager
def training(seed: int, threads: int = 1) -> Iterator[None]:
    """Make and train networks by a seed, one at a time per process; torch's generator and threads are put back afterwards."""
    with _one_at_a_time, torch.random.fork_rng(devices=[]):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def fit_network(
    network: nn.Module, *, train: Batches, validate: Validate | None, options: TrainOptions, folder: Path | None = None,
    progress: Progress | None = None, loss: Loss | None = None,
) -> FitResult:  # fmt: skip
    """Train a network in place; it ends with the weights of the epoch with the best validation score, in `eval` mode.

    Args:
        network: Called as `network(batch.inputs)`; gives logits (batch, class, ...) or values, as the loss takes them.
        train: Training batches.
        validate: Scores of a network (in `eval` mode, without gradients) on held-out data; must hold `options.monitor`. None
            where nothing is held out: then all epochs are trained and the last weights are kept.
        options: How to train.
        folder: Where a checkpoint is written after every epoch, with the logs; a run that was killed continues from there.
        progress: Called after every epoch.
        loss: Instead of the one that the options name.

    Returns:
        The history and the best epoch.

    Raises:
        ModelError: If the loss or a score is not finite (the last good checkpoint stays), the folder holds the checkpoint of
            another configuration or of something else, or a batch of one row meets a batch norm.
    """
    device = find_device(options.device)
    with ExitStack() as stack:
        stack.enter_context(parallel.joined())
        stack.enter_context(training(options.seed, options.threads))
        own = folder if parallel.rank() == 0 else None
        write_row = stack.enter_context(logs.open_logs(options.log if parallel.rank() == 0 else (), own))
        meter = stack.enter_context(logs.EnergyMeter())
        network.to(device)
        if parallel.is_on():  # before the moving average is copied from it
            parallel.copy_from_first(network)
        state = _start(network, options, folder)
        criterion = loss or make_loss(options.loss, options.loss_params)
        stopped = _run(state, train, validate, criterion.to(device), options, folder, (progress, write_row))
        network.load_state_dict(state.best)
        network.eval()
    seconds = sum(row["seconds"] for row in state.history)
    return FitResult(state.history, state.best_epoch, state.best_score, seconds, stopped, meter.energy_kwh)


def find_device(name: str) -> torch.device:
    """Give the device of a name; auto is cuda where there is one.

    Raises:
        ModelError: If the device does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as err:
        raise ModelError(f"no device named {name!r}; use auto, cpu, cuda or cuda:0") from err
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device is {name!r} and torch sees no GPU; use device: auto or cpu")
    return device


def _start(network: nn.Module, options: TrainOptions, folder: Path | None) -> _State:
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(_decay_groups(network, options.weight_decay), lr=options.learning_rate, fused=True)
    state = _State(network, average, optimizer)
    if folder is not None:
        saved = read_checkpoint(folder, _configuration(network, options), network)
        if saved is not None:
            state.restore(saved)
            log.info("continuing after epoch %d from %s", state.epoch, folder)
    return state


def _configuration(network: nn.Module, options: TrainOptions) -> dict[str, Any]:
    kept = {k: v for k, v in options.model_dump(mode="json").items() if k not in NOT_IN_RESULT}
    return {**kept, "network": type(network).__name__}


def _decay_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Leave out biases, norms and other vectors from weight decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}]  # fmt: skip


def _run(
    state: _State, train: Batches, validate: Validate | None, loss: Loss, options: TrainOptions, folder: Path | None, tell: Any
) -> str:
    progress, write_row = tell
    started = time.perf_counter() - sum(row["seconds"] for row in state.history)
    while state.epoch < options.epochs:
        began = time.perf_counter()
        torch.manual_seed(hash_seed(options.seed, state.epoch, parallel.rank()))
        row = {"epoch": float(state.epoch), "loss": _train_epoch(state, train, loss, options),
               "learning_rate": float(state.optimizer.param_groups[0]["lr"])}  # fmt: skip
        row |= _judge(state, validate, options)
        row["seconds"] = time.perf_counter() - began
        state.history.append(row)
        state.epoch += 1
        write_row(row)
        if folder is not None and parallel.rank() == 0:
            write_checkpoint(folder, state.to_dict(_configuration(state.network, options)))
        if progress is not None:
            progress(ProgressEvent("train", state.epoch, options.epochs, "epochs"))
        if _is_stale(state, options):
            return "patience"
        is_late = options.max_minutes is not None and time.perf_counter() - started > 60 * options.max_minutes
        if parallel.any_says(is_late):
            return "minutes"
    return "epochs"


def hash_seed(*parts: int) -> int:
    """Mix numbers into one seed of 63 bits, the same on every machine."""
    import numpy as np

    return int(np.random.SeedSequence(list(parts)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _train_epoch(state: _State, train: Batches, loss: Loss, options: TrainOptions) -> float:
    """Train on every batch once; gives the mean loss."""
    state.network.train()
    loss.set_epoch(state.epoch, options.epochs)
    device = next(state.network.parameters()).device
    total, n_batches = 0.0, len(train)
    n_steps = math.ceil(n_batches / options.accumulate)
    for number, batch in enumerate(train.epoch(state.epoch)):
        value = _loss_of(state.network, batch.to(device), loss, options, f"batch {number} of epoch {state.epoch}")
        torch.autograd.backward(value / options.accumulate)
        total += float(value.detach())
        if (number + 1) % options.accumulate == 0 or number + 1 == n_batches:
            _step(state, options, n_steps * options.epochs)
    return total / max(n_batches, 1)


def _loss_of(network: nn.Module, batch: Batch, loss: Loss, options: TrainOptions, where: str) -> Tensor:
    name = f"{where} ({batch.name})" if batch.name else where
    try:
        with _precision(options, batch.target.device):
            output = network(batch.inputs)
        value: Tensor = loss(output.float(), batch.target, batch.weight)
    except ValueError as err:
        if "more than 1 value per channel" not in str(err):
            raise
        raise ModelError(f"{name} has one row and the network has a batch norm, which needs two; "
                         "use a larger batch_size") from err  # fmt: skip
    if not bool(torch.isfinite(value)):
        raise ModelError(f"loss of {name} is {float(value.detach())}; training stopped, the last checkpoint is kept. "
                         "Look at the values of these rows, or lower learning_rate")  # fmt: skip
    return value


def _precision(options: TrainOptions, device: torch.device) -> AbstractContextManager[Any]:
    is_fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if options.precision == "bf16" or (options.precision == "auto" and is_fast):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _step(state: _State, options: TrainOptions, n_steps: int) -> None:
    """Average gradients over processes, clip, set the learning rate, step, and let the average follow."""
    parameters = [p for p in state.network.parameters() if p.grad is not None]
    parallel.average_gradients(parameters)
    if options.clip_norm is not None:
        nn.utils.clip_grad_norm_(parameters, options.clip_norm)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate_at(state.step, n_steps, options)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    # the average starts as a plain mean, or it would remember the untrained weights
    decay = min(options.ema, state.step / (state.step + 9.0))
    _follow(state.average, state.network, decay)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights, and the running statistics of norms, a step towards the network's."""
    pairs = [(a, b) for ours, theirs in ((average.parameters(), network.parameters()), (average.buffers(), network.buffers()))
             for a, b in zip(ours, theirs, strict=True)]  # fmt: skip
    moving = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in moving], [b for _, b in moving], 1 - decay)
    for kept, new in pairs:
        if not kept.is_floating_point():
            kept.copy_(new)


def learning_rate_at(step: int, n_steps: int, options: TrainOptions) -> float:
    """Give the learning rate of a step: linear to the highest one, then half a cosine to zero (arXiv:1608.03983, eq. 5)."""
    warmup = max(1, round(options.warmup_share * n_steps))
    if step < warmup:
        return options.learning_rate * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, n_steps - warmup))
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def _judge(state: _State, validate: Validate | None, options: TrainOptions) -> dict[str, float]:
    """Score the averaged weights and keep them where they are the best so far; among equals the later ones."""
    network = state.average if options.ema else state.network
    network.eval()
    scores: dict[str, float] = {}
    if validate is not None:
        with torch.inference_mode():
            scores = validate(network)
        score = _monitored(scores, options, state.epoch)
        sign = 1.0 if options.maximize else -1.0
        if state.best_epoch >= 0 and sign * score < sign * state.best_score:
            return scores
        if state.best_epoch < 0 or score != state.best_score:
            state.improved = state.epoch
        state.best_score = score
    state.best_epoch = state.epoch
    state.best = {k: v.detach().clone() for k, v in network.state_dict().items()}
    return scores


def _monitored(scores: dict[str, float], options: TrainOptions, epoch: int) -> float:
    if options.monitor not in scores:
        raise ModelError(f"validation gives {', '.join(sorted(scores)) or 'no score'}; monitor is {options.monitor!r}")
    score = scores[options.monitor]
    if not math.isfinite(score):
        raise ModelError(f"validation score {options.monitor} of epoch {epoch} is {score}; the network gives values that "
                         "are not finite, so lower learning_rate")  # fmt: skip
    return score


def _is_stale(state: _State, options: TrainOptions) -> bool:
    """Whether the score has not risen for `patience` epochs."""
    if options.patience is None or state.improved < 0 or state.epoch < options.min_epochs:
        return False
    return state.epoch - 1 - state.improved >= options.patience
