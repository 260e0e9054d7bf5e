"""Orfeo ToolBox's random forest and ours, end to end: the same training rows, the same COG, one after the other.

    python benchmarks/otb.py [--side 4096] [--samples 4000] [--folder DIR] [--threads 2]

Needs Debian's otb-bin. Orfeo ToolBox trains `rf` with 100 trees of depth 25 (TrainVectorClassifier) and classifies with
otbcli_ImageClassifier; ours trains 100 trees, and catboost's oblivious trees with their defaults, and runs `predict_map` for
the class alone, overviews and lineage included. Wall seconds, and processor seconds of the process and its children, which do
not depend on what else the machine does; accuracy on the pixels of the scene, whose truth is known.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import map as bench
import numpy as np
import rasterio


def write_samples(path: Path, args: argparse.Namespace) -> list[str]:
    """Write the training rows of `map.train` as a table of stored values, which is what Orfeo ToolBox reads."""
    rng = np.random.default_rng(args.seed + 1)
    truth = rng.integers(0, bench.N_CLASSES, args.samples)
    stored = bench.make_pixels(rng, truth, bench.class_means(args.seed))
    names = [f"f{i}" for i in range(len(bench.BANDS))]
    columns = {n: stored[i].astype(float) for i, n in enumerate(names)}
    points = gpd.points_from_xy(np.zeros(args.samples), np.zeros(args.samples))
    gpd.GeoDataFrame({**columns, "code": truth + 1}, geometry=points, crs="EPSG:32633").to_file(path)
    return names


def run_otb(folder: Path, names: list[str], threads: int) -> Callable[[], None]:
    """Train, and give a call that classifies."""
    env = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    model = folder / "otb.rf"
    train = ["otbcli_TrainVectorClassifier", "-io.vd", folder / "otb.shp", "-io.out", model, "-feat", *names, "-cfield", "code",
             "-classifier", "rf", "-classifier.rf.max", "25", "-classifier.rf.nbtrees", "100", "-classifier.rf.min", "1"]
    subprocess.run([str(a) for a in train], check=True, env=env, stdout=subprocess.DEVNULL)
    classify = ["otbcli_ImageClassifier", "-in", folder / "scene.tif", "-model", model, "-out", folder / "otb.tif", "uint8"]
    return lambda: subprocess.run([str(a) for a in classify], check=True, env=env, stdout=subprocess.DEVNULL) and None


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Give wall seconds, and processor seconds with those of finished children."""

    def used() -> float:
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))

    before, start = used(), time.perf_counter()
    run()
    return time.perf_counter() - start, used() - before


def main() -> None:
    """Make the data once, run both, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 4096), ("samples", 4000), ("trees", 100), ("seed", 0), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", default="/tmp/landweave-bench-map")
    args = parser.parse_args()
    if shutil.which("otbcli_ImageClassifier") is None:
        sys.exit("otbcli_ImageClassifier is not installed; apt-get install otb-bin")
    folder = Path(args.folder)
    bench.prepare(folder, args)
    classify = run_otb(folder, write_samples(folder / "otb.shp", args), args.threads)
    runs: dict[str, Callable[[], object]] = {
        "otb forest": classify,
        "our forest": lambda: bench.run_ours(folder, args.threads, full=False, memory="2GiB"),
        "our boosted": lambda: bench.run_ours(folder, args.threads, full=False, memory="2GiB", model="model-boosted"),
    }
    truth, rows, codes = read_truth(args), {}, {}
    for name, run in runs.items():
        rows[name] = measure(run)
        with rasterio.open(folder / ("otb.tif" if name.startswith("otb") else "out/map.tif")) as src:
            codes[name] = src.read(1)
        wall, cpu = rows[name]
        print(f"{name:12s} {wall:7.1f} s {cpu:7.1f} s cpu {args.side**2 / cpu / 1e6:6.3f} Mpx per cpu second "
              f"{rows['otb forest'][0] / wall:6.1f} x by the clock {rows['otb forest'][1] / cpu:6.1f} x by processor seconds "
              f"accuracy {(codes[name] == truth + 1).mean():.4f}", flush=True)  # fmt: skip
    agree = float((codes["otb forest"] == codes["our forest"]).mean())
    print(f"the two forests agree in {agree:.1%} of the pixels")
    print(json.dumps({"seconds": rows, "agree": agree, **vars(args)}))


def read_truth(args: argparse.Namespace) -> np.ndarray:
    """Give the class of every pixel of the scene, from 0."""
    truth = np.empty((args.side, args.side), np.uint8)
    for row in range(0, args.side, bench.WINDOW):
        y, x = np.mgrid[row : row + bench.WINDOW, : args.side]
        truth[row : row + bench.WINDOW] = bench.make_truth(y, x)[: args.side - row]
    return truth


if __name__ == "__main__":
    main()
