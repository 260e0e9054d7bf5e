"""Composites and filled series against their peers, in one run: seconds, ratios, agreement, peak memory.

    python benchmarks/cube.py [--side 512] [--dates 24] [--bands 6] [--peers PYTHON] [--only composite] [--growth]

The full size is --side 2048. A stack of COGs (deflated uint16, 512 px blocks; smooth fields, a season, noise, clouds as 0) is
made in a temporary folder first. Contenders:

- composite: `decode` reads every block of every COG into memory and does nothing else; `ours-median` goes from the COGs to the
  median composite through `load_cube`, in blocks of 1024 px, as maps read cubes (`write_cube` takes larger ones);
  `xarray-dask` takes `median(dim="time", skipna=True)` of the stack in memory against our kernel on the same array (two
  threads each).
- series, per pixel and band, on pixels of the same stack: the per-pixel scipy way (Weiszfeld with numpy and scipy's cdist;
  Whittaker by scipy.sparse's spsolve; harmonic by scipy.optimize.least_squares with Huber's loss at the scale that ours
  found) on a sample, and ours on all; and compiled peers (hdstats, vam.whittaker, whittaker-eilers) where the interpreter
  given as --peers has them.

`--growth` measures the peak resident memory of writing cubes with two workers at half the side and at the side. Seconds are of
the wall clock; processor seconds stand beside them, since they depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from landweave.cube import CubeOptions, load_cube, write_cube
from landweave.features.composite import compose_geomedian, compose_median
from landweave.features.harmonic import fit_harmonic, harmonic_design
from landweave.features.smoothing import smooth_whittaker
from landweave.grid import split_blocks
from landweave.io.handles import close_rasters
from landweave.maps.memory import gdal_cache, measure_peak
from landweave.types import Asset, Band, Scene, Sensor

NAMES = ("blue", "green", "red", "nir", "swir16", "swir22", "rededge071", "rededge075")
START = datetime(2020, 1, 5)
CACHE = 128 * 2**20


def make_stack(folder: Path, side: int, dates: int, bands: int) -> list[Scene]:
    """Write one COG per band and date; 30 % of each date is cloud (0, nodata), in patches."""
    rng = np.random.default_rng(0)
    sensor = Sensor("bench", "Bench", tuple(Band(b, "reflectance", scale=1e-4, nodata=0, valid_range=(0, 2)) for b in NAMES),
                    source="made up")  # fmt: skip
    rows, cols = np.mgrid[:side, :side].astype(np.float32) / 97
    field = (np.sin(rows) * np.cos(1.3 * cols) + 2) / 3
    scenes = []
    profile = {"driver": "COG", "dtype": "uint16", "count": 1, "height": side, "width": side, "crs": "EPSG:32633", "nodata": 0,
               "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000), "compress": "deflate", "blocksize": 512, "predictor": 2}
    for t in range(dates):
        day = START + timedelta(days=15 * t + int(rng.integers(0, 5)))
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * (15 * t - 180) / 365)
        phase = rng.uniform(0, 6, 2)
        cloud = np.sin(3 * rows + phase[0]) + np.sin(2.1 * cols + phase[1]) > 0.75
        assets = []
        for b in range(bands):
            level = 600 + 500 * b + 1500 * wave * field * (1 if b == 3 else -0.2)
            data = np.clip(level + rng.normal(0, 60, (side, side)), 1, 10000).astype(np.uint16)
            data[cloud] = 0
            path = folder / f"{t:02d}_{NAMES[b]}.tif"
            with rasterio.open(path, "w", **profile) as dst:
                dst.write(data, 1)
            assets.append(Asset(NAMES[b], str(path)))
        scenes.append(Scene(f"d{t}", sensor, day, day, tuple(assets)))
    return scenes


def clock(run, *args):
    """Run and give (result, wall, cpu) seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run(*args)
    return result, time.perf_counter() - wall, time.process_time() - cpu


