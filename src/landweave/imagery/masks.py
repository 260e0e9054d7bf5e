"""Where a scene is clear: scene classification, quality bits, Fmask, or any layer that says so.

Receives a source's `mask:` options and a sensor; hands on the values or bits that mean clear. Growth happens when the cube is
read, on the mask's own grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, model_validator

from landweave.sensors.hls import FMASK_BITS
from landweave.sensors.landsat_c2_l2 import QA_PIXEL_BITS, QA_RADSAT_BITS
from landweave.sensors.sentinel2_l2a import SCL_CLEAR, SCL_NAMES
from landweave.types import Options, Sensor

__all__ = ["LEARNED", "MaskOptions", "MaskRule", "resolve_mask"]

LEARNED = "csmask"
"""Name of the learned masks, which are made, not found."""

_FMASK_CODES = {"clear": 0, "water": 1, "cloud_shadow": 2, "snow": 3, "cloud": 4}
"""Classes of Fmask 4 and earlier (Zhu and Woodcock 2012, doi:10.1016/j.rse.2011.10.028); 255 is no observation."""
_FMASK_NODATA = 255.0


class MaskOptions(Options):
    """Which layer says where a scene is clear, and what is done with it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str = Field(
        alias="from", description="scl (Sentinel-2), qa_pixel (Landsat), fmask (HLS bits, else Fmask's codes), csmask "
        "(learned, needs the extra 'clouds'), or the name of any layer",
    )  # fmt: skip
    clear: tuple[int | str, ...] | None = Field(
        None, min_length=1, description="what counts as clear, as codes or names (vegetation, snow, water, cirrus, ...); of "
        "bits: the conditions that do not spoil a pixel; by default the usual ones, needed for any other layer",
    )  # fmt: skip
    dilate_px: int = Field(0, ge=0, le=200, description="pixels of the mask's own grid by which what is not clear grows")
    shadows: bool = Field(True, description="whether cloud shadows are masked, too")
    saturation: bool | None = Field(
        None, description="true masks saturated pixels (Landsat: by the layer qa_radsat, which must be there), false keeps "
        "those that SCL calls saturated; by default as the mask's own classes have it",
    )  # fmt: skip
    folder: Path | None = Field(None, description="where learned masks are written; needed for from: csmask")

    @model_validator(mode="after")
    def _check_together(self) -> MaskOptions:
        known = ("scl", "qa_pixel", "fmask", LEARNED)
        if self.kind not in known and (self.clear is None or not all(isinstance(v, int) for v in self.clear)):
            raise ValueError(f"mask from {self.source!r} has clear {self.clear!r}; give the values of that layer that mean "
                             f"clear, e.g. clear: [0] (only {', '.join(known)} are known by themselves)")  # fmt: skip
        if self.kind == LEARNED and self.folder is None:
            raise ValueError("mask from csmask has no folder; say where the learned masks are to be written (folder: masks/)")
        return self

    @property
    def kind(self) -> str:
        """`source` in small letters."""
        return self.source.casefold()

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that the scenes' files have to hold."""
        if self.kind == LEARNED:
            return ()
        return (self.source, "qa_radsat") if self.kind == "qa_pixel" and self.saturation else (self.source,)


@dataclass(frozen=True)
class MaskRule:
    """What a mask's values mean: a clear value is in `clear`, or has none of `bits`; `nodata` is no observation."""

    clear: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    nodata: float | None = None


def resolve_mask(options: MaskOptions, sensor: Sensor, layer: str) -> MaskRule:
    """Say what the values of one of the mask's layers mean.

    Args:
        options: The mask.
        sensor: The scene's sensor; HLS codes Fmask in bits.
        layer: Name of the layer, one of `options.layers`.

    Raises:
        ValueError: If `clear` names a condition that the mask does not know; lists those it does.
    """
    if layer == "qa_radsat":
        return MaskRule(bits=QA_RADSAT_BITS)
    if options.kind == "scl":
        return MaskRule(clear=_codes(options, SCL_NAMES, SCL_CLEAR, ("shadow", "dark")), nodata=0.0)
    if options.kind == "qa_pixel":
        spoiling = ("dilated_cloud", "cirrus", "cloud", "cloud_shadow")
        return MaskRule(bits=_bits(options, QA_PIXEL_BITS, spoiling), nodata=1.0)
    if options.kind == "fmask" and sensor.name.startswith("hls-"):
        spoiling = ("cirrus", "cloud", "adjacent", "cloud_shadow")
        return MaskRule(bits=_bits(options, FMASK_BITS, spoiling), nodata=_FMASK_NODATA)
    if options.kind == "fmask":
        return MaskRule(clear=_codes(options, _FMASK_CODES, (0, 1, 3), ("cloud_shadow",)), nodata=_FMASK_NODATA)
    return MaskRule(clear=tuple(int(v) for v in options.clear or ()))


def _codes(
    options: MaskOptions, names: Mapping[str, int], usual: tuple[int, ...], shadows: tuple[str, ...]
) -> tuple[int, ...]:  # fmt: skip
    given = usual if options.clear is None else tuple(v if isinstance(v, int) else _known(v, names) for v in options.clear)
    more = () if options.shadows else tuple(names[s] for s in shadows)
    more += (names["saturated"],) if options.saturation is False and "saturated" in names else ()
    return tuple(sorted({*given, *more}))


def _bits(options: MaskOptions, bits: Mapping[str, int], spoiling: tuple[str, ...]) -> tuple[int, ...]:
    """Give the bits of which a clear pixel has none: all that spoil it but those called clear."""
    kept = {v if isinstance(v, int) else _known(v, bits) for v in options.clear or ()}
    more = () if options.clear is None else tuple(n for n in ("snow", "water") if n in bits)
    kept |= set() if options.shadows else {bits["cloud_shadow"]}
    return tuple(sorted({bits[n] for n in (*spoiling, *more, *(("fill",) if "fill" in bits else ()))} - kept))


def _known(name: str, names: Mapping[str, int]) -> int:
    if name not in names:
        raise ValueError(f"clear names {name!r}; this mask knows {', '.join(names)}")
    return names[name]
