"""One block of a map: a pure function from the pixels of a window to codes, quantised probabilities and uncertainty.

Receives a model, cubes and a window; hands on arrays. Nothing here knows of files of a map, workers or order, so that the
same block gives the same bytes wherever it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube import read_blocks
from landweave.errors import MapError
from landweave.grid import Window
from landweave.legend import Legend
from landweave.maps._summaries import summarise
from landweave.maps.guide import card_ranges, guide_from_blocks
from landweave.maps.smoothing import SmoothOptions, smooth_proba
from landweave.models.sets import SetRule
from landweave.types import Block, CubeSet, ModelCard, Predictor

__all__ = [
    "APPLICABILITY_SCALE",
    "LEVELS",
    "PROBA_NODATA",
    "Products",
    "compute_block",
    "make_sets",
    "quantise_dissimilarity",
    "read_inputs",
    "reads_itself",
    "summarise_proba",
]

LEVELS = 250
"""Probability 1 is stored as 250 (scale 0.004), so that 255 is free for nodata."""
PROBA_NODATA = 255

Strips = Iterator[tuple[Window, NDArray[np.float32]]]
"""Windows from the top of a block to its bottom, with their probabilities (class, y, x)."""

Products = dict[str, NDArray[Any]]
"""Product name ("map", "proba", "uncertainty", "applicability", "sets") -> pixels (band, y, x) in the stored dtype."""


APPLICABILITY_SCALE = 0.01
"""Of the stored dissimilarity: 100 is the threshold, 250 two and a half times it or more."""

_SETS_PX = 65536
"""Pixels whose sets are made together; bounds the memory, and changes nothing."""


def compute_block(
    model: Predictor, cubes: CubeSet, window: Window, *, products: Sequence[str], unsure_below: float = 0.0,
    smooth: SmoothOptions | None = None, sets: SetRule | None = None, threads: int = 1,
    blocks: Mapping[str, Block] | None = None,
) -> Products | None:  # fmt: skip
    """Classify one window.

    Args:
        model: Gives probabilities.
        cubes: What it reads, from the window and `card.context_px` around it.
        window: Interior of the block on the output grid.
        products: Which of "map", "proba", "uncertainty", "applicability", "sets" to make.
        unsure_below: Pixels whose best probability is below get the code "unsure"; the model's own probability, as the limit
            was found on such.
        smooth: How to smooth the probabilities; the model then predicts the margin too that this takes.
        sets: Tells the conformal sets; from the model's own probabilities, as their limits were found on such.
        threads: Threads that compute a network on chips, shared by all blocks of this process.
        blocks: What `read_inputs` gave for the window; read now by default.

    Returns:
        The products' pixels, or None where the window holds no valid observation at all.

    Raises:
        SourceError: If a source cannot be read.
        MapError: If the model gives something that is not a probability.
    """
    card = model.card
    margin = _margin(card, smooth)
    outer = window.pad(margin)
    if blocks is None and reads_itself(model, products):
        predict_strips: Any = getattr(model, "predict_strips", None)
        strips = predict_strips(partial(read_blocks, cubes, names=_names(card, cubes)), outer, threads=threads)
        if smooth is not None:
            return _smooth_strips(strips, cubes, outer, card, products=products, smooth=smooth, margin=margin)
        return _summarise_strips(strips, window, card.legend, products=products, unsure_below=unsure_below)
    blocks = read_inputs(model, cubes, window, smooth=smooth) if blocks is None else blocks
    if card.min_valid_steps > 0 and not _has_valid(blocks):
        return None
    predict_index = getattr(model, "predict_index", None)
    only_class = tuple(products) == ("map",) and unsure_below <= 0 and smooth is None
    if only_class and predict_index is not None:  # which some models find faster
        return {"map": card.legend.to_codes(predict_index(blocks))[None]}
    proba = model.predict_proba(blocks)
    expected = (len(card.classes), outer.height, outer.width)
    if proba.shape != expected:
        raise MapError(f"model {card.model} gave probabilities of shape {proba.shape} for a block of {expected} (class, y, x)")
    own = _cut(proba, margin)
    unsure = own.max(axis=0) < np.float32(unsure_below)
    if smooth is not None:
        guide = guide_from_blocks(blocks, card_ranges(card), outer) if smooth.method == "edge" else None
        proba = _cut(smooth_proba(proba, smooth, legend=card.legend, guide=guide), margin)
    made = summarise_proba(proba, card.legend, products=[p for p in products if p not in ("applicability", "sets")])
    if unsure_below > 0:
        made["map"][0][unsure] = card.legend.unsure
    if "applicability" in products:
        predict_dissimilarity: Any = getattr(model, "predict_dissimilarity", None)
        if predict_dissimilarity is None:
            raise MapError(f"model {card.model} has no area of applicability; map.applicability needs a per-pixel model "
                           "trained with model.applicability: true")  # fmt: skip
        made["applicability"] = quantise_dissimilarity(_cut(predict_dissimilarity(blocks), margin))[None]
    if sets is not None:
        predict_shift: Any = getattr(model, "predict_shift", None)
        weights = None if sets.shift is None else _cut(predict_shift(blocks, sets.shift), margin)
        made["sets"] = make_sets(own, sets, weights)
    return made


def reads_itself(model: Predictor, products: Sequence[str]) -> bool:
    """Whether a model reads its block strip by strip, so that nothing is to be read ahead."""
    return hasattr(model, "predict_strips") and not {"applicability", "sets"} & set(products)


def read_inputs(model: Predictor, cubes: CubeSet, window: Window, *, smooth: SmoothOptions | None = None) -> dict[str, Block]:
    """Read what `compute_block` needs for a window: its margin for smoothing and the model's context with it.

    Raises:
        SourceError: If a source cannot be read.
    """
    card = model.card
    return read_blocks(cubes, window.pad(_margin(card, smooth)), halo_px=card.context_px, names=_names(card, cubes))


def _margin(card: ModelCard, smooth: SmoothOptions | None) -> int:
    stride = card.stride_px or 1
    return 0 if smooth is None else -(-smooth.halo_px // stride) * stride


def _names(card: ModelCard, cubes: CubeSet) -> list[str]:
    return [i.name for i in card.inputs if i.name in cubes.cubes]


def _summarise_strips(
    strips: Strips, window: Window, legend: Legend, *, products: Sequence[str], unsure_below: float
) -> Products | None:  # fmt: skip
    """Make the products of a block from strips of its probabilities, which are never held all at once."""
    made: Products = {}
    for part, proba in strips:
        one = summarise_proba(proba, legend, products=products)
        if unsure_below > 0:
            one["map"][0][proba.max(axis=0) < np.float32(unsure_below)] = legend.unsure
        for name, pixels in one.items():
            if name not in made:
                made[name] = np.empty((len(pixels), window.height, window.width), dtype=pixels.dtype)
            made[name][:, part.row - window.row : part.row_end - window.row] = pixels
    return None if (made["map"] == legend.nodata).all() else made


def _smooth_strips(
    strips: Strips, cubes: CubeSet, outer: Window, card: ModelCard, *, products: Sequence[str], smooth: SmoothOptions,
    margin: int,
) -> Products | None:  # fmt: skip
    """Smooth strips of probabilities as one field."""
    proba = np.concatenate([p for _, p in strips], axis=1)
    if np.isnan(proba[0]).all():
        return None
    guide = None
    if smooth.method == "edge":
        guide = guide_from_blocks(read_blocks(cubes, outer, names=_names(card, cubes)), card_ranges(card), outer)
    smoothed = _cut(smooth_proba(proba, smooth, legend=card.legend, guide=guide), margin)
    return summarise_proba(smoothed, card.legend, products=products)


def make_sets(
    proba: NDArray[np.float32], rule: SetRule, weights: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """Make the pixels of sets.tif.

    Args:
        proba: The model's own probabilities (class, y, x); NaN in every class is nodata.
        rule: Tells which classes are in a pixel's set.
        weights: Of each pixel (y, x), for weighted sets.

    Returns:
        (1 + class, y, x): the number of classes in the set, then 1 for each class that is in it and 0 for those that are not;
        255 where nodata. A set may be empty: no class fits the pixel as well as it fitted held-out rows of the class.
    """
    k, height, width = proba.shape
    rows = proba.reshape(k, -1)
    flat = None if weights is None else np.nan_to_num(weights.reshape(-1), nan=1.0)
    made = np.empty((1 + k, height * width), dtype=np.uint8)
    for start in range(0, height * width, _SETS_PX):
        part = slice(start, start + _SETS_PX)
        inside = rule.apply(np.nan_to_num(rows[:, part].T), None if flat is None else flat[part])
        made[0, part], made[1:, part] = inside.sum(axis=1), inside.T
    made[:, np.isnan(rows[0])] = PROBA_NODATA
    return made.reshape(1 + k, height, width)


def _cut(pixels: NDArray[Any], margin: int) -> NDArray[Any]:
    """Give pixels (..., y, x) without a margin."""
    return pixels[..., margin : pixels.shape[-2] - margin, margin : pixels.shape[-1] - margin]


def quantise_dissimilarity(ratio: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Store dissimilarity over its threshold (y, x) as uint8: 100 is the threshold, 250 the most, NaN 255.

    What lies above the threshold is stored above 100, however little.
    """
    stored = np.clip(np.rint(np.nan_to_num(ratio, nan=0.0) * 100), 0, 250).astype(np.uint8)
    stored[(ratio > 1) & (stored <= 100)] = 101
    stored[(ratio <= 1) & (stored > 100)] = 100
    stored[np.isnan(ratio)] = PROBA_NODATA
    return stored


