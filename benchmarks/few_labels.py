"""Accuracy against the number of labels in Mato Grosso: active learning, random choice, and learning from unlabelled rows.

    python benchmarks/few_labels.py [--data ../shared/data] [--repeats 3] [--trees 50]

Labels of the training side of five spatial folds (blocks of 0.25 degrees) are revealed batch by batch; a forest trained on
them is judged on the rows of the test side. Every strategy starts from the same random labels. Means over repeats of the
folds; the seven classes that stand in more than one block are used. Then self-training and label spreading from 20, 40 and 80
random labels, with the rest of the training side unlabelled.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from landweave.label import CurveOptions, PseudoOptions, add_pseudo_labels, play_labelling
from landweave.legend import Legend
from landweave.metrics import count_confusion, score_matrix
from landweave.models import ModelOptions
from landweave.models.training import fit_model
from landweave.samples import SampleOptions, SplitOptions, block_of, classes_in_one_block, import_series, split_spatial
from landweave.types import SampleTable

STRATEGIES = (
    ("random", "none"), ("entropy", "none"), ("margin", "none"), ("margin", "cluster"), ("margin", "density"),
    ("committee", "none"), ("random", "cluster"),
)  # fmt: skip


def load_mato_grosso(data: Path, split: SplitOptions) -> SampleTable:
    path = data / "modis-matogrosso" / "sits_matogrosso_mod13q1_1892x23x6.npz"
    samples = import_series(SampleOptions(series=str(path), sensor="modis-mod13q1"))
    lonely = classes_in_one_block(samples, block_of(samples, split))
    kept = samples.select(~samples.frame["class"].isin(lonely).to_numpy())
    return replace(kept, legend=Legend.from_names([n for n in samples.legend.names if n not in lonely]))


def print_curves(samples: SampleTable, repeats: list, model: ModelOptions) -> None:
    curves = {}
    for strategy, diversity in STRATEGIES:
        name = strategy if diversity == "none" else f"{strategy}, {diversity}"
        options = CurveOptions(strategy=strategy, diversity=diversity)
        curves[name] = play_labelling(samples, repeats, model=model, options=options)
    n = next(iter(curves.values())).n_labels
    for title, which in (("Overall accuracy", "overall_accuracy"), ("Macro-F1", "macro_f1")):
        print(f"\n{title} at new blocks (%) by number of labels; last column: standard deviation over repeats at the end\n")
        print("| strategy | " + " | ".join(map(str, n)) + " | sd |")
        print("|---|" + "---|" * (len(n) + 1))
        for name, curve in curves.items():
            scores = 100 * getattr(curve, which)
            sd = scores[:, -1].std(ddof=1) if len(scores) > 1 else np.nan
            print(f"| {name} | " + " | ".join(f"{v:.1f}" for v in scores.mean(axis=0)) + f" | {sd:.1f} |")


def print_unlabelled(samples: SampleTable, repeats: list, model: ModelOptions) -> None:
    k, truth = len(samples.legend), samples.to_class_index()
    methods = ("labels alone", "self-training", "label-spreading")
    print("\nWith the rest of the training side unlabelled: overall accuracy / macro-F1 (%)\n")
    print("| labels | " + " | ".join(methods) + " |\n|---|---|---|---|")
    for n in (20, 40, 80):
        matrices = np.zeros((len(repeats), len(methods), k, k), dtype=np.int64)
        for r, folds in enumerate(repeats):
            for f, fold in enumerate(folds):
                mixed = np.random.default_rng([r, f, n]).permutation(fold.train)
                few, pool, test = samples.select(mixed[:n]), samples.select(mixed[n:]), samples.select(fold.test)
                for m, method in enumerate(methods):
                    table = few if m == 0 else add_pseudo_labels(few, pool, model=model, options=PseudoOptions(method=method))
                    predicted = fit_model(table, options=model).predict_features_index(test.to_features()).astype(np.int64)
                    matrices[r, m] += count_confusion(predicted, truth[fold.test], k)
        scores = [100 * score_matrix(matrices, s).mean(axis=0) for s in ("overall_accuracy", "macro_f1")]
        print(f"| {n} | " + " | ".join(f"{a:.1f} / {b:.1f}" for a, b in zip(*scores, strict=True)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trees", type=int, default=50)
    args = parser.parse_args()
    started = time.perf_counter()
    split = SplitOptions(block_size_deg=0.25, n_repeats=args.repeats)
    samples = load_mato_grosso(args.data, split)
    repeats = split_spatial(samples, split)
    model = ModelOptions(params={"n_estimators": args.trees})
    print(f"Mato Grosso, {len(samples)} rows, {len(samples.legend)} classes, {args.repeats} repeats of five spatial folds")
    print_curves(samples, repeats, model)
    print_unlabelled(samples, repeats, model)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
