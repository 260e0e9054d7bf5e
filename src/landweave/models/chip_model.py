"""A network that looks at chips, as the mapping engine sees it: strips of a block in, class probabilities out.

The chips of a block are cut in order, computed in batches of one fixed shape, blended by weights that hang on the grid, and
given out in strips from top to bottom, so that memory grows with a block's width and not with its area.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from landweave.errors import ModelError
from landweave.grid import Window
from landweave.io.files import sha256_json
from landweave.models.chip_contract import check_network, chip_shapes, input_ratios
from landweave.models.chips import Blend, BlockReader, ChipGrid, Strip, add_chip
from landweave.models.engines import Weights
from landweave.models.sessions import ONNXRUNTIME, Runtime, measure_run, open_session, share_pool
from landweave.types import Augment, Block, ModelCard, Options

__all__ = ["CHIPS", "TORCH_WEIGHTS", "ChipModel", "ChipOptions", "make_chip_model", "read_how"]

CHIPS = "chips"
"""What the card calls the engine of these models."""

TORCH_WEIGHTS = "weights.safetensors"
"""What they are called in the model folder."""

_BATCH_PX = 256 * 256
"""Pixels of a batch: small chips are computed several at a time, large ones singly."""

Feeds = dict[str, NDArray[np.float32]]


class ChipOptions(Options):
    """How the chips of a network become a map; `chips.json` in the model folder."""

    blend: Blend = Field("hann", description="How overlapping chips are weighted.")
    augment: Augment | None = Field(None, description="Test-time augmentation.")


def read_how(content: bytes) -> ChipOptions:
    """Read `chips.json`.

    Raises:
        ModelError: If it is not what `save_model` writes.
    """
    try:
        return ChipOptions.model_validate_json(content)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(f"chips.json of the model: {where}: {first['msg']}; train the model again") from err


@dataclass(frozen=True)
class _Place:
    """A chip by its numbers on the lattice."""

    i: int
    j: int


@dataclass(frozen=True)
class ChipModel:
    """A trained network that maps chips; a `types.Predictor`.

    Attributes:
        card: What the model is and needs; states chip, stride, context and batch.
        content: The ONNX file.
        columns: class_index of each class of the network's output.
        blend: How overlapping chips are weighted.
        augment: Test-time augmentation, if any; eight times the work for "dihedral".
        runtime: What computes the network.
        weights: The trained network's torch weights as safetensors, to start other trainings from; None where not kept.
    """

    card: ModelCard
    content: bytes
    columns: tuple[int, ...]
    blend: Blend = "hann"
    augment: Augment | None = None
    runtime: Runtime = ONNXRUNTIME
    weights: bytes | None = field(default=None, repr=False)

    @cached_property
    def sha256(self) -> str:
        """Checksum of the ONNX file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def checksum(self) -> str:
        """What the probabilities depend on besides the card."""
        runtime = [self.runtime.name, self.runtime.precision, self.runtime.device]
        return sha256_json([self.sha256, list(self.columns), self.blend, self.augment, runtime])

    @cached_property
    def grid(self) -> ChipGrid:
        """The lattice of chips."""
        return ChipGrid(self.card.chip_size_px or 0, self.card.stride_px or 0, self.blend)

    @property
    def batch(self) -> int:
        """Chips computed at once, always."""
        return self.card.batch_shape[0] if self.card.batch_shape else 1

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return chip_shapes(self.card.inputs, self.grid.chip_px)

    def to_weights(self) -> Weights:
        """Give what a model folder keeps of it besides the card and the columns."""
        how = ChipOptions(blend=self.blend, augment=self.augment)
        kept = {} if self.weights is None else {TORCH_WEIGHTS: self.weights}
        return Weights(blobs={"model.onnx": self.content, "chips.json": how.model_dump_json().encode(), **kept})

    def measure_bytes(self) -> int:
        """Measure the memory that one batch takes while it is computed; opens the network."""
        return measure_run(self.content, self.runtime, self.make_feeds(self.batch), "proba", sha256=self.sha256)

    def predict_proba(self, blocks: Mapping[str, Block]) -> NDArray[np.float32]:
        """Give class probabilities (class, y, x) for the interior of a block, in legend order; see `types.Predictor`.

        The interior must begin at whole steps of the network, and end there or at the grid's edge.

        Raises:
            ModelError: If a block is missing, has other bands, steps or pixels, or too small a halo; if the network gives NaN.
        """
        ratios = input_ratios(self.card.inputs)
        finest = next((b for n, b in blocks.items() if ratios.get(n) == 1), None)
        if finest is None:
            raise ModelError(f"model reads {', '.join(ratios)}, the block has {', '.join(sorted(blocks)) or 'none'}; name the "
                             "sources in the recipe as they were named in training")  # fmt: skip
        if finest.halo_px < self.grid.reach_px:
            raise ModelError(f"block has a halo of {finest.halo_px} px, the network needs {self.grid.reach_px}; read it with "
                             "halo_px=card.context_px")  # fmt: skip
        read = _reader_of(blocks, ratios)
        return np.concatenate([proba for _, proba in self.predict_strips(read, finest.window)], axis=1)

    def predict_strips(
        self, read: BlockReader, window: Window, *, threads: int = 1
    ) -> Iterator[tuple[Window, NDArray[np.float32]]]:  # fmt: skip
        """Give probabilities (class, y, x) of a window strip by strip, from its top to its bottom.

        Args:
            read: Reads windows around it; each row is asked for once.
            window: Interior on the output grid; begins at whole steps of the network.
            threads: Batches computed at the same time, in threads that all blocks of this process share. Changes no bit.

        Raises:
            ModelError: If the window does not begin at a whole step, a block does not fit, or the network gives NaN; names the
                chip and the block.
        """
        stride = self.grid.stride_px
        if window.row % stride or window.col % stride:
            raise ModelError(f"block begins at row {window.row}, column {window.col}, and the network steps by {stride} px; "
                             f"give a block size that is a multiple of {stride}")  # fmt: skip
        usable = np.zeros((window.height, window.width), dtype=bool)
        sums = _Sums(self.grid, window, len(self.card.classes), np.array(self.columns, dtype=np.int64))
        for places, proba in self._compute(self._cut(read, window, usable), threads):
            self._check(places, proba, window)
            for place, chip in zip(places, proba, strict=False):  # the rest of the batch is padding
                yield from sums.move_to(place.i, usable)
                sums.add(place, chip)
        yield from sums.finish(usable)

    def _cut(self, read: BlockReader, window: Window, usable: NDArray[np.bool_]) -> Iterator[tuple[list[_Place], Feeds]]:
        """Cut chips in order of (i, j) into batches, and note which pixels of the window can be mapped."""
        grid = self.grid
        rows, cols = grid.numbers(window.row, window.row_end), grid.numbers(window.col, window.col_end)
        strip = Strip(self.card.inputs, input_ratios(self.card.inputs), grid, read, cols=cols,
                      min_valid_steps=self.card.min_valid_steps)  # fmt: skip
        places, feeds = list[_Place](), self.make_feeds(self.batch)
        left = window.col - grid.start(cols[0])
        for i in rows:
            strip.move_to(i)
            top = max(grid.start(i), window.row)
            bottom = min(grid.start(i) + grid.chip_px, window.row_end)
            if bottom > top:
                part = strip.usable[top - grid.start(i) : bottom - grid.start(i), left : left + window.width]
                usable[top - window.row : bottom - window.row] = part
            for number, j in enumerate(cols):
                if not strip.is_usable(number):
                    continue
                strip.fill(feeds, len(places), number)
                places.append(_Place(i, j))
                if len(places) == self.batch:
                    yield places, feeds
                    places, feeds = [], self.make_feeds(self.batch)
        if places:
            yield places, feeds

    def make_feeds(self, n: int) -> Feeds:
        """Make the network's inputs for `n` chips, with nothing observed yet: zeros."""
        return {name: np.zeros((n, *shape), dtype=np.float32) for name, shape in self._shapes.items()}

    def _compute(
        self, batches: Iterator[tuple[list[_Place], Feeds]], threads: int
    ) -> Iterator[tuple[list[_Place], NDArray[np.float32]]]:  # fmt: skip
        """Compute batches, and give them in their order."""
        if threads <= 1:
            for places, feeds in batches:
                yield places, self._run(feeds)
            return
        pool = share_pool(threads)
        waiting: deque[tuple[list[_Place], Future[NDArray[np.float32]]]] = deque()
        try:
            for places, feeds in batches:
                waiting.append((places, pool.submit(self._run, feeds)))
                if len(waiting) > threads + 1:
                    places, future = waiting.popleft()
                    yield places, future.result()
            while waiting:
                places, future = waiting.popleft()
                yield places, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

    def _run(self, feeds: Feeds) -> NDArray[np.float32]:
        session = open_session(self.content, self.runtime, sha256=self.sha256)
        if self.augment is None:
            return session.run(feeds, "proba")
        total = session.run(feeds, "proba").astype(np.float32)
        for turn in range(1, 8):
            made = session.run({name: _turn(values, turn) for name, values in feeds.items()}, "proba")
            total += _turn_back(made, turn)
        total /= np.float32(8)
        return total

    def _check(self, places: list[_Place], proba: NDArray[np.float32], window: Window) -> None:
        side = self.grid.chip_px
        block = f"block at row {window.row}, column {window.col} ({window.height} x {window.width} px)"
        wanted = (self.batch, len(self.columns), side, side)
        if proba.shape != wanted:
            raise ModelError(f"network {self.card.model} gave proba of shape {proba.shape} for {block}, expected {wanted}; it "
                             f"does not take chips of {side} px, or its card is another model's")  # fmt: skip
        for place, chip in zip(places, proba, strict=False):
            if not np.isfinite(chip).all():
                raise ModelError(f"network {self.card.model} gave NaN or infinite probabilities in the chip at row "
                                 f"{self.grid.start(place.i)}, column {self.grid.start(place.j)} of the {block}; look at the "
                                 "imagery there, and train with a lower learning rate if its values are sound")  # fmt: skip


