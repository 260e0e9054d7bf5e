"""A coverage on disk: figures as JSON, pixels as GeoTIFF, and a picture.

Receives a `Coverage`; hands on the files, written by `io`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.cube.coverage import Coverage
from landweave.grid import Window
from landweave.io.files import write_json
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.io.png import paint, write_png

__all__ = ["draw_coverage", "write_coverage"]

# light = many clean dates; lightness falls steadily, so that it also reads in grey
_SHARE_RAMP = ("#2b1242", "#642454", "#a33a4a", "#d4663f", "#f0a050", "#fbd58b", "#fff7e0")
_GAP_RAMP = tuple(reversed(_SHARE_RAMP))
_MAP_PX, _BAR_PX, _SPACE_PX = 360, 80, 12
_USABLE, _OTHER, _PAPER = (34, 110, 110), (178, 190, 190), (255, 255, 255)


def write_coverage(coverage: Coverage, folder: Path | str) -> dict[str, Path]:
    """Write `coverage-<name>.json`, `.tif` (bands clean_share and gap_days, NaN nowhere) and `.png`.

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
             (("figures", "json"), ("pixels", "tif"), ("picture", "png"))}  # fmt: skip
    write_json(files["figures"], coverage.to_dict())
    rows, cols = coverage.share.shape
    spec = TiffSpec("float32", ("clean_share", "gap_days"), predictor=3)
    pixels = np.stack([coverage.share, coverage.gap_days])
    write_geotiff(files["pixels"], coverage.geobox, spec, [(Window(0, 0, rows, cols), pixels)])
    write_png(files["picture"], draw_coverage(coverage))
    return files


def draw_coverage(coverage: Coverage) -> NDArray[np.uint8]:
    """Draw the share of clean dates (left), the longest gap (right) and a bar per date below.

    Left: dark 0, light 1. Right: light 0 days, dark the longest gap of all. Bars: height is the share of clean pixels of a
    date, placed by day; dark ones are usable.

    Returns:
        (y, x, 3) red, green, blue.
    """
    longest = max(float(coverage.gap_days.max()), 1.0)
    left = paint(_fit(coverage.share), 0.0, 1.0, _SHARE_RAMP)[..., :3]
    right = paint(_fit(coverage.gap_days), 0.0, longest, _GAP_RAMP)[..., :3]
    height, width = left.shape[:2]
    out = np.empty((height + _BAR_PX + 3 * _SPACE_PX, 2 * width + 3 * _SPACE_PX, 3), dtype=np.uint8)
    out[:] = _PAPER
    out[_SPACE_PX : _SPACE_PX + height, _SPACE_PX : _SPACE_PX + width] = left
    out[_SPACE_PX : _SPACE_PX + height, 2 * _SPACE_PX + width : 2 * (_SPACE_PX + width)] = right
    days = np.array([d.date for d in coverage.dates], dtype="datetime64[D]").astype(np.int64)
    span, room = max(int(days[-1] - days[0]), 1), out.shape[1] - 2 * _SPACE_PX - 4
    base = out.shape[0] - _SPACE_PX
    out[base : base + 1, _SPACE_PX:-_SPACE_PX] = _OTHER
    for day, date in zip(days, coverage.dates, strict=True):
        x = _SPACE_PX + round(room * int(day - days[0]) / span)
        out[base - max(round(_BAR_PX * date.share), 1) : base, x : x + 4] = _USABLE if date.is_usable else _OTHER
    return out


def _fit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a raster to the picture's size by taking the nearest pixels."""
    rows, cols = values.shape
    scale = _MAP_PX / max(rows, cols)
    shape = max(round(rows * scale), 1), max(round(cols * scale), 1)
    row, col = (
        np.minimum((np.arange(n) + 0.5) * size / n, size - 1).astype(np.int64)
        for n, size in zip(shape, (rows, cols), strict=True)
    )
    return values[np.ix_(row, col)]
