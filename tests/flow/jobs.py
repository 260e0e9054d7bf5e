"""Jobs small enough for tests: a job of 24 x 24 pixels that takes any mistake, and a simulated landscape run once a session.

Loaded by the conftest.py of tests/flow, tests/recipe and tests/cli as a module (tests are no package).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import yaml
from affine import Affine

from landweave.cli.app import run
from landweave.io.rasters import close_rasters
from landweave.simulate import SimulateOptions, simulate_landscape

UTM = "EPSG:32633"
CLASSES = ("water", "crop", "forest")
SPECTRA = np.array([[600, 400, 200], [900, 1100, 2600], [500, 350, 3600]])
"""Class, band (green, red, nir): reflectance x 10000."""
BANDS = ("green", "red", "nir")


def write_tif(path: Path, data: np.ndarray, *, crs: str | None = UTM, left: float = 500_000.0, top: float = 5_000_240.0,
              names: tuple[str, ...] | None = BANDS, **more: Any) -> Path:  # fmt: skip
    """Write (band, y, x) with pixels of 10 m."""
    close_rasters()
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": data.shape[0], "height": data.shape[1], "width": data.shape[2], "dtype": data.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=Affine(10, 0, left, 0, -10, top), **shape, **more) as dst:
        dst.write(data)
        if names:
            dst.descriptions = names
    return path


def make_truth() -> np.ndarray:
    """Three stripes of eight columns: the index of the class of each pixel."""
    return np.repeat(np.arange(3), 8)[None, :].repeat(24, axis=0)


def make_values(seed: int = 1) -> np.ndarray:
    """Reflectance x 10000 with noise, uint16 (band, y, x)."""
    noise = np.random.default_rng(seed).normal(0, 60, (3, 24, 24))
    return np.clip(np.moveaxis(SPECTRA[make_truth()], -1, 0) + noise, 1, None).astype(np.uint16)


def make_places(n: int = 16, *, classes: tuple[str, ...] = CLASSES, seed: int = 2) -> gpd.GeoDataFrame:
    """Make `n` points of each class in its stripe, at pixel centres."""
    rng = np.random.default_rng(seed)
    rows, cols, names = [], [], []
    for i, name in enumerate(classes):
        taken = rng.choice(24 * 8, n, replace=False)
        rows, cols, names = [*rows, *(taken // 8)], [*cols, *(8 * (i % 3) + taken % 8)], [*names, *[name] * n]
    x, y = 500_005 + 10 * np.array(cols), 5_000_235 - 10 * np.array(rows)
    return gpd.GeoDataFrame({"class": names}, geometry=gpd.points_from_xy(x, y), crs=UTM)


@dataclass(frozen=True)
class SmallJob:
    """A folder with two dates of imagery, labelled points and a recipe that works; tests spoil one thing each."""

    folder: Path

    @property
    def images(self) -> list[Path]:
        """The scenes."""
        return sorted((self.folder / "img").glob("*.tif"))

    @property
    def places(self) -> Path:
        """The labelled points."""
        return self.folder / "places.gpkg"

    def write_recipe(self, **changes: Any) -> Path:
        """Write recipe.yaml; `changes` replace or extend its parts, None removes a key."""
        recipe: dict[str, Any] = {
            "name": "small",
            "imagery": {"main": {"paths": "img", "pattern": "{date:%Y%m%d}.tif", "kind": "reflectance", "scale": 1e-4,
                                 "nodata": 0}},
            "samples": {"reference": "places.gpkg", "class_column": "class"},
            "split": {"by": "block", "block_size_m": 60, "n_folds": 3},
            "model": {"name": "extra-trees", "params": {"n_estimators": 8}},
        }  # fmt: skip
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(_merge(recipe, changes), sort_keys=False))
        return path


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        merged[key] = _merge(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
    return {k: v for k, v in merged.items() if v is not None}


def make_small_job(folder: Path) -> SmallJob:
    """Write a small job that works."""
    for seed, day in ((1, "20200601"), (2, "20200701")):
        write_tif(folder / "img" / f"{day}.tif", make_values(seed))
    make_places().to_file(folder / "places.gpkg", driver="GPKG")
    job = SmallJob(folder)
    job.write_recipe()
    return job


def finish_small_job(base: Path) -> SmallJob:
    """Give a small job that has run to `out`, made on first use in a session; leave it as it is."""
    folder = base / "small-job"
    if not (folder / "out" / "report.html").exists():
        job = make_small_job(folder)
        if run(["run", str(job.folder / "recipe.yaml"), "--out", str(folder / "out"), "--workers", "1"]):
            raise RuntimeError("the small job failed")
    return SmallJob(folder)


def finish_landscape(base: Path) -> Path:
    """Give a folder with a simulated landscape in `land` and its run in `out`, made on first use; leave it as it is."""
    folder = base / "landscape-job"
    if not (folder / "out" / "report.html").exists():
        options = SimulateOptions(rows=140, cols=140, n_dates=6, n_training_polygons=260, seed=7)
        land = simulate_landscape(folder / "land", options=options)
        recipe = yaml.safe_load(land.files["recipe"].read_text())
        recipe["model"]["params"] = {"n_estimators": 40}
        recipe["samples"]["max_per_polygon"] = 8
        land.files["recipe"].write_text(yaml.safe_dump(recipe, sort_keys=False))
        if run(["run", str(land.files["recipe"]), "--out", str(folder / "out"), "--workers", "1"]):
            raise RuntimeError("the run of the simulated landscape failed")
    return folder
