"""Landsat 8 and radar of one place: each alone, stacked before one classifier, and fused after one classifier each.

    python benchmarks/radar_fusion.py FOLDER [--repeats 20] [--trees 100]

FOLDER holds img_l8.tif, img_radar.tif and forestoolbox_endm_points.gpkg (60 points of 4 classes; no crs, the raster's is
stated). Random 5-fold and spatial blocks, repeated with other seeds; +- is the standard deviation over the repeats, not
an interval: 60 points in one scene tell such models apart by chance, too.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from landweave.cube import CubeOptions, load_cube
from landweave.imagery import SourceOptions, find_scenes
from landweave.models import ModelOptions, cross_validate
from landweave.samples import SampleOptions, SplitOptions, extract_samples, import_reference, split_random, split_spatial
from landweave.types import SampleTable

OPTICS = ("blue", "green", "red", "nir", "swir16", "swir22")
RADAR = ("radar1", "radar2", "radar3")
TEXTURE = {"bands": ["radar1", "radar2"], "measures": ["contrast", "homogeneity", "entropy"], "range": [-30, 10]}


def load(folder: Path) -> SampleTable:
    """Extract the points from filtered radar with texture, and from optics."""
    optics = find_scenes(SourceOptions(paths=str(folder / "img_l8.tif"), layers=OPTICS, static=True, kind="reflectance",
                                       scale=1e-5, nodata=100))  # fmt: skip
    radar = find_scenes(SourceOptions(paths=str(folder / "img_radar.tif"), layers=RADAR, static=True,
                                      kind={"radar1": "backscatter", "radar2": "backscatter", "radar3": "other"}))  # fmt: skip
    options = CubeOptions.model_validate({
        "radar": {"speckle": "gamma-map", "unit": "db"}, "texture": TEXTURE, "out_of_range": "nodata",
    })  # fmt: skip
    cubes = load_cube({"optics": optics, "radar": radar}, options=options)
    points = SampleOptions(reference=str(folder / "forestoolbox_endm_points.gpkg"), crs="EPSG:4326", class_column="class",
                           classes={str(k): f"class {k}" for k in range(1, 5)})  # fmt: skip
    return extract_samples(import_reference(points, geobox=cubes.geobox), cubes)


def only(samples: SampleTable, name: str) -> SampleTable:
    """Keep the features of one source."""
    (spec,) = [i for i in samples.inputs if i.name == name]
    frame = samples.frame.rename(columns={f"{name}.{b}": b for b in spec.bands})
    return replace(samples, frame=frame, inputs=(spec,))


def accuracy(samples: SampleTable, options: ModelOptions, split: str, repeats: int) -> tuple[float, float]:
    """Give the mean and standard deviation over the repeats of the overall accuracy."""
    truth, found = samples.to_class_index(), []
    for seed in range(repeats):
        if split == "random":
            folds = split_random(samples, SplitOptions(n_folds=5, seed=seed))
        else:
            folds = split_spatial(samples, SplitOptions(n_folds=5, seed=seed, block_size_m=1000, buffer_m=0))
        made = cross_validate(samples, folds[:1], options=options.model_copy(update={"seed": seed}))
        told = np.asarray(made.predicted[0])
        found.append(float((told[told >= 0] == truth[told >= 0]).mean()))
    return float(np.mean(found)), float(np.std(found))


def main() -> None:
    """Compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--trees", type=int, default=100)
    args = parser.parse_args()
    both = load(args.folder)
    forest = ModelOptions(name="random-forest", params={"n_estimators": args.trees})
    base = {"base_params": {"n_estimators": args.trees}}
    fused = ModelOptions(name="bayes-fusion", params=base)
    weighed = ModelOptions(name="bayes-fusion", params={**base, "reliability": "auto"})
    cases = {
        "Landsat 8 alone": (only(both, "optics"), forest), "radar and texture alone": (only(both, "radar"), forest),
        "stacked, one forest": (both, forest), "a forest each, fused": (both, fused), "fused, by reliability": (both, weighed),
    }  # fmt: skip
    print(f"{len(both)} points, {len(both.feature_names)} features")
    print("| features and model | random folds | spatial blocks |\n|---|---:|---:|")
    for name, (samples, options) in cases.items():
        cells = [accuracy(samples, options, split, args.repeats) for split in ("random", "spatial")]
        print(f"| {name} | " + " | ".join(f"{100 * m:.1f} +- {100 * s:.1f}" for m, s in cells) + " |")


if __name__ == "__main__":
    main()
