"""Smoothing of class probabilities by their neighbourhood: empirical Bayes, median, and an edge-aware mean field.

Receives probabilities (class, y, x) as floats, NaN where nodata; hands on probabilities of the same shape. Pixels that are
nodata or outside the array are left out of every window, so that a block with a margin of `halo_px` gives the very pixels of
the whole raster.
"""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from landweave.errors import MapError
from landweave.legend import Legend
from landweave.maps._networks import NO_VALUE, count_valid, median_windows, network, pad_for_windows, sum_highest
from landweave.types import Options

__all__ = ["SmoothOptions", "smooth_bayes", "smooth_edges", "smooth_median", "smooth_proba"]

P_LOWEST = 1e-4
"""Probabilities are kept inside [P_LOWEST, 1 - P_LOWEST] before the logit, which is infinite at 0 and 1 (forests give both)."""
_STEPS = 200
"""A logit's neighbours are counted in steps of 1/200, as whole numbers add up to the same in any order."""


class SmoothOptions(Options):
    """Options of the smoothing of probabilities."""

    method: Literal["bayes", "median", "edge"] = Field(
        "bayes", description="bayes: empirical Bayes by neighbourhood and class (Camara et al. 2024). median: median of each "
                             "class over the window. edge: mean field whose neighbours count by how alike their imagery is "
                             "(Kraehenbuehl and Koltun 2011), which stops at edges."
    )  # fmt: skip
    window_px: int = Field(7, description="Side of the square neighbourhood in pixels; odd, 3 to 21.")
    smoothness: float | dict[str, float] = Field(
        10.0, description="bayes: variance of the logit that a class is believed to have by chance; larger trusts the "
                          "neighbours more. One number, or one per class name."
    )  # fmt: skip
    fraction: float = Field(
        0.5, gt=0, le=1, description="bayes: share of the window's pixels, those with the highest logits of the class, that "
                                     "the neighbourhood's mean and variance come from; keeps the borders of fields sharp."
    )  # fmt: skip
    strength: float = Field(
        3.0, gt=0, le=50, description="edge: weight of the neighbours against the pixel's own probabilities."
    )
    edge_scale: float = Field(
        0.1, gt=0, description="edge: difference in the imagery at which a neighbour's weight falls to 0.61, as a share of the "
                               "range between the 1st and 99th percentile of the bands."
    )  # fmt: skip
    iterations: int = Field(2, ge=1, le=10, description="edge: rounds of the mean field; each adds half a window of margin.")

    @field_validator("window_px")
    @classmethod
    def _check_window(cls, value: int) -> int:
        if not 3 <= value <= 21 or value % 2 == 0:
            raise ValueError(f"window_px is {value}; give an odd number from 3 to 21, such as 7")
        return value

    @field_validator("smoothness")
    @classmethod
    def _check_smoothness(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        numbers = value.values() if isinstance(value, dict) else [value]
        wrong = [v for v in numbers if not (v > 0 and math.isfinite(v))]
        if wrong:
            raise ValueError(f"smoothness is {wrong[0]}; give a positive variance, such as 10")
        return value

    @property
    def halo_px(self) -> int:
        """Margin that a block needs for the result of the whole raster."""
        return self.window_px // 2 * (self.iterations if self.method == "edge" else 1)

    def smoothness_of(self, legend: Legend) -> NDArray[np.float64]:
        """Give the smoothness of every class of a legend, in its order.

        Raises:
            LegendError: If a class is named that the legend lacks.
            MapError: If one of the legend's classes has none.
        """
        if not isinstance(self.smoothness, dict):
            return np.full(len(legend), self.smoothness)
        for name in self.smoothness:
            legend.index_of(name)
        missing = [n for n in legend.names if n not in self.smoothness]
        if missing:
            raise MapError(f"smoothness is given by class, but not for {missing[0]!r}; give one number, or one for each of "
                           f"{', '.join(legend.names)}")  # fmt: skip
        return np.array([self.smoothness[n] for n in legend.names])


def smooth_proba(
    proba: NDArray[np.float32], options: SmoothOptions, *, legend: Legend, guide: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Smooth probabilities as the options say.

    Args:
        proba: (class, y, x) in legend order, NaN where nodata.
        options: Method and its numbers.
        legend: The classes.
        guide: Imagery (band, y, x) for the method `edge`, scaled so that 1 is the range of a band; NaN where missing.

    Returns:
        float32 of the same shape; the classes sum to 1, NaN where nodata.

    Raises:
        MapError: If the method needs imagery and there is none.
    """
    if options.method == "median":
        return smooth_median(proba, window_px=options.window_px)
    if options.method == "bayes":
        smoothness = options.smoothness_of(legend)
        return smooth_bayes(proba, window_px=options.window_px, smoothness=smoothness, fraction=options.fraction)
    if guide is None:
        raise MapError("smoothing by the method 'edge' looks at imagery and got none; give the imagery that the map was made "
                       "from (--guide), or take the method 'bayes'")  # fmt: skip
    return smooth_edges(proba, guide, options=options)


def smooth_bayes(
    proba: NDArray[np.float32], *, window_px: int, smoothness: NDArray[np.float64], fraction: float
) -> NDArray[np.float32]:
    """Smooth each class by an empirical Bayes estimate of its logit.

    Camara et al. 2024 (doi:10.3390/rs16234572), as sits does: the logit x of a class at a pixel is a normal observation, of
    variance `smoothness`, of a value that has itself mean m and variance s2 in the neighbourhood. The posterior mean is

        w x + (1 - w) m,    w = s2 / (s2 + smoothness).

    m and s2 (with divisor n - 1) are taken from the `fraction` of the window's pixels with the highest logits of the class,
    which makes the neighbourhood lean to the side of a border that the class is on. The posterior logits become probabilities
    p = 1 / (1 + exp(-x)), which are divided by their sum. Other than in sits, which mirrors the raster at its edge, pixels
    that are nodata or outside are left out: n valid pixels give ceil(fraction n), at least two where there are two. The
    neighbours' logits are rounded to 1/200 (an error below 0.0005 in a probability).

    Args:
        proba: (class, y, x), NaN where nodata.
        window_px: Side of the neighbourhood, odd.
        smoothness: Variance of the logit, one per class.
        fraction: Share of the window to use, above 0 and up to 1.

    Returns:
        float32 (class, y, x); the classes sum to 1, NaN where nodata.
    """
    valid = ~np.isnan(proba[0])
    counts = count_valid(valid, window_px)
    n = window_px * window_px
    table = np.array([min(i, max(math.ceil(fraction * i), 2)) for i in range(n + 1)], dtype=np.int64)
    all_pairs = network(n)
    pairs = network(n, int(table[n])) if table[n] < n else all_pairs[:0]
    taken = np.maximum(table[counts], 1).astype(np.float64)
    sums, squares = np.empty(valid.shape, dtype=np.int32), np.empty(valid.shape, dtype=np.int32)
    padded = pad_for_windows(np.zeros(valid.shape, dtype=np.int16), window_px, NO_VALUE)
    out = np.empty(proba.shape, dtype=np.float32)
    total = np.zeros(valid.shape, dtype=np.float32)
    for k in range(len(proba)):
        p = np.clip(np.ascontiguousarray(proba[k], dtype=np.float32), np.float32(P_LOWEST), np.float32(1 - P_LOWEST))
        x = np.log(p / (1 - p))
        _count_steps(x, window_px // 2, padded)
        sum_highest(padded, counts, window_px, pairs, all_pairs, table, sums, squares)
        _shrink(x, sums, squares, taken, float(smoothness[k]), 1.0 / _STEPS)
        np.divide(1, 1 + np.exp(-x), out=out[k])
        total += out[k]
    out /= total
    return out


@numba.njit(nogil=True, cache=True)
def _count_steps(x, margin, padded):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Write logits as whole steps inside the margin of `padded`."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            v = x[i, j]
            padded[i + margin, j + margin] = NO_VALUE if np.isnan(v) else np.int16(np.rint(v * np.float32(_STEPS)))


@numba.njit(nogil=True, cache=True)
def _shrink(x, sums, squares, taken, smoothness, step):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Replace logits by their posterior means, in place."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            n = taken[i, j]
            mean = sums[i, j] / n
            variance = max(squares[i, j] - mean * sums[i, j], 0.0) / max(n - 1.0, 1.0) * step * step
            weight = variance / (variance + smoothness)
            x[i, j] = weight * x[i, j] + (1.0 - weight) * mean * step


def smooth_median(proba: NDArray[np.float32], *, window_px: int) -> NDArray[np.float32]:
    """Take the median of each class over the valid pixels of the window, and divide by the classes' sum.

    Args:
        proba: (class, y, x), NaN where nodata.
        window_px: Side of the window, odd.

    Returns:
        float32 (class, y, x); the classes sum to 1 (where all medians are 0 the pixel keeps its own probabilities), NaN where
        nodata.
    """
    valid = ~np.isnan(proba[0])
    counts = count_valid(valid, window_px)
    out = np.empty(proba.shape, dtype=np.float32)
    for k in range(len(proba)):
        known = np.where(valid, proba[k], -np.inf).astype(np.float32)
        median_windows(pad_for_windows(known, window_px, -np.inf), counts, window_px, network(window_px * window_px), out[k])
    total = np.zeros(valid.shape, dtype=np.float32)
    for k in range(len(proba)):
        total += out[k]
    usable = valid & (total > 0)
    np.divide(out, total, out=out, where=usable)
    return np.where(usable, out, proba).astype(np.float32)


def smooth_edges(proba: NDArray[np.float32], guide: NDArray[np.float32], *, options: SmoothOptions) -> NDArray[np.float32]:
    """Smooth by a mean field whose neighbours count by how near and how alike they are.

    The mean-field update of a conditional random field with a Potts model and one bilateral kernel (Kraehenbuehl and Koltun
    2011, arXiv:1210.5644, algorithm 1 and eq. 3), with the kernel cut to the window and the messages divided by the weights'
    sum, so that pixels beside nodata are treated as any other:

        q_i(k) ~ p_i(k) exp(strength sum_j w_ij q_j(k) / sum_j w_ij),
        w_ij = exp(-|i - j|^2 / (2 s^2) - mean_b (g_ib - g_jb)^2 / (2 edge_scale^2)),    s = window / 4.

    Args:
        proba: (class, y, x), NaN where nodata.
        guide: Imagery (band, y, x), scaled so that 1 is the range of a band. A band that either pixel lacks is left out.
        options: window_px, strength, edge_scale, iterations.

    Returns:
        float32 (class, y, x); the classes sum to 1, NaN where nodata.

    Raises:
        MapError: If the imagery is on other pixels.
    """
    if guide.ndim != 3 or guide.shape[1:] != proba.shape[1:]:
        raise MapError(f"imagery of shape {guide.shape} does not lie on probabilities of {proba.shape}; give (band, y, x) of "
                       "the same pixels")  # fmt: skip
    p = np.ascontiguousarray(np.moveaxis(proba, 0, 2), dtype=np.float32)
    g = np.ascontiguousarray(np.moveaxis(guide, 0, 2), dtype=np.float32)
    q = p
    for _ in range(options.iterations):
        q = _mean_field(p, q, g, options.window_px // 2, options.strength, options.edge_scale)
    return np.ascontiguousarray(np.moveaxis(q, 2, 0))


@numba.njit(nogil=True, cache=True)
def _mean_field(p, q, g, r, strength, edge_scale):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    height, width, n_classes = p.shape
    n_bands = g.shape[2]
    out = np.empty_like(p)
    message = np.empty(n_classes, np.float64)
    space = 2.0 * ((2 * r + 1) / 4.0) ** 2
    for y in range(height):
        for x in range(width):
            if np.isnan(p[y, x, 0]):
                out[y, x, :] = np.nan
                continue
            message[:] = 0.0
            weights = 0.0
            for dy in range(max(-r, -y), min(r, height - 1 - y) + 1):
                for dx in range(max(-r, -x), min(r, width - 1 - x) + 1):
                    if (dy == 0 and dx == 0) or np.isnan(q[y + dy, x + dx, 0]):
                        continue
                    apart, n = 0.0, 0
                    for b in range(n_bands):
                        d = np.float64(g[y, x, b]) - np.float64(g[y + dy, x + dx, b])
                        if not np.isnan(d):
                            apart += d * d
                            n += 1
                    weight = math.exp(-(dy * dy + dx * dx) / space - apart / (max(n, 1) * 2.0 * edge_scale * edge_scale))
                    weights += weight
                    for k in range(n_classes):
                        message[k] += weight * q[y + dy, x + dx, k]
            total = 0.0
            for k in range(n_classes):
                message[k] = p[y, x, k] * math.exp(strength * message[k] / max(weights, 1e-300))
                total += message[k]
            for k in range(n_classes):
                out[y, x, k] = message[k] / total
    return out
