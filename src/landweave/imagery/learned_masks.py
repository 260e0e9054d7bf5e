"""Cloud masks by a network: ukis-csmask (Wieland et al. 2019, doi:10.1016/j.rse.2019.05.022), whose models ship in its wheel.

Receives scenes; writes one mask per scene, at about 30 m, and hands the scenes on with it. The network sees tiles of 256
pixels, of which the middle is kept.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.errors import BandError, MissingExtraError
from landweave.grid import GeoBox, Window, metres_per_pixel, split_blocks
from landweave.imagery.masks import LEARNED, MaskOptions
from landweave.io.files import sha256_json
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.io.rasters import RasterInfo, read_info, read_window
from landweave.io.remote import is_remote
from landweave.types import Asset, Scene, SceneMask

__all__ = ["CSMASK_CLASSES", "add_learned_masks", "predict_clouds"]

log = logging.getLogger(__name__)
CSMASK_CLASSES = {0: "clear", 1: "cloud", 2: "cloud shadow"}
"""Values of a learned mask; 255 is no observation."""

_NODATA = 255
_TILE_PX, _HALO_PX = 256, 32
_SIZE_M = 30.0
"""Pixel size that the networks were trained for."""
_SIX = ("blue", "green", "red", "nir", "swir16", "swir22")
_FOUR = _SIX[:4]


def add_learned_masks(scenes: Sequence[Scene], options: MaskOptions) -> list[Scene]:
    """Give scenes with the masks that the network makes of them; a mask that is there already is kept.

    Args:
        scenes: Scenes with blue, green, red and nir, better with swir16 and swir22, too.
        options: Says where the masks are written, whether shadows count, and how far what is not clear grows.

    Raises:
        BandError: If a scene lacks a band that the network needs.
        MissingExtraError: If ukis-csmask or onnxruntime is not installed.
    """
    clear = (0,) if options.shadows else (0, 2)
    masked = []
    for scene in scenes:
        path = _mask_path(scene, Path(options.folder or "."))
        if not path.exists():
            _write_mask(scene, path)
        asset = Asset(LEARNED, str(path), 1, nodata=_NODATA)
        masked.append(replace(scene, mask=SceneMask(asset, clear, dilate_px=options.dilate_px)))
    return masked


def _mask_path(scene: Scene, folder: Path) -> Path:
    def stamp(path: str) -> object:
        at = Path(path)
        return (at.stat().st_size, at.stat().st_mtime_ns) if not is_remote(path) and at.is_file() else None

    key = sha256_json([(a.band, a.path, a.layer, a.scale, a.offset, stamp(a.path)) for a in scene.assets])
    return folder / f"{scene.id}-{key[:8]}.tif"


def _write_mask(scene: Scene, path: Path) -> None:
    assets = {a.band: a for a in scene.assets}
    names = _SIX if all(b in assets for b in _SIX) else _FOUR
    missing = [b for b in names if b not in assets]
    if missing:
        raise BandError(f"scene {scene.id} has no {missing[0]!r}, which the cloud network needs; it holds "
                        f"{', '.join(scene.bands)}; keep {', '.join(_FOUR)} in `bands`")  # fmt: skip
    infos = {b: read_info(assets[b].path) for b in names}
    grid = _coarse(infos["red"].geobox)
    level = "l1c" if scene.sensor.name.endswith("l1c") else "l2a"

    def blocks() -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        inner = _TILE_PX - 2 * _HALO_PX
        for window in split_blocks((*grid.shape,), inner):
            tile = Window(window.row - _HALO_PX, window.col - _HALO_PX, _TILE_PX, _TILE_PX)
            values = np.stack([_read_band(scene, assets[b], infos[b], grid, tile) for b in names])
            classes = predict_clouds(values, names, level=level)
            part = classes[_HALO_PX : _HALO_PX + window.height, _HALO_PX : _HALO_PX + window.width]
            yield window, part[None]

    tags = {"source": "ukis-csmask", "classes": json.dumps(CSMASK_CLASSES)}
    write_geotiff(path, grid, TiffSpec("uint8", (LEARNED,), nodata=_NODATA, tags=tags, predictor=1), blocks())
    log.info("%s: learned cloud mask written to %s", scene.id, path)


def _coarse(grid: GeoBox) -> GeoBox:
    size = math.sqrt(math.prod(metres_per_pixel(grid)))
    factor = max(1, round(_SIZE_M / size))
    rows, cols = (-(-n // factor) for n in grid.shape)
    return GeoBox((rows, cols), grid.affine @ Affine.scale(factor), grid.crs)


def _read_band(scene: Scene, asset: Asset, info: RasterInfo, grid: GeoBox, window: Window) -> NDArray[np.float32]:
    """Read reflectance; NaN where there is none."""
    band = scene.sensor.get_band(asset.band)
    i = asset.layer - 1
    is_float = info.dtypes[i].startswith("float")
    scale, offset = asset.scale, asset.offset
    if scale is None and offset is None:
        scale, offset = info.scales[i], info.offsets[i]
    if scale is None and offset is None and not is_float:
        scale, offset = band.scale, band.offset
    nodata = asset.nodata if asset.nodata is not None else info.nodata[i]
    nodata = band.nodata if nodata is None and not is_float else nodata
    stored, valid = read_window(
        asset.path, [asset.layer], grid, window, resampling="average", nodata=nodata, src_crs=scene.crs
    )
    values = stored[0].astype(np.float32) * np.float32(1.0 if scale is None else scale) + np.float32(offset or 0.0)
    return np.where(valid[0], values, np.float32(np.nan))


def predict_clouds(values: NDArray[np.float32], bands: Sequence[str], *, level: str) -> NDArray[np.uint8]:
    """Classify a tile.

    Args:
        values: Reflectance (band, 256, 256), NaN where there is no observation.
        bands: Names of the bands: the six or the four of the network.
        level: `l1c` (top of atmosphere) or `l2a` (surface).

    Returns:
        Class (y, x): 0 clear, 1 cloud, 2 cloud shadow, 255 where a band is missing.

    Raises:
        MissingExtraError: If ukis-csmask or onnxruntime is not installed.
    """
    valid = ~np.isnan(values).any(axis=0)
    if not valid.any():
        return np.full(values.shape[1:], _NODATA, dtype=np.uint8)
    session, about = _load(len(bands), level)
    order = [bands.index(name) for name in about["band_names"]]
    mean, std = (np.array(v, dtype=np.float32)[:, None, None] for v in about["img"])
    scaled = np.where(valid, (values[order] - mean) / std, np.float32(0.0))[None]
    logits = session.run(None, {session.get_inputs()[0].name: scaled.astype(np.float32)})[0][0]
    return np.where(valid, logits.argmax(axis=0), _NODATA).astype(np.uint8)


@lru_cache(maxsize=2)
def _load(n_bands: int, level: str) -> tuple[Any, Mapping[str, Any]]:
    try:
        onnxruntime: Any = import_module("onnxruntime")
        ukis_csmask: Any = import_module("ukis_csmask")
    except ImportError as err:
        raise MissingExtraError("mask from csmask needs the 'clouds' extra: pip install \"landweave[clouds]\"") from err
    model = Path(str(ukis_csmask.__file__)).parent / f"model_{n_bands}b_{level}.onnx"
    about = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session, about["data"]["dataset_statistics"]
