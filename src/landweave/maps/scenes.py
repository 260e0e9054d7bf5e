"""A network for scenes over a raster: one class, or one probability per label, for every step of the chips.

Receives a `SceneModel` and cubes; hands on a coarse map: a pixel is one step of the network, judged by the chip around it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube import make_inputs
from landweave.cube.blocks import read_blocks
from landweave.errors import ModelError, OutputExistsError
from landweave.grid import GeoBox, Window
from landweave.io.cog import CogSpec, legend_colormap, write_category_names, write_cog
from landweave.io.files import write_json
from landweave.io.styles import write_qml
from landweave.legend import Legend
from landweave.maps.products import FILE_NAMES, LEGEND_TAG
from landweave.maps.tasks import LEVELS, PROBA_NODATA
from landweave.models.chip_contract import input_ratios
from landweave.models.chips import ChipGrid, Strip
from landweave.models.scene_model import SceneModel, check_scene_inputs
from landweave.types import CubeSet, Progress, ProgressEvent

__all__ = ["SceneMap", "map_scenes"]


@dataclass(frozen=True)
class SceneMap:
    """What was written.

    Attributes:
        folder: Where.
        files: "map" (single label only), "proba", "lineage" -> file.
        geobox: The coarse grid.
        counts: Pixels per class; with several labels, pixels whose probability is at least one half.
    """

    folder: Path
    files: dict[str, Path]
    geobox: GeoBox
    counts: dict[str, int]


def map_scenes(
    model: SceneModel, cubes: CubeSet, folder: Path | str, *, overwrite: bool = False, progress: Progress | None = None
) -> SceneMap:
    """Label every step of a raster by the chip around it.

    Pixel (i, j) of the result covers rows i * stride to (i + 1) * stride of the cubes' grid; its chip reaches over it on all
    sides by (chip - stride) / 2, and over the grid's edge with pixels that count as not observed. Rows of chips are read one
    after the other, so that memory grows with a row and with the coarse map, not with the imagery. Pixels without any
    observation in their chip are nodata.

    Files: `proba.tif` (a layer per class, uint8, 250 steps, 255 nodata), `map.tif` where chips carry one label (codes of the
    legend, as of any Landweave map), `lineage.json`.

    Raises:
        ModelError: If the cubes hold other bands or steps, or other pixels, than the network was trained on.
        OutputExistsError: If the folder holds a map and `overwrite` is not set.
    """
    at = Path(folder)
    if (at / "lineage.json").exists() and not overwrite:
        raise OutputExistsError(f"{at} holds a map already; --overwrite replaces it, or choose another --out")
    card = model.card
    check_scene_inputs(card, make_inputs(cubes), card.chip_size_px or 0)
    _check_pixels(model, cubes)
    stride = card.stride_px or card.chip_size_px or 1
    coarse = coarsen_geobox(cubes.geobox, stride)
    stored = np.full((len(card.classes), *coarse.shape), PROBA_NODATA, dtype=np.uint8)
    best = np.full(coarse.shape, -1, dtype=np.int64)
    for i, js, proba in _label_rows(model, cubes, ChipGrid(card.chip_size_px or 0, stride, "none"), coarse, progress):
        stored[:, i, js] = np.rint(proba * LEVELS).astype(np.uint8).T
        best[i, js] = proba.argmax(axis=1)
    at.mkdir(parents=True, exist_ok=True)
    legend = card.legend
    spec = CogSpec("uint8", len(legend), PROBA_NODATA, "average", legend.names, scale=1 / LEVELS)
    files = {"proba": write_cog(at / FILE_NAMES["proba"], coarse, _reader(stored), spec)}
    if model.several:
        half = (stored >= LEVELS // 2) & (stored != PROBA_NODATA)
        counts = dict(zip(legend.names, half.sum(axis=(1, 2)).tolist(), strict=True))
    else:
        files["map"] = _write_classes(at, coarse, best, legend)
        counts = {name: int((best == k).sum()) for k, name in enumerate(legend.names)}
    said = {"model": card.model, "sha256": model.sha256, "chip_size_px": card.chip_size_px, "stride_px": stride,
            "several": model.several, "inputs": [i.model_dump(mode="json") for i in card.inputs], "counts": counts,
            "attribution": list(cubes.notes) if cubes.notes else []}  # fmt: skip
    write_json(at / "lineage.json", said)
    return SceneMap(at, {**files, "lineage": at / "lineage.json"}, coarse, counts)


def coarsen_geobox(geobox: GeoBox, step: int) -> GeoBox:
    """Give the grid whose pixels are `step` x `step` pixels of another; the last ones may reach over its edge."""
    rows, cols = geobox.shape
    return GeoBox((math.ceil(rows / step), math.ceil(cols / step)), geobox.affine @ Affine.scale(step), geobox.crs)


def _check_pixels(model: SceneModel, cubes: CubeSet) -> None:
    """A network has learned how large things are: other pixels than in training are an error."""
    given = {i.name: i for i in make_inputs(cubes)}
    for spec in model.card.inputs:
        found = given[spec.name]
        if spec.metres is None or found.metres is None:
            continue
        if abs(found.metres[0] / spec.metres[0] - 1) > 0.1:
            raise ModelError(f"pixels of {spec.name!r} are {found.metres[0]:.3g} m, the network was trained on "
                             f"{spec.metres[0]:.3g} m; load the cube with the resolution of the training chips")  # fmt: skip


def _label_rows(
    model: SceneModel, cubes: CubeSet, grid: ChipGrid, coarse: GeoBox, progress: Progress | None
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
    """Give row, columns and probabilities (chip, class) of the chips that see anything, row by row of the coarse grid."""
    n_rows, n_cols = coarse.shape
    names = [i.name for i in model.card.inputs if i.name in cubes.cubes]

    def read(window: Window) -> Any:
        return read_blocks(cubes, window, names=names)

    strip = Strip(model.card.inputs, input_ratios(model.card.inputs), grid, read, cols=range(n_cols), min_valid_steps=1)
    for i in range(n_rows):
        strip.move_to(i)
        seen = np.array([j for j in range(n_cols) if strip.is_usable(j)], dtype=np.int64)
        made = np.empty((len(seen), len(model.card.classes)), dtype=np.float32)
        for start in range(0, len(seen), model.batch):
            part = seen[start : start + model.batch]
            feeds = model.make_feeds(model.batch)
            for slot, j in enumerate(part):
                strip.fill(feeds, slot, int(j))
            made[start : start + model.batch] = model.run(feeds)[: len(part)]
        yield i, seen, made
        if progress is not None:
            progress(ProgressEvent("scenes", i + 1, n_rows, "rows of chips"))


def _reader(layers: NDArray[Any]) -> Any:
    def read(window: Window) -> NDArray[Any]:
        return layers[:, window.row : window.row + window.height, window.col : window.col + window.width]

    return read


def _write_classes(folder: Path, coarse: GeoBox, best: NDArray[np.int64], legend: Legend) -> Path:
    codes = np.append(legend.codes, legend.nodata)[best].astype(legend.dtype)
    tags = {LEGEND_TAG: json.dumps(legend.to_dicts(), ensure_ascii=False, separators=(",", ":"))}
    spec = CogSpec(str(legend.dtype), 1, legend.nodata, "mode", ("class",), colormap=legend_colormap(legend), tags=tags)
    path = write_cog(folder / FILE_NAMES["map"], coarse, _reader(codes[None]), spec)
    write_category_names(path, legend)
    write_qml(folder / FILE_NAMES["style"], legend)
    return path
