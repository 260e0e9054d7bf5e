"""Pixels against objects: the same forest with and without the measures of segments, on a simulated landscape.

    python benchmarks/objects.py [--side 500] [--seeds 3] [--folder DIR]

For each seed a landscape is simulated with its truth (two Sentinel-2 dates with clouds), a forest is trained on its training
polygons from the pixels' bands, and again with `cube: segments` beside them. Printed: the share of the mapped pixels that have
their true class, by map, and processor seconds of mapping.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import rasterio

import landweave
from landweave.cube import CubeOptions
from landweave.imagery import SourceOptions
from landweave.maps import MapOptions, predict_map
from landweave.models import ModelOptions
from landweave.samples import SampleOptions
from landweave.simulate import SimulateOptions

SEGMENTS = {"size_px": 40, "by": ["red", "nir", "swir16"], "statistics": ["mean", "std", "p10", "p90"],
            "shapes": ["area_px", "compactness", "elongation"]}  # fmt: skip
WAYS = {
    "pixels": {},
    "pixels and slic": {"segments": SEGMENTS},
    "pixels and watershed": {"segments": {**SEGMENTS, "method": "watershed", "size_px": 20}},
    "pixels and felzenszwalb": {"segments": {**SEGMENTS, "method": "felzenszwalb", "size_px": 20}},
}


def measure(folder: Path, side: int, seed: int) -> dict[str, tuple[float, float]]:
    """Give way -> (share of right pixels, cpu seconds of mapping)."""
    options = SimulateOptions(rows=side, cols=side, n_dates=2, sensors=("sentinel-2-l2a",), seed=seed)
    land = landweave.simulate_landscape(folder, options=options)
    scenes = landweave.find_scenes(SourceOptions(
        paths=str(folder / "s2"), sensor="sentinel-2-l2a", pattern="{date:%Y%m%d}.tif", mask_band="scl", mask_clear=(4, 5, 6),
    ))  # fmt: skip
    with rasterio.open(sorted(folder.glob("truth_*.tif"))[0]) as src:
        truth = src.read(1)
    found = {}
    for name, more in WAYS.items():
        cubes = landweave.load_cube(scenes, options=CubeOptions.model_validate(more))
        places = SampleOptions(reference=str(folder / "training.gpkg"), class_column="class", max_per_polygon=20)
        table = landweave.import_reference(places, legend=land.legend, geobox=cubes.geobox)
        samples = landweave.extract_samples(table, cubes)
        model = landweave.train_model(samples, options=ModelOptions(name="random-forest", seed=1))
        before = time.process_time()
        made = predict_map(model, cubes, folder / name.replace(" ", "-"), options=MapOptions(proba=False, uncertainty=False),
                           memory="4GiB")  # fmt: skip
        cpu = time.process_time() - before
        with rasterio.open(made.files["map"]) as src:
            codes = src.read(1)
        valid = codes != made.legend.nodata
        found[name] = (float((codes == truth)[valid].mean()), cpu)
    return found


def main() -> None:
    """Print a row per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/landweave-bench-objects"))
    args = parser.parse_args()
    runs = [measure(args.folder / f"{args.side}-{seed}-{time.time_ns()}", args.side, seed) for seed in range(args.seeds)]
    for name in WAYS:
        right, cpu = np.array([run[name] for run in runs]).T
        print(f"{name:24s} right {', '.join(f'{100 * r:.1f}' for r in right)} %, mean {100 * right.mean():.1f} %; "
              f"{cpu.mean():.1f} s cpu")  # fmt: skip


if __name__ == "__main__":
    main()
