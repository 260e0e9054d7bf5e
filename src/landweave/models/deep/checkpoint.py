"""Checkpoints of a training run: one file, replaced whole after every epoch, loaded without running any code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from landweave.errors import ModelError

__all__ = ["FILE", "compare_weights", "read_checkpoint", "write_checkpoint"]

FILE = "checkpoint.pt"
FORMAT = "landweave-checkpoint-1"
_KEYS = frozenset({"format", "configuration", "network", "average", "optimizer", "best", "best_epoch", "best_score", "improved",
                   "epoch", "step", "history"})  # fmt: skip


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> Path:
    """Write a checkpoint beside the old one and put it in its place; a kill leaves the one or the other."""
    folder.mkdir(parents=True, exist_ok=True)
    part, path = folder / f"{FILE}.part", folder / FILE
    with part.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def read_checkpoint(folder: Path, configuration: Mapping[str, Any], network: nn.Module) -> dict[str, Any] | None:
    """Read the checkpoint of a folder, None where there is none; tensors and plain values only, nothing is executed.

    Raises:
        ModelError: If the file is not a checkpoint of ours, belongs to another configuration (the keys that differ are
            listed), or its weights do not fit the network (the differences are listed).
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as err:
        raise ModelError(f"{path} is no checkpoint of landweave ({_first_line(err)}); "
                         "name another folder or remove the file") from err  # fmt: skip
    if not isinstance(saved, dict) or saved.get("format") != FORMAT or not saved.keys() >= _KEYS:
        found = ", ".join(sorted(map(str, saved))[:6]) if isinstance(saved, dict) else type(saved).__name__
        raise ModelError(f"{path} is no checkpoint of landweave (it holds {found}); name another folder or remove the file")
    _check_same(saved["configuration"], configuration, path)
    differences = compare_weights(saved["network"], network)
    if differences:
        raise ModelError(f"checkpoint {path} does not fit the network: {'; '.join(differences[:6])}; name another folder")
    return dict(saved)


def compare_weights(weights: Mapping[str, Any], network: nn.Module) -> list[str]:
    """List how weights differ from what a network holds: names missing, unknown, or of another shape."""
    own = network.state_dict()
    lines = [f"{k} is missing" for k in own if k not in weights]
    lines += [f"{k} is unknown" for k in weights if k not in own]
    lines += [f"{k} is {tuple(weights[k].shape)}, the network has {tuple(v.shape)}"
              for k, v in own.items() if k in weights and weights[k].shape != v.shape]  # fmt: skip
    return lines


def _check_same(saved: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    keys = [k for k in sorted({*saved, *wanted}) if saved.get(k) != wanted.get(k)]
    if keys:
        said = "; ".join(f"{k} was {saved.get(k)!r}, is {wanted.get(k)!r}" for k in keys)
        raise ModelError(f"checkpoint {path} is of another configuration: {said}. Train with the same options, "
                         "or name another folder")  # fmt: skip


def _first_line(err: Exception) -> str:
    return next(iter(str(err).splitlines()), type(err).__name__)
