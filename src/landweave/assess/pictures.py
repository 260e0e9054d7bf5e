"""Pictures of rasters for the report: a map or its uncertainty as a small palette PNG, with what its frame needs.

Receives files of a `MapProduct`; hands on PNG bytes and the figures for scale bar and north arrow. Reads through overviews,
never the whole raster.
"""

from __future__ import annotations

import math
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from landweave.errors import SourceError
from landweave.grid import GeoBox, crs_of, metres_per_pixel
from landweave.legend import Legend
from landweave.types import MapProduct

__all__ = ["MAX_BYTES", "RasterPicture", "draw_layer", "draw_map", "draw_uncertainty", "encode_png", "nice_length", "ramp_css"]

MAX_BYTES = 550_000
"""Upper size of one PNG, so that a report with two of them stays under 2 MB as base64."""

_SIDES = (960, 720, 540, 400, 280, 200)
_NODATA, _UNSURE = "#00000000", "#b8b8b8"
# light = sure, dark = unsure; lightness falls steadily, so that it also reads in grey
_RAMP = ("#fff7e0", "#fbd58b", "#f0a050", "#d4663f", "#a33a4a", "#642454", "#2b1242")
_LEVELS = 32
_Paint = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.uint8]]


@dataclass(frozen=True)
class RasterPicture:
    """A picture of a raster and what its frame needs.

    Attributes:
        uri: `data:` URI of a PNG.
        aspect: Ground width over ground height.
        bar_share: Length of the scale bar as a share of the picture's width.
        bar_label: What it measures ("5 km").
        north_deg: Direction of true north, degrees clockwise from up.
        corner: Where it is: "13.41 E, 45.02 N".
        is_coarse: True where a picture pixel stands for several map pixels.
    """

    uri: str
    aspect: float
    bar_share: float
    bar_label: str
    north_deg: float
    corner: str
    is_coarse: bool


