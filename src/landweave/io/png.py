"""Small PNG pictures from arrays, without a drawing library.

Receives arrays of colours; hands on bytes or a file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.io.files import atomic_path

__all__ = ["encode_png", "paint", "write_png"]


def encode_png(colors: NDArray[np.uint8]) -> bytes:
    """Encode a picture (PNG specification, third edition, clauses 5 and 11).

    Args:
        colors: (y, x, 3) red, green, blue, or (y, x, 4) with opacity.

    Raises:
        ValueError: If the shape or dtype is another.
    """
    if colors.ndim != 3 or colors.shape[2] not in (3, 4) or colors.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 of shape (y, x, 3) or (y, x, 4), got {colors.dtype} of {colors.shape}")
    height, width, depth = colors.shape
    rows = np.zeros((height, 1 + width * depth), dtype=np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = colors.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if depth == 3 else 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write_png(path: Path | str, colors: NDArray[np.uint8]) -> Path:
    """Write a picture; see `encode_png`.

    Raises:
        ValueError: If the shape or dtype is no picture's.
        DiskFullError: If the disk fills.
    """
    data = encode_png(colors)
    with atomic_path(path) as part:
        part.write_bytes(data)
    return Path(path)


def paint(values: NDArray[np.floating], low: float, high: float, ramp: Sequence[str]) -> NDArray[np.uint8]:
    """Give values the colours of a ramp.

    Args:
        values: (y, x); NaN becomes transparent.
        low: Value of the ramp's first colour; below it the same.
        high: Value of its last colour.
        ramp: Colours as '#rrggbb', between which is interpolated.

    Returns:
        (y, x, 4) red, green, blue, opacity.
    """
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in ramp], dtype=np.float64)
    known = ~np.isnan(values)
    place = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1) * (len(stops) - 1)
    channels = [np.interp(place, np.arange(len(stops)), stops[:, k]) for k in range(3)]
    return np.stack([*channels, np.where(known, 255.0, 0.0)], axis=-1).round().astype(np.uint8)
