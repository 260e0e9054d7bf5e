"""Corruptions of a cube's values, seeded and in three severities: what sensors, weather and processing do to images.

Receives blocks (time, band, y, x) with NaN for nodata and the bands' usual ranges; hands on a corrupted copy. Twelve kinds of
appearance and geometry, after the robustness benchmarks (Hendrycks and Dietterich 2019, arXiv:1903.12261, carried over to what
happens to satellite images); strengths are stated in `LEVELS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.ndimage import affine_transform, gaussian_filter

from landweave.errors import CubeError
from landweave.types import BandKind

__all__ = ["LEVELS", "BandRanges", "corrupt", "is_applicable", "list_corruptions"]

Values = NDArray[np.float32]

LEVELS: Mapping[str, tuple[tuple[float, float, float], str]] = {
    "noise": ((0.05, 0.1, 0.2), "standard deviation of Gaussian noise, share of the band's range"),
    "blur": ((1.0, 2.0, 4.0), "sigma of a Gaussian blur, pixels"),
    "haze": ((0.1, 0.25, 0.5), "opacity of an even veil, each date between none and this"),
    "cloud": ((0.1, 0.25, 0.5), "share of each date under undetected cloud"),
    "stripes": ((0.05, 0.1, 0.2), "standard deviation of an offset by column, share of the band's range"),
    "gaps": ((0.1, 0.25, 0.5), "share of each date without observation, in patches"),
    "compression": ((0.05, 0.1, 0.2), "quantisation step of 8 x 8 cosine coefficients, share of the band's range"),
    "brightness": ((0.1, 0.25, 0.5), "gain of each date, up to this above or below 1"),
    "shift": ((1.0, 2.0, 4.0), "misregistration of each date, pixels in a random direction"),
    "rotation": ((0.5, 1.0, 3.0), "degrees about the centre of a chip of 128 pixels, the labels stay"),
    "scale": ((0.02, 0.05, 0.1), "enlargement about the centre of a chip of 128 pixels, the labels stay"),
    "band-swap": ((1.0, 2.0, 3.0), "pairs of neighbouring bands that are exchanged"),
}
"""Corruption -> its strength in the severities 1, 2, 3, and what the number means."""

_BRIGHT: tuple[BandKind, ...] = ("reflectance", "other")
_VEILED: tuple[BandKind, ...] = ("reflectance", "other", "index")
_SENSED: tuple[BandKind, ...] = ("reflectance", "other", "index", "backscatter", "temperature")
_KINDS: Mapping[str, tuple[BandKind, ...]] = {
    **dict.fromkeys(("noise", "blur", "stripes", "gaps", "compression"), _SENSED),
    "haze": _VEILED,
    "cloud": _VEILED,
    "brightness": _BRIGHT,
}
_PATCH_PX = 6.0
"""Smoothness of clouds and gaps: sigma of the field that is cut at a quantile."""


@dataclass(frozen=True)
class BandRanges:
    """The usual range of each band, such as the first and last percentile of training data, and its kind.

    Attributes:
        low: (band,).
        high: (band,).
        kinds: One per band; weather touches optical bands and not radar or elevation.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    kinds: tuple[BandKind, ...]

    def __post_init__(self) -> None:
        if not len(self.low) == len(self.high) == len(self.kinds):
            raise CubeError(f"ranges have {len(self.low)} lows, {len(self.high)} highs and {len(self.kinds)} kinds; "
                            "give one of each per band")  # fmt: skip


def list_corruptions() -> list[str]:
    """Name the corruptions."""
    return list(LEVELS)


def is_applicable(name: str, kinds: Sequence[BandKind]) -> bool:
    """Tell whether a corruption changes anything in bands of these kinds."""
    if name == "band-swap":
        return len(kinds) > 1
    return any(k in _KINDS.get(name, kinds) for k in kinds)


def corrupt(values: Values, name: str, *, severity: int, ranges: BandRanges, rng: np.random.Generator) -> Values:
    """Corrupt a block.

    Args:
        values: float32 (time, band, y, x), NaN is nodata; a static block has one date. Not changed.
        name: See `LEVELS`.
        severity: 1, 2 or 3.
        ranges: Ranges and kinds of the bands.
        rng: Where chance comes from.

    Returns:
        float32 of the same shape. Nodata stays nodata, but moves along in shift, rotation and scale; gaps add to it.

    Raises:
        CubeError: If the corruption or severity is unknown, or the values have other bands than the ranges.
    """
    if name not in LEVELS:
        raise CubeError(f"no corruption named {name!r}; known: {', '.join(LEVELS)}")
    if severity not in (1, 2, 3):
        raise CubeError(f"severity {severity} of {name}; expected 1, 2 or 3")
    if values.ndim != 4 or values.shape[1] != len(ranges.kinds):
        raise CubeError(f"values have shape {values.shape}, the ranges {len(ranges.kinds)} bands; expected (time, "
                        f"{len(ranges.kinds)}, y, x)")  # fmt: skip
    touched = np.array([k in _KINDS.get(name, ranges.kinds) for k in ranges.kinds])
    out = np.array(values, dtype=np.float32)
    if touched.any():
        some = BandRanges(ranges.low[touched], ranges.high[touched],
                          tuple(k for k, t in zip(ranges.kinds, touched, strict=True) if t))  # fmt: skip
        level = LEVELS[name][0][severity - 1]
        out[:, touched] = _FUNCTIONS[name](out[:, touched], level, some, rng)
    return out


# --- appearance ------------------------------------------------------------------------------------------------------------


