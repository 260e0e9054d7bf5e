"""Place as a cube of its own: longitude and latitude in a model's terms, and distances to vector features.

Receives the output grid; hands on a static cube that computes what is asked for when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.crs import CRS as ProjCRS  # noqa: N811 (two classes of one name)

from landweave.cube.backend import make_cube
from landweave.cube.derived_options import PlaceOptions
from landweave.errors import SourceError
from landweave.features.place import SINE_COSINE, NearestFeature, encode_harmonics, encode_sine_cosine
from landweave.grid import GeoBox, Window, crs_of
from landweave.io.vectors import read_vectors

__all__ = ["PLACE", "PlaceReader", "make_place"]

PLACE = "place"
"""Name of the cube."""

_DISTANCE = "distance_"


@lru_cache(maxsize=8)
def _nearest(path: str, stamp: tuple[int, int], centre: tuple[float, float]) -> NearestFeature:
    """Index a vector file once per process; `stamp` tells an edited file from the one that was read."""
    try:
        return NearestFeature(read_vectors(path), centre)
    except SourceError as err:
        raise SourceError(f"place: distances: {path}: {err}") from err


class PlaceReader:
    """Computes windows of the place cube."""

    def __init__(self, geobox: GeoBox, options: PlaceOptions) -> None:
        """Take the grid and what is asked for."""
        self.geobox, self.options = geobox, options

    @property
    def paths(self) -> tuple[str, ...]:
        """The vector files."""
        return tuple(str(p) for p in self.options.distances.values())

    def read(self, window: Window, steps: Sequence[int], bands: Sequence[int]) -> NDArray[np.float32]:
        """Compute (1, band, y, x)."""
        names = [self.options.bands[i] for i in bands]
        lon, lat = self._places(window)
        found: dict[str, NDArray[np.float32]] = {}
        if any(n in SINE_COSINE for n in names):
            found |= encode_sine_cosine(lon, lat)
        if any(n.startswith("sh") for n in names):
            found |= encode_harmonics(lon, lat, degree=self.options.degree)
        for name, path in self.options.distances.items():
            if _DISTANCE + name in names:
                found[_DISTANCE + name] = self._measure(path, lon, lat)
        return np.stack([found[n] for n in names])[None]

    def _places(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        cols, rows = np.meshgrid(np.arange(window.col, window.col_end) + 0.5, np.arange(window.row, window.row_end) + 0.5)
        x, y = self.geobox.affine @ (cols, rows)
        own = ProjCRS.from_wkt(crs_of(self.geobox).to_wkt())
        lon, lat = Transformer.from_crs(own, "EPSG:4326", always_xy=True).transform(x, y)
        return np.asarray(lon), np.asarray(lat)

    def _measure(self, path: Path, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float32]:
        whole = Window(self.geobox.shape[0] // 2, self.geobox.shape[1] // 2, 1, 1)
        middle = self._places(whole)
        if not path.is_file():
            raise SourceError(f"place: distances: {path} does not exist")
        about = path.stat()
        nearest = _nearest(str(path), (about.st_size, about.st_mtime_ns), (float(middle[0][0, 0]), float(middle[1][0, 0])))
        found = nearest.measure(lon, lat)
        limit = self.options.max_distance_m
        return found if limit is None else np.minimum(found, np.float32(limit))


def make_place(geobox: GeoBox, options: PlaceOptions) -> xr.DataArray:
    """Make the static cube `place` on a grid; nothing is computed until it is read.

    Raises:
        SourceError: If a vector file is missing.
    """
    for path in options.distances.values():
        if not path.is_file():
            raise SourceError(f"place: distances: {path} does not exist; give a vector file")
    kinds = ["other"] * len(options.bands)
    return make_cube(PlaceReader(geobox, options), geobox, options.bands, kinds, times=None, name=PLACE)  # type: ignore[arg-type]
