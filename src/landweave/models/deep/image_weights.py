"""Weights of a backbone from a folder on disk: what fits is taken, the first layer is adapted, anything else is an error.

Receives a network with a `backbone` and a folder that transformers or this package wrote; nothing in it is executed.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from landweave.errors import ModelError, SourceError

__all__ = ["load_backbone"]

log = logging.getLogger(__name__)
_FILE = "model.safetensors"


def load_backbone(network: nn.Module, folder: Path | str) -> list[str]:
    """Load the weights of a network's backbone.

    The layer that sees the bands is the only one whose channels may differ: its kernels are averaged over the channels of the
    checkpoint and scaled so that the sum over the channels stays, as the stem mixes bands into channels without order.

    Args:
        network: With the attribute `backbone`, a model of transformers.
        folder: Holds `model.safetensors` of the same architecture, with or without heads.

    Returns:
        Names of the layers that were adapted.

    Raises:
        SourceError: If the folder has no such file, or it is not safetensors.
        ModelError: If the network has no backbone, or the weights do not fit; lists the differences.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / _FILE
    if not path.is_file():
        raise SourceError(f"{folder} holds no {_FILE}; save a model of transformers there with save_pretrained")
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise ModelError(f"{type(network).__name__} has no backbone to load weights into; leave `weights` out, or take "
                         "segformer or upernet")  # fmt: skip
    try:
        stored = load_file(str(path))
    except SafetensorError as err:
        raise SourceError(f"{path} is not a safetensors file: {err}") from err
    wanted = backbone.state_dict()
    found = _match_names(stored, wanted)
    adapted, wrong = _adapt(found, wanted)
    missing = [n for n in wanted if n not in found]
    if wrong or missing:
        shown = [*wrong, *(f"{n} {tuple(wanted[n].shape)} is lacking" for n in missing)]
        raise ModelError(f"{path} does not fit {type(network).__name__}: {'; '.join(shown[:8])}"
                         f"{f'; and {len(shown) - 8} more' if len(shown) > 8 else ''}; give the network the checkpoint's sizes "
                         "(width, depth), or another checkpoint")  # fmt: skip
    backbone.load_state_dict(found)
    if adapted:
        log.info("%s: first layer adapted to the stem's channels (%s)", path, ", ".join(adapted))
    return adapted


def _match_names(stored: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the entries of the backbone; in a model with a head they stand under a prefix."""
    for prefix in ("", *sorted({n.split(".")[0] + "." for n in stored}), "model.backbone."):
        found = {n.removeprefix(prefix): t for n, t in stored.items() if n.startswith(prefix)}
        if sum(n in found for n in wanted) > len(wanted) // 2:
            return {n: t for n, t in found.items() if n in wanted}
    return {}


def _adapt(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Adapt the first convolution in place; gives its name, and what does not fit."""
    adapted, wrong = [], []
    for name, tensor in list(found.items()):
        shape = wanted[name].shape
        if tensor.shape == shape:
            continue
        same_but_channels = tensor.ndim == 4 and tensor.shape[0] == shape[0] and tensor.shape[2:] == shape[2:]
        if same_but_channels and "embed" in name and not adapted:
            mean = tensor.mean(dim=1, keepdim=True) * (tensor.shape[1] / shape[1])
            found[name] = mean.expand(shape).to(torch.float32).clone()
            adapted.append(name)
        else:
            wrong.append(f"{name} is {tuple(tensor.shape)}, expected {tuple(shape)}")
    return adapted, wrong