def encode_png(index: NDArray[np.uint8], palette: list[str]) -> bytes:
    """Write an array of palette indices as a PNG.

    Args:
        index: (y, x), values below `len(palette)`.
        palette: "#rrggbb" or "#rrggbbaa", at most 256.
    """
    rgba = [bytes.fromhex((c[1:] + "ff")[:8]) for c in palette]
    rows = np.zeros((index.shape[0], index.shape[1] + 1), dtype=np.uint8)  # a leading 0 per row: no filter
    rows[:, 1:] = index
    header = struct.pack(">IIBBBBB", index.shape[1], index.shape[0], 8, 3, 0, 0, 0)  # 8 bit, palette
    chunks = [(b"IHDR", header), (b"PLTE", b"".join(c[:3] for c in rgba)), (b"tRNS", bytes(c[3] for c in rgba)),
              (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]  # fmt: skip
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def draw_map(product: MapProduct, *, max_bytes: int = MAX_BYTES) -> RasterPicture:
    """Draw a map in the colours of its legend; nodata is transparent, "unsure" grey.

    Args:
        product: The map.
        max_bytes: Size of the PNG that is aimed at; it is drawn coarser where needed, down to a longer side of 200 pixels.

    Raises:
        SourceError: If the map cannot be read.
    """
    legend = product.legend
    palette = [c.color for c in legend] + [_UNSURE, _NODATA]

    def paint(codes: NDArray[Any], _valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        return _index_of(codes, legend)

    return _draw(product.files["map"], product.geobox, palette, paint, max_bytes)


def _index_of(codes: NDArray[Any], legend: Legend) -> NDArray[np.uint8]:
    index = legend.to_index(codes).astype(np.int64)
    index[index < 0] = len(legend) + 1
    index[codes == legend.unsure] = len(legend)
    return index.astype(np.uint8)


def draw_uncertainty(product: MapProduct) -> RasterPicture:
    """Draw the first layer of the map's uncertainty (entropy, 0..1 after its scale) from light (sure) to dark (unsure).

    Raises:
        SourceError: If it cannot be read.
    """
    palette = [*_ramp(_LEVELS), _NODATA]
    path = product.files["uncertainty"]
    with _opened(path) as src:
        scale, offset = float(src.scales[0]), float(src.offsets[0])

    def paint(stored: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        share = np.clip(stored.astype(np.float64) * scale + offset, 0.0, 1.0)
        level = np.minimum(np.nan_to_num(share) * _LEVELS, _LEVELS - 1).astype(np.uint8)
        level[~valid] = _LEVELS
        return level

    return _draw(path, product.geobox, palette, paint, MAX_BYTES)


def draw_layer(path: Path, band: int, span: tuple[float, float], *, max_bytes: int = MAX_BYTES) -> RasterPicture:
    """Draw a band of numbers from light (first value of the span) to dark (second); NaN is transparent.

    Args:
        path: A raster with its crs.
        band: From 1.
        span: Values at the light and at the dark end; either may be the larger.
        max_bytes: Size of the PNG that is aimed at.

    Raises:
        SourceError: If it cannot be read.
    """
    light, dark = span
    with _opened(path) as src:
        geobox = GeoBox.from_rio(src)

    def paint(stored: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        known = valid & np.isfinite(stored)
        share = np.clip((np.where(known, stored, light).astype(np.float64) - light) / (dark - light), 0.0, 1.0)
        level = np.minimum(share * _LEVELS, _LEVELS - 1).astype(np.uint8)
        level[~known] = _LEVELS
        return level

    return _draw(path, geobox, [*_ramp(_LEVELS), _NODATA], paint, max_bytes, band)


def ramp_css() -> str:
    """Give the uncertainty ramp as the stops of a CSS gradient."""
    return ", ".join(_RAMP)


def _ramp(levels: int) -> list[str]:
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in _RAMP], dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, levels)
    rgb = np.column_stack([np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3)])
    return ["#" + "".join(f"{round(v):02x}" for v in row) for row in rgb]


def _opened(path: Path) -> rasterio.DatasetReader:
    try:
        return rasterio.open(path)
    except RasterioError as err:
        raise SourceError(f"cannot read {path} for the report: {err}; make the map anew with landweave predict") from err


def _draw(path: Path, geobox: GeoBox, palette: list[str], paint: _Paint, max_bytes: int, band: int = 1) -> RasterPicture:
    png = b""
    rows, cols = geobox.shape
    factor = 1.0
    for side in _SIDES:
        factor = max(1.0, max(rows, cols) / side)
        shape = (max(1, round(rows / factor)), max(1, round(cols / factor)))
        with _opened(path) as src:
            # a decimated nearest read goes through the overviews
            stored = src.read(band, out_shape=shape, resampling=Resampling.nearest)
            valid = src.read_masks(band, out_shape=shape, resampling=Resampling.nearest) > 0
        png = encode_png(paint(stored, valid), palette)
        if len(png) <= max_bytes:
            break
    return _frame(geobox, "data:image/png;base64," + b64encode(png).decode("ascii"), is_coarse=factor > 1.0)


def _frame(geobox: GeoBox, uri: str, *, is_coarse: bool) -> RasterPicture:
    rows, cols = geobox.shape
    mx, my = metres_per_pixel(geobox)
    width_m = cols * mx
    length = nice_length(width_m / 4)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    lon, lat, north = _centre(geobox, mx, my)
    corner = f"{abs(lon):.2f}\u00b0\u202f{'E' if lon >= 0 else 'W'}, {abs(lat):.2f}\u00b0\u202f{'N' if lat >= 0 else 'S'}"
    return RasterPicture(uri, width_m / (rows * my), length / width_m, label, north, corner, is_coarse)


def nice_length(about_m: float) -> float:
    """Give the largest of 1, 2, 5 times a power of ten that is not longer than `about_m`."""
    power = 10.0 ** math.floor(math.log10(about_m))
    return max(k * power for k in (1, 2, 5) if k * power <= about_m * (1 + 1e-9))


def _centre(geobox: GeoBox, mx: float, my: float) -> tuple[float, float, float]:
    """Longitude and latitude of the centre, and the direction of north there in degrees clockwise from the picture's up."""
    rows, cols = geobox.shape
    crs = crs_of(geobox).proj
    x, y = geobox.affine @ (cols / 2, rows / 2)
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = to_lonlat.transform(x, y)
    step = 1e-4 if lat < 89.9 else -1e-4
    x2, y2 = to_lonlat.transform(lon, lat + step, direction="INVERSE")
    col, row = ~geobox.affine @ (x2, y2)
    turn = math.degrees(math.atan2((col - cols / 2) * mx * np.sign(step), -(row - rows / 2) * my * np.sign(step)))
    return float(lon), float(lat), round(turn, 1) + 0.0
