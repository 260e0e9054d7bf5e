"""Detail: coarse bands on the pixels of fine ones, with their detail. Arrays in, arrays out.

Fine and coarse pixels nest: the first fine pixel is the corner of the first coarse one, `ratio` of them to a side. Nodata in is
nodata out: a fine pixel without its coarse band, or without a guide, has no value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import GridError
from landweave.features import sharpening_kernels as kernels

__all__ = [
    "PAN_MARGIN", "PanModel", "PanSums", "Pansharpening", "average", "blur_to_coarse", "fit_whole", "gaussian_weights",
    "interpolate", "pansharpen", "sharpen_bands", "sharpen_margin",
]  # fmt: skip

Array = NDArray[np.float32]
Pansharpening = Literal["brovey", "gsa", "mtf-glp"]
PAN_MARGIN = 6
"""Coarse pixels around a block that pansharpening looks at: the low-pass (3) and the cubic interpolation (2), and one more."""
_RIDGE = 1e-3


def _check_nested(coarse: tuple[int, ...], fine: tuple[int, ...], ratio: int) -> None:
    if ratio < 2 or fine[-2:] != (coarse[-2] * ratio, coarse[-1] * ratio):
        raise GridError(f"fine pixels {fine[-2:]} are not {ratio} times the coarse ones {coarse[-2:]}; cut both to the same "
                        "area, with a ratio from 2 on")  # fmt: skip


def interpolate(coarse: NDArray[np.floating], ratio: int, *, cubic: bool = True) -> Array:
    """Interpolate (..., y, x) between the centres of coarse pixels: cubic convolution (Keys 1981), or linear.

    Edges repeat; a fine pixel in a coarse pixel that is NaN is NaN.
    """
    values = np.ascontiguousarray(coarse, dtype=np.float32)
    flat = [kernels.upsample(v, ratio, cubic) for v in values.reshape(-1, *values.shape[-2:])]
    return np.stack(flat).reshape(*values.shape[:-2], values.shape[-2] * ratio, values.shape[-1] * ratio)


def average(fine: NDArray[np.floating], ratio: int) -> Array:
    """Average (..., y, x) over coarse pixels; NaN where fewer than half of the fine ones are valid."""
    return blur_to_coarse(fine, ratio, np.ones(ratio))


def gaussian_weights(ratio: int, gain: float) -> NDArray[np.float64]:
    """Give one axis of the Gaussian whose transfer function falls to `gain` at the coarse pixels' Nyquist frequency.

    sigma = ratio sqrt(-2 ln gain) / pi fine pixels (Aiazzi et al. 2006, doi:10.14358/PERS.72.5.591, fit such a filter to a
    sensor's modulation transfer function); cut at three sigma.
    """
    sigma = ratio * np.sqrt(-2 * np.log(gain)) / np.pi
    half = max(int(np.ceil(3 * sigma)), 1)
    size = 2 * half + (ratio % 2)
    at = np.arange(size) - (size - 1) / 2
    weights: NDArray[np.float64] = np.exp(-0.5 * (at / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def blur_to_coarse(fine: NDArray[np.floating], ratio: int, weights: NDArray[np.float64]) -> Array:
    """Give (..., y, x) at coarse pixels as weighted means around their centres, of the valid fine pixels."""
    values = np.ascontiguousarray(fine, dtype=np.float32)
    flat = [kernels.degrade(v, ratio, weights) for v in values.reshape(-1, *values.shape[-2:])]
    return np.stack(flat).reshape(*values.shape[:-2], values.shape[-2] // ratio, values.shape[-1] // ratio)


# --- coarse bands of one sensor ------------------------------------------------------------------------------------------


def sharpen_margin(window: int) -> int:
    """Give how many coarse pixels around a block `sharpen_bands` looks at."""
    return window // 2 + 4


def sharpen_bands(
    coarse: NDArray[np.floating], guides: NDArray[np.floating], *, ratio: int, window: int = 5,
    method: Literal["regression", "guided"] = "regression",
) -> Array:  # fmt: skip
    """Put coarse bands onto the pixels of finer bands of the same scene, such as Sentinel-2's 20 m bands at 10 m.

    Each coarse band is regressed on the guides' coarse means in windows of coarse pixels; the coefficients are interpolated
    and applied to the fine guides: the guided filter with several guides (He et al. 2013, doi:10.1109/TPAMI.2012.213) with its
    coefficients from the coarse scale (He and Sun 2015, arXiv:1505.00996). `regression` then adds what the prediction lacks,
    spread smoothly so that every coarse pixel keeps its mean: area-to-point regression kriging (Wang et al. 2016, Fusion
    of Sentinel-2 images, Remote Sensing of Environment 187, 241-252) with local instead of global regression, and the
    kriging of the residuals replaced by two rounds of linear interpolation and a constant that closes the mean.

    Args:
        coarse: (band, y, x), any unit.
        guides: (guide, y * ratio, x * ratio), NaN where not valid.
        ratio: Fine pixels to a coarse one.
        window: Side of the regression's window in coarse pixels, odd.
        method: regression or guided.

    Returns:
        float32 (band, y * ratio, x * ratio).

    Raises:
        GridError: If the shapes do not nest.
    """
    _check_nested(coarse.shape, guides.shape, ratio)
    fine = np.ascontiguousarray(guides, dtype=np.float32)
    low = average(fine, ratio)
    made = []
    for band in np.ascontiguousarray(coarse, dtype=np.float32):
        fitted = kernels.fit_regression(band, low, window // 2, _RIDGE)
        values = kernels.apply_regression(interpolate(fitted, ratio, cubic=False), fine)
        if method == "regression":
            values = _keep_means(values, band, ratio)
        made.append(np.where(np.isnan(fine).any(axis=0), np.float32(np.nan), values))
    return np.stack(made)


def _keep_means(values: Array, band: Array, ratio: int) -> Array:
    for _ in range(2):
        values = values + interpolate(band - average(values, ratio), ratio, cubic=False)
    rest = band - average(values, ratio)
    return np.asarray(values + rest.repeat(ratio, axis=0).repeat(ratio, axis=1), dtype=np.float32)


# --- pansharpening -------------------------------------------------------------------------------------------------------


@dataclass
class PanSums:
    """Sums over the valid coarse pixels of a whole raster, from which the methods' global figures follow.

    Added up block by block in float64: the first axis holds 1, the bands, and the panchromatic band at the coarse scale.
    """

    total: NDArray[np.float64] | None = None

    def add(self, ms: NDArray[np.floating], pan_low: NDArray[np.floating]) -> None:
        """Add a block: bands (band, y, x) and the low-passed panchromatic band (y, x), both coarse."""
        rows = np.concatenate([np.ones((1, *pan_low.shape)), ms, pan_low[None]]).reshape(len(ms) + 2, -1).astype(np.float64)
        rows = rows[:, ~np.isnan(rows).any(axis=0)]
        product = rows @ rows.T
        self.total = product if self.total is None else self.total + product


@dataclass(frozen=True)
class PanModel:
    """Global figures of a pansharpening, the same for every block.

    Attributes:
        method: brovey, gsa or mtf-glp.
        ratio: Fine pixels to a coarse one.
        gain: Transfer function of the multispectral sensor at its Nyquist frequency.
        weights: Of the intensity: intercept, then one per band.
        gains: How much detail each band takes.
        scale: Of the panchromatic band towards the intensity: factor and summand.
    """

    method: Pansharpening
    ratio: int
    gain: float
    weights: tuple[float, ...]
    gains: tuple[float, ...]
    scale: tuple[float, float]

    @classmethod
    def fit(cls, sums: PanSums, *, method: Pansharpening, ratio: int, gain: float = 0.3) -> PanModel:
        """Work out the figures from the sums of a whole raster.

        Raises:
            GridError: If no coarse pixel is valid in all bands.
        """
        if sums.total is None or sums.total[0, 0] < 2:
            raise GridError("no coarse pixel is valid in all bands and the panchromatic one; check nodata and the overlap")
        n, k = sums.total[0, 0], len(sums.total) - 2
        mean = sums.total[0, 1:] / n
        cov = sums.total[1:, 1:] / n - np.outer(mean, mean)
        is_fitted = method == "gsa"
        slopes = np.linalg.lstsq(cov[:k, :k], cov[:k, k], rcond=None)[0] if is_fitted else np.full(k, 1 / k)
        intercept = float(mean[k] - slopes @ mean[:k]) if is_fitted else 0.0
        i_mean, i_var = intercept + slopes @ mean[:k], float(slopes @ cov[:k, :k] @ slopes)
        if method == "mtf-glp":
            gains = cov[:k, k] / max(cov[k, k], 1e-30)
            scale = (1.0, 0.0)
        else:
            gains = cov[:k, :k] @ slopes / max(i_var, 1e-30)
            factor = float(np.sqrt(i_var / max(cov[k, k], 1e-30)))
            scale = (factor, float(i_mean - factor * mean[k]))
        return cls(method, ratio, gain, (intercept, *map(float, slopes)), tuple(map(float, gains)), scale)


def pansharpen(ms: NDArray[np.floating], pan: NDArray[np.floating], model: PanModel) -> Array:
    """Give multispectral bands the detail of a panchromatic one.

    - `brovey`: bands times pan over intensity, the mean of the bands (Gillespie et al. 1987, doi:10.1016/0034-4257(87)90088-5).
    - `gsa`: adaptive Gram-Schmidt; the intensity is regressed on the low-passed pan, each band takes its detail by covariance
      over variance (Aiazzi et al. 2007, doi:10.1109/TGRS.2007.901007).
    - `mtf-glp`: the pan's detail beyond the sensor's transfer function, by a band's slope on the low-passed pan (Aiazzi et al.
      2006, doi:10.14358/PERS.72.5.591; slopes of the whole raster).

    Args:
        ms: (band, y, x), any unit, NaN where not valid.
        pan: (y * ratio, x * ratio).
        model: Figures of the whole raster; see `PanModel.fit`.

    Returns:
        float32 (band, y * ratio, x * ratio).

    Raises:
        GridError: If the shapes do not nest.
    """
    ratio = model.ratio
    _check_nested(ms.shape, pan.shape, ratio)
    up = interpolate(ms, ratio).astype(np.float64)
    p = pan.astype(np.float64)
    if model.method == "mtf-glp":
        low = interpolate(blur_to_coarse(pan, ratio, gaussian_weights(ratio, model.gain)), ratio)
        out = up + np.array(model.gains)[:, None, None] * (p - low)
        return out.astype(np.float32)
    intensity = model.weights[0] + np.tensordot(np.array(model.weights[1:]), up, axes=1)
    equal = p * model.scale[0] + model.scale[1]
    if model.method == "gsa":
        return np.asarray(up + np.array(model.gains)[:, None, None] * (equal - intensity), dtype=np.float32)
    with np.errstate(all="ignore"):
        out = up * (equal / intensity)
    out[~np.isfinite(out)] = np.nan
    return out.astype(np.float32)


def fit_whole(ms: Array, pan: Array, *, method: Pansharpening, ratio: int, gain: float = 0.3) -> PanModel:
    """Fit on arrays that are the whole raster."""
    sums = PanSums()
    sums.add(ms, blur_to_coarse(pan, ratio, gaussian_weights(ratio, gain)))
    return PanModel.fit(sums, method=method, ratio=ratio, gain=gain)
