"""How fast the error matrix of two whole rasters is counted, reading included, and how fast a bootstrap by design is.

    python benchmarks/metrics.py [--side 10980] [--threads 2] [--folder DIR] [--repeats 3]
                                 [--bootstrap-only]

Two uint8 rasters of ten classes in patches are written once (tiled, deflated, 512 pixel blocks), then read by strips and
counted by `CodeCounter`, one counter per thread. Printed: the seconds of every repeat, of it those spent counting, the peak of
the process's memory, and whether numpy finds the same matrix on a strip. The budget is 3 s and 1 GiB for 10980 x 10980 on two
cores.

Then 1000 bootstrap replicates of 10,000 samples are drawn for every design, in processor seconds; the budget is 0.5.
`--bootstrap-only` leaves the rasters out.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# numba looks for a module called coverage, the tool of that name, and must not find the benchmark beside this file
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from landweave.metrics import UnitSample, bootstrap_matrices, make_shares
from landweave.metrics.codes import CodeCounter
from landweave.metrics.confusion import count_confusion, count_parts
from landweave.metrics.intervals import bootstrap_scores

STRIP = 1024
N_CLASSES = 10
NODATA = 255


def write_pair(folder: Path, side: int, rng: np.random.Generator) -> tuple[Path, Path]:
    """Write a map and a reference of patches of about 20 pixels, 5 % of the map wrong, a corner nodata."""
    coarse = rng.integers(0, N_CLASSES, (side // 20 + 2, side // 20 + 2), dtype=np.uint8)
    paths = folder / "map.tif", folder / "reference.tif"
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8", "nodata": NODATA, "tiled": True,
               "blockxsize": 512, "blockysize": 512, "compress": "deflate",
               "crs": "EPSG:32723", "transform": from_origin(300_000, 9_000_000, 10, 10)}  # fmt: skip
    cols = np.arange(side)
    with rasterio.open(paths[0], "w", **profile) as mapped, rasterio.open(paths[1], "w", **profile) as reference:
        for row in range(0, side, STRIP):
            rows = np.arange(row, min(row + STRIP, side))
            true = coarse[rows[:, None] // 20, (cols[None, :] + rows[:, None] // 7) // 20 % coarse.shape[1]]
            wrong = rng.random(true.shape, dtype=np.float32) < 0.05
            guess = np.where(wrong, rng.integers(0, N_CLASSES, true.shape, dtype=np.uint8), true)
            guess[(rows[:, None] + cols[None, :]) < side // 8] = NODATA
            window = Window(0, row, side, len(rows))
            reference.write(true, 1, window=window)
            mapped.write(guess, 1, window=window)
    return paths


def count_rows(paths: tuple[Path, Path], rows: list[int]) -> tuple[CodeCounter, float]:
    """Read and count some strips; also give the seconds spent counting."""
    counter, counting = CodeCounter(), 0.0
    with rasterio.open(paths[0]) as mapped, rasterio.open(paths[1]) as reference:
        for row in rows:
            window = Window(0, row, mapped.width, min(STRIP, mapped.height - row))
            a, b = mapped.read(1, window=window), reference.read(1, window=window)
            started = time.perf_counter()
            counter.update(a, b)
            counting += time.perf_counter() - started
    return counter, counting


def count_pair(paths: tuple[Path, Path], side: int, threads: int) -> tuple[CodeCounter, float]:
    """Count a pair of rasters with some threads."""
    strips = list(range(0, side, STRIP))
    whole, counting = CodeCounter(), 0.0
    with ThreadPoolExecutor(threads) as pool:
        for counter, seconds in pool.map(lambda i: count_rows(paths, strips[i::threads]), range(threads)):
            whole.merge(counter)
            counting += seconds
    return whole, counting


def check(paths: tuple[Path, Path]) -> bool:
    """Tell whether numpy finds the same matrix on the first strip."""
    with rasterio.open(paths[0]) as mapped, rasterio.open(paths[1]) as reference:
        a, b = (d.read(1, window=Window(0, 0, d.width, min(STRIP, d.height))).astype(np.int16) for d in (mapped, reference))
    found = count_rows(paths, [0])[0].result(range(N_CLASSES))
    return np.array_equal(found, count_confusion(np.where(a == NODATA, -1, a), np.where(b == NODATA, -1, b), N_CLASSES))


def time_bootstraps(n: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Give the processor seconds of the bootstrap of each design."""
    k = N_CLASSES
    mapped = rng.integers(0, k, n)
    labels = np.where(rng.random(n) < 0.8, mapped, rng.integers(0, k, n))
    plain, one, whole = make_shares(labels, k), np.ones(n), np.zeros(n, dtype=np.int64)
    votes = rng.dirichlet(np.full(k, 0.3), n)
    cases = {
        "simple random": UnitSample(mapped, plain, one, whole),
        "stratified by ten classes": UnitSample(mapped, plain, 1.0 + mapped, mapped),
        "post-stratified": UnitSample(mapped, plain, 1.0 + mapped, whole, post=mapped),
        "an inclusion probability of its own for every sample": UnitSample(mapped, plain, 1 + rng.random(n), whole),
        "each sample a cluster of its own": UnitSample(mapped, plain, one, whole, psu=np.arange(n)),
        "clusters of five": UnitSample(mapped, plain, one, whole, psu=np.arange(n) // 5),
        "labels with probabilities": UnitSample(mapped, votes, one, whole),
    }
    for name, sample in cases.items():
        started = time.process_time()
        bootstrap_matrices(sample, draws=draws, rng=rng)
        yield name, time.process_time() - started
    for name, group in (("each sample a group", np.arange(n)), ("groups of five", np.arange(n) // 5)):
        started = time.process_time()
        parts = count_parts(group, mapped, labels, n_groups=int(group.max()) + 1, n_classes=k)
        bootstrap_scores(parts, ("overall_accuracy", "macro_f1"), draws=draws, rng=rng)
        yield f"no design, {name}", time.process_time() - started


def print_bootstraps(rng: np.random.Generator) -> None:
    print("\nProcessor seconds of 1000 bootstrap replicates of 10,000 samples, ten classes")
    print("| design | s |\n|---|---:|")
    for name, seconds in time_bootstraps(10_000, 1000, rng):
        print(f"| {name} | {seconds:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10980)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where to write the rasters; a temporary folder by default")
    parser.add_argument("--bootstrap-only", action="store_true", help="leave the rasters out")
    args = parser.parse_args()
    if not args.bootstrap_only:
        time_counting(args)
    print_bootstraps(np.random.default_rng(args.seed))


def time_counting(args: argparse.Namespace) -> None:
    """Count a pair of rasters and print."""
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        paths = write_pair(Path(folder), args.side, np.random.default_rng(args.seed))
        print(f"same matrix as numpy: {check(paths)}")
        for _ in range(args.repeats):
            started = time.perf_counter()
            counter, counting = count_pair(paths, args.side, args.threads)
            seconds = time.perf_counter() - started
            share = np.trace(counter.result(range(N_CLASSES))) / counter.result(range(N_CLASSES)).sum()
            print(f"{args.side} x {args.side}, {args.threads} threads: {seconds:.2f} s with reading, of it "
                  f"{counting / args.threads:.2f} s counting a thread; {share:.2%} agree")  # fmt: skip
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
