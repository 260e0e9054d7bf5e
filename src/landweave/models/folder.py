"""Save a model as a folder and load it again; the files themselves are `io.model_folder`'s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from landweave.errors import ModelError
from landweave.io.model_folder import StoredModel, pack_arrays, read_model_folder, unpack_arrays, write_model_folder
from landweave.models.applicability import Applicability
from landweave.models.calibration import Calibration
from landweave.models.conformal import Conformal
from landweave.models.engines import Weights, load_engine
from landweave.models.predictor import PixelModel
from landweave.types import Predictor

__all__ = ["list_extras", "load_model", "save_model"]

_EXTRAS: dict[str, Any] = {"calibration.npz": Calibration, "conformal.npz": Conformal, "applicability.npz": Applicability}
"""Files beside the weights: what a model knows about its own errors."""


def list_extras(model: PixelModel) -> dict[str, bytes]:
    """Give the files of what a model has besides its weights, by name."""
    parts = {"calibration.npz": model.calibration, "conformal.npz": model.conformal, "applicability.npz": model.applicability}
    return {name: pack_arrays(part.to_arrays()) for name, part in parts.items() if part is not None}


def save_model(model: Predictor, folder: Path | str) -> Path:
    """Write a model: `card.json`, `legend.json` and its weights; an older model in the folder is replaced.

    Raises:
        ModelError: If it is not a model that was trained or loaded here.
        DiskFullError: If the disk fills.
    """
    if not isinstance(model, PixelModel):
        raise ModelError(f"cannot save a {type(model).__name__}; save_model takes what train_model or load_model gave")
    weights = model.engine.to_weights()
    stored = StoredModel(
        card=model.card, engine=model.engine.kind, columns=model.columns, arrays=weights.arrays,
        blobs={**weights.blobs, **list_extras(model)},
    )  # fmt: skip
    return write_model_folder(stored, folder)


def load_model(folder: Path | str) -> PixelModel:
    """Load a model; nothing in the folder is ever executed.

    Returns:
        A model that predicts bit for bit what the saved one did.

    Raises:
        SourceError: If a file is missing.
        ModelError: If the card does not fit its schema, a checksum differs, or the engine is unknown.
    """
    stored = read_model_folder(folder)
    engine = load_engine(stored.engine, Weights(stored.arrays, {k: v for k, v in stored.blobs.items() if k not in _EXTRAS}))
    extras: dict[str, Any] = {
        name.removesuffix(".npz"): kind.from_arrays(unpack_arrays(stored.blobs[name], str(Path(folder) / name)))
        for name, kind in _EXTRAS.items() if name in stored.blobs
    }  # fmt: skip
    return PixelModel(stored.card, engine, stored.columns, **extras)
