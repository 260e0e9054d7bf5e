"""Are networks worth it on series? Majority, nearest centroid, forest, SVM, boosted trees and networks on real data.

    python benchmarks/networks.py mato-grosso [--minutes 20] [--seeds 3] [--only ltae svm] [--all] [--jobs 2] [--honest]
    python benchmarks/networks.py worldcereal-fusion      # strategies, merges, and what each missing sensor costs
    python benchmarks/networks.py fuel-moisture           # regression
    python benchmarks/networks.py mato-grosso-best        # five repeats of the folds, the best recipe we know

Sets: mato-grosso, cerrado, temporalcnn, statlog, worldcereal. Every model is trained under the random split and the honest
one (spatial blocks, or the publisher's own), once per seed; a seed changes folds, weights and order. Scores pool the test
rows of all folds. Means over seeds with the lowest and the highest in brackets. Jobs are begun seed by seed until the minutes
are over. `--all` runs every network. Seconds are of the processor, so that a busy machine changes them little; on one core
(`taskset -c 1 python ... --jobs 1`) they are the time it takes. Tables go to the terminal, rows to OUT/<set>.json.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from series_sets import SETS, SeriesSet, load_fuel_moisture

from landweave.metrics import count_confusion, score_baseline, score_matrix
from landweave.models import ModelOptions, list_models
from landweave.models.training import fit_model
from landweave.types import ModelInput, SampleTable

CLASSICAL = {"nearest-centroid": {}, "random-forest": {}, "svm": {}, "catboost": {}}
NETWORKS: dict[str, dict[str, Any]] = {"ltae": {}, "tempcnn": {}, "deep-mlp": {}}
OTHERS = ("gru", "lstm", "tae", "transformer", "resnet-1d", "inception-time")
BEST: dict[str, Any] = {"name": "tempcnn", "params": {"epochs": 40}}
SCORES: dict[Any, str] = {"overall_accuracy": "accuracy", "macro_f1": "macro-F1"}
DATA = Path(__file__).parents[2] / "shared" / "data"


@lru_cache(maxsize=1)
def load(name: str, data: Path) -> SeriesSet:
    return SETS[name](data)


def options_of(name: str, params: dict[str, Any], seed: int, samples: SampleTable) -> ModelOptions:
    """Give a model's options: gaps are filled; with several inputs networks get the mask, and forests the gaps themselves."""
    is_several = len(samples.inputs) > 1
    is_network = name in NETWORKS or name in OTHERS or name == "fusion"
    missing = "fill" if not is_several else "mask" if is_network or name in ("svm", "nearest-centroid") else "native"
    return ModelOptions(name=name, params=params, seed=seed, missing=missing)


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Train and test one model on all folds of one split and seed."""
    case = load(job["set"], job["data"])
    samples, truth = case.samples, case.samples.to_class_index()
    options = options_of(job["name"], job["params"], job["seed"], samples)
    predicted, fit_s, parameters, rate = np.full(len(samples), -1), [], None, None
    hidden: dict[str, np.ndarray] = {v: predicted.copy() for v in job.get("hide", ())}
    weights: list[dict[str, float]] = []
    for fold in case.fold(job["split"], job["seed"]):
        started = time.process_time()
        model = fit_model(samples.select(fold.train), options=options)
        fit_s.append(time.process_time() - started)
        features = samples.select(fold.test).to_features()
        predicted[fold.test] = model.predict_features_index(features)
        for name in hidden:
            hidden[name][fold.test] = model.predict_features_index(hide_view(features, samples.inputs, name))
        network = model.card.lineage.get("network", {})
        parameters = network.get("parameters")
        weights += [network["view_weights"]] if "view_weights" in network else []
        rate = rate or measure_rate(model, features)
    row = {**{k: job[k] for k in ("set", "label", "split", "seed")}, **score(predicted, truth, len(samples.legend)),
           "fit_s": float(np.mean(fit_s)), "parameters": parameters, "rows_per_s": rate}  # fmt: skip
    row |= {f"without {v}": score(p, truth, len(samples.legend)) for v, p in hidden.items()}
    if weights:
        row["view_weights"] = {k: float(np.mean([w[k] for w in weights])) for k in weights[0]}
    return row


def hide_view(features: np.ndarray, inputs: tuple[ModelInput, ...], name: str) -> np.ndarray:
    result, at = features.copy(), 0
    for spec in inputs:
        width = len(spec.feature_names)
        if spec.name == name:
            result[:, at : at + width] = np.nan
        at += width
    return result


def score(predicted: np.ndarray, truth: np.ndarray, n_classes: int) -> dict[str, float]:
    tested = predicted >= 0
    matrix = count_confusion(predicted[tested], truth[tested], n_classes)
    return {name: float(score_matrix(matrix, name)) for name in SCORES}


def measure_rate(model: Any, features: np.ndarray) -> float:
    rows = np.tile(features, (-(-4096 // len(features)), 1))[:4096]
    model.predict_features(rows[:1024])
    started = time.process_time()
    model.predict_features(rows)
    return len(rows) / (time.process_time() - started)


def run_all(jobs: list[dict[str, Any]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run jobs in order, none begun after the minutes are over."""
    deadline, rows, waiting = time.monotonic() + 60 * args.minutes, [], list(jobs)
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        running: list[Any] = []
        while waiting or running:
            while waiting and len(running) < args.jobs:
                job = waiting.pop(0)
                if time.monotonic() < deadline:
                    running.append(pool.submit(run_job, job))
            done = [f for f in running if f.done()]
            rows += [f.result() for f in done]
            for row in (f.result() for f in done):
                print(f"  {row['label']}, {row['split']}, seed {row['seed']}: {row['overall_accuracy']:.3f} / "
                      f"{row['macro_f1']:.3f}, {row['fit_s']:.1f} s", flush=True)  # fmt: skip
            running = [f for f in running if f not in done]
            time.sleep(0.05)
    return rows


