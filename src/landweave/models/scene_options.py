"""The networks for scenes by name with their parameters; importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from landweave.errors import ModelError
from landweave.legend import suggest_name
from landweave.models.deep.chip_options import ChipAugmentation
from landweave.models.deep.options import TrainOptions
from landweave.types import Options

__all__ = ["SCENE_NETWORKS", "SceneInfo", "SceneOptions", "SceneParams", "find_scene_network", "list_scene_params",
           "read_scene_params"]  # fmt: skip

_BACKBONE: dict[str, Any] = {"width": 16, "depth": 2, "stem_width": 16, "dropout": 0.1, "weights": None}
_NOT_PARAMS = frozenset({"seed", "monitor", "maximize"})
_TRAIN_DEFAULTS: dict[str, Any] = {"epochs": 40, "batch_size": 32, "learning_rate": 2e-3, "patience": 12, "ema": 0.98,
                                   "loss": "auto"}  # fmt: skip


@dataclass(frozen=True)
class SceneInfo:
    """A network for scenes: its title, its own parameters with defaults, where it comes from."""

    title: str
    defaults: Mapping[str, Any]
    source: str


SCENE_NETWORKS: Mapping[str, SceneInfo] = {
    "scene-cnn": SceneInfo("Compact network for scenes", {"width": 24, "attention": "none", "dropout": 0.2}, "own design"),
    "scene-attention": SceneInfo(
        "Balanced multi-task attention", {"width": 24, "depth": [3, 3, 3, 2], "drop_block": 0.2, "dropout": 0.5},
        "Vir 2025, arXiv:2510.15527"),
    "scene-resnet": SceneInfo("ResNet for scenes", _BACKBONE, "He et al. 2016, arXiv:1512.03385"),
    "scene-convnext": SceneInfo("ConvNeXt for scenes", _BACKBONE, "Liu et al. 2022, arXiv:2201.03545"),
    "scene-swin": SceneInfo("Swin for scenes", _BACKBONE, "Liu et al. 2021, arXiv:2103.14030"),
    "scene-dinov2": SceneInfo("DINOv2 for scenes", _BACKBONE, "Oquab et al. 2023, arXiv:2304.07193"),
}  # fmt: skip
"""Every network for scenes."""


class SceneOptions(Options):
    """What belongs to scenes, beside the network, the augmentation and the trainer."""

    stride_px: int | None = Field(None, ge=1, description="Step from chip to chip in a map; the chip's side by default.")
    validation_share: float = Field(0.15, ge=0, lt=0.6, description="Chips held out by groups to choose the epoch.")
    cache_mb: int = Field(1024, ge=0, description="Decoded chips kept in memory up to this.")
    folder: str | None = Field(None, description="Where checkpoints and logs go; a run that was killed continues from there.")


@dataclass(frozen=True)
class SceneParams:
    """Flat parameters, sorted by who takes them."""

    network: dict[str, Any]
    scenes: SceneOptions
    augment: ChipAugmentation
    train: TrainOptions


def find_scene_network(name: str) -> SceneInfo:
    """Give what is known of a network.

    Raises:
        ModelError: If there is none of that name; the message lists them.
    """
    if name not in SCENE_NETWORKS:
        near = suggest_name(name, SCENE_NETWORKS)
        hint = f"did you mean {near!r}? " if near else ""
        raise ModelError(f"no network for scenes named {name!r}; {hint}known: {', '.join(SCENE_NETWORKS)}")
    return SCENE_NETWORKS[name]


def list_scene_params(name: str) -> dict[str, Any]:
    """Give every parameter of a network with its default; the loss `auto` is class-balanced for one label, bce for several."""
    augment = {k: v for k, v in ChipAugmentation().model_dump().items() if k not in ("mix", "mix_share")}
    train = {k: v for k, v in {**TrainOptions().model_dump(), **_TRAIN_DEFAULTS}.items() if k not in _NOT_PARAMS}
    return {**find_scene_network(name).defaults, **SceneOptions().model_dump(), **augment, **train}


def read_scene_params(name: str, params: Mapping[str, Any], seed: int) -> SceneParams:
    """Complete and sort flat parameters.

    Raises:
        ModelError: If a parameter is unknown or out of range; the message names it.
    """
    known = list_scene_params(name)
    unknown = next((k for k in params if k not in known), None)
    if unknown is not None:
        near = suggest_name(unknown, known)
        hint = f"did you mean {near!r}? " if near else ""
        raise ModelError(f"{name} has no parameter {unknown!r}; {hint}it takes {', '.join(sorted(known))}")
    full = {**known, **params}
    try:
        made: list[Any] = [kind(**{k: full[k] for k in kind.model_fields if k in full and k not in _NOT_PARAMS})
                           for kind in (SceneOptions, ChipAugmentation, TrainOptions)]  # fmt: skip
    except ValidationError as err:
        first = err.errors()[0]
        raise ModelError(f"parameter {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}") from err
    own = {k: full[k] for k in find_scene_network(name).defaults}
    return SceneParams(own, made[0], made[1], made[2].model_copy(update={"seed": seed}))