def decode(scenes: list[Scene], workers: int) -> int:
    """Read every block of every file, and nothing else."""
    def read(path: str) -> int:
        with rasterio.open(path) as src:
            return sum(int(src.read(1, window=w).shape[0]) for _, w in src.block_windows(1))

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(read, [a.path for s in scenes for a in s.assets]))


def compose_all(scenes: list[Scene], workers: int, options: CubeOptions, block: int = 1024) -> np.ndarray:
    """From the COGs to the cube in memory, by blocks in threads."""
    cube = load_cube(scenes, options=options)["main"]
    out = np.empty(cube.shape, dtype=np.float32)

    def work(window):
        out[:, :, window.slices[0], window.slices[1]] = cube.isel(y=window.slices[0], x=window.slices[1]).values

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, split_blocks(cube.shape[2:], block)))
    return out


def in_threads(kernel, stack: np.ndarray, workers: int, rows: int = 64) -> np.ndarray:
    """Apply a kernel (time, band, rows, x) -> array to strips in threads."""
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(lambda y: kernel(np.ascontiguousarray(stack[:, :, y : y + rows])), range(0, stack.shape[2], rows))
        return np.concatenate(list(parts), axis=-2)


def scipy_geomedian(series: np.ndarray) -> np.ndarray:
    """Weiszfeld for one pixel (time, band) with numpy and scipy."""
    from scipy.spatial.distance import cdist

    x = series[~np.isnan(series).any(axis=1)].astype(np.float64)
    if len(x) == 0:
        return np.full(series.shape[1], np.nan)
    m = x.mean(axis=0)
    for _ in range(2000):
        d = cdist(x, m[None])[:, 0]
        w = 1 / np.maximum(d, 1e-12)
        new = (w[:, None] * x).sum(axis=0) / w.sum()
        if np.linalg.norm(new - m) < 1e-8:
            return new
        m = new
    return m


def scipy_whittaker(y: np.ndarray, bands: tuple[np.ndarray, ...], smoothness: float) -> np.ndarray:
    """One series: sparse W + smoothness D'D by spsolve; `bands` is D'D as a matrix."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import spsolve

    known = ~np.isnan(y)
    w = sp.diags(known.astype(np.float64))
    return spsolve((w + smoothness * bands[0]).tocsc(), np.where(known, y, 0.0))


def scipy_harmonic(y: np.ndarray, design: np.ndarray, scale: float) -> np.ndarray:
    """One series: least_squares with Huber's loss, bound at 1.345 robust standard deviations."""
    from scipy.optimize import least_squares

    known = ~np.isnan(y)
    x, z = design[known], y[known].astype(np.float64)
    start = np.linalg.lstsq(x, z, rcond=None)[0]
    return least_squares(lambda b: x @ b - z, start, jac=lambda b: x, loss="huber", f_scale=1.345 * scale, xtol=1e-12,
                         ftol=1e-12, gtol=1e-12).x  # fmt: skip


def difference_matrix(times: np.ndarray):
    """D'D of second divided differences, scaled by the mean spacing, as a sparse matrix, independent of the package."""
    import scipy.sparse as sp

    n, h = len(times), (times[-1] - times[0]) / (len(times) - 1)
    rows = np.zeros((n - 2, n))
    for i in range(n - 2):
        a, b, c = times[i : i + 3]
        rows[i, i : i + 3] = 2 * h * h / np.array([(b - a) * (c - a), -(b - a) * (c - b), (c - b) * (c - a)])
    return sp.csc_matrix(rows.T @ rows)


