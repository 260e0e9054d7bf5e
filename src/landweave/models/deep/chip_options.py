"""The parameters of image networks as one flat table, as they stand under `model.params`; importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError

from landweave.errors import ModelError
from landweave.models.deep.options import TrainOptions
from landweave.models.deep.sampler_options import SamplerOptions
from landweave.types import Options

__all__ = ["ChipAugmentation", "ChipOptions", "ChipParams", "list_params", "read_params"]

_NOT_PARAMS = frozenset({"seed", "monitor", "maximize"})
_TRAIN_DEFAULTS: dict[str, Any] = {"epochs": 40, "batch_size": 8, "learning_rate": 3e-3, "patience": 10, "ema": 0.97}
"""Chips are few and large: smaller batches, fewer epochs, a shorter average than for rows."""


class ChipOptions(Options):
    """How chips are laid over a map, and what is held out while training."""

    stride_px: int | None = Field(None, ge=1, description="Step from chip to chip in the map; half of chip_size_px by default.")
    blend: Literal["hann", "cosine", "none"] = Field("hann", description="How overlapping chips are weighted in the map.")
    validation_share: float = Field(
        0.2, ge=0, lt=0.6, description="Share of labels held out by blocks to choose the epoch; 0 keeps the last epoch."
    )
    validation_block_px: int | None = Field(None, ge=2, description="Side of those blocks; chip_size_px by default.")
    validation_buffer_px: int = Field(0, ge=0, description="Training labels this near to a validation block are left out.")
    all_labels: bool = Field(
        False, description="Train on every labelled pixel of samples.reference, not only on the rows drawn from it."
    )
    folder: str | None = Field(None, description="Where checkpoints and logs go; a run that was killed continues from there.")
    weights: str | None = Field(
        None, description="Folder to start from: a model of ours that kept its weights, or a backbone; random by default."
    )
    keep_weights: bool | None = Field(
        None, description="Keep the torch weights in the model folder, to start other trainings from; by default up to 20 MB."
    )
    optional_inputs: tuple[str, ...] = Field(
        (), description="Inputs that a map may lack; sensor_dropout teaches a network to do without them."
    )


class ChipAugmentation(Options):
    """How much training chips are changed; 0 or none leaves them. Validation chips never are."""

    dihedral: bool = Field(True, description="Turn and mirror chips.")
    scale: float = Field(0.0, ge=0, lt=0.8, description="Chips are shrunk or enlarged (and cropped) by up to this share.")
    jitter: float = Field(0.0, ge=0, description="Noise per value, in standard deviations of the chip's band.")
    brightness: float = Field(0.0, ge=0, description="Offset per chip and band, in standard deviations of the chip's band.")
    date_dropout: float = Field(0.0, ge=0, lt=1, description="Highest share of a chip's dates that is hidden.")
    shift_steps: int = Field(0, ge=0, description="Series are moved by up to this many steps, either way; edges become gaps.")
    sensor_dropout: float = Field(0.0, ge=0, lt=1, description="Probability that an input is hidden; one is always left.")
    clouds: float = Field(0.0, ge=0, lt=1, description="Highest share of a date of reflectance that pasted gaps cover.")
    mix: Literal["none", "cutmix", "classmix"] = Field(
        "none", description="Paste a rectangle (arXiv:1905.04899) or half of the classes (arXiv:2007.07936) of another chip."
    )
    mix_share: float = Field(0.5, ge=0, le=1, description="Share of chips into which `mix` pastes.")


@dataclass(frozen=True)
class ChipParams:
    """Flat parameters, sorted by who takes them."""

    network: dict[str, Any]
    chips: ChipOptions
    sampler: SamplerOptions
    augment: ChipAugmentation
    train: TrainOptions


def list_params(network: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """Give every parameter of a family with its default.

    Args:
        network: The network's own parameters.
        **changed: Defaults that differ for this network.
    """
    train = {**TrainOptions().model_dump(), **_TRAIN_DEFAULTS}
    others = {**ChipOptions().model_dump(), **SamplerOptions().model_dump(), **ChipAugmentation().model_dump(), **train}
    flat = {**network, **{k: v for k, v in others.items() if k not in _NOT_PARAMS}}
    return {**flat, **changed}


def read_params(params: Mapping[str, Any], network: Mapping[str, Any], seed: int) -> ChipParams:
    """Sort completed flat parameters.

    Args:
        params: Every parameter of the family.
        network: The network's own parameters, by name.
        seed: Seed of weights, chips and dropout.

    Raises:
        ModelError: If a value is out of range; the message names the parameter.
    """
    try:
        made: list[Any] = [kind(**{k: params[k] for k in kind.model_fields if k in params and k not in _NOT_PARAMS})
                           for kind in (ChipOptions, SamplerOptions, ChipAugmentation, TrainOptions)]  # fmt: skip
    except ValidationError as err:
        first = err.errors()[0]
        raise ModelError(f"parameter {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}") from err
    chips, sampler, augment, train = made
    own = {k: params[k] for k in network}
    return ChipParams(own, chips, sampler.model_copy(update={"seed": seed}), augment, train.model_copy(update={"seed": seed}))
