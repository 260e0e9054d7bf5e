"""The identity of a map: what its bytes depend on, under one fingerprint.

Receives a model, cubes and options; hands on named keys and their checksum. Block size, workers and executor are not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

import landweave
from landweave.cube.place import PlaceReader
from landweave.cube.segments import SegmentReader
from landweave.errors import MapError
from landweave.grid import crs_of, geobox_of
from landweave.io.files import sha256_json
from landweave.maps.options import MapOptions
from landweave.models import PixelModel
from landweave.models.folder import list_extras
from landweave.types import CubeSet, Predictor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cube_keys", "find_differences", "fingerprint_of", "make_keys"]


def make_keys(
    model: Predictor, cubes: CubeSet, options: MapOptions, *, inputs: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Name everything that a map's bytes depend on.

    Args:
        model: Its card and weights count.
        cubes: Their grid, bands, dates and sources count.
        options: Those that change a product.
        inputs: Path -> checksum of the cubes' sources, where the caller knows them; else read from the cubes.

    Raises:
        MapError: If the cubes' sources cannot be told.
    """
    return {
        "model": _model_checksum(model),
        "grid": _grid_key(cubes),
        "cubes": {name: _cube_key(cubes, name) for name in cubes.cubes},
        "inputs": dict(inputs) if inputs is not None else _source_stamps(cubes),
        "options": _option_keys(options),
        "landweave": landweave.__version__,
    }


def _option_keys(options: MapOptions) -> dict[str, Any]:
    keys: dict[str, Any] = {"proba": options.proba, "uncertainty": options.uncertainty}
    if options.applicability:
        keys["applicability"] = True
    if options.unsure_error is not None:
        keys["unsure_error"] = options.unsure_error
    if options.conformal_error is not None:
        keys |= {"conformal_error": options.conformal_error, "conformal_shift": options.conformal_shift}
    networks = (options.runtime, options.precision, options.device)
    if networks != ("onnxruntime", "fp32", "cpu"):
        keys["runtime"] = " ".join(networks)
    if options.augment is not None:
        keys["augment"] = options.augment
    if options.smooth is not None:
        keys["smooth"] = options.smooth.model_dump(mode="json")
    if not options.filters.is_empty:
        keys["filters"] = options.filters.model_dump(mode="json")
    return keys


def fingerprint_of(keys: Mapping[str, Any]) -> str:
    """Give the fingerprint of keys: 16 hex digits, which name the folder of the block store."""
    return sha256_json(keys)[:16]


def find_differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Name the keys in which two sets of keys differ, as `options.proba: true -> false`, in order."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(k for k in new if k not in old)]
        return [d for k in names for d in find_differences(old.get(k), new.get(k), f"{prefix}.{k}" if prefix else str(k))]
    return [] if old == new else [f"{prefix}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:18] + "..." + text[-18:]


def _model_checksum(model: Predictor) -> str:
    digest = hashlib.sha256(sha256_json(model.card.model_dump(mode="json")).encode())
    checksum = getattr(model, "checksum", None)
    engine: Any = getattr(model, "engine", None)
    if isinstance(checksum, str):
        digest.update(checksum.encode())
    elif engine is not None and hasattr(engine, "to_weights"):
        weights = engine.to_weights()
        for name in sorted(weights.arrays):
            array = np.ascontiguousarray(weights.arrays[name])
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.data)
        for name in sorted(weights.blobs):
            digest.update(name.encode())
            digest.update(weights.blobs[name])
    if isinstance(model, PixelModel):
        for name, content in sorted(list_extras(model).items()):
            digest.update(name.encode())
            digest.update(content)
    return digest.hexdigest()


def cube_keys(cubes: CubeSet) -> dict[str, Any]:
    """Name what cubes are: grid, bands, dates, how they are read, and their files' size and time of change.

    Raises:
        MapError: If the cubes' sources cannot be told.
    """
    return {"cubes": {name: _cube_key(cubes, name) for name in cubes.cubes}, "inputs": _source_stamps(cubes)}


def _grid_key(cubes: CubeSet) -> dict[str, Any]:
    geobox = cubes.geobox
    return {"crs": crs_of(geobox).to_wkt(), "transform": [float(v) for v in geobox.affine[:6]], "shape": list(geobox.shape)}


def _cube_key(cubes: CubeSet, name: str) -> dict[str, Any]:
    cube = cubes[name]
    affine = geobox_of(cube).affine
    times = [str(t) for t in cube["time"].values] if "time" in cube.dims else None
    reader = _reader_of(cube)
    plan, spatial = (getattr(reader, part, None) for part in ("plan", "spatial"))
    reading = _reading_keys(plan)
    if isinstance(reader, SegmentReader):
        reading = _widen_reading(reading, reader)
    elif isinstance(reader, PlaceReader):
        reading = {"reading": sha256_json(_to_plain(reader.options))}
    if spatial is not None:  # a pixel then depends on files beyond its own place, which an update could not trace
        reading = {"reading": sha256_json([reading, _to_plain(spatial)])}
    return {
        "bands": [str(b) for b in cube["band"].values], "times": times, "transform": [float(v) for v in affine[:6]],
        "shape": list(cube.shape), **reading,
    }  # fmt: skip


