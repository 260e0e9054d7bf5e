"""A model and the network distilled from it on one COG: seconds end to end, agreement, accuracy.

    python benchmarks/distill.py [--side 4096] [--teacher model-boosted] [--hidden 48,32] [--pixels 300000] [--workers 2]

Makes what benchmarks/map.py makes (a scene of ten bands whose truth is known, a forest `model`, boosted trees `model-boosted`).
Reading the ten bands alone, from the same blocks, is the least that any map takes. Class map only, overviews included.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import map as bench
from otb import read_truth

from landweave.cube import read_blocks
from landweave.grid import split_blocks
from landweave.models import DistillOptions, distil_model, load_pixel_model, save_model


def read_only(folder: Path, workers: int) -> float:
    """Read every block and do nothing with it."""
    cubes = bench.load(folder / "scene.tif")
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda w: read_blocks(cubes, w), split_blocks(cubes.geobox.shape, 1024)):
            pass
    return time.perf_counter() - start


def main() -> None:
    """Distil, map with both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 4096), ("samples", 4000), ("trees", 100), ("seed", 0), ("pixels", 300_000), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--teacher", choices=["model", "model-boosted"], default="model-boosted")
    parser.add_argument("--hidden", default="48,32")
    parser.add_argument("--folder", default="/tmp/landweave-bench-map")
    args = parser.parse_args()
    folder = Path(args.folder)
    bench.prepare(folder, args)
    options = DistillOptions(hidden=tuple(map(int, args.hidden.split(","))), n_pixels=args.pixels)
    start = time.perf_counter()
    made = distil_model(load_pixel_model(folder / args.teacher), bench.load(folder / "scene.tif"), options=options)
    print(f"distilled in {time.perf_counter() - start:.0f} s; agreement on {made.n_held_out_blocks} held-out blocks "
          f"{made.agreement:.4f} ({made.lower:.4f} to {made.upper:.4f}); by class "
          + ", ".join(f"{c.name} {c.agreement:.3f}" for c in made.classes))  # fmt: skip
    save_model(made.model, folder / "model-distilled")
    truth, mpx = read_truth(args) + 1, args.side**2 / 1e6
    seconds = {"reading alone": read_only(folder, args.workers)}
    codes = {}
    for name in (args.teacher, "model-distilled"):
        seconds[name], codes[name] = bench.run_ours(folder, args.workers, full=False, memory="2GiB", model=name)
    for name, s in seconds.items():
        accuracy = f"accuracy {(codes[name] == truth).mean():.4f}" if name in codes else ""
        print(f"{name:16s} {s:7.1f} s {mpx / s:6.2f} Mpx/s {s / seconds['reading alone']:5.2f} x reading alone  {accuracy}")
    same = float((codes[args.teacher] == codes["model-distilled"]).mean())
    print(f"the two maps agree in {same:.4f} of the pixels; the distilled one is "
          f"{seconds[args.teacher] / seconds['model-distilled']:.1f} x as fast")  # fmt: skip
    print(json.dumps({**seconds, "agree": same, "held_out_agreement": made.agreement, **vars(args)}))


if __name__ == "__main__":
    main()
