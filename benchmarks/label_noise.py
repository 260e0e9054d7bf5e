"""What the checks of labels find on planted noise in Mato Grosso, and what cleaning is worth; consensus on real labellers.

    python benchmarks/label_noise.py [--data ../shared/data] [--repeats 2] [--trees 50]

Noise of 10, 20 and 30 % of each class is planted, uniform or between the classes that a forest confuses. Each check is scored
by precision and recall of the planted rows. Then a forest is trained on the noisy, the cleaned and the clean labels of the
training side of five spatial folds (blocks of 0.25 degrees) and judged on the clean labels of the test side; checks see the
training side only. Means over draws of the noise. The seven classes that stand in more than one block are used.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from landweave.label import (
    CheckOptions,
    LabelFinding,
    check_labels,
    clean_samples,
    confusable_classes,
    plant_noise,
)
from landweave.legend import Legend
from landweave.metrics import count_confusion, score_matrix
from landweave.models import ModelOptions, cross_validate
from landweave.models.training import fit_model
from landweave.samples import SampleOptions, SplitOptions, block_of, classes_in_one_block, import_series, split_spatial
from landweave.types import SampleTable

SPLIT = SplitOptions(block_size_deg=0.25)
METHODS = ("confident", "som", "neighbours", "outliers")


def load_mato_grosso(data: Path) -> SampleTable:
    path = data / "modis-matogrosso" / "sits_matogrosso_mod13q1_1892x23x6.npz"
    samples = import_series(SampleOptions(series=str(path), sensor="modis-mod13q1"))
    lonely = classes_in_one_block(samples, block_of(samples, SPLIT))
    kept = samples.select(~samples.frame["class"].isin(lonely).to_numpy())
    legend = Legend.from_names([n for n in samples.legend.names if n not in lonely])
    return replace(kept, legend=legend)


def relabelled(samples: SampleTable, labels: np.ndarray) -> SampleTable:
    names = np.array(samples.legend.names, dtype=object)
    return replace(samples, frame=samples.frame.assign(**{"class": names[labels]}))


def score_finding(found: LabelFinding, wrong: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    hit = found.suspect & wrong
    right = np.mean(found.suggested[hit] == truth[hit]) if hit.any() else np.nan
    return hit.sum() / max(found.suspect.sum(), 1), hit.sum() / max(wrong.sum(), 1), right


def judge(train: SampleTable, test: SampleTable, model: ModelOptions, n_classes: int) -> np.ndarray:
    predicted = fit_model(train, options=model).predict_features(test.to_features()).argmax(axis=1)
    return count_confusion(predicted, test.to_class_index(), n_classes)


def run_noise(samples: SampleTable, share: float, chances: np.ndarray | None, model: ModelOptions, seed: int) -> dict:
    """One draw of noise: scores of the findings on the training sides, and matrices per treatment."""
    truth, k = samples.to_class_index(), len(samples.legend)
    noisy, wrong = plant_noise(truth, share, np.random.default_rng(seed), n_classes=k, chances=chances)
    found: dict[str, list] = defaultdict(list)
    matrices: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros((k, k), dtype=np.int64))
    options = CheckOptions(methods=METHODS, model=model, split=SPLIT, seed=seed)
    for fold in split_spatial(samples, SPLIT)[0]:
        test, rows = samples.select(fold.test), fold.train
        train = relabelled(samples.select(rows), noisy[rows])
        report = check_labels(train, options=options)
        two = report.combine(min_votes=2)
        for finding in (*report.findings, two):
            found[finding.method].append(score_finding(finding, wrong[rows], truth[rows]))
            if finding.method == "outliers":
                continue
            for action in ("drop", "weight", "relabel"):
                cleaned = clean_samples(train, finding, action=action).samples
                matrices[finding.method, action] += judge(cleaned, test, model, k)
        matrices["-", "noisy"] += judge(train, test, model, k)
        matrices["-", "clean"] += judge(samples.select(rows), test, model, k)
    return {"found": {m: np.nanmean(v, axis=0) for m, v in found.items()},
            "accuracy": {key: (float(score_matrix(m, "overall_accuracy")), float(score_matrix(m, "macro_f1")))
                         for key, m in matrices.items()}}  # fmt: skip


def print_noise(samples: SampleTable, args: argparse.Namespace) -> None:
    model = ModelOptions(params={"n_estimators": args.trees})
    predicted = cross_validate(samples, split_spatial(samples, SPLIT), options=model).predicted[0]
    confusable = confusable_classes(samples.to_class_index(), predicted)
    print(f"Mato Grosso, {len(samples)} rows, {len(samples.legend)} classes, {args.repeats} draws of noise each\n")
    kinds = (("uniform", None), ("confusable", confusable))
    results = {(name, share): [run_noise(samples, share, chances, model, seed) for seed in range(args.repeats)]
               for name, chances in kinds for share in (0.1, 0.2, 0.3)}  # fmt: skip
    print("What is found: precision / recall / suggested class right (%)\n")
    print("| noise | confident | som | neighbours | outliers | two of four |")
    print("|---|---|---|---|---|---|")
    for (name, share), draws in results.items():
        cells = [np.mean([d["found"][m] for d in draws], axis=0) for m in (*METHODS, "combined")]
        told = [" / ".join(f"{100 * v:.0f}" for v in c) for c in cells]
        print(f"| {name} {share:.0%} | " + " | ".join(told) + " |")
    for which, title in ((0, "Overall accuracy"), (1, "Macro-F1")):
        print(f"\n{title} on clean labels of new blocks (%): after drop / weight / relabel\n")
        print("| noise | as it is | confident | som | neighbours | two of four | clean labels |")
        print("|---|---|---|---|---|---|---|")
        for (name, share), draws in results.items():
            def mean(*key: str, draws: list = draws, which: int = which) -> str:
                return f"{100 * np.mean([d['accuracy'][key][which] for d in draws]):.1f}"

            cells = [" / ".join(mean(m, a) for a in ("drop", "weight", "relabel"))
                     for m in ("confident", "som", "neighbours", "combined")]
            print(f"| {name} {share:.0%} | {mean('-', 'noisy')} | " + " | ".join(cells) + f" | {mean('-', 'clean')} |")


def read_rwanda(data: Path) -> pd.DataFrame:
    """Three sets of interpreters over the same places: lon, lat, label, who."""
    parts = []
    for path in sorted((data / "reference-points" / "rwanda" / "ceo_labels").glob("*.csv")):
        table = pd.read_csv(path)
        who = "set 1" if "Set-1" in path.name else "set 2" if "Set-2" in path.name else "first"
        parts.append(table[["lon", "lat"]].assign(label=table["Crop/ or not"], who=who).dropna(subset="label"))
    return pd.concat(parts, ignore_index=True)


def read_geowiki(data: Path) -> pd.DataFrame:
    """The 25 cells of each location that both the control and the expert set looked at; a cell is listed where it is crop."""
    folder = data / "reference-points" / "geowiki2017"
    looked = {who: pd.read_csv(folder / f"loc_{key}.txt", sep="\t") for who, key in (("control", "con"), ("expert", "exp"))}
    crops = {who: pd.read_csv(folder / f"crop_{key}.txt", sep="\t") for who, key in (("control", "con"), ("expert", "exp"))}
    parts = []
    for location in sorted(set(looked["control"].locationid) & set(looked["expert"].locationid)):
        marked = {who: {(round(x, 4), round(y, 4)) for x, y in t.loc[t.locationid == location, ["centroid_X", "centroid_Y"]]
                        .itertuples(index=False)} for who, t in crops.items()}  # fmt: skip
        cells = sorted(marked["control"] | marked["expert"])
        rest = 25 - len(cells)
        for who, crop in marked.items():
            rows = [(x, y, "Cropland" if (x, y) in crop else "Other", who) for x, y in cells]
            # the cells that neither marked have no coordinates in the files: they stand beside the location
            rows += [(float(location), i / 100, "Other", who) for i in range(rest)]
            parts.append(pd.DataFrame(rows, columns=["lon", "lat", "label", "who"]))
    return pd.concat(parts, ignore_index=True)


def print_labellers(title: str, table: pd.DataFrame) -> None:
    from landweave.label import find_consensus

    names = sorted(table["label"].unique())
    who = sorted(table["who"].unique())
    place = table.groupby(["lon", "lat"], sort=False).ngroup().to_numpy()
    votes = np.full((place.max() + 1, len(who)), -1)
    votes[place, pd.Categorical(table["who"], who).codes] = pd.Categorical(table["label"], names).codes
    full = (votes >= 0).all(axis=1)
    same = (votes[full] == votes[full][:, :1]).all(axis=1)
    majority = find_consensus(votes, n_classes=len(names), method="majority")
    found = find_consensus(votes, n_classes=len(names))
    print(f"\n{title}: {len(votes)} places, {full.sum()} seen by all {len(who)}, of which {same.mean():.1%} get one label")
    print(f"majority and Dawid-Skene differ at {np.mean(majority.label != found.label):.1%} of the places; "
          f"mean risk {np.nanmean(1 - found.posterior.max(axis=1)):.3f}; {found.n_rounds} rounds\n")  # fmt: skip
    print("| labeller | labels | quality | agrees with majority | " + " | ".join(f"right where {n}" for n in names) + " |")
    print("|---|---|---|---|" + "---|" * len(names))
    for i, name in enumerate(who):
        gave = (votes[:, i] >= 0) & (majority.label >= 0)
        agree = np.mean(votes[gave, i] == majority.label[gave])
        right = " | ".join(f"{100 * found.confusion[i, j, j]:.1f}" for j in range(len(names)))
        print(f"| {name} | {found.n_votes[i]} | {100 * found.quality[i]:.1f} | {100 * agree:.1f} | {right} |")
    print("share of each class: " + ", ".join(f"{n} {p:.3f} (majority {q:.3f})" for n, p, q in
                                              zip(names, found.prevalence, majority.prevalence, strict=True)))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--only", choices=("noise", "labellers"), default=None)
    args = parser.parse_args()
    started = time.perf_counter()
    if args.only != "labellers":
        print_noise(load_mato_grosso(args.data), args)
    if args.only != "noise":
        print_labellers("Rwanda", read_rwanda(args.data))
        print_labellers("Geo-Wiki", read_geowiki(args.data))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
