"""Blocks of cubes: what a model is given for one window of the output grid.

Receives a `CubeSet` and a `Window` of its output grid; hands on `Block`s, read now.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from landweave.errors import GridError
from landweave.grid import Window, geobox_of, is_nested, window_geobox
from landweave.types import Block, CubeSet

__all__ = ["read_blocks"]


def read_blocks(cubes: CubeSet, window: Window, *, halo_px: int = 0, names: Sequence[str] | None = None) -> dict[str, Block]:
    """Read a window of the output grid from every cube.

    Args:
        cubes: The cubes.
        window: Window of the output grid. On a coarser cube it becomes the smallest window that covers it.
        halo_px: Margin in pixels of the output grid; on a cube coarser by r it is ceil(halo_px / r).
        names: Cubes wanted; all by default.

    Returns:
        Name -> block; NaN outside the grid and where there is no valid observation.

    Raises:
        GridError: If a cube does not nest on the output grid.
        SourceError: If a file cannot be read; names it.
    """
    return {name: _read_block(cubes, name, window, halo_px) for name in (cubes.cubes if names is None else names)}


def _read_block(cubes: CubeSet, name: str, window: Window, halo_px: int) -> Block:
    cube = cubes[name]
    grid = geobox_of(cube)
    ratio = is_nested(grid, cubes.geobox)
    if ratio is None:
        raise GridError(f"cube {name!r} (pixel {grid.affine.a:g}) does not nest on the output grid (pixel "
                        f"{cubes.geobox.affine.a:g}); load both with load_cube in one call")  # fmt: skip
    inner = window.scale(ratio)
    halo = -(-halo_px // ratio)
    outer = inner.pad(halo)
    return Block(read_padded(cube, outer), inner, halo, window_geobox(grid, outer))


def read_padded(cube: xr.DataArray, window: Window) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Read a window of a cube that may reach past its edge; NaN there."""
    inside = window.clip((cube.sizes["y"], cube.sizes["x"]))
    rows, cols = inside.slices
    if inside == window:
        return np.asarray(cube.isel(y=rows, x=cols).values, dtype=np.float32)
    out = np.full((*cube.shape[:-2], window.height, window.width), np.nan, dtype=np.float32)
    if inside.height and inside.width:
        top, left = inside.row - window.row, inside.col - window.col
        out[..., top : top + inside.height, left : left + inside.width] = cube.isel(y=rows, x=cols).values
    return out
