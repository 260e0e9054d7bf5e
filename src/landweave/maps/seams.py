"""Seams: whether a map changes more where chips or blocks meet than just beside.

Receives a map, its probabilities or arrays of either; hands on a ratio with an interval for each kind of line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from landweave.errors import MapError
from landweave.grid import Window
from landweave.io.files import read_json
from landweave.io.lineage import read_lineage
from landweave.maps.folder import STAGE
from landweave.metrics.resample import percentile_interval

__all__ = ["SeamReport", "SeamScore", "measure_map_seams", "measure_seams"]

LineKind = Literal["steps", "chip edges", "blocks"]
NEAR_PX = 8
"""Lines at most so far from a seam are what it is compared with; the landscape is the same there."""
_DRAWS = 1000


@dataclass(frozen=True)
class SeamScore:
    """How much one kind of line stands out.

    Attributes:
        kind: "steps": where the central parts of chips meet; "chip edges": where chips end; "blocks": where blocks meet.
        ratio: Mean difference of the two pixels at such lines over that at lines up to 8 px beside; 1 where there is no seam.
        lower: Lower end of the 95 % bootstrap interval of the ratio, over pieces of line one step long.
        upper: Upper end.
        at: Mean difference at the lines: of probabilities over all classes, or the share of pairs that differ in class.
        near: Mean difference beside them.
        n: Pieces of line.
    """

    kind: LineKind
    ratio: float
    lower: float
    upper: float
    at: float
    near: float
    n: int

    @property
    def is_seam(self) -> bool:
        """Whether the lines stand out beyond chance."""
        return self.lower > 1


@dataclass(frozen=True)
class SeamReport:
    """What was found, kind by kind.

    Attributes:
        scores: One for each kind of line that the map has.
        stride_px: Step of the chips.
        block_px: Side of the blocks; None where they were not looked at.
        source: "probabilities" or "classes".
    """

    scores: tuple[SeamScore, ...]
    stride_px: int
    block_px: int | None
    source: str


ReadPixels = Callable[[Window], NDArray[np.float32]]


def measure_seams(
    pixels: NDArray[Any], *, stride_px: int, block_px: int | None = None, margin_px: int = 0, nodata: float | None = None,
    seed: int = 0,
) -> SeamReport:  # fmt: skip
    """Measure seams of probabilities or of classes.

    Each piece of a line, one step long, gives the mean absolute difference of the pixel pairs across it and the mean over the
    lines up to 8 px beside it that are no seams; the ratio is of their sums, its interval from 1000 bootstrap draws of pieces
    (Efron 1979, percentile).

    Args:
        pixels: Probabilities (class, y, x), NaN where nodata; or codes (y, x).
        stride_px: Step of the chips, counted from the grid's origin; at least 4.
        block_px: Side of the blocks, if they are to be looked at.
        margin_px: How far chips reach over their step; 0 leaves chip edges out.
        nodata: Code or stored value without meaning.
        seed: Of the bootstrap.

    Raises:
        MapError: If the step is too small to have anything beside it, or the map has no line.
    """
    array = np.asarray(pixels)
    stack = array[None] if array.ndim == 2 else array

    def read(window: Window) -> NDArray[np.float32]:
        part = stack[:, window.row : window.row_end, window.col : window.col_end].astype(np.float32)
        if nodata is not None:
            part[:, (part == nodata).all(axis=0)] = np.nan
        return part

    lines = _Lines(stride_px, block_px, margin_px)
    found = _measure(read, (stack.shape[1], stack.shape[2]), lines, is_classes=array.ndim == 2, seed=seed)
    return SeamReport(found, stride_px, block_px, "classes" if array.ndim == 2 else "probabilities")


def measure_map_seams(
    folder: Path | str, *, stride_px: int | None = None, block_px: int | None = None, seed: int = 0
) -> SeamReport:  # fmt: skip
    """Measure seams of a finished map by its probabilities, or by its classes where it has none; reads band by band.

    Args:
        folder: Of the map.
        stride_px: Step of the chips; the model card's by default.
        block_px: Side of the blocks; the one that lineage.json states by default.
        seed: Of the bootstrap.

    Raises:
        MapError: If no step is given and the map's model has none, or there is no map.
    """
    at = Path(folder)
    card = _find_card(at)
    stride = stride_px or card.get("stride_px") or 0
    if not stride:
        raise MapError(f"{at} is not the map of a network on chips (its card states no stride_px); give stride_px to look at "
                       "lines of that step")  # fmt: skip
    margin = ((card.get("chip_size_px") or stride) - (card.get("stride_px") or stride)) // 2
    record = read_lineage(at).find_stage(STAGE) if (at / "lineage.json").is_file() else None
    block = block_px or (None if record is None else record.results.get("block_px"))
    name = next((n for n in ("proba.tif", "map.tif") if (at / n).is_file()), None)
    if name is None:
        raise MapError(f"{at} holds neither proba.tif nor map.tif; give the folder of a finished map")
    with rasterio.open(at / name) as src:

        def read(window: Window) -> NDArray[np.float32]:
            part = src.read(window=RioWindow(window.col, window.row, window.width, window.height)).astype(np.float32)
            part[:, (part == src.nodata).all(axis=0)] = np.nan
            return np.asarray(part * np.float32(src.scales[0]))

        lines = _Lines(stride, block, margin)
        found = _measure(read, (src.height, src.width), lines, is_classes=name == "map.tif", seed=seed)
    return SeamReport(found, stride, block, "classes" if name == "map.tif" else "probabilities")


def _find_card(folder: Path) -> Mapping[str, Any]:
    for path in (folder / "model" / "card.json", folder / "model-card.json"):
        if path.is_file():
            card: Mapping[str, Any] = read_json(path)
            return card
    return {}


class _Lines:
    """Which lines along one axis are seams of which kind; line x lies between pixels x - 1 and x."""

    def __init__(self, stride_px: int, block_px: int | None, margin_px: int) -> None:
        if stride_px < 4:
            raise MapError(f"stride_px is {stride_px}; give at least 4, so that there are lines beside the seams")
        self.stride_px, self._block_px = stride_px, block_px
        self._edges = {margin_px % stride_px, -margin_px % stride_px} - {0} if margin_px else set()

    def kind(self, line: int) -> LineKind | None:
        if self._block_px and line % self._block_px == 0:
            return "blocks"
        at = line % self.stride_px
        if at == 0:
            return "steps"
        return "chip edges" if at in self._edges else None

    def near(self, line: int, size: int) -> list[int]:
        """Give the lines beside one that are no seams themselves."""
        around = [line + d for d in range(-NEAR_PX, NEAR_PX + 1)]
        return [x for x in around if 0 < x < size and self.kind(x) is None]


def _measure(
    read: ReadPixels, shape: tuple[int, int], lines: _Lines, *, is_classes: bool, seed: int
) -> tuple[SeamScore, ...]:  # fmt: skip
    pieces: dict[LineKind, list[tuple[float, float]]] = {}
    for axis in (0, 1):  # bands of rows for the upright lines, then bands of columns for the level ones
        length, across = shape[axis], shape[1 - axis]
        for start in range(0, length, lines.stride_px):
            n = min(lines.stride_px, length - start)
            band = read(Window(start, 0, n, across) if axis == 0 else Window(0, start, across, n))
            differences = _differ(band if axis == 0 else band.transpose(0, 2, 1), is_classes=is_classes)
            _collect(differences, lines, pieces)
    if not pieces:
        raise MapError(f"the map of {shape[0]} x {shape[1]} px has no line at steps of {lines.stride_px} px; give fewer px")
    rng = np.random.default_rng(seed)
    order: Sequence[LineKind] = ("steps", "chip edges", "blocks")
    return tuple(_score(kind, np.array(pieces[kind]), rng) for kind in order if kind in pieces)


def _differ(band: NDArray[np.float32], *, is_classes: bool) -> NDArray[np.float64]:
    """Give the mean difference over a band's rows for each line but the first; NaN where half of the pairs are unknown."""
    change = np.abs(np.diff(band, axis=2)).mean(axis=0)
    if is_classes:
        change = np.where(np.isnan(change), np.nan, change > 0)
    known = ~np.isnan(change)
    n = known.sum(axis=0)
    means = np.where(known, change, 0).sum(axis=0, dtype=np.float64) / np.maximum(n, 1)
    return np.where(2 * n >= len(change), means, np.nan)


