"""The Spain flood chip: speckle filters on water, water from optics, sharpened bands, optics beside radar.

    python benchmarks/detail.py FOLDER

FOLDER holds S1, S2 and Labels of the Sen1Floods11 chip Spain_7370579, all on one grid of 10 m pixels. ENL is the median of mean
squared over variance in 7 x 7 windows inside labelled water, six pixels from its rim; the step is the difference of the mean
backscatter of the labelled pixels on either side of the shore. The best threshold is chosen on the label itself: it compares
filters, and is no accuracy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import rasterio
from scipy.ndimage import binary_dilation, binary_erosion

from landweave.features.indices import compute_index
from landweave.features.radar import to_db, to_linear
from landweave.features.registration import agree, shift_by_blocks
from landweave.features.sharpening import average, interpolate, sharpen_bands
from landweave.features.sharpening_quality import judge_reduced
from landweave.features.speckle import estimate_enl, filter_speckle
from landweave.features.speckle_kernels import local_moments

LOOKS = 4.4


def read(folder: Path, pattern: str) -> np.ndarray:
    (path,) = folder.rglob(pattern)
    with rasterio.open(path) as src:
        return src.read()


def iou(found: np.ndarray, label: np.ndarray) -> float:
    known = label >= 0
    return float((found & (label == 1)).sum() / ((found | (label == 1)) & known).sum())


def speckle(power: np.ndarray, label: np.ndarray) -> None:
    """Print what each filter does to the water, to the shore, and to a threshold."""
    water = binary_erosion(label == 1, iterations=6)
    wet, dry = (label == 1) & binary_dilation(label == 0), (label == 0) & binary_dilation(label == 1)
    print("| band, filter | ENL on water | mean on water | step at the shore, dB | IoU of the best threshold |")
    print("|---|---:|---:|---:|---:|")
    for i, band in enumerate(("vv", "vh")):
        for method in (None, "lee", "refined-lee", "gamma-map"):
            made = power[i] if method is None else filter_speckle(power[i], method=method, enl=LOOKS)
            mean, variance = local_moments(np.where(water, made, np.nan).astype(np.float32), 3, 40)
            known = ~np.isnan(mean)
            db = to_db(made)
            best = max(iou((db < t) & (label >= 0), label) for t in np.arange(-26, -8, 0.25))
            step = np.nanmean(db[dry]) - np.nanmean(db[wet])
            looks = np.median(mean[known].astype(np.float64) ** 2 / variance[known])
            print(f"| {band}, {method or 'unfiltered'} | {looks:.1f} | {made[water].mean():.4f} | {step:.2f} | {best:.3f} |")


def sharpening(s2: np.ndarray) -> None:
    """Print how near sharpened bands come to the truth: 10 m bands averaged to 20 m and sharpened by the others."""
    print("\n| band | guides | regression | guided | cubic | nearest |\n|---|---|---:|---:|---:|---:|")
    names = {1: "blue", 2: "green", 3: "red", 7: "nir"}
    for band, guides in ((3, [1, 2, 7]), (2, [1, 3, 7]), (7, [1, 2, 3])):
        truth, low = s2[band : band + 1], average(s2[band : band + 1], 2)
        made = [sharpen_bands(low, s2[guides], ratio=2, method=m) for m in ("regression", "guided")]
        made += [interpolate(low, 2), low.repeat(2, axis=1).repeat(2, axis=2)]
        cells = " | ".join(f"{np.sqrt(np.nanmean((m - truth) ** 2)):.4f}" for m in made)
        print(f"| {names[band]} | {', '.join(names[g] for g in guides)} | {cells} |")
    ms, pan = average(s2[[1, 2, 3, 7]], 2), s2[[1, 2, 3]].mean(axis=0)
    print("\n| pansharpening | ERGAS | SAM, degrees | UIQI |\n|---|---:|---:|---:|")
    for method in (None, "brovey", "gsa", "mtf-glp"):
        s = judge_reduced(ms, pan, method=method, ratio=2)
        print(f"| {method or 'interpolation'} | {s.ergas:.2f} | {s.sam_deg:.2f} | {s.uiqi:.3f} |")


def shifts(s2: np.ndarray, db: np.ndarray) -> None:
    """Print known shifts and what is found, optics beside optics and beside radar."""
    print("\n| pair | moved by rows, columns | found |\n|---|---|---|")
    for rows, cols in ((0, 0), (2, -3)):
        for name, other, options in (
            ("red, nir", s2[7], {}), ("nir, vv on gradients", db[0], {"block_px": 256, "gradients": True}),
        ):  # fmt: skip
            base = s2[3] if name.startswith("red") else s2[7]
            found = agree(shift_by_blocks(base, np.roll(other, (rows, cols), axis=(0, 1)), **options),
                          within_px=1.0 if options else 0.5)  # fmt: skip
            print(f"| {name} | {rows}, {cols} | {found.describe()} |")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    db, label = read(folder, "*S1Hand.tif"), read(folder, "*LabelHand.tif")[0]
    s2 = read(folder, "*S2Hand.tif").astype(np.float32) / 1e4
    power = to_linear(db)
    print(f"Estimated looks: vv {estimate_enl(power[0]):.2f}, vh {estimate_enl(power[1]):.2f}\n")
    speckle(power, label)
    bands = {"green": s2[2], "nir": s2[7], "swir16": s2[11]}
    print()
    for name, threshold in (("mndwi", 0.2), ("mndwi", 0.0), ("ndwi", 0.0)):
        print(f"{name} > {threshold}: IoU {iou((compute_index(name, bands) > threshold) & (label >= 0), label):.3f}")
    sharpening(s2)
    shifts(s2, db)


if __name__ == "__main__":
    main()
