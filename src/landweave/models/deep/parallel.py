"""Data parallel training under `torchrun`: every process trains on its share of the batches, gradients are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["average_gradients", "copy_from_first", "is_on", "rank", "world_size"]


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
