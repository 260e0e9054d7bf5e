"""Spectral indices: arrays of bands in, one array out.

A small table of our own covers the usual ones; a formula `nd(nir,red)` is an index by itself; any other name goes to the
catalogue of spyndex (extra `indices`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landweave.errors import BandError, MissingExtraError

__all__ = ["SpectralIndex", "compute_index", "find_indices", "get_index", "list_indices"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpectralIndex:
    """An index: its name, the bands it needs by common name, its formula and where that comes from."""

    name: str
    title: str
    bands: tuple[str, ...]
    formula: str
    source: str
    function: Callable[..., Array]


def _difference(a: Array, b: Array) -> Array:
    return (a - b) / (a + b)


def _normalised(name: str, title: str, first: str, second: str, source: str) -> SpectralIndex:
    return SpectralIndex(
        name, title, (first, second), f"({first} - {second}) / ({first} + {second})", source, _difference
    )  # fmt: skip


_TABLE = (
    _normalised(
        "ndvi", "normalised difference vegetation index", "nir", "red", "Rouse et al. 1974, NASA SP-351, pp. 309-317"
    ),
    SpectralIndex(
        "evi", "enhanced vegetation index", ("nir", "red", "blue"), "2.5 (nir - red) / (nir + 6 red - 7.5 blue + 1)",
        "Huete et al. 2002, doi:10.1016/S0034-4257(02)00096-2, eq. 1",
        lambda n, r, b: 2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1),
    ),
    SpectralIndex(
        "evi2", "two-band enhanced vegetation index", ("nir", "red"), "2.5 (nir - red) / (nir + 2.4 red + 1)",
        "Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006", lambda n, r: 2.5 * (n - r) / (n + 2.4 * r + 1),
    ),
    SpectralIndex(
        "savi", "soil-adjusted vegetation index, L = 0.5", ("nir", "red"), "1.5 (nir - red) / (nir + red + 0.5)",
        "Huete 1988, doi:10.1016/0034-4257(88)90106-X", lambda n, r: 1.5 * (n - r) / (n + r + 0.5),
    ),
    SpectralIndex(
        "msavi", "modified soil-adjusted vegetation index", ("nir", "red"),
        "(2 nir + 1 - sqrt((2 nir + 1)^2 - 8 (nir - red))) / 2", "Qi et al. 1994, doi:10.1016/0034-4257(94)90134-1",
        lambda n, r: (2 * n + 1 - np.sqrt((2 * n + 1) ** 2 - 8 * (n - r))) / 2,
    ),
    _normalised("gndvi", "green NDVI", "nir", "green", "Gitelson et al. 1996, doi:10.1016/S0034-4257(96)00072-7"),
    _normalised("ndre", "red-edge NDVI", "nir", "rededge071", "Gitelson & Merzlyak 1994, doi:10.1016/S0176-1617(11)81633-0"),
    _normalised("ndwi", "open water index of McFeeters", "green", "nir", "McFeeters 1996, doi:10.1080/01431169608948714"),
    _normalised("mndwi", "modified open water index", "green", "swir16", "Xu 2006, doi:10.1080/01431160600589179"),
    _normalised(
        "ndmi", "moisture index (Gao's NDWI)", "nir", "swir16", "Gao 1996, doi:10.1016/S0034-4257(96)00067-3; "
        "on Landsat Wilson & Sader 2002, doi:10.1016/S0034-4257(01)00318-2",
    ),
    _normalised("ndbi", "built-up index", "swir16", "nir", "Zha et al. 2003, doi:10.1080/01431160304987"),
    _normalised("nbr", "normalised burn ratio", "nir", "swir22", "Lopez Garcia & Caselles 1991, doi:10.1080/10106049109354290"),
    _normalised("nbr2", "normalised burn ratio 2", "swir16", "swir22", "USGS, Landsat Spectral Indices Products Courtesy"),
    SpectralIndex(
        "bsi", "bare soil index", ("swir16", "red", "nir", "blue"),
        "((swir16 + red) - (nir + blue)) / ((swir16 + red) + (nir + blue))",
        "Rikimaru et al. 2002, Tropical Ecology 43(1), 39-47", lambda s, r, n, b: _difference(s + r, n + b),
    ),
)  # fmt: skip
_BY_NAME = {index.name: index for index in _TABLE}

_SPYNDEX_BANDS = {
    "A": "coastal", "B": "blue", "G": "green", "G1": "green05", "Y": "yellow", "R": "red", "RE1": "rededge071",
    "RE2": "rededge075", "RE3": "rededge078", "N": "nir", "N2": "nir08", "WV": "nir09", "S1": "swir16", "S2": "swir22",
    "T": "lwir", "T1": "lwir11", "T2": "lwir12", "VV": "vv", "VH": "vh", "HH": "hh", "HV": "hv",
}  # fmt: skip


_FORMULA = re.compile(r"\s*nd\s*\(\s*([^()]*?)\s*\)\s*", re.IGNORECASE)


def list_indices() -> list[SpectralIndex]:
    """Give the indices of the own table; spyndex knows more."""
    return list(_TABLE)


def find_indices(bands: Iterable[str]) -> list[SpectralIndex]:
    """Give every index that can be computed from bands, of the own table and, where it is installed, of spyndex.

    An index of spyndex that the own table has under the same name is given once.

    Args:
        bands: Common names (`red`, `nir`, `vv`).
    """
    held = set(bands)
    found = [index for index in _TABLE if held.issuperset(index.bands)]
    try:
        import spyndex
    except ImportError:
        return found
    for key in spyndex.indices:
        if key.casefold() in _BY_NAME:
            continue
        try:
            index = _get_catalogued(key)
        except BandError:  # needs a curve or a kernel that is no band
            continue
        if index.bands and held.issuperset(index.bands):
            found.append(index)
    return found


def _read_formula(text: str) -> SpectralIndex | None:
    """Read `nd(a,b)`, the normalised difference of two bands, or `nd(a,b,c)`, that of the mean of a and b and of c."""
    match = _FORMULA.fullmatch(text)
    if match is None:
        return None
    bands = tuple(b.strip() for b in match[1].split(","))
    if len(bands) not in (2, 3) or len(set(bands)) < len(bands) or not all(re.fullmatch(r"\w+", b) for b in bands):
        raise BandError(f"formula {text!r} is not understood: nd(a,b) or nd(a,b,c) with different bands by common name")
    name = f"nd({','.join(bands)})"
    if len(bands) == 2:
        return _normalised(name, "normalised difference", *bands, "normalised difference of two bands")
    a, b, c = bands
    return SpectralIndex(
        name, "normalised difference", bands, f"({a} + {b} - 2 {c}) / ({a} + {b} + 2 {c})",
        "normalised difference of the mean of two bands and a third", lambda x, y, z: _difference((x + y) / 2, z),
    )  # fmt: skip


def get_index(name: str) -> SpectralIndex:
    """Give an index by name, of the own table or of spyndex; names are matched without regard to case.

    A formula is an index, too: `nd(a,b)` is (a - b) / (a + b), `nd(a,b,c)` the same of the mean of a and b, and c.

    Raises:
        BandError: If neither has it, or a formula is not understood.
        MissingExtraError: If it is not in the own table and spyndex is not installed.
    """
    own = _BY_NAME.get(name.casefold()) or _read_formula(name)
    return own if own is not None else _get_catalogued(name)


def compute_index(name: str, bands: Mapping[str, ArrayLike]) -> Array:
    """Compute a spectral index.

    Args:
        name: See `list_indices`; a formula such as nd(nir,red); any name of spyndex's catalogue otherwise, with its default
            constants.
        bands: Common name -> array, all of one shape, reflectance in 0..1 units (backscatter as the index wants it), NaN
            where not valid. Bands that the index does not use may be there, too.

    Returns:
        float32 of the same shape; NaN where a band is NaN or the formula has no value (zero denominator), never infinite.

    Raises:
        BandError: If the index is unknown, or a band that it needs is missing; says which.
        MissingExtraError: See `get_index`.
    """
    index = get_index(name)
    missing = [b for b in index.bands if b not in bands]
    if missing:
        raise BandError(
            f"index {index.name} = {index.formula} needs {', '.join(index.bands)}; {', '.join(missing)} missing among "
            f"{', '.join(bands)}"
        )
    with np.errstate(all="ignore"):
        values = index.function(*(np.asarray(bands[b], dtype=np.float32) for b in index.bands))
    out = np.array(values, dtype=np.float32)
    out[~np.isfinite(out)] = np.nan
    return out


def _get_catalogued(name: str) -> SpectralIndex:
    known = ", ".join(_BY_NAME)
    try:
        import spyndex
    except ImportError as err:
        raise MissingExtraError(
            f'index {name!r} is not among {known}; spyndex may have it: pip install "landweave[indices]"'
        ) from err
    key = _find_key(name, list(spyndex.indices))
    if key is None:
        raise BandError(f"no index named {name!r}, neither among {known} nor among spyndex's {len(spyndex.indices)}")
    entry = spyndex.indices[key]
    bands = [b for b in entry.bands if b in _SPYNDEX_BANDS]
    constants: dict[str, Any] = {}
    for term in entry.bands:
        if term not in _SPYNDEX_BANDS:
            constants[term] = spyndex.constants[term].default if term in spyndex.constants else None
    unset = [k for k, v in constants.items() if v is None]
    if unset:
        raise BandError(f"index {key} = {entry.formula} needs {', '.join(unset)}, which are neither bands nor have a default")

    def function(*arrays: Array) -> Array:
        return np.asarray(spyndex.computeIndex(index=key, params={**constants, **dict(zip(bands, arrays, strict=True))}))

    names = tuple(_SPYNDEX_BANDS[b] for b in bands)
    return SpectralIndex(key, str(entry.long_name), names, str(entry.formula), str(entry.reference), function)


def _find_key(name: str, keys: list[str]) -> str | None:
    if name in keys:
        return name
    same = [k for k in keys if k.casefold() == name.casefold()]
    return same[0] if len(same) == 1 else None  # BAI and BaI are two
