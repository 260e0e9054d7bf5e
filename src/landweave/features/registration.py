"""Do two images lie on each other? Shifts by phase correlation, below a pixel, by blocks that must agree.

A shift (rows, columns) says where the second image's content lies on the first's grid: what the first shows at (y, x), the
second shows at (y + rows, x + columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import CubeError
from landweave.grid import Window

__all__ = ["AGREE_PX", "BlockShift", "Consensus", "agree", "estimate_shift", "gradient", "shift_by_blocks", "spread_blocks"]

MIN_VALID = 0.5
"""Least share of pixels that a block needs to be valid in both images."""
MIN_PEAK = 0.04
"""Least height of a block's correlation peak (1 for identical images) that counts as a finding."""
MIN_BLOCKS = 3
"""Blocks that have to agree before a shift is believed."""
AGREE_PX = 0.5
"""Distance up to which two blocks agree; between optics and radar take 1 pixel."""
_CUTOFF = 0.35
"""Frequencies (cycles per pixel) above are left out: aliasing and noise, which do not move with the scene."""
_GRADIENT_CUTOFF = 0.2


@dataclass(frozen=True, slots=True)
class BlockShift:
    """Shift of one block in pixels, and the height of its peak, 0..1; NaN and 0 where nothing was found."""

    window: Window
    rows: float
    cols: float
    peak: float


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the blocks agree on.

    Attributes:
        rows: Shift in rows, pixels; NaN where they do not agree.
        cols: Shift in columns.
        se_px: Standard error of the shift: spread of the agreeing blocks over the root of their number.
        n_agree: Blocks that lie near it.
        n_found: Blocks with a peak.
        n_blocks: Blocks looked at.
    """

    rows: float
    cols: float
    se_px: float
    n_agree: int
    n_found: int
    n_blocks: int

    @property
    def is_found(self) -> bool:
        """Whether a shift can be believed."""
        return bool(np.isfinite(self.rows))

    @property
    def length_px(self) -> float:
        """Length of the shift in pixels."""
        return float(np.hypot(self.rows, self.cols))

    def describe(self) -> str:
        """Say it in a few words."""
        if not self.is_found:
            return f"no shift found ({self.n_agree} of {self.n_blocks} blocks agree)"
        return (f"{self.rows:+.2f} rows, {self.cols:+.2f} columns (standard error {self.se_px:.2f} px, {self.n_agree} of "
                f"{self.n_blocks} blocks agree)")  # fmt: skip


def gradient(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the length of the gradient (y, x) of the smoothed image: what optics and radar share are edges.

    Smoothed by a Gaussian of 1.5 pixels, since a gradient of speckle is speckle; NaN where a pixel in reach is NaN.
    """
    from scipy.ndimage import gaussian_filter

    down, right = np.gradient(gaussian_filter(np.asarray(image, dtype=np.float64), 1.5, truncate=3.0))
    return np.asarray(np.hypot(down, right))


def _prepare(image: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.complex128]:
    values = np.where(valid, image, np.nan).astype(np.float64)
    low, high = np.nanpercentile(values, (1, 99))  # a few bright points must not be the whole correlation
    values = np.clip(values, low, high)
    values = np.where(valid, values - np.nanmean(values), 0.0)
    window = np.outer(np.hanning(values.shape[0] + 2)[1:-1], np.hanning(values.shape[1] + 2)[1:-1])
    return np.asarray(np.fft.fft2(values * window))


def estimate_shift(
    reference: NDArray[np.floating], moved: NDArray[np.floating], *, max_shift_px: float = 5.0, upsampling: int = 100,
    gradients: bool = False,
) -> tuple[float, float, float]:  # fmt: skip
    """Estimate the shift of one image against another by phase correlation.

    The phase of the cross-power spectrum (Kuglin and Hines 1975), without its high frequencies, has its peak at the shift; the
    peak is refined to 1 / `upsampling` pixel by a matrix Fourier transform around it (Guizar-Sicairos et al. 2008,
    doi:10.1364/OL.33.000156, single-step method). Nodata counts as the mean.

    Args:
        reference: (y, x), NaN where not valid.
        moved: Of the same shape.
        max_shift_px: Peaks farther away are not looked at.
        upsampling: Steps of a pixel.
        gradients: Compare the lengths of gradients: for optics beside radar.

    Returns:
        Rows, columns and the peak's height: 1 for images that differ by a shift alone, near 0 for unrelated ones. NaN, NaN, 0
        where less than half is valid in both, or one image is even.

    Raises:
        CubeError: If the shapes differ, or are smaller than twice the largest shift.
    """
    if reference.shape != moved.shape or min(reference.shape) < max(2 * max_shift_px, 8):
        raise CubeError(f"images of {reference.shape} and {moved.shape} pixels cannot be compared up to {max_shift_px:g} px; "
                        "give two of one shape, of at least twice that size")  # fmt: skip
    a, b = (gradient(i) if gradients else np.asarray(i, dtype=np.float64) for i in (reference, moved))
    cutoff = _GRADIENT_CUTOFF if gradients else _CUTOFF
    found = _correlate(a, b, max_shift_px, upsampling, cutoff)
    if not found[2]:
        return found
    # once more on what both show, since a window that differs at its rim draws the peak towards 0
    rows, cols = round(found[0]), round(found[1])
    first, second = _overlap(a, b, rows, cols)
    rest = _correlate(first, second, 1.5, upsampling, cutoff)
    return (rows + rest[0], cols + rest[1], rest[2]) if rest[2] else found


