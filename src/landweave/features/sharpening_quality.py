"""How good is a sharpened image? Scores against a reference one resolution down, and without one at full resolution.

Arrays (band, y, x) in, numbers out; pixels that are NaN in any band are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.features.sharpening import (
    Pansharpening,
    average,
    blur_to_coarse,
    fit_whole,
    gaussian_weights,
    interpolate,
    pansharpen,
)

__all__ = ["NoReference", "WaldScores", "compute_ergas", "compute_sam_deg", "compute_uiqi", "judge_full", "judge_reduced"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WaldScores:
    """Scores against a reference.

    Attributes:
        ergas: Relative dimensionless global error; 0 is perfect.
        sam_deg: Mean angle between spectra, degrees; 0 is perfect.
        uiqi: Mean over bands of the universal image quality index; 1 is perfect.
        rmse: Root mean squared error over all bands, in the data's unit.
    """

    ergas: float
    sam_deg: float
    uiqi: float
    rmse: float

    def to_dict(self) -> dict[str, float]:
        """Give the scores by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NoReference:
    """Scores without a reference.

    Attributes:
        d_lambda: Change of the relations between bands, 0 is none (Alparone et al. 2008).
        d_lambda_k: Loss when degraded back to the coarse bands, 0 is none (Khan et al. 2009).
        d_s: Change of the bands' relation to the panchromatic one, 0 is none.
        qnr: (1 - d_lambda) (1 - d_s); 1 is perfect.
        hqnr: (1 - d_lambda_k) (1 - d_s).
    """

    d_lambda: float
    d_lambda_k: float
    d_s: float
    qnr: float
    hqnr: float

    def to_dict(self) -> dict[str, float]:
        """Give the scores by name."""
        return asdict(self)