def _collect(differences: NDArray[np.float64], lines: _Lines, pieces: dict[LineKind, list[tuple[float, float]]]) -> None:
    size = len(differences) + 1
    for line in range(1, size):
        kind = lines.kind(line)
        near = [] if kind is None else [differences[x - 1] for x in lines.near(line, size)]
        known = [d for d in near if not np.isnan(d)]
        if kind is not None and known and not np.isnan(differences[line - 1]):
            pieces.setdefault(kind, []).append((float(differences[line - 1]), float(np.mean(known))))


def _score(kind: LineKind, pieces: NDArray[np.float64], rng: np.random.Generator) -> SeamScore:
    at, near = pieces.mean(axis=0)
    drawn = np.empty((_DRAWS, 1))
    for i in range(_DRAWS):
        some = pieces[rng.integers(0, len(pieces), len(pieces))].sum(axis=0)
        drawn[i] = _divide(some[0], some[1])
    lower, upper = percentile_interval(drawn)
    return SeamScore(kind, _divide(at, near), float(lower[0]), float(upper[0]), float(at), float(near), len(pieces))


def _divide(at: float, near: float) -> float:
    """Give the ratio; 1 where nothing changes at all."""
    if near == 0:
        return 1.0 if at == 0 else float("inf")
    return float(at / near)
