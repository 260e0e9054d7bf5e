"""What a block of a network on chips takes: strips of imagery and of sums, never the block's values as a whole.

Receives a card and cubes; hands on bytes and block sizes for `memory.plan_memory`.
"""

from __future__ import annotations

from landweave.grid import geobox_of, is_nested
from landweave.types import CubeSet, ModelCard

__all__ = ["MIN_STRIDES", "chip_block_bytes", "chip_sides"]

MIN_STRIDES = 16
"""A network's block spans at least so many steps, as each chip at its edge is computed by the neighbour too."""
_MOST_STRIDES = 32
"""More would save little (1.13 chips are computed per step of 32 x 32) and lose more work in a crash."""
_MOST_PX = 4096


def chip_sides(stride: int) -> list[int]:
    """Give the sides worth considering, largest first: whole steps, from twice the least down to it."""
    sides = [k * stride for k in (_MOST_STRIDES, 24, MIN_STRIDES)]
    return [s for s in sides if s <= max(_MOST_PX, MIN_STRIDES * stride)]


def chip_block_bytes(card: ModelCard, cubes: CubeSet, side: int, *, margin_px: int = 0) -> int:
    """Give the bytes of one block under way, without the network's own.

    Args:
        card: Of a network on chips.
        cubes: What is mapped.
        side: Of the block, in pixels.
        margin_px: Predicted around it besides, for smoothing.
    """
    per_px = 0.0  # values and mask on the pixels of the output grid
    for spec in card.inputs:
        if spec.name in cubes.cubes:
            ratio = is_nested(geobox_of(cubes[spec.name]), cubes.geobox) or 1
            per_px += 4 * (spec.n_steps or 1) * (len(spec.bands) + 1) / ratio**2
    chip, k = card.chip_size_px or 1, len(card.classes)
    inner = min(side, max(cubes.geobox.shape)) + 2 * margin_px
    batch = card.batch_shape[0] if card.batch_shape else 1
    strip = 3.5 * chip * (inner + 2 * card.context_px) * per_px  # the rows, and new ones while they are read and masked
    sums = 2 * 4 * (k + 1) * chip * inner
    batches = 4 * batch * chip**2 * (per_px + 4 * k)
    products = (k + 6) * inner**2 + (16 * k * inner**2 if margin_px else 0)
    return int(strip + sums + batches + products)
