"""`landweave train-scenes` and `predict-scenes`: networks that label whole chips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    from landweave.models.scene_model import SceneModel
    from landweave.models.scenes import FileBands, SceneSet
    from landweave.types import CubeSet, Progress

__all__ = ["register"]

Bands = Annotated[str | None, typer.Option("--bands", help="Names of the files' layers in order: red,green,blue,nir.")]
Scale = Annotated[float, typer.Option(help="Physical value = stored * scale, e.g. 0.0001 for Sentinel-2.")]
Cube = Annotated[Path | None, typer.Option("--cube", metavar="CUBE", help="cube.zarr that chips are cut from.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train-scenes")(train_scenes)
    app.command("predict-scenes")(predict_scenes)


def train_scenes(
    chips: Annotated[
        Path, typer.Argument(metavar="CHIPS", help="A folder that holds a folder of images per class; or a table (CSV, GPKG).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the model.")],
    network: Annotated[
        str, typer.Option(help="scene-cnn, scene-attention, scene-resnet, scene-convnext, scene-swin, scene-dinov2.")
    ] = "scene-cnn",
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="Parameter of network or training. Repeat.")
    ] = None,
    cube: Cube = None,
    chip_size_px: Annotated[int | None, typer.Option(min=8, help="Side of a chip; needed with --cube.")] = None,
    bands: Bands = None, scale: Scale = 1.0,
    several: Annotated[
        bool | None, typer.Option("--several/--one", help="Several labels per chip, or one; as the labels are by default.")
    ] = None,
    test_share: Annotated[float, typer.Option(min=0, max=0.6, help="Chips held out by groups, on which it is scored.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, weights and order.")] = 0,
) -> None:  # fmt: skip
    """Train a network that says what a whole chip shows: one class (airport, lake) or several labels (forest; water).

    From a folder per class, the layout of EuroSAT and most scene data sets:

        landweave train-scenes EuroSAT/ --bands red,green,blue --out model -p epochs=30

    From a table with the columns labels (several with ; between them) and path; or x and y, cut from a cube:

        landweave train-scenes places.csv --cube out/cube.zarr --chip-size-px 32 --out model

    Chips that lie together (4 x 4 of them, or the same value in a column group) stay on one side of the split, or the score
    would tell how well the network knows a place. The score printed is that of held-out groups, and stands in the model's card.
    Needs the extra `deep`; predicting does not.
    """
    import numpy as np

    from landweave.models import ModelOptions
    from landweave.models.deep import load_deep
    from landweave.models.scene_model import save_scenes

    deep: Any = load_deep("train_scenes", f"training {network}")
    scenes = _read_chips(chips, cube, chip_size_px, _bands(bands, scale))
    options = ModelOptions(name=network, params=_params(param or []), seed=seed)
    kept, held = deep.split_scenes(scenes, test_share, seed=seed)
    with progress_bars() as progress:
        setting = deep.SceneSetting(several=scenes.has_several if several is None else several, progress=progress)
        trained = deep.train_scenes(scenes.select(kept), options=options, setting=setting)
    model = trained.model
    if len(held):
        scores = deep.score_scenes(model, scenes.select(held))
        card = model.card.model_copy(update={"metrics": {"spatial": scores}})
        model = type(model)(card, model.content, model.columns, model.several)
        rows = [(name.replace("_", " "), f"{value:.3f}") for name, value in scores.items()]
        groups = len(np.unique(scenes.groups[held]))
        print_table("On chips held out", ("score", "value"), rows, right=(1,))
        print_line(f"{len(held)} chips of {groups} groups, of {len(scenes)} chips in all")
    print_line(f"{trained.n_parameters:,} weights, best epoch {trained.fit.best_epoch + 1} of {len(trained.fit.history)}, "
               f"{trained.fit.seconds:.0f} s")  # fmt: skip
    print_line(f"model: {save_scenes(model, out)}")


def predict_scenes(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder that train-scenes wrote.")],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGES...", help="A cube.zarr or rasters to map; or a folder or table of chips.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder of the map; a .csv for labels of chips.")],
    cube: Cube = None, bands: Bands = None, scale: Scale = 1.0,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="With several labels: a label is given from here on.")] = 0.5,
    season: Annotated[str | None, typer.Option(help="Start date of the season, for a model trained on one.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:  # fmt: skip
    """Label chips, or map a raster with one class (or a probability per label) for every step of the chips.

    Over a raster: a coarse map, whose pixel is one step of the chips. map.tif holds the classes (one label per chip), proba.tif
    a layer per class:

        landweave predict-scenes model out/cube.zarr --out coarse/

    Chips one by one, into a table:

        landweave predict-scenes model new_chips/ --bands red,green,blue --out labels.csv

    Steps finer than a chip: train with `-p stride_px=16`.
    """
    from landweave.models.scene_model import load_scenes

    loaded = load_scenes(model)
    with progress_bars() as progress:
        if out.suffix.lower() == ".csv":
            _write_labels(loaded, images, out, (cube, bands, scale, threshold, overwrite), progress)
            return
        made = _map(loaded, images, out, (bands, scale, season, overwrite), progress)
    total = made.geobox.shape[0] * made.geobox.shape[1]
    rows = [(name, f"{n:,}", f"{100 * n / total:.1f}") for name, n in made.counts.items()]
    print_table(f"{made.geobox.shape[0]} x {made.geobox.shape[1]} steps", ("class", "steps", "%"), rows, right=(1, 2))
    for name, path in made.files.items():
        print_line(f"{name}: {path}")


def _map(model: SceneModel, images: list[Path], out: Path, how: tuple[Any, ...], progress: Progress) -> Any:
    from landweave.cli.predicting import ImageRequest, open_images
    from landweave.maps.scenes import map_scenes

    bands, scale, season, overwrite = how
    names = None if bands is None else tuple(None if b == "-" else b for b in bands.split(","))
    request = ImageRequest(tuple(map(str, images)), bands=names, scale=None if scale == 1.0 else scale, season=season)
    return map_scenes(model, open_images(request, model.card), out, overwrite=overwrite, progress=progress)


def _write_labels(model: SceneModel, images: list[Path], out: Path, how: tuple[Any, ...], progress: Progress) -> None:
    import pandas as pd

    from landweave.errors import OutputExistsError
    from landweave.io.files import write_text

    cube, bands, scale, threshold, overwrite = how
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists; --overwrite replaces it, or choose another --out")
    if len(images) != 1:
        raise typer.BadParameter(f"{len(images)} paths given; a table of labels is made of one folder or table of chips")
    scenes = _read_unlabelled(images[0], cube, model.card.chip_size_px or 0, _bands(bands, scale))
    proba = model.predict_chips(scenes, progress=progress)
    frame = pd.DataFrame(proba.round(4), columns=[f"p_{name}" for name in model.card.legend.names])
    frame.insert(0, "labels", [";".join(names) for names in model.name_labels(proba, threshold=threshold)])
    frame.insert(0, "chip", scenes.names)
    write_text(out, frame.to_csv(index=False, lineterminator="\n"))
    print_line(f"{len(frame)} chips: {out}")


def _read_unlabelled(path: Path, cube: Path | None, side: int, bands: FileBands) -> SceneSet:
    """Read chips whose labels, if any, do not matter."""
    from landweave.models.scenes import find_images, read_scene_table, scenes_from_files

    if path.is_dir():
        return scenes_from_files(find_images(path), None, bands=bands, chip_size_px=side)
    return read_scene_table(path, cubes=_open(cube), chip_size_px=side, bands=bands, labelled=False)


def _read_chips(path: Path, cube: Path | None, side: int | None, bands: FileBands) -> SceneSet:
    from landweave.models.scenes import read_scene_table, scenes_from_folder

    if path.is_dir():
        return scenes_from_folder(path, bands=bands, chip_size_px=side)
    return read_scene_table(path, cubes=_open(cube), chip_size_px=side, bands=bands)


def _open(cube: Path | None) -> CubeSet | None:
    from landweave.cube import open_cube

    return None if cube is None else open_cube(cube)


def _bands(names: str | None, scale: float) -> FileBands:
    from landweave.models.scenes import FileBands

    return FileBands(None if names is None else tuple(names.split(",")), scale=scale)


def _params(given: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE; the value as YAML, so that numbers, lists and words are what they look like."""
    import yaml

    made = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise typer.BadParameter(f"{text!r} is no parameter; write e.g. epochs=30", param_hint="--param")
        made[name] = yaml.safe_load(value)
    return made