def span(values: list[float]) -> str:
    v = 100 * np.array(values)
    return f"{v.mean():.1f}" if len(v) < 2 else f"{v.mean():.1f} ({v.min():.1f}-{v.max():.1f})"


def tell(rows: list[dict[str, Any]], splits: tuple[str, str]) -> str:
    """Write the table of a data set."""
    head = [f"{s} {m}" for s in splits for m in SCORES.values()]
    lines = ["| model | " + " | ".join(head) + " | fit s | parameters | rows/s | seeds |", "|---|" + "---|" * (len(head) + 4)]
    for label in dict.fromkeys(r["label"] for r in rows):
        own = [r for r in rows if r["label"] == label]
        cells = [span([r[m] for r in own if r["split"] == s]) if any(r["split"] == s for r in own) else "-"
                 for s in splits for m in SCORES]  # fmt: skip
        rate = max((r["rows_per_s"] or 0) for r in own)
        last = [f"{np.mean([r['fit_s'] for r in own]):.1f}", str(own[0]["parameters"] or "-"), f"{rate:,.0f}" if rate else "-",
                str(len({r["seed"] for r in own}))]  # fmt: skip
        lines.append(f"| {label} | " + " | ".join(cells + last) + " |")
    return "\n".join(lines)


def majority_rows(case: SeriesSet, seeds: int) -> list[dict[str, Any]]:
    counts = np.bincount(case.samples.to_class_index(), minlength=len(case.samples.legend))
    found = score_baseline(counts, "majority")
    return [{"set": case.name, "label": "majority", "split": s, "seed": seed, **found, "fit_s": 0.0, "parameters": None,
             "rows_per_s": None} for s in case.splits for seed in range(seeds)]  # fmt: skip


def compare_models(name: str, args: argparse.Namespace) -> str:
    case = load(name, args.data)
    networks = NETWORKS | ({n: {} for n in OTHERS} if args.all else {})
    if len(case.samples.inputs) > 1:
        networks = {"fusion": {}, **networks}
    chosen = {**CLASSICAL, **networks}
    if args.only:
        chosen = {n: chosen.get(n, {}) for n in args.only}
    more = {n: {} if n in CLASSICAL else args.params for n in chosen}
    splits = [s for s in reversed(case.splits) if not args.honest or s != "random"]
    jobs = [{"set": name, "data": args.data, "label": n, "name": n, "params": {**p, **more[n]}, "split": split, "seed": seed}
            for seed in range(args.seeds) for split in splits for n, p in chosen.items()]  # fmt: skip
    rows = majority_rows(case, args.seeds) + run_all(jobs, args)
    save(args, name, rows)
    return f"{case.title}\n\n{tell(rows, case.splits)}"


