"""Where a pixel is on Earth, as numbers a model can use: sines and cosines, spherical harmonics, distance to vector features.

Receives longitudes and latitudes in degrees; hands on one array per band.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from pyproj.crs import CRS

from landweave.errors import SourceError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["SINE_COSINE", "NearestFeature", "encode_harmonics", "encode_sine_cosine", "harmonic_names"]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

SINE_COSINE = ("sin_lon", "cos_lon", "sin_lat", "cos_lat")
"""Bands of `encode_sine_cosine`, in order."""

_STEP_M, _STEP_DEG = 1000.0, 0.01
"""Longest piece of a feature's edge: its ends are projected, and what lies between leaves the true line by < 0.1 m."""


def encode_sine_cosine(lon: Floats, lat: Floats) -> dict[str, Array]:
    """Give sine and cosine of longitude and latitude: -180 and 180 degrees are one place.

    Args:
        lon: Degrees, any shape.
        lat: Degrees, same shape.

    Returns:
        The bands of `SINE_COSINE`, float32 -1..1, same shape.
    """
    x, y = np.radians(lon), np.radians(lat)
    values = (np.sin(x), np.cos(x), np.sin(y), np.cos(y))
    return {name: v.astype(np.float32) for name, v in zip(SINE_COSINE, values, strict=True)}


def harmonic_names(degree: int) -> tuple[str, ...]:
    """Name the harmonics up to a degree: `sh2_0`, and with order m `sh2_c1` (cosine) and `sh2_s1` (sine)."""
    return tuple(
        name for n in range(1, degree + 1)
        for name in (f"sh{n}_0", *(f"sh{n}_{part}{m}" for m in range(1, n + 1) for part in "cs"))
    )  # fmt: skip


def encode_harmonics(lon: Floats, lat: Floats, *, degree: int) -> dict[str, Array]:
    """Give the real spherical harmonics, orthonormal over the sphere, of degree 1 to `degree`.

    The location encoding of Russwurm et al. 2024 (Geographic location encoding with spherical harmonics and sinusoidal
    representation networks, ICLR), without the constant of degree 0, with latitude on the sphere and no Condon-Shortley sign.

    Args:
        lon: Degrees, any shape.
        lat: Degrees, same shape.
        degree: At least 1; there are degree * (degree + 2) bands, and the finest turns `degree` times around the Earth.

    Returns:
        The bands of `harmonic_names`, float32, same shape.
    """
    x, z = np.radians(lon), np.sin(np.radians(lat))
    cos_lat = np.cos(np.radians(lat))
    found: dict[str, Array] = {}
    for m in range(degree + 1):
        legendre = _normalised_legendre(z, cos_lat, m, degree)
        for n in range(max(m, 1), degree + 1):
            if m == 0:
                found[f"sh{n}_0"] = legendre[n].astype(np.float32)
            else:
                found[f"sh{n}_c{m}"] = (math.sqrt(2) * legendre[n] * np.cos(m * x)).astype(np.float32)
                found[f"sh{n}_s{m}"] = (math.sqrt(2) * legendre[n] * np.sin(m * x)).astype(np.float32)
    return {name: found[name] for name in harmonic_names(degree)}


def _normalised_legendre(z: Floats, cos_lat: Floats, m: int, degree: int) -> dict[int, Floats]:
    """Associated Legendre functions of order m, scaled so that the harmonics are orthonormal, by the recursion in the degree
    (Holmes & Featherstone 2002, doi:10.1007/s00190-002-0216-2, eq. 11 and 13).
    """  # noqa: D205 (one sentence says both)
    p = np.full(z.shape, math.sqrt(1 / (4 * math.pi)))
    for k in range(1, m + 1):
        p = math.sqrt((2 * k + 1) / (2 * k)) * cos_lat * p
    found = {m: p}
    before = np.zeros(z.shape)
    for n in range(m + 1, degree + 1):
        a = math.sqrt((2 * n - 1) * (2 * n + 1) / ((n - m) * (n + m)))
        b = math.sqrt((2 * n + 1) * (n + m - 1) * (n - m - 1) / ((n - m) * (n + m) * (2 * n - 3))) if n > m + 1 else 0.0
        before, p = p, a * z * p - b * before
        found[n] = p
    return found


class NearestFeature:
    """Distance from places to the nearest of many vector features, along the ellipsoid.

    The nearest edge is looked up on a conformal projection (oblique stereographic) about `centre`, on which what is nearest
    on the ground is nearest in the plane but for features whose distances differ by less than about 0.1 % within 400 km; the
    distance to it is then geodesic. A place inside a polygon has distance 0.
    """

    def __init__(self, features: gpd.GeoDataFrame, centre: tuple[float, float]) -> None:
        """Take features with a crs, and longitude and latitude of the middle of the places.

        Raises:
            SourceError: If no feature can be projected about the centre.
        """
        import shapely

        plane = CRS.from_proj4(f"+proj=sterea +lon_0={centre[0]!r} +lat_0={centre[1]!r} +ellps=WGS84")
        self._to_plane = Transformer.from_crs("EPSG:4326", plane, always_xy=True)
        step = _STEP_DEG if features.crs is None or features.crs.is_geographic else _STEP_M
        shapes = features.geometry[features.geometry.notna()].segmentize(step).to_crs(plane)
        shapes = shapes[np.isfinite(shapes.bounds.to_numpy()).all(axis=1)].explode(index_parts=False)
        if shapes.empty:
            raise SourceError("no feature lies near enough to the grid to measure a distance; look at the file's crs")
        geometries = shapes.to_numpy()
        self._ends = _edges(geometries)
        self._tree = shapely.STRtree(shapely.linestrings(self._ends))
        polygons = geometries[shapely.get_dimensions(geometries) == 2]
        self._polygons = shapely.STRtree(polygons) if len(polygons) else None

    def measure(self, lon: Floats, lat: Floats) -> Array:
        """Give the distance in metres, float32 of the places' shape.

        Args:
            lon: Degrees on WGS84.
            lat: Degrees, same shape.
        """
        import shapely

        x, y = self._to_plane.transform(lon.ravel(), lat.ravel())
        points = shapely.points(x, y)
        start, end = np.moveaxis(self._ends[self._tree.nearest(points)], 1, 0)
        along = end - start
        length = (along**2).sum(axis=1)
        here = np.column_stack([x, y])
        t = np.clip(((here - start) * along).sum(axis=1) / np.where(length > 0, length, 1.0), 0, 1)
        near = start + t[:, None] * along
        to_lon, to_lat = self._to_plane.transform(near[:, 0], near[:, 1], direction="INVERSE")
        _, _, distance = Geod(ellps="WGS84").inv(lon.ravel(), lat.ravel(), to_lon, to_lat)
        out = np.asarray(distance, dtype=np.float32)
        if self._polygons is not None:
            out[np.unique(self._polygons.query(points, predicate="intersects")[0])] = 0
        return out.reshape(lon.shape)


def _edges(geometries: NDArray[Any]) -> Floats:
    """Cut geometries into their edges, (n, 2, 2): start and end, x and y; a point is an edge of length 0."""
    import shapely

    dims = shapely.get_dimensions(geometries)
    rings = shapely.get_parts(shapely.boundary(geometries[dims == 2]))
    lines = np.concatenate([geometries[dims == 1], rings])
    at, index = shapely.get_coordinates(lines, return_index=True)
    same = index[1:] == index[:-1]
    edges = np.stack([at[:-1][same], at[1:][same]], axis=1)
    alone = shapely.get_coordinates(geometries[dims == 0])
    return np.concatenate([edges, np.stack([alone, alone], axis=1)])
