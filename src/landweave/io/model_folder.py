"""The model folder: card.json, legend.json, weights.npz, and files in a library's own safe format. Never a pickle.

Receives and hands on a `StoredModel`; knows nothing of what the arrays mean.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from landweave.errors import ModelError, OutputExistsError, SourceError
from landweave.io.files import read_json, sha256_file, write_json
from landweave.types import ModelCard

__all__ = ["StoredModel", "pack_arrays", "read_model_folder", "unpack_arrays", "write_model_folder"]

SCHEMA_VERSION = 1
WEIGHTS = "weights.npz"


@dataclass(frozen=True)
class StoredModel:
    """A model as it lies on disk.

    Attributes:
        card: The model card; `lineage["weights"]` of it states engine, columns and the sha256 of every file.
        engine: Kind of engine the arrays belong to.
        columns: class_index of each column of the engine.
        arrays: Name -> numbers.
        blobs: File name -> content.
    """

    card: ModelCard
    engine: str
    columns: tuple[int, ...]
    arrays: Mapping[str, NDArray[Any]]
    blobs: Mapping[str, bytes] = field(default_factory=dict)


def write_model_folder(stored: StoredModel, folder: Path | str) -> Path:
    """Write `<folder>.part` and rename it, so that a folder of the final name is always whole.

    The same model gives the same bytes, whenever it is written.

    Raises:
        OutputExistsError: If the folder exists and is not a model folder.
        ModelError: If an array cannot be stored without pickling.
    """
    final = Path(folder)
    if final.exists() and not (final / "card.json").exists() and any(final.iterdir()):
        raise OutputExistsError(f"{final} exists and holds no model (no card.json); choose another folder")
    part = final.with_name(final.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _write_files(stored, part)
        _replace_folder(part, final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return final


def _write_files(stored: StoredModel, part: Path) -> None:
    checksums = {}
    for name, array in stored.arrays.items():
        if array.dtype.hasobject:
            raise ModelError(f"array {name!r} of the model has dtype {array.dtype}, which only a pickle could hold")
    if stored.arrays:
        _write_npz(part / WEIGHTS, stored.arrays)
        checksums[WEIGHTS] = sha256_file(part / WEIGHTS)
    for name, content in stored.blobs.items():
        (part / name).write_bytes(content)
        checksums[name] = sha256_file(part / name)
    weights = {"engine": stored.engine, "columns": list(stored.columns), "sha256": checksums}
    card = stored.card.model_copy(update={"lineage": {**stored.card.lineage, "weights": weights}})
    write_json(part / "legend.json", stored.card.classes)
    write_json(part / "card.json", card.model_dump(mode="json"))


def _write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    path.write_bytes(pack_arrays(arrays))
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Give an npz whose bytes depend on the arrays alone: sorted names, a fixed date in every entry."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, buffer.getvalue())
    return whole.getvalue()


def unpack_arrays(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Give the arrays of an npz; `name` is for the message.

    Raises:
        ModelError: If it holds more than plain arrays.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, zipfile.BadZipFile) as err:
        raise ModelError(f"{name} holds more than plain arrays ({err}); it was not written by landweave") from err


def _replace_folder(part: Path, final: Path) -> None:
    if not final.exists():
        part.rename(final)
        return
    old = final.with_name(final.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    final.rename(old)
    part.rename(final)
    shutil.rmtree(old)


def read_model_folder(folder: Path | str) -> StoredModel:
    """Read a model folder after checking its schema and checksums.

    Raises:
        SourceError: If the folder or a file in it is missing or not JSON.
        ModelError: If the card is not of a schema we know, does not fit it, or a checksum differs.
    """
    at = Path(folder)
    if not (at / "card.json").is_file():
        raise SourceError(f"{at} is not a model folder: it has no card.json; give the folder that `landweave train` wrote")
    card = _read_card(at / "card.json")
    weights = card.lineage.get("weights")
    if not isinstance(weights, dict) or not {"engine", "columns", "sha256"} <= set(weights):
        raise ModelError(f"{at / 'card.json'} does not state its weights (lineage.weights); train the model again")
    arrays: dict[str, NDArray[Any]] = {}
    blobs: dict[str, bytes] = {}
    for name, expected in weights["sha256"].items():
        _check_file(at, str(name), str(expected))
        if name == WEIGHTS:
            arrays = _read_npz(at / WEIGHTS)
        else:
            blobs[str(name)] = (at / str(name)).read_bytes()
    columns = tuple(int(c) for c in weights["columns"])
    if any(c < 0 or c >= len(card.classes) for c in columns):
        raise ModelError(f"{at / 'card.json'} gives columns {list(columns)} for {len(card.classes)} classes; train again")
    return StoredModel(card=card, engine=str(weights["engine"]), columns=columns, arrays=arrays, blobs=blobs)


def _read_card(path: Path) -> ModelCard:
    content = read_json(path)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelError(f"{path} has schema_version {version!r}; this version of landweave reads {SCHEMA_VERSION}")
    try:
        return ModelCard.model_validate(content)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise ModelError(f"{path} does not fit the schema of a model card: {where}: {first['msg']}") from err


def _check_file(at: Path, name: str, expected: str) -> None:
    if Path(name).name != name:
        raise ModelError(f"{at / 'card.json'} names the weights {name!r} outside the model folder; do not trust this model")
    found = sha256_file(at / name)
    if found != expected:
        raise ModelError(f"{at / name} has checksum {found[:12]}..., the card states {expected[:12]}...; "
                         "the file was changed or damaged, copy or train the model again")  # fmt: skip


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    return unpack_arrays(path.read_bytes(), str(path))
