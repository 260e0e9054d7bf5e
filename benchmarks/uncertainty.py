"""Calibration, conformal sets and unsure pixels of real models, measured on blocks that were held out.

    python benchmarks/uncertainty.py --data FOLDER [--model random-forest] [--blocks 0.25] [--jobs 2]

Everything is fitted on four of five spatial folds' held-out rows and measured on the fifth, in turn. Prints Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from landweave.errors import ModelError
from landweave.metrics.calibration import calibration_error
from landweave.models import ModelOptions, cross_validate
from landweave.models.calibration import CalibrationMethod
from landweave.models.conformal import fit_conformal, measure_coverage
from landweave.models.uncertainty import calibrate_across
from landweave.samples import (
    SampleOptions,
    SplitOptions,
    block_of,
    classes_in_one_block,
    import_series,
    split_random,
    split_spatial,
)
from landweave.types import Fold, SampleTable

SETS = {
    "Mato Grosso, MOD13Q1": "modis-matogrosso/sits_matogrosso_mod13q1_1892x23x6.npz",
    "Cerrado, CBERS-4 AWFI": "cbers4-cerrado/*.npz",
}
METHODS: tuple[CalibrationMethod, ...] = ("temperature", "isotonic", "dirichlet")


def describe_unsure(proba: np.ndarray, truth: np.ndarray, folds: list[Fold], rate: float) -> str:
    """Choose the threshold on the other folds and look at what is kept in each."""
    kept, wrong = np.zeros(len(truth), bool), proba.argmax(axis=1) != truth
    for fold in folds:
        others = np.setdiff1d(np.arange(len(truth)), fold.test)
        try:
            limit = fit_conformal(proba[others], truth[others]).unsure_below(rate)
        except ModelError:
            return f"| {100 * rate:.0f} | out of reach | - |"
        kept[fold.test] = proba[fold.test].max(axis=1) >= limit
    return f"| {100 * rate:.0f} | {100 * wrong[kept].mean():.1f} | {100 * kept.mean():.1f} |"


def describe(name: str, samples: SampleTable, args: argparse.Namespace) -> None:
    """Print the tables of one sample set."""
    split = SplitOptions(block_size_deg=args.blocks)
    lonely = classes_in_one_block(samples, block_of(samples, split))
    samples = samples.select(~samples.frame["class"].isin(lonely).to_numpy())
    blocks, options = block_of(samples, split), ModelOptions(name=args.model)
    folds = split_spatial(samples, split)[0]
    both = [folds, split_random(samples, split)[0]]
    result = cross_validate(samples, both, options=options, n_jobs=args.jobs, keep_proba=True)
    if result.proba is None:
        raise ModelError("cross-validation kept no probabilities")
    proba, random, truth = result.proba[0], result.proba[1], result.truth
    left = f" (without {', '.join(lonely)}, which stand in one block)" if lonely else ""
    print(f"\n### {name}\n\n{len(samples)} samples{left}, spatial folds of {args.blocks:g} degrees.\n")
    print("| probabilities | expected calibration error, % | 95 % interval |\n|---|---|---|")
    versions = {"as the model gives them": proba}
    versions |= {m: calibrate_across(proba, truth, folds, method=m) for m in METHODS}
    for label, p in versions.items():
        found = calibration_error(p, truth, groups=blocks)
        print(f"| {label} | {100 * found.value:.1f} | {100 * found.lower:.1f}-{100 * found.upper:.1f} |")
    print("\n| class-conditional sets for 90 % | truth in the set, % | worst class, % | classes per set |\n|---|---|---|---|")
    found = measure_coverage(proba, truth, folds, error_rate=0.1)
    worst = np.nanmin(found.by_class)
    print(f"| fitted on other blocks | {100 * found.coverage:.1f} | {100 * worst:.1f} | {found.set_size:.2f} |")
    sets = fit_conformal(random, truth).predict_sets(proba, 0.1)
    hit = sets[np.arange(len(truth)), truth]
    worst = min(hit[truth == c].mean() for c in np.unique(truth))
    print(f"| fitted on random folds | {100 * hit.mean():.1f} | {100 * worst:.1f} | {sets.sum(axis=1).mean():.2f} |")
    print("\n| wrong at most, % | wrong among those kept, % | kept, % |\n|---|---|---|")
    for rate in (0.05, 0.03, 0.02):
        print(describe_unsure(versions["temperature"], truth, folds, rate))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="random-forest")
    parser.add_argument("--blocks", type=float, default=0.25)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(f"{args.model}; everything is measured on held-out blocks.")
    for name, pattern in SETS.items():
        path = next(iter(sorted(args.data.glob(pattern))))
        describe(name, import_series(SampleOptions(series=str(path))), args)


if __name__ == "__main__":
    main()
