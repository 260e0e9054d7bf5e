"""Radar backscatter: decibels and power, incidence, and indices of two polarisations. Arrays in, arrays out.

Everything takes and gives linear power unless its name says decibels; NaN where there is no observation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landweave.errors import BandError, CubeError
from landweave.legend import suggest_name

__all__ = [
    "RadarIndex", "compute_radar_index", "find_radar_index", "gamma0_from_sigma0", "list_radar_indices", "normalise_incidence",
    "to_db", "to_linear",
]  # fmt: skip

Array = NDArray[np.float32]


def to_db(power: ArrayLike) -> Array:
    """Give linear power in decibels, 10 log10(power).

    Args:
        power: Any shape, linear power; zero and below have no logarithm.

    Returns:
        float32 of that shape; NaN where the power is NaN, zero or negative.
    """
    values = np.asarray(power, dtype=np.float32)
    with np.errstate(all="ignore"):
        out = np.float32(10) * np.log10(values)
    out[~np.isfinite(out)] = np.nan
    return np.asarray(out, dtype=np.float32)


def to_linear(db: ArrayLike) -> Array:
    """Give decibels as linear power, 10 ** (db / 10); NaN stays NaN, float32 of the same shape."""
    values = np.asarray(db, dtype=np.float32)
    return np.asarray(np.power(np.float32(10), values / np.float32(10)), dtype=np.float32)


def _cosine(incidence_deg: ArrayLike) -> NDArray[np.float64]:
    angle = np.asarray(incidence_deg, dtype=np.float64)
    wrong = (angle < 0) | (angle >= 90)
    if wrong.any():
        raise CubeError(f"incidence angle {float(angle[wrong].flat[0]):g} is outside 0..90; give degrees from the vertical")
    return np.asarray(np.cos(np.deg2rad(angle)))


def gamma0_from_sigma0(sigma0: ArrayLike, incidence_deg: ArrayLike) -> Array:
    """Give gamma naught of sigma naught: sigma0 / cos(incidence) (Small 2011, doi:10.1109/TGRS.2011.2120616, section II).

    With the incidence on the ellipsoid it is the ellipsoidal gamma naught: slopes stay in the picture.

    Args:
        sigma0: Linear power, any shape.
        incidence_deg: Degrees from the vertical, 0..90, one number or of the same shape; NaN where unknown.

    Raises:
        CubeError: If an angle lies outside 0..90.
    """
    return np.asarray(np.asarray(sigma0, dtype=np.float64) / _cosine(incidence_deg), dtype=np.float32)


def normalise_incidence(
    sigma0: ArrayLike, incidence_deg: ArrayLike, *, reference_deg: float = 38.0, power: float = 2.0
) -> Array:  # fmt: skip
    """Bring backscatter to one incidence angle: sigma0 cos(reference)^n / cos(incidence)^n, the cosine-square rule for n = 2.

    The rule follows from Lambert's law for optics (Ulaby, Moore and Fung 1982, Microwave Remote Sensing II; other ways:
    Mladenova et al. 2013, doi:10.1109/TGRS.2012.2205264). It holds for rough surfaces and volumes, not for calm water.

    Args:
        sigma0: Linear power, any shape.
        incidence_deg: Degrees from the vertical, 0..90, one number or of the same shape; NaN where unknown.
        reference_deg: Angle that the values shall stand for.
        power: The exponent n.

    Raises:
        CubeError: If an angle lies outside 0..90.
    """
    gain = (_cosine(reference_deg) / _cosine(incidence_deg)) ** power
    return np.asarray(np.asarray(sigma0, dtype=np.float64) * gain, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class RadarIndex:
    """An index of backscatter: name, bands by common name, formula of linear power, source, whether it is a power itself."""

    name: str
    title: str
    bands: tuple[str, ...]
    formula: str
    source: str
    function: Callable[..., Array]


def _dprvic(co: Array, cross: Array) -> Array:
    q = np.minimum(cross / co, 1)  # the paper takes a cross-polarised return above the co-polarised one as q = 1
    return np.asarray(q * (q + 3) / (q + 1) ** 2)


_NASIR = "Nasirzadehdizaji et al. 2019, doi:10.3390/app9040655 (dual-polarised form of Kim and van Zyl 2009)"
_TABLE = (
    RadarIndex("vh_vv", "cross ratio", ("vh", "vv"), "vh / vv", "Vreugdenhil et al. 2018, doi:10.3390/rs10091396",
               lambda vh, vv: vh / vv),
    RadarIndex("hv_hh", "cross ratio", ("hv", "hh"), "hv / hh", "Vreugdenhil et al. 2018, doi:10.3390/rs10091396",
               lambda hv, hh: hv / hh),
    RadarIndex("rvi", "radar vegetation index", ("vv", "vh"), "4 vh / (vv + vh)", _NASIR,
               lambda vv, vh: 4 * vh / (vv + vh)),
    RadarIndex("rvi_hh", "radar vegetation index of horizontal transmission", ("hh", "hv"), "4 hv / (hh + hv)", _NASIR,
               lambda hh, hv: 4 * hv / (hh + hv)),
    RadarIndex("rvi_quad", "radar vegetation index of three polarisations", ("hh", "vv", "hv"), "8 hv / (hh + vv + 2 hv)",
               "Kim and van Zyl 2009, doi:10.1109/TGRS.2009.2014944", lambda hh, vv, hv: 8 * hv / (hh + vv + 2 * hv)),
    RadarIndex("rfdi", "radar forest degradation index", ("hh", "hv"), "(hh - hv) / (hh + hv)",
               "Mitchard et al. 2012, doi:10.5194/bg-9-179-2012", lambda hh, hv: (hh - hv) / (hh + hv)),
    RadarIndex("ndpi", "normalised difference of the polarisations", ("vv", "vh"), "(vv - vh) / (vv + vh)",
               "the form of rfdi in C-band's polarisations", lambda vv, vh: (vv - vh) / (vv + vh)),
    RadarIndex("dprvic", "dual-polarised vegetation index of detected products", ("vv", "vh"), "q (q + 3) / (q + 1)^2, "
               "q = min(vh / vv, 1)", "Bhogapurapu et al. 2022, doi:10.1016/j.rse.2022.112900", _dprvic),
)  # fmt: skip
_BY_NAME = {i.name: i for i in _TABLE}


def list_radar_indices() -> list[RadarIndex]:
    """Give the radar indices that there are."""
    return list(_TABLE)


def find_radar_index(name: str) -> RadarIndex:
    """Give a radar index by name, whatever its case.

    Raises:
        BandError: If there is none; lists those that there are.
    """
    found = _BY_NAME.get(name.casefold())
    if found is None:
        near = suggest_name(name, _BY_NAME)
        hint = f"did you mean {near!r}? " if near else ""
        raise BandError(f"no radar index named {name!r}; {hint}known: {', '.join(_BY_NAME)}")
    return found


def compute_radar_index(name: str, bands: Mapping[str, ArrayLike]) -> Array:
    """Compute a radar index.

    Args:
        name: See `list_radar_indices`.
        bands: Common name -> linear power, all of one shape, NaN where not valid; further bands may be there.

    Returns:
        float32 of that shape; NaN where a band is NaN or the formula has no value, never infinite.

    Raises:
        BandError: If the index is unknown, or lacks a band; says which.
    """
    index = find_radar_index(name)
    missing = [b for b in index.bands if b not in bands]
    if missing:
        raise BandError(f"radar index {index.name} = {index.formula} needs {', '.join(index.bands)}; {', '.join(missing)} "
                        f"missing among {', '.join(bands)}")  # fmt: skip
    with np.errstate(all="ignore"):
        out = np.array(index.function(*(np.asarray(bands[b], dtype=np.float32) for b in index.bands)), dtype=np.float32)
    out[~np.isfinite(out)] = np.nan
    return out