def _span(ranges: BandRanges) -> NDArray[np.float32]:
    return (ranges.high - ranges.low)[:, None, None].astype(np.float32)


def _add_noise(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    return values + np.float32(level) * _span(ranges) * rng.standard_normal(values.shape, dtype=np.float32)


def _blur(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    """Blur what is observed only (normalised convolution)."""
    known = ~np.isnan(values)
    sigma = (0.0, 0.0, level, level)
    weight = gaussian_filter(known.astype(np.float32), sigma, mode="nearest")
    summed = gaussian_filter(np.where(known, values, 0), sigma, mode="nearest")
    return np.where(known, summed / np.maximum(weight, 1e-6), np.nan).astype(np.float32)


def _veil(ranges: BandRanges) -> NDArray[np.float32]:
    """Give the value that clouds have: bright in reflectance, low in a vegetation index."""
    index = np.array([k == "index" for k in ranges.kinds])
    return np.where(index, ranges.low, ranges.high)[:, None, None].astype(np.float32)


def _add_haze(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    opacity = rng.uniform(0, level, (len(values), 1, 1, 1)).astype(np.float32)
    return values * (1 - opacity) + opacity * _veil(ranges)


def _patches(values: Values, level: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cover a share of each date by patches: (time, 1, y, x)."""
    field = rng.standard_normal((len(values), *values.shape[2:]), dtype=np.float32)
    field = gaussian_filter(field, (0.0, _PATCH_PX, _PATCH_PX), mode="wrap")
    cut = np.quantile(field, level, axis=(1, 2), keepdims=True)
    covered: NDArray[np.bool_] = (field < cut)[:, None]
    return covered


def _add_cloud(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    covered = _patches(values, level, rng) & ~np.isnan(values)
    return np.where(covered, _veil(ranges), values)


def _add_gaps(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    return np.where(_patches(values, level, rng), np.float32(np.nan), values)


def _add_stripes(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    offset = rng.standard_normal((*values.shape[:2], 1, values.shape[3]), dtype=np.float32)
    return values + np.float32(level) * _span(ranges) * offset


def _compress(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    """Quantise the cosine coefficients of 8 x 8 pixels, coarser with frequency, as JPEG does."""
    t, b, rows, cols = values.shape
    known = ~np.isnan(values)
    middle = ((ranges.low + ranges.high) / 2)[:, None, None]
    filled = np.pad(np.where(known, values, middle), ((0, 0), (0, 0), (0, -rows % 8), (0, -cols % 8)), mode="edge")
    cells = filled.reshape(t, b, filled.shape[2] // 8, 8, filled.shape[3] // 8, 8)
    frequency = np.arange(8)[:, None] + np.arange(8)[None, :]
    step = level * np.maximum(_span(ranges), 1e-6) * (1 + frequency)
    step = step[None, :, None, :, None, :]
    coefficients = np.rint(dctn(cells, axes=(3, 5), norm="ortho") / step) * step
    back = idctn(coefficients, axes=(3, 5), norm="ortho").reshape(filled.shape)[:, :, :rows, :cols]
    return np.where(known, back, np.nan).astype(np.float32)


def _change_brightness(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    return values * (1 + rng.uniform(-level, level, (len(values), 1, 1, 1))).astype(np.float32)


# --- geometry --------------------------------------------------------------------------------------------------------------


def _shift(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    """Move every date by whole pixels; what comes in from outside is nodata."""
    out = np.full_like(values, np.nan)
    rows, cols = values.shape[2:]
    for t, angle in enumerate(rng.uniform(0, 2 * np.pi, len(values))):
        dy, dx = round(level * np.sin(angle)), round(level * np.cos(angle))
        to = slice(max(dy, 0), rows + min(dy, 0)), slice(max(dx, 0), cols + min(dx, 0))
        of = slice(max(-dy, 0), rows + min(-dy, 0)), slice(max(-dx, 0), cols + min(-dx, 0))
        out[t, :, to[0], to[1]] = values[t, :, of[0], of[1]]
    return out


def _transform(values: Values, matrix: NDArray[np.float64]) -> Values:
    """Resample every layer about its centre, nearest neighbour, so that nodata stays whole."""
    centre = (np.array(values.shape[2:]) - 1) / 2
    offset = centre - matrix @ centre
    out = np.empty_like(values)
    for at in np.ndindex(values.shape[:2]):
        affine_transform(values[at], matrix, offset, output=out[at], order=0, mode="constant", cval=np.nan)
    return out


def _rotate(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    angle = np.radians(level) * rng.choice([-1, 1])
    return _transform(values, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def _enlarge(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    return _transform(values, np.eye(2) / (1 + level))


def _swap_bands(values: Values, level: float, ranges: BandRanges, rng: np.random.Generator) -> Values:
    order = np.arange(values.shape[1])
    for pair in range(min(int(level), len(order) // 2)):
        order[2 * pair : 2 * pair + 2] = order[2 * pair : 2 * pair + 2][::-1].copy()
    swapped: Values = values[:, order]
    return swapped


_FUNCTIONS: Mapping[str, Callable[[Values, float, BandRanges, np.random.Generator], Values]] = {
    "noise": _add_noise,
    "blur": _blur,
    "haze": _add_haze,
    "cloud": _add_cloud,
    "stripes": _add_stripes,
    "gaps": _add_gaps,
    "compression": _compress,
    "brightness": _change_brightness,
    "shift": _shift,
    "rotation": _rotate,
    "scale": _enlarge,
    "band-swap": _swap_bands,
}