PEER = r"""
import json, sys, time, numpy as np
stack = np.load(sys.argv[1]); out = {}
t, b = stack.shape[:2]; px = stack[0, 0].size
try:
    import hdstats
    cube = np.ascontiguousarray(stack.transpose(2, 3, 1, 0))
    s = time.perf_counter(); m = hdstats.nangeomedian_pcm(cube, num_threads=1, eps=1e-7, maxiters=1000)
    w = time.perf_counter() - s
    np.save(sys.argv[2] + "/hdstats.npy", m.transpose(2, 0, 1)); out["hdstats geomedian"] = px / w
except Exception as e: out["hdstats geomedian"] = repr(e)[:120]
flat = stack.reshape(t, -1).astype(np.float64); n = min(flat.shape[1], 200000); flat = flat[:, :n]
try:
    from vam.whittaker import ws2d
    w01 = (~np.isnan(flat)).astype(np.float64); y = np.nan_to_num(flat)
    yy, ww = np.ascontiguousarray(y.T), np.ascontiguousarray(w01.T)
    z = np.empty((n, t)); s = time.perf_counter()
    for i in range(n): z[i] = ws2d(yy[i], 10.0, ww[i])
    w = time.perf_counter() - s; np.save(sys.argv[2] + "/vam.npy", z.T); out["vam.whittaker"] = n / w
except Exception as e: out["vam.whittaker"] = repr(e)[:120]
try:
    import whittaker_eilers as we
    k = min(n, 20000); lists = [(yy[i].tolist(), ww[i].tolist()) for i in range(k)]
    s = time.perf_counter()
    sm = we.WhittakerSmoother(10.0, 2, t)
    for q, r in lists: sm.update_weights(r); sm.smooth(q)
    out["whittaker-eilers"] = k / (time.perf_counter() - s)
except Exception as e: out["whittaker-eilers"] = repr(e)[:120]
print(json.dumps(out))
"""


def run_composite(args, scenes: list[Scene]) -> np.ndarray | None:
    """Decode, ours end to end, and the medians in memory; gives the stack."""
    options = CubeOptions(period="year", composite="median", steps=None)
    px = args.side**2
    print("| contender | wall s | cpu s | peak MiB |\n|---|---|---|---|")
    rows: dict[str, tuple[float, float, int]] = {}
    runs = {"decode": lambda: decode(scenes, args.workers),
            "ours-median end to end": lambda: compose_all(scenes, args.workers, options)}  # fmt: skip
    compose_all(scenes[:2], 1, options.model_copy(update={"bounds": (500_000, 4_999_000, 501_000, 5_000_000)}))
    for name, run in [*runs.items()] * args.rounds:
        close_rasters()
        with gdal_cache(CACHE), measure_peak() as meter:
            _, wall, cpu = clock(run)
        rows[name] = min(rows.get(name, (np.inf, np.inf, 0)), (cpu, wall, meter.peak_bytes))
    for name, (cpu, wall, peak) in rows.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak / 2**20:.0f} |", flush=True)
    a, b = rows["decode"], rows["ours-median end to end"]
    print(f"\nend to end / decode: {b[1] / a[1]:.2f} by the clock, {b[0] / a[0]:.2f} by processor seconds\n")
    side = min(args.side, args.memory_side)
    bounds = (500_000, 5_000_000 - 10 * side, 500_000 + 10 * side, 5_000_000)
    stack = compose_all(scenes, args.workers, CubeOptions(bounds=bounds))
    n = stack[0].size
    compose_median(stack[:, :, :8])
    ours, wall, cpu = clock(lambda: in_threads(compose_median, stack, args.workers))
    import dask
    import xarray as xr

    with dask.config.set(scheduler="threads", num_workers=args.workers):
        array = xr.DataArray(stack, dims=("time", "band", "y", "x")).chunk({"time": -1, "y": 256, "x": 256})
        theirs, xw, xc = clock(lambda: array.median(dim="time", skipna=True).values)
    gap = float(np.nanmax(np.abs(ours - theirs)))
    print("| median in memory | wall s | cpu s | M series/s |\n|---|---|---|---|")
    print(f"| xarray/dask | {xw:.2f} | {xc:.2f} | {n / xw / 1e6:.2f} |")
    print(f"| ours | {wall:.3f} | {cpu:.3f} | {n / wall / 1e6:.1f} |")
    print(f"\n{xw / wall:.1f} x by the clock, {xc / cpu:.1f} x by processor seconds; largest difference {gap:.1e}; {px} px\n")
    return stack


