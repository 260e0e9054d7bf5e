"""Data parallel training under `torchrun`: every process trains on its share of the batches, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["any_says", "average_gradients", "copy_from_first", "is_on", "joined", "rank", "world_size"]


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes that `torchrun` started, as long as the body runs; does nothing when alone or joined already.

    Over NCCL where every process has a GPU of its own, else over gloo.
    """
    if is_on() or int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    has_gpus = torch.cuda.is_available() and torch.cuda.device_count() > local
    if has_gpus:
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if has_gpus else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def is_on() -> bool:
    """Whether this process is one of several that train together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """Number of this process, 0 when alone."""
    return torch.distributed.get_rank() if is_on() else 0


def world_size() -> int:
    """Processes that train together, 1 when alone."""
    return torch.distributed.get_world_size() if is_on() else 1


def copy_from_first(network: nn.Module) -> None:
    """Give every process the weights of the first."""
    for tensor in network.state_dict().values():
        torch.distributed.broadcast(tensor, 0)


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace every gradient by its mean over the processes; does nothing when alone."""
    if not is_on():
        return
    for parameter in parameters:
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= world_size()


def any_says(answer: bool) -> bool:
    """Tell whether any process says yes: clocks differ, and a process that stopped alone would leave the others waiting."""
    if not is_on():
        return answer
    kind = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    said = torch.tensor([float(answer)], device=kind)
    torch.distributed.all_reduce(said)
    return bool(said.item() > 0)
