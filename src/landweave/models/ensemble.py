"""Several models as one: the mean of their probabilities.

Receives saved models of one legend and one set of inputs; hands on an `Ensemble`, a `types.Predictor`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.io.files import sha256_json
from landweave.models.folder import list_extras, load_model
from landweave.models.mean import MeanEngine
from landweave.models.predictor import PixelModel
from landweave.types import Block, ModelCard, Predictor

__all__ = ["Ensemble", "load_ensemble", "make_ensemble"]


@dataclass(frozen=True)
class Ensemble:
    """The mean of its members' probabilities; a pixel that one member cannot tell is nodata.

    Attributes:
        card: Of the whole: the members' common inputs and legend, their widest span of values, samples and context.
        members: The models.
    """

    card: ModelCard
    members: tuple[Predictor, ...]

    @property
    def checksum(self) -> str:
        """What its maps depend on: the members' cards, weights and all that runs after them."""
        digest = hashlib.sha256()
        for member in self.members:
            digest.update(sha256_json(member.card.model_dump(mode="json")).encode())
            if isinstance(member, PixelModel):
                weights = member.engine.to_weights()
                for name, array in sorted(weights.arrays.items()):
                    digest.update(f"{name} {array.dtype} {array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data)
                for name, content in sorted({**weights.blobs, **list_extras(member)}.items()):
                    digest.update(name.encode() + content)
            else:
                digest.update(str(getattr(member, "checksum", "")).encode())
        return digest.hexdigest()

    def to_pixel_model(self) -> PixelModel:
        """Give the same mean as one per-pixel model, which can be saved, loaded, and mapped with all that such models can.

        Raises:
            ModelError: If a member is no per-pixel model, or they deal with gaps in different ways.
        """
        pixel = [m for m in self.members if isinstance(m, PixelModel)]
        ways = {(m.card.missing, m.card.min_valid_steps) for m in pixel}
        if len(pixel) < len(self.members) or len(ways) > 1:
            why = "not all are per-pixel models" if len(pixel) < len(self.members) else (
                "they deal with gaps differently: " + ", ".join(f"{m} with {n} dates" for m, n in sorted(ways)))  # fmt: skip
            raise ModelError(f"the {len(self.members)} members cannot be one saved model: {why}; use them with make_ensemble")
        n = len(self.card.classes)
        mean = MeanEngine(tuple(m.engine for m in pixel), tuple(m.columns for m in pixel), (1 / len(pixel),) * len(pixel), n,
                          tuple(m.calibration for m in pixel))  # fmt: skip
        return PixelModel(self.card, mean, tuple(range(n)))

    def predict_proba(self, blocks: Mapping[str, Block]) -> NDArray[np.float32]:
        """Give the mean probabilities (class, y, x), added up in the order of the members; see `types.Predictor`."""
        total = self.members[0].predict_proba(blocks).astype(np.float64)
        for member in self.members[1:]:
            total += member.predict_proba(blocks)
        return (total / len(self.members)).astype(np.float32)


def make_ensemble(members: Sequence[Predictor]) -> Ensemble:
    """Put models together.

    Deep ensembles are the same mean (Lakshminarayanan et al. 2017, arXiv:1612.01474, eq. for classification); members that
    differ in seed, family or training rows show by their spread what the data leave open.

    Args:
        members: At least two models of one legend and the same inputs, each without context (per pixel).

    Raises:
        ModelError: If there are fewer than two, or they differ in legend, inputs or context.
    """
    if len(members) < 2:
        raise ModelError(f"an ensemble of {len(members)} model(s) is none; give at least two")
    first = members[0].card
    for number, member in enumerate(members[1:], start=2):
        for name in ("classes", "inputs", "context_px", "chip_size_px"):
            if getattr(member.card, name) != getattr(first, name):
                raise ModelError(f"model {number} of the ensemble ({member.card.model}) has other {name} than the first "
                                 f"({first.model}); train all on the same samples and cube")  # fmt: skip
    cards = [m.card for m in members]
    lineage = {"members": [{"model": c.model, "params": c.params, "lineage": c.lineage} for c in cards]}
    title = f"Mean of {len(cards)} models: {', '.join(c.title or c.model for c in cards)}"
    card = first.model_copy(update={
        "model": "ensemble", "title": title, "params": {},
        "min_valid_steps": max(c.min_valid_steps for c in cards),
        "p01": {k: min(c.p01.get(k, v) for c in cards) for k, v in first.p01.items()},
        "p99": {k: max(c.p99.get(k, v) for c in cards) for k, v in first.p99.items()},
        "metrics": {}, "lineage": lineage,
    })  # fmt: skip
    return Ensemble(card, tuple(members))


def load_ensemble(folders: Sequence[Path | str]) -> Ensemble:
    """Load saved models and put them together.

    Raises:
        SourceError: If a folder holds no model.
        ModelError: As `make_ensemble`.
    """
    return make_ensemble([load_model(folder) for folder in folders])
