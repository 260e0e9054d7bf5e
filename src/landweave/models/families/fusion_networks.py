"""Image networks that join sources of different kinds: fine image and series, tokens, place, revisits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from landweave.models.deep.chip_options import list_params
from landweave.models.families._chips import register_chips
from landweave.models.registry import ChipContext


def _builder(name: str, module: str) -> Callable[[ChipContext], Any]:
    """Give what makes a network; torch is imported when it is called."""

    def build(context: ChipContext) -> Any:
        from landweave.models.deep import load_deep

        return load_deep(module, f"training {name}").build(context)

    return build


def _register(name: str, title: str, module: str, network: Mapping[str, Any], source: str) -> None:
    register_chips(name, f"{title} (chips)", _builder(name, module), list_params(network), source)


_register("vhr-series", "Fine image and satellite series in two branches", "image_vhr",
          {"width": 16, "depth": 3, "stem_width": 64, "dropout": 0.1, "series": "auto", "series_width": 16, "series_depth": 1,
           "n_heads": 4, "key_size": 4},
          "after U-T&T: Garioud et al. 2023, arXiv:2305.14467")  # fmt: skip
_register("token-fusion", "Tokens of imagery and height, fused place by place", "image_tokens",
          {"width": 32, "depth": 2, "stem_width": 24, "n_heads": 4, "dropout": 0.1},
          "after GAMUS: arXiv:2305.14914; layers are our own")  # fmt: skip
_register("metadata-unet", "U-Net that is told where it is", "image_metadata",
          {"width": 16, "depth": 3, "stem_width": 64, "dropout": 0.1, "metadata_inputs": ["place"], "merge": "film",
           "told_width": 16},
          "FiLM: Perez et al. 2018, arXiv:1709.07871")  # fmt: skip
_register("revisits", "U-Net over revisits, fused in latent space", "image_revisits",
          {"width": 16, "depth": 3, "dropout": 0.1, "fuse": "attention"}, "own design")  # fmt: skip
_register("pretrained", "Pre-trained backbone of transformers", "image_pretrained",
          {"backbone": "", "backbone_bands": [], "input": "auto", "tune": "full", "normalise": "card", "gain": None,
           "resize": True, "width": 32, "stem_width": 16, "rank": 8, "k": 20, "memory": 2000},
          "checkpoints of transformers; LoRA: Hu et al. 2021, arXiv:2106.09685")  # fmt: skip
