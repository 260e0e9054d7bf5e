"""Where chips lie, how they blend, and the strip of rows under one row of chips.

Receives windows of the output grid; hands on chips as views of arrays. Chip (i, j) starts at (i * stride - margin,
j * stride - margin) counted from the grid's origin, whatever block asks for it, so that a pixel sees the same chips in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.grid import Window
from landweave.types import Block, ModelInput

__all__ = ["Blend", "BlockReader", "ChipGrid", "Strip", "add_chip", "blend_window"]

Blend = Literal["hann", "cosine", "none"]
"""How overlapping chips are weighted: by sin^2 or sin over their side, or each pixel from the one chip it is central in."""

BlockReader = Callable[[Window], Mapping[str, Block]]
"""Reads a window of the output grid, without halo, from every input that there is."""


@dataclass(frozen=True)
class ChipGrid:
    """The lattice of chips on a grid.

    Attributes:
        chip_px: Side of a chip.
        stride_px: Step from chip to chip.
        blend: How overlapping chips are weighted.
    """

    chip_px: int
    stride_px: int
    blend: Blend = "hann"

    def __post_init__(self) -> None:
        if not 0 < self.stride_px <= self.chip_px or (self.chip_px - self.stride_px) % 2:
            raise ModelError(f"chips of {self.chip_px} px with a stride of {self.stride_px} px leave gaps, or have an odd "
                             "overlap; give a stride of 1 px to the chip's size, less by an even number")  # fmt: skip

    @property
    def margin_px(self) -> int:
        """How far a chip reaches over its own step on each side."""
        return (self.chip_px - self.stride_px) // 2

    @property
    def reach_px(self) -> int:
        """How far the chips that touch a block reach around it; the block begins and ends at whole steps."""
        return self.margin_px + (0 if self.blend == "none" else self._overlap * self.stride_px)

    @property
    def _overlap(self) -> int:
        """Further chips on each side that touch the step of a chip."""
        return -(-self.margin_px // self.stride_px)

    def numbers(self, first: int, end: int) -> range:
        """Give the numbers of the chips along one axis that touch pixels [first, end), or are central in some of them."""
        around = 0 if self.blend == "none" else self.margin_px
        return range((first - around) // self.stride_px, -(-(end + around) // self.stride_px))

    def start(self, number: int) -> int:
        """First pixel of a chip along one axis."""
        return number * self.stride_px - self.margin_px

    @property
    def window(self) -> NDArray[np.float32]:
        """Weights along one axis (chip)."""
        return blend_window(self)


@lru_cache(maxsize=64)
def blend_window(grid: ChipGrid) -> NDArray[np.float32]:
    """Give the weights of a chip's pixels along one axis, float32 (chip), read-only.

    `hann` is sin^2(pi (x + 1/2) / chip), `cosine` is sin of the same; `none` is 1 on the central step and 0 around it. What a
    pixel gets is divided by the sum of its weights, so that only their proportion counts.
    """
    at = (np.arange(grid.chip_px) + 0.5) / grid.chip_px
    weights = np.sin(np.pi * at)
    if grid.blend == "hann":
        weights = weights**2
    elif grid.blend == "none":
        step = np.arange(grid.chip_px) - grid.margin_px
        weights = ((step >= 0) & (step < grid.stride_px)).astype(np.float64)
    made = weights.astype(np.float32)
    made.setflags(write=False)
    return made


@numba.njit(nogil=True, cache=True)
def add_chip(total, weight, proba, columns, window, row, col):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Add one chip's probabilities (column, y, x), weighted, at (row, col) of sums (class, y, x) and weights (y, x).

    What lies outside of the sums is left out; `row` and `col` may be negative.
    """
    chip = window.shape[0]
    height, width = weight.shape
    y0, y1 = max(0, -row), min(chip, height - row)
    x0, x1 = max(0, -col), min(chip, width - col)
    for y in range(y0, y1):
        for x in range(x0, x1):
            weight[row + y, col + x] += window[y] * window[x]
    for k in range(proba.shape[0]):
        sums = total[columns[k]]
        for y in range(y0, y1):
            for x in range(x0, x1):
                sums[row + y, col + x] += window[y] * window[x] * proba[k, y, x]


