"""Networks for scenes against a forest on the chips' means and standard deviations, on the simulated landscape.

    python benchmarks/scenes.py [--minutes 6] [--networks scene-cnn scene-attention] [--size 768] [--chip 16] [--seeds 1]

No scene data set lies beside this repository, so that the chips are cut from a landscape whose truth is known (Sentinel-2,
Sentinel-1, elevation): side by side, without overlap.

- one label: the class of most of a chip's pixels;
- several labels: every class that covers at least 2 % of it.

Two halves of the landscape, trained on one and tested on the other, both ways; the chips at the border of the halves are left
out. Scores of the pooled chips of both halves. The minutes are shared by all trainings; a trial of two epochs tells how many
(at most 60) fit into a share, so that a busy machine trains networks less. The forest (500 trees) sees mean and standard
deviation of every band and date of a chip; with several labels there is one forest for all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from landweave.cube import load_cube
from landweave.legend import Legend
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.metrics.multilabel import MultilabelCounter
from landweave.models import ModelOptions
from landweave.models.deep.labels import labels_from_raster
from landweave.models.deep.train_scenes import SceneSetting, train_scenes
from landweave.models.scenes import SceneSet, scenes_from_places, summarise_scenes
from landweave.recipe import read_recipe
from landweave.recipe.run import find_all_scenes
from landweave.simulate import SimulateOptions, simulate_landscape

LEAST_SHARE = 0.02
MOST_EPOCHS = 60


def cut_landscape(folder: Path, size: int, dates: int, chip: int) -> tuple[SceneSet, SceneSet]:
    """Give the chips with one label and with several."""
    land = simulate_landscape(folder / "land", options=SimulateOptions(rows=size, cols=size, n_dates=dates))
    recipe = read_recipe(land.files["recipe"])
    cubes = load_cube(find_all_scenes(recipe), options=recipe.cube)
    cubes = replace(cubes, cubes={n: c.compute() for n, c in cubes.cubes.items()})
    truth = labels_from_raster(str(land.files["truth"]), cubes.geobox, legend=land.legend).index
    n = size // chip
    tiles = truth[: n * chip, : n * chip].reshape(n, chip, n, chip).transpose(0, 2, 1, 3).reshape(n * n, -1)
    shares = np.stack([(tiles == k).mean(axis=1) for k in range(len(land.legend))], axis=1)
    i, j = np.divmod(np.arange(n * n), n)
    x, y = cubes.geobox.affine @ ((j + 0.5) * chip, (i + 0.5) * chip)
    places, names = np.column_stack([x, y]), land.legend.names
    one = [(names[k],) for k in shares.argmax(axis=1)]
    several = [tuple(names[k] for k in np.flatnonzero(row >= LEAST_SHARE)) for row in shares]
    kept = Legend.from_names([n for n in names if any(n in s for s in several)])
    return tuple(scenes_from_places(places, s, cubes, chip_size_px=chip, legend=kept) for s in (one, several))


def halves(scenes: SceneSet) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train west, test east, and the reverse; one column of chips between them is left out."""
    col = scenes.at[:, 1]
    middle = np.median(np.unique(col))
    west = np.flatnonzero(col < middle - scenes.chip_size_px / 2)
    east = np.flatnonzero(col > middle + scenes.chip_size_px / 2)
    return [(west, east), (east, west)]


def run_forest(scenes: SceneSet, train: np.ndarray, test: np.ndarray, several: bool, seed: int) -> np.ndarray:
    from sklearn.ensemble import RandomForestClassifier

    table = summarise_scenes(scenes)
    forest = RandomForestClassifier(500, random_state=seed, n_jobs=1, class_weight=None if several else "balanced")
    if not several:
        forest.fit(table[train], scenes.labels[train].argmax(axis=1))
        proba = np.zeros((len(test), len(scenes.legend)))
        proba[:, forest.classes_] = forest.predict_proba(table[test])
        return proba
    forest.fit(table[train], scenes.labels[train])
    found = forest.predict_proba(table[test])
    return np.column_stack([p[:, 1] if p.shape[1] == 2 else np.full(len(p), float(c[0])) for p, c in
                            zip(found, forest.classes_, strict=True)])  # fmt: skip


def run_network(scenes: SceneSet, train: np.ndarray, test: np.ndarray, name: str, several: bool, seed: int,
                minutes: float) -> tuple[np.ndarray, int, int]:  # fmt: skip
    setting = SceneSetting(several=several)
    part, params = scenes.select(train), {"patience": None, "validation_share": 0.1}
    trial = train_scenes(part, options=ModelOptions(name=name, params={**params, "epochs": 2}), setting=setting)
    epochs = int(np.clip(60 * minutes / trial.fit.history[-1]["seconds"], 4, MOST_EPOCHS))
    options = ModelOptions(name=name, params={**params, "epochs": epochs}, seed=seed)
    trained = train_scenes(part, options=options, setting=setting)
    return trained.model.predict_chips(scenes.select(test)), trained.n_parameters, epochs


def score(proba: np.ndarray, labels: np.ndarray, several: bool) -> tuple[float, float]:
    if several:
        counter = MultilabelCounter(labels.shape[1])
        counter.update(np.clip(proba, 0, 1), labels)
        made = counter.result()
        return made.map_macro, made.map_micro
    matrix = count_confusion(proba.argmax(axis=1), labels.argmax(axis=1), labels.shape[1])
    return float(score_matrix(matrix, "overall_accuracy")), float(score_matrix(matrix, "macro_f1"))


def show(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    from scipy.stats import t

    return f"{np.mean(values):.3f} +- {t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def judge(scenes: SceneSet, name: str, several: bool, seed: int, minutes: float) -> dict[str, float]:
    start, parts, truth, n_parameters, epochs = time.perf_counter(), [], [], 0, 0
    for train, test in halves(scenes):
        if name == "forest":
            proba = run_forest(scenes, train, test, several, seed)
        else:
            proba, n_parameters, epochs = run_network(scenes, train, test, name, several, seed, minutes)
        parts.append(proba)
        truth.append(scenes.labels[test])
    first, second = score(np.concatenate(parts), np.concatenate(truth), several)
    seconds = time.perf_counter() - start
    return {"first": first, "second": second, "seconds": seconds, "parameters": n_parameters, "epochs": epochs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--networks", nargs="+", default=["scene-cnn", "scene-attention"])
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--chip", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sets = cut_landscape(Path(temporary), args.size, args.dates, args.chip)
        minutes = args.minutes / (len(args.networks) * 4 * args.seeds)
        print(f"{len(sets[0])} chips of {args.chip} px, {minutes:.2f} minutes per training\n")
        print("| labels | model | accuracy, or mAP macro | macro-F1, or mAP micro | s | epochs | parameters |")
        print("|---|---|---|---|---|---|---|")
        for scenes, several in zip(sets, (False, True), strict=True):
            for name in ("forest", *args.networks):
                made = [judge(scenes, name, several, seed, minutes) for seed in range(args.seeds)]
                cells = [show([m[key] for m in made]) for key in ("first", "second")]
                size = f"{made[0]['parameters']:,}" if made[0]["parameters"] else "-"
                seconds, epochs = np.mean([m["seconds"] for m in made]), made[0]["epochs"] or "-"
                kind = "several" if several else "one"
                print(f"| {kind} | {name} | {' | '.join(cells)} | {seconds:.0f} | {epochs} | {size} |",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