class _Sums:
    """Weighted sums of the chips of a block under way: the rows that later chips can still touch."""

    def __init__(self, grid: ChipGrid, window: Window, n_classes: int, columns: NDArray[np.int64]) -> None:
        self._grid, self._window, self._columns = grid, window, columns
        self._total = np.zeros((n_classes, grid.chip_px, window.width), dtype=np.float32)
        self._weight = np.zeros((grid.chip_px, window.width), dtype=np.float32)
        self._i = grid.numbers(window.row, window.row_end)[0]
        self._done = window.row

    def add(self, place: _Place, chip: NDArray[np.float32]) -> None:
        col = self._grid.start(place.j) - self._window.col
        add_chip(self._total, self._weight, np.ascontiguousarray(chip), self._columns, self._grid.window, 0, col)

    def move_to(self, i: int, usable: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """Begin a row of chips; gives the rows of pixels that are finished by it."""
        while self._i < i:
            yield from self._give(self._grid.start(self._i + 1), usable)
            step = self._grid.stride_px
            for sums in (*self._total, self._weight):
                sums[:-step] = sums[step:]
                sums[-step:] = 0
            self._i += 1

    def finish(self, usable: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        last = self._grid.numbers(self._window.row, self._window.row_end)[-1]
        yield from self.move_to(last, usable)
        yield from self._give(self._window.row_end, usable)

    def _give(self, end: int, usable: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        end = min(end, self._window.row_end)
        if end <= self._done:
            return
        top = self._grid.start(self._i)
        rows, known = slice(self._done - top, end - top), usable[self._done - self._window.row : end - self._window.row]
        with np.errstate(invalid="ignore", divide="ignore"):  # no chip touches a pixel without observations
            proba = self._total[:, rows] / self._weight[rows]
        proba[:, ~known] = np.nan
        yield Window(self._done, self._window.col, end - self._done, self._window.width), proba
        self._done = end


def _turn(values: NDArray[Any], turn: int) -> NDArray[Any]:
    """Apply one of the eight turns and mirrorings to the last two axes."""
    mirrored = values[..., ::-1] if turn >= 4 else values
    return np.ascontiguousarray(np.rot90(mirrored, turn % 4, axes=(-2, -1)))


def _turn_back(values: NDArray[Any], turn: int) -> NDArray[Any]:
    back = np.rot90(values, -(turn % 4), axes=(-2, -1))
    return back[..., ::-1] if turn >= 4 else back


def _reader_of(blocks: Mapping[str, Block], ratios: Mapping[str, int]) -> BlockReader:
    """Make a reader of what blocks hold; outside of them there is nothing."""

    def read(window: Window) -> dict[str, Block]:
        found = {}
        for name, block in blocks.items():
            if name in ratios:
                inner = window.scale(ratios[name])
                found[name] = replace(block, values=_take(block, inner), window=inner, halo_px=0)
        return found

    return read


def _take(block: Block, window: Window) -> NDArray[np.float32]:
    outer = block.window.pad(block.halo_px)
    shape = (outer.height, outer.width)
    inside = Window(window.row - outer.row, window.col - outer.col, window.height, window.width)
    clipped = inside.clip(shape)
    out = np.full((*block.values.shape[:-2], window.height, window.width), np.nan, dtype=np.float32)
    top, left = clipped.row - inside.row, clipped.col - inside.col
    rows, cols = clipped.slices
    out[..., top : top + clipped.height, left : left + clipped.width] = block.values[..., rows, cols]
    return out


def make_chip_model(
    card: ModelCard, content: bytes, columns: tuple[int, ...], *, blend: Blend = "hann", augment: Augment | None = None
) -> ChipModel:
    """Make a model of a network for chips, once card and network are seen to belong together.

    Args:
        card: States `chip_size_px` and `stride_px`; `context_px` is set from them, and `batch_shape` (chip, y, x) if it lacks.
        content: The ONNX file: per input `<name>` and `<name>_valid`, the output `proba` (chip, class, y, x).
        columns: class_index of each class of the output.
        blend: How overlapping chips are weighted.
        augment: Test-time augmentation.

    Raises:
        ModelError: If chip or stride make no sense for the inputs, or the file is another network; lists what differs.
    """
    if card.chip_size_px is None or card.stride_px is None:
        raise ModelError(f"card of {card.model} has chip_size_px {card.chip_size_px}, stride_px {card.stride_px}; state both")
    grid = ChipGrid(card.chip_size_px, card.stride_px, blend)
    for name, ratio in input_ratios(card.inputs).items():
        if grid.chip_px % ratio or grid.stride_px % ratio or grid.margin_px % ratio:
            raise ModelError(f"input {name!r} has pixels {ratio} times as large as the finest; chip ({grid.chip_px} px), "
                             f"stride ({grid.stride_px} px) and half their difference must be multiples of {ratio}")
    if not columns or any(not 0 <= c < len(card.classes) for c in columns):
        raise ModelError(f"columns are {list(columns)} for {len(card.classes)} classes; give the class_index of each output")
    check_network(card, content, len(columns))
    batch = card.batch_shape[0] if card.batch_shape else max(1, _BATCH_PX // grid.chip_px**2)
    update = {"context_px": grid.reach_px, "batch_shape": (batch, grid.chip_px, grid.chip_px)}
    return ChipModel(card.model_copy(update=update), content, tuple(columns), blend, augment)
