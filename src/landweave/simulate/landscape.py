"""The whole landscape: land of two years, scenes, truth, labels and a recipe that makes a map of it all.

Receives `SimulateOptions`; hands on a folder.
"""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from landweave.errors import GridError, OutputExistsError
from landweave.grid import Window, make_geobox, resolve_crs
from landweave.io.cog import CogSpec, legend_colormap, write_category_names, write_cog
from landweave.io.files import sha256_file, write_json, write_text
from landweave.io.rasters import read_info
from landweave.io.vectors import write_gpkg
from landweave.legend import LandClass, Legend
from landweave.simulate.covers import LEGEND
from landweave.simulate.imagery import SIMULATED_BY, make_view, render_scenes, write_dem
from landweave.simulate.landcover import Land, Setting, make_land, make_setting
from landweave.simulate.options import Landscape, SimulateOptions
from landweave.simulate.recipe import make_recipe
from landweave.simulate.second_year import find_change, next_year
from landweave.simulate.survey import Strata, draw_reference, draw_training, make_old_map
from landweave.types import Progress, ProgressEvent

if TYPE_CHECKING:
    import geopandas as gpd

_log = logging.getLogger(__name__)

_CHANGE_LEGEND = Legend((
    LandClass(0, "no change", "#e8e8e2", None, "The land use is the same in both years; crops may have rotated."),
    LandClass(1, "change", "#d7301f", None, "The land use differs."),
))  # fmt: skip


def simulate_landscape(
    folder: Path | str, *, options: SimulateOptions, workers: int = 1, progress: Progress | None = None
) -> Landscape:
    """Simulate a landscape with known truth: imagery, maps of two years, labels and a recipe.

    Written into `folder`: `s2/<date>.tif` (ten bands of reflectance x 10000 and the mask `scl`, uint16, nodata 0),
    `s1/<date>.tif` (VV and VH as linear power, float32), `dem.tif` (metres), `truth_<year>.tif` of both years and
    `change.tif` (codes with colours and names), `training.gpkg` (polygons, some of them mislabelled), `reference.gpkg` and
    `reference_design.json` (points by a probability design), `legend.json`, `recipe.yaml` (ready to run; written last). With a
    stratified design also `old_map.tif`, whose classes are the strata; with imagery of the second year `s2_<year>/` and
    `s1_<year>/`.

    Memory is about 250 bytes per pixel of the grid, whatever the number of dates, bands and workers.

    Args:
        folder: Where to write; existing files of these names are replaced.
        options: What to simulate.
        workers: Threads that render scenes; they change no pixel.
        progress: Told after each scene.

    Returns:
        Paths and class shares.

    Raises:
        GridError: If the crs is not one in metres.
        OutputExistsError: If the folder holds scenes that were not simulated.
        DiskFullError: If the disk fills.
    """
    target = Path(folder)
    geobox = make_grid(options)
    _clear(target)
    _say(progress, 0)
    setting = make_setting((options.rows, options.cols), options.resolution_m, options.seed)
    lands = {options.year: make_land(setting, options.seed)}
    lands[options.year + 1] = next_year(
        setting, lands[options.year], change_pct=options.change_pct, seed=options.seed, year=options.year + 1
    )
    _say(progress, 1)
    scenes: dict[str, tuple[Path, ...]] = {}
    for year, land in lands.items():
        if year == options.year or options.second_year_imagery:
            view = make_view(geobox, setting, land, options, year)
            for sensor, paths in render_scenes(target, view, workers=workers, progress=progress).items():
                scenes[sensor] = scenes.get(sensor, ()) + paths
    if "dem" in options.sensors:
        scenes["dem"] = (write_dem(target / "dem.tif", geobox, setting.height, options.seed),)
    files = _write_truth(target, geobox, lands, options)
    files |= _write_labels(target, geobox, setting, lands[options.year], options)
    files |= _write_documents(target, options)
    truth = lands[options.year].classes
    shares = {c.name: float((truth == c.code).mean()) for c in LEGEND}
    n_scenes = sum(len(paths) for paths in scenes.values())
    _log.info("simulated %d x %d pixels and %d scenes in %s", options.rows, options.cols, n_scenes, target)
    return Landscape(target, geobox, LEGEND, scenes, files, shares, options)


def _clear(folder: Path) -> None:
    """Remove an older landscape's scenes and recipe, so that no scene of it joins the new ones."""
    (folder / "recipe.yaml").unlink(missing_ok=True)
    for path in sorted(folder.glob("s[12]*/*.tif")):
        if read_info(path).tags.get("simulated") != SIMULATED_BY:
            raise OutputExistsError(errno.EEXIST, f"{path} was not simulated and would join the simulated scenes; choose "
                                                  "another folder, or move it away")  # fmt: skip
        path.unlink()


