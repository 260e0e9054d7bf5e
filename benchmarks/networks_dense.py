"""Image networks against the per-pixel forest: mean IoU and boundary F1 at places that training never saw.

    python benchmarks/networks_dense.py [--epochs 40] [--networks unet segformer] [--only flood landsat7]
                                        [--data ../shared/data] [--size 384] [--dates 6] [--seeds 3]

- simulated: a landscape with known truth (Sentinel-2, Sentinel-1, elevation). Trained on one half, judged on all pixels of the
  other, both ways; a strip between the halves is left out. Once with all pixels of the half labelled ("dense"), once with its
  training polygons alone, 3 % of them mislabelled ("polygons").
- flood: one Sen1Floods11 chip (Spain; hand labels of water), by spatial halves likewise, with Sentinel-1 and Sentinel-2.
- landsat7: 30 polygons on two Landsat 7 dates, in folds that keep polygons whole. Labels are sparse: no boundary to score.

Every network is trained for the same number of epochs, whatever the machine is busy with. With --minutes instead, these are
shared by all networks: a trial of two epochs tells how many (at most 60) fit into a share. The forest has 100 trees on at most
20 000 labelled pixels. Scores are of the counts pooled over both halves or all folds; with --seeds 3 the mean and the half 95 %
interval of the mean. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landweave.cube import load_cube, read_blocks
from landweave.grid import Window
from landweave.imagery import SourceOptions, find_scenes
from landweave.legend import Legend
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.boundary import BoundaryCounter
from landweave.metrics.confusion import ConfusionCounter
from landweave.models import ModelOptions
from landweave.models.deep.labels import LabelGrid, labels_from_raster, labels_from_samples
from landweave.models.deep.train_chips import train_chips
from landweave.recipe import read_recipe
from landweave.recipe.run import find_all_scenes
from landweave.samples import SplitOptions, import_reference, split_spatial
from landweave.simulate import SimulateOptions, simulate_landscape
from landweave.types import CubeSet

GAP_PX = 16
FOREST_PIXELS = 20_000
TASKS = ["simulated-dense", "simulated-polygons", "flood", "landsat7"]
TRIAL_EPOCHS, MOST_EPOCHS = 2, 60


@dataclass(frozen=True)
class Part:
    """One training and test: labels to train on, reference of the test area (-1 elsewhere)."""

    train: LabelGrid
    test: np.ndarray


@dataclass(frozen=True)
class Task:
    """One row group of the table."""

    name: str
    cubes: CubeSet
    parts: list[Part]
    has_boundary: bool
    params: dict


@dataclass(frozen=True)
class Training:
    """How long every network is trained."""

    epochs: int
    minutes: float | None = None


def split_halves(labels: LabelGrid, truth: np.ndarray, *, by_row: bool = False) -> list[Part]:
    """Train on one half, test on the other, both ways."""
    n = truth.shape[0 if by_row else 1]
    at = np.arange(n)[:, None] if by_row else np.arange(n)[None]
    first, second = at < n // 2 - GAP_PX // 2, at >= n // 2 + GAP_PX // 2
    full = (np.broadcast_to(h, truth.shape) for h in (first, second))
    a, b = full
    return [Part(labels.keep(a), np.where(b, truth, -1)), Part(labels.keep(b), np.where(a, truth, -1))]


def simulated_tasks(folder: Path, size: int, dates: int) -> list[Task]:
    land = simulate_landscape(folder / "land", options=SimulateOptions(rows=size, cols=size, n_dates=dates))
    recipe = read_recipe(land.files["recipe"])
    cubes = load_cube(find_all_scenes(recipe), options=recipe.cube)
    truth = labels_from_raster(str(land.files["truth"]), cubes.geobox, legend=land.legend)
    every = recipe.samples.model_copy(update={"max_per_polygon": None})
    polygons = labels_from_samples(import_reference(every, legend=land.legend, geobox=cubes.geobox), cubes.geobox)
    return [
        Task("simulated, dense", cubes, split_halves(truth, truth.index), True, {"chips_per_epoch": 64}),
        Task("simulated, polygons", cubes, split_halves(polygons, truth.index), True,
             {"chips_per_epoch": 64, "validation_block_px": 32}),
    ]  # fmt: skip


def flood_task(data: Path) -> Task:
    at = data / "sen1floods11" / "sample"
    sources = {
        "s2": SourceOptions(paths=(str(at / "S2" / "*.tif"),), static=True, scale=1e-4, kind="reflectance",
                            bands=("B2", "B3", "B4", "B8", "B8A", "B11", "B12")),
        "s1": SourceOptions(paths=(str(at / "S1" / "*.tif"),), static=True, kind="backscatter"),
    }  # fmt: skip
    cubes = load_cube({name: find_scenes(options) for name, options in sources.items()})
    legend = Legend.from_dicts([{"code": 0, "name": "land"}, {"code": 1, "name": "water"}])
    path = next((at / "Labels").glob("*.tif"))
    labels = labels_from_raster(str(path), cubes.geobox, legend=legend, unlabelled=[-1])
    return Task("flood chip", cubes, split_halves(labels, labels.index), True, {"chips_per_epoch": 64})


def landsat_task(data: Path) -> Task:
    recipe = read_recipe(Path(__file__).parents[1] / "examples" / "landsat7.yaml")
    cubes = load_cube(find_all_scenes(recipe), options=recipe.cube)
    legend = recipe.make_legend()
    every = recipe.samples.model_copy(update={"max_per_polygon": None})
    samples = import_reference(every, legend=legend, geobox=cubes.geobox)
    folds = split_spatial(samples, SplitOptions(by="group", n_folds=2))[0]
    parts = [Part(labels_from_samples(samples.select(f.train), cubes.geobox),
                  labels_from_samples(samples.select(f.test), cubes.geobox).index) for f in folds]  # fmt: skip
    params = {"chip_size_px": 32, "validation_block_px": 8, "balance": "class", "chips_per_epoch": 64}
    return Task("Landsat 7 polygons", cubes, parts, False, params)


# --- contestants ---------------------------------------------------------------------------------------------------------


def map_forest(task: Task, part: Part, seed: int) -> np.ndarray:
    """Train a forest on labelled pixels of the part and map the whole grid: class_index (y, x)."""
    from sklearn.ensemble import RandomForestClassifier

    shape = task.cubes.geobox.shape
    blocks = read_blocks(task.cubes, Window(0, 0, *shape))
    flat = np.concatenate([b.values.reshape(-1, shape[0] * shape[1]) for b in blocks.values()]).T
    target = part.train.index.ravel()
    rows = np.flatnonzero(target >= 0)
    rows = np.random.default_rng(seed).permutation(rows)[:FOREST_PIXELS]
    forest = RandomForestClassifier(100, random_state=seed, n_jobs=1).fit(flat[rows], target[rows])
    made = np.full(target.size, -1, dtype=np.int64)
    wanted = np.flatnonzero(part.test.ravel() >= 0)
    seen = wanted[~np.isnan(flat[wanted]).all(axis=1)]
    made[seen] = forest.predict(flat[seen])
    return made.reshape(shape)


def map_network(task: Task, part: Part, name: str, seed: int, how: Training) -> tuple[np.ndarray, int, float]:
    """Train a network on the part and map the whole grid; also its parameters and pixels mapped per second."""
    params = {"patience": None, **task.params}
    if name in ("segformer", "upernet") and task.params.get("chip_size_px", 64) < 64:
        params |= {"chip_size_px": 64}
    epochs = how.epochs
    if how.minutes is not None:
        params["max_minutes"] = 2 * how.minutes
        trial = train_chips(task.cubes, part.train, options=ModelOptions(name=name, params={**params, "epochs": TRIAL_EPOCHS}))
        # so many that the learning rate comes to its end
        epochs = min(max(4, int(60 * how.minutes / trial.fit.history[-1]["seconds"])), MOST_EPOCHS)
    options = ModelOptions(name=name, params={**params, "epochs": epochs}, seed=seed)
    trained = train_chips(task.cubes, part.train, options=options)
    shape = task.cubes.geobox.shape
    start = time.process_time()
    blocks = read_blocks(task.cubes, Window(0, 0, *shape), halo_px=trained.model.card.context_px)
    proba = trained.model.predict_proba(blocks)
    speed = shape[0] * shape[1] / (time.process_time() - start)
    known = ~np.isnan(proba[0])
    return np.where(known, np.where(known, proba, 0).argmax(axis=0), -1), trained.n_parameters, speed


def judge(task: Task, name: str, seed: int, how: Training) -> dict[str, float]:
    n = len(task.parts[0].train.legend)
    counter, edges = ConfusionCounter(n), BoundaryCounter(n)
    start, n_parameters, speed = time.process_time(), 0, float("nan")
    for part in task.parts:
        if name == "forest":
            made = map_forest(task, part, seed)
        else:
            made, n_parameters, speed = map_network(task, part, name, seed, how)
        inside = part.test >= 0
        counter.update(np.where(inside, made, -1), part.test.astype(np.int64))
        edges.update(np.where(inside, made, -1), part.test)
    iou = np.asarray(score_matrix(counter.counts, "iou"))[counter.counts.sum(axis=0) > 0]
    return {
        "oa": float(score_matrix(counter.counts, "overall_accuracy")), "miou": float(np.nan_to_num(iou).mean()),
        "edge": edges.result().mean_f1 if task.has_boundary else float("nan"), "seconds": time.process_time() - start,
        "parameters": n_parameters, "speed": speed,
    }  # fmt: skip


def show(values: list[float], digits: int = 3) -> str:
    """Write a mean, with the half 95 % interval of the mean where there are several values."""
    kept = np.array(values)
    if np.isnan(kept).all():
        return "-"
    if len(kept) == 1:
        return f"{kept[0]:.{digits}f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(kept) - 1) * kept.std(ddof=1) / np.sqrt(len(kept))
    return f"{kept.mean():.{digits}f} +- {half:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="instead of --epochs")
    parser.add_argument("--networks", nargs="+", default=["unet", "segformer"])
    parser.add_argument("--only", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--dates", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from --seed on")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tasks: list[Task] = []
        if {"simulated-dense", "simulated-polygons"} & {*args.only}:
            made = simulated_tasks(Path(temporary), args.size, args.dates)
            tasks += [t for t in made if t.name.replace(", ", "-") in args.only]
        if "flood" in args.only:
            tasks.append(flood_task(args.data))
        if "landsat7" in args.only:
            tasks.append(landsat_task(args.data))
        tasks = [replace(t, cubes=replace(t.cubes, cubes={n: c.compute() for n, c in t.cubes.cubes.items()})) for t in tasks]
        how = Training(args.epochs)
        if args.minutes is not None:
            how = Training(0, args.minutes / (sum(len(t.parts) for t in tasks) * len(args.networks) * args.seeds))
        print(f"{how}\n")
        print("| data | model | overall accuracy | mean IoU | boundary F1 (2 px) | fit and map s | parameters | kpx/s |")
        print("|---|---|---|---|---|---|---|---|")
        for task in tasks:
            for name in ("forest", *args.networks):
                made = [judge(task, name, args.seed + k, how) for k in range(args.seeds)]
                cells = [show([m[key] for m in made]) for key in ("oa", "miou", "edge")]
                size = f"{made[0]['parameters']:,}" if made[0]["parameters"] else "-"
                speed = "-" if np.isnan(made[0]["speed"]) else f"{made[0]['speed'] / 1000:.0f}"
                seconds = np.mean([m["seconds"] for m in made])
                print(f"| {task.name} | {name} | {' | '.join(cells)} | {seconds:.0f} | {size} | {speed} |", flush=True)


if __name__ == "__main__":
    main()
