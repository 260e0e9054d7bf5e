"""How well each way of filling tells observations that were hidden on purpose: NDVI of Sentinel-2 in Slovenia, real clouds.

    python benchmarks/filling.py --data DIR/sentinel2-slovenia [--share 0.2] [--repeats 3] [--picture PNG]

Of the 68 dates, two of one day are put together (the first clean one counts). Cloudy pixels (CLM) are gaps. Two ways of hiding:
`scattered`: a share of the clean pixels anywhere; `dates`: a share of the dates at each pixel's place in blocks of 20 x 20
pixels, all pixels of a block at once, as clouds do. Every method fills the rest; errors are counted on what was hidden. Values
of snow and missed clouds are hidden and told like all others.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from landweave.features.harmonic import fit_harmonic
from landweave.features.series import fill_linear
from landweave.features.smoothing import fill_gaps, smooth_savgol, smooth_whittaker


def read_series(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Give NDVI (time, y, x), NaN under clouds, and the days."""
    ndvi, cloud = (np.load(folder / f"{n}.npy").squeeze(-1) for n in ("NDVI", "CLM"))
    values = np.where(cloud > 0, np.nan, ndvi).astype(np.float32)
    stamps = np.array([t[:10] for t in json.loads((folder / "timestamps.json").read_text())], dtype="datetime64[D]")
    days, first = np.unique(stamps, return_index=True)
    merged = values[first].copy()
    for i, day in enumerate(days):
        for k in np.flatnonzero(stamps == day)[1:]:
            np.copyto(merged[i], values[k], where=np.isnan(merged[i]))
    return merged, days.astype(np.int64).astype(np.float64)


METHODS = {
    "nearest date": lambda v, t: fill_nearest(v, t),
    "linear": fill_linear,
    "Whittaker, smoothness 1": lambda v, t: fill_gaps(v, smooth_whittaker(v, t, smoothness=1.0)[0]),
    "Whittaker, smoothness 10": lambda v, t: fill_gaps(v, smooth_whittaker(v, t, smoothness=10.0)[0]),
    "Whittaker, V-curve": lambda v, t: fill_gaps(v, smooth_whittaker(v, t)[0]),
    "Savitzky-Golay, 7 dates, degree 2": lambda v, t: fill_gaps(v, smooth_savgol(v, t, window=7, degree=2)),
    "Savitzky-Golay, upper envelope": lambda v, t: fill_gaps(v, smooth_savgol(v, t, window=7, degree=2, envelope=10)),
    "harmonic, 1 wave": lambda v, t: fill_gaps(v, fit_harmonic(v, t, harmonics=1).fitted),
    "harmonic, 2 waves": lambda v, t: fill_gaps(v, fit_harmonic(v, t, harmonics=2).fitted),
    "harmonic, 3 waves and trend": lambda v, t: fill_gaps(v, fit_harmonic(v, t, harmonics=3, has_trend=True).fitted),
}


def fill_nearest(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Take the observation nearest in time; what every method has to beat."""
    gap = np.abs(times[:, None] - times[None, :])
    out = values.copy()
    for t in range(len(times)):
        for k in np.argsort(gap[t], kind="stable")[1:]:
            np.copyto(out[t], values[k], where=np.isnan(out[t]))
    return out


def hide(values: np.ndarray, how: str, share: float, rng: np.random.Generator) -> np.ndarray:
    """Tell which clean values to hide."""
    if how == "scattered":
        return (rng.random(values.shape) < share) & ~np.isnan(values)
    blocks = rng.random((values.shape[0], -(-values.shape[1] // 20), -(-values.shape[2] // 20))) < share
    return blocks.repeat(20, axis=1).repeat(20, axis=2)[:, : values.shape[1], : values.shape[2]] & ~np.isnan(values)


def main() -> None:
    """Print a table per way of hiding, and draw a picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    values, times = read_series(args.data)
    clean = ~np.isnan(values)
    gaps = np.diff(times)
    print(f"{len(times)} dates, {clean.mean():.1%} of the values clean, {gaps.min():.0f} to {gaps.max():.0f} days apart\n")
    for how in ("scattered", "dates"):
        print(f"Hidden: {args.share:.0%} of the clean values, {how}; mean of {args.repeats} draws\n")
        print("| method | RMSE | MAE | bias | left empty |\n|---|---|---|---|---|")
        for name, fill in METHODS.items():
            rows = []
            for seed in range(args.repeats):
                hidden = hide(values, how, args.share, np.random.default_rng(seed))
                gap = fill(np.where(hidden, np.float32(np.nan), values), times)[hidden] - values[hidden]
                known = ~np.isnan(gap)
                rows.append((np.sqrt((gap[known] ** 2).mean()), np.abs(gap[known]).mean(), gap[known].mean(), (~known).mean()))
            rmse, mae, bias, left = np.mean(rows, axis=0)
            print(f"| {name} | {rmse:.4f} | {mae:.4f} | {bias:+.4f} | {left:.1%} |", flush=True)
        print()
    if args.picture:
        draw(values, times, args.picture)


def draw(values: np.ndarray, times: np.ndarray, path: Path) -> None:
    """Draw three dates, as observed and as filled by four methods, side by side."""
    import rasterio

    clean = (~np.isnan(values)).mean(axis=(1, 2))
    picks = [int(np.argsort(clean)[len(clean) * k // 10]) for k in (1, 4, 7)]
    names = ("linear", "Whittaker, V-curve", "Savitzky-Golay, 7 dates, degree 2", "harmonic, 2 waves")
    columns = [values, *(METHODS[n](values, times) for n in names)]
    grid = np.concatenate([np.concatenate([c[p] for c in columns], axis=1) for p in picks], axis=0)
    level = np.clip(grid, 0, 1)
    rgb = np.stack([255 * (1 - level), 90 + 120 * level, 60 * (1 - level)])
    rgb = np.where(np.isnan(grid), 200, rgb).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    with rasterio.open(path, "w", driver="PNG", count=3, height=rgb.shape[1], width=rgb.shape[2], dtype="uint8") as dst:
        dst.write(rgb)
    print(f"{path}: dates {[str(np.datetime64(int(times[p]), 'D')) for p in picks]}; columns: observed, {', '.join(names)}",
          file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    main()
