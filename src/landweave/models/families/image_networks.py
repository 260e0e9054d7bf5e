"""Image networks besides U-Net: each maps chips of any cubes; see docs/networks-images.md for which to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from landweave.models.deep.chip_options import list_params
from landweave.models.families._chips import register_chips
from landweave.models.registry import ChipContext

PYRAMID: Mapping[str, Any] = {"width": 16, "stem_width": 64, "attention": "none", "dropout": 0.1}


def _builder(name: str, module: str, function: str = "build") -> Callable[[ChipContext], Any]:
    """Give what makes a network; torch is imported when it is called."""

    def build(context: ChipContext) -> Any:
        from landweave.models.deep import load_deep

        return getattr(load_deep(module, f"training {name}"), function)(context)

    return build


def _register(name: str, title: str, where: tuple[str, str], network: Mapping[str, Any], source: str) -> None:
    register_chips(name, f"{title} (chips)", _builder(name, *where), list_params(network), source)


_register("segformer", "SegFormer", ("image_segformer", "build"), {"width": 24, "depth": 2, "stem_width": 24, "dropout": 0.1},
          "Xie et al. 2021, arXiv:2105.15203")  # fmt: skip
_register("fpn", "Feature pyramid network", ("image_pyramids", "build_fpn"), PYRAMID, "Lin et al. 2017, arXiv:1612.03144")
_register("deeplab", "DeepLabV3+", ("image_pyramids", "build_deeplab"), PYRAMID, "Chen et al. 2018, arXiv:1802.02611")
_register("dual-unet", "Two encoders for two sensors", ("image_dual", "build"), PYRAMID, "own design after two-branch networks")
_register("upernet", "UPerNet over ConvNeXt, Swin or DINOv2", ("image_upernet", "build"),
          {"backbone": "convnext", "width": 24, "depth": 2, "stem_width": 24},
          "Xiao et al. 2018, arXiv:1807.10221")  # fmt: skip
_register("utae", "U-TAE, for image series", ("image_series", "build_utae"),
          {"width": 16, "depth": 3, "n_heads": 8, "key_size": 4}, "Garnot and Landrieu 2021, arXiv:2107.07933")  # fmt: skip
_register("unet-3d", "3-D U-Net, for image series", ("image_series", "build_unet3d"), {"width": 12, "depth": 2},
          "Cicek et al. 2016, arXiv:1606.06650")  # fmt: skip
_register("convlstm", "Convolutional LSTM, for image series", ("image_series", "build_convlstm"), {"width": 12},
          "Shi et al. 2015, arXiv:1506.04214")  # fmt: skip
