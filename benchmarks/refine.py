"""Smoothing (10 classes, 7 x 7), sieve and minimum mapping unit on one Sentinel-2 tile's grid, 10980 x 10980 pixels.

    python benchmarks/refine.py [--side 10980] [--classes 10] [--workers 2] [--min-px 11] [--only NAMES]

The raster is a made-up landscape of 1024 x 1024 pixels (smooth fields, noise) laid side by side; its probabilities are made for
each block as it is asked for, outside the clock, since a whole tile's would take 4.8 GB. Each step runs over blocks of 1024
with their margins in threads, as in the mapping engine; files are not read or written. Seconds are of the threads' work:
`wall` counts from the first block to the last without the making of probabilities where that is the step's input. Processor
seconds are printed too, since they depend less on what else the machine does.

GDAL's sieve (rasterio.features.sieve; whole raster, one thread, another rule) is timed in the same run for comparison.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import threading
import time

import numpy as np
from scipy import ndimage

from landweave.grid import Window, split_blocks
from landweave.maps.filters import majority_filter
from landweave.maps.mmu import mmu_halo_px, remove_small, sieve, sieve_halo_px
from landweave.maps.pool import run_windows
from landweave.maps.smoothing import smooth_bayes

TILE = 1024


def make_tile(n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Scores (class, y, x) that wrap around, so that tiles meet without a seam."""
    fields = rng.normal(size=(n_classes, TILE, TILE)).astype(np.float32)
    smooth = np.stack([ndimage.gaussian_filter(f, 6, mode="wrap") for f in fields])
    return smooth / smooth.std() * 2 + 0.8 * fields


def to_proba(scores: np.ndarray) -> np.ndarray:
    """Softmax over classes."""
    e = np.exp(scores - scores.max(axis=0))
    return (e / e.sum(axis=0)).astype(np.float32)


class Clock:
    """Adds up the processor seconds and the time that threads spend inside."""

    def __init__(self) -> None:
        self.cpu = self.busy = 0.0
        self._lock = threading.Lock()

    def run(self, function, *args, **kwargs):
        cpu, start = time.thread_time(), time.perf_counter()
        result = function(*args, **kwargs)
        with self._lock:
            self.cpu += time.thread_time() - cpu
            self.busy += time.perf_counter() - start
        return result


def main() -> None:
    """Run the steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10980)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--min-px", type=int, default=11)
    parser.add_argument("--only", nargs="*", default=["smooth", "sieve", "mmu", "majority", "gdal-sieve"])
    args = parser.parse_args()
    shape, n = (args.side, args.side), args.classes
    proba = to_proba(make_tile(n, np.random.default_rng(0)))
    codes = np.tile(proba.argmax(axis=0).astype(np.uint8), (-(-args.side // TILE),) * 2)[: args.side, : args.side]
    windows = list(split_blocks(shape, TILE))

    def proba_of(window: Window) -> np.ndarray:
        rows, cols = np.arange(window.row, window.row_end) % TILE, np.arange(window.col, window.col_end) % TILE
        return np.ascontiguousarray(proba[:, rows[:, None], cols])

    def index_of(window: Window, halo: int) -> np.ndarray:
        return codes[window.pad(halo).clip(shape).slices].astype(np.int16)

    smoothness = np.full(n, 10.0)

    def smooth_step(clock: Clock, window: Window) -> None:
        clock.run(smooth_bayes, proba_of(window.pad(3).clip(shape)), window_px=7, smoothness=smoothness, fraction=0.5)

    def class_step(function, halo: int, *rest):
        def step(clock: Clock, window: Window) -> None:
            clock.run(lambda: function(index_of(window, halo), *rest, n_classes=n))

        return step

    steps = {
        "smooth": smooth_step,
        "sieve": class_step(sieve, sieve_halo_px(args.min_px), args.min_px),
        "mmu": class_step(remove_small, mmu_halo_px(args.min_px), args.min_px),
        "majority": class_step(lambda i, n_classes: majority_filter(i, window_px=5, n_classes=n_classes), 2),
    }
    machine = f"{platform.machine()}, {multiprocessing.cpu_count()} cores, {args.workers} threads"
    print(f"{machine}; {args.side}^2 pixels, {n} classes")
    total = cpu = 0.0
    for name, step in steps.items():
        if name not in args.only:
            continue
        warm = Clock()
        step(warm, Window(0, 0, 64, 64))  # compile
        clock, start = Clock(), time.perf_counter()
        run_windows(windows, lambda w, c=clock, s=step: s(c, w), workers=args.workers)
        whole = time.perf_counter() - start
        wall = clock.busy / args.workers
        if name in ("smooth", "sieve", "mmu"):
            total, cpu = total + wall, cpu + clock.cpu
        rate = args.side**2 / wall / 1e6
        with_input = f"({whole:.1f} s with making the input)"
        print(f"{name:10s} {wall:7.1f} s wall {clock.cpu:7.1f} s cpu {rate:7.1f} Mpx/s   {with_input}", flush=True)
    if "gdal-sieve" in args.only:
        from rasterio.features import sieve as gdal_sieve

        start = time.perf_counter()
        gdal_sieve(codes, args.min_px)
        seconds = time.perf_counter() - start
        rate = args.side**2 / seconds / 1e6
        print(f"gdal-sieve {seconds:7.1f} s wall {'':13s} {rate:7.1f} Mpx/s   (whole raster, one thread)")
    print(f"smooth + sieve + mmu: {total:.1f} s wall, {cpu:.1f} s cpu")


if __name__ == "__main__":
    main()
