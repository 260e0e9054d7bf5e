"""Points on the ground: geocentric coordinates, cells and tiles of the WGS84 ellipsoid.

Receives longitudes and latitudes; hands on metres and numbers of cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["EARTH_A", "earth_xyz", "ellipsoid_cells", "meridian_arc", "tile_names", "utm_zones"]

EARTH_A, _F = 6378137.0, 1 / 298.257223563  # WGS84
_E2 = _F * (2 - _F)


def earth_xyz(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give geocentric coordinates (n, 3) in metres of points on the WGS84 ellipsoid.

    The straight distance between two of them is never longer than the geodesic, and 1e-6 shorter at 30 km.
    """
    lon, lat = np.radians(lonlat[:, 0]), np.radians(lonlat[:, 1])
    n = EARTH_A / np.sqrt(1 - _E2 * np.sin(lat) ** 2)
    return np.column_stack([n * np.cos(lat) * np.cos(lon), n * np.cos(lat) * np.sin(lon), n * (1 - _E2) * np.sin(lat)])


def meridian_arc(lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance in metres from the equator along a meridian (Snyder 1987, eq. 3-21)."""
    e2, e4, e6 = _E2, _E2**2, _E2**3
    return np.asarray(EARTH_A * (
        (1 - e2 / 4 - 3 * e4 / 64 - 5 * e6 / 256) * lat
        - (3 * e2 / 8 + 3 * e4 / 32 + 45 * e6 / 1024) * np.sin(2 * lat)
        + (15 * e4 / 256 + 45 * e6 / 1024) * np.sin(4 * lat)
        - (35 * e6 / 3072) * np.sin(6 * lat)
    ))  # fmt: skip


def ellipsoid_cells(lonlat: NDArray[np.float64], size_m: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give row and column of the cell that each point falls in: bands of `size_m` along the meridian, cut into cells of
    `size_m` along the parallel through the band's middle. Cells are close to square anywhere on Earth.
    """  # noqa: D205 (one sentence says both)
    lat = np.radians(lonlat[:, 1])
    row = np.floor(meridian_arc(lat) / size_m).astype(np.int64)
    # latitude of the band's middle, on the sphere of the same meridian: it decides the cells' width only
    middle = np.clip((row + 0.5) * size_m / meridian_arc(np.array([np.pi / 2]))[0] * (np.pi / 2), -np.pi / 2, np.pi / 2)
    radius = np.maximum(EARTH_A / np.sqrt(1 - _E2 * np.sin(middle) ** 2) * np.cos(middle), size_m / (2 * np.pi))
    col = np.floor(np.radians(lonlat[:, 0]) * radius / size_m).astype(np.int64)
    return row, col


def utm_zones(lonlat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the UTM zone, 1 to 60, of each point, with the exceptions of the MGRS.

    Zone 32 reaches west to 3 degrees in band V (56 to 64 degrees north, south-west Norway); in band X (72 to 84 degrees north,
    Svalbard) zones 31, 33, 35 and 37 are 9, 12, 12 and 9 degrees wide, and 32, 34 and 36 are not used (DMA Technical
    Manual 8358.1, section 3-2.2.1).
    """
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    zone = np.clip(np.floor((lon + 180) / 6).astype(np.int64) + 1, 1, 60)
    zone = np.where((lat >= 56) & (lat < 64) & (lon >= 3) & (lon < 12), 32, zone)
    svalbard = (lat >= 72) & (lat <= 84) & (lon >= 0) & (lon < 42)
    return np.where(svalbard, 31 + 2 * np.searchsorted([9, 21, 33], lon, side="right"), zone).astype(np.int64)


def tile_names(lonlat: NDArray[np.float64]) -> NDArray[np.object_]:
    """Give the 100 km square of the UTM grid that each point falls in, as "zone N|S easting northing" in 100 km.

    These are the squares of the MGRS, which Sentinel-2's tiles carry too (a tile reaches 9.8 km over its square's edge).
    """
    import pyproj

    zone = utm_zones(lonlat)
    north = lonlat[:, 1] >= 0
    names = np.empty(len(lonlat), dtype=object)
    for z, n in sorted(set(zip(zone.tolist(), north.tolist(), strict=True))):
        mine = (zone == z) & (north == n)
        to_utm = pyproj.Transformer.from_crs(4326, (32600 if n else 32700) + z, always_xy=True)
        x, y = to_utm.transform(*lonlat[mine].T)
        names[mine] = [f"{z}{'N' if n else 'S'} {int(e // 1e5)} {int(m // 1e5)}" for e, m in zip(x, y, strict=True)]
    return names
