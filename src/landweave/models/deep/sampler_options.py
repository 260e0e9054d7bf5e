"""Options of the chip sampler; importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landweave.types import Options

__all__ = ["SamplerOptions"]


class SamplerOptions(Options):
    """Which chips an epoch consists of."""

    chip_size_px: int = Field(64, ge=8, description="Side of a chip in pixels of the finest input.")
    chips_per_epoch: int | None = Field(
        None, ge=1, description="Chips per epoch; by default as many as cover the labelled area once, 64 to 512."
    )
    balance: Literal["class", "sqrt", "none"] = Field(
        "sqrt", description="Where chips are drawn: class (every class as often), none (every labelled pixel as often), sqrt "
                            "(in between: a class by the root of its size)."
    )  # fmt: skip
    stratum_weights: dict[int, float] = Field(
        default_factory=dict, description="Weight of a stratum by number; 1 where it is not named, 0 leaves it out."
    )
    cache_mb: int = Field(512, ge=0, description="Memory for decoded blocks in MB.")
    block_px: int = Field(256, ge=16, description="Side of a decoded block in pixels of the finest input.")
    seed: int = Field(0, ge=0, description="Seed; with the epoch's number it decides every chip.")
