"""Weights of a backbone from a folder on disk: what fits is taken, the first layer is adapted, anything else is an error.

Receives a network with a `backbone` and a folder that transformers or this package wrote; nothing in it is executed.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

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
    path = Path(folder) / _FILE
    if not path.is_file():
        raise SourceError(f"{folder} holds no {_FILE}; save a model of transformers there with save_pretrained")
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise ModelError(f"{type(network).__name__} has no backbone to load weights into; leave `weights` out, or take "
                         "segformer or upernet")  # fmt: skip
    kind: Any = type(backbone)
    try:
        # transformers itself knows under which names its versions stored a layer
        loaded, info = kind.from_pretrained(str(folder), config=backbone.config, ignore_mismatched_sizes=True,
                                            output_loading_info=True, local_files_only=True, use_safetensors=True)  # fmt: skip
    except (OSError, ValueError, RuntimeError) as err:
        raise SourceError(f"{path} cannot be read as weights of {kind.__name__}: {err}") from err
    other = {name: (tuple(stored), tuple(wanted)) for name, stored, wanted in info["mismatched_keys"]}
    first = [n for n, (stored, wanted) in other.items() if _is_first_layer(n, stored, wanted)][:1]
    wrong = [f"{n} is {stored}, expected {wanted}" for n, (stored, wanted) in sorted(other.items()) if n not in first]
    wrong += [f"{n} is lacking" for n in sorted(info["missing_keys"]) if n not in other]
    if wrong:
        raise ModelError(f"{path} does not fit {type(network).__name__}: {'; '.join(wrong[:8])}"
                         f"{f'; and {len(wrong) - 8} more' if len(wrong) > 8 else ''}; give the network the checkpoint's sizes "
                         "(width, depth), or another checkpoint")  # fmt: skip
    weights = loaded.state_dict()
    for name in first:
        weights[name] = _adapt(_find_stored(path, other[name][0]), weights[name].shape)
        log.info("%s: %s adapted to the stem's channels", path, name)
    backbone.load_state_dict(weights)
    return first


def _is_first_layer(name: str, stored: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a layer is the convolution that sees the bands, and differs in their number alone."""
    return "embed" in name and len(stored) == 4 and stored[0] == wanted[0] and stored[2:] == wanted[2:]


def _find_stored(path: Path, shape: tuple[int, ...]) -> Tensor:
    from safetensors.torch import load_file

    return next(t for name, t in load_file(str(path)).items() if tuple(t.shape) == shape and "embed" in name)


def _adapt(kernel: Tensor, shape: torch.Size) -> Tensor:
    """Average a kernel over the channels of the checkpoint; scaled, so that the sum over the channels stays."""
    mean = kernel.mean(dim=1, keepdim=True) * (kernel.shape[1] / shape[1])
    return mean.expand(shape).to(torch.float32).clone()
