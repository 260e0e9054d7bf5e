"""A 4096 x 4096 x 10-band uint16 COG classified by a 100-tree forest: ours end to end, scikit-learn in memory and by windows.

    python benchmarks/map.py [--side 4096] [--samples 4000] [--trees 100] [--folder DIR] [--only NAMES]

In one run, one after the other, each in a process of its own whose peak memory is read from the system:

- `sklearn-memory`: the forest's own `predict` on the pixels held in memory; reading them is not timed.
- `sklearn-windows`: read a window with rasterio, `predict`, write the codes to a tiled GeoTIFF.
- `ours-class-1`, `ours-class-2`: `predict_map` from the COG to the finished class COG (colours, names, overviews, areas,
  item, lineage), with one and two workers; the same forest.
- `ours-full-1`, `ours-full-2`: the same with proba.tif and uncertainty.tif.
- `boosted-class-N`, `boosted-full-N`: likewise with boosted trees (catboost's defaults here) trained on the same rows.

`--side 10980` is one Sentinel-2 tile. scikit-learn gets as many jobs as ours has workers. The classes of all forests must be
the same, pixel by pixel. Processor seconds (with reading, for all but `seconds` of sklearn-memory) are printed too, since
they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import platform
import resource
import shutil
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.windows import Window
from sklearn.ensemble import RandomForestClassifier

from landweave.cube import CubeOptions, load_cube, make_inputs
from landweave.grid import make_geobox
from landweave.io.cog import CogSpec, write_cog
from landweave.legend import Legend
from landweave.maps import MapOptions, predict_map
from landweave.models import ModelOptions, load_model, save_model, train_model
from landweave.models.forest import ForestEngine
from landweave.types import Asset, Band, CubeSet, SampleTable, Scene, Sensor

BANDS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22")
N_CLASSES = 8
SENSOR = Sensor("bench", "bench", tuple(Band(b, "reflectance", 1e-4, 0.0, 0) for b in BANDS), "made up")
WINDOW = 512


def class_means(seed: int) -> np.ndarray:
    """Spectra of the classes, reflectance x 10000."""
    rng = np.random.default_rng(seed)
    return np.clip(1800 + 700 * rng.standard_normal((N_CLASSES, len(BANDS))).cumsum(axis=1) / 2, 200, 6000)


def make_pixels(rng: np.random.Generator, truth: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Spectra (band, ...) of pixels of known class: shading, and noise wide enough that classes overlap."""
    shade = rng.normal(1, 0.12, truth.shape)
    noise = rng.normal(0, 350, (len(BANDS), *truth.shape))
    return np.clip(np.moveaxis(means[truth], -1, 0) * shade + noise, 1, 10000).astype(np.uint16)


def to_reflectance(stored: np.ndarray) -> np.ndarray:
    """Scale as the cube does, by table: exact in float64, rounded to float32 once."""
    return (np.arange(65536) * 1e-4).astype(np.float32)[stored]


