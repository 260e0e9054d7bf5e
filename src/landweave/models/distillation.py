"""Distilled models: a small network that gives what a larger model gives, many times faster, with the loss stated.

Receives any per-pixel model and a cube without labels; hands on a model of the same inputs and classes. The network learns the
teacher's probabilities (Hinton et al. 2015, arXiv:1503.02531) on pixels of some blocks and is compared with it on the pixels
of others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from landweave.cube import read_blocks
from landweave.errors import ModelError
from landweave.grid import Window, split_blocks
from landweave.io.files import sha256_json
from landweave.models.deep import load_deep
from landweave.models.inputs import gather_features, prepare_features
from landweave.models.predictor import PixelModel
from landweave.types import CubeSet, MissingPolicy, Options, Progress, ProgressEvent

__all__ = ["ClassAgreement", "DistillOptions", "Distillation", "distil_model"]


_CHECKED = 2000
"""Rows on which the kernel is compared with the exported network."""


class DistillOptions(Options):
    """How a model is distilled."""

    hidden: tuple[int, ...] = Field((48, 32), description="Units of the hidden layers; more agree better and map slower.")
    n_pixels: int = Field(300_000, ge=1000, description="Unlabelled pixels to learn from and compare on.")
    held_out: float = Field(0.2, gt=0, lt=0.9, description="Share of the blocks that are kept for the comparison.")
    block_px: int = Field(64, ge=8, le=1024, description="Side of the blocks that pixels are drawn from, in pixels.")
    per_block: int = Field(1024, ge=1, description="Pixels drawn per block at most, so that they come from all over the cube.")
    epochs: int = Field(40, ge=1, description="Passes over the pixels at most.")
    max_minutes: float | None = Field(None, gt=0, description="Stop after the epoch in which this time ran out.")
    threads: int = Field(1, ge=1, description="Threads of training.")
    seed: int = Field(0, ge=0, description="Seed of the pixels and the network.")

    @field_validator("hidden")
    @classmethod
    def _check_hidden(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or any(not 1 <= n <= 1024 for n in value):
            raise ValueError(f"hidden is {list(value)}; give 1 to 1024 units for each layer, such as 48,32")
        return value


@dataclass(frozen=True)
class ClassAgreement:
    """Held-out pixels of one class of the teacher's, and the share of them that the student puts there too."""

    name: str
    n_px: int
    agreement: float


@dataclass(frozen=True)
class Distillation:
    """A distilled model and how far it can be trusted to stand for its teacher.

    Attributes:
        model: The student.
        agreement: Share of the held-out pixels with the teacher's class.
        lower: Lower limit of its 95 % interval, over held-out blocks.
        upper: Upper limit.
        classes: Agreement per class of the teacher.
        n_train_px: Pixels learnt from.
        n_held_out_px: Pixels compared on.
        n_held_out_blocks: Blocks that these come from.
        proba_error: Mean absolute difference of a probability on the held-out pixels.
    """

    model: PixelModel
    agreement: float
    lower: float
    upper: float
    classes: tuple[ClassAgreement, ...]
    n_train_px: int
    n_held_out_px: int
    n_held_out_blocks: int
    proba_error: float


@dataclass(frozen=True)
class _Pixels:
    """Rows as the student sees them, the teacher's probabilities, and the number of the block they come from."""

    features: NDArray[np.float32]
    proba: NDArray[np.float32]
    block: NDArray[np.int64]


def distil_model(
    teacher: PixelModel, cubes: CubeSet, *, options: DistillOptions | None = None, progress: Progress | None = None
) -> Distillation:
    """Train a small network to give what a model gives.

    Args:
        teacher: Any per-pixel model; its calibration is learnt along.
        cubes: What it is to map; pixels are drawn from blocks all over it.
        options: Size of the network, pixels, time.
        progress: Told of every block and epoch.

    Returns:
        The student, whose card names the teacher and states the agreement under `metrics["distilled"]`.

    Raises:
        ModelError: If too few pixels are usable, or the teacher gives one class only.
        MissingExtraError: If torch is not installed.
    """
    options = options or DistillOptions()
    module = load_deep("distilling", "distilling a model")
    missing: MissingPolicy = "mask" if teacher.card.missing == "native" else teacher.card.missing
    pixels = _draw_pixels(teacher, cubes, options, missing, progress)
    held_out = _hold_out(pixels.block, options)
    _check_enough(pixels, held_out)
    engine = module.train_student(pixels.features, pixels.proba, held_out, options, progress)
    engine.check(pixels.features[held_out][:_CHECKED])
    found = engine.predict_proba(pixels.features[held_out])
    wanted = pixels.proba[held_out]
    same = found.argmax(axis=1) == wanted.argmax(axis=1)
    lower, upper = _interval(same, pixels.block[held_out], options.seed)
    of_class = wanted.argmax(axis=1) == np.arange(wanted.shape[1])[:, None]
    classes = tuple(
        ClassAgreement(name, int(mine.sum()), float(same[mine].mean()) if mine.any() else math.nan)
        for name, mine in zip(teacher.card.legend.names, of_class, strict=True)
    )
    result = Distillation(
        PixelModel(teacher.card, engine, tuple(range(wanted.shape[1]))), float(same.mean()), lower, upper, classes,
        int((~held_out).sum()), int(held_out.sum()), int(np.unique(pixels.block[held_out]).size),
        float(np.abs(found - wanted).mean()),
    )  # fmt: skip
    return _with_card(result, teacher, options, missing)


