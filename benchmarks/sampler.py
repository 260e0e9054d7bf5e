"""Chips per second: the sampler against a plain rasterio loop (open, read window, close) on the same COGs and places.

    python benchmarks/sampler.py [--side 768] [--dates 8] [--chips 256]

Simulates a landscape, draws the chips of an epoch with the sampler, and reads them three ways: the loop (every file of every
chip opened, all bands of the window read, made float, clouds masked, closed), the sampler with an empty cache, and the sampler
in its second epoch. Then once more with a cache that holds a quarter of the blocks. One thread each; prints ratios.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window as RioWindow

from landweave.cube import load_cube, make_inputs
from landweave.models.deep.labels import labels_from_raster
from landweave.models.deep.sampler import ChipPlace, ChipSampler, ChipSource
from landweave.models.deep.sampler_options import SamplerOptions
from landweave.recipe import read_recipe
from landweave.recipe.run import find_all_scenes
from landweave.simulate import SimulateOptions, simulate_landscape

CLEAR = (4, 5, 6)


def read_naively(folder: Path, place: ChipPlace, size: int) -> list[np.ndarray]:
    """Read one chip of every date and sensor the plain way, where it lies inside the raster (boundless reads are slow)."""
    top, left = max(place.row, 0), max(place.col, 0)
    window, made = RioWindow(left, top, place.col + size - left, place.row + size - top), []
    for path in sorted((folder / "s2").glob("*.tif")):
        with rasterio.open(path) as src:
            stored = src.read(window=window)
            values = stored[:-1].astype(np.float32) * 1e-4
            values[:, ~np.isin(stored[-1], CLEAR)] = np.nan
            made.append(values)
    for path in [*sorted((folder / "s1").glob("*.tif")), folder / "dem.tif"]:
        with rasterio.open(path) as src:
            made.append(src.read(window=window).astype(np.float32))
    return made


def time_epoch(sampler: ChipSampler, epoch: int) -> float:
    start = time.perf_counter()
    for _ in sampler.epoch(epoch):
        pass
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=768)
    parser.add_argument("--dates", type=int, default=8)
    parser.add_argument("--chips", type=int, default=256)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        options = SimulateOptions(rows=args.side, cols=args.side, n_dates=args.dates)
        land = simulate_landscape(Path(temporary) / "land", options=options)
        recipe = read_recipe(land.files["recipe"])
        cubes = load_cube(find_all_scenes(recipe), options=recipe.cube)
        labels = labels_from_raster(str(land.files["truth"]), cubes.geobox, legend=land.legend)
        inputs, sources = make_inputs(cubes), [ChipSource(cubes, labels)]
        n_files = sum(len(paths) for paths in land.scenes.values())
        print(f"{args.side} x {args.side} px, {n_files} COGs, {args.chips} chips of 64 px\n")
        print("| way | seconds | chips per second | against the loop |\n|---|---|---|---|")
        sampler = ChipSampler(sources, inputs, options=SamplerOptions(chips_per_epoch=args.chips, cache_mb=4096))
        start = time.perf_counter()
        for place in sampler.plan(0):
            read_naively(land.folder, place, 64)
        plain = time.perf_counter() - start
        rows = [("rasterio loop", plain), ("sampler, empty cache", time_epoch(sampler, 0)),
                ("sampler, next epoch", time_epoch(sampler, 1))]  # fmt: skip
        quarter = max(1, sampler.cache.nbytes // 4 >> 20)
        small = ChipSampler(sources, inputs, options=SamplerOptions(chips_per_epoch=args.chips, cache_mb=quarter, block_px=128))
        rows += [(f"sampler, cache of {quarter} MB (a quarter), epoch {e + 1}", time_epoch(small, e)) for e in range(2)]
        for name, seconds in rows:
            print(f"| {name} | {seconds:.2f} | {args.chips / seconds:.0f} | {plain / seconds:.1f} x |")


if __name__ == "__main__":
    main()