def _say(progress: Progress | None, done: int) -> None:
    if progress is not None:
        progress(ProgressEvent("land", done, 1, "landscape"))


def make_grid(options: SimulateOptions) -> GeoBox:
    """Make the grid of a landscape: centred on its longitude and latitude, on whole multiples of the resolution.

    Raises:
        GridError: If the crs is not one in metres.
    """
    crs = resolve_crs(options.crs)
    if crs.geographic or crs.units[0] not in ("metre", "meter", "m"):
        raise GridError(f"crs {options.crs} is in {crs.units[0]}; a landscape needs one in metres, such as EPSG:32633")
    x, y = Transformer.from_crs("EPSG:4326", crs.to_wkt(), always_xy=True).transform(*options.lonlat)
    res = options.resolution_m
    left, top = res * round(x / res - options.cols / 2), res * round(y / res + options.rows / 2)
    return make_geobox((left, top - res * options.rows, left + res * options.cols, top), crs, res)


def _write_truth(folder: Path, geobox: GeoBox, lands: dict[int, Land], options: SimulateOptions) -> dict[str, Path]:
    first, second = (lands[year].classes for year in sorted(lands))
    files = {}
    for name, file, codes, legend in (
        ("truth", f"truth_{options.year}.tif", first, LEGEND),
        ("truth_next", f"truth_{options.year + 1}.tif", second, LEGEND),
        ("change", "change.tif", find_change(first, second).astype(np.uint8), _CHANGE_LEGEND),
    ):
        files[name] = _write_codes(folder / file, geobox, codes, legend)
    return files


def _write_codes(path: Path, geobox: GeoBox, codes: NDArray[np.uint8], legend: Legend) -> Path:
    spec = CogSpec("uint8", 1, 255, "mode", ("class",), colormap=legend_colormap(legend))

    def read(window: Window) -> NDArray[Any]:
        return codes[window.slices][None]

    write_cog(path, geobox, read, spec)
    write_category_names(path, legend)
    return path


def _write_labels(folder: Path, geobox: GeoBox, setting: Setting, land: Land, options: SimulateOptions) -> dict[str, Path]:
    truth = land.classes
    files, strata = {}, None
    if options.design == "stratified":
        old = make_old_map(truth, options.seed)
        files["strata"] = _write_codes(folder / "old_map.tif", geobox, old, LEGEND)
        names = dict(zip(LEGEND.codes, LEGEND.names, strict=True))
        strata = Strata(old, names, sha256_file(files["strata"]))
    reference, design = draw_reference(
        truth, geobox, count=options.n_reference, noise_pct=options.reference_noise_pct, seed=options.seed, strata=strata
    )
    training = draw_training(
        land.cover, setting.from_road_px, geobox, count=options.n_training_polygons, noise_pct=options.label_noise_pct,
        seed=options.seed, keep_off=_mark(reference, geobox),
    )  # fmt: skip
    files["training"] = write_gpkg(folder / "training.gpkg", training, layer="training")
    files["reference"] = write_gpkg(folder / "reference.gpkg", reference, layer="reference")
    files["reference_design"] = folder / "reference_design.json"
    write_json(files["reference_design"], design.model_dump())
    return files


def _mark(points: gpd.GeoDataFrame, geobox: GeoBox) -> NDArray[np.bool_]:
    """Mark the pixels that points fall in."""
    a = geobox.affine
    marked = np.zeros((int(geobox.shape[0]), int(geobox.shape[1])), dtype=bool)
    rows, cols = (points.geometry.y - a.f) / a.e, (points.geometry.x - a.c) / a.a
    marked[rows.to_numpy().astype(int), cols.to_numpy().astype(int)] = True
    return marked


def _write_documents(folder: Path, options: SimulateOptions) -> dict[str, Path]:
    files = {"legend": folder / "legend.json", "recipe": folder / "recipe.yaml"}
    write_json(files["legend"], LEGEND.to_dicts())
    design = None
    if options.design == "stratified":
        design = json.loads((folder / "reference_design.json").read_text(encoding="utf-8"))
    text = yaml.safe_dump(make_recipe(options, design), sort_keys=False, default_flow_style=None, allow_unicode=True, width=126)
    write_text(files["recipe"], "# Made by landweave simulate; paths are meant from this file's folder.\n" + text)
    return files


__all__ = ["make_grid", "simulate_landscape"]