def _overlap(
    a: NDArray[np.float64], b: NDArray[np.float64], rows: int, cols: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Cut two images to what both show when the second lies whole pixels away."""
    h, w = a.shape[0] - abs(rows), a.shape[1] - abs(cols)
    y, x = max(-rows, 0), max(-cols, 0)
    return a[y : y + h, x : x + w], b[y + rows : y + rows + h, x + cols : x + cols + w]


def _correlate(
    a: NDArray[np.float64], b: NDArray[np.float64], max_shift_px: float, upsampling: int, cutoff: float
) -> tuple[float, float, float]:  # fmt: skip
    """Find the peak of the phase correlation of two images of one shape."""
    valid = ~(np.isnan(a) | np.isnan(b))
    if valid.mean() < MIN_VALID or np.ptp(a[valid]) == 0 or np.ptp(b[valid]) == 0:
        return np.nan, np.nan, 0.0
    cross = np.conj(_prepare(a, valid)) * _prepare(b, valid)
    size = np.abs(cross)
    fy, fx = (np.fft.fftfreq(n).astype(np.float64) for n in a.shape)
    keep = np.hypot(fy[:, None], fx[None]) <= cutoff
    keep[0, 0] = False
    phase = np.where(keep & (size > 0), cross / np.where(size > 0, size, 1), 0)
    coarse = np.fft.ifft2(phase).real
    rows, cols = (np.fft.fftfreq(n) * n for n in a.shape)
    near = (np.abs(rows)[:, None] <= max_shift_px) & (np.abs(cols)[None] <= max_shift_px)
    at = np.unravel_index(np.argmax(np.where(near, coarse, -np.inf)), coarse.shape)
    return _refine(phase, (fy, fx), (float(rows[at[0]]), float(cols[at[1]])), upsampling, int(keep.sum()))


def _refine(
    phase: NDArray[np.complex128], freqs: tuple[NDArray[np.float64], NDArray[np.float64]], start: tuple[float, float],
    upsampling: int, n_kept: int,
) -> tuple[float, float, float]:  # fmt: skip
    """Evaluate the correlation on fine steps within one pixel of its coarse peak."""
    steps = np.arange(-upsampling, upsampling + 1) / upsampling
    dy, dx = start[0] + steps, start[1] + steps
    left = np.exp(2j * np.pi * np.outer(dy, freqs[0]))
    right = np.exp(2j * np.pi * np.outer(freqs[1], dx))
    fine = (left @ phase @ right).real / n_kept
    at = np.unravel_index(np.argmax(fine), fine.shape)
    return float(dy[at[0]]), float(dx[at[1]]), float(np.clip(fine[at], 0, 1))


def spread_blocks(shape: tuple[int, int], block_px: int, *, most: int = 25) -> list[Window]:
    """Spread at most `most` blocks evenly over a grid of `shape`; one smaller block where the grid is smaller."""
    side = (min(block_px, shape[0]), min(block_px, shape[1]))
    counts = [max(min(n // s, int(np.sqrt(most))), 1) for n, s in zip(shape, side, strict=True)]
    starts = [np.unique(np.linspace(0, n - s, c).astype(int)) for n, s, c in zip(shape, side, counts, strict=True)]
    return [Window(int(y), int(x), *side) for y in starts[0] for x in starts[1]]


def shift_by_blocks(
    reference: NDArray[np.floating], moved: NDArray[np.floating], *, block_px: int = 128, max_shift_px: float = 5.0,
    gradients: bool = False,
) -> list[BlockShift]:  # fmt: skip
    """Estimate the shift in blocks spread over two images (y, x); see `estimate_shift`."""
    found = []
    for window in spread_blocks((reference.shape[0], reference.shape[1]), block_px):
        pair = reference[window.slices], moved[window.slices]
        rows, cols, peak = estimate_shift(*pair, max_shift_px=max_shift_px, gradients=gradients)
        found.append(BlockShift(window, rows, cols, peak))
    return found


def agree(blocks: Sequence[BlockShift], *, within_px: float = AGREE_PX) -> Consensus:
    """Put the blocks' shifts together.

    Blocks with a peak of at least `MIN_PEAK` vote; the consensus is the one around which most others lie within `within_px`,
    and its shift the median of those. It is believed where at least three blocks agree, or all where there are fewer, and they
    are more than half of those that vote.
    """
    votes = np.array([(b.rows, b.cols) for b in blocks if b.peak >= MIN_PEAK and np.isfinite(b.rows)]).reshape(-1, 2)
    none = Consensus(np.nan, np.nan, np.nan, 0, len(votes), len(blocks))
    if not len(votes):
        return none
    apart = np.hypot(*(votes[:, None] - votes[None]).transpose(2, 0, 1))
    near = apart[int(np.argmax((apart <= within_px).sum(axis=1)))] <= within_px
    n = int(near.sum())
    if n < min(MIN_BLOCKS, len(blocks)) or 2 * n <= len(votes):
        return Consensus(np.nan, np.nan, np.nan, n, len(votes), len(blocks))
    rows, cols = np.median(votes[near], axis=0)
    spread = np.hypot(*votes[near].std(axis=0, ddof=1)) if n > 1 else np.nan
    return Consensus(float(rows), float(cols), float(spread / np.sqrt(n)), n, len(votes), len(blocks))
