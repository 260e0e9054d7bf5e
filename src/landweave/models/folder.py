"""Save a model as a folder and load it again; the files themselves are `io.model_folder`'s."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from landweave.errors import ModelError
from landweave.io.model_folder import StoredModel, pack_arrays, read_model_folder, unpack_arrays, write_model_folder
from landweave.models.applicability import Applicability
from landweave.models.calibration import Calibration
from landweave.models.chip_model import CHIPS, TORCH_WEIGHTS, ChipModel, make_chip_model, read_how
from landweave.models.conformal import Conformal
from landweave.models.engines import Weights, load_engine
from landweave.models.predictor import PixelModel
from landweave.types import Predictor

__all__ = ["list_extras", "load_model", "load_pixel_model", "save_model"]

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
    freeze: Any = getattr(model, "to_pixel_model", None)
    if freeze is not None:  # an ensemble of saved models
        model = freeze()
    if isinstance(model, ChipModel):
        blobs = model.to_weights().blobs
        return write_model_folder(StoredModel(model.card, CHIPS, model.columns, {}, blobs), folder)
    if not isinstance(model, PixelModel):
        raise ModelError(f"cannot save a {type(model).__name__}; save_model takes what train_model or load_model gave")
    weights = model.engine.to_weights()
    stored = StoredModel(
        card=model.card, engine=model.engine.kind, columns=model.columns, arrays=weights.arrays,
        blobs={**weights.blobs, **list_extras(model)},
    )  # fmt: skip
    return write_model_folder(stored, folder)


def load_model(folder: Path | str) -> PixelModel | ChipModel:
    """Load a model of any kind, per pixel or a network for chips; nothing in the folder is ever executed.

    Returns:
        A model that predicts bit for bit what the saved one did.

    Raises:
        SourceError: If a file is missing.
        ModelError: If the card does not fit its schema, a checksum differs, the engine is unknown, or a network is damaged or
            another than the card's.
    """
    stored = read_model_folder(folder)
    if stored.engine == CHIPS:
        return _load_chips(stored, Path(folder))
    if stored.engine == "scenes":
        raise ModelError(f"{folder} holds {stored.card.model}, a network that labels whole chips; use `landweave "
                         "predict-scenes`, or load_scenes in Python")  # fmt: skip
    return _load_pixels(stored, Path(folder))


def load_pixel_model(folder: Path | str) -> PixelModel:
    """Load a per-pixel model; see `load_model`, which loads networks for chips too.

    Raises:
        SourceError: If a file is missing.
        ModelError: If the card does not fit its schema, a checksum differs, the engine is unknown, or it maps chips.
    """
    stored = read_model_folder(folder)
    if stored.engine == CHIPS:
        raise ModelError(f"{folder} holds {stored.card.model}, a network that maps chips, and this needs a model that works on "
                         "single pixels; map it with `landweave predict`, or train a per-pixel model")  # fmt: skip
    return _load_pixels(stored, Path(folder))


def _load_chips(stored: StoredModel, folder: Path) -> ChipModel:
    lacking = {"model.onnx", "chips.json"} - set(stored.blobs)
    if lacking:
        raise ModelError(f"{folder} lacks {', '.join(sorted(lacking))} of a network for chips; copy or train the model again")
    try:
        how = read_how(stored.blobs["chips.json"])
        model = make_chip_model(stored.card, stored.blobs["model.onnx"], stored.columns, blend=how.blend, augment=how.augment)
        return replace(model, weights=stored.blobs.get(TORCH_WEIGHTS))
    except ModelError as err:
        raise ModelError(f"{folder}: {err}") from err


def _load_pixels(stored: StoredModel, folder: Path) -> PixelModel:
    engine = load_engine(stored.engine, Weights(stored.arrays, {k: v for k, v in stored.blobs.items() if k not in _EXTRAS}))
    extras: dict[str, Any] = {
        name.removesuffix(".npz"): kind.from_arrays(unpack_arrays(stored.blobs[name], str(Path(folder) / name)))
        for name, kind in _EXTRAS.items() if name in stored.blobs
    }  # fmt: skip
    return PixelModel(stored.card, engine, stored.columns, **extras)
