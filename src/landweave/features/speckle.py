"""Speckle filters: linear power (y, x) in, smoothed power out; edges of fields and shores are kept as far as a filter can.

Nodata in is nodata out. A window is cut at the array's edge and at nodata: only valid pixels count. A pixel's value depends on
its own window alone, so that a block read with `halo_of` pixels around it gives the bytes of the whole raster.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import CubeError
from landweave.features import speckle_kernels as kernels

__all__ = ["SpeckleFilter", "check_speckle", "estimate_enl", "filter_speckle", "filter_temporal", "halo_of"]

Array = NDArray[np.float32]
SpeckleFilter = Literal["lee", "refined-lee", "gamma-map", "quegan"]
"""Filters by name; `quegan` needs several dates or polarisations of one place."""


def halo_of(method: SpeckleFilter, window_px: int) -> int:
    """Give how many pixels around a block a filter looks at."""
    return 3 if method == "refined-lee" else window_px // 2


def check_speckle(method: str, window_px: int, enl: float | None) -> None:
    """Check what filter is asked for.

    Raises:
        CubeError: If the window is even or not the filter's, or the number of looks not positive.
    """
    if window_px < 3 or window_px % 2 == 0:
        raise CubeError(f"speckle window is {window_px} px; give an odd number from 3 on")
    if method == "refined-lee" and window_px != 7:
        raise CubeError(f"the refined Lee filter is defined in windows of 7 px, not {window_px}; give 7, or take lee")
    if method != "quegan" and (enl is None or not enl > 0):
        raise CubeError(f"{method} needs the equivalent number of looks, a positive number, not {enl}; see estimate_enl")


def filter_speckle(
    power: NDArray[np.floating], *, method: SpeckleFilter, window_px: int = 7, enl: float | None = None
) -> Array:  # fmt: skip
    """Filter one image, or each of several by itself (for `quegan`: the first axis together).

    - `lee`: local mean plus k times the rest, k = texture variance / variance (Lee 1980, doi:10.1109/TPAMI.1980.4766994).
    - `refined-lee`: the same in the half of a 7 x 7 window on the centre's side of the strongest of four edges between 3 x 3
      means (Lee 1981, doi:10.1016/S0146-664X(81)80018-4). Where those means reach past the array or into nodata, in the whole
      window.
    - `gamma-map`: the most probable power under gamma speckle and gamma texture between the coefficients of variation
      1 / sqrt(L) and sqrt(2 / L); the mean below, the pixel itself above (Lopes, Nezry, Touzi and Laur 1990, IGARSS).
    - `quegan`: see `filter_temporal`.

    Args:
        power: Linear power (..., y, x), NaN where there is no observation; values in decibels make no sense here.
        method: Name of the filter.
        window_px: Side of the window, odd; 7 for refined-lee.
        enl: Equivalent number of looks of the image; not used by quegan.

    Returns:
        float32 of the same shape, NaN where the input is.

    Raises:
        CubeError: If the window or the number of looks makes no sense, or a value is negative (decibels?).
    """
    check_speckle(method, window_px, enl)
    values = np.ascontiguousarray(power, dtype=np.float32)
    if (values < 0).any():
        raise CubeError(f"backscatter holds {float(np.nanmin(values)):.4g}, and linear power is never negative; values in "
                        "decibels go through to_linear first")  # fmt: skip
    if method == "quegan":
        return filter_temporal(values, window_px=window_px)
    flat = values.reshape(-1, *values.shape[-2:])
    looks = float(enl or 1.0)
    out = np.empty_like(flat)
    for i, image in enumerate(flat):
        if method == "lee":
            out[i] = kernels.filter_lee(image, window_px // 2, looks)
        elif method == "gamma-map":
            out[i] = kernels.filter_gamma_map(image, window_px // 2, looks)
        else:
            out[i] = kernels.filter_refined_lee(image, looks)
    return out.reshape(values.shape)


def filter_temporal(power: NDArray[np.floating], *, window_px: int = 7) -> Array:
    """Filter several images of one place together, keeping each one's own resolution in space.

    J_k = E_k / N * sum over i of I_i / E_i, E the local mean (Quegan and Yu 2001, doi:10.1109/36.964973, with equal weights:
    the images' speckle is taken as independent). Where a date is nodata the others share the sum.

    Args:
        power: Linear power (image, ..., y, x): dates, or dates and polarisations; NaN where there is no observation.
        window_px: Side of the local mean's window, odd.

    Raises:
        CubeError: If there is only one image, or the window is even.
    """
    check_speckle("quegan", window_px, None)
    values = np.ascontiguousarray(power, dtype=np.float32)
    if values.ndim < 3 or values.shape[0] < 2:
        raise CubeError(f"the multi-temporal filter needs at least two images of one place, not an array of {values.shape}")
    stack = values.reshape(values.shape[0], -1, *values.shape[-2:])
    out = np.empty_like(stack)
    for j in range(stack.shape[1]):
        images = np.ascontiguousarray(stack[:, j])
        means = np.stack([kernels.local_mean(image, window_px // 2) for image in images])
        out[:, j] = kernels.quegan(images, means)
    return out.reshape(values.shape)


def estimate_enl(power: NDArray[np.floating], *, window_px: int = 7) -> float:
    """Estimate the equivalent number of looks without being shown a homogeneous area.

    Mean squared over variance in windows all over the image; texture only lowers it, so that the mode of these values is that
    of the homogeneous parts (Anfinsen et al. 2009, doi:10.1109/TGRS.2009.2019269). The mode is taken as the median of the
    shortest interval of logarithms that holds a tenth of the values.

    Args:
        power: Linear power (..., y, x), NaN where there is no observation.
        window_px: Side of the windows, odd.

    Returns:
        Looks, above 0.

    Raises:
        CubeError: If fewer than 100 windows are at least nine tenths valid and not constant.
    """
    values = np.ascontiguousarray(power, dtype=np.float32).reshape(-1, *np.shape(power)[-2:])
    least = int(np.ceil(0.9 * window_px * window_px))
    found = []
    for image in values:
        mean, variance = kernels.local_moments(image, window_px // 2, least)
        known = (mean > 0) & (variance > 0)
        found.append(mean[known].astype(np.float64) ** 2 / variance[known])
    looks = np.sort(np.log(np.concatenate(found)))
    if looks.size < 100:
        raise CubeError(f"{looks.size} windows of {window_px} px are valid, too few to estimate the number of looks; state enl")
    width = max(looks.size // 10, 10)
    start = int(np.argmin(looks[width:] - looks[:-width]))
    return float(np.exp(np.median(looks[start : start + width])))
