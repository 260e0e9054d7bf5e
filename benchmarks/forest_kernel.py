"""A 100-tree forest on a 10-band uint16 raster held in memory: scikit-learn's own predict against ours, one thread each.

    python benchmarks/forest_kernel.py [--side 2048] [--samples 4000] [--trees 100] [--threads 1] [--repeats 3]

Both see the same pixels (converted to float32 inside the timed part) and must give the same class for every one of them.
Prints pixels per second, the ratio of the best runs, and the peak memory of each (measured in a process of its own).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import RandomForestClassifier

from landweave.models.forest import ForestEngine

N_BANDS, N_CLASSES = 10, 8
ROWS = 1 << 18


def simulate(side: int, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make pixels (pixel, band) uint16 of patchy classes with overlapping spectra, and training rows drawn from them."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), 6) for _ in range(N_CLASSES)]
    truth = np.argmax(fields, axis=0).ravel()
    means = 1500 + 900 * rng.standard_normal((N_CLASSES, N_BANDS)).cumsum(axis=1) / 2
    pixels = np.empty((side * side, N_BANDS), np.uint16)
    for start in range(0, len(pixels), ROWS):
        part = truth[start : start + ROWS]
        shade = rng.normal(1, 0.15, (len(part), 1))
        pixels[start : start + ROWS] = np.clip(means[part] * shade + rng.normal(0, 450, (len(part), N_BANDS)), 1, 12000)
    rows = rng.choice(len(pixels), n_samples, replace=False)
    return pixels, rows, truth[rows]


def predict_sklearn(forest: RandomForestClassifier, pixels: np.ndarray) -> np.ndarray:
    """Predict in parts, as its memory grows with trees and pixels."""
    parts = (pixels[s : s + ROWS].astype(np.float32) for s in range(0, len(pixels), ROWS))
    return np.concatenate([forest.predict(p) for p in parts]).astype(np.int64)


def predict_ours(engine: ForestEngine, pixels: np.ndarray, threads: int) -> np.ndarray:
    """Predict in the same parts; the kernel holds no lock, so that threads can share the parts."""
    parts = [pixels[s : s + ROWS] for s in range(0, len(pixels), ROWS)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(lambda p: engine.predict_column(p.astype(np.float32)), parts)))


def measure(who: str, args: argparse.Namespace, folder: Path, queue: multiprocessing.Queue) -> None:
    """Run one of the two in this process; report seconds, classes and memory."""
    pixels, rows, truth = (np.load(folder / f"{name}.npy") for name in ("pixels", "rows", "truth"))
    forest = RandomForestClassifier(args.trees, random_state=0, n_jobs=args.threads).fit(pixels[rows].astype(np.float32), truth)
    if who == "ours":
        engine = ForestEngine.from_sklearn(forest)
        start = time.perf_counter()
        engine.predict_column(pixels[:1000].astype(np.float32))
        first_call = time.perf_counter() - start
        predict = partial(predict_ours, engine, threads=args.threads)
    else:
        first_call, predict = 0.0, partial(predict_sklearn, forest)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, classes = [], np.empty(0)
    for _ in range(args.repeats):
        start = time.perf_counter()
        classes = predict(pixels=pixels)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nodes = sum(e.tree_.node_count for e in forest.estimators_)
    queue.put({"who": who, "seconds": seconds, "first_call_s": first_call, "peak_mib": peak / 1024,
               "raster_mib": pixels.nbytes / 2**20, "before_mib": before / 1024, "nodes": nodes,
               "classes": classes.astype(np.uint8).tobytes()})  # fmt: skip


def run(who: str, args: argparse.Namespace, folder: Path) -> dict:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(who, args, folder, queue))
    process.start()
    result = queue.get()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 2048), ("samples", 4000), ("trees", 100), ("threads", 1), ("repeats", 3), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name, array in zip(("pixels", "rows", "truth"), simulate(args.side, args.samples, args.seed), strict=True):
            np.save(Path(folder) / f"{name}.npy", array)
        results = {who: run(who, args, Path(folder)) for who in ("scikit-learn", "ours")}
    classes = [r.pop("classes") for r in results.values()]
    if classes[0] != classes[1]:
        differing = (np.frombuffer(classes[0], np.uint8) != np.frombuffer(classes[1], np.uint8)).sum()
        raise SystemExit(f"the two maps differ in {differing} of {len(classes[0])} pixels")
    pixels = args.side**2
    for who, r in results.items():
        print(f"{who:13s} {pixels / min(r['seconds']) / 1e6:7.3f} Mpx/s   best of {args.repeats}: {min(r['seconds']):.2f} s   "
              f"peak {r['peak_mib']:.0f} MiB (raster {r['raster_mib']:.0f} MiB, before predicting {r['before_mib']:.0f} MiB)")
    ratio = min(results["scikit-learn"]["seconds"]) / min(results["ours"]["seconds"])
    print(f"same class for all {pixels} pixels; ours is {ratio:.2f} x scikit-learn; {results['ours']['nodes']} nodes; "
          f"first call (compiling or loading the kernel) {results['ours']['first_call_s']:.2f} s")
    print(json.dumps({"ratio": ratio, "machine": platform.processor() or platform.machine(), **vars(args)}))


if __name__ == "__main__":
    main()
