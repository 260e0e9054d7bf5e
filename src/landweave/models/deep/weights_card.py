"""What a checkpoint of transformers says about itself: bands, normalisation, size. Nothing of it is ever guessed.

Receives a folder, or the name of a repository on the Hugging Face hub; hands on a `WeightsCard`. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from landweave.errors import ModelError, SourceError
from landweave.io.files import read_json
from landweave.sensors import list_sensors

__all__ = ["WeightsCard", "band_centres", "find_weights", "read_weights_card"]

_CARD, _CONFIG = "preprocessor_config.json", "config.json"
_RGB = ("red", "green", "blue")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FIRST = "sentinel-2-l2a"
"""Whose centres a common name has, where it has the band; sensors differ less from it than bands differ from each other."""


@dataclass(frozen=True)
class WeightsCard:
    """What a checkpoint states.

    Attributes:
        folder: Where it lies.
        bands: Common name of each channel of its first layer.
        mean: Per channel, of the values that the network saw in training; None where not stated.
        std: Likewise.
        is_unit: Whether those values were 0..1 before they were normalised (a processor that rescales counts).
        size_px: Side of the images; None where not stated.
    """

    folder: Path
    bands: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    is_unit: bool
    size_px: int | None


@lru_cache(maxsize=1)
def band_centres() -> Mapping[str, float]:
    """Give the centre of every reflectance band in nanometres by its common name, Sentinel-2's where it has the band."""
    sensors = sorted(list_sensors(), key=lambda s: s.name != _FIRST)
    found: dict[str, float] = {}
    for sensor in sensors:
        for band in sensor.bands:
            if band.center_nm is not None and band.kind == "reflectance":
                found.setdefault(band.name, band.center_nm)
    return found


def find_weights(where: str) -> Path:
    """Give the folder of a checkpoint; a name `owner/name` that is no folder is fetched from the hub, safetensors only.

    Raises:
        SourceError: If there is no such folder, or the hub cannot be reached and holds nothing of it on this machine.
    """
    at = Path(where).expanduser()
    if at.is_dir():
        return at
    if not _HUB_NAME.fullmatch(where) or where.startswith("."):
        raise SourceError(f"backbone {where!r} is no folder; give one that transformers wrote with save_pretrained, or the "
                          "name of a repository on the Hugging Face hub (owner/name)")  # fmt: skip
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(where, allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, ValueError, RuntimeError) as err:
        raise SourceError(f"backbone {where!r} is no folder here and cannot be fetched from the Hugging Face hub "
                          f"({type(err).__name__}); check the name and the network, or download it elsewhere and give the "
                          "folder") from err  # fmt: skip


def read_weights_card(folder: Path, *, bands: tuple[str, ...] = ()) -> WeightsCard:
    """Read `config.json` and `preprocessor_config.json` of a checkpoint.

    Args:
        folder: Where they lie.
        bands: Common names of the channels, for checkpoints that do not state them.

    Raises:
        SourceError: If there is no config.json.
        ModelError: If the channels are not stated and not three (an image processor takes red, green, blue), or their number
            is another than stated; if mean and standard deviation do not fit them.
    """
    if not (folder / _CONFIG).is_file():
        raise SourceError(f"{folder} holds no {_CONFIG}; save a model of transformers there with save_pretrained")
    config = read_json(folder / _CONFIG)
    told = read_json(folder / _CARD) if (folder / _CARD).is_file() else {}
    n = int(config.get("num_channels", 3))
    rgb = _RGB[::-1] if told.get("do_flip_channel_order") else _RGB
    stated = bands or tuple(config.get("bands") or told.get("bands") or (rgb if n == 3 and told else ()))
    if len(stated) != n:
        raise ModelError(f"{folder} has a first layer of {n} channels and names {', '.join(stated) or 'none'}; say which bands "
                         f"they are, in order: `backbone_bands: [red, ...]` with {n} names")  # fmt: skip
    mean, std = (_numbers(told, key, n, folder) for key in ("image_mean", "image_std"))
    normalises = bool(told.get("do_normalize", True))
    return WeightsCard(folder, stated, mean if normalises else None, std if normalises else None,
                       bool(told.get("do_rescale", False)), _size(told, config))  # fmt: skip


def _numbers(told: Mapping[str, Any], key: str, n: int, folder: Path) -> tuple[float, ...] | None:
    values = told.get(key)
    if values is None:
        return None
    if len(values) != n:
        raise ModelError(f"{folder / _CARD} gives {len(values)} numbers as {key} for {n} channels; correct it")
    return tuple(float(v) for v in values)


def _size(told: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """Give the side in pixels: that of the crop, else of the resizing, else of the configuration."""
    crop = told.get("crop_size") if told.get("do_center_crop", True) else None
    for size in (crop, told.get("size"), config.get("image_size")):
        side = next((size[k] for k in ("height", "shortest_edge") if k in size), None) if isinstance(size, dict) else size
        if side is not None:
            return int(side)
    return None
