"""Reflectance of one sensor as another would see it: published lines per band, their inverses, and lines fitted to pairs.

Receives names of instruments and bands, or paired observations; hands on lines target = slope * source + intercept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from landweave.errors import CubeError

__all__ = ["Instrument", "Level", "Line", "fit_line", "list_lines", "published_line"]

Instrument = Literal["oli", "msi-a", "msi-b", "etm"]
"""Landsat 8/9 OLI, MSI of Sentinel-2A and 2B, Landsat 7 ETM+."""
Level = Literal["surface", "toa"]
"""Surface reflectance, or reflectance at the top of the atmosphere."""


@dataclass(frozen=True, slots=True)
class Line:
    """Target reflectance = slope * source reflectance + intercept; where fitted, with r2 and the number of pairs."""

    slope: float
    intercept: float
    source: str = ""
    r2: float | None = None
    n: int | None = None

    def invert(self) -> Line:
        """Give the line in the other direction."""
        return Line(1 / self.slope, -self.intercept / self.slope, f"inverse of {self.source}", self.r2, self.n)

    def then(self, other: Line) -> Line:
        """Give this line followed by another."""
        return Line(
            other.slope * self.slope, other.slope * self.intercept + other.intercept, f"{self.source}, then {other.source}"
        )  # fmt: skip


_BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
_HLS = "Claverie et al. 2018, doi:10.1016/j.rse.2018.09.002 (HLS bandpass table, hls.gsfc.nasa.gov; NIR is MSI band 8A)"
_ROY = "Roy et al. 2016, doi:10.1016/j.rse.2015.12.024 (surface reflectance, ordinary least squares)"
_CHASTAIN = "Chastain et al. 2019, doi:10.1016/j.rse.2018.11.012 (top of atmosphere, major axis)"


def _table(
    slopes: tuple[float, ...], intercepts: tuple[float, ...], bands: tuple[str, ...] = _BANDS
) -> dict[str, tuple[float, float]]:  # fmt: skip
    return dict(zip(bands, zip(slopes, intercepts, strict=True), strict=True))


_PUBLISHED: dict[tuple[Level, Instrument, Instrument], tuple[str, dict[str, tuple[float, float]]]] = {
    ("surface", "msi-a", "oli"): (_HLS, _table(
        (0.9959, 0.9778, 1.0053, 0.9765, 0.9983, 0.9987, 1.003), (-0.0002, -0.004, -0.0009, 0.0009, -0.0001, -0.0011, -0.0012),
        ("coastal", *_BANDS))),
    ("surface", "msi-b", "oli"): (_HLS, _table(
        (0.9959, 0.9778, 1.0075, 0.9761, 0.9966, 1.0, 0.9867), (-0.0002, -0.004, -0.0008, 0.001, 0.0, -0.0003, 0.0004),
        ("coastal", *_BANDS))),
    ("surface", "etm", "oli"): (_ROY, _table(
        (0.8474, 0.8483, 0.9047, 0.8462, 0.8937, 0.9071), (0.0003, 0.0088, 0.0061, 0.0412, 0.0254, 0.0172))),
    ("toa", "oli", "msi-a"): (_CHASTAIN, _table(
        (1.0946, 1.0043, 1.0524, 0.8954, 1.0049, 1.0002), (-0.0107, 0.0026, -0.0015, 0.0033, 0.0065, 0.0046))),
    ("toa", "etm", "msi-a"): (_CHASTAIN, _table(
        (1.10601, 0.99091, 1.05681, 1.0045, 1.03611, 1.04011), (-0.0139, 0.00411, -0.0024, -0.0076, 0.00411, 0.00861))),
    ("toa", "etm", "oli"): (_CHASTAIN, _table(
        (1.03501, 1.00921, 1.01991, 1.14061, 1.04351, 1.05271), (-0.0055, -0.0008, -0.0021, -0.0163, -0.0045, 0.00261))),
}  # fmt: skip
"""Lines by (level, from, to), in the direction that they were published for."""


def list_lines() -> list[tuple[Level, Instrument, Instrument, str, Line]]:
    """List the published lines: level, from, to, band, line."""
    return [(*key, band, Line(*pair, source)) for key, (source, table) in _PUBLISHED.items() for band, pair in table.items()]


def _direct(level: Level, source: Instrument, target: Instrument, band: str) -> Line | None:
    said, table = _PUBLISHED.get((level, source, target), ("", {}))
    if band in table:
        return Line(*table[band], said)
    said, table = _PUBLISHED.get((level, target, source), ("", {}))
    return Line(*table[band], said).invert() if band in table else None


def published_line(source: Instrument, target: Instrument, band: str, *, level: Level = "surface") -> Line | None:
    """Give the published line from one instrument to another, inverted or through OLI where it was published so.

    Args:
        source: The instrument whose reflectance is to be adjusted.
        target: The instrument to be like.
        band: Common name; `nir` is band 8A of MSI at the surface (HLS), band 8 at the top of the atmosphere (Chastain et al.).
        level: What the reflectance is of.

    Returns:
        The line; None where nothing was published for the band. The same instrument: the identity.
    """
    if source == target:
        return Line(1.0, 0.0, "identity")
    found = _direct(level, source, target, band)
    if found is not None:
        return found
    first, second = _direct(level, source, "oli", band), _direct(level, "oli", target, band)
    return first.then(second) if first and second else None


def fit_line(source: ArrayLike, target: ArrayLike, *, min_pairs: int = 200) -> Line:
    """Fit target = slope * source + intercept robustly: Huber's M-estimate with the scale from the median residual.

    Args:
        source: Observations of the sensor to be adjusted, any shape; NaN pairs are left out.
        target: The reference sensor's, same shape.
        min_pairs: Least number of pairs.

    Returns:
        The line with the squared correlation of the pairs and their number.

    Raises:
        CubeError: If there are too few pairs, or the source does not vary.
    """
    x, y = np.asarray(source, dtype=np.float64).ravel(), np.asarray(target, dtype=np.float64).ravel()
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if x.size < min_pairs or np.ptp(x) == 0:
        raise CubeError(f"{x.size} pairs of observations (spread {np.ptp(x) if x.size else 0:g}) cannot carry a line; expected "
                        f"{min_pairs} pairs that differ: widen max_days, or take method: published")  # fmt: skip
    weights = np.ones_like(x)
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        total = weights.sum()
        mx, my = (weights * x).sum() / total, (weights * y).sum() / total
        before = slope, intercept
        slope = float((weights * (x - mx) * (y - my)).sum() / (weights * (x - mx) ** 2).sum())
        intercept = float(my - slope * mx)
        size = np.abs(y - slope * x - intercept)
        bound = 1.345 * np.median(size) / 0.6745
        weights = np.where(size <= bound, 1.0, bound / np.maximum(size, 1e-300))
        if abs(slope - before[0]) + abs(intercept - before[1]) < 1e-9 or bound == 0:
            break
    r2 = float(np.corrcoef(x, y)[0, 1] ** 2) if np.ptp(y) > 0 else 0.0
    return Line(slope, intercept, "robust fit to overlaps", r2, int(x.size))
