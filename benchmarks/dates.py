"""Cost of a map against the number of dates: 1, 3, 6 and 12 dates of 10 bands, the same family of model.

    python benchmarks/dates.py [--side 1024] [--dates 1 3 6 12] [--model catboost] [--folder DIR]

Every date is a uint16 COG of `benchmarks/map.py`'s pixels. Each number of dates has its own model, trained on 10 features a
date, and is mapped from the files to all products in one worker. Printed: bytes of the files, processor seconds, both against
one date, and the ratio of the two: at most 1 where cost grows no faster than the bytes read.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
from map import BANDS, N_CLASSES, SENSOR, class_means, make_cog, make_pixels, to_reflectance

from landweave.cube import CubeOptions, load_cube, make_inputs
from landweave.legend import Legend
from landweave.maps import MapOptions, predict_map
from landweave.models import ModelOptions, train_model
from landweave.types import Asset, CubeSet, Predictor, SampleTable, Scene, feature_names


def load(folder: Path, n_dates: int, side: int) -> CubeSet:
    """Load the first dates as a cube, making what is not there."""
    scenes = []
    for i in range(n_dates):
        path = folder / f"date{i}-{side}.tif"
        if not path.exists():
            make_cog(path, side, i)
        day = datetime(2024, 1, 1) + timedelta(days=30 * i)
        scenes.append(Scene(f"date{i}", SENSOR, day, day, tuple(Asset(b, str(path), k + 1) for k, b in enumerate(BANDS))))
    return load_cube(scenes, options=CubeOptions(fill="none"))


def train(cubes: CubeSet, n_dates: int, family: str, n_rows: int = 2000) -> Predictor:
    """Train on spectra of each date for the same classes."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, N_CLASSES, n_rows)
    inputs = make_inputs(cubes)
    values = np.concatenate([to_reflectance(make_pixels(rng, truth, class_means(i))).T for i in range(n_dates)], axis=1)
    by_name = {f"{b}_t{i:02d}": values[:, i * len(BANDS) + k] for i in range(n_dates) for k, b in enumerate(BANDS)}
    legend = Legend.from_names([f"class {i}" for i in range(N_CLASSES)])
    frame = gpd.GeoDataFrame(
        {"sample_id": np.arange(n_rows), "class": np.array(legend.names)[truth], "purpose": "train", "weight": 1.0,
         **{n: by_name[n] for n in feature_names(inputs)}},
        geometry=gpd.points_from_xy(rng.uniform(500000, 540000, n_rows), rng.uniform(5000000, 5040000, n_rows)),
        crs="EPSG:32633",
    )  # fmt: skip
    return train_model(SampleTable(frame, legend, inputs), options=ModelOptions(name=family, seed=0))


def main() -> None:
    """Print a row for each number of dates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--dates", type=int, nargs="*", default=[1, 3, 6, 12])
    parser.add_argument("--model", default="catboost")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/landweave-bench-dates"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    first: tuple[float, float] | None = None
    for n in args.dates:
        cubes = load(args.folder, n, args.side)
        model, out = train(cubes, n, args.model), args.folder / "out"
        seconds = []
        for _ in range(2):  # the first one also loads the compiled kernels
            shutil.rmtree(out, ignore_errors=True)
            before = time.process_time()
            predict_map(model, cubes, out, options=MapOptions(), memory="4GiB")
            seconds.append(time.process_time() - before)
        size = sum((args.folder / f"date{i}-{args.side}.tif").stat().st_size for i in range(n)) / 2**20
        first = first or (size, seconds[1])
        grown, slower = size / first[0], seconds[1] / first[1]
        print(f"{n:3d} dates {size:7.0f} MiB ({grown:5.2f} x) {seconds[1]:6.2f} s cpu ({slower:5.2f} x): cost grows "
              f"{slower / grown:.2f} times as fast as the bytes", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