# --- pixels --------------------------------------------------------------------------------------------------------------


def _draw_pixels(
    teacher: PixelModel, cubes: CubeSet, options: DistillOptions, missing: MissingPolicy, progress: Progress | None
) -> _Pixels:
    """Draw blocks in random order, and pixels of each, until there are enough."""
    rng = np.random.default_rng(options.seed)
    rows, cols = cubes.geobox.shape
    windows = list(split_blocks((rows, cols), options.block_px))
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]] = []
    n_px = 0
    for number in rng.permutation(len(windows)):
        made = _read_block(teacher, cubes, windows[number], options, missing, rng)
        if len(made[0]):
            parts.append((*made, np.full(len(made[0]), number)))
            n_px += len(made[0])
        if progress is not None:
            progress(ProgressEvent("pixels", min(n_px, options.n_pixels), options.n_pixels, "pixels"))
        if n_px >= options.n_pixels:
            break
    if not parts:
        raise ModelError("no pixel of the cube is usable for the model, so that there is nothing to learn from; look at the "
                         "cube with `landweave coverage`")  # fmt: skip
    features, proba, block = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Pixels(features, proba, block)


def _read_block(
    teacher: PixelModel, cubes: CubeSet, window: Window, options: DistillOptions, missing: MissingPolicy,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
    card = teacher.card
    blocks = read_blocks(cubes, window, names=[i.name for i in card.inputs if i.name in cubes.cubes])
    flat, _ = gather_features(blocks, card.inputs)
    flat = flat[np.sort(rng.choice(len(flat), min(options.per_block, len(flat)), replace=False))]
    proba = teacher.predict_features(flat)
    features, usable = prepare_features(flat, card.inputs, missing=missing, min_valid_steps=card.min_valid_steps)
    usable &= ~np.isnan(proba[:, 0])
    return features[usable], proba[usable]


def _hold_out(block: NDArray[np.int64], options: DistillOptions) -> NDArray[np.bool_]:
    """Choose whole blocks for the comparison."""
    numbers = np.unique(block)
    rng = np.random.default_rng([options.seed, 1])
    n = max(1, round(options.held_out * len(numbers)))
    return np.isin(block, rng.choice(numbers, n, replace=False))


def _check_enough(pixels: _Pixels, held_out: NDArray[np.bool_]) -> None:
    n_blocks = np.unique(pixels.block).size
    if n_blocks < 5 or held_out.all():
        raise ModelError(f"the pixels come from {n_blocks} blocks with data, too few to keep some for the comparison; give a "
                         "larger cube or a smaller block_px")  # fmt: skip
    if np.unique(pixels.proba.argmax(axis=1)).size < 2:
        raise ModelError("the model gives one class only on this cube; distil it on a cube with several classes")


# --- agreement -----------------------------------------------------------------------------------------------------------


def _interval(same: NDArray[np.bool_], block: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """Give the 95 % percentile interval of the mean over a bootstrap of blocks, whose pixels resemble each other."""
    _, at = np.unique(block, return_inverse=True)
    n, hits = np.bincount(at), np.bincount(at, weights=same)
    drawn = np.random.default_rng([seed, 2]).integers(0, len(n), (1000, len(n)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / n[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _with_card(result: Distillation, teacher: PixelModel, options: DistillOptions, missing: MissingPolicy) -> Distillation:
    """Give the student a card of its own: the teacher's, with what was distilled and how well."""
    card = teacher.card
    metrics = {"agreement": result.agreement, "agreement_lower": result.lower, "agreement_upper": result.upper,
               "mean_abs_proba_error": result.proba_error, "held_out_px": float(result.n_held_out_px),
               "held_out_blocks": float(result.n_held_out_blocks),
               **{f"agreement {c.name}": c.agreement for c in result.classes if c.n_px}}  # fmt: skip
    lineage = {**{k: v for k, v in card.lineage.items() if k != "weights"},
               "distilled": {"teacher": card.model, "teacher_card_sha256": sha256_json(card.model_dump(mode="json")),
                             "options": options.model_dump(mode="json")}}  # fmt: skip
    student = card.model_copy(update={
        "model": "distilled", "title": f"small network distilled from {card.title or card.model}",
        "params": {"hidden": list(options.hidden), "teacher": card.model}, "missing": missing,
        "metrics": {"distilled": metrics}, "lineage": lineage,
    })  # fmt: skip
    model = PixelModel(student, result.model.engine, result.model.columns, None, None, teacher.applicability)
    return replace(result, model=model)
