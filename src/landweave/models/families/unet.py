"""U-Net: maps chips of any cubes, with per-pixel mixing of bands and dates before space comes in."""

from __future__ import annotations

from typing import Any

from landweave.models.deep.chip_options import list_params
from landweave.models.families._chips import register_chips
from landweave.models.registry import ChipContext

NETWORK: dict[str, Any] = {"width": 16, "depth": 3, "stem_width": 64, "attention": "none", "dropout": 0.1}


def build(context: ChipContext) -> Any:
    """Make the network."""
    from landweave.models.deep import load_deep

    return load_deep("image_unet", "training unet").build(context)


register_chips("unet", "U-Net (chips)", build, list_params(NETWORK), "Ronneberger et al. 2015, arXiv:1505.04597")
