"""Chips straight from cubes: windows around labelled pixels, drawn by class and stratum, cut from cached decoded blocks.

Receives cubes with the labels of one fold; hands on chips, epoch by epoch. Nothing is cut to disk beforehand. The chips of an
epoch depend on (seed, epoch) alone: that pair is the whole state, so that a resumed run sees what an unbroken one would.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from landweave.errors import CubeError, GridError, ModelError, SampleError
from landweave.grid import Window, geobox_of, is_nested
from landweave.models.deep.labels import LabelGrid
from landweave.models.deep.sampler_cache import BlockCache, Pixels
from landweave.models.deep.sampler_options import SamplerOptions
from landweave.types import CubeSet, ModelInput

__all__ = ["Chip", "ChipPlace", "ChipSampler", "ChipSource", "find_ratios", "tile_places"]

_CELL_PX = 64
"""Side of the cells in which labelled pixels are counted; a pixel is drawn by cell first, so that no list of them is kept."""


@dataclass(frozen=True)
class ChipSource:
    """Cubes and the labels on their output grid: one area, one season.

    Attributes:
        cubes: The cubes; an optional one may be missing.
        labels: Labels of the fold that is sampled; -1 everywhere else.
    """

    cubes: CubeSet
    labels: LabelGrid


@dataclass(frozen=True, slots=True, order=True)
class ChipPlace:
    """Where a chip is: which source, and the row and column of its first pixel on the output grid (may be negative)."""

    source: int
    row: int
    col: int


@dataclass(frozen=True)
class Chip:
    """What a network sees at once, and what it should say.

    Attributes:
        place: Where it is.
        inputs: Input name -> pixels on the input's own grid; a missing optional input is invalid throughout.
        target: class_index (y, x), int16 on the output grid; -1 is ignored.
    """

    place: ChipPlace
    inputs: dict[str, Pixels]
    target: NDArray[np.int16]


def find_ratios(cubes: CubeSet, inputs: Sequence[ModelInput]) -> tuple[int, ...]:
    """Give for each input how many pixels of the output grid one of its pixels spans (1 for a missing optional one).

    Raises:
        GridError: If a cube does not nest on the output grid.
        CubeError: If a required input has no cube.
    """
    ratios = []
    for spec in inputs:
        if spec.name not in cubes.cubes:
            if spec.required:
                raise CubeError(f"network reads the cube {spec.name!r}, there are {', '.join(cubes.cubes) or 'none'}; "
                                "name the sources as in training")  # fmt: skip
            ratios.append(1)
            continue
        grid = geobox_of(cubes[spec.name])
        ratio = is_nested(grid, cubes.geobox)
        if ratio is None:
            raise GridError(f"cube {spec.name!r} (pixel {grid.affine.a:g}) does not nest on the output grid (pixel "
                            f"{cubes.geobox.affine.a:g}); load both with load_cube in one call")  # fmt: skip
        ratios.append(ratio)
    return tuple(ratios)


class ChipSampler:
    """Draws chips around labelled pixels.

    A class is drawn by its weight, then a stratum-weighted cell of pixels, then a pixel of that class in it, which comes to lie
    anywhere within the chip. All labels of the source inside the chip are its target: an epoch sees a pixel as often as chips
    cover it. Chips are handed out so that those of neighbouring blocks follow each other where the cache cannot hold all.

    Attributes:
        inputs: What each chip holds, in order.
        ratios: Pixels of the output grid per pixel of each input.
        options: Size, number and balance of the chips.
        cache: Decoded blocks.
    """

    def __init__(
        self, sources: Sequence[ChipSource], inputs: Sequence[ModelInput], *, options: SamplerOptions,
        cache: BlockCache | None = None,
    ) -> None:  # fmt: skip
        """Take sources of one legend; a source with fewer time steps than the inputs say is padded with invalid ones.

        Raises:
            SampleError: If no source has a label, or strata are weighted that do not exist.
            GridError: If cubes do not nest, or a chip is no whole number of coarse pixels.
            CubeError: If a required input is missing, has other bands or more time steps.
        """
        if not sources:
            raise SampleError("0 sources to draw chips from; give cubes with labels")
        self.sources, self.inputs, self.options = tuple(sources), tuple(inputs), options
        self.ratios = _common_ratios(self.sources, self.inputs)
        step = math.lcm(*self.ratios)
        if options.chip_size_px % step or options.block_px % step:
            raise GridError(f"chip_size_px {options.chip_size_px} and block_px {options.block_px} must be multiples of {step}, "
                            "the size of the coarsest input's pixel in pixels of the finest")  # fmt: skip
        self.step = step
        self.cache = cache or make_cache(self.sources, self.inputs, self.ratios, options)
        self.n_classes = len(self.sources[0].labels.legend)
        self._cells = _count_cells(self.sources, self.n_classes, options.stratum_weights)
        if self._cells.total.sum() == 0:
            raise SampleError("no labelled pixel to draw chips from (all are -1, or their strata have weight 0); check the "
                              "labels of this fold")  # fmt: skip

    def __len__(self) -> int:
        """Chips per epoch."""
        if self.options.chips_per_epoch is not None:
            return self.options.chips_per_epoch
        cells = int((self._cells.counts.sum(axis=1) > 0).sum())
        return int(np.clip(math.ceil(cells * _CELL_PX**2 / self.options.chip_size_px**2), 64, 512))

    @cached_property
    def class_shares(self) -> NDArray[np.float64]:
        """How often a chip is drawn for each class (K,), summing to 1."""
        n = self._cells.total
        power = {"class": 0.0, "sqrt": 0.5, "none": 1.0}[self.options.balance]
        weight = np.where(n > 0, np.maximum(n, 1e-12) ** power, 0.0)
        return np.asarray(weight / weight.sum())

    def plan(self, epoch: int) -> list[ChipPlace]:
        """Give the places of an epoch's chips, in the order in which they are read."""
        rng = np.random.default_rng([self.options.seed, epoch])
        classes = rng.choice(self.n_classes, size=len(self), p=self.class_shares)
        return self._order([self._draw(int(c), rng) for c in classes], rng)

    def epoch(self, number: int) -> Iterator[Chip]:
        """Read the chips of an epoch."""
        for place in self.plan(number):
            yield self.read(place)

    def read(self, place: ChipPlace) -> Chip:
        """Cut one chip out of the sources.

        Raises:
            SourceError: If a file cannot be read; names it.
        """
        source = self.sources[place.source]
        window = Window(place.row, place.col, self.options.chip_size_px, self.options.chip_size_px)
        inputs = {}
        for spec, ratio in zip(self.inputs, self.ratios, strict=True):
            own = Window(window.row // ratio, window.col // ratio, window.height // ratio, window.width // ratio)
            inputs[spec.name] = self._read_input(place.source, spec, own)
        return Chip(place, inputs, source.labels.read(window))

    def _read_input(self, source: int, spec: ModelInput, window: Window) -> Pixels:
        lead = (len(spec.bands),) if spec.n_steps is None else (spec.n_steps, len(spec.bands))
        if spec.name not in self.sources[source].cubes.cubes:
            size = (window.height, window.width)
            return Pixels(np.zeros((*lead, *size), np.float32), np.zeros((*lead[:-1], *size), np.uint8))
        pixels = self.cache.read(source, spec.name, window)
        if spec.n_steps is None or len(pixels.values) == spec.n_steps:
            return pixels
        more = spec.n_steps - len(pixels.values)
        return Pixels(np.pad(pixels.values, ((0, more), (0, 0), (0, 0), (0, 0))),
                      np.pad(pixels.valid, ((0, more), (0, 0), (0, 0))))  # fmt: skip

    def _draw(self, class_index: int, rng: np.random.Generator) -> ChipPlace:
        """Draw a place whose chip holds a pixel of a class."""
        cells, size = self._cells, self.options.chip_size_px
        cumulative = cells.cumulative[:, class_index]
        k = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        source, top, left = (int(v) for v in cells.at[min(k, len(cells.at) - 1)])
        labels = self.sources[source].labels
        part = labels.index[top : top + _CELL_PX, left : left + _CELL_PX] == class_index
        weights = _pixel_weights(labels, top, left, self.options.stratum_weights)
        rows, cols = np.nonzero(part if weights is None else part & (weights > 0))
        p = None if weights is None else weights[rows, cols] / weights[rows, cols].sum()
        pixel = int(rng.choice(len(rows), p=p))
        row, col = top + int(rows[pixel]), left + int(cols[pixel])
        return ChipPlace(source, *(self._start(at, int(rng.integers(size)), n)
                                   for at, n in zip((row, col), labels.index.shape, strict=True)))  # fmt: skip

    def _start(self, pixel: int, offset: int, length: int) -> int:
        """Place a chip so that `pixel` lies `offset` pixels into it, at most a quarter outside the grid."""
        size, step = self.options.chip_size_px, self.step
        overhang = size // 4
        low, high = -overhang, max(-overhang, length + overhang - size)
        start = min(max(pixel - offset, low), high)
        start = (start // step) * step
        return start if start + size > pixel else start + step

    def _order(self, places: list[ChipPlace], rng: np.random.Generator) -> list[ChipPlace]:
        """Shuffle; where the blocks do not all fit into the cache, only within groups of blocks that do."""
        side = self.options.block_px
        home = np.array([(p.source, max(p.row, 0) // side, max(p.col, 0) // side) for p in places])
        blocks, of = np.unique(home, axis=0, return_inverse=True)
        per_group = max(1, int(self.cache.max_bytes / max(1, 4 * self._block_bytes)))  # a chip may touch four blocks
        group_of_block = np.argsort(rng.permutation(len(blocks))) // per_group
        group = group_of_block[of.reshape(-1)]
        order = np.lexsort((rng.random(len(places)), group))
        return [places[i] for i in order]

    @property
    def _block_bytes(self) -> int:
        total = 0.0
        for spec, ratio in zip(self.inputs, self.ratios, strict=True):
            per_pixel = (spec.n_steps or 1) * (4 * len(spec.bands) + 1)
            total += per_pixel * (self.options.block_px / ratio) ** 2
        return int(total)


def make_cache(
    sources: Sequence[ChipSource], inputs: Sequence[ModelInput], ratios: Sequence[int], options: SamplerOptions
) -> BlockCache:
    """Make a cache over the sources' cubes; samplers of several folds may share it."""
    cubes = {(s, i.name): source.cubes[i.name].sel(band=list(i.bands))
             for s, source in enumerate(sources) for i in inputs if i.name in source.cubes.cubes}  # fmt: skip
    return BlockCache(cubes, max_bytes=options.cache_mb * 2**20, block_px=options.block_px // min(ratios))


def tile_places(labels: LabelGrid, chip_size_px: int, *, source: int = 0) -> list[ChipPlace]:
    """Give the places of chips side by side that hold at least one label; for validation, which sees each label once."""
    rows, cols = labels.index.shape
    starts = [(r, c) for r in range(0, rows, chip_size_px) for c in range(0, cols, chip_size_px)]
    return [ChipPlace(source, r, c) for r, c in starts if (labels.index[r : r + chip_size_px, c : c + chip_size_px] >= 0).any()]


# --- checks and counts ---------------------------------------------------------------------------------------------------


def _common_ratios(sources: Sequence[ChipSource], inputs: Sequence[ModelInput]) -> tuple[int, ...]:
    found = [find_ratios(s.cubes, inputs) for s in sources]
    for number, (source, ratios) in enumerate(zip(sources, found, strict=True)):
        if ratios != found[0]:
            raise GridError(f"source {number} has resolution ratios {ratios}, source 0 has {found[0]}; load all alike")
        if source.labels.legend.names != sources[0].labels.legend.names:
            raise ModelError(f"source {number} has the classes {', '.join(source.labels.legend.names)}, source 0 has "
                             f"{', '.join(sources[0].labels.legend.names)}; use one legend")  # fmt: skip
        if tuple(source.labels.geobox.shape) != tuple(source.cubes.geobox.shape):
            raise GridError(f"labels of source {number} have {tuple(source.labels.geobox.shape)} pixels, its cubes' output "
                            f"grid {tuple(source.cubes.geobox.shape)}; make the labels on cubes.geobox")  # fmt: skip
        _check_bands(source.cubes, inputs)
    return found[0]


def _check_bands(cubes: CubeSet, inputs: Sequence[ModelInput]) -> None:
    for spec in inputs:
        if spec.name not in cubes.cubes:
            continue
        cube = cubes[spec.name]
        has = [str(b) for b in cube["band"].values]
        missing = [b for b in spec.bands if b not in has]
        if missing:
            raise CubeError(f"cube {spec.name!r} lacks the band {missing[0]!r}, which the network reads; it has "
                            f"{', '.join(has)}")  # fmt: skip
        steps = cube.sizes.get("time")
        if (steps is None) != (spec.n_steps is None) or (steps or 0) > (spec.n_steps or 0):
            raise CubeError(f"cube {spec.name!r} has {steps or 'no'} time steps, the network reads {spec.n_steps or 'none'}; "
                            "choose the same dates, or the same season's steps")  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """Labelled pixels by cell: where each cell is (source, row, col), its weighted counts (cell, K), and sums of them."""

    at: NDArray[np.int64]
    counts: NDArray[np.float64]

    @cached_property
    def cumulative(self) -> NDArray[np.float64]:
        return np.cumsum(self.counts, axis=0)

    @property
    def total(self) -> NDArray[np.float64]:
        return np.asarray(self.counts.sum(axis=0))


def _count_cells(sources: Sequence[ChipSource], n_classes: int, stratum_weights: dict[int, float]) -> _Cells:
    at, counts = [], []
    for s, source in enumerate(sources):
        labels = source.labels
        for top in range(0, labels.index.shape[0], _CELL_PX):
            for left in range(0, labels.index.shape[1], _CELL_PX):
                part = labels.index[top : top + _CELL_PX, left : left + _CELL_PX]
                rows, cols = np.nonzero(part >= 0)
                if not len(rows):
                    continue
                weights = _pixel_weights(labels, top, left, stratum_weights)
                at.append((s, top, left))
                counts.append(np.bincount(part[rows, cols].astype(np.int64), minlength=n_classes,
                                          weights=None if weights is None else weights[rows, cols]))  # fmt: skip
    if not at:
        return _Cells(np.zeros((0, 3), np.int64), np.zeros((0, n_classes)))
    return _Cells(np.array(at, dtype=np.int64), np.array(counts, dtype=np.float64))


def _pixel_weights(labels: LabelGrid, top: int, left: int, weights: dict[int, float]) -> NDArray[np.float64] | None:
    """Give the weight of the pixels of a cell by their stratum; None where all are 1."""
    if not weights:
        return None
    if labels.stratum is None:
        raise SampleError(f"strata {', '.join(map(str, weights))} are weighted, but the labels have no strata; give them "
                          "a stratum per pixel, or leave stratum_weights out")  # fmt: skip
    part = labels.stratum[top : top + _CELL_PX, left : left + _CELL_PX]
    table = np.ones(max(int(part.max()), max(weights), 0) + 2)
    for number, weight in weights.items():
        table[number] = weight
    return np.asarray(table[part])
