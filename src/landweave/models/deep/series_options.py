"""The parameters of series networks as one flat table, as they stand under `model.params`; importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from landweave.errors import ModelError
from landweave.models.deep.encoders import find_encoder
from landweave.models.deep.options import TrainOptions
from landweave.types import Options

__all__ = ["FUSION_DEFAULTS", "SeriesOptions", "list_params", "read_params"]

FUSION_DEFAULTS: Mapping[str, Any] = {
    "encoder": "ltae", "encoder_params": {}, "strategy": "feature", "merge": "gated", "merge_width": 64,
}  # fmt: skip
_AUGMENTATION = {"date_dropout": 0.0, "shift_steps": 0, "jitter": 0.0, "brightness": 0.0, "sensor_dropout": 0.0, "mixup": 0.0,
                 "cutmix": 0.0}  # fmt: skip
_NOT_PARAMS = frozenset({"seed", "monitor", "maximize"})


class SeriesOptions(Options):
    """What belongs to the estimator around the network."""

    n_members: int = Field(1, ge=1, description="Networks of other seeds whose probabilities are averaged.")
    validation_share: float = Field(0.15, ge=0, lt=0.6, description="Rows held out by groups to choose the epoch; 0: the last.")
    min_batches: int = Field(25, ge=1, description="About as many batches per epoch: small tables are passed over again.")
    balance: float = Field(0.0, ge=0, le=1, description="Classes are drawn by n^-balance: 0 as they are, 1 all as often.")
    co_teaching: float = Field(0.0, ge=0, lt=1, description="Share of wrong labels that two networks hide from each other.")
    folder: str | None = Field(None, description="Where checkpoints and logs go; a run that was killed continues from there.")


def list_params(encoder: str | None) -> dict[str, Any]:
    """Give every parameter of a family with its default; None is the family `fusion`."""
    own = dict(FUSION_DEFAULTS) if encoder is None else dict(find_encoder(encoder).defaults)
    train = {k: v for k, v in TrainOptions().model_dump().items() if k not in _NOT_PARAMS}
    return {**own, **SeriesOptions().model_dump(), **_AUGMENTATION, **train}


def read_params(
    params: Mapping[str, Any], encoder: str | None, seed: int
) -> tuple[dict[str, Any], SeriesOptions, dict[str, Any], TrainOptions]:
    """Sort flat parameters: network's, estimator's, augmentation's, trainer's.

    Raises:
        ModelError: If a value is out of range; the message names the parameter.
    """
    own = FUSION_DEFAULTS if encoder is None else find_encoder(encoder).defaults
    try:
        series = SeriesOptions(**{k: params[k] for k in SeriesOptions.model_fields if k in params})
        train = TrainOptions(**{k: params[k] for k in TrainOptions.model_fields.keys() - _NOT_PARAMS if k in params}, seed=seed)
    except ValueError as err:
        raise ModelError(_explain(err)) from err
    network = {k: params.get(k, v) for k, v in own.items()}
    return network, series, {k: params[k] for k in _AUGMENTATION if k in params}, train


def _explain(err: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(err, ValidationError):
        return str(err)
    first = err.errors()[0]
    return f"parameter {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}"
