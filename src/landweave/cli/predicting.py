"""`landweave predict` on images: files or a cube, matched to a saved model by band name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from landweave.cube import CubeOptions, load_cube, open_cube, select_season
from landweave.errors import BandError, MapError, ModelError, OutputExistsError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.maps import MapOptions, open_map, predict_map, update_map
from landweave.models import check_inputs, load_model
from landweave.types import CubeSet, ExecutorName, MapProduct, ModelCard, Progress


@dataclass(frozen=True)
class ImageRequest:
    """What to map: image paths and what they are where the files do not say it themselves; options of the map."""

    images: tuple[str, ...]
    bands: tuple[str | None, ...] | None = None
    sensor: str = "generic"
    pattern: str | None = None
    scale: float | None = None
    season: str | None = None
    allow_missing: bool = False
    update: bool = False
    networks: Mapping[str, Any] = field(default_factory=dict)


def predict_images(
    model_folder: Path,
    request: ImageRequest,
    out: Path,
    *,
    workers: int,
    memory: str,
    overwrite: bool,
    progress: Progress | None,
    executor: ExecutorName = "threads",
    scheduler: str | None = None,
) -> tuple[MapProduct, list[str]]:
    """Map images with a saved model.

    Args:
        model_folder: The model.
        request: The images.
        out: A folder for all products; or a file ending in .tif for the map alone, with its style beside it.
        workers: Threads.
        memory: Budget of the process.
        overwrite: Replace what is there.
        progress: Told of every block.
        executor: Where blocks are computed.
        scheduler: Address of a dask scheduler.

    Returns:
        The map, and warnings about the images.

    Raises:
        ModelError: If the model does not fit the images.
        OutputExistsError: If `out` exists and holds another map.
    """
    model = load_model(model_folder)
    cubes = open_images(request, model.card)
    warnings = check_inputs(model.card, cubes)
    is_file = out.suffix.lower() in (".tif", ".tiff")
    folder = out.with_name(out.name + ".parts") if is_file else out
    if is_file and out.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists; --overwrite replaces it, or choose another --out")
    options = MapOptions(proba=not is_file, uncertainty=not is_file, allow_missing=request.allow_missing,
                         **request.networks)  # fmt: skip
    if request.update:
        if is_file or overwrite:
            raise MapError("--update keeps the blocks of a folder's map that did not change; give a folder as --out, and leave "
                           "out --overwrite")  # fmt: skip
        made = update_map(model, cubes, out, options=options, workers=workers, memory=memory, progress=progress,
                          executor=executor, scheduler=scheduler)  # fmt: skip
        return made, warnings
    anew = overwrite and not is_file  # the hidden folder of a single file is ours alone: resume there
    product = predict_map(
        model, cubes, folder, options=options, workers=workers, memory=memory, overwrite=anew, progress=progress,
        executor=executor, scheduler=scheduler,
    )  # fmt: skip
    return (_move(product, out) if is_file else product), warnings


def _move(product: MapProduct, out: Path) -> MapProduct:
    """Give the map its asked-for name and its style beside it, and drop the folder it was made in."""
    product.files["style"].replace(out.with_suffix(".qml"))
    product.files["map"].replace(out)
    shutil.rmtree(product.folder)
    opened = open_map(out)
    return replace(product, folder=out.parent, files={**opened.files, "map": out, "style": out.with_suffix(".qml")})


def open_images(request: ImageRequest, card: ModelCard) -> CubeSet:
    """Open what a request names as a model's card needs it.

    Raises:
        SourceError: If no image is named.
        ModelError: If the images cannot be told apart, or a season is missing.
        BandError: If a band that the model reads is missing.
    """
    if not request.images:
        raise SourceError("no images given; name raster files or a cube.zarr after the model folder")
    if len(request.images) == 1 and (Path(request.images[0]) / ".zgroup").exists():
        cubes = open_cube(request.images[0])
    else:
        cubes = _load_images(request, card)
    return choose_season(cubes, card, request.season)


def choose_season(cubes: CubeSet, card: ModelCard, start: str | None) -> CubeSet:
    """Give the season that a model trained on one is to see; the cubes as they are for other models.

    Raises:
        ModelError: If the model knows seasons and none is named.
    """
    season = next((i.season for i in card.inputs if i.season is not None), None)
    if season is None:
        return cubes
    if start is None:
        raise ModelError(f"the model was trained on seasons that start on {season.start}; say which one to map, e.g. "
                         f"--season 2020-{season.start}")  # fmt: skip
    return select_season(cubes, season, date.fromisoformat(start))


def _load_images(request: ImageRequest, card: ModelCard) -> CubeSet:
    """Load files as the model's one input; only the bands that it needs are kept."""
    if len(card.inputs) != 1:
        names = ", ".join(i.name for i in card.inputs)
        raise ModelError(f"the model reads {len(card.inputs)} sources ({names}), which files alone cannot tell apart; "
                         "run `landweave predict RECIPE`, or give a cube.zarr")  # fmt: skip
    only = card.inputs[0]
    dated = request.pattern is not None or only.n_steps is not None
    # kinds are told for layers named here; names that the file gives itself are checked against the card later
    kinds = {b: k for b, k in zip(only.bands, only.kinds, strict=True) if b in (request.bands or ())}
    source = SourceOptions(
        paths=request.images, sensor=request.sensor, layers=request.bands, pattern=request.pattern, scale=request.scale,
        static=not dated, kind=kinds if request.sensor == "generic" and kinds else None,
    )  # fmt: skip
    scenes = find_scenes(source)
    try:
        return load_cube({only.name: scenes}, options=CubeOptions(bands=only.bands))
    except BandError as err:
        raise BandError(f"{err}; the model reads {', '.join(only.bands)}: name the image's layers in order with --bands, - for "
                        "those to skip") from err  # fmt: skip