def run_series(args, stack: np.ndarray, times: np.ndarray, folder: Path) -> None:
    """Geometric median, Whittaker and harmonic against scipy per pixel, and compiled peers."""
    part = np.ascontiguousarray(stack[:, :, : args.series_side, : args.series_side])
    flat = part.reshape(len(part), part.shape[1], -1)
    rng = np.random.default_rng(1)
    few = rng.choice(flat.shape[2], args.sample, replace=False)
    sample = np.ascontiguousarray(flat[:, :, few])
    for kernel in (compose_geomedian, lambda v: smooth_whittaker(v, times, smoothness=10.0), lambda v: fit_harmonic(v, times)):
        kernel(sample[:, :, :40])
    print("| series | scipy per pixel, /s | ours, /s, one thread | ratio | largest difference |\n|---|---|---|---|---|")
    theirs, _, cpu = clock(lambda: np.stack([scipy_geomedian(sample[:, :, i]) for i in range(len(few))], axis=1))
    ours, _, own = clock(lambda: compose_geomedian(flat))
    report("geometric median", len(few) / cpu, flat.shape[2] / own, np.nanmax(np.abs(ours[:, few] - theirs)))
    bands = (difference_matrix(times),)
    series = sample.reshape(len(sample), -1)
    theirs, _, cpu = clock(lambda: np.stack([scipy_whittaker(y, bands, 10.0) for y in series.T], axis=1))
    (fitted, _), _, own = clock(lambda: smooth_whittaker(flat, times, smoothness=10.0))
    report("Whittaker, smoothness 10", series.shape[1] / cpu, flat[0].size / own,
           np.nanmax(np.abs(fitted[:, :, few].reshape(series.shape) - theirs)))  # fmt: skip
    _, _, curve = clock(lambda: smooth_whittaker(flat[:, :1], times))
    fit, _, own = clock(lambda: fit_harmonic(flat, times, tolerance=1e-9, max_iterations=100))
    design = harmonic_design(times, harmonics=2, has_trend=False)
    scale, coef = fit.scale[:, few].ravel(), fit.coefficients[:, :, few].reshape(design.shape[1], -1)
    good = np.flatnonzero(scale > 0)[: args.sample]
    theirs, _, cpu = clock(lambda: np.stack([scipy_harmonic(series[:, i], design, scale[i]) for i in good], axis=1))
    report("harmonic, Huber", len(good) / cpu, flat[0].size / own, np.max(np.abs(coef[:, good] - theirs)))
    print(f"\nWhittaker with the V-curve: {flat[0, :1].size / curve:.3g} series/s. Seconds are of the processor.\n")
    if args.peers:
        run_peers(args, part, flat, folder)


def report(name: str, theirs: float, ours: float, gap: float) -> None:
    """Print one row."""
    print(f"| {name} | {theirs:.3g} | {ours:.3g} | {ours / theirs:.0f} | {gap:.1e} |", flush=True)


