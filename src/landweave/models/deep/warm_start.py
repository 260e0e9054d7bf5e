"""Trainings that start from an earlier one: torch weights kept in our model folders, or a backbone of transformers.

Receives a network and a folder; what fits is taken over, what does not is listed. Nothing in the folder is executed.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from landweave.errors import ModelError, SourceError
from landweave.io.model_folder import read_model_folder
from landweave.models.chip_model import TORCH_WEIGHTS
from landweave.models.deep.image_parts import ImageNetwork
from landweave.types import ModelInput

__all__ = ["load_model_weights", "pack_weights", "start_from"]

log = logging.getLogger(__name__)
SMALL_BYTES = 20 << 20
"""Weights up to this size are kept unless told otherwise."""
_HEAD = "head."


def pack_weights(network: ImageNetwork, *, keep: bool | None) -> bytes | None:
    """Give the weights of a network as safetensors; None where they are not to be kept (None: where they are large)."""
    from safetensors.torch import save

    state = {name: t.detach().cpu().contiguous().clone() for name, t in network.state_dict().items()}
    size = sum(t.numel() * t.element_size() for t in state.values())
    if keep is False or (keep is None and size > SMALL_BYTES):
        return None
    return bytes(save(state))


def start_from(network: ImageNetwork, name: str, folder: Path | str) -> None:
    """Take weights from a folder: a model of ours where it has a `card.json`, else the backbone of a checkpoint.

    Raises:
        SourceError: If the folder holds neither.
        ModelError: If the weights do not fit; lists the differences.
    """
    from landweave.models.deep.image_weights import load_backbone

    if (Path(folder) / "card.json").is_file():
        load_model_weights(network, name, folder)
    else:
        load_backbone(network, folder)


def load_model_weights(network: ImageNetwork, name: str, folder: Path | str) -> list[str]:
    """Take all weights, and the normalisation that they were trained with, from a model folder.

    Args:
        network: Of the same family and inputs; its last layer may tell other classes apart, and then starts anew.
        name: Name of its family.
        folder: What `save_model` wrote.

    Returns:
        The layers that start anew.

    Raises:
        SourceError: If it is no model folder, or kept no weights.
        ModelError: If family, inputs or layers differ; lists the differences.
    """
    from safetensors.torch import load

    stored = read_model_folder(folder)
    if TORCH_WEIGHTS not in stored.blobs:
        raise SourceError(f"{folder} holds {stored.card.model} without torch weights, from which training could go on; train "
                          "it with keep_weights: true")  # fmt: skip
    wrong = [] if stored.card.model == name else [f"it is {stored.card.model}, expected {name}"]
    wrong += _compare_inputs(stored.card.inputs, network.inputs)
    state = load(stored.blobs[TORCH_WEIGHTS])
    mine = network.state_dict()
    other = {n for n in mine if n in state and state[n].shape != mine[n].shape}
    anew = sorted(n for n in other if n.startswith(_HEAD))
    wrong += [f"{n} is {tuple(state[n].shape)}, expected {tuple(mine[n].shape)}" for n in sorted(other - set(anew))]
    wrong += [f"{n} is lacking" for n in sorted(set(mine) - set(state))]
    wrong += [f"{n} has no place" for n in sorted(set(state) - set(mine))]
    if wrong:
        more = f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        listed = "; ".join(wrong[:8]) + more
        raise ModelError(f"the model in {folder} does not fit {name} with these parameters and cubes: {listed}; "
                         "give the same parameters and sources, or leave `weights` out")  # fmt: skip
    kept: dict[str, Tensor] = {n: t for n, t in state.items() if n not in anew}
    with torch.no_grad():
        network.load_state_dict(kept, strict=False)
    if anew:
        log.warning("%s tells other classes apart: %s start anew", folder, ", ".join(anew))
    return anew


def _compare_inputs(stored: tuple[ModelInput, ...], wanted: tuple[ModelInput, ...]) -> list[str]:
    told = {i.name: i for i in stored}
    mine = {i.name: i for i in wanted}
    wrong = [f"it reads {n}, which is not here" for n in told if n not in mine]
    for name, spec in mine.items():
        if name not in told:
            wrong.append(f"it does not read {name}")
        elif (told[name].bands, told[name].n_steps) != (spec.bands, spec.n_steps):
            wrong.append(f"{name} had {_say(told[name])}, here {_say(spec)}")
    return wrong


def _say(spec: ModelInput) -> str:
    return f"{', '.join(spec.bands)} ({spec.n_steps or 'no'} dates)"
