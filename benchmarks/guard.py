"""Kernels against their references, in processor seconds: fails when one got 30 % slower than the ratio on record.

    python benchmarks/guard.py [--record] [--only forest median ...] [--rounds 5]

Reference and kernel run in turn in this one process on one thread each, and the best of the rounds counts, so that the ratio
depends little on the machine and its load. A kernel that falls short is measured again, twice at most, before it counts as
slower. `--record` writes the ratios to benchmarks/guard.json; do so on a quiet machine, and say why in the commit.

Reference and kernel gain differently from wider vectors (numpy's sort has a version of its own for AVX-512, ours is compiled
for what there is), so that each width has a record; where there is none for this processor, ratios are printed and nothing is
judged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

RECORD = Path(__file__).with_name("guard.json")
SLOWER = 1.3
TRIES = 3

Pair = tuple[Callable[[], object], Callable[[], object]]


def forest() -> Pair:
    """A 100-tree forest, 100,000 pixels of 10 bands: scikit-learn's predict."""
    from forest_kernel import simulate
    from sklearn.ensemble import RandomForestClassifier

    from landweave.models.forest import ForestEngine

    pixels, rows, truth = simulate(512, 4000, 0)
    x = pixels[:100_000].astype(np.float32)
    model = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(pixels[rows].astype(np.float32), truth)
    engine = ForestEngine.from_sklearn(model)
    return lambda: model.predict(x), lambda: engine.predict_column(x)


def boosted() -> Pair:
    """200 oblivious trees, 200,000 pixels: catboost's predict."""
    from forest_kernel import simulate

    from landweave.models.families import catboost as family

    pixels, rows, truth = simulate(512, 4000, 0)
    x = pixels[:200_000].astype(np.float32)
    params = {**family.DEFAULTS, "iterations": 200}
    model = family.make(params, x.shape[1], 0, None).fit(pixels[rows].astype(np.float32), truth)
    engine = family.export(model)
    return lambda: model.predict(x, thread_count=1), lambda: engine.predict_column(x)


def median() -> Pair:
    """Median of 24 dates with gaps, 200,000 series: numpy's nanmedian after sorting."""
    from landweave.features.composite import compose_median

    rng = np.random.default_rng(0)
    values = rng.random((24, 200, 1000), dtype=np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    return lambda: np.sort(values, axis=0), lambda: compose_median(values)


def linear_fill() -> Pair:
    """Linear filling of 24 dates, 20,000 series: numpy.interp per series."""
    from landweave.features.series import fill_linear

    rng = np.random.default_rng(0)
    values = rng.random((24, 20_000), dtype=np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    days = np.arange(24.0) * 10

    def one_by_one() -> None:
        for series in values.T:
            valid = ~np.isnan(series)
            np.interp(days, days[valid], series[valid])

    return one_by_one, lambda: fill_linear(values, days)


def confusion() -> Pair:
    """Joint counts of two maps of 4 million pixels: numpy's bincount of the joint code."""
    from landweave.metrics import count_codes

    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 10, (2000, 2000), dtype=np.uint8) for _ in range(2))
    return lambda: np.bincount((a.astype(np.int64) * 256 + b).ravel(), minlength=65536), lambda: count_codes(a, b)


def smoothing() -> Pair:
    """Bayesian smoothing of 8 classes, 512 x 512, window 7: two moments per class with scipy's uniform filter."""
    from scipy.ndimage import uniform_filter

    from landweave.legend import Legend
    from landweave.maps import SmoothOptions
    from landweave.maps.smoothing import smooth_proba

    rng = np.random.default_rng(0)
    proba = rng.random((8, 512, 512), dtype=np.float32) + 0.01
    proba /= proba.sum(axis=0)
    options = SmoothOptions(window_px=7, fraction=1.0)

    def moments() -> None:
        for layer in np.log(proba / (1 - proba)):
            uniform_filter(layer, 7)
            uniform_filter(layer * layer, 7)

    legend = Legend.from_names([f"c{i}" for i in range(8)])
    return moments, lambda: smooth_proba(proba, options, legend=legend)


GUARDS: dict[str, Callable[[], Pair]] = {
    f.__name__: f for f in (forest, boosted, median, linear_fill, confusion, smoothing)
}


def name_vectors() -> str:
    """Name the widest vectors of this processor, which the record is kept by."""
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    return next((name for name in ("avx512f", "avx2", "neon") if features.get(name)), "other")


def measure(pair: Pair, rounds: int) -> float:
    """Give the reference's best processor seconds over ours."""
    best = [np.inf, np.inf]
    for _ in range(rounds):
        for i, run in enumerate(pair):
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start)
    return best[0] / best[1]


def main() -> int:
    """Measure, compare with the record, and print a line per kernel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", nargs="+", choices=sorted(GUARDS), default=sorted(GUARDS))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    vectors = name_vectors()
    recorded = records.setdefault(vectors, {})
    print(f"{vectors}: {'judged by its record' if recorded else 'no record, nothing is judged'}")
    slower = []
    for name in args.only:
        pair = GUARDS[name]()
        pair[1]()  # compiles
        ratio = measure(pair, args.rounds)
        least = recorded.get(name, 0.0) / SLOWER
        for _ in range(TRIES - 1):
            if ratio < least and not args.record:
                ratio = max(ratio, measure(pair, args.rounds))
        is_slow = ratio < least and not args.record
        print(f"{name:12s} {ratio:7.2f} x its reference; on record {recorded.get(name, float('nan')):7.2f}"
              + (f"  SLOWER than {least:.2f}" if is_slow else ""))  # fmt: skip
        slower += [name] if is_slow else []
        if args.record:
            recorded[name] = round(ratio, 2)
    if args.record:
        RECORD.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n")
    if slower:
        print(f"slower than on record: {', '.join(slower)}; profile them, or record anew with the reason in the commit")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
