"""What a network for chips must look like, and what the file that is there looks like.

Receives a model card and an ONNX file; raises where they do not belong together, with a list of what differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from landweave.errors import ModelError
from landweave.models.sessions import TensorInfo, inspect_network
from landweave.types import ModelCard, ModelInput

__all__ = ["check_network", "chip_shapes", "input_ratios"]

SIZES = "landweave.sizes"
"""Note in the file on the sides that the network takes: "256", "dynamic", or "dynamic, multiple of 32"."""


def input_ratios(inputs: Sequence[ModelInput]) -> dict[str, int]:
    """Give how many pixels of the finest input a pixel of each input spans.

    Raises:
        ModelError: If a pixel size is not stated, is no whole multiple of the finest, or the finest input is optional.
    """
    if len(inputs) == 1:
        return {inputs[0].name: 1}
    sizes = {i.name: i.resolution[0] if i.resolution is not None else None for i in inputs}
    known = [s for s in sizes.values() if s is not None]
    if len(known) < len(sizes):
        silent = next(n for n, s in sizes.items() if s is None)
        raise ModelError(f"input {silent!r} of the model states no resolution, so that its chips cannot be laid beside the "
                         "others'; train from cubes")  # fmt: skip
    finest = min(known)
    ratios = {name: round(size / finest) for name, size in zip(sizes, known, strict=True)}
    for name, size in zip(sizes, known, strict=True):
        if abs(size / finest - ratios[name]) > 1e-3:
            raise ModelError(f"input {name!r} has pixels of {size:g}, the finest input {finest:g}; load the cubes with pixel "
                             "sizes that are whole multiples")  # fmt: skip
    if not any(ratios[i.name] == 1 and i.required for i in inputs):
        finest_names = ", ".join(n for n, r in ratios.items() if r == 1)
        raise ModelError(f"the finest inputs ({finest_names}) are optional, so that nothing gives the map's pixels; make one "
                         "of them required")  # fmt: skip
    return ratios


def chip_shapes(inputs: Sequence[ModelInput], chip_px: int) -> dict[str, tuple[int, ...]]:
    """Give the shape of each of the network's inputs for one chip, without the batch.

    Returns:
        `<input>`: (time, band, y, x), or (band, y, x) when static; `<input>_valid`: the same without band.
    """
    shapes = {}
    for spec in inputs:
        side = chip_px // input_ratios(inputs)[spec.name]
        time = () if spec.n_steps is None else (spec.n_steps,)
        shapes[spec.name] = (*time, len(spec.bands), side, side)
        shapes[f"{spec.name}_valid"] = (*time, side, side)
    return shapes


def check_network(card: ModelCard, content: bytes, n_columns: int) -> None:
    """Check that an ONNX file is the network of a card.

    Raises:
        ModelError: If it cannot be read, takes other chips, or has other inputs or outputs; lists all that differ.
    """
    network = inspect_network(content)
    chip = card.chip_size_px or 0
    wanted = {name: (None, *shape) for name, shape in chip_shapes(card.inputs, chip).items()}
    wrong = _compare("input", wanted, network.inputs)
    wrong += _compare("output", {"proba": (None, n_columns, chip, chip)}, network.outputs, others_allowed=True)
    if wrong:
        raise ModelError(f"the ONNX file is not the network of this card: {'; '.join(wrong)}; train or export the model again")
    _check_sizes(network.metadata.get(SIZES, "dynamic"), chip)


def _compare(
    role: str, wanted: Mapping[str, tuple[int | None, ...]], found: Mapping[str, TensorInfo], *, others_allowed: bool = False
) -> list[str]:
    wrong = []
    for name, shape in wanted.items():
        expected = TensorInfo("float", shape)
        if name not in found:
            wrong.append(f"{role} {name} {expected} is lacking")
        elif found[name].dtype != "float" or not _fits(shape, found[name].shape):
            wrong.append(f"{role} {name} is {found[name]}, expected {expected}")
    if not others_allowed:
        wrong += [f"{role} {name} {info} is not one of the model's" for name, info in found.items() if name not in wanted]
    return wrong


def _fits(wanted: Sequence[int | None], found: Sequence[int | None]) -> bool:
    return len(wanted) == len(found) and all(f is None or w is None or f == w for w, f in zip(wanted, found, strict=True))


def _check_sizes(note: str, chip: int) -> None:
    found = re.fullmatch(r"(\d+)|dynamic(?:, multiple of (\d+))?", note.strip())
    if found is None:
        raise ModelError(f"the ONNX file says {SIZES} = {note!r}; expected a size such as 256, or 'dynamic, multiple of 32'")
    if found[1] is not None and int(found[1]) != chip:
        raise ModelError(f"chip_size_px is {chip}, and the network takes chips of {found[1]} px alone; give that size")
    step = int(found[2] or 1)
    if chip % step:
        near = -(-chip // step) * step
        raise ModelError(f"chip_size_px is {chip}, and the network takes multiples of {step} px; give {near}")