def run_peers(args, part: np.ndarray, flat: np.ndarray, folder: Path) -> None:
    """Run the compiled peers in their own interpreter, and ours on the same array, one thread each."""
    at = folder / "part.npy"
    np.save(at, part)
    made = subprocess.run([args.peers, "-W", "ignore", "-c", PEER, str(at), str(folder)], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)  # fmt: skip
    if made.returncode:
        print(f"peers did not run: {made.stderr[-300:]}")
        return
    _, geo, _ = clock(lambda: compose_geomedian(flat))
    regular = np.arange(len(part)) * 15.0
    (fitted, _), whit, _ = clock(lambda: smooth_whittaker(flat, regular, smoothness=10.0))
    rate_whit = flat[0].size / whit
    ours = {"hdstats geomedian": flat.shape[2] / geo, "vam.whittaker": rate_whit, "whittaker-eilers": rate_whit}
    print("| compiled peer | theirs, /s | ours, /s | ratio |\n|---|---|---|---|")
    for name, rate in json.loads(made.stdout.splitlines()[-1]).items():
        said = f"{rate:.3g}" if isinstance(rate, float) else str(rate)
        print(f"| {name} | {said} | {ours[name]:.3g} | {ours[name] / rate if isinstance(rate, float) else float('nan'):.2f} |")
    for name, mine in (("hdstats", compose_geomedian(part)), ("vam", fitted.reshape(len(part), -1))):
        if (folder / f"{name}.npy").exists():
            other = np.load(folder / f"{name}.npy")
            gaps = np.abs(mine[..., : other.shape[-1]] - other)
            most = np.nanquantile(gaps, 0.999)
            print(f"\nlargest difference to {name}: {np.nanmax(gaps):.1e} (99.9 % of pixels within {most:.1e})")


def grow(side: int, folder: str, scenes: list[Scene], workers: int) -> None:
    """Peak memory of a process that writes a year's median, and a filled monthly cube, from COGs to a store."""
    for name, options in (("median of the year", CubeOptions(period="year")),
                          ("geomedian by month, whittaker", CubeOptions(period="month", composite="geomedian", fill="whittaker",
                                                                        filling={"smoothness": 10.0}))):  # fmt: skip
        cubes = load_cube(scenes, options=options)
        start, used = time.perf_counter(), time.process_time()
        with measure_peak() as meter:
            write_cube(cubes, Path(folder) / "cube.zarr", workers=workers, overwrite=True)
        wall, cpu = time.perf_counter() - start, time.process_time() - used
        print(f"| {name} | {side} | {meter.peak_bytes / 2**20:.0f} | {wall:.1f} | {cpu:.1f} |", flush=True)


def grow_all(args, at: Path) -> None:
    """Measure growth, each size in a process of its own that did not make the files."""
    print("| cube | side | peak MiB | wall s | cpu s |\n|---|---|---|---|---|")
    for side in (args.side // 2, args.side):
        folder = at / str(side)
        folder.mkdir()
        scenes = make_stack(folder, side, args.dates, args.bands)
        child = multiprocessing.get_context("spawn").Process(target=grow, args=(side, str(folder), scenes, args.workers))
        child.start()
        child.join()
        shutil.rmtree(folder)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--dates", type=int, default=24)
    parser.add_argument("--bands", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of decoding and ours in turn; the best counts")
    parser.add_argument("--memory-side", type=int, default=1024, help="side of what the median in memory is measured on")
    parser.add_argument("--series-side", type=int, default=256, help="side of what the series are measured on")
    parser.add_argument("--sample", type=int, default=150, help="pixels of the per-pixel scipy way")
    parser.add_argument("--peers", help="Python that has hdstats, vam.whittaker, whittaker-eilers")
    parser.add_argument("--only", choices=("composite",), help="leave out the series")
    parser.add_argument("--growth", action="store_true", help="measure peak memory at half the side and the side")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{args.side} x {args.side} x {args.dates} dates x {args.bands} bands, {args.workers} threads, load {load:.1f}\n")
    with tempfile.TemporaryDirectory() as at:
        if args.growth:
            grow_all(args, Path(at))
            return
        scenes = make_stack(Path(at), args.side, args.dates, args.bands)
        stack = run_composite(args, scenes)
        if args.only == "composite":
            return
        times = np.array([(s.time_start - datetime(1970, 1, 1)).total_seconds() / 86_400 for s in scenes])
        run_series(args, stack, times, Path(at))


if __name__ == "__main__":
    main()
