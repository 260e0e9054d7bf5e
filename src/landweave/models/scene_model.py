"""A trained network for scenes: chips in, the probability of every class out; saved as a folder, run without torch.

Receives an ONNX file with its card; hands on probabilities (chip, class).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.io.model_folder import StoredModel, read_model_folder, write_model_folder
from landweave.models.chip_contract import chip_shapes
from landweave.models.scenes import SceneSet
from landweave.models.sessions import ONNXRUNTIME, Runtime, inspect_network, open_session
from landweave.types import ModelCard, ModelInput, Progress, ProgressEvent

__all__ = ["SCENES", "SceneModel", "load_scenes", "save_scenes"]

SCENES = "scenes"
"""What the card calls the engine of these models."""
Feeds = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class SceneModel:
    """A network that labels whole chips.

    Attributes:
        card: What it is and needs; states chip, stride and batch.
        content: The ONNX file: inputs as those of image networks, output `proba` (batch, class).
        columns: class_index of each of its columns.
        several: Whether a chip may carry several labels: probabilities then do not add up to 1.
        runtime: What computes it.
    """

    card: ModelCard
    content: bytes
    columns: tuple[int, ...]
    several: bool
    runtime: Runtime = ONNXRUNTIME

    @cached_property
    def sha256(self) -> str:
        """Checksum of the ONNX file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def batch(self) -> int:
        """Chips computed at once, always, so that a chip's result does not depend on its neighbours in a batch."""
        return self.card.batch_shape[0] if self.card.batch_shape else 1

    def make_feeds(self, n: int) -> Feeds:
        """Make the network's inputs for `n` chips, with nothing observed yet."""
        shapes = chip_shapes(self.card.inputs, self.card.chip_size_px or 0)
        return {name: np.zeros((n, *shape), dtype=np.float32) for name, shape in shapes.items()}

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give the probabilities (batch, class) of a whole batch in legend order; 0 for classes that training lacked.

        Raises:
            ModelError: If the network gives NaN.
        """
        made = open_session(self.content, self.runtime, sha256=self.sha256).run(feeds, "proba")
        if not np.isfinite(made).all():
            raise ModelError(f"network {self.card.model} gave NaN or infinite probabilities; look at the chips' values, and "
                             "train with a lower learning rate if they are sound")  # fmt: skip
        proba = np.zeros((len(made), len(self.card.classes)), dtype=np.float32)
        proba[:, list(self.columns)] = made
        return proba

    def predict_chips(self, scenes: SceneSet, *, progress: Progress | None = None) -> NDArray[np.float32]:
        """Give the probabilities (chip, class) of chips, NaN for a chip without a valid pixel.

        Raises:
            ModelError: If the chips hold other inputs than the network reads.
        """
        check_scene_inputs(self.card, scenes.inputs, scenes.chip_size_px)
        proba = np.full((len(scenes), len(self.card.classes)), np.nan, dtype=np.float32)
        feeds, waiting = self.make_feeds(self.batch), list[int]()
        for i in range(len(scenes)):
            read = scenes.read(i)
            if any(pixels.valid.any() for pixels in read.values()):
                for name, pixels in read.items():
                    feeds[name][len(waiting)], feeds[f"{name}_valid"][len(waiting)] = pixels.values, pixels.valid
                waiting.append(i)
            if len(waiting) == self.batch or (waiting and i == len(scenes) - 1):
                proba[waiting] = self.run(feeds)[: len(waiting)]
                feeds, waiting = self.make_feeds(self.batch), []
            if progress is not None:
                progress(ProgressEvent("chips", i + 1, len(scenes), "chips"))
        return proba

    def name_labels(self, proba: NDArray[np.float32], *, threshold: float = 0.5) -> Iterator[tuple[str, ...]]:
        """Give the labels of each row of probabilities: the most probable, or with several all from the threshold on."""
        names = self.card.legend.names
        for row in proba:
            if np.isnan(row).all():
                yield ()
            elif self.several:
                yield tuple(names[k] for k in np.flatnonzero(row >= threshold))
            else:
                yield (names[int(row.argmax())],)


def check_scene_inputs(card: ModelCard, inputs: Sequence[ModelInput], chip_size_px: int) -> None:
    """Check that chips are what a network reads.

    Raises:
        ModelError: If names, bands, steps or the chip's side differ; lists all that do.
    """
    wrong = []
    given = {i.name: i for i in inputs}
    for spec in card.inputs:
        found = given.get(spec.name)
        if found is None:
            wrong.append(f"input {spec.name!r} is missing (there are {', '.join(given) or 'none'})")
        elif found.bands != spec.bands or found.n_steps != spec.n_steps:
            wrong.append(f"{spec.name!r} has {found.n_steps or 1} x {', '.join(found.bands)}, the network reads "
                         f"{spec.n_steps or 1} x {', '.join(spec.bands)}")  # fmt: skip
    if chip_size_px != card.chip_size_px:
        wrong.append(f"chips of {chip_size_px} px, the network takes {card.chip_size_px}")
    if wrong:
        raise ModelError(f"chips do not fit the model {card.model}: {'; '.join(wrong)}; give chips as in training")


def save_scenes(model: SceneModel, folder: Path | str) -> Path:
    """Write a model folder: card, legend and the ONNX file; an older model there is replaced.

    Raises:
        OutputExistsError: If the folder holds something else.
    """
    blobs = {"model.onnx": model.content, "scenes.json": json.dumps({"several": model.several}).encode()}
    return write_model_folder(StoredModel(model.card, SCENES, model.columns, {}, blobs), folder)


def load_scenes(folder: Path | str) -> SceneModel:
    """Load a network for scenes; nothing in the folder is executed.

    Raises:
        SourceError: If a file is missing.
        ModelError: If it holds another kind of model, is damaged, or the network is not the card's.
    """
    stored = read_model_folder(folder)
    if stored.engine != SCENES or not {"model.onnx", "scenes.json"} <= set(stored.blobs):
        raise ModelError(f"{folder} holds {stored.card.model} (engine {stored.engine}), no network for scenes; train one with "
                         "`landweave train-scenes`, or map this one with `landweave predict`")  # fmt: skip
    said = json.loads(stored.blobs["scenes.json"])
    model = SceneModel(stored.card, stored.blobs["model.onnx"], stored.columns, bool(said["several"]))
    found = inspect_network(model.content)
    lacking = [n for n in chip_shapes(model.card.inputs, model.card.chip_size_px or 0) if n not in found.inputs]
    if lacking or "proba" not in found.outputs:
        raise ModelError(f"{folder}: model.onnx has the inputs {', '.join(found.inputs)}, its card needs {', '.join(lacking)}; "
                         "copy or train the model again")  # fmt: skip
    return model