def _known(*images: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(~np.any([np.isnan(i).any(axis=0) for i in images], axis=0))


def compute_ergas(made: NDArray[np.floating], reference: NDArray[np.floating], *, ratio: int) -> float:
    """Compute ERGAS = 100 / ratio sqrt(mean over bands of (RMSE / mean) ^ 2) (Wald 2000; Ranchin and Wald 2000)."""
    known = _known(made, reference)
    error = made[:, known].astype(np.float64) - reference[:, known]
    mean = reference[:, known].astype(np.float64).mean(axis=1)
    return float(100 / ratio * np.sqrt(np.mean((error**2).mean(axis=1) / mean**2)))


def compute_sam_deg(made: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Compute the mean angle between the spectra of two images in degrees; pixels of zeros are left out."""
    known = _known(made, reference)
    a, b = made[:, known].astype(np.float64), reference[:, known].astype(np.float64)
    size = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    cosine = np.clip((a * b).sum(axis=0)[size > 0] / size[size > 0], -1, 1)
    return float(np.rad2deg(np.arccos(cosine)).mean())


def compute_uiqi(a: NDArray[np.floating], b: NDArray[np.floating], *, block_px: int = 32) -> float:
    """Compute the universal image quality index of two images (y, x), the mean over blocks (Wang and Bovik 2002, eq. 2).

    Blocks of which more than half is NaN, and those that are even in both images, are left out.
    """
    scores = []
    for y in range(0, a.shape[0], block_px):
        for x in range(0, a.shape[1], block_px):
            p, q = (v[y : y + block_px, x : x + block_px].astype(np.float64).ravel() for v in (a, b))
            known = ~(np.isnan(p) | np.isnan(q))
            if known.mean() <= 0.5 or known.sum() < 4:
                continue
            p, q = p[known], q[known]
            below = (p.var() + q.var()) * (p.mean() ** 2 + q.mean() ** 2)
            if below > 0:
                scores.append(4 * ((p - p.mean()) * (q - q.mean())).mean() * p.mean() * q.mean() / below)
    return float(np.mean(scores)) if scores else float("nan")


def judge_reduced(
    ms: NDArray[np.floating], pan: NDArray[np.floating], *, method: Pansharpening | None, ratio: int, gain: float = 0.3,
    sharpen: Callable[[Array, Array], Array] | None = None,
) -> WaldScores:  # fmt: skip
    """Judge one resolution down, where the truth is known: Wald's protocol (Wald, Ranchin and Mangolini 1997).

    Both images are degraded by the ratio, the multispectral one with its sensor's transfer function; the degraded pair is
    sharpened and compared with the multispectral image as it was.

    Args:
        ms: (band, y, x), cut to a whole number of coarse pixels.
        pan: (y * ratio, x * ratio).
        method: Method to judge; None for cubic interpolation, what a method has to beat.
        ratio: Fine pixels to a coarse one.
        gain: Transfer function of the multispectral sensor at its Nyquist frequency.
        sharpen: Judge this function of the degraded bands and pan instead.
    """
    rows, cols = (n // ratio * ratio for n in ms.shape[-2:])
    truth = np.asarray(ms[:, :rows, :cols], dtype=np.float32)
    low = blur_to_coarse(truth, ratio, gaussian_weights(ratio, gain))
    low_pan = average(pan[: rows * ratio, : cols * ratio], ratio)
    if sharpen is not None:
        made = sharpen(low, low_pan)
    elif method is None:
        made = interpolate(low, ratio)
    else:
        made = pansharpen(low, low_pan, fit_whole(low, low_pan, method=method, ratio=ratio, gain=gain))
    known = _known(made, truth)
    rmse = float(np.sqrt(((made[:, known].astype(np.float64) - truth[:, known]) ** 2).mean()))
    uiqi = float(np.mean([compute_uiqi(m, t) for m, t in zip(made, truth, strict=True)]))
    return WaldScores(compute_ergas(made, truth, ratio=ratio), compute_sam_deg(made, truth), uiqi, rmse)


def judge_full(
    made: NDArray[np.floating], ms: NDArray[np.floating], pan: NDArray[np.floating], *, ratio: int, gain: float = 0.3
) -> NoReference:  # fmt: skip
    """Judge at full resolution, where there is no truth: QNR (Alparone et al. 2008, doi:10.14358/PERS.74.2.193, p = q = 1).

    d_lambda compares the quality index between every two bands before and after; d_s that of each band with the pan, fine,
    and low-passed with the coarse bands; d_lambda_k is 1 minus the index of the coarse bands and the sharpened ones degraded
    by the sensor's transfer function (Khan et al. 2009, doi:10.1109/TGRS.2009.2029094), with which QNR is called HQNR. Blocks
    cover the same ground at both scales.

    Args:
        made: Sharpened bands (band, y * ratio, x * ratio).
        ms: Coarse bands (band, y, x).
        pan: (y * ratio, x * ratio).
        ratio: Fine pixels to a coarse one.
        gain: Transfer function of the multispectral sensor at its Nyquist frequency.
    """
    n, block = len(ms), 32
    low_pan = blur_to_coarse(pan, ratio, gaussian_weights(ratio, gain))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    apart = [
        abs(compute_uiqi(made[i], made[j], block_px=block * ratio) - compute_uiqi(ms[i], ms[j], block_px=block))
        for i, j in pairs
    ]
    d_lambda = float(np.mean(apart)) if pairs else 0.0
    d_s = float(np.mean([
        abs(compute_uiqi(m, pan, block_px=block * ratio) - compute_uiqi(c, low_pan, block_px=block))
        for m, c in zip(made, ms, strict=True)
    ]))  # fmt: skip
    back = blur_to_coarse(made, ratio, gaussian_weights(ratio, gain))
    d_lambda_k = 1 - float(np.mean([compute_uiqi(b, c, block_px=block) for b, c in zip(back, ms, strict=True)]))
    return NoReference(d_lambda, d_lambda_k, d_s, (1 - d_lambda) * (1 - d_s), (1 - d_lambda_k) * (1 - d_s))
