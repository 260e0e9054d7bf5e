"""Imaging spectrometers: bands by number, of which those nearest to the usual positions carry the common names."""

from __future__ import annotations

from collections.abc import Sequence

from landweave.sensors import sentinel2_l2a
from landweave.sensors.ranges import REFLECTANCE_RANGE
from landweave.types import Band

__all__ = ["make_spectrum"]


def make_spectrum(
    centers_nm: Sequence[float], widths_nm: Sequence[float], *, scale: float | None, nodata: float, resolution_m: float
) -> tuple[Band, ...]:
    """Make reflectance bands of centres and widths.

    Band i is called `b001`, `b002`, ...; the band nearest to each centre of Sentinel-2 (and to 1373.5 nm, cirrus) is called by
    the common name, and by its number as an alias. Files whose layers state wavelengths, as ENVI's do, are matched by them.

    Args:
        centers_nm: Centre of each band in the order of the file.
        widths_nm: Full width at half maximum of each.
        scale: Physical value = stored * scale; None where each product states its own.
        nodata: Stored marker.
        resolution_m: Ground size of a pixel.
    """
    wanted = {b.name: b.center_nm or 0.0 for b in sentinel2_l2a.make_sensor().bands if b.kind == "reflectance"}
    wanted["cirrus"] = 1373.5
    nearest = {min(range(len(centers_nm)), key=lambda i: abs(centers_nm[i] - nm)): name for name, nm in wanted.items()}
    bands = []
    for i, (center, width) in enumerate(zip(centers_nm, widths_nm, strict=True)):
        number = f"b{i + 1:03d}"
        bands.append(Band(
            nearest.get(i, number), "reflectance", scale=scale, offset=None if scale is None else 0.0, nodata=nodata,
            valid_range=REFLECTANCE_RANGE, center_nm=center, width_nm=width, resolution_m=resolution_m,
            aliases=(number,) if i in nearest else (),
        ))  # fmt: skip
    return tuple(bands)
