"""Turn the Slovenian series of eo-learn (arrays) into files and a recipe, so that commands can read it.

    python benchmarks/slovenia.py --data DIR/sentinel2-slovenia --out out/slovenia
    landweave coverage out/slovenia/recipe.yaml --area-px 26

Writes NDVI and the cloud mask CLM as stacks of one layer per date, a table that says which layer is which date, and the recipe.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

RECIPE = """\
name: slovenia
imagery:
  s2:
    table: table.csv
    mask: {from: clm, clear: [0]}
    kind: {ndvi: index}
cube: {out_of_range: nodata, period: month, fill: linear}
samples:
  reference: REFERENCE
  class_column: LULC_NAME
"""


def make_series(data: Path, out: Path) -> Path:
    """Write the files; give the recipe."""
    out.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "crs": "EPSG:32633", "compress": "deflate"}
    box = np.array(json.loads((data / "bbox.geojson").read_text())["coordinates"][0])
    days = [str(t) for t in json.loads((data / "timestamps.json").read_text())]
    rows = ["path,band,layer,time_start"]
    for name, dtype in (("NDVI", "float32"), ("CLM", "uint8")):
        values = np.load(data / f"{name}.npy")[..., 0].astype(dtype)
        (left, low), (right, top) = box.min(axis=0), box.max(axis=0)
        pixel = Affine((right - left) / values.shape[2], 0, left, 0, (low - top) / values.shape[1], top)
        count, height, width = values.shape
        with rasterio.open(out / f"{name.lower()}.tif", "w", count=count, height=height, width=width, dtype=dtype,
                           transform=pixel, **profile) as dst:  # fmt: skip
            dst.write(values)
        rows += [f"{name.lower()}.tif,{name.lower()},{i},{day}" for i, day in enumerate(days, start=1)]
    (out / "table.csv").write_text("\n".join(rows) + "\n")
    (out / "recipe.yaml").write_text(RECIPE.replace("REFERENCE", str((data / "vector_timeless" / "LULC.gpkg").resolve())))
    return out / "recipe.yaml"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with NDVI.npy, CLM.npy, bbox.geojson, timestamps.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and the recipe")
    args = parser.parse_args()
    print(make_series(args.data, args.out))
