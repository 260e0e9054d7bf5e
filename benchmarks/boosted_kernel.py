"""Oblivious trees on a 10-band uint16 raster in memory: catboost's own predict, scikit-learn's forest and our kernel.

    python benchmarks/boosted_kernel.py [--side 1024] [--samples 4000] [--iterations 200] [--repeats 3]

One thread each, the same pixels, one after the other in this process; processor seconds, best of the repeats. Ours must give
catboost's class for every pixel and its probabilities within 1e-6. The forest (100 trees) learns from the same rows.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable

import numpy as np
from catboost import CatBoostClassifier
from forest_kernel import ROWS, simulate
from sklearn.ensemble import RandomForestClassifier

from landweave.models.families import catboost as family


def measure(predict: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, repeats: int) -> tuple[float, np.ndarray]:
    """Give the best processor seconds for all pixels, and what came out."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        parts = [predict(pixels[s : s + ROWS].astype(np.float32)) for s in range(0, len(pixels), ROWS)]
        seconds.append(time.process_time() - start)
    return min(seconds), np.concatenate(parts)


def main() -> None:
    """Fit both, predict with all, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 1024), ("samples", 4000), ("iterations", 200), ("repeats", 3), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    pixels, rows, truth = simulate(args.side, args.samples, args.seed)
    X = pixels[rows].astype(np.float32)
    params = {**family.DEFAULTS, "iterations": args.iterations}
    boosted: CatBoostClassifier = family.make(params, X.shape[1], args.seed, None).fit(X, truth)
    forest = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(X, truth)
    engine = family.export(boosted)
    engine.predict_column(X[:10])  # compiles
    runs = {
        "scikit-learn forest": lambda x: forest.predict(x),
        "catboost.predict": lambda x: boosted.predict(x, thread_count=1).ravel(),
        "ours, class": engine.predict_column,
        "catboost.predict_proba": lambda x: boosted.predict_proba(x, thread_count=1),
        "ours, proba": engine.predict_proba,
    }
    results = {name: measure(run, pixels, args.repeats) for name, run in runs.items()}
    seconds = {name: s for name, (s, _) in results.items()}
    for name, s in seconds.items():
        ratio = seconds["scikit-learn forest"] / s
        print(f"{name:24s} {len(pixels) / s / 1e6:7.3f} Mpx per cpu second  {ratio:6.2f} x the forest")
    if not np.array_equal(results["ours, class"][1], results["catboost.predict"][1]):
        raise SystemExit("the classes differ from catboost's")
    gap = float(np.abs(results["ours, proba"][1] - results["catboost.predict_proba"][1]).max())
    print(f"same class for all {len(pixels)} pixels; probabilities differ by {gap:.1e} at most; "
          f"ours is {seconds['catboost.predict'] / seconds['ours, class']:.2f} x catboost for the class, "
          f"{seconds['catboost.predict_proba'] / seconds['ours, proba']:.2f} x for probabilities")  # fmt: skip
    print(json.dumps({**{k: round(v, 3) for k, v in seconds.items()}, "machine": platform.machine(), **vars(args)}))


if __name__ == "__main__":
    main()