def compare_fusion(args: argparse.Namespace) -> str:
    """Compare strategies and merges under the spatial split, with every sensor and without each in turn."""
    case = load("worldcereal", args.data)
    views = [i.name for i in case.samples.inputs]
    cases = [(f"{s}, {m}", {"strategy": s, "merge": m}) for s, m in (
        ("input", "concat"), ("feature", "concat"), ("feature", "mean"), ("feature", "attention"), ("feature", "gated"),
        ("decision", "mean"), ("decision", "gated"), ("ensemble", "mean"), ("hybrid", "gated"))]  # fmt: skip
    same = {"set": "worldcereal", "data": args.data, "hide": views, "split": "spatial"}
    jobs = [{**same, "label": f"{label}, sensor dropout {drop:g}", "name": "fusion",
             "params": {**params, "sensor_dropout": drop, **args.params}, "seed": seed}
            for seed in range(args.seeds) for drop in (0.0, 0.3) for label, params in cases]  # fmt: skip
    forest = {**same, "label": "random-forest", "name": "random-forest", "params": {}}
    jobs = [{**forest, "seed": seed} for seed in range(args.seeds)] + jobs
    rows = run_all(jobs, args)
    save(args, "worldcereal-fusion", rows)
    head = ["all sensors", *(f"without {v}" for v in views), f"mean weight of {', '.join(views)}", "seeds"]
    lines = ["| fusion | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
    for label in dict.fromkeys(r["label"] for r in rows):
        own = [r for r in rows if r["label"] == label]
        cells = [span([r["overall_accuracy"] for r in own])]
        cells += [span([r[f"without {v}"]["overall_accuracy"] for r in own]) for v in views]
        weights = [np.mean([r["view_weights"][v] for r in own]) for v in views] if "view_weights" in own[0] else []
        cells += [" / ".join(f"{w:.2f}" for w in weights) or "-", str(len(own))]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return f"{case.title}; overall accuracy at new places\n\n" + "\n".join(lines)


def run_best(args: argparse.Namespace) -> str:
    """Repeat the spatial folds of Mato Grosso five times with the best recipe."""
    params = {**BEST["params"], **args.params}
    jobs = [{"set": "mato-grosso", "data": args.data, "label": f"{BEST['name']} {json.dumps(params)}", "name": BEST["name"],
             "params": params, "split": "spatial", "seed": seed} for seed in range(5)]  # fmt: skip
    rows = run_all(jobs, args)
    save(args, "mato-grosso-best", rows)
    return tell(rows, ("spatial", "random"))


def fuel_job(job: dict[str, Any]) -> dict[str, Any]:
    """Train one regressor of fuel moisture on the official training rows or on a fold of sites, and give its error."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    case = load_fuel_moisture(job["data"])
    flat, seed = case.features.reshape(len(case.features), -1), job["seed"]
    test = case.is_test if job["split"] == "official" else np.random.default_rng(seed).random(len(flat)) < case.is_test.mean()
    started = time.process_time()
    if job["name"] == "mean":
        found = np.full(test.sum(), case.target[~test].mean())
    elif job["name"] in ("linear", "forest", "svm"):
        model = {"linear": LinearRegression(), "forest": RandomForestRegressor(100, random_state=seed),
                 "svm": make_pipeline(StandardScaler(), SVR(C=50))}[job["name"]]  # fmt: skip
        found = model.fit(flat[~test], case.target[~test]).predict(flat[test])
    else:
        found = fit_fuel(case, ~test, job).predict(flat[test])
    return {"label": job["label"], "split": job["split"], "seed": seed, "fit_s": time.process_time() - started,
            "rmse": float(np.sqrt(np.mean((found - case.target[test]) ** 2)))}  # fmt: skip


def fit_fuel(case: Any, train: np.ndarray, job: dict[str, Any]) -> Any:
    from landweave.models import get_model
    from landweave.models.deep.estimator import SeriesRegressor
    from landweave.models.registry import FitContext

    spec = ModelInput(bands=tuple(f"v{i}" for i in range(18)), kinds=("other",) * 18, n_steps=3)
    family = get_model(job["name"])
    context = FitContext(family.complete(job["params"]), (spec,), "fill", job["seed"], None, 0)
    encoder = None if job["name"] == "fusion" else job["name"]
    flat = case.features[train].reshape(int(train.sum()), -1)
    return SeriesRegressor(context, encoder).fit(flat, case.target[train], groups=case.site[train])


def compare_fuel(args: argparse.Namespace) -> str:
    networks = [(f"{n}, {loss}", n, {"loss": loss, "n_members": 3, **args.params})
                for n in ("deep-mlp", "ltae", "tempcnn") for loss in ("huber", "gaussian-nll")]  # fmt: skip
    plain = [(n, n, {}) for n in ("mean", "linear", "svm", "forest")]
    jobs = [{"data": args.data, "label": label, "name": n, "params": p, "split": split, "seed": seed}
            for seed in range(args.seeds) for label, n, p in plain + networks for split in ("official", "random")]  # fmt: skip
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(fuel_job, jobs))
    save(args, "fuel-moisture", rows)
    lines = ["| model | RMSE, official split by site | RMSE, random split | fit s |", "|---|---|---|---|"]
    for label in dict.fromkeys(r["label"] for r in rows):
        own = [r for r in rows if r["label"] == label]
        cells = [span([r["rmse"] / 100 for r in own if r["split"] == s]) for s in ("official", "random")]
        lines.append(f"| {label} | {cells[0]} | {cells[1]} | {np.mean([r['fit_s'] for r in own]):.1f} |")
    return "Live fuel moisture, 2313 places of 3 months and 18 bands; error in %\n\n" + "\n".join(lines)


def save(args: argparse.Namespace, name: str, rows: list[dict[str, Any]]) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{name}.json").write_text(json.dumps(rows, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*SETS, "worldcereal-fusion", "fuel-moisture", "mato-grosso-best"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("out/networks"))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=[f.name for f in list_models()])
    parser.add_argument("--honest", action="store_true", help="without the random split")
    parser.add_argument("--all", action="store_true", help="every network")
    parser.add_argument("--params", type=json.loads, default={}, help="parameters of all networks, as JSON")
    args = parser.parse_args()
    started = time.perf_counter()
    special = {"worldcereal-fusion": compare_fusion, "fuel-moisture": compare_fuel, "mato-grosso-best": run_best}
    print(special[args.what](args) if args.what in special else compare_models(args.what, args))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
