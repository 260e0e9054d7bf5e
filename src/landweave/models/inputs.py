"""From flat feature rows to what an estimator sees: gaps dealt with, too short series left out. One way for all uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.features.series import apply_missing, count_valid_steps
from landweave.types import Block, MissingPolicy, ModelInput

__all__ = ["gather_features", "prepare_features", "step_days"]


def step_days(spec: ModelInput) -> NDArray[np.float64]:
    """Give the middle of each time step in days: since the first date, since the season's start, or by number."""
    if spec.dates is not None:
        return np.array([float(date.fromisoformat(d[:10]).toordinal()) for d in spec.dates])
    if spec.season is not None:
        return np.array([(s.from_day + s.to_day) / 2 for s in spec.season.steps])
    return np.arange(float(spec.n_steps or 1))


def prepare_features(
    flat: NDArray[np.float32], inputs: Sequence[ModelInput], *, missing: MissingPolicy, min_valid_steps: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Deal with the gaps of feature rows; training and predicting both come through here.

    Args:
        flat: Rows (n, feature) in the order of `types.feature_names(inputs)`, NaN where there is no observation.
        inputs: What the columns are.
        missing: What to do with gaps.
        min_valid_steps: A row is usable where every required input has that many steps at which all bands are observed (with
            `native` and `mask`: at which any band is).

    Returns:
        Features (n, feature') as the estimator sees them, and which rows are usable. With `mask` each
        step's values are followed by as many columns of 0 and 1 (1 where observed).

    Raises:
        ModelError: If the rows do not have the inputs' number of features.
    """
    widths = [len(i.feature_names) for i in inputs]
    if flat.shape[1] != sum(widths):
        raise ModelError(f"feature rows have {flat.shape[1]} columns, the inputs of the model have {sum(widths)}; "
                         "extract the samples from a cube with the same bands and steps")  # fmt: skip
    usable = np.ones(len(flat), dtype=bool)
    parts, at = [], 0
    for spec, width in zip(inputs, widths, strict=True):
        series = flat[:, at : at + width].reshape(len(flat), spec.n_steps or 1, len(spec.bands))
        at += width
        parts.append(_apply_policy(series, spec, missing))
        if spec.required:
            usable &= _count_steps(series, missing) >= min(min_valid_steps, spec.n_steps or 1)
    features = np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)
    if missing == "fill":
        usable &= ~np.isnan(features).any(axis=1)
    return features, usable


def _count_steps(series: NDArray[np.float32], missing: MissingPolicy) -> NDArray[np.int64]:
    if missing != "fill":
        return np.asarray((~np.isnan(series).all(axis=2)).sum(axis=1))
    if not np.isnan(series).any():
        return np.full(len(series), series.shape[1], dtype=np.int64)
    return count_valid_steps(np.moveaxis(series, 0, 2))


def _apply_policy(series: NDArray[np.float32], spec: ModelInput, missing: MissingPolicy) -> NDArray[np.float32]:
    n = len(series)
    if missing == "native" or (missing == "fill" and (spec.n_steps is None or not np.isnan(series).any())):
        return series.reshape(n, -1)
    return np.asarray(apply_missing(series, step_days(spec), missing), dtype=np.float32).reshape(n, -1)


def gather_features(blocks: Mapping[str, Block], inputs: Sequence[ModelInput]) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Lay the interior of blocks out as feature rows of the pixels of the finest one, row by row.

    A coarser block gives each fine pixel the value of the coarse pixel its centre falls in.

    Returns:
        Rows (pixel, feature), NaN where there is no observation, and the shape (y, x) they cover.

    Raises:
        ModelError: If the block of a required input is missing, or has other bands or steps than the model's input.
    """
    _check_blocks(blocks, inputs)
    present = [blocks[i.name] for i in inputs if i.name in blocks]
    finest = min(present, key=lambda b: abs(b.geobox.affine.a))
    shape = finest.interior.shape[-2:]
    flat = np.full((shape[0] * shape[1], sum(len(i.feature_names) for i in inputs)), np.nan, dtype=np.float32)
    at = 0
    for spec in inputs:
        width = len(spec.feature_names)
        if spec.name in blocks:
            values = _on_grid_of(blocks[spec.name], finest)
            flat[:, at : at + width] = values.reshape(width, -1).T
        at += width
    return flat, (shape[0], shape[1])


def _check_blocks(blocks: Mapping[str, Block], inputs: Sequence[ModelInput]) -> None:
    for spec in inputs:
        if spec.name not in blocks:
            if spec.required:
                raise ModelError(f"model reads the cube {spec.name!r}, the block has {', '.join(sorted(blocks)) or 'none'}; "
                                 "name the sources in the recipe as they were named in training")  # fmt: skip
            continue
        wanted = (len(spec.bands),) if spec.n_steps is None else (spec.n_steps, len(spec.bands))
        got = blocks[spec.name].values.shape[:-2]
        if got != wanted:
            raise ModelError(f"block of {spec.name!r} has (time, band) = {got}, the model was trained on {wanted}; "
                             "predict from a cube with the same bands and steps")  # fmt: skip


def _on_grid_of(block: Block, finest: Block) -> NDArray[np.float32]:
    """Give the interior of a block on the pixels of the finest block's interior."""
    if block.window == finest.window and block.geobox.affine.a == finest.geobox.affine.a:
        return block.interior
    rows, cols = finest.interior.shape[-2:]
    to_coarse = ~block.geobox.affine @ finest.geobox.affine
    row = np.floor(to_coarse.e * (np.arange(rows) + finest.halo_px + 0.5) + to_coarse.f).astype(np.int64)
    col = np.floor(to_coarse.a * (np.arange(cols) + finest.halo_px + 0.5) + to_coarse.c).astype(np.int64)
    row, col = row.clip(0, block.values.shape[-2] - 1), col.clip(0, block.values.shape[-1] - 1)
    return block.values[..., row[:, None], col[None, :]]
