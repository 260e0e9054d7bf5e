"""A cube as a plain xarray object: an own backend array that reads windows when it is indexed, without dask.

Receives something that reads windows; hands on a DataArray. Pickling it pickles the plan, never pixels or open files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from landweave.grid import GeoBox, Window, to_coords
from landweave.types import BandKind

__all__ = ["LazyCube", "WindowReader", "find_reader", "make_cube"]


class WindowReader(Protocol):
    """Reads float32 (time, band, y, x) of a window inside the grid, at positions of steps and bands."""

    def read(self, window: Window, steps: Sequence[int], bands: Sequence[int]) -> NDArray[np.float32]:
        """Read a window."""
        ...


class LazyCube(BackendArray):
    """Turns xarray's indexing into windows: what is read is the smallest window that holds the rows and columns asked for."""

    def __init__(self, reader: WindowReader, shape: tuple[int, ...]) -> None:
        """Take (time, band, y, x), or (band, y, x) for a static cube."""
        self.reader = reader
        self.shape = shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        static = len(self.shape) == 3
        keys = (0, *key) if static else key
        sizes = (1, *self.shape) if static else self.shape
        picks = [np.atleast_1d(np.arange(n)[k]) for k, n in zip(keys, sizes, strict=True)]
        steps, bands, rows, cols = picks
        if any(p.size == 0 for p in picks):
            out = np.empty(tuple(p.size for p in picks), dtype=np.float32)
        else:
            window = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
            out = self.reader.read(window, steps.tolist(), bands.tolist())
            if (rows.size, cols.size) != out.shape[2:] or (np.diff(rows) != 1).any() or (np.diff(cols) != 1).any():
                out = out[:, :, rows - window.row][:, :, :, cols - window.col]
        drop = tuple(i for i, k in enumerate(keys) if isinstance(k, int | np.integer))
        return out.squeeze(axis=drop) if drop else out


def make_cube(
    reader: WindowReader, geobox: GeoBox, bands: Sequence[str], kinds: Sequence[BandKind], *,
    times: tuple[NDArray[Any], NDArray[Any]] | None, name: str,
) -> xr.DataArray:  # fmt: skip
    """Wrap a reader into a DataArray on `geobox`.

    Args:
        reader: Reads windows.
        geobox: Grid, north-up.
        bands: Common names.
        kinds: Kind of each band.
        times: Start and end of each step (datetime64, end exclusive), or None for a static cube.
        name: Name of the cube.
    """
    coords: dict[str, Any] = {"band": ("band", np.array(bands, dtype=str)), "kind": ("band", np.array(kinds, dtype=str))}
    dims: tuple[str, ...] = ("band", "y", "x")
    shape: tuple[int, ...] = (len(bands), *geobox.shape)
    if times is not None:
        start, end = (t.astype("datetime64[s]") for t in times)
        named = {"time": start + (end - start) // 2, "time_start": start, "time_end": end}
        coords |= {k: ("time", v.astype("datetime64[ns]")) for k, v in named.items()}
        dims, shape = ("time", *dims), (len(start), *shape)
    coords |= to_coords(geobox)
    data = indexing.LazilyIndexedArray(LazyCube(reader, shape))
    variable = xr.Variable(dims, data, encoding={"grid_mapping": "spatial_ref"})
    return xr.DataArray(variable, coords=coords, name=name)


def find_reader(cube: xr.DataArray) -> WindowReader | None:
    """Give what reads a lazy cube's windows, or None where its pixels are in memory.

    A cube from scenes has a reader with a `plan` (see `cube.plan`), a stored one a reader with a `path`.
    """
    data: Any = cube.variable._data  # xarray has no public way to the array behind its wrappers
    while hasattr(data, "array"):
        data = data.array
    reader: WindowReader | None = getattr(data, "reader", None)
    return reader