def make_truth(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Give the class of pixels by their place: patches whose borders wind."""
    field = sum(np.sin(x / (37 + 11 * i) + np.cos(y / (29 + 7 * i)) * (i + 1)) for i in range(4))
    return np.digitize(field, np.linspace(-2.5, 2.5, N_CLASSES - 1))


def make_cog(path: Path, side: int, seed: int) -> None:
    """Write patches of classes whose borders wind, window by window."""
    means = class_means(seed)

    def read(window):
        rng = np.random.default_rng([seed, window.row, window.col])
        y, x = np.mgrid[window.row : window.row_end, window.col : window.col_end]
        return make_pixels(rng, make_truth(y, x), means)

    geobox = make_geobox((500000, 5000000, 500000 + side * 10, 5000000 + side * 10), "EPSG:32633", 10)
    write_cog(path, geobox, read, CogSpec("uint16", len(BANDS), 0, "average", BANDS, predictor=True), threads=2)


def load(path: Path) -> CubeSet:
    """Load the COG as a cube of one date."""
    day = datetime(2024, 7, 1)
    scene = Scene("bench", SENSOR, day, day, tuple(Asset(b, str(path), i + 1) for i, b in enumerate(BANDS)))
    return load_cube([scene], options=CubeOptions(fill="none"))


def train(folder: Path, args: argparse.Namespace) -> None:
    """Train one forest, save it twice: ours as a model folder, scikit-learn's as a pickle for this benchmark alone."""
    rng = np.random.default_rng(args.seed + 1)
    truth = rng.integers(0, N_CLASSES, args.samples)
    stored = make_pixels(rng, truth, class_means(args.seed)).T
    features = to_reflectance(stored)
    inputs = make_inputs(load(folder / "scene.tif"))
    names = [f"{b}_t00" for b in BANDS]
    legend = Legend.from_names([f"class {i}" for i in range(N_CLASSES)])
    frame = gpd.GeoDataFrame(
        {"sample_id": np.arange(args.samples), "class": np.array(legend.names)[truth], "purpose": "train", "weight": 1.0,
         **{n: features[:, i] for i, n in enumerate(names)}},
        geometry=gpd.points_from_xy(rng.uniform(500000, 540000, args.samples), rng.uniform(5000000, 5040000, args.samples)),
        crs="EPSG:32633",
    )  # fmt: skip
    options = ModelOptions(name="random-forest", params={"n_estimators": args.trees}, seed=args.seed)
    model = train_model(SampleTable(frame, legend, inputs), options=options)
    boosted = train_model(SampleTable(frame, legend, inputs), options=ModelOptions(name="catboost", seed=args.seed))
    save_model(boosted, folder / "model-boosted")
    plain = RandomForestClassifier(n_estimators=args.trees, random_state=args.seed).fit(features, truth)
    save_model(replace(model, engine=ForestEngine.from_sklearn(plain)), folder / "model")  # the very same trees
    (folder / "forest.pickle").write_bytes(pickle.dumps(plain))


def prepare(folder: Path, args: argparse.Namespace) -> None:
    """Make the COG and the model, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    made = json.dumps([args.side, args.samples, args.trees, args.seed, "boosted"])
    if not (folder / "made.json").exists() or (folder / "made.json").read_text() != made:
        make_cog(folder / "scene.tif", args.side, args.seed)
        train(folder, args)
        (folder / "made.json").write_text(made)


def run_sklearn_memory(folder: Path, jobs: int) -> tuple[float, np.ndarray]:
    """Predict from an array of float32 reflectance, in parts, as the votes of all pixels would not fit."""
    forest = pickle.loads((folder / "forest.pickle").read_bytes()).set_params(n_jobs=jobs)
    with rasterio.open(folder / "scene.tif") as src:
        shape = src.shape
        pixels = to_reflectance(src.read().reshape(len(BANDS), -1).T)
    start = time.perf_counter()
    parts = [forest.predict(pixels[i : i + WINDOW * WINDOW]) for i in range(0, len(pixels), WINDOW * WINDOW)]
    seconds = time.perf_counter() - start
    return seconds, (np.concatenate(parts).reshape(shape) + 1).astype(np.uint8)


def run_sklearn_windows(folder: Path, jobs: int) -> tuple[float, np.ndarray]:
    """Read, predict and write window by window, as people do."""
    forest = pickle.loads((folder / "forest.pickle").read_bytes()).set_params(n_jobs=jobs)
    out = folder / "sklearn.tif"
    start = time.perf_counter()
    with rasterio.open(folder / "scene.tif") as src:
        profile = {**src.profile, "count": 1, "dtype": "uint8", "nodata": 255, "interleave": "band", "predictor": 1}
        with rasterio.open(out, "w", **profile) as dst:
            for _, window in src.block_windows(1):
                data = src.read(window=window)
                flat = to_reflectance(data.reshape(len(BANDS), -1).T)
                codes = (forest.predict(flat) + 1).astype(np.uint8).reshape(data.shape[1:])
                dst.write(codes, 1, window=Window(*window.flatten()))
    seconds = time.perf_counter() - start
    with rasterio.open(out) as src:
        return seconds, src.read(1)


def run_ours(
    folder: Path, workers: int, *, full: bool, memory: str, model: str = "model"
) -> tuple[float, np.ndarray]:
    """From the COG and the model folder to finished products."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    trained = load_model(folder / model)
    cubes = load(folder / "scene.tif")
    product = predict_map(trained, cubes, out, options=MapOptions(proba=full, uncertainty=full), workers=workers, memory=memory)
    seconds = time.perf_counter() - start
    with rasterio.open(product.files["map"]) as src:
        return seconds, src.read(1)


def measure(name: str, args: argparse.Namespace, queue: multiprocessing.Queue) -> None:
    """Run one contender in this process."""
    folder, jobs = Path(args.folder), int(name[-1])
    before = time.process_time()
    if name.startswith("sklearn-memory"):
        seconds, codes = run_sklearn_memory(folder, jobs)
    elif name.startswith("sklearn-windows"):
        seconds, codes = run_sklearn_windows(folder, jobs)
    else:
        model = "model-boosted" if name.startswith("boosted") else "model"
        seconds, codes = run_ours(folder, jobs, full="full" in name, memory=args.memory, model=model)
    cpu = time.process_time() - before
    np.save(folder / f"{name}.npy", codes)
    queue.put({"seconds": seconds, "cpu": cpu, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


NAMES = [f"{kind}-{n}" for n in (1, 2) for kind in ("sklearn-memory", "sklearn-windows", "ours-class", "ours-full",
                                                "boosted-class", "boosted-full")]


def main() -> None:
    """Make the data once, run the contenders, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--folder", default="/tmp/landweave-bench-map")
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    args = parser.parse_args()
    folder = Path(args.folder)
    prepare(folder, args)
    what = f"{args.side}^2 px x {len(BANDS)} bands, {args.trees} trees"
    print(f"{platform.machine()}, {multiprocessing.cpu_count()} cores; {what}")
    context = multiprocessing.get_context("spawn")
    results: dict[str, dict[str, float]] = {}
    for name in args.only:
        queue = context.Queue()
        process = context.Process(target=measure, args=(name, args, queue))
        process.start()
        results[name] = queue.get()
        process.join()
        seconds, cpu, peak = (results[name][k] for k in ("seconds", "cpu", "peak_mib"))
        bases = {kind: results.get(f"sklearn-{kind}-{name[-1]}") for kind in ("memory", "windows")}
        ratio = ", ".join(f"{base['seconds'] / seconds:.2f} x sklearn-{kind}" for kind, base in bases.items() if base)
        rate = args.side**2 / seconds / 1e6
        print(f"{name:18s} {seconds:7.1f} s {cpu:7.1f} s cpu {rate:6.2f} Mpx/s {peak:6.0f} MiB {ratio}", flush=True)
    first, *others = [name for name in args.only if not name.startswith("boosted")] or [""]
    for name in others:
        differ = int((np.load(folder / f"{name}.npy") != np.load(folder / f"{first}.npy")).sum())
        print(f"{name:18s} differs from {first} in {differ} of {args.side**2} pixels")


if __name__ == "__main__":
    main()