class Strip:
    """The rows of every input under one row of chips; moves down the block, reading each row once.

    Attributes:
        values: Input -> float32 (..., y, x) on its own pixels, 0 where not observed; inputs that are absent are left out.
        valid: Input -> float32 (time, y, x) or (y, x), 1 where all bands are observed.
        usable: (y, x) on the output grid: enough valid steps in every required input.
    """

    def __init__(
        self, inputs: Sequence[ModelInput], ratios: Mapping[str, int], grid: ChipGrid, read: BlockReader, *, cols: range,
        min_valid_steps: int,
    ) -> None:  # fmt: skip
        self._inputs, self._ratios, self._grid, self._read = inputs, ratios, grid, read
        self._left, self._width = grid.start(cols[0]), (len(cols) - 1) * grid.stride_px + grid.chip_px
        self._min_valid_steps = min_valid_steps
        self._end: int | None = None
        self.values: dict[str, NDArray[np.float32]] = {}
        self.valid: dict[str, NDArray[np.float32]] = {}
        self.usable = np.zeros((0, self._width), dtype=bool)

    def move_to(self, number: int) -> None:
        """Read what is new under the row of chips `number`; the rows go on from those of the row before."""
        end = self._grid.start(number) + self._grid.chip_px
        first = self._grid.start(number) if self._end is None else self._end
        window = Window(first, self._left, end - first, self._width)
        blocks = self._read(window)
        usable = np.ones((window.height, window.width), dtype=bool)
        for spec in self._inputs:
            if spec.name in blocks:
                values, valid = self._take(spec, blocks[spec.name], window)
                if spec.required:
                    usable &= self._count(spec, valid)
                self._roll(self.values, spec.name, values)
                self._roll(self.valid, spec.name, valid)
            elif spec.required:
                raise ModelError(f"model reads the cube {spec.name!r}, the block has {', '.join(sorted(blocks)) or 'none'}; "
                                 "name the sources in the recipe as they were named in training")  # fmt: skip
        self.usable = np.concatenate([self.usable[window.height :], usable]) if self._end is not None else usable
        self._end = end

    def _roll(self, kept: dict[str, NDArray[np.float32]], name: str, new: NDArray[np.float32]) -> None:
        old = kept.get(name)
        kept[name] = new if old is None else np.concatenate([old[..., new.shape[-2] :, :], new], axis=-2)

    def _take(self, spec: ModelInput, block: Block, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        ratio = self._ratios[spec.name]
        bands = (len(spec.bands),) if spec.n_steps is None else (spec.n_steps, len(spec.bands))
        wanted = (*bands, window.height // ratio, window.width // ratio)
        if block.interior.shape != wanted:
            raise ModelError(f"block of {spec.name!r} has shape {block.interior.shape}, the network expects {wanted}; predict "
                             "from a cube with the same bands, steps and pixel size as in training")  # fmt: skip
        values = np.array(block.interior, dtype=np.float32)
        missing = np.isnan(values)
        values[missing] = 0
        valid: NDArray[np.float32] = np.asarray(~missing.any(axis=-3), dtype=np.float32)
        return values, valid

    def _count(self, spec: ModelInput, valid: NDArray[np.float32]) -> NDArray[np.bool_]:
        steps = valid.sum(axis=0) if spec.n_steps is not None else valid
        enough = steps >= min(self._min_valid_steps, spec.n_steps or 1)
        ratio = self._ratios[spec.name]
        return enough if ratio == 1 else enough.repeat(ratio, axis=0).repeat(ratio, axis=1)

    def fill(self, feeds: Mapping[str, NDArray[np.float32]], slot: int, number: int) -> None:
        """Copy one chip of the current row into a slot of a batch; `number` counts from the strip's first chip."""
        for name, values in self.values.items():
            ratio = self._ratios[name]
            at = slice(number * self._grid.stride_px // ratio, (number * self._grid.stride_px + self._grid.chip_px) // ratio)
            feeds[name][slot] = values[..., at]
            feeds[f"{name}_valid"][slot] = self.valid[name][..., at]

    def is_usable(self, number: int) -> Any:
        """Tell whether any pixel of a chip of the current row will be mapped."""
        at = number * self._grid.stride_px
        return self.usable[:, at : at + self._grid.chip_px].any()
