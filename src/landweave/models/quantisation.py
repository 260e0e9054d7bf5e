"""Networks rounded to 8-bit whole numbers: scales from chips of a cube, agreement measured on other chips.

Receives a `ChipModel` and cubes; hands on a `ChipModel` whose card states how often its class is that of the unrounded network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import MissingExtraError, ModelError
from landweave.grid import Window
from landweave.models.chip_contract import check_network, input_ratios
from landweave.models.chip_model import ChipModel
from landweave.models.chips import Strip
from landweave.models.sessions import ONNXRUNTIME, open_session
from landweave.types import CubeSet, Options, Predictor, Progress, ProgressEvent

__all__ = ["QuantiseOptions", "quantise_model"]

Chip = dict[str, NDArray[np.float32]]


class QuantiseOptions(Options):
    """Options of `quantise_model`."""

    n_chips: int = Field(32, ge=1, description="Chips whose values set the scales of the layers.")
    n_held_out: int = Field(32, ge=1, description="Other chips, on which agreement is measured.")
    min_observed: float = Field(0.5, gt=0, le=1, description="A chip serves where this share of its pixels can be mapped.")
    seed: int = Field(0, ge=0, description="Another number, other chips.")


def quantise_model(
    model: Predictor, cubes: CubeSet, *, options: QuantiseOptions | None = None, progress: Progress | None = None
) -> ChipModel:
    """Round a network's weights and activations to 8 bits (static quantisation, one scale per channel of the weights).

    Chips are drawn from the cube without overlap. The first ones run through the network to find the range of every layer (its
    minimum and maximum: Jacob et al. 2018, arXiv:1712.05877, section 3.1); the others are held out. The card gets
    `metrics["quantisation"]`: `agreement` (share of held-out pixels with the same class, weighted alike), `mean_difference` and
    `largest_difference` of the probabilities, `class_agreement_min` (of the class that suffers most), `n_chips`, `n_pixels`.

    Args:
        model: A network on chips.
        cubes: Imagery such as will be mapped, with one season where the model knows seasons.
        options: How many chips.
        progress: Told of the chips.

    Raises:
        ModelError: If it is no network on chips, the cube has too few usable chips, or the network cannot be rounded.
        MissingExtraError: If the package onnx is not installed.
    """
    options = options or QuantiseOptions()
    if not isinstance(model, ChipModel):
        raise ModelError(f"model {model.card.model} is no network on chips; only those are rounded to 8 bits")
    chips, usable = _draw_chips(model, cubes, options, progress)
    content = _quantise(model, chips[: options.n_chips])
    check_network(model.card, content, len(model.columns))
    metrics = _compare(model, content, chips[options.n_chips :], usable[options.n_chips :])
    lineage = {**model.card.lineage, "quantised_from": model.sha256}
    card = model.card.model_copy(update={
        "title": f"{model.card.title or model.card.model}, 8-bit", "lineage": lineage,
        "metrics": {**model.card.metrics, "quantisation": metrics},
    })  # fmt: skip
    return replace(model, card=card, content=content)


def _draw_chips(
    model: ChipModel, cubes: CubeSet, options: QuantiseOptions, progress: Progress | None
) -> tuple[list[Chip], list[NDArray[np.bool_]]]:
    """Draw chips on a lattice without overlap, in random order, until there are enough with observations."""
    grid, wanted = model.grid, options.n_chips + options.n_held_out
    step = -(-grid.chip_px // grid.stride_px)
    rows, cols = (range(0, -(-n // grid.stride_px), step) for n in cubes.geobox.shape)
    places = [(i, j) for i in rows for j in cols]
    order = np.random.default_rng(options.seed).permutation(len(places))
    chips, usable = list[Chip](), list[NDArray[np.bool_]]()
    for at in order:
        chip, known = _read_chip(model, cubes, *places[at])
        if known.mean() >= options.min_observed:
            chips.append(chip)
            usable.append(known)
            if progress is not None:
                progress(ProgressEvent("chips", len(chips), wanted, "chips"))
        if len(chips) == wanted:
            return chips, usable
    raise ModelError(f"the cube has {len(chips)} chips of {grid.chip_px} px without overlap of which "
                     f"{options.min_observed:.0%} is observed, and {options.n_chips} + {options.n_held_out} are asked for; ask "
                     "for fewer, or give a larger cube")  # fmt: skip


def _read_chip(model: ChipModel, cubes: CubeSet, i: int, j: int) -> tuple[Chip, NDArray[np.bool_]]:
    from landweave.cube import read_blocks  # heavy, and models that are only loaded need none of it

    inputs = model.card.inputs
    names = [s.name for s in inputs if s.name in cubes.cubes]

    def read(window: Window) -> Mapping[str, Any]:
        return read_blocks(cubes, window, names=names)

    strip = Strip(inputs, input_ratios(inputs), model.grid, read, cols=range(j, j + 1),
                  min_valid_steps=model.card.min_valid_steps)  # fmt: skip
    strip.move_to(i)
    feeds = model.make_feeds(1)
    strip.fill(feeds, 0, 0)
    return feeds, strip.usable


def _quantise(model: ChipModel, chips: Sequence[Chip]) -> bytes:
    try:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as err:
        raise MissingExtraError("rounding a network needs the package onnx: pip install \"landweave[deep]\"") from err

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Chip] = iter(chips)

        def get_next(self) -> Chip | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, made = (Path(folder, name) for name in ("source.onnx", "prepared.onnx", "made.onnx"))
        source.write_bytes(model.content)
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared), str(made), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=["Conv", "ConvTranspose", "MatMul", "Gemm"],
            )  # fmt: skip
        except (ValueError, RuntimeError, onnx.checker.ValidationError) as err:
            raise ModelError(f"ONNX Runtime cannot round the network of {model.card.model} to 8 bits: {err}; map with "
                             "precision bf16 instead") from err  # fmt: skip
        return _keep_notes(made.read_bytes(), model.content)


def _keep_notes(content: bytes, source: bytes) -> bytes:
    """Give the file the notes of the one it was made from."""
    import onnx

    made, notes = onnx.load_from_string(content), onnx.load_from_string(source).metadata_props
    onnx.helper.set_model_props(made, {note.key: note.value for note in notes})
    return bytes(made.SerializeToString())


def _compare(
    model: ChipModel, content: bytes, chips: Sequence[Chip], usable: Sequence[NDArray[np.bool_]]
) -> dict[str, float]:  # fmt: skip
    """Compare classes and probabilities on held-out chips, both computed by ONNX Runtime."""
    full, rounded = open_session(model.content, ONNXRUNTIME, sha256=model.sha256), open_session(content, ONNXRUNTIME)
    n_same, n_each = np.zeros(len(model.columns)), np.zeros(len(model.columns))
    total, largest = 0.0, 0.0
    for chip, known in zip(chips, usable, strict=True):
        before, after = (s.run(chip, "proba")[0][:, known] for s in (full, rounded))
        classes = before.argmax(axis=0)
        n_each += np.bincount(classes, minlength=len(n_each))
        n_same += np.bincount(classes[classes == after.argmax(axis=0)], minlength=len(n_each))
        difference = np.abs(before - after)
        total, largest = total + float(difference.mean(axis=0).sum(dtype=np.float64)), max(largest, float(difference.max()))
    n_pixels, by_class = n_each.sum(), n_same[n_each > 0] / n_each[n_each > 0]
    return {
        "agreement": float(n_same.sum() / n_pixels), "class_agreement_min": float(by_class.min()),
        "mean_difference": total / float(n_pixels), "largest_difference": largest, "n_chips": float(len(chips)),
        "n_pixels": float(n_pixels),
    }  # fmt: skip
