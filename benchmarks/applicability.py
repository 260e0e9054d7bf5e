"""Dissimilarity of pixels to 5,000 training rows of 10 features: our kernel against scipy's tree; prototypes and their error.

    python benchmarks/applicability.py [--rows 5000] [--features 10] [--side 1024] [--threads 2]

Three kinds of pixels: `spectra` (patchy land cover, bands that go together, as in imagery), `noise` (independent Gaussian
features, the worst case: in ten dimensions nothing is near), and `spectra` with 50,000 rows put into 5,000 prototypes.
Prints million pixels per processor second of one core, so that other users of the machine do not count, and per second with the
threads; distances are checked against scipy.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from landweave.models.applicability import Applicability
from landweave.models.applicability_fit import choose_prototypes

CHUNK = 16384


def make_spectra(side: int, n_features: int, rng: np.random.Generator) -> np.ndarray:
    """Make reflectances (pixel, feature) of eight covers in patches, lit differently, with sensor noise."""
    fields = [gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), 6) for _ in range(8)]
    cover = np.argmax(fields, axis=0).ravel()
    means = 0.2 + 0.08 * rng.standard_normal((8, n_features)).cumsum(axis=1)
    light = rng.normal(1, 0.15, (len(cover), 1))
    return (means[cover] * light + rng.normal(0, 0.015, (len(cover), n_features))).astype(np.float32)


def wrap(rows: np.ndarray, error: float = 0.0) -> Applicability:
    """Standardise rows with equal weights."""
    mean, factor = rows.mean(axis=0), 1 / rows.std(axis=0)
    return Applicability(mean, factor, (rows - mean) * factor, np.arange(rows.shape[1]), 1.0, 1.0, error, len(rows))


def time_ours(index: Applicability, pixels: np.ndarray, threads: int) -> tuple[float, float, np.ndarray]:
    """Give million pixels per processor second and per second, best of three, and the distances."""
    parts = [pixels[s : s + CHUNK] for s in range(0, len(pixels), CHUNK)]
    index.dissimilarity(pixels[:64])
    best, least, made = np.inf, np.inf, np.empty(0)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            start, spent = time.perf_counter(), time.process_time()
            made = np.concatenate(list(pool.map(index.dissimilarity, parts)))
            best, least = min(best, time.perf_counter() - start), min(least, time.process_time() - spent)
    return len(pixels) / least / 1e6, len(pixels) / best / 1e6, made


def time_scipy(index: Applicability, pixels: np.ndarray, threads: int) -> tuple[float, np.ndarray]:
    """Give million pixels per processor second of scipy's tree over a part of the pixels, and the distances."""
    some = (pixels[: len(pixels) // 16] - index.mean) * index.factor
    tree = cKDTree(index.rows)
    start = time.process_time()
    made = tree.query(some, workers=threads)[0]
    return len(some) / (time.process_time() - start) / 1e6, made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    spectra = make_spectra(args.side, args.features, rng)
    noise = rng.standard_normal((args.side**2 // 4, args.features)).astype(np.float32)
    drawn = spectra[rng.choice(len(spectra), args.rows, replace=False)]
    cases = [("spectra", wrap(drawn), spectra),
             ("noise", wrap(rng.standard_normal((args.rows, args.features)).astype(np.float32)), noise)]  # fmt: skip
    print(f"{args.rows} rows, {args.features} features, {args.threads} threads; million pixels")
    print("| pixels | per processor second | scipy cKDTree | ratio | per second | largest difference |")
    print("|---|---|---|---|---|---|")
    for name, index, pixels in cases:
        (ours, clock, made), (peer, expected) = time_ours(index, pixels, args.threads), time_scipy(index, pixels, args.threads)
        gap = float(np.abs(made[: len(expected)] - expected).max())
        print(f"| {name} | {ours:.2f} | {peer:.2f} | {ours / peer:.1f} | {clock:.2f} | {gap:.1e} |")
    many = wrap(spectra[rng.choice(len(spectra), 10 * args.rows, replace=False)])
    start = time.process_time()
    rows, error = choose_prototypes(many.rows, args.rows)
    seconds = time.process_time() - start
    few = Applicability(many.mean, many.factor, rows, many.used, 1.0, 1.0, error, len(many.rows))
    speed, _, made = time_ours(few, spectra, args.threads)
    true = cKDTree(many.rows).query((spectra[::64] - many.mean) * many.factor, workers=args.threads)[0]
    over = made[::64] - true
    print(f"\n{10 * args.rows} rows as {args.rows} prototypes (made in {seconds:.1f} processor seconds): {speed:.2f} million "
          f"pixels per processor second; distances too long "
          f"by at most {over.max():.3f} (stated bound {error:.3f}), on average {over.mean():.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
