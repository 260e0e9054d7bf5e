"""The shape of the ground: slope, aspect, curvature, illumination, position and ruggedness from a window of elevations.

Receives elevations with the ground size of each pixel; hands on one float32 array per measure. Every pixel looks at its
neighbours alone, so that a window with a margin gives what the whole raster gives; `wetness` holds what cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landweave.errors import BandError, CubeError

__all__ = ["TERRAIN_MEASURES", "Sun", "TerrainMeasure", "compute_terrain", "get_measure", "terrain_margin"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TerrainMeasure:
    """What a measure is: unit, range of its values, formula in words and where it comes from."""

    name: str
    title: str
    unit: str
    valid_range: tuple[float, float]
    source: str


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun stands: azimuth clockwise from north and elevation above the horizon, both in degrees."""

    azimuth_deg: float = 315.0
    elevation_deg: float = 45.0


_HORN = "Horn 1981, doi:10.1109/PROC.1981.11918"
_ZT = "Zevenbergen & Thorne 1987, doi:10.1002/esp.3290120107"
_WIDE = (-np.inf, np.inf)
_TABLE = (
    TerrainMeasure("slope", "angle of the steepest descent", "degree", (0, 90), _HORN),
    TerrainMeasure("northness", "cosine of the aspect: 1 faces north, -1 south; 0 where flat", "1", (-1, 1), _HORN),
    TerrainMeasure("eastness", "sine of the aspect: 1 faces east, -1 west; 0 where flat", "1", (-1, 1), _HORN),
    TerrainMeasure("illumination", "cosine of the angle between the sun and the ground's normal", "1", (-1, 1),
                   "Teillet et al. 1982, doi:10.1080/07038992.1982.10855028"),
    TerrainMeasure("hillshade", "illumination, 0 where the ground turns away from the sun", "1", (0, 1), _HORN),
    TerrainMeasure("curvature", "twice the mean bend of the surface, convex is positive", "1/m", _WIDE, _ZT),
    TerrainMeasure("profile_curvature", "bend along the steepest descent, convex is positive", "1/m", _WIDE, _ZT),
    TerrainMeasure("plan_curvature", "bend across the steepest descent, convex (a ridge) is positive", "1/m", _WIDE, _ZT),
    TerrainMeasure("tpi", "topographic position: height above the mean of the surroundings", "m", _WIDE,
                   "Weiss 2001, Topographic position and landforms analysis; here over a square window"),
    TerrainMeasure("tri", "ruggedness: root of the sum of squared differences to the 8 neighbours", "m", (0, np.inf),
                   "Riley et al. 1999, Intermountain Journal of Sciences 5, 23-27"),
    TerrainMeasure("roughness", "highest minus lowest of the 3 x 3 pixels", "m", (0, np.inf),
                   "Wilson et al. 2007, doi:10.1080/01490410701295962"),
    TerrainMeasure("twi", "topographic wetness: log of the area drained over the slope", "1", _WIDE,
                   "Beven & Kirkby 1979, doi:10.1080/02626667909491834; see `wetness`"),
)  # fmt: skip
TERRAIN_MEASURES: Mapping[str, TerrainMeasure] = {m.name: m for m in _TABLE}
"""The measures by name. All but `twi` are local: 3 x 3 pixels, `tpi` a square of `radius_px`."""

_LOCAL = tuple(m.name for m in _TABLE if m.name not in ("tpi", "twi"))


def get_measure(name: str) -> TerrainMeasure:
    """Give a measure by name.

    Raises:
        BandError: If there is none; lists what there is.
    """
    if name not in TERRAIN_MEASURES:
        raise BandError(f"no terrain measure named {name!r}; there are {', '.join(TERRAIN_MEASURES)}")
    return TERRAIN_MEASURES[name]


def terrain_margin(measures: Sequence[str], radius_px: int = 1) -> int:
    """Give the margin in pixels that local measures look at around a pixel."""
    return max(1, radius_px) if "tpi" in measures else 1


@njit(nogil=True, cache=True)
def _neighbours(z: Any, r: int, c: int, held: Any) -> None:  # pragma: no cover (compiled)
    """Fill the 3 x 3 elevations around a pixel; one that is missing continues the line through its opposite.

    A corner without an opposite continues the plane through the two pixels beside it.
    """
    centre = z[r, c]
    for k in range(9):
        y, x = r + k // 3 - 1, c + k % 3 - 1
        inside = 0 <= y < z.shape[0] and 0 <= x < z.shape[1]
        held[k] = z[y, x] if inside else np.nan
    for k in (1, 3):
        a, b = held[k], held[8 - k]
        if np.isnan(a):
            held[k] = centre if np.isnan(b) else 2 * centre - b
        if np.isnan(b):
            held[8 - k] = centre if np.isnan(a) else 2 * centre - a
    for k in (0, 2):
        a, b = held[k], held[8 - k]
        if np.isnan(a):
            held[k] = held[1] + held[3 + k] - centre if np.isnan(b) else 2 * centre - b
        if np.isnan(b):
            held[8 - k] = held[7] + held[5 - k] - centre if np.isnan(a) else 2 * centre - a


