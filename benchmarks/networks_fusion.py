"""Networks that join sources, on the simulated landscape: truth known, so that each gets its row; nothing here is real imagery.

    python benchmarks/networks_fusion.py [--epochs 30] [--only vhr height place revisits sensors image series] [--size 256]
                                         [--dates 4] [--seeds 1] [--both-ways] [--picture FOLDER]

Trained on all pixels of the western half, judged on those of the eastern (and the other way round with --both-ways), as in
networks_dense.py, whose scores it shares. Every network is trained for the same number of epochs on the same number of chips,
so that a busy machine changes no figure.

- vhr: one date of four bands at 10 m as the fine image, and all bands and dates averaged to 40 m as the series.
- height: Sentinel-2 and elevation, both at 10 m.
- place: the same with encodings of longitude and latitude, as bands of every pixel (unet) or as metadata (metadata-unet).
- revisits: Sentinel-2 alone (its forest and U-Net stand under height, imagery alone).
- image: every image network on Sentinel-2 alone, its dates side by side; series: those that follow the dates through time.
- sensors: Sentinel-2 at 10 m, Sentinel-1 averaged to 20 m, elevation; mapped with all of them, and once without each sensor,
  trained with sensor dropout and without.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from networks_dense import Part, show, split_halves

from landweave.cube import load_cube, make_inputs, read_blocks
from landweave.cube.derived_options import PlaceOptions
from landweave.grid import Window, to_coords
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.boundary import BoundaryCounter
from landweave.metrics.confusion import ConfusionCounter
from landweave.models import ModelOptions
from landweave.models.deep.labels import labels_from_raster
from landweave.models.deep.train_chips import train_chips
from landweave.models.inputs import gather_features
from landweave.recipe import read_recipe
from landweave.recipe.run import find_all_scenes
from landweave.simulate import SimulateOptions, simulate_landscape
from landweave.types import CubeSet

FINE = ("blue", "green", "red", "nir")
FOREST_PIXELS = 20_000
LIGHT = {"chip_size_px": 32, "chips_per_epoch": 128, "batch_size": 16, "width": 8, "learning_rate": 5e-3}
"""All networks alike, so small that minutes of two cores train them."""
WIDE = {"chip_size_px": 64, "chips_per_epoch": 32, "batch_size": 4}
"""For networks that take no smaller chips: as many pixels."""
OWN_LIGHT = {
    "token-fusion": {"width": 16, "stem_width": 16}, "vhr-series": {"series_width": 8, "stem_width": 32},
    "segformer": {"width": 24, **WIDE}, "upernet": {"width": 16, **WIDE}, "fpn": {"stem_width": 32},
    "deeplab": {"stem_width": 32},
    "unet": {"stem_width": 32}, "metadata-unet": {"stem_width": 32}, "dual-unet": {"stem_width": 32}, "utae": {"n_heads": 4},
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """Sources, the contestants with their parameters, and the sensors that a map is also made without."""

    name: str
    cubes: CubeSet
    contestants: Sequence[tuple[str, str, dict]]
    without: tuple[str, ...] = ()


def coarsen(cubes: CubeSet, name: str, factor: int) -> xr.DataArray:
    """Average a cube over squares of pixels; a square without observation stays empty."""
    cube = cubes.cubes[name]
    grid = cubes.geobox.zoom_out(factor)
    small = cube.coarsen(y=factor, x=factor).mean()
    coords = {k: v for k, v in small.coords.items() if k not in ("x", "y", "spatial_ref")} | to_coords(grid)
    return xr.DataArray(small.values.astype(np.float32), dims=small.dims, coords=coords, attrs=cube.attrs)


def fine_image(cube: xr.DataArray) -> xr.DataArray:
    """Take the four bands of the date with the most observations, as a static image."""
    date = int(np.isfinite(cube.values[:, 0]).mean(axis=(1, 2)).argmax())
    return cube.isel(time=date, drop=True).sel(band=list(FINE)).drop_vars(["time_start", "time_end"], errors="ignore")


def make_tasks(folder: Path, size: int, dates: int) -> tuple[list[Task], list[Part], int]:
    land = simulate_landscape(folder / "land", options=SimulateOptions(rows=size, cols=size, n_dates=dates))
    recipe = read_recipe(land.files["recipe"])
    options = recipe.cube.model_copy(update={"place": PlaceOptions(encodings=("sine_cosine",))})
    cubes = load_cube(find_all_scenes(recipe), options=options)
    held = {n: c.compute() for n, c in cubes.cubes.items()}
    truth = labels_from_raster(str(land.files["truth"]), cubes.geobox, legend=land.legend)
    kinds = {n: set(map(str, c["kind"].values)) for n, c in held.items()}
    s2 = next(n for n, k in kinds.items() if "reflectance" in k)
    s1 = next(n for n, k in kinds.items() if "backscatter" in k)
    dem = next(n for n, k in kinds.items() if "elevation" in k)

    def choose(**given: xr.DataArray) -> CubeSet:
        return replace(cubes, cubes=given)

    plain = {"forest": ("forest", "forest", {}), "unet": ("unet", "unet", {})}
    both = ("forest", "unet")
    sensors = choose(s2=held[s2], s1=coarsen(cubes, s1, 2), dem=held[dem])
    lost = {"optional_inputs": ["s2", "s1"]}
    tasks = [
        Task("vhr", choose(aerial=fine_image(held[s2]), s2=coarsen(cubes, s2, 4)),
             [*(plain[k] for k in both), ("vhr-series", "vhr-series", {})]),
        Task("vhr, image alone", choose(aerial=fine_image(held[s2])), [plain[k] for k in both]),
        Task("height", choose(s2=held[s2], dem=held[dem]),
             [*(plain[k] for k in both), ("token-fusion", "token-fusion", {})]),
        Task("height, imagery alone", choose(s2=held[s2]), [plain[k] for k in both]),
        Task("place", choose(s2=held[s2], place=held["place"]),
             [*(plain[k] for k in both), ("metadata-unet", "metadata-unet", {}),
              ("metadata-unet, concat", "metadata-unet", {"merge": "concat"})]),
        Task("revisits", choose(s2=held[s2]), [("utae", "utae", {}),
             *((f"revisits, {f}", "revisits", {"fuse": f}) for f in ("mean", "max", "attention"))]),
        Task("image", choose(s2=held[s2]), [plain["forest"],
             *((n, n, {}) for n in ("unet", "segformer", "fpn", "deeplab", "upernet"))]),
        Task("series", choose(s2=held[s2]), [(n, n, {}) for n in ("utae", "unet-3d", "convlstm")]),
        Task("sensors", sensors, [("dual-unet", "dual-unet", lost),
             ("dual-unet, sensor dropout", "dual-unet", {**lost, "sensor_dropout": 0.3})], ("s2", "s1")),
    ]  # fmt: skip
    return tasks, split_halves(truth, truth.index), len(truth.legend)


def train_network(task: Task, part: Part, name: str, own: dict, *, seed: int, epochs: int):
    params = {"patience": None, "epochs": epochs, **LIGHT, **OWN_LIGHT.get(name, {}), **own}
    return train_chips(task.cubes, part.train, options=ModelOptions(name=name, params=params, seed=seed))


def map_with(model, cubes: CubeSet, without: str | None) -> np.ndarray:
    """Map the whole grid, as if a sensor had not come: class_index (y, x), -1 where nothing can be said."""
    shape = cubes.geobox.shape
    blocks = read_blocks(cubes, Window(0, 0, *shape), halo_px=model.card.context_px)
    proba = model.predict_proba({n: b for n, b in blocks.items() if n != without})
    known = ~np.isnan(proba[0])
    return np.where(known, np.where(known, proba, 0).argmax(axis=0), -1)


def map_forest(task: Task, part: Part, seed: int) -> np.ndarray:
    from sklearn.ensemble import RandomForestClassifier

    shape = task.cubes.geobox.shape
    flat, _ = gather_features(read_blocks(task.cubes, Window(0, 0, *shape)), make_inputs(task.cubes))
    target = part.train.index.ravel()
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(target >= 0))[:FOREST_PIXELS]
    forest = RandomForestClassifier(100, random_state=seed, n_jobs=1).fit(flat[rows], target[rows])
    made = np.full(target.size, -1, dtype=np.int64)
    seen = np.flatnonzero(~np.isnan(flat).all(axis=1) & (part.test.ravel() >= 0))
    made[seen] = forest.predict(flat[seen])
    return made.reshape(shape)


def judge(task: Task, parts: list[Part], contestant: tuple[str, str, dict], n_classes: int, seed: int, epochs: int):
    """Score all pixels of both halves; gives rows "" and one for each sensor left out, parameters, seconds, maps."""
    _, name, own = contestant
    counters = {w: (ConfusionCounter(n_classes), BoundaryCounter(n_classes)) for w in ("", *task.without)}
    n_parameters, seconds, maps = 0, 0.0, {}
    for part in parts:
        trained = None if name == "forest" else train_network(task, part, name, own, seed=seed, epochs=epochs)
        if trained is not None:
            n_parameters, seconds = trained.n_parameters, seconds + trained.fit.seconds
        for without, (counter, edges) in counters.items():
            made = map_with(trained.model, task.cubes, without or None) if trained else map_forest(task, part, seed)
            inside = part.test >= 0
            counter.update(np.where(inside, made, -1), part.test.astype(np.int64))
            edges.update(np.where(inside, made, -1), part.test)
            maps[without] = np.where(inside, made, maps.get(without, np.full(made.shape, -1)))
    rows = {}
    for without, (counter, edges) in counters.items():
        iou = np.asarray(score_matrix(counter.counts, "iou"))[counter.counts.sum(axis=0) > 0]
        accuracy = float(score_matrix(counter.counts, "overall_accuracy"))
        rows[without] = {"oa": accuracy, "miou": float(np.nan_to_num(iou).mean()), "edge": edges.result().mean_f1}
    return rows, n_parameters, seconds, maps


def draw(folder: Path, truth: np.ndarray, maps: dict[str, np.ndarray], name: str, legend_size: int) -> None:
    """Write the maps beside the truth as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(5 * (len(maps) + 1), 5), squeeze=False)
    shown = {"truth": truth, **{f"{name}{f' without {k}' if k else ''}": m for k, m in maps.items()}}
    for axis, (title, values) in zip(axes[0], shown.items(), strict=True):
        seen = np.where(values < 0, np.nan, values)
        axis.imshow(seen, cmap="tab10", vmin=0, vmax=max(9, legend_size), interpolation="nearest")
        axis.set_title(title)
        axis.axis("off")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name.replace(', ', '-').replace(' ', '-')}.png", dpi=80, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--both-ways", action="store_true")
    parser.add_argument("--only", nargs="+", default=["vhr", "height", "place", "revisits", "sensors", "image", "series"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tasks, parts, n_classes = make_tasks(Path(temporary), args.size, args.dates)
        tasks = [t for t in tasks if t.name.split(",")[0] in args.only]
        parts = parts if args.both_ways else parts[:1]
        print(f"{args.size} px, {args.dates} dates, {args.epochs} epochs of {LIGHT['chips_per_epoch']} chips\n")
        print("| sources | model | overall accuracy | mean IoU | boundary F1 (2 px) | parameters | fit s |")
        print("|---|---|---|---|---|---|---|")
        truth = np.max([p.test for p in parts], axis=0)
        for task in tasks:
            for contestant in task.contestants:
                made = [judge(task, parts, contestant, n_classes, seed, args.epochs) for seed in range(args.seeds)]
                for without in made[0][0]:
                    cells = " | ".join(show([m[0][without][key] for m in made]) for key in ("oa", "miou", "edge"))
                    title = contestant[0] + (f", map without {without}" if without else "")
                    size = f"{made[0][1]:,} | {np.mean([m[2] for m in made]):.0f}" if made[0][1] else "- | -"
                    print(f"| {task.name} | {title} | {cells} | {size} |", flush=True)
                if args.picture is not None and contestant[1] != "forest":
                    draw(args.picture, truth, made[-1][3], f"{task.name}-{contestant[0]}", n_classes)


if __name__ == "__main__":
    main()
