"""Do the sets of a whole map hold the truth? For a simulated landscape, whose truth is known in every pixel.

    landweave simulate land/     # then, in land/recipe.yaml, model.conformal: true, model.calibration and map.conformal_error
    landweave run land/recipe.yaml --out out/
    python benchmarks/conformal_map.py --job out --land land --year 2023
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import rasterio

from landweave.cube import open_cube
from landweave.io.files import read_json
from landweave.maps import MapOptions, predict_map
from landweave.models import load_model


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--land", type=Path, required=True)
    parser.add_argument("--year", type=int, default=2023)
    args = parser.parse_args()
    model, cubes = load_model(args.job / "model"), open_cube(args.job / "cube.zarr")
    names = list(model.card.legend.names)
    with rasterio.open(args.land / f"truth_{args.year}.tif") as src:
        codes = src.read(1)
    truth = np.full(codes.shape, -1)
    for entry in read_json(args.land / "legend.json"):
        if entry["name"] in names:
            truth[codes == entry["code"]] = names.index(entry["name"])
    held = model.conformal.cover(0.1)
    print(f"held-out blocks: {held.n} rows, truth in the set {100 * held.coverage:.1f} %, {held.set_size:.2f} classes a set\n")
    print("| sets for 90 % | truth in the set, % of pixels | worst class, % | classes per set |")
    print("|---|---|---|---|")
    for shift in (False, True):
        options = MapOptions(proba=False, uncertainty=False, conformal_error=0.1, conformal_shift=shift)
        with tempfile.TemporaryDirectory() as folder:
            made = predict_map(model, cubes, folder, options=options)
            with rasterio.open(made.files["sets"]) as src:
                sets = src.read()
        known = (truth >= 0) & (sets[0] != 255)
        hit = np.take_along_axis(sets[1:], np.maximum(truth, 0)[None], axis=0)[0] == 1
        worst = min(hit[known & (truth == k)].mean() for k in np.unique(truth[known]))
        how = "weighted by the map's pixels" if shift else "class-conditional"
        print(f"| {how} | {100 * hit[known].mean():.1f} | {100 * worst:.1f} | {sets[0][known].mean():.2f} |", flush=True)


if __name__ == "__main__":
    main()