@njit(nogil=True, cache=True)
def _measure(z: Any, dx: Any, dy: Any, sun: Any, out: Any) -> None:  # pragma: no cover (compiled)
    """Fill `out` (measure, y, x) in the order of `_LOCAL`; `sun` is the unit vector (east, north, up) towards it."""
    held = np.empty(9, dtype=np.float64)
    for r in range(z.shape[0]):
        for c in range(z.shape[1]):
            if np.isnan(z[r, c]):
                out[:, r, c] = np.nan
                continue
            _neighbours(z, r, c, held)
            nw, n, ne, w, m, e, sw, s, se = held
            x, y = dx[r, c], dy[r, c]
            p = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * x)  # Horn 1981: rise towards the east, and the north
            q = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / (8 * y)
            steep = np.sqrt(p * p + q * q)
            out[0, r, c] = np.degrees(np.arctan(steep))
            out[1, r, c] = -q / steep if steep > 0 else 0.0
            out[2, r, c] = -p / steep if steep > 0 else 0.0
            lit = (sun[2] - p * sun[0] - q * sun[1]) / np.sqrt(1 + p * p + q * q)
            out[3, r, c] = lit
            out[4, r, c] = max(lit, 0.0)
            D = ((w + e) / 2 - m) / (x * x)  # Zevenbergen & Thorne 1987, the coefficients of their quadratic
            E = ((n + s) / 2 - m) / (y * y)
            F = (ne + sw - nw - se) / (4 * x * y)
            G, H = (e - w) / (2 * x), (n - s) / (2 * y)
            square = G * G + H * H
            out[5, r, c] = -2 * (D + E)
            out[6, r, c] = -2 * (D * G * G + E * H * H + F * G * H) / square if square > 0 else 0.0
            out[7, r, c] = -2 * (D * H * H + E * G * G - F * G * H) / square if square > 0 else 0.0
            total = 0.0
            for k in range(9):
                total += (held[k] - m) ** 2
            out[8, r, c] = np.sqrt(total)
            out[9, r, c] = held.max() - held.min()


@njit(nogil=True, cache=True)
def _position(z: Any, radius: int, out: Any) -> None:  # pragma: no cover (compiled)
    rows, cols = z.shape
    for r in range(rows):
        for c in range(cols):
            total, n = 0.0, 0
            for y in range(max(r - radius, 0), min(r + radius + 1, rows)):
                for x in range(max(c - radius, 0), min(c + radius + 1, cols)):
                    if (y != r or x != c) and not np.isnan(z[y, x]):
                        total += z[y, x]
                        n += 1
            out[r, c] = z[r, c] - total / n if n > 0 else z[r, c] - z[r, c]


def compute_terrain(
    elevation: NDArray[np.floating[Any]], pixel_m: tuple[NDArray[np.float64], NDArray[np.float64]], measures: Sequence[str], *,
    sun: Sun | None = None, radius_px: int = 1,
) -> dict[str, Array]:  # fmt: skip
    """Compute local measures of a window of elevations.

    Slope and aspect are those of Horn 1981 (weighted differences over 3 x 3), the curvatures come from the coefficients D to H
    of Zevenbergen & Thorne 1987: second derivatives of their quadratic along and across the slope, with convex positive in
    both. A neighbour that is missing (nodata, the raster's edge) continues the line from its opposite through the centre, so
    that a plane is a plane up to its edge. Aspect is measured from the grid's north. Shadow that other ground casts is not
    looked at.

    Args:
        elevation: (y, x) in metres, rows from north to south, NaN where not known.
        pixel_m: Ground size of each pixel in metres along x and along y, each broadcastable to (y, x).
        measures: Names out of `TERRAIN_MEASURES`, without `twi`.
        sun: For `illumination` and `hillshade`; from the north-west, 45 degrees high, by default.
        radius_px: For `tpi`: the window's side is 2 * radius_px + 1; its centre does not count.

    Returns:
        Measure -> float32 (y, x); NaN where the elevation is.

    Raises:
        BandError: If a measure is unknown.
        CubeError: If `twi` is asked for, the elevations are not two-dimensional, or the radius is below 1.
    """
    for name in measures:
        get_measure(name)
    if "twi" in measures:
        raise CubeError("twi depends on the whole catchment, not on a window; compute it with compute_wetness")
    if elevation.ndim != 2 or radius_px < 1:
        raise CubeError(f"elevation has shape {elevation.shape} and radius_px is {radius_px}; give (y, x) and at least 1")
    z = np.ascontiguousarray(elevation, dtype=np.float64)
    dx, dy = (np.broadcast_to(np.asarray(p, dtype=np.float64), z.shape) for p in pixel_m)
    sun = sun or Sun()
    azimuth, height = np.radians(sun.azimuth_deg), np.radians(sun.elevation_deg)
    towards = np.array([np.cos(height) * np.sin(azimuth), np.cos(height) * np.cos(azimuth), np.sin(height)])
    found: dict[str, Array] = {}
    if any(m in _LOCAL for m in measures):
        out = np.empty((len(_LOCAL), *z.shape), dtype=np.float32)
        _measure(z, np.ascontiguousarray(dx), np.ascontiguousarray(dy), towards, out)
        found = dict(zip(_LOCAL, out, strict=True))
    if "tpi" in measures:
        found["tpi"] = np.empty(z.shape, dtype=np.float32)
        _position(z, radius_px, found["tpi"])
    return {name: found[name] for name in measures}