def _widen_reading(reading: Mapping[str, Any], reader: SegmentReader) -> dict[str, Any]:
    """Widen the windows that files may touch to the windows that are segmented as a whole."""
    how = [reading["reading"], _to_plain(reader.options), reader.measured, sorted(reader.by.items())]
    source = _to_plain(getattr(reader.source, "spatial", None))
    if source is not None:  # as in `_cube_key`: what looks around a pixel cannot be traced by an update
        return {"reading": sha256_json([how, source, reading.get("files")])}
    side = reader.options.window_px
    files = {}
    for path, (use, *windows) in reading.get("files", {}).items():
        wide = []
        for row, col, height, width in windows:
            top, left = row // side * side, col // side * side
            wide.append([top, left, -(-(row + height) // side) * side - top, -(-(col + width) // side) * side - left])
        files[path] = [use, *wide]
    return {"reading": sha256_json(how), "files": files}


def _to_plain(value: Any) -> Any:
    """Give frozen records, options among their fields, as plain values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _reading_keys(plan: Any) -> dict[str, Any]:
    """Name how a lazy cube reads its files, and for each file what is read of it and the windows that it may touch.

    The files stand apart, so that an update can tell which pixels another file changes.
    """
    if not hasattr(plan, "steps"):
        return {"reading": None if plan is None else sha256_json(asdict(plan))}
    whole = {**asdict(replace(plan, steps=())), "steps": [[str(s.start), str(s.end)] for s in plan.steps]}
    files: dict[str, list[Any]] = {}
    uses: dict[str, list[str]] = {}
    for at, step in enumerate(plan.steps):
        for scene in (x for day in step.days for x in day.scenes):  # by step, not by day: a new date leaves the others alone
            use, f = sha256_json([at, asdict(scene)]), scene.footprint
            for path in dict.fromkeys(file.path for file in (*scene.files, *(m.file for m in scene.masks))):
                uses.setdefault(path, []).append(use)
                files.setdefault(path, []).append([f.row, f.col, f.height, f.width])
    return {"reading": sha256_json(whole), "files": {p: [sha256_json(uses[p])[:16], *files[p]] for p in files}}


def _reader_of(cube: xr.DataArray) -> Any:
    """Give what reads a lazy cube's windows (see `cube.backend`), or None where the pixels are in memory."""
    data = cube.variable._data
    while hasattr(data, "array"):
        data = data.array
    return getattr(data, "reader", None)


def _source_stamps(cubes: CubeSet) -> dict[str, str]:
    stamps: dict[str, str] = {}
    for name, cube in cubes.cubes.items():
        reader = _reader_of(cube)
        sources = list(reader.paths) if isinstance(reader, PlaceReader) else _list_sources(cube)
        if isinstance(reader, PlaceReader) and not sources:  # computed from the grid alone
            continue
        if sources is None:
            stamps[f"cube {name}"] = hashlib.sha256(np.ascontiguousarray(cube.values).data).hexdigest()
        elif not sources:
            raise MapError(f"cube {name!r} does not say which files it reads, so that its map cannot be told from another's; "
                           "load it with load_cube or open_cube, or give predict_map inputs={path: checksum}")  # fmt: skip
        else:
            stamps |= {path: stamp_file(path) for path in sources}
    return stamps


def _list_sources(cube: xr.DataArray) -> list[str] | None:
    """List the files behind a cube; None where its pixels are in memory."""
    if isinstance(cube.variable._data, np.ndarray):
        return None
    reader = _reader_of(cube)
    plan = getattr(reader, "plan", None)
    if plan is None:
        path = getattr(reader, "path", None) or cube.encoding.get("source")
        return [str(path)] if path else []
    return sorted({str(path) for path in _find_paths(asdict(plan))})


def _find_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "path" and isinstance(inner, str | Path):
                yield str(inner)
            else:
                yield from _find_paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find_paths(inner)


def stamp_file(path: str) -> str:
    """Give size and time of change of a file; of a folder (Zarr), those of its metadata files."""
    at = Path(path)
    if at.is_dir():
        files = sorted(p for p in at.rglob(".z*") if p.is_file())
        return sha256_json([[p.relative_to(at).as_posix(), p.stat().st_size, p.stat().st_mtime_ns] for p in files])
    if not at.is_file():  # an archive member or an address: its name is all there is
        return "unstamped"
    stat = at.stat()
    return f"{stat.st_size} bytes, changed {stat.st_mtime_ns}"
