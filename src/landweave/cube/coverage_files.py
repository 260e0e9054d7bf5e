"""A coverage on disk: figures as JSON, pixels as GeoTIFF, and a picture.

Receives a `Coverage`; hands on the files, written by `io`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landweave.cube.coverage import Coverage
from landweave.cube.coverage_picture import draw_coverage
from landweave.grid import Window
from landweave.io.files import write_json, write_text
from landweave.io.geotiff import TiffSpec, write_geotiff

__all__ = ["write_coverage"]


def write_coverage(coverage: Coverage, folder: Path | str) -> dict[str, Path]:
    """Write `coverage-<name>.json`, `.tif` (bands clean_share and gap_days, NaN nowhere) and `.svg`.

    Args:
        coverage: What to write.
        folder: Made where it is missing.

    Returns:
        Kind -> file.

    Raises:
        DiskFullError: If the disk fills.
    """
    stem = Path(folder) / f"coverage-{coverage.name}"
    files = {kind: stem.with_name(f"{stem.name}.{suffix}") for kind, suffix in
             (("figures", "json"), ("pixels", "tif"), ("picture", "svg"))}  # fmt: skip
    write_json(files["figures"], coverage.to_dict())
    rows, cols = coverage.share.shape
    spec = TiffSpec("float32", ("clean_share", "gap_days"), predictor=3)
    pixels = np.stack([coverage.share, coverage.gap_days])
    write_geotiff(files["pixels"], coverage.geobox, spec, [(Window(0, 0, rows, cols), pixels)])
    write_text(files["picture"], draw_coverage(coverage))
    return files