def _has_valid(blocks: Mapping[str, Block]) -> bool:
    return any(not np.isnan(b.values).all() for b in blocks.values())


def summarise_proba(proba: NDArray[np.float32], legend: Legend, *, products: Sequence[str]) -> Products:
    """Turn probabilities into a map's products.

    Args:
        proba: (class, y, x) in legend order; NaN in every class is nodata.
        legend: Gives codes.
        products: Which of "map", "proba", "uncertainty" to make.

    Returns:
        map: (1, y, x), code of the most probable class, the first in the legend among equals. proba: uint8 (class, y, x),
        round(250 p). uncertainty: uint8 (2, y, x), Shannon entropy over its maximum log K and the difference between the
        best two probabilities, both times 250. Nodata: 255 (65535 in a uint16 map).

    Raises:
        MapError: If a probability lies outside 0..1.
    """
    n_classes, height, width = proba.shape
    flat = np.ascontiguousarray(proba, dtype=np.float32).reshape(n_classes, -1)
    n_px = flat.shape[1]
    codes = np.empty((1, n_px), dtype=legend.dtype)
    quantised = np.empty((n_classes, n_px if "proba" in products else 0), dtype=np.uint8)
    uncertainty = np.empty((2, n_px if "uncertainty" in products else 0), dtype=np.uint8)
    table = np.array([*legend.codes, legend.nodata], dtype=legend.dtype)
    log_k = math.log(n_classes) if n_classes > 1 else 1.0
    n_wrong = summarise(flat, table, log_k, codes[0], quantised, uncertainty)
    if n_wrong:
        raise MapError(f"model gave probabilities outside 0..1 (or NaN in some classes only) in {n_wrong} pixels of a block; "
                       "a model must give numbers that sum to 1, or NaN in every class")  # fmt: skip
    made = {"map": codes, "proba": quantised, "uncertainty": uncertainty}
    return {name: made[name].reshape(-1, height, width) for name in products}
