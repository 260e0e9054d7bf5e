"""Co-occurrence texture of a raster: ours, one and two threads, against scikit-image's per-window graycomatrix.

    python benchmarks/texture.py [--side 1024] [--peer-rows 6] [--peer-cols 96] [--repeats 3]

7 x 7 windows, 16 levels, 4 directions, 6 measures, symmetric. The peer computes a small part of the raster and its rate is
taken as that of the whole; the part's values must be ours within 1e-5. Best of the repeats, by the clock and in processor
seconds (which a busy machine leaves alone). Two threads take halves of the raster with their margin.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.feature import graycomatrix, graycoprops

from landweave.features.texture import compute_texture, quantise

MEASURES = ("contrast", "dissimilarity", "homogeneity", "asm", "entropy", "correlation")
THEIRS = ("contrast", "dissimilarity", "homogeneity", "ASM", "entropy", "correlation")
HALO = 3


def ours(levels: np.ndarray, threads: int) -> np.ndarray:
    """Compute the measures in `threads` bands of rows."""
    edges = np.linspace(0, len(levels), threads + 1).astype(int)

    def work(top: int, bottom: int) -> np.ndarray:
        first = max(top - HALO, 0)
        made = compute_texture(levels[first : bottom + HALO], n_levels=16, measures=MEASURES)
        return made[:, top - first : top - first + bottom - top]

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, edges[:-1], edges[1:])), axis=1)


def theirs(levels: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Compute `rows` x `cols` pixels from (HALO, HALO) on with scikit-image."""
    out = np.empty((len(THEIRS), rows, cols))
    angles = np.radians([0, 45, 90, 135])
    for y in range(rows):
        for x in range(cols):
            window = levels[y : y + 7, x : x + 7].astype(np.uint8)
            matrix = graycomatrix(window, [1], angles, levels=16, symmetric=True, normed=True)
            out[:, y, x] = [graycoprops(matrix, name).mean() for name in THEIRS]
    return out


def best(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, float, np.ndarray]:
    """Give the least seconds by the clock and of the processor, and the result."""
    clock, cpu = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        result = work()
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return min(clock), min(cpu), result


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 1024), ("peer-rows", 6), ("peer-cols", 96), ("repeats", 3), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    power = np.exp(gaussian_filter(rng.normal(size=(args.side, args.side)), 6) * 8) * rng.gamma(4.4, 1 / 4.4, (args.side,) * 2)
    levels = quantise(10 * np.log10(power) - 12, low=-30, high=0, levels=16)
    ours(levels[:16], 1)  # compiles
    rates = {}
    for threads in (1, 2):
        clock, cpu, made = best(lambda n=threads: ours(levels, n), args.repeats)  # type: ignore[misc]
        rates[f"ours, {threads} thread{'s'[: threads - 1]}"] = (levels.size / clock, levels.size / cpu)
    clock, cpu, peer = best(lambda: theirs(levels, args.peer_rows, args.peer_cols), args.repeats)
    rates["scikit-image"] = (peer[0].size / clock, peer[0].size / cpu)
    part = made[:, HALO : HALO + args.peer_rows, HALO : HALO + args.peer_cols]
    gap = float(np.abs(part - peer).max())
    if gap > 1e-5:
        raise SystemExit(f"values differ from scikit-image's by {gap:.2e}")
    for name, (clock, cpu) in rates.items():
        print(f"{name:16s} {clock / 1e6:9.5f} Mpx/s by the clock, {cpu / 1e6:9.5f} per processor second, "
              f"{cpu / rates['scikit-image'][1]:7.1f} x scikit-image in processor time")  # fmt: skip
    print(f"same values within {gap:.1e} on {peer[0].size} pixels")
    plain = {k: [round(v / 1e6, 5) for v in pair] for k, pair in rates.items()}
    print(json.dumps({**plain, "machine": platform.machine(), **vars(args)}))


if __name__ == "__main__":
    main()
