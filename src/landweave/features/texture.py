"""Texture from grey-level co-occurrence: how often levels stand side by side in a window, and measures of that.

Arrays (y, x) in, measures out. Nodata in is nodata out; a window is cut at the array's edge and skips pairs with nodata.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import CubeError
from landweave.features.texture_kernels import FIXED, MEASURES, slide_row_texture
from landweave.legend import suggest_name

__all__ = ["TEXTURE_DIRECTIONS", "TEXTURE_MEASURES", "check_texture", "compute_texture", "quantise"]

TEXTURE_MEASURES = MEASURES
"""Names of the measures."""
TEXTURE_DIRECTIONS: dict[int, tuple[int, int]] = {0: (0, 1), 45: (-1, 1), 90: (-1, 0), 135: (-1, -1)}
"""Degrees against the clock from east -> (down, right) step of one pixel, as Haralick et al. 1973 number them."""

Array = NDArray[np.float32]
Combine = Literal["mean", "range", "none"]


def quantise(values: NDArray[np.floating], *, low: float, high: float, levels: int) -> NDArray[np.int16]:
    """Cut values into `levels` steps of equal width between `low` and `high`.

    Args:
        values: Any shape, NaN where there is no observation.
        low: Lower end; smaller values take level 0.
        high: Upper end; larger values take the last level.
        levels: Number of levels, 2 to 256.

    Returns:
        int16 levels of the same shape, -1 where there is no observation.

    Raises:
        CubeError: If the range is empty or the number of levels out of bounds.
    """
    if not 2 <= levels <= 256:
        raise CubeError(f"texture has {levels} grey levels; give 2 to 256 (16 or 32 are usual)")
    if not high > low:
        raise CubeError(f"range of grey levels is {low:g}..{high:g}; give the lower value first")
    scaled = np.floor((np.asarray(values, dtype=np.float64) - low) * (levels / (high - low)))
    known = ~np.isnan(scaled)
    return np.where(known, np.clip(np.where(known, scaled, 0), 0, levels - 1), -1).astype(np.int16)


def check_texture(measures: Sequence[str], directions: Sequence[int], *, window_px: int, distance_px: int) -> None:
    """Check what texture is asked for.

    Raises:
        CubeError: If a measure or direction is unknown, the window is even, or the distance does not fit in it.
    """
    for name in measures:
        if name not in MEASURES:
            near = suggest_name(name, MEASURES)
            hint = f"did you mean {near!r}? " if near else ""
            raise CubeError(f"no texture measure named {name!r}; {hint}known: {', '.join(MEASURES)}")
    wrong = [d for d in directions if d not in TEXTURE_DIRECTIONS]
    if wrong or not directions or not measures:
        raise CubeError(f"directions are {list(directions)} and measures {list(measures)}; give at least one measure, and "
                        f"directions among {', '.join(map(str, TEXTURE_DIRECTIONS))} degrees")  # fmt: skip
    if window_px < 3 or window_px % 2 == 0 or not 1 <= distance_px < window_px:
        raise CubeError(f"texture window is {window_px} px with pairs {distance_px} px apart; give an odd window from 3 on "
                        "and a distance from 1 to less than the window")  # fmt: skip


def compute_texture(
    levels: NDArray[np.integer], *, n_levels: int, measures: Sequence[str], window_px: int = 7, distance_px: int = 1,
    directions: Sequence[int] = (0, 45, 90, 135), combine: Combine = "mean", symmetric: bool = True,
) -> Array:  # fmt: skip
    """Compute co-occurrence measures of the window around every pixel.

    Pairs of pixels `distance_px` apart in a direction are counted inside the window, both ways if symmetric; p is their share.
    After Haralick, Shanmugam and Dinstein 1973 (doi:10.1109/TSMC.1973.4309314) with i, j counted from 0 and natural logarithms:
    contrast is sum (i - j)^2 p, dissimilarity sum |i - j| p, homogeneity sum p / (1 + (i - j)^2), asm sum p^2, energy its root,
    entropy -sum p ln p, mean sum i p, variance and std about it, correlation (1 where a variance is 0), max_probability the
    largest p; sum_* and difference_* are of i + j and |i - j|; cluster_shade and cluster_prominence the third and fourth moment
    of i + j (Conners et al. 1984); imc1 and imc2 the information measures of correlation.

    Args:
        levels: Grey levels (y, x), 0 to n_levels - 1, -1 where there is no observation; see `quantise`.
        n_levels: Number of levels.
        measures: Names, see `TEXTURE_MEASURES`.
        window_px: Side of the window, odd.
        distance_px: Distance of the pairs along the rows and columns.
        directions: Degrees among 0, 45, 90 and 135.
        combine: Mean or range (largest minus smallest) over the directions, or none: keep each.
        symmetric: Count every pair both ways, so that 0 and 180 degrees are one.

    Returns:
        float32 (measure, y, x), or (measure, direction, y, x) where none is combined; NaN where the pixel is nodata, or no
        pair in its window is valid in one of the directions.

    Raises:
        CubeError: As `check_texture`; or if a level lies beyond the last.
    """
    check_texture(measures, directions, window_px=window_px, distance_px=distance_px)
    q = np.ascontiguousarray(levels, dtype=np.int16)
    if q.ndim != 2 or (q.size and q.max() >= n_levels):
        raise CubeError(f"levels are an array of {q.shape} up to {q.max() if q.size else 'nothing'}; expected (y, x) up to "
                        f"{n_levels - 1}; see quantise")  # fmt: skip
    out = np.empty((len(measures), len(directions), *q.shape), dtype=np.float32)
    codes = np.array([MEASURES.index(m) for m in measures], dtype=np.int64)
    counts = np.arange(2 * window_px * window_px + 3, dtype=np.float64)
    logs = np.log(np.maximum(counts, 1))
    clogc = np.rint(counts * logs * FIXED).astype(np.int64)
    offsets = _offsets(directions, distance_px)
    slide_row_texture(q, window_px // 2, offsets, n_levels, symmetric, codes, out, clogc, logs, _needs(measures))
    if combine == "none":
        return out
    if combine == "range":
        return np.asarray(out.max(axis=1) - out.min(axis=1))
    return np.asarray(out.mean(axis=1, dtype=np.float64), dtype=np.float32)


_CELLS = {"asm", "energy", "entropy", "max_probability", "imc1", "imc2"}
_SUMS = {"sum_variance", "sum_entropy", "cluster_shade", "cluster_prominence"}


def _needs(measures: Sequence[str]) -> NDArray[np.bool_]:
    """Say which sums measures are made of; see `slide_row_texture`."""
    asked = set(measures)
    return np.array([bool(asked & names) for names in (_CELLS, {"max_probability"}, _SUMS, {"imc1", "imc2"})])


def _offsets(directions: Sequence[int], distance_px: int) -> NDArray[np.int64]:
    """Steps with a rightward part of at least 0: 135 degrees is walked from its other end, which is the same for symmetric.

    A pair (a, b) of 135 degrees read from b has the order (b, a); measures of `p` transposed only swap i and j.
    """
    steps = [TEXTURE_DIRECTIONS[d] for d in directions]
    turned = [(-dy, -dx) if dx < 0 else (dy, dx) for dy, dx in steps]
    return np.array(turned, dtype=np.int64) * distance_px
